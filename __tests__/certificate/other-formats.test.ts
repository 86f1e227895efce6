/** What other files are called. */
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { refuseOtherFormats, refuseOtherText, unusableArmour } from '../../src/certificate/other-formats.ts';
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
    ['text, one deeper', sequenceOf(sequenceOf(utf8('x'))), 'PFX_NOT_PKCS12', /no PKCS#12 file/],
    ['a version of two bytes', sequenceOf(unsigned(256), utf8('x')), 'PFX_NOT_PKCS12', /no PKCS#12 file/],
    ['the version 2', sequenceOf(unsigned(2), utf8('x')), 'PFX_NOT_PKCS12', /no PKCS#12 file/],
    [
      'something else as long as the type of its content',
      sequenceOf(unsigned(3), sequenceOf(octets(Buffer.alloc(8)))),
      'PFX_NOT_PKCS12',
      /no PKCS#12 file/,
    ],
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
    ['its length only', Buffer.from('30e08041', 'hex')],
  ])('what is cut off may be a .pfx: %s', (_name, bytes) => {
    expect(() => {
      refuseOtherFormats(bytes);
    }).not.toThrow();
  });
});

describe('other bytes', () => {
  test.each(['', '000000'])('"%s" is nothing', (hex) => {
    const failure = failureOf(() => {
      refuseOtherFormats(Buffer.from(hex, 'hex'));
    });
    expect(failure).toMatchObject({ code: 'PFX_EMPTY', message: 'The .pfx is empty.' });
  });

  // By RFC 9580: what kind of packet it is, the format of its length, its version.
  test.each([
    ['a session key, its length in one byte', 'c10c03ff', 'PFX_IS_PGP_KEY', /gpg/],
    ['a session key, its length in two bytes', 'c1c00003', 'PFX_IS_PGP_KEY', /gpg/],
    ['a session key in the old format', '840c03', 'PFX_IS_PGP_KEY', /gpg/],
    ['a signature of version 3', '880003', 'PFX_NOT_PKCS12', /no PKCS#12 file/],
    ['a signature of version 4', '880004', 'PFX_NOT_PKCS12', /no PKCS#12 file/],
    ['a session key of an unknown version', '8c0009', 'PFX_NOT_PKCS12', /no PKCS#12 file/],
    ['no packet', '450104', 'PFX_NOT_PKCS12', /no PKCS#12 file/],
    ['letters of UTF-8 further on', '4130c280', 'PFX_NOT_PKCS12', /no PKCS#12 file/],
  ])('%s', (_name, hex, code, message) => {
    const failure = failureOf(() => {
      refuseOtherFormats(Buffer.from(hex, 'hex'));
    });
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
  });
});

test('text is known by its start, not by what follows much else', () => {
  expect(() => {
    refuseOtherText(`${'x'.repeat(4096)}$ANSIBLE_VAULT;1.1`);
  }).not.toThrow();
});

describe('PEM in which nothing can be used', () => {
  test.each([
    ['PGP beside a certificate', ['CERTIFICATE', 'PGP MESSAGE'], 'PFX_IS_PGP_KEY', 'a PGP key or message'],
    ['a key of SSH beside a certificate', ['CERTIFICATE', 'OPENSSH PRIVATE KEY'], 'PFX_IS_SSH_KEY', 'an SSH key'],
    ['PKCS#7 beside a certificate', ['CERTIFICATE', 'PKCS7'], 'PFX_IS_PKCS7', 'a PKCS#7 file (.p7b)'],
    ['CMS', ['CMS'], 'PFX_IS_PKCS7', 'a PKCS#7 file (.p7b)'],
    ['age', ['CERTIFICATE', 'AGE ENCRYPTED FILE'], 'PFX_NOT_PKCS12', 'a file encrypted with age'],
    [
      'kinds of which one is unknown',
      ['RSA PRIVATE KEY', 'PRIVATE KEY', 'X'],
      'PFX_IS_PEM',
      'a PEM file with a private key and something else',
    ],
    ['no blocks', [], 'PFX_IS_PEM', 'a PEM file with something that cannot be read'],
  ])('%s', (_name, labels, code, what) => {
    const message = `What was given as the .pfx is ${what}.`;
    expect(unusableArmour(labels)).toMatchObject({ code, message });
  });
});
