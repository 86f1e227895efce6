/**
 * API connectors in Microsoft Graph: get, list, upload a client certificate, replace the authentication.
 * @see https://learn.microsoft.com/graph/api/resources/identityapiconnector
 */
import { Failure, withSentence } from '../failure.ts';
import { TransportError } from '../http/transport-error.ts';
import { clean } from '../text/clean.ts';
import { makeChange } from './change.ts';
import type { GraphClient, ListPage } from './client.ts';
import { certificatesOf, parseConnector, parsePage, type Connector } from './connector.ts';

/** The body of uploadClientCertificate, exactly. */
export interface ClientCertificateUpload {
  /** The .pfx in base64. */
  readonly pkcs12Value: string;
  /** Present even if it is empty. */
  readonly password: string;
}

const PATH = '/identity/apiConnectors';

/** The API connectors of one tenant. */
export class ApiConnectors {
  readonly #graph: GraphClient;

  constructor(graph: GraphClient) {
    this.#graph = graph;
  }

  /**
   * @throws Failure CONNECTOR_NOT_FOUND with those that there are, and what a refusal means
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-get
   */
  async get(id: string): Promise<Connector> {
    try {
      // Under the id that was asked for: what goes to the connector must not go where a response points.
      return { ...(await this.#graph.get(pathOf(id), { connectorId: id }, parseConnector)), id };
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'CONNECTOR_NOT_FOUND') throw error;
      throw await this.#withThoseThatExist(error);
    }
  }

  /**
   * Every API connector of the tenant, page by page.
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-list
   */
  async list(): Promise<readonly Connector[]> {
    return await this.#graph.list(PATH, parsePage);
  }

  /**
   * Uploads a certificate, next to those that the connector has, and makes sure of it: the response, or if that is lost a
   * read, shows the thumbprint. The request is sent again only if the server cannot have acted on it, or if a read has shown
   * that it did not.
   * @param before the connector as it was just before
   * @throws Failure as {@link get}, and UPLOAD_NOT_CONFIRMED; its message says what is known of the upload
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate
   */
  async uploadClientCertificate(
    before: Connector,
    upload: ClientCertificateUpload,
    thumbprint: string,
  ): Promise<Connector> {
    const countBefore = entries(before, thumbprint);
    const body = JSON.stringify({ pkcs12Value: upload.pkcs12Value, password: upload.password });
    return await makeChange(this.#graph, {
      connectorId: before.id,
      send: async () => await this.#graph.send('POST', `${pathOf(before.id)}/uploadClientCertificate`, body),
      readBack: async () => await this.get(before.id),
      confirmed: (response) => {
        const connector = response.status === 200 ? parseConnector(response.body) : undefined;
        return connector && entries(connector, thumbprint) > 0 ? connector : undefined;
      },
      tookEffect: (connector) => entries(connector, thumbprint) > countBefore,
      isTelling: countBefore === 0,
    });
  }

  /**
   * Overwrites whatever the connector authenticates with by this one certificate: the way from basic authentication, and
   * the only way to be rid of older certificates. The response is empty, so a read has to show it.
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
    return await makeChange(this.#graph, {
      connectorId: before.id,
      send: async () => await this.#graph.send('PATCH', pathOf(before.id), body),
      readBack: async () => await this.get(before.id),
      confirmed: () => undefined,
      // Sending it twice changes nothing, so the state alone counts, whichever request brought it about.
      tookEffect: (connector) =>
        entries(connector, thumbprint) > 0 &&
        certificatesOf(connector).every((entry) => entry.thumbprint === thumbprint),
      isTelling: true,
    });
  }

  /** A mistyped id is found sooner next to the right ones. One page, and none if it may not be listed. */
  async #withThoseThatExist(failure: Failure): Promise<Failure> {
    const page = await this.#firstPage();
    if (page === undefined) return failure;
    const { items, nextLink } = page;
    if (items.length === 0) return withSentence(failure, 'The tenant has no API connector at all.');
    const shown = items.slice(0, 20).map(({ id, displayName }) => `  ${clean(id, 64)}  ${clean(displayName, 80)}`);
    const more = items.length > shown.length || nextLink !== undefined ? ['  … and more'] : [];
    return new Failure(failure.code, failure.message, ['The tenant has these:', ...shown, ...more].join('\n'), {
      cause: failure,
    });
  }

  async #firstPage(): Promise<ListPage<Connector> | undefined> {
    try {
      const response = await this.#graph.send('GET', PATH);
      return response.status === 200 ? parsePage(response.body) : undefined;
    } catch (error) {
      if (error instanceof TransportError) return undefined;
      throw error;
    }
  }
}

/** The id is one segment of the path, whatever is in it. */
function pathOf(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`;
}

function entries(connector: Connector, thumbprint: string): number {
  return certificatesOf(connector).filter((certificate) => certificate.thumbprint === thumbprint).length;
}
