/**
 * The forms in which Graph may show a connector or an error. The defaults are those of its documents' samples.
 *
 * Documented: that a thumbprint, a list, its entries, the configuration, a name and a target may be null; that a number
 * of 64 bits may be a string (IEEE754Compatible=true); odata.metadata none, minimal and full; that the code which says
 * most is the innermost one.
 * As seen in answers of this service or of its siblings: types without `#`, ISO dates, codes nested or inside a message
 * that is JSON, `innererror`, `odata.error`, `correlationId`, a byte order mark.
 * Assumed: every form of a thumbprint but upper-case hex of SHA-1, and types that nobody knows.
 */
import { createHash } from 'node:crypto';
import type { CertificateEntry } from './client-certificate.ts';
import type { Answer } from './service.ts';

export type ThumbprintForm =
  | 'hex'
  | 'lower-hex'
  | 'colons'
  | 'spaces'
  | 'dashes'
  | 'base64'
  | 'sha256'
  | 'sha256-colons'
  | 'sha256-base64'
  | 'null'
  | 'absent';

export type TypeSpelling =
  | 'hash'
  | 'no-hash'
  | 'absent'
  /** A type that no document names, with the properties of the real one. */
  | 'unknown'
  /** The abstract base type, and nothing else. */
  | 'base'
  /** What an update writes, shown again; only a connector with certificates is shown like this. */
  | 'pkcs12-echo'
  /** `authenticationConfiguration` is null, or is not there. */
  | 'null-configuration'
  | 'no-configuration';

export type Metadata = 'none' | 'minimal' | 'full';

export interface Shape {
  readonly thumbprints?: ThumbprintForm;
  readonly types?: TypeSpelling;
  readonly dates?: 'number' | 'string' | 'iso';
  readonly certificateList?: 'list' | 'null' | 'absent' | 'null-entry';
  readonly names?: 'text' | 'null' | 'absent';
  /** Whatever else: changes the connector as it would be shown. */
  readonly rewrite?: (connector: Record<string, unknown>) => unknown;
}

/** What of a connector is shown. */
export interface ShownConnector {
  readonly id: string;
  readonly displayName: string;
  readonly targetUrl: string;
  readonly authentication:
    | { readonly type: 'basic'; readonly username: string }
    | {
        readonly type: 'certificates';
        /** In the order in which they are shown. */
        readonly certificates: readonly (CertificateEntry & { readonly isActive: boolean })[];
      };
}

const NAMESPACE = 'microsoft.graph.';

export function connectorBody(connector: ShownConnector, shape: Shape, metadata: Metadata): unknown {
  const { id, displayName, targetUrl } = connector;
  const names =
    shape.names === 'absent' ? {} : shape.names === 'null' ? NULL_NAMES : ({ displayName, targetUrl } as const);
  const types = metadata === 'none' && (shape.types ?? 'hash') === 'hash' ? 'absent' : shape.types;
  const full = metadata === 'full';
  const body = {
    ...(full
      ? { '@odata.type': `#${NAMESPACE}identityApiConnector`, '@odata.id': `identity/apiConnectors('${id}')` }
      : {}),
    id,
    ...names,
    ...configuration(connector.authentication, { ...shape, ...(types === undefined ? {} : { types }) }, full),
  };
  return shape.rewrite ? shape.rewrite(body) : body;
}

const NULL_NAMES = { displayName: null, targetUrl: null };

function configuration(authentication: ShownConnector['authentication'], shape: Shape, full: boolean): object {
  const spelling = shape.types ?? 'hash';
  if (spelling === 'no-configuration') return {};
  if (spelling === 'null-configuration') return { authenticationConfiguration: null };
  const typed = (name: string, properties: object): object => ({
    authenticationConfiguration: { ...typeProperty(name, spelling), ...properties },
  });
  if (spelling === 'base') return typed('apiAuthenticationConfigurationBase', {});
  if (authentication.type === 'basic') {
    return typed('basicAuthentication', { username: authentication.username, password: '******' });
  }
  if (spelling === 'pkcs12-echo') return typed('pkcs12Certificate', { pkcs12Value: null, password: '******' });
  return typed('clientCertificateAuthentication', certificateList(authentication.certificates, shape, full));
}

function typeProperty(name: string, spelling: TypeSpelling): object {
  if (spelling === 'absent') return {};
  if (spelling === 'no-hash') return { '@odata.type': `${NAMESPACE}${name}` };
  return { '@odata.type': `#${NAMESPACE}${spelling === 'unknown' ? 'authenticationOfTheFuture' : name}` };
}

function certificateList(
  certificates: readonly (CertificateEntry & { readonly isActive: boolean })[],
  shape: Shape,
  full: boolean,
): object {
  if (shape.certificateList === 'absent') return {};
  if (shape.certificateList === 'null') return { certificateList: null };
  const date = (seconds: number): unknown => {
    if (shape.dates === 'iso') return new Date(seconds * 1000).toISOString().replace('.000', '');
    return shape.dates === 'string' ? String(seconds) : seconds;
  };
  const entries = certificates.map((entry) => ({
    ...(full ? { '@odata.type': `#${NAMESPACE}pkcs12CertificateInformation` } : {}),
    ...thumbprintProperty(entry, shape.thumbprints ?? 'hex'),
    ...(full ? { 'notAfter@odata.type': '#Int64' } : {}),
    notAfter: date(entry.notAfter),
    ...(full ? { 'notBefore@odata.type': '#Int64' } : {}),
    notBefore: date(entry.notBefore),
    isActive: entry.isActive,
  }));
  return { certificateList: shape.certificateList === 'null-entry' ? [null, ...entries] : entries };
}

function thumbprintProperty(entry: CertificateEntry, form: ThumbprintForm): object {
  return form === 'absent' ? {} : { thumbprint: form === 'null' ? null : thumbprintIn(form, entry) };
}

/** The certificate's thumbprint in this form. */
export function thumbprintIn(form: Exclude<ThumbprintForm, 'null' | 'absent'>, entry: CertificateEntry): string {
  const sha1 = entry.thumbprint;
  // An entry that a test put there comes from no certificate: it gets a SHA-256 of its own.
  const sha256 = entry.sha256 ?? createHash('sha256').update(sha1).digest('hex').toUpperCase();
  const separated = (hex: string, separator: string): string => hex.replace(/..(?=.)/g, `$&${separator}`);
  const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
  switch (form) {
    case 'hex':
      return sha1;
    case 'lower-hex':
      return sha1.toLowerCase();
    case 'colons':
      return separated(sha1.toLowerCase(), ':');
    case 'spaces':
      return separated(sha1, ' ');
    case 'dashes':
      return separated(sha1, '-');
    case 'base64':
      return base64(sha1);
    case 'sha256':
      return sha256;
    case 'sha256-colons':
      return separated(sha256, ':');
    case 'sha256-base64':
      return base64(sha256);
  }
}

export type ErrorShape =
  | 'plain'
  /** `BadRequest` outside, the code in `innerError.code`. */
  | 'inner-code'
  /** The code in the innermost of four `innerError`. */
  | 'inner-code-deep'
  /** `UnknownError`, and a message that is the JSON of the backend. */
  | 'message-json'
  | 'message-object'
  | 'odata.error'
  | 'lower-innererror'
  | 'correlation-id'
  | 'byte-order-mark'
  | 'empty-message'
  /** `error` is the code itself, as OAuth has it. */
  | 'error-string';

interface GraphErrorBody {
  readonly code: string;
  readonly message: string;
  readonly innerError: Readonly<Record<string, unknown>>;
}

/** Graph's error in this shape; any other answer as it is. */
export function errorIn(shape: ErrorShape, answer: Answer): Answer {
  if (typeof answer.body !== 'object' || !('error' in answer.body)) return answer;
  const error = answer.body.error as GraphErrorBody;
  const text = (body: object): Answer => ({ ...answer, body: `\ufeff${JSON.stringify(body)}` });
  return shape === 'byte-order-mark' ? text({ error }) : { ...answer, body: errorBody(shape, error) };
}

function errorBody(shape: Exclude<ErrorShape, 'byte-order-mark'>, error: GraphErrorBody): object {
  const { code, message, innerError } = error;
  switch (shape) {
    case 'plain':
      return { error };
    case 'inner-code':
      return { error: { code: 'BadRequest', message: 'Bad request.', innerError: { code, message, ...innerError } } };
    case 'inner-code-deep': {
      const deep = { code: 'ServiceException', innerError: { innerError: { code, message } } };
      return {
        error: { code: 'BadRequest', message: 'Bad request.', innerError: { ...innerError, innerError: deep } },
      };
    }
    case 'message-json':
      return { error: { code: 'UnknownError', message: JSON.stringify({ error: { code, message } }), innerError } };
    case 'message-object':
      return { error: { code, message: { lang: 'en', value: message }, innerError } };
    case 'odata.error':
      return { 'odata.error': { code, message: { lang: 'en', value: message } } };
    case 'lower-innererror':
      return { error: { code, message, innererror: innerError } };
    case 'correlation-id':
      return {
        error: { code, message, innerError: { correlationId: '0f134264-ec3d-4384-b564-5776d76e7b81', ...innerError } },
      };
    case 'empty-message':
      return { error: { code, message: '', innerError } };
    case 'error-string':
      return { error: code, error_description: message };
  }
}

/** The page of a web filter or of a gateway between the job and the service, with any status. */
export function filterPage(
  status: number,
  text = 'Access to this site was blocked by the web filter of your organisation.',
): Answer {
  return {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    body: `<!DOCTYPE html><html><head><title>${status}</title></head><body><h1>${text}</h1></body></html>`,
  };
}
