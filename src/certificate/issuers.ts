/** Who issued a certificate, of those that were given: by names and key identifiers, and by signatures (RFC 5280, section 6.1.3). */
import type { X509Certificate } from 'node:crypto';
import { Failure } from '../failure.ts';
import { OID } from '../pkcs12/asn1/oids.ts';
import { isValid } from './client-certificate.ts';
import { readKeyIdentifiers, readSignatureOid, type KeyIdentifiers } from './x509.ts';

/** Where a certificate comes from, as far as that can be seen among those that were given. */
export interface Origin {
  readonly isSelfSigned: boolean;
  /** Those that signed it. If no signature can be checked, those that could have by their names. */
  readonly issuers: readonly X509Certificate[];
  /** Others that have the name of its issuer and cannot be it, if there are no issuers: most of them did not sign it. */
  readonly namesakes: readonly X509Certificate[];
  /** The one that has to be its issuer, maybe itself, though the signature does not fit: one of the two is damaged. */
  readonly claimed: X509Certificate | undefined;
}

/** A damaged certificate, and the one that has to be its issuer, which may be the damaged one instead. */
export interface Damaged {
  readonly certificate: X509Certificate;
  readonly issuer: X509Certificate;
}

/** Those that are damaged. What a damaged issuer signed cannot be checked, and is not among them. */
export function damagedAmong(
  certificates: readonly X509Certificate[],
  originOf: (certificate: X509Certificate) => Origin,
): readonly Damaged[] {
  return certificates.flatMap((certificate) => {
    const { claimed } = originOf(certificate);
    const isIssuerDamaged = claimed && claimed !== certificate && originOf(claimed).claimed;
    return claimed && !isIssuerDamaged ? [{ certificate, issuer: claimed }] : [];
  });
}

/**
 * Finds origins among these certificates; each is found once.
 * @throws Failure PFX_TOO_LARGE if more signatures would have to be checked than a choice is worth
 */
export function originsAmong(certificates: readonly X509Certificate[]): (certificate: X509Certificate) => Origin {
  const check = limitedCheck();
  const identifiersOf = once(readIdentifiers);
  return once((certificate) => findOrigin(certificate, certificates, check, identifiersOf));
}

/** The same, which finds out each answer once. */
function once<Answer>(find: (certificate: X509Certificate) => Answer): (certificate: X509Certificate) => Answer {
  const known = new Map<X509Certificate, Answer>();
  return (certificate) => {
    const answer = known.get(certificate) ?? find(certificate);
    known.set(certificate, answer);
    return answer;
  };
}

function findOrigin(
  certificate: X509Certificate,
  all: readonly X509Certificate[],
  check: SignatureCheck,
  identifiersOf: (certificate: X509Certificate) => KeyIdentifiers,
): Origin {
  const isNamedAsIssuer = certificate.subject === certificate.issuer;
  const itself = isNamedAsIssuer ? check(certificate, certificate) : 'not signed';
  const others = all.filter((other) => other !== certificate);
  const candidates = (itself === 'signed' ? [] : others)
    .filter((other) => namesIssuer(certificate, other))
    .map((issuer) => ({ issuer, answer: check(certificate, issuer) }));
  const signed = candidates.filter(({ answer }) => answer === 'signed');
  if (itself === 'signed' || (itself === 'unknown' && signed.length === 0)) return SELF_SIGNED;
  const possible = signed.length > 0 ? signed : candidates.filter(({ answer }) => answer === 'unknown');
  if (possible.length > 0)
    return { ...SELF_SIGNED, isSelfSigned: false, issuers: possible.map(({ issuer }) => issuer) };
  const { own, issuer: wanted, namesIssuer: namesKey } = identifiersOf(certificate);
  const namesItself = isNamedAsIssuer && (!namesKey || (wanted !== undefined && wanted === own));
  // All of them, or one of them would be an issuer.
  const refuted = new Set(candidates.map(({ issuer }) => issuer));
  const isClaimed = (other: X509Certificate): boolean =>
    wanted !== undefined &&
    wanted === identifiersOf(other).own &&
    (refuted.has(other) || check(certificate, other) === 'not signed');
  return {
    isSelfSigned: false,
    issuers: [],
    namesakes: others.filter(({ subject }) => subject === certificate.issuer),
    claimed: namesItself ? certificate : others.find(isClaimed),
  };
}

const SELF_SIGNED: Origin = { isSelfSigned: true, issuers: [], namesakes: [], claimed: undefined };

function readIdentifiers(certificate: X509Certificate): KeyIdentifiers {
  try {
    return readKeyIdentifiers(certificate.raw);
  } catch {
    return { own: undefined, issuer: undefined, namesIssuer: false };
  }
}

/** The issuers from the leaf upwards, and the last certificate if its issuer is not there. */
export interface Chain {
  readonly chain: readonly X509Certificate[];
  readonly missing: X509Certificate | undefined;
}

/** No chain of a client certificate is longer. */
const LONGEST_CHAIN = 10;

/**
 * The shortest way from the leaf up to a root, the root included; without a root, the longest way. Of several issuers of
 * one certificate, those that are valid now are followed, if there are any.
 * @param others the certificates that may be issuers
 */
export function chainOf(
  leaf: X509Certificate,
  others: readonly X509Certificate[],
  now: Date,
  originOf: (certificate: X509Certificate) => Origin,
): Chain {
  const left = new Set(others);
  let longest: readonly X509Certificate[] = [];
  // Grows while it is gone through, so that shorter ways come before longer ones.
  const ways: (readonly X509Certificate[])[] = [[]];
  for (const way of ways) {
    const { isSelfSigned, issuers } = originOf(way.at(-1) ?? leaf);
    if (isSelfSigned) return { chain: way, missing: undefined };
    if (way.length > longest.length) longest = way;
    if (way.length === LONGEST_CHAIN) continue;
    const possible = issuers.filter((issuer) => left.has(issuer));
    const valid = possible.filter((issuer) => isValid(issuer, now));
    for (const issuer of valid.length > 0 ? valid : possible) {
      left.delete(issuer);
      ways.push([...way, issuer]);
    }
  }
  return { chain: longest, missing: longest.length === LONGEST_CHAIN ? undefined : (longest.at(-1) ?? leaf) };
}

/** Names and key identifiers, without the signature. */
function namesIssuer(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer);
  } catch {
    return false;
  }
}

type Answer = 'signed' | 'not signed' | 'unknown';
type SignatureCheck = (certificate: X509Certificate, issuer: X509Certificate) => Answer;

/** Twice the certificates that are allowed (200); each takes up to 10 ms with the largest keys. */
const MOST_SIGNATURES = 400;

function limitedCheck(): SignatureCheck {
  let left = MOST_SIGNATURES;
  return (certificate, issuer) => {
    if (left-- <= 0) throw tooManySignatures();
    return checkSignature(certificate, issuer);
  };
}

/** Whether one certificate signed another. Node gives false as well for an algorithm that it does not know. */
function checkSignature(certificate: X509Certificate, issuer: X509Certificate): Answer {
  try {
    const key = issuer.publicKey;
    if (key.asymmetricKeyType === 'dsa') return 'unknown';
    if (certificate.verify(key)) return 'signed';
    const algorithm = readSignatureOid(certificate.raw);
    return algorithm === undefined || CHECKED_SIGNATURES.has(algorithm) ? 'not signed' : 'unknown';
  } catch {
    // A type of key that Node does not know.
    return 'unknown';
  }
}

/** Whether one certificate signed another, whatever else speaks against it. */
export function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return checkSignature(certificate, issuer) === 'signed';
}

/** The signatures that any Node can check. */
const CHECKED_SIGNATURES: ReadonlySet<string> = new Set([
  OID.md5WithRSAEncryption,
  OID.sha1WithRSAEncryption,
  OID.sha224WithRSAEncryption,
  OID.sha256WithRSAEncryption,
  OID.sha384WithRSAEncryption,
  OID.sha512WithRSAEncryption,
  OID.rsassaPss,
  OID.ecdsaWithSHA1,
  OID.ecdsaWithSHA224,
  OID.ecdsaWithSHA256,
  OID.ecdsaWithSHA384,
  OID.ecdsaWithSHA512,
  OID.ed25519,
  OID.ed448,
]);

function tooManySignatures(): Failure {
  return new Failure(
    'PFX_TOO_LARGE',
    `Too many certificates have the name of an issuer: which of them is the issuer would take more than ${MOST_SIGNATURES} signatures to check.`,
    'Leave the one certificate that is meant, its issuers and its key.',
  );
}
