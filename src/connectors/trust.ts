/** Which certificates the API behind the connectors has to accept from now on. */
import {
  certificatesOf,
  entriesOf,
  nameOf,
  type CertificateIdentity,
  type Connector,
  type ConnectorCertificate,
} from '../graph/connector.ts';
import { digestOf } from '../graph/thumbprint.ts';
import { clean } from '../text/clean.ts';
import { dateFromSeconds } from '../text/dates.ts';

/** One certificate of the set. */
export interface Trusted {
  /** SHA-1, 40 upper-case hex digits. */
  readonly thumbprint: string;
  readonly notAfter: Date;
  /** The connectors that authenticate with it now; none if it is the new one. */
  readonly usedBy: readonly Connector[];
}

/** The set. Only one that {@link isComplete} may be written as it is. */
export interface Trust {
  /** Sorted by thumbprint, each once. */
  readonly certificates: readonly Trusted[];
  /** Active certificates whose SHA-1 thumbprint the service does not show: one sentence each. */
  readonly missing: readonly string[];
  /** How many connectors could not be read, so that their certificates are not known. */
  readonly unread: number;
}

/** Whether no certificate in use is missing, so that whoever writes the set to the API shuts none out. */
export function isComplete({ missing, unread }: Trust): boolean {
  return missing.length === 0 && unread === 0;
}

const SHA1_LENGTH = 20;

/** The new certificate, if there is one, and every certificate that is active on these now; undefined is one that could not be read. */
export function trustOf(
  connectors: readonly (Connector | undefined)[],
  certificate: CertificateIdentity | undefined,
): Trust {
  const set = new Map<string, { thumbprint: string; notAfter: Date; usedBy: Connector[] }>();
  const add = (thumbprint: string, notAfter: Date, usedBy: readonly Connector[]): void => {
    const known = set.get(thumbprint) ?? { thumbprint, notAfter, usedBy: [] };
    known.usedBy.push(...usedBy);
    set.set(thumbprint, known);
  };
  if (certificate) add(certificate.thumbprint, certificate.notAfter, []);
  const missing: string[] = [];
  const read = connectors.filter((connector) => connector !== undefined);
  for (const connector of read) {
    const own = new Set(certificate ? entriesOf(connector, certificate) : []);
    for (const entry of certificatesOf(connector).filter(({ isActive }) => isActive)) {
      const thumbprint = certificate && own.has(entry) ? certificate.thumbprint : sha1Of(entry);
      if (thumbprint === undefined) missing.push(notShown(connector, entry));
      else add(thumbprint, dateFromSeconds(entry.notAfter), [connector]);
    }
  }
  return {
    certificates: [...set.values()].sort((a, b) => (a.thumbprint < b.thumbprint ? -1 : 1)),
    missing,
    unread: connectors.length - read.length,
  };
}

function sha1Of({ thumbprint }: ConnectorCertificate): string | undefined {
  const digest = digestOf(thumbprint);
  return digest?.length === SHA1_LENGTH ? digest.toString('hex').toUpperCase() : undefined;
}

function notShown(connector: Connector, { thumbprint }: ConnectorCertificate): string {
  return `The API connector ${nameOf(connector.id, connector)} uses a certificate whose SHA-1 thumbprint is not known (Microsoft Graph shows ${clean(thumbprint, 64) || 'none'}), so the output trusted-thumbprints is not set. Keep it trusted in the API until the connector uses another one.`;
}
