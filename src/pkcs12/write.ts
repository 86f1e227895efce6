/** Writes a PKCS#12 file the way the service accepts it: TripleDES-SHA1 throughout. */
import {
  createCipheriv,
  createHmac,
  hash as digestOf,
  randomBytes,
  type KeyObject,
  type X509Certificate,
} from 'node:crypto';
import { element, explicit, nothing, octets, oid, sequenceOf, setOf, unsigned } from './asn1/der.ts';
import { OID } from './asn1/oids.ts';
import { HASHES, pkcs12Kdf, PURPOSE } from './crypto/kdf.ts';
import { bmpString } from './crypto/password.ts';

/** What OpenSSL, Windows and the service have agreed on for twenty years. */
const ITERATIONS = 2048;
const SALT_LENGTH = 8;

/** What goes into the file. */
export interface Pkcs12Entry {
  readonly leaf: X509Certificate;
  /** The leaf's issuers, in order. */
  readonly chain: readonly X509Certificate[];
  readonly privateKey: KeyObject;
}

/**
 * A PKCS#12 file (RFC 7292) in DER: key and certificates in PBE-SHA1-3DES, HMAC-SHA1, 2,048 iterations, new random
 * salts. Every reader of such files knows these. The structure is what OpenSSL writes with
 * `openssl pkcs12 -export -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1`.
 */
export function writePkcs12({ leaf, chain, privateKey }: Pkcs12Entry, password: string): Buffer {
  const secret = bmpString(password);
  const mark = attribute(OID.localKeyId, octets(digestOf('sha1', leaf.raw, 'buffer')));
  const certificates = sequenceOf(certificateBag(leaf.raw, mark), ...chain.map(({ raw }) => certificateBag(raw)));
  const { algorithm, ciphertext } = encrypt(certificates, secret);
  const encryptedData = sequenceOf(unsigned(0), sequenceOf(oid(OID.data), algorithm, element(0x80, ciphertext)));
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
  const authSafe = sequenceOf(
    contentInfo(OID.encryptedData, encryptedData),
    contentInfo(OID.data, octets(sequenceOf(keyBag(pkcs8, secret, mark)))),
  );
  return sequenceOf(unsigned(3), contentInfo(OID.data, octets(authSafe)), macData(authSafe, secret));
}

function contentInfo(type: string, content: Uint8Array): Buffer {
  return sequenceOf(oid(type), explicit(0, content));
}

function certificateBag(der: Uint8Array, ...attributes: readonly Uint8Array[]): Buffer {
  const value = sequenceOf(oid(OID.x509Certificate), explicit(0, octets(der)));
  return bag(OID.certBag, value, attributes);
}

function keyBag(pkcs8: Buffer, secret: Buffer, ...attributes: readonly Uint8Array[]): Buffer {
  const { algorithm, ciphertext } = encrypt(pkcs8, secret);
  return bag(OID.pkcs8ShroudedKeyBag, sequenceOf(algorithm, octets(ciphertext)), attributes);
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
  return {
    algorithm: sequenceOf(oid(OID.pbeWithSHAAnd3KeyTripleDESCBC), sequenceOf(octets(salt), unsigned(ITERATIONS))),
    ciphertext,
  };
}

/** MacData (RFC 7292, appendix A). */
function macData(authSafe: Buffer, secret: Buffer): Buffer {
  const salt = randomBytes(SALT_LENGTH);
  const key = derive(secret, salt, PURPOSE.mac, 20);
  const digest = createHmac('sha1', key).update(authSafe).digest();
  const digestInfo = sequenceOf(sequenceOf(oid(OID.sha1), nothing()), octets(digest));
  return sequenceOf(digestInfo, octets(salt), unsigned(ITERATIONS));
}

function derive(secret: Buffer, salt: Buffer, purpose: 1 | 2 | 3, length: number): Buffer {
  return pkcs12Kdf(HASHES.sha1, salt, ITERATIONS, purpose, length).derive(secret);
}
