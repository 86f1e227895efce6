/** What is told of a certificate, and which key it belongs to. */
import { describe, expect, test } from '@jest/globals';
import { belongsTogether } from '../../src/certificate/client-certificate.ts';
import { openCertificate } from '../../src/certificate/upload.ts';
import { octets, oid, sequenceOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { writePkcs12 } from '../../src/pkcs12/write.ts';
import { failureOf } from '../pkcs12/fixtures.ts';
import { authority, brokenPurposes, made, rsaKeys } from './made.ts';

const keys = rsaKeys();

describe('an odd certificate next to the one of the key', () => {
  test.each([
    ['an extended key usage that is no list of OIDs', brokenPurposes()],
    ['a key usage that is no BIT STRING', sequenceOf(oid('2.5.29.15'), octets(unsigned(1)))],
  ])('does not block the upload: %s', (_name, extension) => {
    const issuer = made('CA', { extensions: [authority(), extension] });
    const { certificate } = made('leaf', { keys, issuer });
    const file = writePkcs12({ leaf: certificate, chain: [issuer.certificate], ...keys }, 'pw');
    const { upload } = openCertificate({ content: file, password: 'pw', notes: [] }, new Date());
    expect(upload.certificate).toMatchObject({ leaf: { raw: certificate.raw }, subject: 'CN=leaf' });
  });

  test('one without a public key that can be read belongs to no key', () => {
    const { certificate } = made('odd', {
      publicKey: sequenceOf(sequenceOf(oid('1.2.3')), Buffer.of(0x03, 0x01, 0x00)),
    });
    expect(belongsTogether(certificate, keys.privateKey)).toBe(false);
  });

  test('an RSA key that is for OAEP by its certificate belongs to it', () => {
    const spki = keys.publicKey.export({ type: 'spki', format: 'der' });
    const bits = spki.subarray(spki.indexOf(Buffer.of(0x03, 0x82)));
    const oaep = sequenceOf(sequenceOf(oid('1.2.840.113549.1.1.7'), sequenceOf()), bits);
    expect(belongsTogether(made('oaep', { keys, publicKey: oaep }).certificate, keys.privateKey)).toBe(true);
    expect(belongsTogether(made('oaep', { keys, publicKey: oaep }).certificate, rsaKeys().privateKey)).toBe(false);
  });

  test('of the leaf itself, it is an error', () => {
    const { certificate } = made('leaf', { keys, extensions: [brokenPurposes()] });
    const file = writePkcs12({ leaf: certificate, chain: [], ...keys }, 'pw');
    const failure = failureOf(() => openCertificate({ content: file, password: 'pw', notes: [] }, new Date()));
    expect(failure.code).toBe('PFX_INVALID');
    expect(failure.message).toMatch(/extended key usage/);
  });
});
