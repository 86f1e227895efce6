/**
 * Makes .pfx files for the demo and the tests: the kind that the service takes, and the kind that today's tools export and
 * that it rejects. Shared with nothing in src/.
 * @see RFC 7292, appendix A (the structures) and B (the MAC's key)
 */
import forge from 'node-forge';
import { createHmac, randomBytes } from 'node:crypto';
import type { ClientCertificate } from './certificates.ts';

const { asn1 } = forge;
type Asn1 = forge.asn1.Asn1;

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';

const FORMATS = {
  /** `openssl pkcs12 -export -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1` */
  '3des': { encryption: { algorithm: '3des' }, hash: 'sha1', hashOid: '1.3.14.3.2.26' },
  /** `openssl pkcs12 -export` of OpenSSL 3 */
  aes256: {
    encryption: { algorithm: 'aes256', prfAlgorithm: 'sha256' },
    hash: 'sha256',
    hashOid: '2.16.840.1.101.3.4.2.1',
  },
} as const;

type Source = Pick<ClientCertificate, 'certificatePem'> &
  Partial<Pick<ClientCertificate, 'keyPem'>> & {
    /** PEM of what goes in after the certificate, such as its issuers. */
    readonly chainPem?: string;
  };

/** What OpenSSL and most other tools derive a key with. */
export const USUAL_ITERATIONS = 2048;
/** Enough to see that they are counted; with as many as usual, a file takes a fifth of a second to make. */
const FEW_ITERATIONS = 100;

/** Files made before, by everything that went into them: they are asked for again and again. */
const made = new Map<string, Buffer>();

/** The certificate with its key and its chain, as far as it has them, in a .pfx, the same whenever it is asked for; `3des` is the only kind that the service takes. */
export function pfxOf(
  certificate: Source,
  password: string,
  kind: keyof typeof FORMATS = '3des',
  iterations = FEW_ITERATIONS,
): Buffer {
  const { certificatePem, keyPem, chainPem } = certificate;
  const name = JSON.stringify([certificatePem, keyPem, chainPem, password, kind, iterations]);
  const file = made.get(name) ?? makePfx(certificate, password, kind, iterations);
  made.set(name, file);
  // A copy, so that whoever changes it changes no other's.
  return Buffer.from(file);
}

function makePfx(certificate: Source, password: string, kind: keyof typeof FORMATS, iterations: number): Buffer {
  const { encryption, hash, hashOid } = FORMATS[kind];
  // The older scheme derives its key from the password in UTF-16, the newer one in UTF-8.
  const passphrase = kind === '3des' ? password : forge.util.encodeUtf8(password);
  const encrypted = (content: Asn1): Asn1 =>
    forge.pki.encryptPrivateKeyInfo(content, passphrase, { ...encryption, count: iterations });

  const certificates = forge.pem.decode(certificate.certificatePem + (certificate.chainPem ?? ''));
  const bags = certificates.map(({ body }) =>
    bag(CERTIFICATE_BAG, sequence(oid(X509_CERTIFICATE), tagged(octets(body)))),
  );
  const safe = sequence(
    ...(certificate.keyPem === undefined
      ? []
      : [data(sequence(bag(SHROUDED_KEY_BAG, encrypted(keyIn(certificate.keyPem)))))]),
    encryptedData(encrypted(sequence(...bags))),
  );

  const salt = randomBytes(8).toString('binary');
  const md = forge.md[hash].create();
  const macKey = forge.pkcs12.generateKey(password, forge.util.createBuffer(salt), 3, iterations, md.digestLength, md);
  const digest = createHmac(hash, Buffer.from(macKey.getBytes(), 'binary'))
    .update(derOf(safe), 'binary')
    .digest('binary');
  const algorithm = sequence(oid(hashOid), asn1.create(asn1.Class.UNIVERSAL, asn1.Type.NULL, false, ''));
  const mac = sequence(sequence(algorithm, octets(digest)), octets(salt), integer(iterations));

  return Buffer.from(derOf(sequence(integer(3), data(safe), mac)), 'binary');
}

function keyIn(pem: string): Asn1 {
  return asn1.fromDer(forge.pem.decode(pem)[0]?.body ?? '');
}

function data(content: Asn1): Asn1 {
  return sequence(oid(DATA), tagged(octets(derOf(content))));
}

/** EncryptedData from an EncryptedPrivateKeyInfo: both are an algorithm and what it encrypted. */
function encryptedData(encrypted: Asn1): Asn1 {
  const [algorithm, ciphertext] = encrypted.value as [Asn1, Asn1];
  const content = asn1.create(asn1.Class.CONTEXT_SPECIFIC, asn1.Type.NONE, false, ciphertext.value);
  return sequence(oid(ENCRYPTED_DATA), tagged(sequence(integer(0), sequence(oid(DATA), algorithm, content))));
}

function bag(id: string, value: Asn1): Asn1 {
  return sequence(oid(id), tagged(value));
}

function tagged(value: Asn1): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, asn1.Type.NONE, true, [value]);
}

function sequence(...values: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, values);
}

function octets(binary: string): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, binary);
}

function oid(dotted: string): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(dotted).getBytes());
}

function integer(value: number): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.INTEGER, false, asn1.integerToDer(value).getBytes());
}

function derOf(value: Asn1): string {
  return asn1.toDer(value).getBytes();
}
