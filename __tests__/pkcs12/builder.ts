/** PKCS#12 files with any structure, in the clear, for what no tool writes. Throw-away certificates to put into them. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createPrivateKey, X509Certificate, type KeyObject, type webcrypto } from 'node:crypto';
import { explicit, octets, oid, sequenceOf, setOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY = 86_400_000;

export type Keys = webcrypto.CryptoKeyPair;

export async function newKeys(): Promise<Keys> {
  return await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
}

export async function privateKeyOf({ privateKey }: Keys): Promise<KeyObject> {
  const der = await crypto.subtle.exportKey('pkcs8', privateKey);
  return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
}

/** A certificate; self-signed without an issuer. Its time in days from now. */
export async function certificate(
  subject: string,
  keys: Keys,
  { from = -1, to = 365, issuer = { name: subject, keys } }: { from?: number; to?: number; issuer?: Issuer } = {},
): Promise<X509Certificate> {
  const made = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer.name,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ECDSA,
    notBefore: new Date(Date.now() + from * DAY),
    notAfter: new Date(Date.now() + to * DAY),
  });
  return new X509Certificate(Buffer.from(made.rawData));
}

export interface Issuer {
  readonly name: string;
  readonly keys: Keys;
}

/** PFX without a MAC, of one content for each list of bags; a Buffer is the content's octets as they are. */
export function pfxOfContents(...contents: readonly (readonly Buffer[] | Buffer)[]): Buffer {
  const infos = contents.map((content) => dataContent(Buffer.isBuffer(content) ? content : sequenceOf(...content)));
  return sequenceOf(unsigned(3), dataContent(sequenceOf(...infos)));
}

function dataContent(content: Buffer): Buffer {
  return sequenceOf(oid(OID.data), explicit(0, octets(content)));
}

export function bag(type: string, value: Buffer, ...attributes: readonly Buffer[]): Buffer {
  return sequenceOf(oid(type), explicit(0, value), ...(attributes.length > 0 ? [setOf(...attributes)] : []));
}

export function keyBag(key: KeyObject, ...attributes: readonly Buffer[]): Buffer {
  return bag(OID.keyBag, key.export({ type: 'pkcs8', format: 'der' }), ...attributes);
}

export function certificateBag(certificate: X509Certificate, ...attributes: readonly Buffer[]): Buffer {
  const value = sequenceOf(oid(OID.x509Certificate), explicit(0, octets(certificate.raw)));
  return bag(OID.certBag, value, ...attributes);
}

/** The attribute localKeyId with any value. */
export function localKeyId(value: Buffer = octets(Buffer.of(1))): Buffer {
  return sequenceOf(oid(OID.localKeyId), setOf(value));
}
