import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { explicit, octets, oid, sequenceOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { openPkcs12 } from '../../src/pkcs12/open.ts';
import { writePkcs12 } from '../../src/pkcs12/write.ts';
import { certificateIn, failureOf, FIXTURES, HEALTHY, openFixture, PASSWORD, readFixture } from './fixtures.ts';
import { PBMAC1_BAD, PBMAC1_GOOD } from './rfc9579.ts';

/** What Node's own OpenSSL, with its legacy provider, finds to be the leaf. */
const ORACLE = `
  const { createSecureContext, TLSSocket } = require('node:tls');
  const { Duplex } = require('node:stream');
  const files = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
  console.log(JSON.stringify(files.map(({ pfx, password }) => {
    const secureContext = createSecureContext({ pfx: Buffer.from(pfx, 'base64'), passphrase: password, ciphers: 'DEFAULT@SECLEVEL=0' });
    const socket = new TLSSocket(new Duplex({ read() {}, write() {} }), { isServer: true, secureContext });
    return socket.getX509Certificate().fingerprint.replaceAll(':', '');
  })));
  process.exit(0);
`;

describe('what each maker writes', () => {
  test.each(FIXTURES)('$file of $maker', ({ file, password, thumbprint, failure }) => {
    if (failure === undefined) expect(openFixture(file, password).thumbprint).toBe(thumbprint);
    else expect(failureOf(() => openFixture(file, password)).code).toBe(failure);
  });

  test('opens with the same leaf in OpenSSL, which shares no line with this', () => {
    const input = HEALTHY.map(({ file, password }) => ({ pfx: readFixture(file).toString('base64'), password }));
    const child = spawnSync(process.execPath, ['--openssl-legacy-provider', '-e', ORACLE], {
      input: JSON.stringify(input),
      encoding: 'utf8',
    });
    expect(child.stderr).toBe('');
    expect(JSON.parse(child.stdout)).toEqual(
      HEALTHY.map(({ file, password }) => openFixture(file, password).thumbprint),
    );
  });
});

describe('what is told of a certificate', () => {
  test('an RSA key with its chain', () => {
    expect(openFixture('openssl-chain.pfx')).toMatchObject({
      keyType: 'rsa',
      keyBits: 2048,
      signatureAlgorithm: 'sha256WithRSAEncryption',
      subject: 'O=Example, CN=connector.example',
    });
    expect(openFixture('openssl-chain.pfx').chain.map(({ subject }) => subject)).toEqual([
      'O=Example\nCN=Throw-away CA',
    ]);
  });

  test('its dates, beyond 2050 too, are those that Node reads', () => {
    const { leaf, notAfter, notBefore } = openFixture('openssl-default.pfx');
    expect([notBefore, notAfter]).toEqual([leaf.validFromDate, leaf.validToDate]);
    expect(notAfter.getUTCFullYear()).toBeGreaterThan(2050);
  });

  test.each([
    ['openssl-ec.pfx', { keyType: 'ec', keyBits: 256 }],
    ['openssl-ed25519.pfx', { keyType: 'ed25519', keyBits: 256 }],
    ['openssl-small.pfx', { keyType: 'rsa', keyBits: 1024, weakSignatureHash: 'sha1', allowsDigitalSignature: false }],
  ])('%s', (file, facts) => {
    expect(openFixture(file)).toMatchObject(facts);
  });
});

test.each([
  ['openssl-default.pfx', { key: 'AES-256', certificates: 'AES-256', mac: 'HMAC-SHA256' }],
  ['openssl-legacy.pfx', { key: 'TripleDES-SHA1', certificates: 'RC2-40', mac: 'HMAC-SHA1' }],
  ['openssl-3des-no-mac.pfx', { key: 'TripleDES-SHA1', certificates: 'none', mac: 'none' }],
])('how %s is protected', (file, encryption) => {
  expect(openPkcs12(readFixture(file), PASSWORD).encryption).toEqual(encryption);
});

describe('passwords', () => {
  test.each([
    ['wrong', 'openssl-default.pfx', 'Passw0rd', /does not open/],
    ['wrong, without a MAC', 'openssl-no-mac.pfx', 'Passw0rd', /does not open/],
    [
      'with a line break at its end',
      'openssl-default.pfx',
      `${PASSWORD}\n`,
      /without the line break at its end it would/,
    ],
    ['with a blank at its start', 'openssl-3des.pfx', ` ${PASSWORD}`, /without the blanks at its start it would/],
    ['in quotation marks', 'openssl-3des.pfx', `"${PASSWORD}"`, /without the quotation marks/],
    ['where there is none', 'openssl-empty-password.pfx', 'secret', /the file has no password/],
  ])('%s', (_name, file, password, message) => {
    const failure = failureOf(() => openFixture(file, password));
    expect(failure.code).toBe('PFX_WRONG_PASSWORD');
    expect(failure.message).toMatch(message);
  });

  test('blanks at the ends belong to it', () => {
    expect(openFixture('openssl-blank.pfx', ' two blanks ').keyType).toBe('rsa');
    expect(failureOf(() => openFixture('openssl-blank.pfx', 'two blanks')).code).toBe('PFX_WRONG_PASSWORD');
  });

  test('accents typed in the other Unicode form', () => {
    expect(openFixture('openssl-umlaut.pfx', 'pässwörd'.normalize('NFD')).keyType).toBe('rsa');
  });

  test('wrong and not ASCII, with many rounds: the guesses at encodings do not hide that it is wrong', () => {
    const sha1 = sequenceOf(oid('1.3.14.3.2.26'));
    const mac = sequenceOf(sequenceOf(sha1, octets(Buffer.alloc(20))), octets(Buffer.alloc(8)), unsigned(1_200_000));
    const authSafe = sequenceOf(oid('1.2.840.113549.1.7.1'), explicit(0, octets(sequenceOf())));
    const slow = sequenceOf(unsigned(3), authSafe, mac);
    expect(failureOf(() => openPkcs12(slow, 'pässwörd')).code).toBe('PFX_WRONG_PASSWORD');
  });

  test('are in no failure, whatever is printed of it', () => {
    const secret = 'hunter2-hunter2';
    for (const { file } of FIXTURES) {
      const failure = failureOf(() => openFixture(file, secret));
      expect(inspect(failure, { depth: 9, showHidden: true }) + JSON.stringify(failure)).not.toContain(secret);
    }
  });
});

describe('PBMAC1: the examples of RFC 9579, appendix A', () => {
  test.each(Object.entries(PBMAC1_GOOD))('%s opens', (_name, base64) => {
    expect(openPkcs12(Buffer.from(base64, 'base64'), '1234').encryption.mac).toMatch(/^PBMAC1-SHA/);
  });

  test.each(Object.entries(PBMAC1_BAD))('%s does not', (_name, { base64, code }) => {
    expect(failureOf(() => openPkcs12(Buffer.from(base64, 'base64'), '1234')).code).toBe(code);
  });
});

describe('files that are not as they should be', () => {
  const file = readFixture('openssl-3des.pfx');

  test.each([
    ['cut off', file.subarray(0, -1), 'PFX_TRUNCATED'],
    ['followed by text', Buffer.concat([file, Buffer.from('done')]), 'PFX_TRAILING_DATA'],
    ['of version 2', Buffer.concat([file.subarray(0, 6), Buffer.of(2), file.subarray(7)]), 'PFX_INVALID'],
    [
      'with another MAC',
      Buffer.concat([file.subarray(0, -20), Buffer.of((file.at(-20) ?? 0) ^ 1), file.subarray(-19)]),
      'PFX_DAMAGED',
    ],
  ])('%s', (_name, bytes, code) => {
    expect(failureOf(() => openPkcs12(bytes, PASSWORD)).code).toBe(code);
  });

  test.each(['\n', '\r\n', '\0\0\0'])('followed by %j, which harms nobody', (tail) => {
    expect(openPkcs12(Buffer.concat([file, Buffer.from(tail)]), PASSWORD).certificates).toHaveLength(1);
  });

  test('with a hostile iteration count: refused before it is worked off', () => {
    const data = oid('1.2.840.113549.1.7.1');
    const sha1 = sequenceOf(oid('1.3.14.3.2.26'));
    const mac = sequenceOf(
      sequenceOf(sha1, octets(Buffer.alloc(20))),
      octets(Buffer.alloc(8)),
      unsigned(2_147_483_647),
    );
    const hostile = sequenceOf(unsigned(3), sequenceOf(data, explicit(0, octets(sequenceOf()))), mac);
    const failure = failureOf(() => openPkcs12(hostile, PASSWORD));
    expect(failure.code).toBe('PFX_TOO_MANY_ITERATIONS');
    expect(failure.message).toContain('2,147,483,647');
  });

  test('with a key that belongs to another certificate', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const written = writePkcs12({ ...openFixture('openssl-default.pfx'), privateKey }, PASSWORD);
    const failure = failureOf(() => certificateIn(written));
    expect(failure.code).toBe('PFX_KEY_MISMATCH');
    expect(failure.message).toContain('CN=connector.example');
  });

  test('several keys: says whose', () => {
    expect(failureOf(() => openFixture('java-several-keys.pfx')).message).toMatch(
      /"CN=key1\.example"; "CN=key2\.example"/,
    );
  });
});
