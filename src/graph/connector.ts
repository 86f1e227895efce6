/**
 * An API connector as Microsoft Graph describes it.
 * @see https://learn.microsoft.com/graph/api/resources/identityapiconnector
 */
import { Failure } from '../failure.ts';
import { clean } from '../text/clean.ts';
import { isObject, parseJson, stringOf } from '../text/json.ts';
import { NAME_THEM, type ListPage } from './client.ts';
import { digestOf } from './thumbprint.ts';

/** A certificate that a connector holds. */
export interface ConnectorCertificate {
  /** Upper-case hex of SHA-1, or of SHA-256 if the service sent that; cleaned text if it is in a form that nobody knows. */
  readonly thumbprint: string;
  /** Seconds since 1970, UTC; NaN if it cannot be read. */
  readonly notBefore: number;
  /** Seconds since 1970, UTC; NaN if it cannot be read. */
  readonly notAfter: number;
  readonly isActive: boolean;
}

/** What a certificate is recognised by on a connector. */
export interface CertificateIdentity {
  /** SHA-1, hex. */
  readonly thumbprint: string;
  /** SHA-256, hex. */
  readonly sha256: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What a connector authenticates with. */
export type Authentication =
  | {
      /** `unknown`: a configuration that is not understood, or that the service did not send. */
      readonly type: 'basic' | 'none' | 'unknown';
    }
  | {
      readonly type: 'certificate';
      /** In no particular order. */
      readonly certificates: readonly ConnectorCertificate[];
    };

export interface Connector {
  /** As the service sent it. @foreign */
  readonly id: string;
  /** As the service sent it. @foreign */
  readonly displayName: string;
  /** As the service sent it. @foreign */
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

/** The entries of the connector that are this certificate, by their thumbprint; by its two dates if there is no readable one. */
export function entriesOf(
  connector: Connector | undefined,
  certificate: CertificateIdentity,
): readonly ConnectorCertificate[] {
  const digests = [certificate.thumbprint, certificate.sha256].map((hex) => Buffer.from(hex, 'hex'));
  return certificatesOf(connector).filter((entry) => {
    const digest = digestOf(entry.thumbprint);
    return digest ? digests.some((own) => own.equals(digest)) : hasDatesOf(entry, certificate);
  });
}

/**
 * The entries that are this certificate after a change. If no thumbprint fits, new entries with its two dates are taken for
 * it: the service may write thumbprints in a way that nobody knows.
 */
export function entriesAfter(
  before: Connector | undefined,
  after: Connector | undefined,
  certificate: CertificateIdentity,
): readonly ConnectorCertificate[] {
  const entries = entriesOf(after, certificate);
  return entries.length > 0 ? entries : withoutOld(twinsOf(before, certificate), twinsOf(after, certificate));
}

/**
 * The entries with the two dates of this certificate whose thumbprint is another: it is one of the same days, or the service
 * shows thumbprints that nobody knows.
 */
export function twinsOf(
  connector: Connector | undefined,
  certificate: CertificateIdentity,
): readonly ConnectorCertificate[] {
  const own = new Set(entriesOf(connector, certificate));
  return certificatesOf(connector).filter((entry) => !own.has(entry) && hasDatesOf(entry, certificate));
}

/** Those that were not there before: of several with one thumbprint, as many as have been added. */
function withoutOld(
  before: readonly ConnectorCertificate[],
  after: readonly ConnectorCertificate[],
): readonly ConnectorCertificate[] {
  const old = before.map(({ thumbprint }) => thumbprint);
  return after.filter(({ thumbprint }) => {
    const at = old.indexOf(thumbprint);
    if (at >= 0) old.splice(at, 1);
    return at < 0;
  });
}

function hasDatesOf(entry: ConnectorCertificate, { notBefore, notAfter }: CertificateIdentity): boolean {
  return entry.notBefore === notBefore.getTime() / 1000 && entry.notAfter === notAfter.getTime() / 1000;
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

/**
 * How many certificates are read: nobody has so many. Each entry costs time in which no signal is heard, and a part of a
 * list must not be taken for all of it, so more is a failure.
 */
const MOST_CERTIFICATES = { connector: 1_000, page: 10_000 } as const;

/**
 * The connector in a response, or undefined if it is not one: cut, empty, HTML, of another shape.
 * @throws Failure LIST_TOO_LONG for more than {@link MOST_CERTIFICATES}
 */
export function parseConnector(body: string): Connector | undefined {
  return connectorFrom(parseJson(body));
}

/**
 * One page of the list, or undefined if the response is none.
 * @throws Failure LIST_TOO_LONG for more than {@link MOST_CERTIFICATES}
 */
export function parsePage(body: string): ListPage<Connector> | undefined {
  const json = parseJson(body);
  if (!isObject(json) || !Array.isArray(json['value'])) return undefined;
  const values: readonly unknown[] = json['value'];
  const count = values.reduce<number>((sum, value) => sum + certificateCount(value), 0);
  if (count > MOST_CERTIFICATES.page) {
    const what = `Microsoft Graph sent ${count} certificates on one page of its list`;
    throw new Failure('LIST_TOO_LONG', `${what}; at most ${MOST_CERTIFICATES.page} are read.`, NAME_THEM);
  }
  const items = values.map(connectorFrom);
  // Without one of its connectors, a page would pass for all of them.
  if (!items.every((connector) => connector !== undefined)) return undefined;
  return { items, nextLink: stringOf(json['@odata.nextLink']) || undefined };
}

/** The length of a connector's list of certificates, before anything in it is read. */
function certificateCount(json: unknown): number {
  const configuration = isObject(json) ? json['authenticationConfiguration'] : undefined;
  const list = isObject(configuration) ? configuration['certificateList'] : undefined;
  return Array.isArray(list) ? list.length : 0;
}

function connectorFrom(json: unknown): Connector | undefined {
  if (!isObject(json) || typeof json['id'] !== 'string' || json['id'] === '') return undefined;
  const count = certificateCount(json);
  if (count > MOST_CERTIFICATES.connector) {
    const name = [clean(json['displayName'], 80), `(${clean(json['id'], 64)})`].join(' ').trim();
    throw new Failure(
      'LIST_TOO_LONG',
      `Microsoft Graph sent ${count} certificates for the API connector ${name}; at most ${MOST_CERTIFICATES.connector} are read.`,
      'Look at the connector in the portal, under API connectors. If it has few there, something between the runner and the service changes the response.',
    );
  }
  return {
    id: json['id'],
    displayName: stringOf(json['displayName']),
    targetUrl: stringOf(json['targetUrl']),
    authentication: authenticationFrom(json['authenticationConfiguration']),
  };
}

/** The configuration by its type, in any spelling; without one by the properties that only one type has. */
function authenticationFrom(configuration: unknown): Authentication {
  if (configuration === null) return { type: 'none' };
  if (!isObject(configuration)) return { type: 'unknown' };
  const type = stringOf(configuration['@odata.type'])
    .replace(/^#?microsoft\.graph\./i, '')
    .toLowerCase();
  const username = configuration['username'];
  const certificateList = configuration['certificateList'];
  if (type === 'basicauthentication' || (type === '' && username !== undefined)) return { type: 'basic' };
  if (type === 'clientcertificateauthentication' || (type === '' && certificateList !== undefined)) {
    return { type: 'certificate', certificates: certificatesFrom(certificateList) };
  }
  return { type: 'unknown' };
}

const LONGEST_THUMBPRINT = 200;

function certificatesFrom(list: unknown): readonly ConnectorCertificate[] {
  if (!Array.isArray(list)) return [];
  return list.filter(isObject).map((entry) => {
    // Longer than any form of a digest, and of many entries a whole text would take long to be cleaned.
    const thumbprint = stringOf(entry['thumbprint']).slice(0, LONGEST_THUMBPRINT);
    return {
      thumbprint: digestOf(thumbprint)?.toString('hex').toUpperCase() ?? clean(thumbprint, 64),
      notBefore: seconds(entry['notBefore']),
      notAfter: seconds(entry['notAfter']),
      isActive: entry['isActive'] === true,
    };
  });
}

/** The years 1 to 9999, which is what a certificate and Edm.DateTimeOffset can have. In seconds since 1970, UTC. */
const [FIRST_SECOND, LAST_SECOND] = [-62_135_596_800, 253_402_300_799];

/** Edm.Int64: a JSON number, or a string if the service writes IEEE754-compatible JSON. The resource page says DateTime. */
function seconds(value: unknown): number {
  const text = typeof value === 'string' ? value.trim() : '';
  const number = Math.floor(typeof value === 'number' ? value : /^-?\d+$/.test(text) ? Number(text) : dateTime(text));
  // What no certificate can have, such as milliseconds, is no date.
  return number >= FIRST_SECOND && number <= LAST_SECOND ? number : Number.NaN;
}

/** Edm.DateTimeOffset, in UTC if it has no offset; NaN if it is not one. Date.parse alone reads a date into "soon 5". */
function dateTime(text: string): number {
  const parts = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const [, date = '', time = '00:00', offset = 'Z'] = parts ?? [];
  // 31 February is read as 3 March.
  const day = new Date(Date.parse(date));
  if (Number.isNaN(day.getTime()) || !day.toISOString().startsWith(date)) return Number.NaN;
  return Date.parse(`${date}T${time}${offset}`) / 1000;
}
