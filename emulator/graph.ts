/**
 * API connectors in Microsoft Graph: list, get, uploadClientCertificate and update.
 *
 * Documented: paths, bodies, the answers' shape, the permissions, that an upload appends, which certificate is active,
 * that an update overwrites what was there, and that a password reads as ******.
 * Assumed: the codes for a missing connector and for a malformed body; that a second upload of the same file appends
 * again; that an upload moves a connector from basic authentication to certificates. The order of `certificateList` is
 * not promised, so it is shuffled here, the same way in every run.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { acceptPfx, CertificateRefused, type CertificateEntry } from './client-certificate.ts';
import type { Answer, ReceivedRequest, RequestKind, Service } from './service.ts';

export type Authentication =
  | { readonly type: 'basic'; readonly username: string; readonly password: string }
  /** In the order of upload. */
  | { readonly type: 'certificates'; readonly certificates: readonly CertificateEntry[] };

export interface Connector {
  readonly id: string;
  readonly tenantId: string;
  displayName: string;
  targetUrl: string;
  authentication: Authentication;
}

export interface GraphOptions {
  readonly hosts: readonly string[];
  /** The claims of a valid access token for this audience; throws otherwise. */
  readonly verify: (jwt: string, audience: string) => Promise<JWTPayload>;
  readonly now: () => Date;
  readonly pageSize: number;
}

/** Graph's error; a test may force any, and it has ids of its own then. */
export function graphError(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Answer {
  const ids = { 'request-id': randomUUID(), 'client-request-id': randomUUID() };
  return withIds({ status, headers, body: { error: { code, message } } }, ids, new Date());
}

const CONTENT_TYPE =
  'application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8';
const COLLECTION = /^\/v1\.0\/identity\/apiconnectors(?:\/([^/?]+)(\/uploadclientcertificate)?)?\/?(?:\?|$)/i;
const WRITE = 'APIConnectors.ReadWrite.All';
const READ = ['APIConnectors.Read.All', WRITE];

export class Graph implements Service {
  readonly name = 'graph';
  readonly hosts: readonly string[];
  readonly connectors = new Map<string, Connector>();
  readonly #options: GraphOptions;

  constructor(options: GraphOptions) {
    this.#options = options;
    this.hosts = options.hosts;
  }

  kindOf(method: string, path: string): RequestKind {
    const [matched, id, upload] = COLLECTION.exec(path) ?? [];
    if (matched === undefined) return 'other';
    if (upload !== undefined) return method === 'POST' ? 'upload' : 'other';
    if (method === 'GET') return id === undefined ? 'list' : 'get';
    return method === 'PATCH' && id !== undefined ? 'patch' : 'other';
  }

  async answer(request: ReceivedRequest): Promise<Answer> {
    const ids = {
      'request-id': randomUUID(),
      'client-request-id': request.headers['client-request-id'] ?? randomUUID(),
    };
    return withIds(await this.#answer(request), ids, this.#options.now());
  }

  async #answer(request: ReceivedRequest): Promise<Answer> {
    const root = `https://${request.host}`;
    let claims: JWTPayload;
    try {
      claims = await this.#options.verify(
        /^bearer (.+)$/i.exec(request.headers['authorization'] ?? '')?.[1] ?? '',
        root,
      );
    } catch (error) {
      return graphError(401, 'InvalidAuthenticationToken', `Access token validation failure. ${String(error)}`, {
        'www-authenticate': 'Bearer realm=""',
      });
    }
    if (request.kind === 'other') {
      return graphError(400, 'BadRequest', `Resource not found for the segment '${request.path}'.`);
    }
    const roles = claims['roles'] as readonly string[];
    const needed = request.kind === 'get' || request.kind === 'list' ? READ : [WRITE];
    if (!needed.some((role) => roles.includes(role))) {
      return graphError(403, 'Authorization_RequestDenied', 'User Authorization: Access is denied.');
    }

    const own = [...this.connectors.values()].filter(({ tenantId }) => tenantId === claims['tid']);
    if (request.kind === 'list') return this.#list(own, new URL(request.path, root));
    const id = decodeURIComponent(COLLECTION.exec(request.path)?.[1] ?? '').toLowerCase();
    const connector = own.find((candidate) => candidate.id.toLowerCase() === id);
    if (!connector) {
      return graphError(
        404,
        'Request_ResourceNotFound',
        `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
      );
    }
    if (request.kind === 'get') return this.#entity(connector, root);

    const body = jsonBody(request);
    if (!body) return graphError(400, 'BadRequest', 'Unable to read JSON request payload.');
    try {
      return request.kind === 'upload' ? this.#upload(connector, body, root) : this.#update(connector, body);
    } catch (error) {
      if (error instanceof CertificateRefused) return graphError(400, error.code, error.message);
      throw error;
    }
  }

  #list(connectors: readonly Connector[], url: URL): Answer {
    const { pageSize } = this.#options;
    const from = Number(url.searchParams.get('$skiptoken') ?? 0);
    const more = from + pageSize < connectors.length;
    return {
      status: 200,
      body: {
        '@odata.context': `${url.origin}/v1.0/$metadata#identity/apiConnectors`,
        ...(more ? { '@odata.nextLink': `${url.origin}${url.pathname}?$skiptoken=${from + pageSize}` } : {}),
        value: connectors.slice(from, from + pageSize).map((connector) => this.#show(connector)),
      },
    };
  }

  #entity(connector: Connector, root: string): Answer {
    const context = `${root}/v1.0/$metadata#identity/apiConnectors/$entity`;
    return { status: 200, body: { '@odata.context': context, ...this.#show(connector) } };
  }

  #upload(connector: Connector, body: Record<string, unknown>, root: string): Answer {
    const { pkcs12Value, password } = body;
    if (Object.keys(body).length !== 2 || typeof pkcs12Value !== 'string' || typeof password !== 'string') {
      return graphError(
        400,
        'BadRequest',
        'The body must hold pkcs12Value and password, both strings, and nothing else.',
      );
    }
    const entry = acceptPfx(pkcs12Value, password, this.#options.now());
    const { authentication } = connector;
    const before = authentication.type === 'certificates' ? authentication.certificates : [];
    connector.authentication = { type: 'certificates', certificates: [...before, entry] };
    return this.#entity(connector, root);
  }

  #update(connector: Connector, body: Record<string, unknown>): Answer {
    const { displayName, targetUrl, authenticationConfiguration: authentication } = body;
    if (authentication !== undefined) {
      const {
        '@odata.type': type,
        pkcs12Value,
        username,
        password,
      } = (authentication ?? {}) as Record<string, unknown>;
      if (
        type === '#microsoft.graph.pkcs12Certificate' &&
        typeof pkcs12Value === 'string' &&
        typeof password === 'string'
      ) {
        const entry = acceptPfx(pkcs12Value, password, this.#options.now());
        connector.authentication = { type: 'certificates', certificates: [entry] };
      } else if (
        type === '#microsoft.graph.basicAuthentication' &&
        typeof username === 'string' &&
        typeof password === 'string'
      ) {
        connector.authentication = { type: 'basic', username, password };
      } else {
        return graphError(400, 'BadRequest', 'authenticationConfiguration is of no type that can be written.');
      }
    }
    if (typeof displayName === 'string') connector.displayName = displayName;
    if (typeof targetUrl === 'string') connector.targetUrl = targetUrl;
    return { status: 204 };
  }

  #show({ id, displayName, targetUrl, authentication }: Connector): object {
    return {
      id,
      displayName,
      targetUrl,
      authenticationConfiguration:
        authentication.type === 'basic'
          ? {
              '@odata.type': '#microsoft.graph.basicAuthentication',
              username: authentication.username,
              password: '******',
            }
          : {
              '@odata.type': '#microsoft.graph.clientCertificateAuthentication',
              certificateList: shuffled(this.#certificateList(authentication.certificates)),
            },
    };
  }

  /** Active is the one uploaded last among those that are valid now. */
  #certificateList(certificates: readonly CertificateEntry[]): object[] {
    const now = this.#options.now().getTime() / 1000;
    const active = certificates.findLastIndex(({ notBefore, notAfter }) => notBefore <= now && now < notAfter);
    return certificates.map(({ thumbprint, notAfter, notBefore }, index) => ({
      thumbprint,
      notAfter,
      notBefore,
      isActive: index === active,
    }));
  }
}

function jsonBody(request: ReceivedRequest): Record<string, unknown> | undefined {
  if (!/^application\/json(;|$)/i.test(request.headers['content-type'] ?? '')) return undefined;
  try {
    const body: unknown = JSON.parse(request.body);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The answer with the ids of its request in the headers, and in the body where that is an error. */
function withIds({ status, headers, body }: Answer, ids: Record<string, string>, now: Date): Answer {
  const innerError = { date: now.toISOString().slice(0, 19), ...ids };
  const error = typeof body === 'object' && 'error' in body ? (body.error as object) : undefined;
  return {
    status,
    headers: { 'content-type': CONTENT_TYPE, ...headers, ...ids },
    ...(body === undefined ? {} : { body: error ? { error: { ...error, innerError } } : body }),
  };
}

/** The same order for the same number of entries, and seldom the order of upload. */
function shuffled<T>(entries: readonly T[]): T[] {
  const rank = (index: number): string => createHash('sha256').update(`entry ${index}`).digest('hex');
  return entries
    .map((entry, index) => ({ entry, rank: rank(index) }))
    .sort((a, b) => a.rank.localeCompare(b.rank))
    .map(({ entry }) => entry);
}
