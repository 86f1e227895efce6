/** What other files in DER are called. */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { refuseOtherFormats } from '../../src/certificate/other-formats.ts';
import { octets, oid, sequenceOf, unsigned, utf8 } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';
import { failureOf, openFixture } from '../pkcs12/fixtures.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const algorithm = sequenceOf(oid(OID.ecPublicKey));

describe('DER that is no .pfx', () => {
  test.each<[string, Buffer, string, RegExp]>([
    ['a key in PKCS#8', rsa.privateKey.export({ type: 'pkcs8', format: 'der' }), 'PFX_NOT_PKCS12', /bare private key/],
    ['a key in PKCS#1', rsa.privateKey.export({ type: 'pkcs1', format: 'der' }), 'PFX_NOT_PKCS12', /bare private key/],
    ['a key in SEC 1', ec.privateKey.export({ type: 'sec1', format: 'der' }), 'PFX_NOT_PKCS12', /bare private key/],
    ['a public key', ec.publicKey.export({ type: 'spki', format: 'der' }), 'PFX_NOT_PKCS12', /a bare key/],
    [
      'a certificate request',
      sequenceOf(sequenceOf(unsigned(0), sequenceOf()), algorithm),
      'PFX_NOT_PKCS12',
      /certificate request/,
    ],
    ['a certificate', openFixture('openssl-ec.pfx').leaf.raw, 'PFX_IS_CERTIFICATE', /without its private key/],
    [
      'a certificate of version 1',
      sequenceOf(sequenceOf(unsigned(7), algorithm), algorithm),
      'PFX_IS_CERTIFICATE',
      /without its private key/,
    ],
    ['PKCS#7', sequenceOf(oid(OID.signedData), octets(Buffer.of(1))), 'PFX_IS_PKCS7', /\.p7b/],
    ['an INTEGER and something else', sequenceOf(unsigned(3), utf8('x')), 'PFX_NOT_PKCS12', /no PKCS#12 file/],
    ['another OID', sequenceOf(oid('1.2.3')), 'PFX_NOT_PKCS12', /no PKCS#12 file/],
    ['text', sequenceOf(utf8('x')), 'PFX_NOT_PKCS12', /no PKCS#12 file/],
  ])('%s', (_name, bytes, code, message) => {
    const failure = failureOf(() => {
      refuseOtherFormats(bytes);
    });
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
    expect(failure.remedy).not.toBe('');
  });

  test.each([
    ['nothing in it', sequenceOf()],
    ['its version only', sequenceOf(unsigned(3))],
    ['its version and the beginning of its content', Buffer.from('308205020201033082', 'hex')],
  ])('what is cut off may be a .pfx: %s', (_name, bytes) => {
    expect(() => {
      refuseOtherFormats(bytes);
    }).not.toThrow();
  });
});
