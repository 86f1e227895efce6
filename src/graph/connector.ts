/**
 * An API connector as Microsoft Graph describes it.
 * @see https://learn.microsoft.com/graph/api/resources/identityapiconnector
 */
import { clean } from '../text/clean.ts';
import { isObject, parseJson, stringOf } from '../text/json.ts';
import type { ListPage } from './client.ts';

/** A certificate that a connector holds. */
export interface ConnectorCertificate {
  /** SHA-1, upper-case hex. */
  readonly thumbprint: string;
  /** Seconds since 1970, UTC. */
  readonly notBefore: number;
  /** Seconds since 1970, UTC. */
  readonly notAfter: number;
  readonly isActive: boolean;
}

/** What a connector authenticates with. */
export type Authentication =
  | { readonly type: 'basic' | 'none' | 'unknown' }
  | {
      readonly type: 'certificate';
      /** In no particular order. */
      readonly certificates: readonly ConnectorCertificate[];
    };

export interface Connector {
  readonly id: string;
  /** As the service sent it: clean it before it is shown. */
  readonly displayName: string;
  /** As the service sent it: clean it before it is shown. */
  readonly targetUrl: string;
  readonly authentication: Authentication;
}

/** The certificates of a connector; none if it authenticates with something else. */
export function certificatesOf(connector: Connector | undefined): readonly ConnectorCertificate[] {
  return connector?.authentication.type === 'certificate' ? connector.authentication.certificates : [];
}

/** The certificate that the connector authenticates with now. */
export function activeCertificate(connector: Connector | undefined): ConnectorCertificate | undefined {
  return certificatesOf(connector).find((entry) => entry.isActive);
}

/** Nobody reads more, and outputs and summaries have a limit. */
const SHOWN_CERTIFICATES = 50;

/** Oldest first; of very many the active ones and the newest. */
export function byAge(certificates: readonly ConnectorCertificate[]): readonly ConnectorCertificate[] {
  const ascending = (a: ConnectorCertificate, b: ConnectorCertificate): number =>
    a.notBefore - b.notBefore || a.notAfter - b.notAfter;
  const active = certificates.filter((entry) => entry.isActive).slice(0, SHOWN_CERTIFICATES / 2);
  const others = certificates.filter((entry) => !entry.isActive).sort(ascending);
  return [...active, ...others.slice(-(SHOWN_CERTIFICATES - active.length))].sort(ascending);
}

/** The connector's name as a person knows it, or its id; cleaned. */
export function nameOf(id: string, connector: Connector | undefined): string {
  return clean(connector?.displayName, 80) || clean(id, 80);
}

/** The connector in a response, or undefined if it is not one: cut, empty, HTML, of another shape. */
export function parseConnector(body: string): Connector | undefined {
  return connectorFrom(parseJson(body));
}

/** One page of the list, or undefined if the response is none. */
export function parsePage(body: string): ListPage<Connector> | undefined {
  const json = parseJson(body);
  if (!isObject(json) || !Array.isArray(json['value'])) return undefined;
  const nextLink = json['@odata.nextLink'];
  return {
    items: json['value'].map(connectorFrom).filter((connector) => connector !== undefined),
    nextLink: typeof nextLink === 'string' ? nextLink : undefined,
  };
}

function connectorFrom(json: unknown): Connector | undefined {
  if (!isObject(json) || typeof json['id'] !== 'string') return undefined;
  return {
    id: json['id'],
    displayName: stringOf(json['displayName']),
    targetUrl: stringOf(json['targetUrl']),
    authentication: authenticationFrom(json['authenticationConfiguration']),
  };
}

function authenticationFrom(configuration: unknown): Authentication {
  if (configuration === null || configuration === undefined) return { type: 'none' };
  if (!isObject(configuration)) return { type: 'unknown' };
  const type = configuration['@odata.type'];
  if (type === '#microsoft.graph.basicAuthentication') return { type: 'basic' };
  if (type !== '#microsoft.graph.clientCertificateAuthentication') return { type: 'unknown' };
  return { type: 'certificate', certificates: certificatesFrom(configuration['certificateList']) };
}

function certificatesFrom(list: unknown): readonly ConnectorCertificate[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isObject).map((entry) => ({
    thumbprint: clean(entry['thumbprint'], 64).toUpperCase(),
    notBefore: seconds(entry['notBefore']),
    notAfter: seconds(entry['notAfter']),
    isActive: entry['isActive'] === true,
  }));
}

/** Edm.Int64: a JSON number, or a string if the service writes IEEE754-compatible JSON. */
function seconds(value: unknown): number {
  return typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
}
