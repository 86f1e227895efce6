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
  /** The connectors that authenticate with it now. */
  readonly usedBy: readonly Connector[];
  /** The connectors that have it and will authenticate with it once it becomes valid. */
  readonly usedLaterBy: readonly Connector[];
}

/** The set. Only one that {@link isComplete} may be written as it is. */
export interface Trust {
  /** Sorted by thumbprint, each once. */
  readonly certificates: readonly Trusted[];
  /** Certificates in use, or for later, whose SHA-1 thumbprint the service does not show: one sentence each. */
  readonly missing: readonly string[];
  /** How many connectors could not be read, so that their certificates are not known. */
  readonly unread: number;
}

/** An output of a job has 1 MB, in UTF-16, and each thumbprint 40 digits and a comma. */
const MOST_IN_OUTPUT = 12_000;

/** Whether there are more certificates than an output has room for. A part of the set would shut out the others. */
export function isTooLong({ certificates }: Trust): boolean {
  return certificates.length > MOST_IN_OUTPUT;
}

/** Whether the set can be written to the API as it is: no certificate in use is missing, which would be shut out. */
export function isComplete(trust: Trust): boolean {
  return trust.missing.length === 0 && trust.unread === 0 && !isTooLong(trust);
}

const SHA1_LENGTH = 20;

/**
 * The new certificate, if there is one, and every certificate that one of these authenticates with now, or will once it
 * becomes valid; undefined is a connector that could not be read.
 */
export function trustOf(
  connectors: readonly (Connector | undefined)[],
  certificate: CertificateIdentity | undefined,
  now: Date,
): Trust {
  const set = new Map<string, Trusted & Record<Use, Connector[]>>();
  const add = (thumbprint: string, notAfter: Date): Record<Use, Connector[]> => {
    const known = set.get(thumbprint) ?? { thumbprint, notAfter, usedBy: [], usedLaterBy: [] };
    set.set(thumbprint, known);
    return known;
  };
  if (certificate) add(certificate.thumbprint, certificate.notAfter);
  const missing: string[] = [];
  const read = connectors.filter((connector) => connector !== undefined);
  for (const connector of read) {
    const own = new Set(certificate ? entriesOf(connector, certificate) : []);
    for (const entry of certificatesOf(connector)) {
      const use = useOf(entry, now);
      if (use === undefined) continue;
      const thumbprint = certificate && own.has(entry) ? certificate.thumbprint : sha1Of(entry);
      if (thumbprint === undefined) missing.push(notShown(connector, entry));
      else add(thumbprint, dateFromSeconds(entry.notAfter))[use].push(connector);
    }
  }
  return {
    certificates: [...set.values()].sort((a, b) => (a.thumbprint < b.thumbprint ? -1 : 1)),
    missing,
    unread: connectors.length - read.length,
  };
}

type Use = 'usedBy' | 'usedLaterBy';

/** The service switches to a certificate that is not valid yet when it becomes valid. */
function useOf({ isActive, notBefore, notAfter }: ConnectorCertificate, now: Date): Use | undefined {
  if (isActive) return 'usedBy';
  return notBefore > now.getTime() / 1000 && notAfter > notBefore ? 'usedLaterBy' : undefined;
}

function sha1Of({ thumbprint }: ConnectorCertificate): string | undefined {
  const digest = digestOf(thumbprint);
  return digest?.length === SHA1_LENGTH ? digest.toString('hex').toUpperCase() : undefined;
}

function notShown(connector: Connector, { thumbprint, isActive }: ConnectorCertificate): string {
  return `The API connector ${nameOf(connector.id, connector)} ${isActive ? 'uses' : 'will use'} a certificate whose SHA-1 thumbprint is not known (Microsoft Graph shows ${clean(thumbprint, 64) || 'none'}), so the output trusted-thumbprints is not set. Keep it trusted in the API until the connector uses another one.`;
}
