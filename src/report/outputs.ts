/** The outputs of the steps. */
import { info, setOutput } from '@actions/core';
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import type { HandOver } from '../certificate/hand-over.ts';
import type { Finding } from '../connectors/expiry.ts';
import { failureOf, isActive, isUploaded, type Outcome } from '../connectors/outcome.ts';
import { isComplete, type Trust } from '../connectors/trust.ts';
import { Failure } from '../failure.ts';
import { byAge, certificatesOf, type Connector } from '../graph/connector.ts';
import { reason } from '../http/transport-error.ts';
import { clean, cleanUrl } from '../text/clean.ts';
import { dateFromSeconds, isoSeconds } from '../text/dates.ts';
import { plural } from './markdown-parts.ts';
import { appendSummary } from './summary.ts';

/** The certificate's own outputs; set as soon as it is known, so that they are there after a failure too. */
export function setCertificateOutputs(certificate: ClientCertificate): void {
  setOutput('thumbprint', certificate.thumbprint);
  setOutput('not-after', isoSeconds(certificate.notAfter));
  setOutput('not-before', isoSeconds(certificate.notBefore));
  const chain = [certificate.leaf, ...certificate.chain].map(String);
  const fitting = chain.slice(0, countThatFits(chain));
  setOutput('certificate', fitting.join(''));
  if (fitting.length < chain.length) leaveOut('certificate', plural(chain.length - fitting.length, 'certificate'));
}

/** In characters. GitHub accepts 1 MB as an output of a job, and counts UTF-16. */
const LONGEST_OUTPUT = 500_000;

/** How many of these fit into an output, one behind the other with something in between. */
function countThatFits(parts: readonly string[]): number {
  let length = 2;
  const tooMany = parts.findIndex((part) => (length += part.length + 1) > LONGEST_OUTPUT);
  return tooMany < 0 ? parts.length : tooMany;
}

/** Says what an output lacks, where people look. */
function leaveOut(output: string, what: string): void {
  const text = `The output ${output} lacks ${what}, because GitHub limits its length.`;
  info(text);
  appendSummary(`\n${text}`);
}

/** The output `connectors`: if it would be too long, without the certificates, and then without the last connectors. */
function setConnectors(connectors: readonly Record<string, unknown>[]): void {
  const whole = connectors.map((connector) => JSON.stringify(connector));
  const isWhole = countThatFits(whole) === whole.length;
  const parts = isWhole
    ? whole
    : connectors.map((connector) => JSON.stringify({ ...connector, certificates: undefined }));
  const fitting = parts.slice(0, countThatFits(parts));
  setOutput('connectors', `[${fitting.join(',')}]`);
  if (isWhole) return;
  const rest = parts.length - fitting.length;
  leaveOut('connectors', `"certificates" of each${rest > 0 ? `, and ${plural(rest, 'connector')}` : ''}`);
}

/**
 * The thumbprints that the API has to accept from now on. Left unset if one in use is not known: whoever writes this set as
 * it is would shut it out.
 */
export function setTrustOutput(trust: Trust): void {
  if (!isComplete(trust)) return;
  setOutput('trusted-thumbprints', trust.certificates.map(({ thumbprint }) => thumbprint).join(','));
}

/** For which connectors the create step made a certificate, and whether the job goes on; none if it failed. */
export function setDueOutputs(ids: readonly string[]): void {
  setOutput('needed', String(ids.length > 0));
  setOutput('due-connectors', ids.join('\n'));
}

/** Where the create step leaves the certificate with its key for the next step. The password is masked already. */
export function setHandOverOutputs({ path, password }: HandOver): void {
  setOutput('pfx-file', path);
  setOutput('password', password);
}

/** The outputs about what became of the connectors. */
export function setConnectorOutputs(outcomes: readonly Outcome[], certificate: ClientCertificate): void {
  setOutput('is-active', String(outcomes.every((outcome) => isActive(outcome, certificate))));
  setOutput('uploaded', String(outcomes.some(isUploaded)));
  setConnectors(outcomes.map((outcome) => updatedConnector(outcome, certificate)));
}

/** The check step's outputs: the worst status, and the certificate that expires first of those whose date can be read. */
export function setCheckOutputs(findings: readonly Finding[]): void {
  const worst = (['failing', 'warning'] as const).find((status) =>
    findings.some((finding) => finding.status === status),
  );
  const first = findings
    .flatMap(({ active, daysLeft }) => (active && daysLeft !== undefined ? [{ ...active, daysLeft }] : []))
    .sort((a, b) => a.notAfter - b.notAfter)[0];
  setOutput('status', worst ?? 'ok');
  setOutput('days-left', first ? String(first.daysLeft) : '');
  setOutput('not-after', first ? isoSeconds(dateFromSeconds(first.notAfter)) : '');
  setOutput('thumbprint', first?.thumbprint ?? '');
  setConnectors(findings.map(checkedConnector));
}

/** The check step's outputs if nothing could be read: what cannot be checked is not fine. */
export function setUncheckedOutputs(): void {
  setOutput('status', 'failing');
}

/**
 * Writes outputs, or what is kept for the end of the job.
 * @param done what was done until now: the failure begins with it if they cannot be written
 * @throws Failure OUTPUTS_NOT_WRITTEN
 */
export function writeOutputs(done: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw new Failure(
      'OUTPUTS_NOT_WRITTEN',
      `${done.replace(/\.$/, '')}. The outputs of the step could not be written: ${clean(reason(error))}.`,
      'Free disk space on the runner. Running the job again is safe: what is done is recognised and left alone.',
      { cause: error },
    );
  }
}

/** Writes outputs of a step that has failed already: that failure is the one to be shown. */
export function tryToWriteOutputs(write: () => void): void {
  try {
    write();
  } catch (error) {
    info(`The outputs of the step could not be written: ${clean(reason(error))}.`);
  }
}

function updatedConnector(outcome: Outcome, certificate: ClientCertificate): Record<string, unknown> {
  const failure = failureOf(outcome);
  return {
    ...shown(outcome.id, outcome.connector),
    uploaded: isUploaded(outcome),
    isActive: isActive(outcome, certificate),
    thumbprint: certificate.thumbprint,
    notBefore: certificate.notBefore.getTime() / 1000,
    notAfter: certificate.notAfter.getTime() / 1000,
    certificates: byAge(certificatesOf(outcome.connector)),
    ...(failure ? { failure: failure.code } : {}),
  };
}

function checkedConnector(finding: Finding): Record<string, unknown> {
  const { connector, active, daysLeft, status } = finding;
  return {
    ...shown(finding.id, connector),
    authentication: connector?.authentication.type ?? null,
    status,
    daysLeft: daysLeft ?? null,
    thumbprint: active?.thumbprint ?? null,
    notAfter: active?.notAfter ?? null,
    certificates: byAge(certificatesOf(connector)),
    ...(finding.status === 'failing' ? { failure: finding.failure.code } : {}),
  };
}

/** What every output has of a connector, cleaned. */
function shown(id: string, connector: Connector | undefined): Record<string, unknown> {
  return {
    id: clean(id),
    displayName: clean(connector?.displayName),
    targetUrl: cleanUrl(connector?.targetUrl ?? '', 2000),
  };
}
