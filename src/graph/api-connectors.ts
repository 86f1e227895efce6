/**
 * API connectors in Microsoft Graph: get, list, upload a client certificate, replace the authentication.
 * @see https://learn.microsoft.com/graph/api/resources/identityapiconnector
 */
import { Failure } from '../failure.ts';
import type { Verdict } from '../http/verdict.ts';
import { clean, cleanUrl } from '../text/clean.ts';
import { GUID } from '../text/guid.ts';
import { makeChange } from './change.ts';
import type { GraphClient } from './client.ts';
import {
  certificatesOf,
  entriesAfter,
  entriesOf,
  parseConnector,
  parsePage,
  type CertificateIdentity,
  type Connector,
} from './connector.ts';

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
    return await this.#get({ connectorId: id });
  }

  async #get(subject: { readonly connectorId: string; readonly wasRead?: boolean }): Promise<Connector> {
    const id = subject.connectorId;
    const found = await this.#graph.get(pathOf(id), subject, parseConnector, async (verdict) =>
      this.#comparedWithTheList(id, verdict),
    );
    // Under the id that was asked for: what goes to the connector must not go where a response points.
    return { ...found, id };
  }

  /**
   * Every API connector of the tenant, page by page, each once: one may move to another page meanwhile.
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-list
   */
  async list(): Promise<readonly Connector[]> {
    const connectors = new Map<string, Connector>();
    for (const connector of await this.#graph.list(PATH, parsePage)) {
      const key = connector.id.toLowerCase();
      if (!connectors.has(key)) connectors.set(key, connector);
    }
    return [...connectors.values()];
  }

  /**
   * Uploads a certificate, next to those that the connector has, and makes sure of it as {@link makeChange} does.
   * @param before the connector as it was just before
   * @throws Failure as {@link get}, and UPLOAD_NOT_CONFIRMED; its message says what is known of the upload
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate
   */
  async uploadClientCertificate(
    before: Connector,
    upload: ClientCertificateUpload,
    certificate: CertificateIdentity,
  ): Promise<Connector> {
    const countBefore = entriesOf(before, certificate).length;
    const body = JSON.stringify({ pkcs12Value: upload.pkcs12Value, password: upload.password });
    return await makeChange(this.#graph, {
      connectorId: before.id,
      send: async (goesOut) =>
        await this.#graph.send('POST', `${pathOf(before.id)}/uploadClientCertificate`, { body, goesOut }),
      readBack: async () => await this.#get({ connectorId: before.id, wasRead: true }),
      // Whether it was there before or not: the response of the upload itself is enough.
      confirmed: (response) => {
        const connector = response.status === 200 ? parseConnector(response.body) : undefined;
        return entriesAfter(before, connector, certificate).length > 0 ? connector : undefined;
      },
      tookEffect: (connector) => entriesAfter(before, connector, certificate).length > countBefore,
      isThere: (connector) => entriesAfter(before, connector, certificate).length > 0,
      isTelling: countBefore === 0,
    });
  }

  /**
   * Overwrites whatever the connector authenticates with by this one certificate: the way from basic authentication, and
   * the only way to be rid of older certificates.
   * @throws Failure as {@link uploadClientCertificate}
   * @see https://learn.microsoft.com/graph/api/identityapiconnector-update
   */
  async replaceAuthentication(
    before: Connector,
    upload: ClientCertificateUpload,
    certificate: CertificateIdentity,
  ): Promise<Connector> {
    const authenticationConfiguration = {
      '@odata.type': '#microsoft.graph.pkcs12Certificate',
      pkcs12Value: upload.pkcs12Value,
      password: upload.password,
    };
    const body = JSON.stringify({ authenticationConfiguration });
    const isThere = (connector: Connector): boolean => entriesAfter(before, connector, certificate).length > 0;
    // Sending it twice changes nothing, so the state alone counts, whichever request brought it about.
    const tookEffect = (connector: Connector): boolean =>
      isThere(connector) && entriesAfter(before, connector, certificate).length === certificatesOf(connector).length;
    return await makeChange(this.#graph, {
      connectorId: before.id,
      send: async (goesOut) => await this.#graph.send('PATCH', pathOf(before.id), { body, goesOut }),
      readBack: async () => await this.#get({ connectorId: before.id, wasRead: true }),
      // Documented is 204 without a body; a 200 with the connector has been seen.
      confirmed: (response) => {
        const connector = response.status === 200 ? parseConnector(response.body) : undefined;
        return connector && tookEffect(connector) ? connector : undefined;
      },
      tookEffect,
      isThere,
      isTelling: true,
    });
  }

  /**
   * A connector that is said not to exist, or to be a problem, is looked for in the list: one that is there will be found by
   * and by, and a mistyped id is found sooner next to the right ones.
   */
  async #comparedWithTheList(id: string, verdict: Verdict): Promise<Verdict> {
    const { failure } = verdict;
    const isAboutTheId = failure.code === 'CONNECTOR_NOT_FOUND' || /\bAADB2C90063\b/.test(failure.message);
    // How a text that is no ID is refused is documented nowhere.
    const mayBe = isAboutTheId || (failure.code === 'GRAPH_REFUSED' && !GUID.test(id));
    const listed = mayBe ? await this.#listOrNothing() : undefined;
    if (listed === undefined) return verdict;
    const isThere = listed.some((connector) => connector.id.toLowerCase() === id.toLowerCase());
    const named = listed.filter(({ displayName }) => folded(displayName) === folded(id));
    if (named.length > 0 && !isThere) return { failure: isName(failure, id, named), retry: 'no' };
    if (!isAboutTheId) return verdict;
    if (isThere) return { ...verdict, failure: notFoundYet(failure), retry: 'yes' };
    return { failure: notFound(failure, listed), retry: 'no' };
  }

  async #listOrNothing(): Promise<readonly Connector[] | undefined> {
    try {
      return await this.list();
    } catch (error) {
      this.#graph.deadline.signal.throwIfAborted();
      if (error instanceof Failure) return undefined;
      throw error;
    }
  }
}

const SHOWN_CONNECTORS = 20;

/** A name as it is compared: neither letter case nor blanks count. */
function folded(name: string): string {
  return name.trim().replace(/\s+/g, ' ').toLowerCase();
}

function isName(failure: Failure, id: string, named: readonly Connector[]): Failure {
  const one = named.length === 1;
  return new Failure(
    'CONNECTOR_NOT_FOUND',
    `${clean(id, 80)} is the display name of ${one ? 'an API connector, not its ID' : `${named.length} API connectors, not an ID`}.`,
    one
      ? `Set connector-id to its ID:\n${shortList(named, ({ displayName }) => clean(displayName, 80))}`
      : `Set connector-id to the ID of the right one; these are the IDs and the target URLs:\n${shortList(named, ({ targetUrl }) => cleanUrl(targetUrl, 100))}`,
    { cause: failure },
  );
}

/** A connector that the tenant does not have, by its list too. */
export class ConnectorAbsent extends Failure {}

/** The list has it, so that the answer passes by itself. */
function notFoundYet({ message, cause }: Failure): Failure {
  return new Failure(
    'SERVICE_UNAVAILABLE',
    `${message} The list of API connectors has it.`,
    'This passes by itself. Run the job again in some minutes.',
    { cause },
  );
}

function notFound(failure: Failure, listed: readonly Connector[]): ConnectorAbsent {
  const remedy =
    listed.length === 0
      ? 'The tenant has no API connector at all: check tenant-id.'
      : `The tenant has these:\n${shortList(listed, ({ displayName }) => clean(displayName, 80))}`;
  return new ConnectorAbsent('CONNECTOR_NOT_FOUND', failure.message, remedy, { cause: failure });
}

/** The IDs, a line each, with what tells the connectors apart. */
function shortList(connectors: readonly Connector[], telling: (connector: Connector) => string): string {
  const shown = connectors.slice(0, SHOWN_CONNECTORS);
  const lines = shown.map((connector) => `  ${clean(connector.id, 64)}  ${telling(connector)}`);
  const rest = connectors.length - shown.length;
  return [...lines, ...(rest > 0 ? [`  … and ${rest} more`] : [])].join('\n');
}

/** The id is one segment of the path, whatever is in it. */
function pathOf(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`;
}
