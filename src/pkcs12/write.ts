/** Writes a PKCS#12 file the way the service takes it: TripleDES-SHA1 throughout. */
import { createCipheriv, createHmac, hash as digestOf, randomBytes } from 'node:crypto';
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import { element, explicit, nothing, octets, oid, sequenceOf, setOf, unsigned } from './asn1/der.ts';
import { HASHES, pkcs12Kdf, PURPOSE, WorkBudget } from './crypto/kdf.ts';
import { bmpString } from './crypto/password.ts';

/** What OpenSSL, Windows and the service have agreed on for twenty years. */
const ITERATIONS = 2048;
const SALT_LENGTH = 8;

const OID = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  tripleDesSha1: '1.2.840.113549.1.12.1.3',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  localKeyId: '1.2.840.113549.1.9.21',
  sha1: '1.3.14.3.2.26',
} as const;

/** What goes to the service. */
export interface EncodedPfx {
  readonly bytes: Buffer;
  /** How the file was protected before it was written anew; absent where it is sent as it is. */
  readonly reencodedFrom?: string;
}

/** The file itself where it is TripleDES-SHA1 already, else a new one with the same key, leaf, chain and password. */
export function encodeForService(file: Uint8Array, certificate: ClientCertificate, password: string): EncodedPfx {
  if (certificate.isTripleDesSha1) return { bytes: Buffer.from(file) };
  return { bytes: writeTripleDesSha1(certificate, password), reencodedFrom: protection(certificate) };
}

/**
 * A PKCS#12 file (RFC 7292) in DER: key and certificates in PBE-SHA1-3DES, HMAC-SHA1, 2,048 iterations, fresh salts.
 * Every reader of such files knows these.
 */
export function writeTripleDesSha1(certificate: ClientCertificate, password: string): Buffer {
  const { leaf, privateKey, chain } = certificate;
  const secret = bmpString(password);
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  try {
    const mark = attribute(OID.localKeyId, octets(digestOf('sha1', leaf.raw, 'buffer')));
    const certificates = sequenceOf(certificateBag(leaf.raw, mark), ...chain.map(({ raw }) => certificateBag(raw)));
    const { algorithm, ciphertext } = encrypt(certificates, secret);
    const encryptedCertificates = sequenceOf(
      unsigned(0),
      sequenceOf(oid(OID.data), algorithm, element(0x80, ciphertext)),
    );
    const authSafe = sequenceOf(
      contentInfo(OID.encryptedData, encryptedCertificates),
      contentInfo(OID.data, octets(sequenceOf(keyBag(pkcs8, secret, mark)))),
    );
    return sequenceOf(unsigned(3), contentInfo(OID.data, octets(authSafe)), macData(authSafe, secret));
  } finally {
    pkcs8.fill(0);
    secret.fill(0);
  }
}

/** In words, such as `AES-256`, or `RC2-40 with a TripleDES-SHA1 key`. */
function protection({ encryption }: ClientCertificate): string {
  const { key, certificates, mac } = encryption;
  if (key !== certificates) return `${certificates} (certificates) and ${key} (key)`;
  return key === 'TripleDES-SHA1' && mac !== 'HMAC-SHA1' ? `${key} with ${mac === 'none' ? 'no MAC' : mac}` : key;
}

function contentInfo(type: string, content: Uint8Array): Buffer {
  return sequenceOf(oid(type), explicit(0, content));
}

function certificateBag(der: Uint8Array, ...attributes: readonly Uint8Array[]): Buffer {
  const value = sequenceOf(oid(OID.x509Certificate), explicit(0, octets(der)));
  return bag(OID.certificateBag, value, attributes);
}

function keyBag(pkcs8: Buffer, secret: Buffer, ...attributes: readonly Uint8Array[]): Buffer {
  const { algorithm, ciphertext } = encrypt(pkcs8, secret);
  return bag(OID.shroudedKeyBag, sequenceOf(algorithm, octets(ciphertext)), attributes);
}

function bag(type: string, value: Uint8Array, attributes: readonly Uint8Array[]): Buffer {
  return sequenceOf(oid(type), explicit(0, value), ...(attributes.length === 0 ? [] : [setOf(...attributes)]));
}

function attribute(type: string, value: Uint8Array): Buffer {
  return sequenceOf(oid(type), setOf(value));
}

/** pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C). */
function encrypt(plaintext: Buffer, secret: Buffer): { algorithm: Buffer; ciphertext: Buffer } {
  const salt = randomBytes(SALT_LENGTH);
  const key = derive(secret, salt, PURPOSE.key, 24);
  const cipher = createCipheriv('des-ede3-cbc', key, derive(secret, salt, PURPOSE.iv, 8));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  key.fill(0);
  return { algorithm: sequenceOf(oid(OID.tripleDesSha1), sequenceOf(octets(salt), unsigned(ITERATIONS))), ciphertext };
}

/** MacData (RFC 7292, appendix A). */
function macData(authSafe: Buffer, secret: Buffer): Buffer {
  const salt = randomBytes(SALT_LENGTH);
  const key = derive(secret, salt, PURPOSE.mac, 20);
  const digest = createHmac('sha1', key).update(authSafe).digest();
  key.fill(0);
  const digestInfo = sequenceOf(sequenceOf(oid(OID.sha1), nothing()), octets(digest));
  return sequenceOf(digestInfo, octets(salt), unsigned(ITERATIONS));
}

function derive(secret: Buffer, salt: Buffer, purpose: 1 | 2 | 3, length: number): Buffer {
  return pkcs12Kdf(HASHES.sha1, secret, salt, ITERATIONS, purpose, length, new WorkBudget());
}
