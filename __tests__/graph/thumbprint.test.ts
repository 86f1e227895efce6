/** The thumbprint of a certificate, in whatever form the service may write it. */
import { expect, test } from '@jest/globals';
import { digestOf } from '../../src/graph/thumbprint.ts';

const SHA1 = '0EB255CC895477798BA418B378255204304897AD';
const SHA256 = 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855';
const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

test.each([
  ...['', 'sha1:', 'SHA-1=', '0x'].map((prefix) => [`${prefix}${SHA1}`, SHA1] as const),
  ...['', 'sha256=', 'SHA-256:'].map((prefix) => [`${prefix}${SHA256.toLowerCase()}`, SHA256] as const),
  [base64(SHA1), SHA1],
  [`${base64(SHA1)}=`, SHA1],
  [`sha256:${base64(SHA256)}`, SHA256],
  [base64(SHA256).replace(/=$/, ''), SHA256],
])('%j is a digest', (thumbprint, hex) => {
  expect(digestOf(thumbprint)?.toString('hex').toUpperCase()).toBe(hex);
});

test.each([
  ['nothing', ''],
  ['a short number', 'abcd'],
  ['half a digit too many', `${SHA1}A`],
  ['a digit too few', SHA1.slice(1)],
  ['a byte too many', `${SHA1}AA`],
  ['other letters behind it', `${SHA1}ZZ`],
  ['another letter near its end', `${SHA1}ZA`],
  ['a prefix in its middle', `${SHA1.slice(0, 20)}sha1:${SHA1.slice(20)}`],
  ['too much padding', `${base64(SHA1)}==`],
  ['base64 with other signs', `${base64(SHA1).slice(0, 9)}!${base64(SHA1).slice(10)}`],
])('%s is none: %j', (_what, thumbprint) => {
  expect(digestOf(thumbprint)).toBeUndefined();
});
