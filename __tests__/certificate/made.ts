/** Throw-away RSA certificates with any field, in DER, for what no tool writes. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  generatePrimeSync,
  sign,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import {
  bits,
  element,
  explicit,
  nothing,
  octets,
  oid,
  sequenceOf,
  setOf,
  time,
  unsigned,
  unsignedBytes,
  utf8,
  yes,
} from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';

const DAY = 86_400_000;

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export interface Made extends KeyPair {
  readonly certificate: X509Certificate;
}

export function rsaKeys(): KeyPair {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

/** An RSA key of three primes (RFC 8017, section 3.2), as `openssl genrsa -primes 3` makes them. */
export function threePrimeKeys(): KeyPair {
  const [p, q, r] = [1, 2, 3].map(() => generatePrimeSync(360, { bigint: true })) as [bigint, bigint, bigint];
  const e = 65_537n;
  const d = inverse(e, (p - 1n) * (q - 1n) * (r - 1n));
  const numbers = [p * q * r, e, d, p, q, d % (p - 1n), d % (q - 1n), inverse(q, p)].map(number);
  const third = sequenceOf(number(r), number(d % (r - 1n)), number(inverse(p * q, r)));
  const der = sequenceOf(unsigned(1), ...numbers, sequenceOf(third));
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs1' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function number(value: bigint): Buffer {
  const hex = value.toString(16);
  return unsignedBytes(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'));
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [modulus, value % modulus, 0n, 1n];
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return ((x % modulus) + modulus) % modulus;
}

/** Its time in days from now, or as it is in DER. */
export interface Fields {
  readonly keys?: KeyPair;
  /** Who signs it; else itself. */
  readonly issuer?: Made;
  readonly from?: number | Buffer;
  readonly to?: number | Buffer;
  readonly extensions?: readonly Buffer[];
  /** AlgorithmIdentifier of the signature; what is signed is SHA-256 with RSA, whatever this says. */
  readonly algorithm?: Buffer;
  readonly publicKey?: Buffer;
}

let serial = 1000;

export function made(name: string, { keys = rsaKeys(), issuer, ...fields }: Fields = {}): Made {
  const { from = -1, to = 365, extensions = [], algorithm = SHA256_WITH_RSA } = fields;
  const subject = nameOf(name);
  const publicKey = fields.publicKey ?? keys.publicKey.export({ type: 'spki', format: 'der' });
  const tbs = sequenceOf(
    explicit(0, unsigned(2)),
    unsigned(serial++),
    algorithm,
    issuer ? nameOf(issuer.certificate.subject.replace('CN=', '')) : subject,
    sequenceOf(timeOf(from), timeOf(to)),
    subject,
    publicKey,
    ...(extensions.length > 0 ? [explicit(3, sequenceOf(...extensions))] : []),
  );
  const signature = sign('sha256', tbs, (issuer ?? keys).privateKey);
  return { ...keys, certificate: new X509Certificate(sequenceOf(tbs, algorithm, bits(signature))) };
}

const SHA256_WITH_RSA = sequenceOf(oid(OID.sha256WithRSAEncryption), nothing());

function nameOf(text: string): Buffer {
  return sequenceOf(setOf(sequenceOf(oid(OID.commonName), utf8(text))));
}

function timeOf(days: number | Buffer): Buffer {
  return Buffer.isBuffer(days) ? days : time(new Date(Date.now() + days * DAY));
}

export function authority(): Buffer {
  return sequenceOf(oid(OID.basicConstraints), yes(), octets(sequenceOf(yes())));
}

/** The identifiers of the certificate's key and of its issuer's, in hex. */
export function keyIdentifiers(own: string, issuer: string): Buffer[] {
  return [
    sequenceOf(oid(OID.subjectKeyIdentifier), octets(octets(Buffer.from(own, 'hex')))),
    sequenceOf(oid(OID.authorityKeyIdentifier), octets(sequenceOf(element(0x80, Buffer.from(issuer, 'hex'))))),
  ];
}

/** The issuer by its own issuer's name and its serial number, as easy-rsa names it. */
export function issuerAndSerial(name: string, serial: number): Buffer {
  const general = element(0xa1, element(0xa4, nameOf(name)));
  return sequenceOf(oid(OID.authorityKeyIdentifier), octets(sequenceOf(general, element(0x82, Buffer.of(serial)))));
}

/** The first eight bits of a key usage. */
export function keyUsage(usage: number): Buffer {
  return sequenceOf(oid(OID.keyUsage), octets(bits(Buffer.of(usage))));
}

export function purposes(...oids: readonly string[]): Buffer {
  return sequenceOf(oid(OID.extendedKeyUsage), octets(sequenceOf(...oids.map(oid))));
}

/** An extended key usage that is no list of OIDs. */
export function brokenPurposes(): Buffer {
  return sequenceOf(oid(OID.extendedKeyUsage), octets(sequenceOf(unsigned(1))));
}
