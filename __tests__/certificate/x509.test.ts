/** The fields of a certificate, and what is said of one that lacks them. */
import { describe, expect, test } from '@jest/globals';
import { readCertificate, readKeyIdentifiers, readSignatureOid } from '../../src/certificate/x509.ts';
import { bits, element, explicit, nothing, octets, oid, sequenceOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';
import { failureOf } from '../pkcs12/fixtures.ts';
import { issuerAndSerial, keyIdentifiers, keyUsage, purposes } from './made.ts';

const RSA = sequenceOf(oid(OID.sha256WithRSAEncryption), nothing());
const PUBLIC_KEY = sequenceOf(sequenceOf(oid(OID.ed25519)), bits(Buffer.of(1, 2, 3)));

interface Parts {
  readonly publicKey?: Buffer;
  /** What comes after the public key. */
  readonly rest?: readonly Buffer[];
  readonly signed?: Buffer;
  /** What comes after the signed part. */
  readonly signature?: readonly Buffer[];
}

function certificateOf({ publicKey = PUBLIC_KEY, rest = [], signed = RSA, signature = [signed] }: Parts = {}): Buffer {
  const name = sequenceOf();
  const tbs = sequenceOf(
    explicit(0, unsigned(2)),
    unsigned(1),
    signed,
    name,
    sequenceOf(),
    name,
    ...(publicKey.length > 0 ? [publicKey] : []),
    ...rest,
  );
  return sequenceOf(tbs, ...signature);
}

const extended = (...extensions: readonly Buffer[]): Buffer =>
  certificateOf({ rest: [explicit(3, sequenceOf(...extensions))] });
const pss = (...parameters: readonly Buffer[]): Buffer =>
  certificateOf({ signed: sequenceOf(oid(OID.rsassaPss), sequenceOf(...parameters)) });

describe('a field that is not as it should be is named', () => {
  const lacksSignature = certificateOf({ signature: [] });
  const oddSignature = certificateOf({ signed: sequenceOf(unsigned(1)) });
  test.each<[string, (der: Buffer) => unknown, Buffer, string]>([
    ['no certificate at all', readCertificate, unsigned(1), 'a certificate'],
    ['nothing that is signed', readCertificate, sequenceOf(unsigned(1)), 'a certificate'],
    ['nothing in what is signed', readCertificate, sequenceOf(sequenceOf(), RSA), 'the public key of a certificate'],
    ['no signature', readCertificate, lacksSignature, 'the signature of a certificate'],
    ['no signature to compare', readSignatureOid, lacksSignature, 'the signature of a certificate'],
    ['a signature without an OID', readCertificate, oddSignature, 'the signature of a certificate'],
    ['a signature to compare without an OID', readSignatureOid, oddSignature, 'the signature of a certificate'],
    [
      'no public key',
      readCertificate,
      certificateOf({ publicKey: Buffer.alloc(0) }),
      'the public key of a certificate',
    ],
    [
      'a public key of another type',
      readCertificate,
      certificateOf({ publicKey: sequenceOf(RSA, unsigned(1)) }),
      'a bit string of a certificate',
    ],
    [
      'extensions that are no list',
      readCertificate,
      certificateOf({ rest: [explicit(3, unsigned(1))] }),
      'the extensions of a certificate',
    ],
    ['an extension that is a number', readCertificate, extended(unsigned(1)), 'an extension of a certificate'],
    [
      'an extension without an OID',
      readCertificate,
      extended(sequenceOf(unsigned(1))),
      'an extension of a certificate',
    ],
    [
      'an extension without a value',
      readCertificate,
      extended(sequenceOf(oid(OID.keyUsage), unsigned(1))),
      'an extension of a certificate',
    ],
    [
      'purposes that are no list',
      readCertificate,
      extended(sequenceOf(oid(OID.extendedKeyUsage), octets(unsigned(1)))),
      'the extended key usage',
    ],
    [
      'a purpose that is no OID',
      readCertificate,
      extended(sequenceOf(oid(OID.extendedKeyUsage), octets(sequenceOf(unsigned(1))))),
      'the extended key usage',
    ],
    ['a hash that is a number', readCertificate, pss(explicit(0, unsigned(1))), 'the hash of a signature'],
    ['a hash without an OID', readCertificate, pss(explicit(0, sequenceOf(unsigned(1)))), 'the hash of a signature'],
    [
      'a key identifier of another type',
      readKeyIdentifiers,
      extended(sequenceOf(oid(OID.subjectKeyIdentifier), octets(unsigned(1)))),
      'a key identifier',
    ],
    [
      'an identifier of the issuer of another type',
      readKeyIdentifiers,
      extended(sequenceOf(oid(OID.authorityKeyIdentifier), octets(unsigned(1)))),
      'the key identifier of an issuer',
    ],
  ])('%s', (_name, read, der, field) => {
    const failure = failureOf(() => read(der));
    expect(failure.code).toBe('PFX_INVALID');
    expect(failure.message).toBe(`The .pfx is malformed: ${field} is missing or of another type.`);
  });
});

describe('the fields of a certificate', () => {
  const uniqueId = element(0x81, Buffer.of(0, 1));

  test('are read behind a unique identifier of the issuer', () => {
    const extensions = sequenceOf(keyUsage(0x80), purposes(OID.clientAuth), ...keyIdentifiers('0a', '0b'));
    const der = certificateOf({ rest: [uniqueId, explicit(3, extensions)] });
    expect(readCertificate(der)).toEqual({
      signatureOid: OID.sha256WithRSAEncryption,
      pssHashOid: undefined,
      digitalSignature: true,
      extendedKeyUsage: [OID.clientAuth],
      publicKeyBits: Buffer.of(1, 2, 3),
    });
    expect(readKeyIdentifiers(der)).toEqual({ own: '0a', issuer: '0b', namesIssuer: true });
  });

  test('are undefined where the certificate has none', () => {
    for (const der of [certificateOf(), certificateOf({ rest: [uniqueId] })]) {
      expect(readCertificate(der)).toMatchObject({ digitalSignature: undefined, extendedKeyUsage: undefined });
      expect(readKeyIdentifiers(der)).toEqual({ own: undefined, issuer: undefined, namesIssuer: false });
    }
  });

  test('an issuer by its name and serial number has no key identifier', () => {
    const der = extended(issuerAndSerial('CA', 7));
    expect(readKeyIdentifiers(der)).toEqual({ own: undefined, issuer: undefined, namesIssuer: true });
  });

  const hashOf = (id: string): Buffer => sequenceOf(explicit(0, sequenceOf(oid(id))));
  test.each<[string, Buffer, string | undefined]>([
    ['the one of RSASSA-PSS', sequenceOf(oid(OID.rsassaPss), hashOf(OID.sha256)), OID.sha256],
    // Its mask generation says nothing of it.
    [
      'the default of RSASSA-PSS',
      sequenceOf(oid(OID.rsassaPss), sequenceOf(explicit(1, sequenceOf(oid(OID.sha256))))),
      undefined,
    ],
    ['none for another signature', sequenceOf(oid(OID.sha256WithRSAEncryption), hashOf(OID.sha1)), undefined],
  ])('the hash of a signature is %s', (_name, signed, expected) => {
    expect(readCertificate(certificateOf({ signed })).pssHashOid).toBe(expected);
  });

  test.each<[string, Parts, string | undefined]>([
    ['the same in both places', {}, OID.sha256WithRSAEncryption],
    ['another one next to the signature', { signature: [sequenceOf(oid(OID.sha1WithRSAEncryption))] }, undefined],
    ['other parameters', { signature: [sequenceOf(oid(OID.sha256WithRSAEncryption))] }, undefined],
  ])('the algorithm of a signature: %s', (_name, parts, expected) => {
    expect(readSignatureOid(certificateOf(parts))).toBe(expected);
  });
});
