/** What one API connector needs, and doing it. */
import { clean } from '../text/clean.ts';
import { Failure } from '../failure.ts';
import type { Connector } from '../graph/api-connectors.ts';
import type { Http } from '../http/client.ts';
import type { Inputs } from '../inputs.ts';
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import { asFailure, isoSeconds, type Outcome } from '../report/outputs.ts';
import { beforeUpload, type Session } from '../sign-in/sign-in.ts';
import { tlsIdentity, verifyTarget } from './verify-target.ts';

/** The certificate as it goes to the service. */
export interface Upload {
  readonly certificate: ClientCertificate;
  /** The .pfx in base64. */
  readonly pkcs12Value: string;
}

/** The two ways to ask a target: with the new certificate and without. Opened when the first is asked. */
export class TargetCheck {
  readonly #session: Session;
  readonly #certificate: ClientCertificate;
  #https: { readonly presenting: Http; readonly anonymous: Http } | undefined;

  constructor(session: Session, certificate: ClientCertificate) {
    this.#session = session;
    this.#certificate = certificate;
  }

  async verify(targetUrl: string): Promise<string | undefined> {
    this.#https ??= {
      presenting: this.#session.openHttp(tlsIdentity(this.#certificate)),
      anonymous: this.#session.openHttp(),
    };
    return await verifyTarget(this.#https.presenting, this.#https.anonymous, targetUrl);
  }
}

/** Brings one connector to the certificate; a failure is part of the outcome, so that it does not stop the others. */
export async function updateConnector(
  session: Session,
  id: string,
  inputs: Inputs,
  upload: Upload,
  target: TargetCheck,
): Promise<Outcome> {
  const { certificate, pkcs12Value } = upload;
  const { thumbprint } = certificate;
  const warnings: string[] = [];
  let before: Connector | undefined;
  let changing = false;
  const outcome = (rest: Pick<Outcome, 'result' | 'text'> & Partial<Outcome>): Outcome => ({
    id,
    before,
    connector: before,
    warnings,
    ...rest,
  });
  try {
    before = await session.graph.getConnector(id);
    const unchanged = reasonToLeave(before, inputs, thumbprint);
    if (unchanged) return outcome(unchanged);
    const sooner = endsSooner(before, certificate);
    if (sooner !== undefined) warnings.push(sooner);
    if (inputs.verifyTarget) {
      const warning = await target.verify(before.targetUrl);
      if (warning !== undefined) warnings.push(warning);
    }
    if (inputs.dryRun) {
      return outcome({
        result: 'would-change',
        text: `dry run: the certificate would be ${inputs.replace ? 'made the only one' : 'uploaded'}.`,
      });
    }
    changing = true;
    const body = { pkcs12Value, password: inputs.password };
    const connector = inputs.replace
      ? await session.graph.replaceAuthentication(before, body, thumbprint)
      : await session.graph.uploadClientCertificate(before, body, thumbprint);
    return outcome({ result: 'changed', connector, text: changed(connector, certificate, inputs.replace, new Date()) });
  } catch (error) {
    return outcome({ result: 'failed', text: '', failure: asFailure(changing ? error : beforeUpload(error)) });
  }
}

/** Why this connector needs no change, or undefined where it does. */
function reasonToLeave(
  connector: Connector,
  inputs: Inputs,
  thumbprint: string,
): Pick<Outcome, 'result' | 'text' | 'warnings'> | undefined {
  if (connector.authentication === 'basic' && !inputs.replace) {
    throw new Failure(
      'CONNECTOR_USES_BASIC_AUTHENTICATION',
      `The API connector ${clean(connector.displayName)} (${clean(connector.id, 64)}) authenticates with a user name and password, not with a certificate. Nothing was changed.`,
      'To switch it to this certificate, set replace: true. The API has to take the certificate before that: verify-target: true asks it.',
    );
  }
  const entries = connector.certificates.filter((entry) => entry.thumbprint === thumbprint);
  if (inputs.force || entries.length === 0) return undefined;
  if (inputs.replace && connector.certificates.length > entries.length) return undefined;
  if (entries.some((entry) => entry.isActive)) {
    return { result: 'unchanged', text: 'already uses this certificate; nothing to do.', warnings: [] };
  }
  const text =
    'has this certificate already, but does not use it: another one was uploaded later, or its time has not come. Set force: true to upload it again.';
  return { result: 'unchanged', text, warnings: [`The API connector ${clean(connector.displayName)} ${text}`] };
}

/** A warning where the new certificate ends before one that the connector has. */
function endsSooner(connector: Connector, certificate: ClientCertificate): string | undefined {
  const others = connector.certificates.filter((entry) => entry.thumbprint !== certificate.thumbprint);
  const last = Math.max(...others.map((entry) => entry.notAfter));
  if (!(last > certificate.notAfter.getTime() / 1000)) return undefined;
  return `The new certificate ends on ${isoSeconds(certificate.notAfter)}, sooner than one that the API connector ${clean(connector.displayName)} has now (${isoSeconds(new Date(last * 1000))}). Is it the right file?`;
}

function changed(connector: Connector, certificate: ClientCertificate, replaced: boolean, now: Date): string {
  const what = replaced ? 'replaced' : 'uploaded';
  if (connector.certificates.some((entry) => entry.thumbprint === certificate.thumbprint && entry.isActive)) {
    return `${what}; the connector uses this certificate now.`;
  }
  return certificate.notBefore > now
    ? `${what}; the service will use it from ${isoSeconds(certificate.notBefore)}, when it becomes valid.`
    : `${what}, but the service does not use it yet.`;
}
