/**
 * API connectors in Microsoft Graph: get one, upload a client certificate to one.
 * @see https://learn.microsoft.com/graph/api/resources/identityapiconnector
 */
import { randomUUID } from 'node:crypto';
import { clean } from './clean.ts';
import type { AccessToken, Application } from './entra.ts';
import { Failure, withSentence } from './failure.ts';
import { cannotHaveActed, explainGraph, isPassing } from './graph-refusal.ts';
import { RETRY, retry, retryAfter, TransportError, type Attempt, type Http, type HttpResponse } from './http.ts';
import { explainTransport } from './transport-refusal.ts';

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
      return await this.#read(`/${encodeURIComponent(id)}`, id, parseConnector);
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'CONNECTOR_NOT_FOUND') throw error;
      throw await this.#withThoseThatExist(error);
    }
  }

  /**
   * Uploads a certificate and makes sure of it: the answer, or where that is lost a fresh look, shows the thumbprint.
   * The request is sent again only where the server cannot have acted on it, or where a look has shown that it did not.
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
    const isThere = (connector: Connector): boolean => entries(connector, thumbprint) > countBefore;
    /** Why the upload may have taken effect unseen; undefined while it cannot have. */
    let lost: Failure | undefined;

    const attempt = async (): Promise<Attempt<Connector>> => {
      if (lost) {
        const found = await this.#look(before.id, lost);
        if (isThere(found)) return { done: found };
        if (countBefore > 0) throw undecided(lost);
        this.#log('The certificate is not on the connector, so the upload had no effect: uploading again.');
        lost = undefined;
      }
      const response = await this.#send('POST', `/${encodeURIComponent(before.id)}/uploadClientCertificate`, body);
      if (response instanceof TransportError) {
        const { failure, again } = explainTransport(response, 'Microsoft Graph');
        if (response.sent) lost = failure;
        this.#http.signal.throwIfAborted();
        if (!again && !response.sent) throw failure;
        return { again: failure };
      }
      if (response.status === 200) {
        const connector = parseConnector(response.body);
        if (connector && entries(connector, thumbprint) > 0) return { done: connector };
      }
      const failure = this.#explain(response, before.id);
      if (!isPassing(response)) throw failure;
      if (!cannotHaveActed(response)) lost = failure;
      return { again: failure, retryAfter: retryAfter(response, new Date()) };
    };

    try {
      return await retry(this.#http, attempt, this.#log);
    } catch (error) {
      if (!(error instanceof Failure) || error.code === 'UPLOAD_NOT_CONFIRMED') throw error;
      if (lost === undefined) throw withSentence(error, 'Nothing was changed.');
      if (this.#http.signal.aborted) {
        throw withSentence(
          error,
          'An upload was under way: whether the certificate is on the connector is not known. Run the job again: it looks first.',
        );
      }
      // The last answer was lost too: look once more, so that the step does not end with a guess.
      const found = await this.#look(before.id, lost);
      if (isThere(found)) return found;
      if (countBefore > 0) throw undecided(lost);
      throw withSentence(error, 'A look afterwards shows that the certificate is not on the connector.');
    }
  }

  /** A mistyped id is found sooner beside the right ones. One page, and where it may not be listed none. */
  async #withThoseThatExist(failure: Failure): Promise<Failure> {
    const response = await this.#send('GET', '');
    const connectors =
      response instanceof TransportError || response.status !== 200 ? undefined : parseConnectors(response.body);
    if (connectors === undefined) return failure;
    if (connectors.length === 0) return withSentence(failure, 'The tenant has no API connector at all.');
    const shown = connectors.slice(0, 20).map(({ id, displayName }) => `  ${clean(id, 64)}  ${clean(displayName, 80)}`);
    const more = connectors.length > shown.length ? [`  … and more`] : [];
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

  async #read<T>(path: string, id: string, parse: (body: string) => T | undefined): Promise<T> {
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

  async #send(method: 'GET' | 'POST', path: string, body?: string): Promise<HttpResponse | TransportError> {
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

  #explain(response: HttpResponse, connectorId: string): Failure {
    return explainGraph(response, { connectorId, roles: this.#access.roles, application: this.#application });
  }
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

/** The connectors of one page of the list, or undefined where the answer is none. */
function parseConnectors(body: string): readonly Connector[] | undefined {
  const json = parseJson(body);
  if (!isRecord(json) || !Array.isArray(json['value'])) return undefined;
  return json['value'].map(connectorFrom).filter((connector) => connector !== undefined);
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
