/** Files whose keys take much work: what is found out about a wrong password stays within the limit. */
import { expect, test } from '@jest/globals';
import { scryptSync } from 'node:crypto';
import { explicit, octets, oid, sequenceOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { scrypt } from '../../src/pkcs12/crypto/kdf.ts';
import { openPkcs12 } from '../../src/pkcs12/open.ts';
import { failureOf, openFixture, PASSWORD } from './fixtures.ts';

test.each([
  ['gnutls-3des-pkcs12.pfx', 'a line break', `${PASSWORD}\n`, /without the line break/],
  ['gnutls-aes-256.pfx', 'a byte order mark', `\ufeff${PASSWORD}`, /without the byte order mark/],
])('%s, with %s too many', (file, _name, password, message) => {
  const failure = failureOf(() => openFixture(file, password));
  expect(failure.code).toBe('PFX_WRONG_PASSWORD');
  expect(failure.message).toMatch(message);
});

test('the guesses at encodings of a wrong password do not hide that it is wrong', () => {
  const sha1 = sequenceOf(oid('1.3.14.3.2.26'));
  const mac = sequenceOf(sequenceOf(sha1, octets(Buffer.alloc(20))), octets(Buffer.alloc(8)), unsigned(8_000_000));
  const authSafe = sequenceOf(oid('1.2.840.113549.1.7.1'), explicit(0, octets(sequenceOf())));
  const slow = sequenceOf(unsigned(3), authSafe, mac);
  expect(failureOf(() => openPkcs12(slow, 'pässwörd')).code).toBe('PFX_WRONG_PASSWORD');
});

test.each([2 ** 16, 2 ** 17])('scrypt with as much memory as is allowed: N %i', (N) => {
  const cost = { N, r: 8, p: 1 };
  const expected = scryptSync('password', 'salt', 32, { ...cost, maxmem: 2 ** 30 });
  expect(scrypt(Buffer.from('salt'), cost, 32).derive(Buffer.from('password')).equals(expected)).toBe(true);
});
