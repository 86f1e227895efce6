/** What one API connector needs, and doing it. */
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import type { CertificateUpload } from '../certificate/upload.ts';
import { asFailure, Failure } from '../failure.ts';
import type { ApiConnectors } from '../graph/api-connectors.ts';
import {
  activeCertificate,
  certificatesOf,
  entriesAfter,
  entriesOf,
  nameOf,
  type Connector,
} from '../graph/connector.ts';
import { digestOf } from '../graph/thumbprint.ts';
import { clean } from '../text/clean.ts';
import { dateFromSeconds, isoSeconds } from '../text/dates.ts';
import { beforeChange, isActive, type Outcome } from './outcome.ts';
import type { Reading } from './reading.ts';

/** How a connector is to be brought to the certificate. */
export interface UpdateOptions {
  /** Upload even if the certificate is there already. */
  readonly force: boolean;
  /** Overwrite the whole authentication configuration. */
  readonly replace: boolean;
  /** Do everything but the change. */
  readonly dryRun: boolean;
  /** Asks the target whether it accepts the certificate: a warning, or a failure. Absent if it is not to be asked. */
  readonly verifyTarget?: ((targetUrl: string) => Promise<string | undefined>) | undefined;
}

/** Brings one connector, as it was read, to the certificate; a failure is part of the outcome, so that it does not stop the others. */
export async function updateConnector(
  connectors: ApiConnectors,
  reading: Reading,
  upload: CertificateUpload,
  options: UpdateOptions,
): Promise<Outcome> {
  const { id, connector: before } = reading;
  const seen = { id, before, connector: before };
  if (before === undefined) return { ...seen, warnings: [], result: 'failed', failure: reading.failure };
  const { certificate } = upload;
  const now = new Date();
  const warnings: string[] = [];
  let changing = false;
  try {
    const unchanged = reasonToLeave(before, options, certificate, now);
    if (unchanged) return { ...seen, result: 'unchanged', ...unchanged };
    refuseWhatCannotWork(before, options, certificate, now);
    warnings.push(...warningsBefore(before, certificate, now));
    const warning = await options.verifyTarget?.(before.targetUrl);
    if (warning !== undefined) warnings.push(warning);
    if (options.dryRun) {
      const text = `dry run: the certificate would be ${options.replace ? 'made the only one' : 'uploaded'}.`;
      return { ...seen, warnings, result: 'would-change', text };
    }
    changing = true;
    const connector = options.replace
      ? await connectors.replaceAuthentication(before, upload, certificate)
      : await connectors.uploadClientCertificate(before, upload, certificate);
    warnings.push(...warningsAfter(before, connector, certificate));
    const text = changed({ ...seen, connector }, certificate, options.replace, now);
    return { ...seen, connector, warnings, result: 'changed', text };
  } catch (error) {
    const failure = asFailure(changing ? error : beforeChange(error));
    return { ...seen, warnings, result: 'failed', failure };
  }
}

/** Why this connector needs no change, or undefined if it does. */
function reasonToLeave(
  connector: Connector,
  { force, replace }: UpdateOptions,
  certificate: ClientCertificate,
  now: Date,
): { readonly text: string; readonly warnings: readonly string[] } | undefined {
  const entries = entriesOf(connector, certificate);
  if (force || entries.length === 0) return undefined;
  if (replace && certificatesOf(connector).length > entries.length) return undefined;
  if (entries.some((entry) => entry.isActive)) {
    return { text: 'already uses this certificate; nothing to do.', warnings: [] };
  }
  const why = activeCertificate(connector) ? ': another one was uploaded later' : '';
  const text =
    certificate.notBefore > now
      ? `has this certificate already; the service uses it from ${isoSeconds(certificate.notBefore)}, when it becomes valid.`
      : `has this certificate already, but does not use it${why}. If this one is to be used, set force: true to upload it again.`;
  return { text, warnings: [`The API connector ${nameOf(connector.id, connector)} ${text}`] };
}

/** @throws Failure if the change would leave the connector without a certificate that works, or is not understood */
function refuseWhatCannotWork(
  connector: Connector,
  { replace }: UpdateOptions,
  certificate: ClientCertificate,
  now: Date,
): void {
  const { type } = connector.authentication;
  if (!replace && type === 'basic') throw usesBasicAuthentication(connector);
  if (!replace && type === 'unknown') throw unknownAuthentication(connector);
  if (certificate.notBefore <= now) return;
  const authenticates = type === 'certificate' ? activeCertificate(connector) !== undefined : type !== 'none';
  if (!replace && authenticates) return;
  const gap = authenticates
    ? `replace: true would take away what the API connector ${name(connector)} authenticates with now`
    : `the API connector ${name(connector)} has no active certificate until then`;
  throw new Failure(
    'CERTIFICATE_NOT_YET_VALID',
    `The certificate is valid from ${isoSeconds(certificate.notBefore)} only, and ${gap}. Nothing was changed.`,
    `Upload a certificate that is valid now, or run this again after ${isoSeconds(certificate.notBefore)}.`,
  );
}

function usesBasicAuthentication(connector: Connector): Failure {
  return new Failure(
    'CONNECTOR_USES_BASIC_AUTHENTICATION',
    `The API connector ${name(connector)} authenticates with a user name and password, not with a certificate. Nothing was changed.`,
    'To switch it to this certificate, set replace: true. The API has to accept the certificate before that: verify-target: true asks it.',
  );
}

function unknownAuthentication(connector: Connector): Failure {
  return new Failure(
    'CONNECTOR_AUTHENTICATION_UNKNOWN',
    `Microsoft Graph describes in a way that is not understood what the API connector ${name(connector)} authenticates with. Nothing was changed.`,
    'Look at it in the portal, under API connectors. To overwrite what is there with this certificate, set replace: true.',
  );
}

/** With its ID, which connector-id holds. */
function name(connector: Connector): string {
  return `${nameOf(connector.id, connector)} (${clean(connector.id, 64)})`;
}

function warningsBefore(connector: Connector, certificate: ClientCertificate, now: Date): readonly string[] {
  return [...startsLater(connector, certificate, now), ...expiresSooner(connector, certificate)];
}

/** A warning if the new certificate is not valid yet, with the gap if the old one expires before that. */
function startsLater(connector: Connector, certificate: ClientCertificate, now: Date): readonly string[] {
  const active = activeCertificate(connector);
  if (certificate.notBefore <= now || !active) return [];
  const [starts, expires] = [certificate.notBefore, dateFromSeconds(active.notAfter)];
  const gap =
    expires < starts
      ? ` From ${isoSeconds(expires)} to ${isoSeconds(starts)} it has no valid certificate, and sign-ups fail.`
      : '';
  return [
    `The API connector ${nameOf(connector.id, connector)} uses the new certificate from ${isoSeconds(starts)} only, when that becomes valid; the one that it uses now expires on ${isoSeconds(expires)}.${gap}`,
  ];
}

/** A warning if the new certificate expires before one that the connector has. */
function expiresSooner(connector: Connector, certificate: ClientCertificate): readonly string[] {
  const own = new Set(entriesOf(connector, certificate));
  const others = certificatesOf(connector).filter((entry) => !own.has(entry) && Number.isFinite(entry.notAfter));
  const last = Math.max(...others.map((entry) => entry.notAfter));
  if (!(last > certificate.notAfter.getTime() / 1000)) return [];
  return [
    `The new certificate expires on ${isoSeconds(certificate.notAfter)}, sooner than one that the API connector ${nameOf(connector.id, connector)} has now (${isoSeconds(dateFromSeconds(last))}). Is it the right file?`,
  ];
}

/** A warning if the certificate was recognised by its dates alone. */
function warningsAfter(before: Connector, after: Connector, certificate: ClientCertificate): readonly string[] {
  if (entriesOf(after, certificate).some((entry) => digestOf(entry.thumbprint))) return [];
  const shown = entriesAfter(before, after, certificate).map((entry) => entry.thumbprint || 'no thumbprint');
  return [
    `The API connector ${nameOf(after.id, after)} shows the new certificate with another thumbprint (${shown.join(', ')}); it was recognised by its two dates.`,
  ];
}

function changed(
  outcome: Pick<Outcome, 'before' | 'connector'>,
  certificate: ClientCertificate,
  replaced: boolean,
  now: Date,
): string {
  const what = replaced ? 'replaced' : 'uploaded';
  if (isActive(outcome, certificate)) return `${what}; the connector uses this certificate now.`;
  return certificate.notBefore > now
    ? `${what}; the service will use it from ${isoSeconds(certificate.notBefore)}, when it becomes valid.`
    : `${what}, but the service does not use it yet.`;
}
