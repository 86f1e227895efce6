/** What one API connector needs, and doing it. */
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import type { CertificateUpload } from '../certificate/upload.ts';
import { asFailure, Failure } from '../failure.ts';
import type { ApiConnectors } from '../graph/api-connectors.ts';
import { certificatesOf, type Connector } from '../graph/connector.ts';
import { clean } from '../text/clean.ts';
import { dateFromSeconds, isoSeconds } from '../text/dates.ts';
import { beforeChange, type Outcome } from './outcome.ts';

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

/** Brings one connector to the certificate; a failure is part of the outcome, so that it does not stop the others. */
export async function updateConnector(
  connectors: ApiConnectors,
  id: string,
  upload: CertificateUpload,
  options: UpdateOptions,
): Promise<Outcome> {
  const { certificate } = upload;
  const warnings: string[] = [];
  let before: Connector | undefined;
  let changing = false;
  try {
    before = await connectors.get(id);
    const seen = { id, before, connector: before };
    const unchanged = reasonToLeave(before, options, certificate.thumbprint);
    if (unchanged) return { ...seen, result: 'unchanged', ...unchanged };
    warnings.push(...endsSooner(before, certificate));
    const warning = await options.verifyTarget?.(before.targetUrl);
    if (warning !== undefined) warnings.push(warning);
    if (options.dryRun) {
      const text = `dry run: the certificate would be ${options.replace ? 'made the only one' : 'uploaded'}.`;
      return { ...seen, warnings, result: 'would-change', text };
    }
    changing = true;
    const connector = options.replace
      ? await connectors.replaceAuthentication(before, upload, certificate.thumbprint)
      : await connectors.uploadClientCertificate(before, upload, certificate.thumbprint);
    const text = changed(connector, certificate, options.replace, new Date());
    return { ...seen, connector, warnings, result: 'changed', text };
  } catch (error) {
    const failure = asFailure(changing ? error : beforeChange(error));
    return { id, before, connector: before, warnings, result: 'failed', failure };
  }
}

/** Why this connector needs no change, or undefined if it does. */
function reasonToLeave(
  connector: Connector,
  { force, replace }: UpdateOptions,
  thumbprint: string,
): { readonly text: string; readonly warnings: readonly string[] } | undefined {
  if (connector.authentication.type === 'basic' && !replace) throw usesBasicAuthentication(connector);
  const certificates = certificatesOf(connector);
  const entries = certificates.filter((entry) => entry.thumbprint === thumbprint);
  if (force || entries.length === 0) return undefined;
  if (replace && certificates.length > entries.length) return undefined;
  if (entries.some((entry) => entry.isActive)) {
    return { text: 'already uses this certificate; nothing to do.', warnings: [] };
  }
  const text =
    'has this certificate already, but does not use it: another one was uploaded later, or its time has not come. Set force: true to upload it again.';
  return { text, warnings: [`The API connector ${clean(connector.displayName)} ${text}`] };
}

function usesBasicAuthentication(connector: Connector): Failure {
  return new Failure(
    'CONNECTOR_USES_BASIC_AUTHENTICATION',
    `The API connector ${clean(connector.displayName)} (${clean(connector.id, 64)}) authenticates with a user name and password, not with a certificate. Nothing was changed.`,
    'To switch it to this certificate, set replace: true. The API has to take the certificate before that: verify-target: true asks it.',
  );
}

/** A warning if the new certificate expires before one that the connector has. */
function endsSooner(connector: Connector, certificate: ClientCertificate): readonly string[] {
  const others = certificatesOf(connector).filter((entry) => entry.thumbprint !== certificate.thumbprint);
  const last = Math.max(...others.map((entry) => entry.notAfter));
  if (!(last > certificate.notAfter.getTime() / 1000)) return [];
  return [
    `The new certificate ends on ${isoSeconds(certificate.notAfter)}, sooner than one that the API connector ${clean(connector.displayName)} has now (${isoSeconds(dateFromSeconds(last))}). Is it the right file?`,
  ];
}

function changed(connector: Connector, certificate: ClientCertificate, replaced: boolean, now: Date): string {
  const what = replaced ? 'replaced' : 'uploaded';
  const entries = certificatesOf(connector).filter((entry) => entry.thumbprint === certificate.thumbprint);
  if (entries.some((entry) => entry.isActive)) return `${what}; the connector uses this certificate now.`;
  return certificate.notBefore > now
    ? `${what}; the service will use it from ${isoSeconds(certificate.notBefore)}, when it becomes valid.`
    : `${what}, but the service does not use it yet.`;
}
