/** Opens a PKCS#12 file (RFC 7292): any maker's, with any encryption in use, by its password. */
import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { Failure } from '../failure.ts';
import { algorithmIdentifier, unsupported } from './crypto/algorithms.ts';
import { integer, malformed, parse, parseWhole, sequence, type Element } from './asn1/ber.ts';
import {
  belongsTogether,
  describeCertificate,
  type ClientCertificate,
  type FileFacts,
} from '../certificate/client-certificate.ts';
import { refuseOtherFormats } from '../certificate/other-formats.ts';
import { WorkBudget } from './crypto/kdf.ts';
import { readMac, type Mac } from './crypto/mac.ts';
import { PasswordCandidates } from './crypto/password.ts';
import * as failures from './password-failures.ts';
import { decrypt, encryptionScheme, TRIPLE_DES_SHA1, type EncryptionScheme } from './crypto/pbe.ts';
import {
  parseContents,
  publicKeyMode,
  readContent,
  readSafeContents,
  type Bag,
  type Content,
} from './safe-contents.ts';

/**
 * The certificate and private key in a PKCS#12 file.
 * @param password as it was typed; '' opens files with an empty password and files without one
 * @throws Failure PFX_* for each way in which a file cannot be used, never with a secret in it
 */
export function openPfx(file: Uint8Array, password: string): ClientCertificate {
  refuseOtherFormats(file);
  const budget = new WorkBudget();
  const pfx = readPfx(file);
  const passwords = new PasswordCandidates(password);
  const decrypted: Buffer[] = [];
  try {
    if (pfx.mac && !macFits(pfx, passwords, budget)) throw explainMac(pfx, password, budget);
    const opened = openContents(pfx, passwords, budget, decrypted, () =>
      explainContents(pfx, password, passwords, budget),
    );
    return choose(opened, {
      encryption: {
        key: opened.keySchemes.join(' and ') || 'none',
        certificates: opened.certificateSchemes.join(' and ') || 'none',
        mac: pfx.mac?.name ?? 'none',
      },
      macVerified: pfx.mac !== undefined,
      isTripleDesSha1: opened.isTripleDesSha1 && !passwords.unusual,
    });
  } finally {
    passwords.clear();
    for (const plaintext of decrypted) plaintext.fill(0);
  }
}

/** PFX ::= SEQUENCE { version INTEGER {v3(3)}, authSafe ContentInfo, macData MacData OPTIONAL }. */
interface Pfx {
  /** What the MAC is over. */
  readonly authSafe: Buffer;
  readonly contents: readonly Content[];
  readonly mac: Mac | undefined;
  /** DER throughout, with nothing behind it. */
  readonly strict: boolean;
}

function readPfx(file: Uint8Array): Pfx {
  const outer = parse(file);
  const rest = file.subarray(outer.end);
  if (!rest.every((byte) => HARMLESS_AT_THE_END.has(byte))) throw trailingData(rest.length);
  const [version, authSafe, macData] = sequence(outer, 'the file');
  const number = integer(version, 'the version');
  if (number !== 3) throw malformed(`its version is ${number}; only version 3 is known`);
  const content = readAuthSafe(authSafe);
  const safe = parseContents(content);
  return {
    authSafe: content,
    contents: safe.children().map(readContent),
    mac: macData && readMac(macData),
    strict: rest.length === 0 && outer.isDer() && safe.isDer(),
  };
}

const HARMLESS_AT_THE_END: ReadonlySet<number> = new Set([0x00, 0x09, 0x0a, 0x0d, 0x1a, 0x20]);
const OID_SIGNED_DATA_DER = Buffer.from('06092a864886f70d010702', 'hex');

function readAuthSafe(element: Element | undefined): Buffer {
  const [type] = sequence(element, 'the content');
  if (type?.encoding.equals(OID_SIGNED_DATA_DER)) throw publicKeyMode('signed with');
  const content = readContent(element);
  if (content.encrypted) throw malformed('its outermost content is encrypted');
  return content.data;
}

interface KeyEntry {
  readonly key: KeyObject;
  readonly localKeyId: string | undefined;
}

interface CertificateEntry {
  readonly certificate: X509Certificate;
  readonly localKeyId: string | undefined;
}

interface Opened {
  readonly keys: readonly KeyEntry[];
  readonly certificates: readonly CertificateEntry[];
  /** How many certificates Node could not read. */
  readonly unreadable: number;
  readonly keySchemes: readonly string[];
  readonly certificateSchemes: readonly string[];
  readonly isTripleDesSha1: boolean;
}

/** .NET, which reads the file at the service, stops at these counts. */
const SERVICE_ITERATIONS = { each: 300_000, total: 1_000_000 };

function openContents(
  pfx: Pfx,
  passwords: PasswordCandidates,
  budget: WorkBudget,
  decrypted: Buffer[],
  explain: () => Failure,
): Opened {
  const keys: KeyEntry[] = [];
  const certificates: CertificateEntry[] = [];
  const keySchemes = new Set<string>();
  const certificateSchemes = new Set<string>();
  const iterations = [pfx.mac?.iterations ?? 1];
  let unreadable = 0;
  let plain = pfx.strict && pfx.mac?.name === 'HMAC-SHA1';

  const decryptWith = (scheme: EncryptionScheme, ciphertext: Buffer): Buffer => {
    const plaintext = decrypt(scheme, ciphertext, passwords, budget);
    if (!plaintext) throw explain();
    iterations.push(scheme.iterations ?? 1);
    decrypted.push(plaintext);
    return plaintext;
  };

  const visit = (bag: Bag, contentScheme: string): void => {
    switch (bag.type) {
      case 'key':
        keySchemes.add(contentScheme);
        keys.push({ key: readPrivateKey(bag.pkcs8), localKeyId: bag.localKeyId });
        break;
      case 'shroudedKey': {
        const scheme = encryptionScheme(bag.algorithm);
        keySchemes.add(scheme.name);
        plain &&= contentScheme === 'none';
        keys.push({ key: readPrivateKey(parseWhole(decryptWith(scheme, bag.ciphertext))), localKeyId: bag.localKeyId });
        break;
      }
      case 'certificate': {
        certificateSchemes.add(contentScheme);
        const certificate = tryCertificate(bag.der);
        if (certificate) certificates.push({ certificate, localKeyId: bag.localKeyId });
        else unreadable++;
        break;
      }
      case 'nested':
        plain = false;
        for (const inner of bag.bags) visit(inner, contentScheme);
        break;
      case 'other':
        plain = false;
        break;
    }
  };

  for (const content of pfx.contents) {
    const scheme = content.encrypted ? encryptionScheme(content.algorithm) : undefined;
    const octets =
      content.encrypted && scheme
        ? decryptWith(scheme, content.ciphertext)
        : content.encrypted
          ? content.ciphertext
          : content.data;
    const safeContents = parseContents(octets);
    plain &&= safeContents.isDer();
    for (const bag of readSafeContents(safeContents)) visit(bag, scheme?.name ?? 'none');
  }

  const only = (schemes: ReadonlySet<string>): boolean => schemes.size === 1 && schemes.has(TRIPLE_DES_SHA1);
  return {
    keys,
    certificates,
    unreadable,
    keySchemes: [...keySchemes],
    certificateSchemes: [...certificateSchemes],
    isTripleDesSha1:
      plain &&
      keys.length === 1 &&
      unreadable === 0 &&
      only(keySchemes) &&
      only(certificateSchemes) &&
      Math.max(...iterations) <= SERVICE_ITERATIONS.each &&
      iterations.reduce((sum, count) => sum + count, 0) <= SERVICE_ITERATIONS.total,
  };
}

/** PrivateKeyInfo ::= SEQUENCE { version, privateKeyAlgorithm, privateKey, … } (RFC 5958). */
function readPrivateKey(pkcs8: Element): KeyObject {
  const [, algorithm] = sequence(pkcs8, 'the private key');
  const { oid } = algorithmIdentifier(algorithm, 'the private key');
  const der = Buffer.from(pkcs8.encoding);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } catch {
    // What OpenSSL says of it might quote the key; no cause, then.
    if (!KNOWN_KEY_TYPES.has(oid)) return unsupported('a private key of the type', oid);
    throw malformed('the private key cannot be read');
  } finally {
    der.fill(0);
  }
}

/** RSA, RSA-PSS, DSA, EC, X25519 to Ed448: a key of one of these that cannot be read is broken, not unknown. */
const KNOWN_KEY_TYPES: ReadonlySet<string> = new Set([
  '1.2.840.113549.1.1.1',
  '1.2.840.113549.1.1.10',
  '1.2.840.10040.4.1',
  '1.2.840.10045.2.1',
  '1.3.101.110',
  '1.3.101.111',
  '1.3.101.112',
  '1.3.101.113',
]);

function tryCertificate(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** The one key of the file, and the certificate whose public key is its other half. */
function choose({ keys, certificates, unreadable }: Opened, facts: FileFacts): ClientCertificate {
  const [first] = keys;
  if (!first) throw noPrivateKey(certificates.length);
  const { key } = first;
  if (keys.some((other) => !samePublicKey(key, other.key))) throw severalKeys(keys, certificates);
  if (certificates.length === 0) throw unreadable > 0 ? malformed('its certificate cannot be read') : noCertificate();

  const keyIds = new Set(keys.map(({ localKeyId }) => localKeyId));
  keyIds.delete(undefined);
  const matching = certificates
    .filter(({ certificate }) => belongsTogether(certificate, key))
    .map((entry) => ({ ...entry, marked: keyIds.has(entry.localKeyId) }))
    .sort(
      (a, b) =>
        Number(b.marked) - Number(a.marked) ||
        b.certificate.validToDate.getTime() - a.certificate.validToDate.getTime(),
    );
  const leaf = matching[0]?.certificate;
  if (!leaf) throw unreadable > 0 ? malformed('its certificate cannot be read') : keyMismatch(certificates);
  const seen = new Set([leaf.fingerprint256]);
  const others = certificates
    .map(({ certificate }) => certificate)
    .filter(({ fingerprint256 }) => !seen.has(fingerprint256) && seen.add(fingerprint256));
  return describeCertificate(leaf, key, others, facts);
}

function samePublicKey(a: KeyObject, b: KeyObject): boolean {
  return a === b || createPublicKey(a).equals(createPublicKey(b));
}

function macFits(pfx: Pfx, passwords: PasswordCandidates, budget: WorkBudget): boolean {
  const { mac } = pfx;
  if (!mac) return true;
  return passwords.find(mac.use, (bytes) => mac.verify(pfx.authSafe, bytes, budget) || undefined) ?? false;
}

/** Why the MAC does not fit: another password, or a file that was changed. */
function explainMac(pfx: Pfx, password: string, budget: WorkBudget): Failure {
  const passwords = new PasswordCandidates(password);
  if (failures.quietly(() => decryptsAnything(pfx, passwords, budget.small()))) return failures.damaged();
  return failures.wrongPassword(password, (other) => {
    return failures.quietly(() => macFits(pfx, new PasswordCandidates(other), budget.small()));
  });
}

/** Why a content does not decrypt, though the MAC fits or there is none. */
function explainContents(pfx: Pfx, password: string, passwords: PasswordCandidates, budget: WorkBudget): Failure {
  if (pfx.mac) return failures.contentsUnreadable(password);
  if (passwords.used) return failures.damagedKey();
  return failures.wrongPassword(password, (other) => {
    return failures.quietly(() => decryptsAnything(pfx, new PasswordCandidates(other), budget.small()));
  });
}

/** Whether the password decrypts the first thing in the file that is encrypted. */
function decryptsAnything(pfx: Pfx, passwords: PasswordCandidates, budget: WorkBudget): boolean {
  for (const content of pfx.contents) {
    if (content.encrypted)
      return decrypt(encryptionScheme(content.algorithm), content.ciphertext, passwords, budget) !== undefined;
    for (const bag of readSafeContents(parseContents(content.data))) {
      if (bag.type === 'shroudedKey')
        return decrypt(encryptionScheme(bag.algorithm), bag.ciphertext, passwords, budget) !== undefined;
    }
  }
  return false;
}

const EXPORT_WITH_KEY =
  'Export it together with its private key: on Windows tick "Yes, export the private key", or use openssl pkcs12 -export -inkey key.pem -in cert.pem -out cert.pfx';

function noPrivateKey(certificates: number): Failure {
  const what = certificates === 0 ? 'nothing in it: no private key and no certificate' : 'no private key in it';
  return new Failure('PFX_NO_PRIVATE_KEY', `The .pfx opens, and has ${what}.`, EXPORT_WITH_KEY);
}

function noCertificate(): Failure {
  return new Failure(
    'PFX_NO_CERTIFICATE',
    'The .pfx opens, and has a private key in it, but no certificate.',
    EXPORT_WITH_KEY,
  );
}

function keyMismatch(certificates: readonly CertificateEntry[]): Failure {
  const subjects = certificates
    .slice(0, 5)
    .map(({ certificate }) => JSON.stringify(certificate.subject.split('\n').join(', ')));
  return new Failure(
    'PFX_KEY_MISMATCH',
    `The private key in the .pfx belongs to none of its certificates (${subjects.join('; ')}).`,
    'Build the file anew from the certificate and the key that it was issued for. These two print the same: openssl x509 -in cert.pem -noout -pubkey, and openssl pkey -in key.pem -pubout',
  );
}

function severalKeys(keys: readonly KeyEntry[], certificates: readonly CertificateEntry[]): Failure {
  const subjects = certificates
    .filter(({ certificate }) => keys.some(({ key }) => belongsTogether(certificate, key)))
    .slice(0, 10)
    .map(({ certificate }) => JSON.stringify(certificate.subject.split('\n').join(', ')));
  return new Failure(
    'PFX_SEVERAL_KEYS',
    `The .pfx has several private keys in it${subjects.length > 0 ? `, for ${subjects.join('; ')}` : ''}, and nothing says which is meant.`,
    'Export the one certificate that is meant, with its key: keytool -importkeystore -srckeystore many.p12 -srcalias NAME -destkeystore one.p12 -deststoretype PKCS12',
  );
}

function trailingData(length: number): Failure {
  return new Failure(
    'PFX_TRAILING_DATA',
    `After the end of the .pfx come ${length} more bytes.`,
    'Were two files joined, or was a message of a tool written into it? Export or copy the file again.',
  );
}
