/** What a source gave, on its way to what is sent, and what the log says of it. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { generateKeyPairSync, type KeyObject, type X509Certificate } from 'node:crypto';
import { describeCertificate, thumbprintOf } from '../../src/certificate/client-certificate.ts';
import { openCertificate, privateKeyForms } from '../../src/certificate/upload.ts';
import { openPkcs12 } from '../../src/pkcs12/open.ts';
import { certificate, certificateBag, keyBag, newKeys, pfxOfContents, privateKeyOf } from '../pkcs12/builder.ts';
import { openFixture, PASSWORD, readFixture } from '../pkcs12/fixtures.ts';
import { made } from './made.ts';

const now = new Date();
const opened = (content: string | Buffer, password: string): ReturnType<typeof openCertificate> =>
  openCertificate({ content, password, notes: ['Read from somewhere.'] }, now);

describe('what is sent', () => {
  let privateKey: KeyObject;
  let certificates: X509Certificate[];
  beforeAll(async () => {
    const keys = await newKeys();
    const issuer = { name: 'CN=Issuing', keys: await newKeys() };
    privateKey = await privateKeyOf(keys);
    certificates = [
      await certificate('CN=connector', keys, { to: 3650 }),
      await certificate('CN=connector', keys, { issuer, from: -90, to: -1 }),
      await certificate('CN=Stranger', await newKeys()),
      await certificate(issuer.name, issuer.keys),
      await certificate('CN=connector', keys, { issuer }),
    ];
  });

  test('is one certificate of the key, its issuers, the key, and the password, whatever else was in the file', () => {
    const file = pfxOfContents(
      certificates.map((each) => certificateBag(each)),
      [keyBag(privateKey), keyBag(privateKey)],
    );
    const { upload, notes } = opened(file, PASSWORD);
    const sent = openPkcs12(Buffer.from(upload.pkcs12Value, 'base64'), upload.password);
    expect(upload.password).toBe(PASSWORD);
    expect(sent.privateKeys.map(({ key }) => key.equals(privateKey))).toEqual([true]);
    expect(sent.certificates.map((entry) => thumbprintOf(entry.certificate))).toEqual(
      [certificates[4], certificates[3]].map((each) => each && thumbprintOf(each)),
    );
    expect(notes.slice(2)).toEqual([
      expect.stringMatching(/fits 3 certificates: .*\(self-signed\).*\(expired on /),
      'Left out, as no part of the chain: "CN=Stranger".',
      'Written again as TripleDES-SHA1, which the service accepts (it was not encrypted); key, certificate and password are unchanged.',
    ]);
  });
});

describe('what the log says', () => {
  test('what was found, what was odd about the way it came, what was done', () => {
    const { notes } = opened(`PFX=${readFixture('openssl-legacy.pfx').toString('base64')}`, PASSWORD);
    expect(notes).toEqual([
      expect.stringMatching(/^Certificate [0-9A-F]{40}, O=Example, CN=connector\.example: RSA 2048, valid from /),
      'Read from somewhere.',
      'Only the base64 was used; a name before it was left out.',
      'Written again as TripleDES-SHA1, which the service accepts (it was RC2-40 (certificates) and TripleDES-SHA1 (key)); key, certificate and password are unchanged.',
    ]);
  });
});

test('a file that is TripleDES-SHA1 already is written again, and the log says why', () => {
  expect(opened(readFixture('openssl-3des.pfx'), PASSWORD).notes.at(-1)).toBe(
    'The .pfx is TripleDES-SHA1 already, which the service accepts. It is written again all the same, so that nothing else in it is sent; key, certificate and password are unchanged.',
  );
});

test('of PEM, the log says what it was', () => {
  expect(opened(readFixture('pem/pkcs8.pem'), '').notes.at(-1)).toBe(
    'Written again as TripleDES-SHA1, which the service accepts (it was PEM); key, certificate and password are unchanged.',
  );
});

describe('what is to be masked', () => {
  const pemKey = (): string[] =>
    openFixture('openssl-default.pfx')
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString()
      .split('\n')
      .filter((line) => line.length >= 16 && !line.startsWith('-----'));

  test('of a .pfx: it, what is sent, and the key, on one line and line by line', () => {
    const file = readFixture('openssl-default.pfx');
    const { secrets, upload } = opened(file, PASSWORD);
    const key = upload.certificate.privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
    expect(new Set(secrets)).toEqual(new Set([file.toString('base64'), upload.pkcs12Value, key, ...pemKey()]));
  });

  test('of PEM: the lines of the key as it was given, too; certificates are public', () => {
    const text = readFixture('pem/pkcs1.pem').toString();
    const { secrets } = opened(Buffer.from(text), '');
    const lines = (label: string): string[] =>
      (text.split(`-----BEGIN ${label}-----\n`)[1]?.split('\n-----END')[0] ?? '').split('\n');
    const [key, certificate] = [lines('RSA PRIVATE KEY'), lines('CERTIFICATE')];
    expect(secrets).toEqual(expect.arrayContaining(key.filter((line) => line.length >= 16)));
    expect(secrets.filter((secret) => certificate.includes(secret))).toEqual([]);
    expect(secrets).toContain(Buffer.from(text).toString('base64'));
  });

  test('no line that the key has in common with its certificate, where the public key begins at the same place', async () => {
    const rsa = {
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      publicExponent: new Uint8Array([1, 0, 1]),
      modulusLength: 2048,
    };
    const keys = await crypto.subtle.generateKey(rsa, true, ['sign', 'verify']);
    const issuer = { name: 'CN=Issuing', keys: await newKeys() };
    const pem = (await privateKeyOf(keys)).export({ type: 'pkcs8', format: 'pem' }).toString();
    let common: string[] = [];
    for (let attempt = 1; common.length === 0 && attempt <= 1000; attempt += 1) {
      const text = `${(await certificate(`CN=${'a'.repeat(1 + (attempt % 48))}`, keys, { issuer })).toString()}${pem}`;
      const [published = [], own = []] = text.split('-----BEGIN PRIVATE KEY-----').map((part) => part.split('\n'));
      common = own.filter((line) => line.length === 64 && published.includes(line));
      if (common.length === 0) continue;
      const { secrets } = opened(Buffer.from(text), '');
      expect(secrets.filter((secret) => published.includes(secret))).toEqual([]);
      expect(secrets).toEqual(
        expect.arrayContaining(own.filter((line) => line.length === 64 && !published.includes(line))),
      );
    }
    expect(common).not.toEqual([]);
  });

  test.each([
    [15, false],
    [16, true],
  ])('of a key in lines of %d letters: %s', (length, expected) => {
    let lines: readonly string[] = [];
    const text = readFixture('pem/pkcs8.pem').toString();
    const wrapped = text.replace(/(?<=PRIVATE KEY-----\n)[^-]+(?=\n-----END PRIVATE KEY)/, (digits) => {
      lines = digits.replaceAll('\n', '').match(new RegExp(`.{1,${length}}`, 'g')) ?? [];
      return lines.join('\n');
    });
    const { secrets } = opened(wrapped, '');
    expect(lines.slice(0, -1).every((line) => secrets.includes(line))).toBe(expected);
    expect(lines.some((line) => secrets.includes(line))).toBe(expected);
  });

  // By the length of the last line of its PEM.
  test.each([
    ['secp521r1', 4, false],
    ['c2pnb304w1', 16, true],
  ])('the last line of a key on %s has %d letters: %s', (namedCurve, length, expected) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
    const { certificate: leaf } = made('leaf', { publicKey: publicKey.export({ type: 'spki', format: 'der' }) });
    const last = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().split('\n').at(-3) ?? '';
    expect(last).toHaveLength(length);
    expect(privateKeyForms(describeCertificate(leaf, privateKey, [])).includes(last)).toBe(expected);
  });

  test('nothing that is short', () => {
    const { secrets } = opened(readFixture('pem/pkcs8.pem'), '');
    expect(secrets.filter((secret) => secret.length < 16)).toEqual([]);
  });
});
