/**
 * API connectors in Microsoft Graph: list, get, create, update, delete and uploadClientCertificate.
 *
 * Documented: paths, bodies, the answers' shape, that an upload appends, which certificate is active, that an update
 * overwrites what was there, and that a password reads as ******. That a read may show less than was written is
 * documented for all of Graph, with no figure.
 * Assumed: the codes for a missing connector and for a malformed body; that a second upload of the same file appends
 * again; that an upload moves a connector from basic authentication to certificates; the answers in
 * {@link ConnectorBehaviour}. The order of `certificateList` is not promised, so it is shuffled here, the same way in
 * every run. `$select` and `$top` are not documented for connectors; both are served as elsewhere in Graph, and that a
 * page size or a token that cannot be is refused is assumed.
 */
import { createHash, randomUUID } from 'node:crypto';
import { acceptPfx, CertificateRefused, type CertificateEntry } from './client-certificate.ts';
import { graphError } from './graph-error.ts';
import type { Answer, ReceivedRequest, RequestKind } from './service.ts';
import { connectorBody, type Metadata, type Shape } from './shapes.ts';

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
  /** How this connector differs from what the service does for all. */
  behaviour?: ConnectorBehaviour;
}

/** What the documents leave open. Nothing set: reads show writes at once, and answers show what they did. */
export interface ConnectorBehaviour extends Shape {
  /** For this many milliseconds after a write, by the services' clock, a get and a list show what was there before. */
  readonly lagMs?: number;
  /** Only every Nth read of a connector lags, the first one included: replicas that answer in turn. 1 unless given. */
  readonly lagEvery?: number;
  /** The connector in the answer to an upload: `old` as it was before, `other` with another certificate in place of the new one. */
  readonly uploadAnswer?: 'new' | 'old' | 'other';
  /** The certificate that is kept: the service may find another leaf in a file than the job did. */
  readonly stores?: 'sent' | 'another' | 'another-with-the-same-dates';
  /** The answer to an update: 204, or 200 with the connector, with the connector as it was, or without a body. */
  readonly updateAnswer?: 'no-content' | 'new' | 'old' | 'empty';
}

export interface ListBehaviour {
  /** How a page is followed: `slash` is `…/apiConnectors/?$skiptoken=…`. */
  readonly nextLink?: 'plain' | 'slash';
  /** Each page has a next one; those after the last connector are empty. */
  readonly endless?: boolean;
  /** This many more characters in each connector, so that a page has the size that a test wants. */
  readonly padding?: number;
}

type State = Pick<Connector, 'displayName' | 'targetUrl' | 'authentication'>;

/** Before a write at this time; undefined if the connector was not there yet. */
interface Past {
  readonly until: number;
  readonly state: State | undefined;
}

export interface ConnectorsOptions {
  readonly now: () => Date;
  readonly pageSize: number;
}

/** Two slashes after the version: so does Microsoft's SDK for Python ask, and Graph answers it. */
const COLLECTION = /^\/(?:v1\.0|beta)\/+identity\/apiconnectors(?:\/([^/?]+)(\/uploadclientcertificate)?)?\/?(?:\?|$)/i;

/** The kind of a request to the connectors, undefined for another path. */
export function connectorRequestKind(method: string, path: string): RequestKind | undefined {
  const [matched, id, upload] = COLLECTION.exec(path) ?? [];
  if (matched === undefined) return undefined;
  if (upload !== undefined) return method === 'POST' ? 'upload' : 'other';
  if (method === 'GET') return id === undefined ? 'list' : 'get';
  if (method === 'POST') return id === undefined ? 'create' : 'other';
  if (id === undefined) return 'other';
  return method === 'PATCH' ? 'patch' : method === 'DELETE' ? 'delete' : 'other';
}

export class ApiConnectors {
  readonly connectors = new Map<string, Connector>();
  behaviour: ConnectorBehaviour = {};
  list: ListBehaviour = {};
  readonly #options: ConnectorsOptions;
  readonly #past = new WeakMap<Connector, Past[]>();
  readonly #deleted = new Set<Connector>();
  readonly #reads = new WeakMap<Connector, number>();

  constructor(options: ConnectorsOptions) {
    this.#options = options;
  }

  answer(request: ReceivedRequest, tenantId: string): Answer {
    const url = new URL(request.path, `https://${request.host}`);
    const metadata = metadataOf(request);
    if (request.kind === 'list') return this.#listPage(tenantId, url, metadata);
    if (request.kind === 'create')
      return this.#changing(request, (body) => this.#create(body, tenantId, url, metadata));
    const id = decodeURIComponent(COLLECTION.exec(request.path)?.[1] ?? '').toLowerCase();
    const connector = this.#ofTenant(tenantId).find((candidate) => candidate.id.toLowerCase() === id);
    if (request.kind === 'get') {
      const body = connector && this.#read(connector, metadata);
      return body === undefined ? notFound(id) : entity(selected(body, url), url, metadata);
    }
    if (!connector || this.#deleted.has(connector)) return notFound(id);
    if (request.kind === 'delete') {
      this.#remember(connector);
      this.#deleted.add(connector);
      this.connectors.delete(connector.id);
      return { status: 204 };
    }
    return this.#changing(request, (body) =>
      request.kind === 'upload'
        ? this.#upload(connector, body, url, metadata)
        : this.#update(connector, body, url, metadata),
    );
  }

  #changing(request: ReceivedRequest, change: (body: Record<string, unknown>) => Answer): Answer {
    const body = jsonBody(request);
    if (!body) return graphError(400, 'BadRequest', 'Unable to read JSON request payload.');
    try {
      return change(body);
    } catch (error) {
      if (error instanceof CertificateRefused) return graphError(400, error.code, error.message);
      throw error;
    }
  }

  #ofTenant(tenantId: string): Connector[] {
    return [...this.connectors.values(), ...this.#deleted].filter((connector) => connector.tenantId === tenantId);
  }

  #listPage(tenantId: string, url: URL, metadata: Metadata): Answer {
    const { endless = false, nextLink = 'plain', padding = 0 } = this.list;
    const top = url.searchParams.get('$top');
    if (top !== null && !/^[1-9]\d{0,2}$/.test(top)) {
      return graphError(
        400,
        'BadRequest',
        `Invalid page size specified: '${top}'. Must be between 1 and 999 inclusive.`,
      );
    }
    const token = url.searchParams.get('$skiptoken') ?? '0';
    if (!/^\d{1,9}$/.test(token)) return graphError(400, 'BadRequest', 'The skip token is invalid.');
    const size = top === null ? this.#options.pageSize : Number(top);
    const shown = this.#ofTenant(tenantId)
      .map((connector) => this.#read(connector, metadata))
      .filter((body) => body !== undefined)
      .map((body) => selected(body, url))
      .map((body) => (padding === 0 ? body : { ...(body as object), '@odata.etag': 'x'.repeat(padding) }));
    const from = Number(token);
    const next = new URLSearchParams(url.searchParams);
    next.set('$skiptoken', String(from + size));
    const path = url.pathname.replace(/\/?$/, nextLink === 'slash' ? '/' : '');
    const link = `${url.origin}${path}?${String(next).replaceAll('%24', '$')}`;
    return {
      status: 200,
      body: {
        ...contextOf(url, metadata, '#identity/apiConnectors'),
        ...(endless || from + size < shown.length ? { '@odata.nextLink': link } : {}),
        value: shown.slice(from, from + size),
      },
    };
  }

  #create(body: Record<string, unknown>, tenantId: string, url: URL, metadata: Metadata): Answer {
    const { displayName, targetUrl } = body;
    if (typeof displayName !== 'string' || typeof targetUrl !== 'string') {
      return graphError(400, 'BadRequest', 'displayName and targetUrl are required.');
    }
    const authentication = this.#authenticationIn(body['authenticationConfiguration'], {});
    if (!authentication) return unwritable();
    const connector: Connector = { id: randomUUID(), tenantId, displayName, targetUrl, authentication };
    this.#past.set(connector, [{ until: this.#milliseconds(), state: undefined }]);
    this.connectors.set(connector.id, connector);
    return { ...entity(this.#show(connector, connector, metadata), url, metadata), status: 201 };
  }

  #upload(connector: Connector, body: Record<string, unknown>, url: URL, metadata: Metadata): Answer {
    const { pkcs12Value, password } = body;
    if (Object.keys(body).length !== 2 || typeof pkcs12Value !== 'string' || typeof password !== 'string') {
      return graphError(
        400,
        'BadRequest',
        'The body must hold pkcs12Value and password, both strings, and nothing else.',
      );
    }
    const behaviour = this.#behaviourOf(connector);
    const entry = stored(acceptPfx(pkcs12Value, password, this.#options.now()), behaviour);
    const before = this.#remember(connector);
    const kept = before.authentication.type === 'certificates' ? before.authentication.certificates : [];
    connector.authentication = { type: 'certificates', certificates: [...kept, entry] };
    const shown: Readonly<Record<'new' | 'old' | 'other', State>> = {
      new: connector,
      old: before,
      other: { ...before, authentication: { type: 'certificates', certificates: [...kept, another(entry)] } },
    };
    return entity(this.#show(connector, shown[behaviour.uploadAnswer ?? 'new'], metadata), url, metadata);
  }

  #update(connector: Connector, body: Record<string, unknown>, url: URL, metadata: Metadata): Answer {
    const { displayName, targetUrl, authenticationConfiguration } = body;
    const behaviour = this.#behaviourOf(connector);
    const authentication =
      authenticationConfiguration === undefined
        ? connector.authentication
        : this.#authenticationIn(authenticationConfiguration, behaviour);
    if (!authentication) return unwritable();
    const before = this.#remember(connector);
    connector.authentication = authentication;
    if (typeof displayName === 'string') connector.displayName = displayName;
    if (typeof targetUrl === 'string') connector.targetUrl = targetUrl;
    switch (behaviour.updateAnswer ?? 'no-content') {
      case 'no-content':
        return { status: 204 };
      case 'empty':
        return { status: 200 };
      case 'new':
        return entity(this.#show(connector, connector, metadata), url, metadata);
      case 'old':
        return entity(this.#show(connector, before, metadata), url, metadata);
    }
  }

  /** What a create or an update sets; undefined if it is of no type that can be written. */
  #authenticationIn(value: unknown, behaviour: ConnectorBehaviour): Authentication | undefined {
    const configuration = (value ?? {}) as Record<string, unknown>;
    const { pkcs12Value, username, password } = configuration;
    // Graph's own Update page writes the type without `#`.
    const type = String(configuration['@odata.type']).replace(/^#/, '');
    if (typeof password !== 'string') return undefined;
    if (type === 'microsoft.graph.pkcs12Certificate' && typeof pkcs12Value === 'string') {
      const entry = stored(acceptPfx(pkcs12Value, password, this.#options.now()), behaviour);
      return { type: 'certificates', certificates: [entry] };
    }
    return type === 'microsoft.graph.basicAuthentication' && typeof username === 'string'
      ? { type: 'basic', username, password }
      : undefined;
  }

  /** Keeps the connector's present state for reads that lag, and gives it. */
  #remember(connector: Connector): State {
    const { displayName, targetUrl, authentication } = connector;
    const state = { displayName, targetUrl, authentication };
    const past = this.#past.get(connector) ?? [];
    past.push({ until: this.#milliseconds(), state });
    this.#past.set(connector, past);
    return state;
  }

  /** What a read shows of the connector; undefined if it does not see it. */
  #read(connector: Connector, metadata: Metadata): unknown {
    const { lagMs = 0, lagEvery = 1 } = this.#behaviourOf(connector);
    const reads = this.#reads.get(connector) ?? 0;
    this.#reads.set(connector, reads + 1);
    const seenAt = this.#milliseconds() - (reads % lagEvery === 0 ? lagMs : 0);
    const past = this.#past.get(connector)?.find(({ until }) => until > seenAt);
    const state = past ? past.state : this.#deleted.has(connector) ? undefined : connector;
    return state && this.#show(connector, state, metadata);
  }

  #show({ id, behaviour }: Connector, { displayName, targetUrl, authentication }: State, metadata: Metadata): unknown {
    const shown =
      authentication.type === 'basic'
        ? authentication
        : ({ type: 'certificates', certificates: shuffled(this.#withActive(authentication.certificates)) } as const);
    const shape = { ...this.behaviour, ...behaviour };
    return connectorBody({ id, displayName, targetUrl, authentication: shown }, shape, metadata);
  }

  /** Active is the one uploaded last among those that are valid now. */
  #withActive(certificates: readonly CertificateEntry[]): (CertificateEntry & { isActive: boolean })[] {
    const now = this.#milliseconds() / 1000;
    const active = certificates.findLastIndex(({ notBefore, notAfter }) => notBefore <= now && now < notAfter);
    return certificates.map((entry, index) => ({ ...entry, isActive: index === active }));
  }

  #behaviourOf(connector: Connector): ConnectorBehaviour {
    return { ...this.behaviour, ...connector.behaviour };
  }

  #milliseconds(): number {
    return this.#options.now().getTime();
  }
}

function stored(entry: CertificateEntry, { stores = 'sent' }: ConnectorBehaviour): CertificateEntry {
  if (stores === 'sent') return entry;
  const { notBefore, notAfter } = entry;
  const day = 24 * 60 * 60;
  return stores === 'another'
    ? { ...another(entry), notBefore: notBefore - day, notAfter: notAfter + day }
    : another(entry);
}

/** A certificate with the same dates that is another one. */
function another({ thumbprint, notBefore, notAfter }: CertificateEntry): CertificateEntry {
  return {
    thumbprint: createHash('sha1').update(`another than ${thumbprint}`).digest('hex').toUpperCase(),
    notBefore,
    notAfter,
  };
}

/** OData: `Accept: application/json;odata.metadata=none`. */
function metadataOf(request: ReceivedRequest): Metadata {
  return (/odata\.metadata=(none|minimal|full)/i.exec(request.headers['accept'] ?? '')?.[1]?.toLowerCase() ??
    'minimal') as Metadata;
}

function selected(body: unknown, url: URL): unknown {
  const names = url.searchParams.get('$select')?.split(',');
  if (!names || typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(Object.entries(body).filter(([name]) => name.startsWith('@') || names.includes(name)));
}

function contextOf(url: URL, metadata: Metadata, fragment: string): object {
  const version = url.pathname.split('/')[1] ?? '';
  return metadata === 'none' ? {} : { '@odata.context': `${url.origin}/${version}/$metadata${fragment}` };
}

function entity(body: unknown, url: URL, metadata: Metadata): Answer {
  if (typeof body !== 'object' || body === null) return { status: 200, body: JSON.stringify(body) };
  return { status: 200, body: { ...contextOf(url, metadata, '#identity/apiConnectors/$entity'), ...body } };
}

function notFound(id: string): Answer {
  return graphError(
    404,
    'Request_ResourceNotFound',
    `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
  );
}

function unwritable(): Answer {
  return graphError(400, 'BadRequest', 'authenticationConfiguration is of no type that can be written.');
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

/** The same order for the same number of entries, and seldom the order of upload. */
function shuffled<T>(entries: readonly T[]): T[] {
  const rank = (index: number): string => createHash('sha256').update(`entry ${index}`).digest('hex');
  return entries
    .map((entry, index) => ({ entry, rank: rank(index) }))
    .sort((a, b) => a.rank.localeCompare(b.rank))
    .map(({ entry }) => entry);
}
