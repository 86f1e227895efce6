/** Which of the certificates that were given goes to the service, and which of them are its issuers. */
import { createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { Failure } from '../failure.ts';
import type { CertificateEntry, PrivateKeyEntry } from '../pkcs12/open.ts';
import { clean } from '../text/clean.ts';
import { DAY, isoSeconds } from '../text/dates.ts';
import { belongsTogether, onOneLine, subjectOf, thumbprintOf } from './client-certificate.ts';
import { isSound } from './sound-key.ts';

/** What was given, wherever it comes from. */
export interface Given {
  /** What it was found in, for messages: "The … has no private key in it". */
  readonly container: '.pfx' | 'PEM text';
  readonly privateKeys: readonly PrivateKeyEntry[];
  readonly certificates: readonly CertificateEntry[];
  readonly unreadableCertificates: number;
}

/** The certificate to upload. */
export interface Choice {
  readonly leaf: X509Certificate;
  readonly privateKey: KeyObject;
  /** The leaf's issuers in order, as far as they were given. */
  readonly chain: readonly X509Certificate[];
  /** Sentences for the log: if several certificates fit the key, and if the chain has a gap. */
  readonly notes: readonly string[];
}

/**
 * Of the certificates that fit the one private key: valid now before not valid yet before expired, then signed by a CA
 * before self-signed, then marked with the key's localKeyId, then the order in the file. Certificates of the leaf's own
 * key are never part of the chain.
 * @throws Failure PFX_NO_PRIVATE_KEY, PFX_SEVERAL_KEYS, PFX_NO_CERTIFICATE, PFX_KEY_MISMATCH, PFX_DAMAGED, PFX_INVALID
 */
export function choose(given: Given, now: Date): Choice {
  const privateKey = onlyKey(given);
  const isSignedBy = signatureCheck();
  const certificates = distinct(given.certificates);
  const keyIds = new Set(given.privateKeys.flatMap(({ localKeyId }) => localKeyId ?? []));
  const fitting = certificates
    .filter(({ certificate }) => belongsTogether(certificate, privateKey))
    .map(({ certificate, localKeyIds }) => ({
      certificate,
      validity: isValid(certificate, now) ? 2 : certificate.validFromDate > now ? 1 : 0,
      caSigned: !isSelfSigned(certificate, isSignedBy),
      marked: localKeyIds.some((id) => keyIds.has(id)),
    }))
    .sort((a, b) => RULES.reduce((order, { rank }) => order || rank(b) - rank(a), 0));
  const [chosen, ...left] = fitting;
  if (!chosen) throw noneFits(given);
  if (!isSound(privateKey)) throw damagedKey(given);
  const own = new Set<X509Certificate>(fitting.map(({ certificate }) => certificate));
  const others = certificates.map(({ certificate }) => certificate).filter((certificate) => !own.has(certificate));
  const { chain, missing } = issuersOf(chosen.certificate, others, now, isSignedBy);
  const leftOut = others.filter((certificate) => !chain.includes(certificate));
  return {
    leaf: chosen.certificate,
    privateKey,
    chain,
    notes: [
      ...(left.length === 0 ? [] : [choiceNote(chosen, left, now)]),
      ...(missing && leftOut.length > 0 ? [gapNote(given, missing, leftOut)] : []),
    ],
  };
}

/** A certificate that fits the key, and what decides for or against it. */
interface Fitting {
  readonly certificate: X509Certificate;
  /** 2 if it is valid now, 1 if it is not valid yet, 0 if it has expired. */
  readonly validity: number;
  readonly caSigned: boolean;
  readonly marked: boolean;
}

/** What is preferred, the weightiest first, and what is said of a certificate that falls short in it. */
const RULES: readonly {
  readonly rank: (fitting: Fitting) => number;
  readonly why: (certificate: X509Certificate, now: Date) => string;
}[] = [
  { rank: ({ validity }) => validity, why: whyNotValid },
  { rank: ({ caSigned }) => Number(caSigned), why: () => 'self-signed' },
  { rank: ({ marked }) => Number(marked), why: () => 'not marked as the one of the key' },
];

function isValid({ validFromDate, validToDate }: X509Certificate, now: Date): boolean {
  return validFromDate <= now && now <= validToDate;
}

function whyNotValid({ validFromDate, validToDate }: X509Certificate, now: Date): string {
  return validToDate < now ? `expired on ${isoSeconds(validToDate)}` : `not valid before ${isoSeconds(validFromDate)}`;
}

/** The order in the file decides; that the other one lasts longer is for a person to see. */
function whyLater(chosen: Fitting, other: Fitting): string {
  const { validToDate } = other.certificate;
  const isLonger = validToDate.getTime() - chosen.certificate.validToDate.getTime() >= DAY;
  return isLonger ? `later in the file, though it expires later, on ${isoSeconds(validToDate)}` : 'later in the file';
}

function choiceNote(chosen: Fitting, left: readonly Fitting[], now: Date): string {
  const reasons = left.slice(0, MOST_NAMED).map((other) => {
    const rule = RULES.find(({ rank }) => rank(chosen) > rank(other));
    return `${thumbprintOf(other.certificate)} (${rule?.why(other.certificate, now) ?? whyLater(chosen, other)})`;
  });
  const more = left.length > MOST_NAMED ? ` and ${left.length - MOST_NAMED} more` : '';
  return `The private key fits ${left.length + 1} certificates: ${thumbprintOf(chosen.certificate)} is used, not ${reasons.join(', ')}${more}.`;
}

/** @param last the certificate whose issuer is not there */
function gapNote({ container }: Given, last: X509Certificate, leftOut: readonly X509Certificate[]): string {
  const issuer = clean(onOneLine(last.issuer), 100);
  return `The chain ends at ${namesOf([last])}: its issuer "${issuer}" is not in the ${container}. Left out, as no part of the chain: ${namesOf(leftOut)}.`;
}

/** Lists in messages stop here. */
const MOST_NAMED = 5;

function onlyKey(given: Given): KeyObject {
  const [first] = given.privateKeys;
  if (!first) throw noPrivateKey(given);
  if (given.privateKeys.some(({ key }) => !samePublicKey(first.key, key))) throw severalKeys(given);
  return first.key;
}

function samePublicKey(a: KeyObject, b: KeyObject): boolean {
  return a === b || createPublicKey(a).equals(createPublicKey(b));
}

/** Each certificate once, with all its marks. */
function distinct(
  entries: readonly CertificateEntry[],
): readonly { readonly certificate: X509Certificate; readonly localKeyIds: readonly string[] }[] {
  const byFingerprint = new Map<string, { certificate: X509Certificate; localKeyIds: string[] }>();
  for (const { certificate, localKeyId } of entries) {
    const { fingerprint256 } = certificate;
    const known = byFingerprint.get(fingerprint256) ?? { certificate, localKeyIds: [] };
    byFingerprint.set(fingerprint256, known);
    if (localKeyId !== undefined) known.localKeyIds.push(localKeyId);
  }
  return [...byFingerprint.values()];
}

/** No chain of a client certificate is longer. */
const LONGEST_CHAIN = 10;

/** The issuers of a leaf, and the last certificate before one that is not there. */
interface Issuers {
  readonly chain: readonly X509Certificate[];
  readonly missing: X509Certificate | undefined;
}

/** The issuers from the leaf upwards, the root included. Of several that could be the issuer, one that is valid now. */
function issuersOf(
  leaf: X509Certificate,
  others: readonly X509Certificate[],
  now: Date,
  isSignedBy: SignatureCheck,
): Issuers {
  const chain: X509Certificate[] = [];
  let current = leaf;
  while (chain.length < LONGEST_CHAIN && !isSelfSigned(current, isSignedBy)) {
    const certificate = current;
    const issuers = others.filter(
      (other) => !chain.includes(other) && namesIssuer(certificate, other) && isSignedBy(certificate, other),
    );
    const issuer = issuers.find((other) => isValid(other, now)) ?? issuers[0];
    if (!issuer) return { chain, missing: certificate };
    chain.push(issuer);
    current = issuer;
  }
  return { chain, missing: undefined };
}

/** An issuer may have the name of what it signed: an authority with a new key, or a leaf that is called as its authority. */
function isSelfSigned(certificate: X509Certificate, isSignedBy: SignatureCheck): boolean {
  return certificate.subject === certificate.issuer && isSignedBy(certificate, certificate);
}

/** Names and key identifiers (RFC 5280, section 6.1.3), without the signature. */
function namesIssuer(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer);
  } catch {
    return false;
  }
}

type SignatureCheck = (certificate: X509Certificate, issuer: X509Certificate) => boolean;

/** So many signatures are checked for one choice; a chain takes two or three, and a huge key many milliseconds for each. */
const MOST_SIGNATURES = 20;

/** Whether one certificate signed another. If that cannot be checked, the names have to do. */
function signatureCheck(): SignatureCheck {
  let left = MOST_SIGNATURES;
  return (certificate, issuer) => {
    try {
      const key = issuer.publicKey;
      return key.asymmetricKeyType === 'dsa' || left-- <= 0 || certificate.verify(key);
    } catch {
      // A type of key that Node does not know.
      return true;
    }
  };
}

const EXPORT_WITH_KEY =
  'Export it together with its private key: on Windows tick "Yes, export the private key", or use openssl pkcs12 -export -inkey key.pem -in cert.pem -out cert.pfx';
const SAME_KEY =
  'These two print the same for a certificate and its key: openssl x509 -in cert.pem -noout -pubkey, and openssl pkey -in key.pem -pubout';

function noPrivateKey({ container, certificates }: Given): Failure {
  const what = certificates.length === 0 ? 'nothing in it: no private key and no certificate' : 'no private key in it';
  return new Failure(
    'PFX_NO_PRIVATE_KEY',
    `The ${container} ${container === '.pfx' ? 'opens, and has' : 'has'} ${what}.`,
    container === '.pfx' ? EXPORT_WITH_KEY : 'Put the private key into the same text: cat cert.pem chain.pem key.pem',
  );
}

function noneFits({ container, certificates, unreadableCertificates }: Given): Failure {
  if (unreadableCertificates > 0) {
    return new Failure(
      'PFX_INVALID',
      `The ${container} is malformed: ${certificates.length === 0 ? 'its certificate' : 'a certificate in it'} cannot be read.`,
      'Export the certificate with its private key again. It may have been damaged on its way here.',
    );
  }
  if (certificates.length === 0) {
    return new Failure(
      'PFX_NO_CERTIFICATE',
      `The ${container} has a private key in it, but no certificate.`,
      container === '.pfx' ? EXPORT_WITH_KEY : 'Put the certificate into the same text: cat cert.pem chain.pem key.pem',
    );
  }
  const subjects = namesOf(certificates.map(({ certificate }) => certificate));
  return new Failure(
    'PFX_KEY_MISMATCH',
    `The private key in the ${container} belongs to none of its certificates (${subjects}).`,
    `Build it again from the certificate and the key that it was issued for. ${SAME_KEY}`,
  );
}

function damagedKey({ container }: Given): Failure {
  return new Failure(
    'PFX_DAMAGED',
    `The private key in the ${container} is damaged: its numbers do not fit together.`,
    'Copy it again from its origin. Check it with: openssl pkey -in key.pem -check -noout',
  );
}

function severalKeys({ container, privateKeys, certificates }: Given): Failure {
  const publicKeys = new Set(privateKeys.map(({ key }) => derOf(createPublicKey(key))));
  const owners = certificates
    .map(({ certificate }) => certificate)
    .filter((certificate) => publicKeys.has(publicKeyOf(certificate)));
  return new Failure(
    'PFX_SEVERAL_KEYS',
    `The ${container} has several private keys in it${owners.length > 0 ? `, for ${namesOf(owners)}` : ''}, and nothing says which is meant.`,
    container === '.pfx'
      ? 'Export the one certificate that is meant, with its key: keytool -importkeystore -srckeystore many.p12 -srcalias NAME -destkeystore one.p12 -deststoretype PKCS12'
      : 'Leave the one private key that is meant, with its certificate, in the text.',
  );
}

function derOf(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'der' }).toString('latin1');
}

function publicKeyOf(certificate: X509Certificate): string {
  try {
    return derOf(certificate.publicKey);
  } catch {
    return 'a type of key that Node does not know';
  }
}

/** Subjects are foreign text. */
function namesOf(certificates: readonly X509Certificate[]): string {
  const names = certificates.slice(0, MOST_NAMED).map((certificate) => `"${clean(subjectOf(certificate), 100)}"`);
  return names.join('; ') + (certificates.length > MOST_NAMED ? `; and ${certificates.length - MOST_NAMED} more` : '');
}
