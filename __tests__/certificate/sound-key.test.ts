/** Whether the numbers of a private key fit together. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { isSound } from '../../src/certificate/sound-key.ts';
import { parseWhole } from '../../src/pkcs12/asn1/ber.ts';
import { sequenceOf, unsigned } from '../../src/pkcs12/asn1/der.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

/** The RSA key with one of its numbers replaced: n, e, d, p, q, dp, dq, qi. */
function withNumber(index: number, number: Buffer): KeyObject {
  const numbers = parseWhole(rsa.export({ type: 'pkcs1', format: 'der' })).children();
  const der = sequenceOf(...numbers.map(({ encoding }, i) => (i === index + 1 ? number : encoding)));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs1' });
}

describe('a key', () => {
  test.each([
    ['RSA', rsa],
    ['RSA-PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey],
    ['EC', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey],
    ['X25519, which signs nothing', generateKeyPairSync('x25519').privateKey],
  ])('that is whole: %s', (_name, key) => {
    expect(isSound(key)).toBe(true);
  });

  test.each(['d', 'p', 'q', 'dp', 'dq', 'qi'].map((name, i) => [name, i + 2] as const))(
    'of RSA with another number for %s',
    (_name, index) => {
      expect(isSound(withNumber(index, unsigned(65_537)))).toBe(false);
    },
  );

  test('of RSA without a prime', () => {
    expect(isSound(withNumber(3, unsigned(1)))).toBe(false);
  });
});
