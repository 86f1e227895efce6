/** Opens a PKCS#12 file (RFC 7292): any maker's, with any encryption in use, by its password. */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { Failure } from '../failure.ts';
import { integer, malformed, objectIdentifier, parse, sequence, type Element } from './asn1/ber.ts';
import { OID } from './asn1/oids.ts';
import { WorkBudget } from './crypto/kdf.ts';
import { readMac, type Mac } from './crypto/mac.ts';
import { PasswordCandidates } from './crypto/password.ts';
import { decrypt, encryptionScheme, fitsDamaged, type Encrypted, type EncryptionScheme } from './crypto/pbe.ts';
import * as failures from './password-failures.ts';
import { readDecryptedKey, readPrivateKey } from './private-key.ts';
import {
  parseContents,
  publicKeyMode,
  readContent,
  readSafeContents,
  type Bag,
  type Content,
} from './safe-contents.ts';

/** What is in a PKCS#12 file, in the order of the file. Nothing is chosen and nothing is left out. */
export interface Pkcs12Contents {
  readonly privateKeys: readonly PrivateKeyEntry[];
  readonly certificates: readonly CertificateEntry[];
  /** Which of the certificates Node could not read, counted from 1. */
  readonly unreadableCertificates: readonly number[];
  readonly encryption: Encryption;
}

/** A private key; the same localKeyId marks the certificate that belongs to it. */
export interface PrivateKeyEntry {
  readonly key: KeyObject;
  /** In hex. */
  readonly localKeyId: string | undefined;
}

/** A certificate, and the private key's mark if it has one. */
export interface CertificateEntry {
  readonly certificate: X509Certificate;
  /** In hex. */
  readonly localKeyId: string | undefined;
}

/** How a file is protected, in words: `TripleDES-SHA1`, `AES-256`, `RC2-40`, `HMAC-SHA256`, `none`. */
export interface Encryption {
  readonly key: string;
  readonly certificates: string;
  readonly mac: string;
}

/**
 * Everything in a PKCS#12 file.
 * @param password as it was typed; '' opens files with an empty password and files without one
 * @throws Failure PFX_* for each way in which a file cannot be opened, never with a secret in it
 */
export function openPkcs12(file: Uint8Array, password: string): Pkcs12Contents {
  const pfx = readPfx(file);
  const attempt: Attempt = { pfx, passwords: new PasswordCandidates(password), budget: new WorkBudget() };
  refuseTooMuchWork(pfx);
  if (!macFits(attempt)) throw explainMac(attempt, password);
  const unlock = (encrypted: Encrypted): Unlocked => {
    const scheme = encryptionScheme(encrypted.algorithm);
    const plaintext = decrypt(scheme, encrypted.ciphertext, attempt.passwords, attempt.budget);
    if (!plaintext) throw explainContents(attempt, password);
    return { plaintext, scheme: scheme.name };
  };
  const bags = pfx.contents.flatMap((content) => bagsOf(content, unlock));
  refuseTooMany(bags);
  const keys = bags.flatMap((bag) => keyOf(bag, unlock));
  const certificates = bags.flatMap(certificateOf);
  return {
    privateKeys: keys,
    certificates: certificates.flatMap(({ entry }) => entry ?? []),
    unreadableCertificates: certificates.flatMap(({ entry }, i) => (entry ? [] : [i + 1])),
    encryption: {
      key: named(keys.map(({ scheme }) => scheme)),
      certificates: named(certificates.map(({ scheme }) => scheme)),
      mac: pfx.mac?.name ?? 'none',
    },
  };
}

/** PFX ::= SEQUENCE { version INTEGER {v3(3)}, authSafe ContentInfo, macData MacData OPTIONAL }. */
interface Pfx {
  /** What the MAC is over. */
  readonly authSafe: Buffer;
  readonly contents: readonly Content[];
  readonly mac: Mac | undefined;
}

/** One password tried on one file. */
interface Attempt {
  readonly pfx: Pfx;
  readonly passwords: PasswordCandidates;
  readonly budget: WorkBudget;
}

/** Plaintext, and the name of the encryption that was taken off. */
interface Unlocked {
  readonly plaintext: Buffer;
  readonly scheme: string;
}

type Unlock = (encrypted: Encrypted) => Unlocked;

/** A bag, and the name of the encryption of the content that it lies in. */
interface OpenBag {
  readonly bag: Bag;
  readonly scheme: string;
}

const NO_ENCRYPTION = 'none';

function readPfx(file: Uint8Array): Pfx {
  const outer = parse(file);
  const rest = file.subarray(outer.end);
  if (!rest.every((byte) => HARMLESS_AT_THE_END.has(byte))) throw trailingData(rest.length);
  const [version, authSafe, macData] = sequence(outer, 'the file');
  const number = integer(version, 'the version');
  if (number !== 3) throw malformed(`its version is ${number}; only version 3 is known`);
  const content = readAuthSafe(authSafe);
  return {
    authSafe: content,
    contents: parseContents(content).map(readContent),
    mac: macData && readMac(macData),
  };
}

const HARMLESS_AT_THE_END: ReadonlySet<number> = new Set([0x00, 0x09, 0x0a, 0x0d, 0x1a, 0x20]);

function readAuthSafe(element: Element | undefined): Buffer {
  const [type] = sequence(element, 'the content');
  if (objectIdentifier(type, 'the type of the content') === OID.signedData) throw publicKeyMode('signed with');
  const content = readContent(element);
  if (content.encrypted) throw malformed('its outermost content is encrypted');
  if (content.data.length === 0) throw malformed('its outermost content is empty');
  return content.data;
}

function bagsOf(content: Content, unlock: Unlock): readonly OpenBag[] {
  const { plaintext, scheme } = content.encrypted
    ? unlock(content)
    : { plaintext: content.data, scheme: NO_ENCRYPTION };
  return readSafeContents(plaintext).map((bag) => ({ bag, scheme }));
}

function keyOf({ bag, scheme }: OpenBag, unlock: Unlock): readonly (PrivateKeyEntry & { readonly scheme: string })[] {
  if (bag.type === 'key') return [{ key: readPrivateKey(bag.pkcs8), localKeyId: bag.localKeyId, scheme }];
  if (bag.type !== 'shroudedKey') return [];
  const unlocked = unlock(bag);
  const key = readDecryptedKey(unlocked.plaintext);
  return [{ key, localKeyId: bag.localKeyId, scheme: unlocked.scheme }];
}

function certificateOf({
  bag,
  scheme,
}: OpenBag): readonly { readonly entry?: CertificateEntry; readonly scheme: string }[] {
  if (bag.type !== 'certificate') return [];
  try {
    return [{ entry: { certificate: new X509Certificate(bag.der), localKeyId: bag.localKeyId }, scheme }];
  } catch {
    return [{ scheme }];
  }
}

function named(schemes: readonly string[]): string {
  return [...new Set(schemes)].join(' and ') || NO_ENCRYPTION;
}

/** What is seen to be too much is refused before any of it is done. */
function refuseTooMuchWork({ contents, mac }: Pfx): void {
  const budget = new WorkBudget();
  if (mac) budget.spend(mac.cost);
  for (const { algorithm } of visiblyEncrypted(contents)) budget.spend(encryptionScheme(algorithm).cost);
}

/** As .NET, which reads the file at the service: it stops at so many keys, and at so many certificates. */
export const MOST_OF_A_KIND = 200;

function refuseTooMany(bags: readonly OpenBag[]): void {
  const count = (...types: readonly Bag['type'][]): number => bags.filter(({ bag }) => types.includes(bag.type)).length;
  const [keys, certificates] = [count('key', 'shroudedKey'), count('certificate')];
  if (keys <= MOST_OF_A_KIND && certificates <= MOST_OF_A_KIND) return;
  throw new Failure(
    'PFX_TOO_LARGE',
    `The .pfx has ${keys} private keys and ${certificates} certificates in it; at most ${MOST_OF_A_KIND} of each are accepted.`,
    'Is this the right file? Export the one certificate that is meant, with its key.',
  );
}

/** The contents that are encrypted, and the encrypted keys in those that are not. */
function visiblyEncrypted(contents: readonly Content[]): readonly Encrypted[] {
  return contents.flatMap((content): readonly Encrypted[] =>
    content.encrypted ? [content] : readSafeContents(content.data).filter((bag) => bag.type === 'shroudedKey'),
  );
}

function macFits({ pfx, passwords, budget }: Attempt): boolean {
  const { mac } = pfx;
  if (!mac) return true;
  const fits = passwords.find(mac.use, (bytes) => {
    budget.spend(mac.cost);
    return mac.verify(pfx.authSafe, bytes) || undefined;
  });
  return fits ?? false;
}

/** Why the MAC does not fit: another password, or a file that was changed. */
function explainMac({ pfx }: Attempt, password: string): Failure {
  const budget = WorkBudget.forHints();
  const attempt = (other: string): Attempt => ({ pfx, passwords: new PasswordCandidates(other), budget });
  if (failures.quietly(() => decryptsAnything(attempt(password)))) return failures.damaged();
  return wrongPassword(pfx, password, (other) => opens(attempt(other)));
}

/** Why a content does not decrypt, though the MAC fits or there is none. */
function explainContents({ pfx, passwords }: Attempt, password: string): Failure {
  if (pfx.mac) return failures.contentsUnreadable(password);
  if (passwords.used) return failures.damagedKey();
  const budget = WorkBudget.forHints();
  const attempt = (other: string): Attempt => ({ pfx, passwords: new PasswordCandidates(other), budget });
  if (failures.quietly(() => decryptsAnything(attempt(password), fitsDamaged))) return failures.damagedKey();
  return wrongPassword(pfx, password, (other) => decryptsAnything(attempt(other)));
}

function wrongPassword(pfx: Pfx, password: string, fits: (other: string) => boolean): Failure {
  const tried = (other: string): boolean => failures.quietly(() => fits(other));
  return failures.wrongPassword(password, tried, isProtectedToPrincipals(pfx));
}

/** Whether the password fits the MAC, or, if that takes less work, decrypts something. */
function opens(attempt: Attempt): boolean {
  const { pfx } = attempt;
  const cheapest = cheapestEncrypted(pfx);
  return pfx.mac && (!cheapest || pfx.mac.cost <= cheapest.scheme.cost) ? macFits(attempt) : decryptsAnything(attempt);
}

/** Whether the password decrypts what takes the least work. */
function decryptsAnything(
  { pfx, passwords, budget }: Attempt,
  decrypts: typeof decrypt | typeof fitsDamaged = decrypt,
): boolean {
  const cheapest = cheapestEncrypted(pfx);
  return cheapest !== undefined && Boolean(decrypts(cheapest.scheme, cheapest.ciphertext, passwords, budget));
}

/** The first of those that take the least work to decrypt. */
function cheapestEncrypted({
  contents,
}: Pfx): { readonly scheme: EncryptionScheme; readonly ciphertext: Buffer } | undefined {
  return visiblyEncrypted(contents)
    .filter(({ ciphertext }) => ciphertext.length > 0)
    .map(({ algorithm, ciphertext }) => ({ scheme: encryptionScheme(algorithm), ciphertext }))
    .sort((a, b) => a.scheme.cost - b.scheme.cost)[0];
}

function isProtectedToPrincipals({ contents }: Pfx): boolean {
  const inTheClear = contents.flatMap((content) => (content.encrypted ? [] : readSafeContents(content.data)));
  return inTheClear.some(({ type }) => type === 'protectedPassword');
}

function trailingData(length: number): Failure {
  return new Failure(
    'PFX_TRAILING_DATA',
    `After the end of the .pfx come ${length} more bytes.`,
    'Were two files joined, or was a message of a tool written into it? Export or copy the file again.',
  );
}
