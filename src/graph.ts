/**
 * API connectors in Microsoft Graph: get one, upload a client certificate to one.
 * @see https://learn.microsoft.com/graph/api/resources/identityapiconnector
 */
import { randomUUID } from 'node:crypto';
import { clean } from './clean.ts';
import type { Cloud } from './cloud.ts';
import type { AccessToken } from './entra.ts';
import { Failure } from './failure.ts';
import { explainGraph, saidBy } from './graph-refusal.ts';
import {
  RETRY,
  reason,
  retry,
  retryAfter,
  TransportError,
  type Attempt,
  type Http,
  type HttpResponse,
} from './http.ts';

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
  readonly #cloud: Cloud;
  readonly #access: AccessToken;
  readonly #log: (text: string) => void;

  constructor(http: Http, cloud: Cloud, access: AccessToken, log: (text: string) => void) {
    this.#http = http;
    this.#cloud = cloud;
    this.#access = access;
    this.#log = log;
  }

  /**
   * @throws Failure CONNECTOR_NOT_FOUND, GRAPH_UNAUTHORIZED, GRAPH_FORBIDDEN, GRAPH_REFUSED, SERVICE_UNAVAILABLE
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-get
   */
  async getConnector(id: string): Promise<Connector> {
    return await retry<Connector>(
      this.#http,
      async () => {
        const response = await this.#send('GET', id, '');
        if (response instanceof TransportError) return { again: unreachable(response) };
        const connector = response.status === 200 ? parseConnector(response.body) : undefined;
        if (connector) return { done: connector };
        const passing =
          response.status === 200 || response.status === 408 || response.status === 429 || response.status >= 500;
        const failure = this.#explain(response, id);
        if (!passing) throw failure;
        return againAfter(failure, response);
      },
      this.#log,
    );
  }

  /**
   * Uploads a certificate and makes sure of it: the answer, or where that is lost a fresh look, shows the thumbprint.
   * The request is sent again only where the server cannot have acted on it, or where a look has shown that it did not.
   * @param before the connector as it was just before
   * @throws Failure as {@link getConnector}, and UPLOAD_NOT_CONFIRMED
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate
   */
  async uploadClientCertificate(
    before: Connector,
    upload: ClientCertificateUpload,
    thumbprint: string,
  ): Promise<Connector> {
    const countBefore = entries(before, thumbprint);
    const body = JSON.stringify({ pkcs12Value: upload.pkcs12Value, password: upload.password });
    let lost = false;

    return await retry<Connector>(
      this.#http,
      async (n): Promise<Attempt<Connector>> => {
        if (lost) {
          const found = await this.getConnector(before.id);
          if (entries(found, thumbprint) > countBefore) return { done: found };
          this.#log(`The certificate is not on the connector: the upload had no effect. Uploading again (try ${n}).`);
        }
        const response = await this.#send('POST', before.id, '/uploadClientCertificate', body);
        if (response instanceof TransportError) {
          lost = response.sent;
          return await this.#settled(unreachable(response), lost, n, before, thumbprint, countBefore);
        }
        if (response.status === 200) {
          const connector = parseConnector(response.body);
          if (connector && entries(connector, thumbprint) > 0) return { done: connector };
        }
        const failure = this.#explain(response, before.id);
        if (cannotHaveActed(response)) {
          lost = false;
          return againAfter(failure, response);
        }
        if (response.status === 200 || response.status === 408 || response.status >= 500) {
          lost = true;
          return await this.#settled(failure, lost, n, before, thumbprint, countBefore);
        }
        throw failure;
      },
      this.#log,
    );
  }

  /** After the last try there is no next one to look first: look here, so that the step does not end with a guess. */
  async #settled(
    failure: Failure,
    lost: boolean,
    n: number,
    before: Connector,
    thumbprint: string,
    countBefore: number,
  ): Promise<Attempt<Connector>> {
    if (!lost || n < RETRY.attempts) return { again: failure };
    const found = await this.getConnector(before.id).catch(() => undefined);
    if (found && entries(found, thumbprint) > countBefore) return { done: found };
    throw new Failure(
      'UPLOAD_NOT_CONFIRMED',
      `${failure.message} ${found ? 'The certificate is not on the connector.' : 'Whether the certificate is on the connector could not be found out.'}`,
      'Run the job again: it looks first, and uploads only where the certificate is missing.',
      { cause: failure },
    );
  }

  async #send(
    method: 'GET' | 'POST',
    id: string,
    action: string,
    body?: string,
  ): Promise<HttpResponse | TransportError> {
    try {
      return await this.#http.send({
        method,
        url: `${this.#cloud.graphOrigin}/v1.0/identity/apiConnectors/${encodeURIComponent(id)}${action}`,
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

  #explain(response: HttpResponse, id: string): Failure {
    return explainGraph(response, id, this.#access.roles, this.#cloud);
  }
}

/** Throttled, or turned away before the backend touched the object. */
function cannotHaveActed(response: HttpResponse): boolean {
  if (response.status === 429 || response.status === 503) return true;
  const { code } = saidBy(response);
  return response.status !== 200 && ['AADB2C90229', 'AADB2C90244', 'AADB2C95043', 'AADB2C95053'].includes(code);
}

function againAfter(failure: Failure, response: HttpResponse): Attempt<never> {
  const wait = retryAfter(response, new Date());
  return wait === undefined ? { again: failure } : { again: failure, retryAfter: wait };
}

function unreachable(error: TransportError): Failure {
  return new Failure('SERVICE_UNAVAILABLE', `Microsoft Graph did not answer: ${reason(error)}.`, 'Run the job again.', {
    cause: error,
  });
}

function entries(connector: Connector, thumbprint: string): number {
  return connector.certificates.filter((certificate) => certificate.thumbprint === thumbprint).length;
}

/** The connector in an answer, or undefined where it is not one: cut, empty, HTML, of another shape. */
export function parseConnector(body: string): Connector | undefined {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return undefined;
  }
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
