/** What the check step finds out about a connector: how long its active certificate has left. */
import { setOutput } from '@actions/core';
import { clean } from '../text/clean.ts';
import { Failure } from '../failure.ts';
import type { Connector, ConnectorCertificate } from '../graph/api-connectors.ts';
import { asFailure, byAge, daysUntil, isoSeconds, nameOf, shownConnector } from '../report/outputs.ts';

/** From how many days left on it is said. */
export interface Thresholds {
  readonly warnDays: number;
  readonly failDays: number;
}

export interface Finding {
  readonly id: string;
  /** Undefined where it could not be read. */
  readonly connector: Connector | undefined;
  readonly status: 'ok' | 'warning' | 'failing';
  readonly text: string;
  readonly active: ConnectorCertificate | undefined;
  /** Whole days that the active certificate has left; undefined where there is none. */
  readonly daysLeft: number | undefined;
  readonly failure?: Failure;
}

/** Judges a connector by its active certificate. */
export function judge(connector: Connector, { warnDays, failDays }: Thresholds, now: Date): Finding {
  const finding = { id: connector.id, connector, active: undefined, daysLeft: undefined };
  if (connector.authentication === 'basic') {
    return {
      ...finding,
      status: 'warning',
      text: 'authenticates with a user name and password, not with a certificate.',
    };
  }
  const active = connector.certificates.find((entry) => entry.isActive);
  if (!active) {
    const text =
      connector.authentication === 'certificate'
        ? 'has no active certificate: its calls are not authenticated with one.'
        : 'does not authenticate with a certificate.';
    const failure = new Failure(
      'NO_ACTIVE_CERTIFICATE',
      `The API connector ${nameOf(connector.id, connector)} ${text}`,
      'Upload a certificate that is valid now.',
    );
    return connector.authentication === 'certificate'
      ? { ...finding, status: 'failing', text, failure }
      : { ...finding, status: 'warning', text };
  }
  const ends = new Date(active.notAfter * 1000);
  const daysLeft = daysUntil(ends, now);
  const text = `${daysLeft < 0 ? 'its active certificate has expired' : `its active certificate has ${daysLeft} day${daysLeft === 1 ? '' : 's'} left`} (${clean(active.thumbprint, 64)}, until ${isoSeconds(ends)}).`;
  const judged = { ...finding, active, daysLeft, text };
  // Not below a threshold counts as fine, so a date that cannot be read has to be caught first.
  if (!(daysLeft >= failDays)) {
    const failure = new Failure(
      'CERTIFICATE_ENDS_SOON',
      `The API connector ${nameOf(connector.id, connector)}: ${text}`,
      'Upload a newer certificate now: when this one ends, every sign-up that calls the API fails.',
    );
    return { ...judged, status: 'failing', failure };
  }
  return { ...judged, status: daysLeft < warnDays ? 'warning' : 'ok' };
}

/** The finding about a connector that could not be read. */
export function unread(id: string, error: unknown): Finding {
  const failure = asFailure(error);
  return {
    id,
    connector: undefined,
    status: 'failing',
    text: `could not be read: ${failure.message}`,
    active: undefined,
    daysLeft: undefined,
    failure,
  };
}

/** The check step's outputs: the worst status, and the certificate that ends first. */
export function setCheckOutputs(findings: readonly Finding[]): void {
  const worst = (['failing', 'warning'] as const).find((status) =>
    findings.some((finding) => finding.status === status),
  );
  const first = findings
    .filter((finding) => finding.active)
    .sort((a, b) => (a.active?.notAfter ?? 0) - (b.active?.notAfter ?? 0))[0];
  setOutput('status', worst ?? 'ok');
  setOutput('days-left', first?.daysLeft === undefined ? '' : String(first.daysLeft));
  setOutput('not-after', first?.active ? isoSeconds(new Date(first.active.notAfter * 1000)) : '');
  setOutput('thumbprint', first?.active?.thumbprint ?? '');
  setOutput('connectors', JSON.stringify(findings.map(connectorOutput)));
}

/** The check step's outputs where nothing could be read: what cannot be checked is not fine. */
export function setUncheckedOutputs(): void {
  setOutput('status', 'failing');
}

function connectorOutput(finding: Finding): Record<string, unknown> {
  const { connector, active, daysLeft, status } = finding;
  return {
    ...shownConnector(finding.id, connector),
    authentication: connector?.authentication ?? null,
    status,
    daysLeft: daysLeft ?? null,
    thumbprint: active?.thumbprint ?? null,
    notAfter: active?.notAfter ?? null,
    certificates: byAge(connector?.certificates ?? []),
    ...(finding.failure ? { failure: finding.failure.code } : {}),
  };
}
