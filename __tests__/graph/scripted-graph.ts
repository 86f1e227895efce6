/** Graph behind a script: what it sends, and what it is asked. */
import type { Application } from '../../src/sign-in/application.ts';
import { cloudByName } from '../../src/sign-in/application.ts';
import { Failure } from '../../src/failure.ts';
import { ApiConnectors } from '../../src/graph/api-connectors.ts';
import { GraphClient } from '../../src/graph/client.ts';
import type { CertificateIdentity, Connector } from '../../src/graph/connector.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import { ScriptedHttp, type Answer } from '../scripted-http.ts';

export const APPLICATION: Application = {
  tenantId: 'the-tenant',
  clientId: 'the-client',
  cloud: cloudByName('global'),
  audience: 'api://AzureADTokenExchange',
};
export const ROOT = 'https://graph.microsoft.com/v1.0/identity/apiConnectors';
export const GUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;
export const UPLOAD = { pkcs12Value: 'cGZ4', password: 'pass' };
export const NEW = 'A'.repeat(40);
export const OLD = 'B'.repeat(40);
/** What the certificate {@link NEW} is recognised by. */
export const CERTIFICATE: CertificateIdentity = {
  thumbprint: NEW,
  sha256: 'C'.repeat(64),
  notBefore: new Date(1508670522_000),
  notAfter: new Date(1666350522_000),
};
export const UNTRUSTED = 'self-signed certificate in certificate chain (SELF_SIGNED_CERT_IN_CHAIN)';
export const CANCELLED = new Failure('CANCELLED', 'The job was cancelled.', 'Run the job again.');

/** Graph behind these answers, and what is logged. */
export function online(...answers: Answer[]): { http: ScriptedHttp; connectors: ApiConnectors; log: string[] } {
  const http = new ScriptedHttp(...answers);
  const log: string[] = [];
  const access = { token: 'the-access-token', roles: ['APIConnectors.Read.All'] };
  const permission = 'APIConnectors.ReadWrite.All';
  const client = new GraphClient({ http, application: APPLICATION, access, permission, log: (text) => log.push(text) });
  return { http, log, connectors: new ApiConnectors(client) };
}

/** The job is cancelled while a request is under way. */
export function cancelled(http: ScriptedHttp, sent = true): TransportError {
  http.scripted.end(CANCELLED);
  return new TransportError('aborted', sent);
}

export async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const outcome = await work.catch((error: unknown) => error);
  if (outcome instanceof Failure) return outcome;
  throw new Error('no failure', { cause: outcome });
}

export function methods(http: ScriptedHttp): readonly string[] {
  return http.requests.map(({ method }) => method);
}

export function error(code: string, message: string): object {
  return { error: { code, message } };
}

/** A certificate as Graph sends it. */
export function entry(thumbprint: string): object {
  return { thumbprint, notBefore: 1508670522, notAfter: 1666350522, isActive: true };
}

/** A connector as Graph sends it. */
export function connectorBody(id: string, certificateList: unknown = []): string {
  const authenticationConfiguration = {
    '@odata.type': '#microsoft.graph.clientCertificateAuthentication',
    certificateList,
  };
  return JSON.stringify({ id, displayName: 'Sign-up', targetUrl: 'https://api.example', authenticationConfiguration });
}

/** A connector with these certificates. */
export function connector(id: string, ...thumbprints: string[]): Connector {
  return {
    id,
    displayName: 'Sign-up',
    targetUrl: 'https://api.example',
    authentication: {
      type: 'certificate',
      certificates: thumbprints.map((thumbprint) => ({
        thumbprint,
        notBefore: 1508670522,
        notAfter: 1666350522,
        isActive: true,
      })),
    },
  };
}
