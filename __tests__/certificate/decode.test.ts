import { describe, expect, test } from '@jest/globals';
import { decodePfxFile, decodePfxText } from '../../src/certificate/decode.ts';
import { writePkcs12 } from '../../src/pkcs12/write.ts';
import { certificateIn, failureOf, openFixture, PASSWORD, readFixture } from '../pkcs12/fixtures.ts';

const pfx = readFixture('openssl-default.pfx');
const base64 = pfx.toString('base64');
const wrapped = (width: number, end: string): string => base64.replace(new RegExp(`.{${width}}`, 'g'), `$&${end}`);
const spread = (text: string): string => Buffer.from(text, 'utf16le').toString('latin1');

describe('base64 in its disguises', () => {
  test.each([
    ['plain', base64],
    ['with a line break', `${base64}\n`],
    ['wrapped at 64', wrapped(64, '\n')],
    ['wrapped at 76 by Windows', wrapped(76, '\r\n')],
    ['with blanks', `  ${wrapped(10, ' ')}`],
    ['with a byte order mark', `\ufeff${base64}`],
    ['with a byte order mark misread', `ï»¿${base64}`],
    ['UTF-16 misread', spread(base64)],
    ['UTF-16 with its mark misread', `ÿþ${spread(base64)}`],
    ['url-safe', pfx.toString('base64url')],
    ['without padding', base64.replace(/=+$/, '')],
    ['in double quotation marks', `"${base64}"`],
    ['in single quotation marks', `'${base64}'\n`],
    ['with line breaks spelled out', wrapped(76, '\\n')],
    ['as a data URL', `data:application/x-pkcs12;base64,${base64}`],
    [
      'in the armour of certutil',
      `-----BEGIN CERTIFICATE-----\r\n${wrapped(64, '\r\n')}\r\n-----END CERTIFICATE-----\r\n`,
    ],
    ['twice', Buffer.from(base64).toString('base64')],
    ['twice, wrapped in between', Buffer.from(wrapped(76, '\n')).toString('base64')],
  ])('%s', (_name, text) => {
    expect(decodePfxText(text).bytes.equals(pfx)).toBe(true);
  });

  test('says what was unusual', () => {
    expect(decodePfxText(base64).notes).toEqual([]);
    expect(decodePfxText(Buffer.from(base64).toString('base64')).notes).toEqual([expect.stringMatching(/twice/)]);
  });

  test('padding of every length', () => {
    const certificate = openFixture('openssl-ec.pfx');
    const file = writePkcs12(certificate, PASSWORD);
    for (const tail of [0, 1, 2]) {
      const text = Buffer.concat([file, Buffer.alloc(tail)]).toString('base64');
      expect(certificateIn(decodePfxText(text).bytes).thumbprint).toBe(certificate.thumbprint);
    }
  });
});

describe('text that is no .pfx', () => {
  const pem = readFixture('certificate.pem').toString();
  const of = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
  const der = openFixture('openssl-default.pfx').leaf.raw;
  test.each([
    ['nothing', '', 'PFX_EMPTY', /empty/],
    ['blanks', ' \r\n\t', 'PFX_EMPTY', /empty/],
    ['quotation marks', '""', 'PFX_EMPTY', /empty/],
    ['words', 'this is not base64!', 'PFX_NOT_BASE64', /position/],
    ['a path', './certs/my.pfx', 'PFX_NOT_BASE64', /pfx-file/],
    ['a Windows path', 'C:\\certs\\my.pfx', 'PFX_NOT_BASE64', /pfx-file/],
    ['a mask', '***', 'PFX_NOT_BASE64', /mask/],
    ['an expression', '${{ secrets.PFX }}', 'PFX_NOT_BASE64', /expression/],
    ['one character more', `${base64.replace(/=+$/, '').slice(0, 1000)}A`, 'PFX_NOT_BASE64', /missing/],
    ['padding in the middle', `${base64.slice(0, 100)}==${base64.slice(100)}`, 'PFX_NOT_BASE64', /padding/],
    ['too much padding', `${base64.replace(/=+$/, '')}====`, 'PFX_NOT_BASE64', /padding/],
    ['a PEM certificate', pem, 'PFX_IS_PEM', /certificate/],
    ['a PEM certificate in base64', Buffer.from(pem).toString('base64'), 'PFX_IS_PEM', /certificate/],
    [
      'a PEM file of both',
      `-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n${pem}`,
      'PFX_IS_PEM',
      /an encrypted private key and a certificate/,
    ],
    [
      'an SSH key',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nAA==\n-----END OPENSSH PRIVATE KEY-----',
      'PFX_IS_SSH_KEY',
      /SSH/,
    ],
    ['an SSH public key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me', 'PFX_IS_SSH_KEY', /SSH/],
    [
      'a PGP key',
      '-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nAA==\n-----END PGP PRIVATE KEY BLOCK-----',
      'PFX_IS_PGP_KEY',
      /PGP/,
    ],
    ['a DER certificate', der.toString('base64'), 'PFX_IS_CERTIFICATE', /certificate/],
    ['PKCS#7', of('300b06092a864886f70d010702'), 'PFX_IS_PKCS7', /PKCS#7/],
    ['a Java keystore', of('feedfeed0000000200000000'), 'PFX_IS_JKS', /Java/],
    ['a ZIP archive', of('504b030414000000'), 'PFX_NOT_PKCS12', /ZIP/],
    ['hex digits', pfx.toString('hex'), 'PFX_NOT_PKCS12', /no PKCS#12/],
  ])('%s', (_name, text, code, message) => {
    const failure = failureOf(() => decodePfxText(text));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
    expect(failure.remedy).not.toBe('');
  });
});

describe('files', () => {
  test('a .pfx as it is', () => {
    expect(decodePfxFile(pfx)).toEqual({ bytes: pfx, notes: [] });
  });

  test.each([
    ['base64', Buffer.from(wrapped(76, '\n'))],
    ['base64 in UTF-16', Buffer.from(`\ufeff${base64}`, 'utf16le')],
    ['base64 with a byte order mark', Buffer.from(`\ufeff${base64}`)],
  ])('%s is decoded, and said', (_name, file) => {
    const decoded = decodePfxFile(file);
    expect(decoded.bytes.equals(pfx)).toBe(true);
    expect(decoded.notes).toEqual([expect.stringMatching(/base64/)]);
  });

  test.each([
    ['words', 'hello world', 'PFX_NOT_PKCS12'],
    ['a web page', '<!DOCTYPE html><title>Sign in</title>', 'PFX_NOT_PKCS12'],
    ['nothing', '', 'PFX_EMPTY'],
    ['PEM', readFixture('certificate.pem').toString(), 'PFX_IS_PEM'],
  ])('%s', (_name, text, code) => {
    expect(failureOf(() => decodePfxFile(Buffer.from(text))).code).toBe(code);
  });
});
