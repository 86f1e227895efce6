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
  twinsOf,
  type Connector,
  type ConnectorCertificate,
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
    const after = { ...seen, connector };
    warnings.push(...byDatesAlone(before, connector, certificate));
    if (!activeCertificate(connector)) {
      const failure = noneActive(
        connector,
        'has the new certificate now, but does not use it',
        certificate,
        new Date(),
      );
      return { ...after, warnings, result: 'failed', failure, uploaded: true };
    }
    warnings.push(...notUsed(after, certificate, new Date()));
    const text = changed(after, certificate, options.replace, now);
    return { ...after, warnings, result: 'changed', text };
  } catch (error) {
    const failure = asFailure(changing ? error : beforeChange(error));
    return { ...seen, warnings, result: 'failed', failure };
  }
}

/**
 * Why this connector needs no change, or undefined if it does.
 * @throws Failure NO_ACTIVE_CERTIFICATE if it has the certificate, and neither this nor another one is active
 */
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
    return { text: 'already uses this certificate; nothing to do.', warnings: takenByDates(connector, entries) };
  }
  const has = 'has this certificate already, but does not use it';
  if (!activeCertificate(connector)) throw noneActive(connector, has, certificate, now);
  const text =
    certificate.notBefore > now
      ? `has this certificate already; the service uses it from ${isoSeconds(certificate.notBefore)}, when it becomes valid.`
      : `${has}: another one was uploaded later. If this one is to be used, set force: true to upload it again.`;
  const warning = `The API connector ${nameOf(connector.id, connector)} ${text}`;
  return { text, warnings: [warning, ...takenByDates(connector, entries)] };
}

/** A warning if no thumbprint shows that these are the certificate: another one may have the same dates. */
function takenByDates(connector: Connector, entries: readonly ConnectorCertificate[]): readonly string[] {
  if (entries.some((entry) => digestOf(entry.thumbprint))) return [];
  return [
    `The API connector ${nameOf(connector.id, connector)} shows no thumbprint that can be read for the certificate that it has: it was taken for this one by its two dates. If it is another one, set force: true to upload this one.`,
  ];
}

/** The connector has the certificate, and no active one. `what` follows its name. */
function noneActive(connector: Connector, what: string, certificate: ClientCertificate, now: Date): Failure {
  const starts = isoSeconds(certificate.notBefore);
  const message = `The API connector ${name(connector)} ${what}, and no other one is active.`;
  return certificate.notBefore > now
    ? new Failure(
        'NO_ACTIVE_CERTIFICATE',
        `${message} It becomes valid on ${starts}.`,
        'Upload a certificate that is valid now.',
      )
    : new Failure(
        'NO_ACTIVE_CERTIFICATE',
        `${message} It is valid from ${starts}, and this runner's clock shows ${isoSeconds(now)}.`,
        'If that clock is ahead, set it right: the service uses the certificate once it is valid by its own clock, and the check step then shows it as active. Otherwise set force: true to upload it again.',
      );
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
  return [
    ...startsLater(connector, certificate, now),
    ...expiresSooner(connector, certificate),
    ...hasTwins(connector, certificate),
  ];
}

/** A warning if the connector may have the certificate already, under a thumbprint that nobody knows. */
function hasTwins(connector: Connector, certificate: ClientCertificate): readonly string[] {
  const twins = twinsOf(connector, certificate);
  // One with the thumbprint itself shows that the service gives thumbprints that are known.
  if (twins.length === 0 || entriesOf(connector, certificate).length > 0) return [];
  const shown = twins.slice(0, 3).map(({ thumbprint }) => thumbprint);
  const more = twins.length > shown.length ? ` and ${twins.length - shown.length} more` : '';
  return [
    `The API connector ${nameOf(connector.id, connector)} has a certificate with the same two dates and another thumbprint (${shown.join(', ')}${more}). If that is this one, uploaded before, the service shows a thumbprint that nobody knows, and each run uploads it again.`,
  ];
}

/** A warning if the new certificate is not valid yet, with the gap if the old one expires before that. */
function startsLater(connector: Connector, certificate: ClientCertificate, now: Date): readonly string[] {
  const active = activeCertificate(connector);
  if (certificate.notBefore <= now || !active) return [];
  const [starts, expires] = [certificate.notBefore, dateFromSeconds(active.notAfter)];
  const gap = gapBefore(connector, active, certificate);
  return [
    `The API connector ${nameOf(connector.id, connector)} uses the new certificate from ${isoSeconds(starts)} only, when that becomes valid; the one that it uses now expires on ${isoSeconds(expires)}.${gap}`,
  ];
}

/** When the connector has no valid certificate until the new one becomes valid, in a sentence; '' if there is no such time. */
function gapBefore(connector: Connector, active: ConnectorCertificate, { notBefore }: ClientCertificate): string {
  const others = certificatesOf(connector).toSorted((a, b) => a.notBefore - b.notBefore);
  // When one expires, the service uses another one that is valid then.
  let until = active.notAfter;
  for (const other of others) if (other.notBefore <= until && other.notAfter > until) until = other.notAfter;
  const starts = [notBefore.getTime() / 1000, ...others.map((other) => other.notBefore)].filter((at) => at > until);
  if (until >= notBefore.getTime() / 1000 || starts.length === 0) return '';
  const [from, to] = [until, Math.min(...starts)].map((at) => isoSeconds(dateFromSeconds(at)));
  return ` From ${from} to ${to} it has no valid certificate, and sign-ups fail.`;
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

/** A warning if the certificate is valid, and the service goes on with another one. */
function notUsed(
  after: Pick<Outcome, 'before' | 'connector'> & { readonly connector: Connector },
  certificate: ClientCertificate,
  now: Date,
): readonly string[] {
  if (certificate.notBefore > now || isActive(after, certificate)) return [];
  return [
    `The API connector ${nameOf(after.connector.id, after.connector)} does not use the new certificate yet. It is valid from ${isoSeconds(certificate.notBefore)}, and this runner's clock shows ${isoSeconds(now)}: if that clock is ahead, the service uses the certificate once it is valid by its own clock.`,
  ];
}

/** A warning if the certificate was recognised by its dates alone. */
function byDatesAlone(before: Connector, after: Connector, certificate: ClientCertificate): readonly string[] {
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
