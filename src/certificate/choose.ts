/** Which of the certificates that were given goes to the service, and which of them are its issuers. */
import { createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { Failure } from '../failure.ts';
import type { CertificateEntry, Encryption, PrivateKeyEntry } from '../pkcs12/open.ts';
import { clean } from '../text/clean.ts';
import { DAY, isoSeconds } from '../text/dates.ts';
import { belongsTogether, isValid, onOneLine, subjectOf, thumbprintOf, validityOf } from './client-certificate.ts';
import { chainOf, damagedAmong, isSignedBy, originsAmong, type Damaged, type Origin } from './issuers.ts';
import { isMultiPrime, isSound } from './sound-key.ts';

/** What was given, wherever it comes from. */
export interface Given {
  /** What it was found in, for messages: "The … has no private key in it". */
  readonly container: '.pfx' | 'PEM text';
  readonly privateKeys: readonly PrivateKeyEntry[];
  readonly certificates: readonly CertificateEntry[];
  /** Which of the certificates cannot be read, counted from 1. */
  readonly unreadableCertificates: readonly number[];
  /** Of a .pfx. */
  readonly encryption?: Encryption;
}

/** The certificate to upload. */
export interface Choice {
  readonly leaf: X509Certificate;
  readonly privateKey: KeyObject;
  /** The leaf's issuers in order, as far as they were given. */
  readonly chain: readonly X509Certificate[];
  /** Sentences for the log: which certificates were left out, and why. */
  readonly notes: readonly string[];
  /** What a person should know of the other certificates before this one is uploaded, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Of the certificates that fit the one private key: valid now before not valid yet before expired, then signed by a CA
 * before self-signed, then marked with the key's localKeyId, then the order in the file. Certificates of the leaf's own
 * key are never part of the chain.
 * @throws Failure PFX_NO_PRIVATE_KEY, PFX_SEVERAL_KEYS, PFX_NO_CERTIFICATE, PFX_KEY_MISMATCH, PFX_DAMAGED, PFX_INVALID,
 *   PFX_UNSUPPORTED, PFX_TOO_LARGE
 */
export function choose(given: Given, now: Date): Choice {
  const privateKey = onlyKey(given);
  refuseDamagedKey(given, privateKey);
  refuseUnreadable(given);
  const entries = distinct(given.certificates);
  const certificates = entries.map(({ certificate }) => certificate);
  const originOf = originsAmong(certificates);
  const damaged = damagedAmong(certificates, originOf);
  const keyIds = new Set(given.privateKeys.flatMap(({ localKeyId }) => localKeyId ?? []));
  const fitting = entries
    .filter(({ certificate }) => belongsTogether(certificate, privateKey))
    .map(({ certificate, localKeyIds }) => ({
      certificate,
      validity: isValid(certificate, now) ? 2 : validityOf(certificate).notBefore > now ? 1 : 0,
      caSigned: !isSelfIssued(certificate, originOf(certificate)),
      marked: localKeyIds.some((id) => keyIds.has(id)),
    }))
    .sort((a, b) => RULES.reduce((order, { rank }) => order || rank(b) - rank(a), 0));
  const [chosen, ...left] = fitting;
  if (!chosen) throw noneFits(given, damaged);
  const own = new Set(fitting.map(({ certificate }) => certificate));
  refuseDamaged(given, damaged, own);
  const others = certificates.filter((certificate) => !own.has(certificate));
  const sound = others.filter((certificate) => !damaged.some((one) => one.certificate === certificate));
  const { chain, missing } = chainOf(chosen.certificate, sound, now, originOf);
  const gap = missing && gapAt(given, missing, damaged, originOf(missing));
  const leftOut = others.filter((certificate) => !chain.includes(certificate));
  return {
    leaf: chosen.certificate,
    privateKey,
    chain,
    notes: [
      ...(left.length === 0 ? [] : [choiceNote(chosen, left, now)]),
      ...(leftOut.length === 0 ? [] : [leftOutNote(leftOut, gap)]),
    ],
    warnings: [...warningsOf(given, damaged, own), ...(gap?.isDoubtful ? [gap.sentence] : [])],
  };
}

/** A damaged one counts as what it was. */
function isSelfIssued(certificate: X509Certificate, { isSelfSigned, claimed }: Origin): boolean {
  return isSelfSigned || claimed === certificate;
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

function whyNotValid(certificate: X509Certificate, now: Date): string {
  const { notBefore, notAfter } = validityOf(certificate);
  return notAfter < now ? `expired on ${isoSeconds(notAfter)}` : `not valid before ${isoSeconds(notBefore)}`;
}

/** The order in the file decides; that the other one lasts longer is for a person to see. */
function whyLater(chosen: Fitting, other: Fitting): string {
  const [{ notAfter }, { notAfter: end }] = [validityOf(other.certificate), validityOf(chosen.certificate)];
  const isLonger = notAfter.getTime() - end.getTime() >= DAY;
  return isLonger ? `later in the file, though it expires later, on ${isoSeconds(notAfter)}` : 'later in the file';
}

function choiceNote(chosen: Fitting, left: readonly Fitting[], now: Date): string {
  const reasons = left.slice(0, MOST_NAMED).map((other) => {
    const rule = RULES.find(({ rank }) => rank(chosen) > rank(other));
    return `${thumbprintOf(other.certificate)} (${rule?.why(other.certificate, now) ?? whyLater(chosen, other)})`;
  });
  const more = left.length > MOST_NAMED ? ` and ${left.length - MOST_NAMED} more` : '';
  return `The private key fits ${left.length + 1} certificates: ${thumbprintOf(chosen.certificate)} is used, not ${reasons.join(', ')}${more}.`;
}

/** Where the chain ends without a root. */
interface Gap {
  readonly sentence: string;
  /** Whether a certificate with the name of the issuer is there, which a person should look at. */
  readonly isDoubtful: boolean;
}

/** @param last the certificate whose issuer was not found */
function gapAt(
  { container, unreadableCertificates }: Given,
  last: X509Certificate,
  damaged: readonly Damaged[],
  { namesakes }: Origin,
): Gap {
  const issuer = issuerOf(last);
  const ends = `The chain ends at ${nameOf(last)}:`;
  if (damaged.some(({ certificate }) => certificate === last))
    return { sentence: `${ends} its signature does not fit its issuer ${issuer}.`, isDoubtful: false };
  if (damaged.some(({ certificate }) => certificate.subject === last.issuer))
    return { sentence: `${ends} its issuer ${issuer} in the ${container} is damaged.`, isDoubtful: false };
  if (namesakes.some((namesake) => isSignedBy(last, namesake))) {
    const why = `${issuer} in the ${container} signed it, but its key identifier, serial number or key usage does not fit`;
    return { sentence: `${ends} ${why}, so that servers reject it as the issuer.`, isDoubtful: true };
  }
  if (namesakes.length > 0) {
    const why = `${issuer} in the ${container} has the name of its issuer, but not the key that signed it`;
    const cause = 'It is an older or newer certificate of that issuer, or one of the two is damaged.';
    return { sentence: `${ends} ${why}. ${cause}`, isDoubtful: true };
  }
  const place = unreadableCertificates.length > 0 ? 'among the certificates in' : 'in';
  const readable = unreadableCertificates.length > 0 ? ' that can be read' : '';
  return { sentence: `${ends} its issuer ${issuer} is not ${place} the ${container}${readable}.`, isDoubtful: false };
}

function leftOutNote(leftOut: readonly X509Certificate[], gap: Gap | undefined): string {
  const note = `Left out, as no part of the chain: ${namesOf(leftOut)}.`;
  return gap && !gap.isDoubtful ? `${gap.sentence} ${note}` : note;
}

function warningsOf(
  { container, certificates, unreadableCertificates: unreadable }: Given,
  damaged: readonly Damaged[],
  own: ReadonlySet<X509Certificate>,
): readonly string[] {
  const count = certificates.length + unreadable.length;
  const which = unreadable.length > MOST_NAMED ? '' : ` (number ${unreadable.join(', ')})`;
  return [
    ...(unreadable.length === 0
      ? []
      : [
          unreadable.length === 1
            ? `1 of the ${count} certificates in the ${container}${which} cannot be read and was left out. If it is needed, export the file again.`
            : `${unreadable.length} of the ${count} certificates in the ${container}${which} cannot be read and were left out. If one of them is needed, export the file again.`,
        ]),
    ...damaged
      .slice(0, MOST_NAMED)
      .map((one) =>
        own.has(one.certificate)
          ? `${whyDamaged(one, container)} The MAC shows that the file is as its maker wrote it, so that was so before; servers may reject the certificate.`
          : `${whyDamaged(one, container)} It was left out. If it is needed, export the file again.`,
      ),
  ];
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

/** In PEM, which is put together by hand, it may be the very one that is meant. */
function refuseUnreadable(given: Given): void {
  if (given.container === 'PEM text' && given.unreadableCertificates.length > 0) throw unreadable(given);
}

function unreadable({ container, certificates, unreadableCertificates }: Given): Failure {
  const [position = 1] = unreadableCertificates;
  const count = certificates.length + unreadableCertificates.length;
  return new Failure(
    'PFX_INVALID',
    `The ${container} is malformed: ${count === 1 ? 'its certificate' : `certificate ${position} of the ${count} in it`} cannot be read.`,
    container === '.pfx'
      ? 'Export the certificate with its private key again. It may have been damaged on its way here.'
      : 'Copy that certificate again, whole: from the line -----BEGIN … to the line -----END ….',
  );
}

function noneFits(given: Given, damaged: readonly Damaged[]): Failure {
  const { container, certificates, unreadableCertificates } = given;
  if (unreadableCertificates.length > 0) return unreadable(given);
  if (certificates.length === 0) {
    return new Failure(
      'PFX_NO_CERTIFICATE',
      `The ${container} has a private key in it, but no certificate.`,
      container === '.pfx' ? EXPORT_WITH_KEY : 'Put the certificate into the same text: cat cert.pem chain.pem key.pem',
    );
  }
  const meant = damaged.find(({ certificate }) => mayBeMeant(certificate, given));
  if (meant) return damagedCertificate(given, meant);
  const subjects = namesOf(certificates.map(({ certificate }) => certificate));
  return new Failure(
    'PFX_KEY_MISMATCH',
    `The private key in the ${container} belongs to none of its certificates (${subjects}).`,
    `Build it again from the certificate and the key that it was issued for. ${SAME_KEY}`,
  );
}

/** Whether a damaged certificate may have been the one of the key: an authority is it only if nothing else is there. */
function mayBeMeant(damaged: X509Certificate, { certificates }: Given): boolean {
  const others = certificates.filter(({ certificate }) => certificate !== damaged);
  const isIssuer = others.some(({ certificate }) => certificate.issuer === damaged.subject);
  return others.length === 0 || (!damaged.ca && !isIssuer);
}

/** Before it is compared with certificates: one with a damaged public number would belong to none of them. */
function refuseDamagedKey({ container }: Given, privateKey: KeyObject): void {
  if (isMultiPrime(privateKey)) {
    throw new Failure(
      'PFX_UNSUPPORTED',
      `The private key in the ${container} is RSA with more than two primes, which Java, .NET and others cannot read.`,
      'Make a new key without -primes, and have a certificate issued for it: openssl req -new -newkey rsa:2048 -keyout key.pem -out request.csr -subj /CN=api-connector',
    );
  }
  if (isSound(privateKey)) return;
  throw new Failure(
    'PFX_DAMAGED',
    `The private key in the ${container} is damaged: its numbers do not fit together.`,
    'Copy it again from its origin. Check it with: openssl pkey -in key.pem -check -noout',
  );
}

/**
 * PEM is put together by hand, so that any damage in it is refused: what is damaged may be what is meant. Of a .pfx, a
 * damaged issuer is left out. And if its MAC fits, nothing in it was damaged on its way: a certificate that its issuer does
 * not fit was like that before, or the issuer was.
 */
function refuseDamaged(given: Given, damaged: readonly Damaged[], own: ReadonlySet<X509Certificate>): void {
  const { container, encryption } = given;
  const isIntact = encryption !== undefined && encryption.mac !== 'none';
  const refused = damaged.find(({ certificate }) => container === 'PEM text' || (own.has(certificate) && !isIntact));
  if (refused) throw damagedCertificate(given, refused);
}

function damagedCertificate({ container }: Given, damaged: Damaged): Failure {
  return new Failure(
    'PFX_DAMAGED',
    whyDamaged(damaged, container),
    damaged.issuer === damaged.certificate
      ? 'Copy or export it again from its origin. If an authority of the same name issued it, put the certificate of that authority in, too.'
      : 'Copy or export both again from their origin.',
  );
}

function whyDamaged({ certificate, issuer }: Damaged, container: string): string {
  const name = `The certificate ${nameOf(certificate)} in the ${container}`;
  return issuer === certificate
    ? `${name} is damaged: it has the name of its own issuer, and its signature does not fit its key.`
    : `${name} is damaged, or that of its issuer ${nameOf(issuer)}: the signature does not fit.`;
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
function nameOf(certificate: X509Certificate): string {
  return `"${clean(subjectOf(certificate), 100)}"`;
}

function issuerOf({ issuer }: X509Certificate): string {
  return `"${clean(onOneLine(issuer), 100)}"`;
}

function namesOf(certificates: readonly X509Certificate[]): string {
  const names = certificates.slice(0, MOST_NAMED).map(nameOf);
  return names.join('; ') + (certificates.length > MOST_NAMED ? `; and ${certificates.length - MOST_NAMED} more` : '');
}
