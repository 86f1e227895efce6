/** What grew faster than its text would take longer than Jest waits, which it sees when a test waits. */
import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { decode } from '../../src/certificate/decode.ts';
import { openCertificate, type CertificateUpload } from '../../src/certificate/upload.ts';
import { failureOf, readFixture } from '../pkcs12/fixtures.ts';

const open = (content: string): CertificateUpload =>
  openCertificate({ content, password: '', notes: [] }, new Date()).upload;

const mebibytes = (text: string, n: number): string => text.repeat(Math.ceil((n * 2 ** 20) / text.length));
test.each([
  ['places where a .pfx could begin', mebibytes('MIIMsgIBAzCCDGgG ', 2)],
  ['places where base64 could begin', mebibytes('MI ', 2)],
  ['backslashes', mebibytes('\\', 2)],
  ['line breaks and words', mebibytes('\n \nx', 2)],
  ['quotation marks', `"${mebibytes('x "', 2)}`],
  ['percent signs', mebibytes('%2', 2)],
  ['equals signs', `MII${mebibytes('=', 2)}`],
  ['JSON', mebibytes('{"a":"', 2)],
  ['runs of base64', mebibytes(`${'A'.repeat(63)}!`, 2)],
  ['a run of base64 with blanks', `!${mebibytes(`A${' '.repeat(70)}`, 2)}`],
  ['numbers', mebibytes('30 82 ', 2)],
  ['padding', `!${mebibytes(`${'A'.repeat(64)}=`, 2)}`],
  ['damaged armour', mebibytes('---- BEGIN CERTIFICATE', 2)],
  ['blocks with blanks', mebibytes('-----BEGIN CERTIFICATE-----\nMII AAA', 1)],
  ['ends', `-----BEGIN CERTIFICATE-----${mebibytes(`${'A'.repeat(90)}\n-----END X-----`, 1)}`],
])('%s are refused or passed over in one go', async (_name, text) => {
  expect(failureOf(() => decode(text)).code).toMatch(/^PFX_/);
  expect(failureOf(() => decode(Buffer.from(text.slice(0, 4 * 2 ** 20)))).code).toMatch(/^PFX_/);
  await sleep(1);
});

test.each([
  ['beginnings without an end', '-----BEGIN CERTIFICATE-----\n'],
  ['labels without an end', '-----BEGIN '],
  ['blocks of unknown kinds', '-----BEGIN X-----\nAAAA\n-----END X-----\n'],
])('a mebibyte of %s is refused', async (_name, text) => {
  expect(failureOf(() => open(text.repeat(1_000_000 / text.length))).code).toMatch(/^PFX_/);
  await sleep(1);
});

test('a mebibyte of blanks behind whole PEM', async () => {
  const whole = readFixture('pem/bag-attributes.pem').toString();
  const blanks = `${'a'.repeat(56)}${' '.repeat(59)}`.repeat(9_000);
  expect(open(whole + blanks).certificate.subject).toContain('CN=connector.example');
  await sleep(1);
});
