/**
 * API connectors in Microsoft Graph: get, list, upload a client certificate, replace the authentication.
 * @see https://learn.microsoft.com/graph/api/resources/identityapiconnector
 */
import { randomUUID } from 'node:crypto';
import { clean } from '../text/clean.ts';
import { RateWindow } from '../http/concurrency.ts';
import type { Application } from '../sign-in/cloud.ts';
import type { AccessToken } from '../sign-in/entra.ts';
import { Failure, withSentence } from '../failure.ts';
import { cannotHaveActed, explainGraph, isPassing } from './refusal.ts';
import {
  RETRY,
  retry,
  retryAfter,
  TransportError,
  type Attempt,
  type Http,
  type HttpResponse,
} from '../http/client.ts';
import { explainTransport } from '../http/refusal.ts';

/** A certificate that a connector holds, as Graph describes it. */
export interface ConnectorCertificate {
  /** SHA-1, upper-case hex. */
  readonly thumbprint: string;
  /** Seconds since 1970, UTC. */
  readonly notBefore: number;
  /** Seconds since 1970, UTC. */
  readonly notAfter: number;
  readonly isActive: boolean;
}

export interface Connector {
  readonly id: string;
  /** As the service sent it: clean it before it is shown. */
  readonly displayName: string;
  /** As the service sent it: clean it before it is shown. */
  readonly targetUrl: string;
  readonly authentication: 'basic' | 'certificate' | 'none' | 'unknown';
  /** In no particular order. */
  readonly certificates: readonly ConnectorCertificate[];
}

/** The body of uploadClientCertificate, exactly. */
export interface ClientCertificateUpload {
  /** The .pfx in base64. */
  readonly pkcs12Value: string;
  /** Present even where it is empty. */
  readonly password: string;
}

/** The API connectors of one tenant, as one access token may see and change them. */
export class Graph {
  readonly #http: Http;
  readonly #application: Application;
  readonly #access: AccessToken;
  readonly #log: (text: string) => void;
  /** This API's limits are 200 requests a minute for an app in a tenant, 300 for the tenant. */
  readonly #pace = new RateWindow(200, 60_000);

  constructor(http: Http, application: Application, access: AccessToken, log: (text: string) => void) {
    this.#http = http;
    this.#application = application;
    this.#access = access;
    this.#log = log;
  }

  /**
   * @throws Failure CONNECTOR_NOT_FOUND with those that there are, and what {@link explainGraph} and {@link explainTransport} tell
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-get
   */
  async getConnector(id: string): Promise<Connector> {
    try {
      // Under the id that was asked for: what goes to the connector must not go where an answer points.
      return { ...(await this.#read(segment(id), id, parseConnector)), id };
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'CONNECTOR_NOT_FOUND') throw error;
      throw await this.#withThoseThatExist(error);
    }
  }

  /**
   * Every API connector of the tenant, page by page.
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-list
   */
  async listConnectors(): Promise<readonly Connector[]> {
    const connectors: Connector[] = [];
    const read = new Set<string>();
    for (let path: string | undefined = ''; path !== undefined && !read.has(path);) {
      read.add(path);
      const page: Page = await this.#read(path, undefined, parsePage);
      connectors.push(...page.connectors);
      path = page.nextLink === undefined ? undefined : this.#pathOf(page.nextLink);
    }
    return connectors;
  }

  /**
   * Uploads a certificate, beside those that the connector has, and makes sure of it: the answer, or where that is lost a
   * fresh look, shows the thumbprint. The request is sent again only where the server cannot have acted on it, or where a
   * look has shown that it did not.
   * @param before the connector as it was just before
   * @throws Failure as {@link getConnector}, and UPLOAD_NOT_CONFIRMED; its message says what is known of the upload
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate
   */
  async uploadClientCertificate(
    before: Connector,
    upload: ClientCertificateUpload,
    thumbprint: string,
  ): Promise<Connector> {
    const countBefore = entries(before, thumbprint);
    const body = JSON.stringify({ pkcs12Value: upload.pkcs12Value, password: upload.password });
    return await this.#change(before.id, {
      send: async () => await this.#send('POST', `${segment(before.id)}/uploadClientCertificate`, body),
      confirmed: (response) => {
        const connector = response.status === 200 ? parseConnector(response.body) : undefined;
        return connector && entries(connector, thumbprint) > 0 ? connector : undefined;
      },
      hasLanded: (connector) => entries(connector, thumbprint) > countBefore,
      isTelling: countBefore === 0,
    });
  }

  /**
   * Overwrites whatever the connector authenticates with by this one certificate: the way from basic authentication, and
   * the only way to be rid of older certificates. The answer is empty, so a look has to show it.
   * @throws Failure as {@link uploadClientCertificate}
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-update
   */
  async replaceAuthentication(
    before: Connector,
    upload: ClientCertificateUpload,
    thumbprint: string,
  ): Promise<Connector> {
    const authenticationConfiguration = {
      '@odata.type': '#microsoft.graph.pkcs12Certificate',
      pkcs12Value: upload.pkcs12Value,
      password: upload.password,
    };
    const body = JSON.stringify({ authenticationConfiguration });
    // Sending it twice changes nothing, so the state alone counts, whichever request brought it about.
    const isOnly = (connector: Connector): boolean =>
      entries(connector, thumbprint) > 0 && connector.certificates.every((entry) => entry.thumbprint === thumbprint);
    return await this.#change(before.id, {
      send: async () => await this.#send('PATCH', segment(before.id), body),
      confirmed: () => undefined,
      hasLanded: isOnly,
      isTelling: true,
    });
  }

  async #change(id: string, change: Change): Promise<Connector> {
    /** Why the change may have taken effect unseen; undefined while it cannot have. */
    let lost: Failure | undefined;

    const attempt = async (): Promise<Attempt<Connector>> => {
      if (lost) {
        const found = await this.#look(id, lost);
        if (change.hasLanded(found)) return { done: found };
        if (!change.isTelling) throw undecided(lost);
        this.#log('The certificate is not on the connector, so the request had no effect: sending it again.');
        lost = undefined;
      }
      const response = await change.send();
      if (response instanceof TransportError) {
        const { failure, again } = explainTransport(response, 'Microsoft Graph');
        if (response.sent) lost = failure;
        this.#http.signal.throwIfAborted();
        if (!again && !response.sent) throw failure;
        return { again: failure };
      }
      const connector = change.confirmed(response);
      // Under the id that was asked for, as in getConnector.
      if (connector) return { done: { ...connector, id } };
      if (response.status === 204) {
        lost = new Failure(
          'UPLOAD_NOT_CONFIRMED',
          'Microsoft Graph took the change, but does not show it.',
          'Run the job again.',
        );
        const found = await this.#look(id, lost);
        return change.hasLanded(found) ? { done: found } : { again: lost };
      }
      const failure = this.#explain(response, id);
      if (!isPassing(response)) throw failure;
      if (!cannotHaveActed(response)) lost = failure;
      return { again: failure, retryAfter: retryAfter(response, new Date()) };
    };

    try {
      return await retry(this.#http, attempt, this.#log);
    } catch (error) {
      if (!(error instanceof Failure) || (error.code === 'UPLOAD_NOT_CONFIRMED' && error !== lost)) throw error;
      if (lost === undefined) throw withSentence(error, 'Nothing was changed.');
      if (this.#http.signal.aborted) throw cutShort(error);
      // The last answer was lost too: look once more, so that the step does not end with a guess.
      const found = await this.#look(id, lost).catch((unseen: unknown) => {
        throw this.#http.signal.aborted && unseen instanceof Failure ? cutShort(unseen) : unseen;
      });
      if (change.hasLanded(found)) return found;
      if (!change.isTelling) throw undecided(lost);
      throw withSentence(error, 'A look afterwards shows that the certificate is not on the connector.');
    }
  }

  /** The path behind `…/apiConnectors` of a next page, which has to be on the same host: the token must not go elsewhere. */
  #pathOf(nextLink: string): string {
    const root = `${this.#application.cloud.graphOrigin}/v1.0/identity/apiConnectors`;
    if (nextLink.toLowerCase().startsWith(`${root.toLowerCase()}?`)) return nextLink.slice(root.length);
    throw new Failure(
      'GRAPH_REFUSED',
      `Microsoft Graph's list of API connectors goes on at ${clean(nextLink)}, which is not ${root}.`,
      'Name the connectors in connector-id instead of all: true.',
    );
  }

  /** A mistyped id is found sooner beside the right ones. One page, and where it may not be listed none. */
  async #withThoseThatExist(failure: Failure): Promise<Failure> {
    const response = await this.#send('GET', '');
    const page = response instanceof TransportError || response.status !== 200 ? undefined : parsePage(response.body);
    if (page === undefined) return failure;
    const { connectors, nextLink } = page;
    if (connectors.length === 0) return withSentence(failure, 'The tenant has no API connector at all.');
    const shown = connectors.slice(0, 20).map(({ id, displayName }) => `  ${clean(id, 64)}  ${clean(displayName, 80)}`);
    const more = connectors.length > shown.length || nextLink !== undefined ? ['  … and more'] : [];
    return new Failure(failure.code, failure.message, ['The tenant has these:', ...shown, ...more].join('\n'), {
      cause: failure,
    });
  }

  /** The connector, after an upload whose answer was lost. */
  async #look(id: string, lost: Failure): Promise<Connector> {
    try {
      return await this.getConnector(id);
    } catch (error) {
      this.#http.signal.throwIfAborted();
      throw new Failure(
        'UPLOAD_NOT_CONFIRMED',
        `${lost.message} Whether the certificate is on the connector could not be found out: ${asMessage(error)}`,
        'Run the job again: it looks first, and uploads only where the certificate is missing.',
        { cause: lost },
      );
    }
  }

  async #read<T>(path: string, id: string | undefined, parse: (body: string) => T | undefined): Promise<T> {
    return await retry<T>(
      this.#http,
      async () => {
        const response = await this.#send('GET', path);
        if (response instanceof TransportError) {
          this.#http.signal.throwIfAborted();
          const { failure, again } = explainTransport(response, 'Microsoft Graph');
          if (!again) throw failure;
          return { again: failure };
        }
        const parsed = response.status === 200 ? parse(response.body) : undefined;
        if (parsed !== undefined) return { done: parsed };
        const failure = this.#explain(response, id);
        if (!isPassing(response)) throw failure;
        return { again: failure, retryAfter: retryAfter(response, new Date()) };
      },
      this.#log,
    );
  }

  async #send(method: 'GET' | 'POST' | 'PATCH', path: string, body?: string): Promise<HttpResponse | TransportError> {
    const pause = this.#pace.reserve(performance.now());
    if (pause > 0) await this.#http.wait(pause);
    try {
      return await this.#http.send({
        method,
        url: `${this.#application.cloud.graphOrigin}/v1.0/identity/apiConnectors${path}`,
        headers: {
          authorization: `Bearer ${this.#access.token}`,
          'client-request-id': randomUUID(),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body }),
        timeout: RETRY.timeout,
      });
    } catch (error) {
      if (error instanceof TransportError) return error;
      throw error;
    }
  }

  #explain(response: HttpResponse, connectorId: string | undefined): Failure {
    return explainGraph(response, { connectorId, roles: this.#access.roles, application: this.#application });
  }
}

/** A change of a connector, and how to see that it took effect. */
interface Change {
  readonly send: () => Promise<HttpResponse | TransportError>;
  /** The connector in an answer that shows the change, or undefined. */
  readonly confirmed: (response: HttpResponse) => Connector | undefined;
  /** Whether a connector, looked at afterwards, shows the change. */
  readonly hasLanded: (connector: Connector) => boolean;
  /** Whether a look that does not show the change means that it did not take effect. */
  readonly isTelling: boolean;
}

/** The step ends while a change is under way. */
function cutShort(failure: Failure): Failure {
  return withSentence(
    failure,
    'An upload was under way: whether the certificate is on the connector is not known. Run the job again: it looks first.',
  );
}

/** One segment of a path, whatever is in the id. */
function segment(id: string): string {
  return `/${encodeURIComponent(id)}`;
}

/** The same certificate was there before the upload, and is there as often now: that tells nothing. */
function undecided(lost: Failure): Failure {
  return new Failure(
    'UPLOAD_NOT_CONFIRMED',
    `${lost.message} The certificate was on the connector before and still is; whether this upload took effect cannot be told from that.`,
    'Look at is-active in the outputs, and run the job again if the certificate should be the active one.',
    { cause: lost },
  );
}

function asMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function entries(connector: Connector, thumbprint: string): number {
  return connector.certificates.filter((certificate) => certificate.thumbprint === thumbprint).length;
}

/** The connector in an answer, or undefined where it is not one: cut, empty, HTML, of another shape. */
export function parseConnector(body: string): Connector | undefined {
  return connectorFrom(parseJson(body));
}

interface Page {
  readonly connectors: readonly Connector[];
  readonly nextLink: string | undefined;
}

/** One page of the list, or undefined where the answer is none. */
function parsePage(body: string): Page | undefined {
  const json = parseJson(body);
  if (!isRecord(json) || !Array.isArray(json['value'])) return undefined;
  const nextLink = json['@odata.nextLink'];
  return {
    connectors: json['value'].map(connectorFrom).filter((connector) => connector !== undefined),
    nextLink: typeof nextLink === 'string' ? nextLink : undefined,
  };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function connectorFrom(json: unknown): Connector | undefined {
  if (!isRecord(json) || typeof json['id'] !== 'string') return undefined;
  const configuration = json['authenticationConfiguration'];
  return {
    id: json['id'],
    displayName: typeof json['displayName'] === 'string' ? json['displayName'] : '',
    targetUrl: typeof json['targetUrl'] === 'string' ? json['targetUrl'] : '',
    authentication: authenticationOf(configuration),
    certificates: certificatesIn(configuration),
  };
}

function authenticationOf(configuration: unknown): Connector['authentication'] {
  if (configuration === null || configuration === undefined) return 'none';
  const type = isRecord(configuration) ? configuration['@odata.type'] : undefined;
  if (type === '#microsoft.graph.basicAuthentication') return 'basic';
  if (type === '#microsoft.graph.clientCertificateAuthentication') return 'certificate';
  return 'unknown';
}

function certificatesIn(configuration: unknown): readonly ConnectorCertificate[] {
  const list = isRecord(configuration) ? configuration['certificateList'] : undefined;
  if (!Array.isArray(list)) return [];
  return list.filter(isRecord).map((entry) => ({
    thumbprint: clean(entry['thumbprint'], 64).toUpperCase(),
    notBefore: seconds(entry['notBefore']),
    notAfter: seconds(entry['notAfter']),
    isActive: entry['isActive'] === true,
  }));
}

/** Edm.Int64: a JSON number, or a string where the service writes IEEE754-compatible JSON. */
function seconds(value: unknown): number {
  return typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
