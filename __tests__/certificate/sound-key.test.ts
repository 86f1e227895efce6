/** Whether the numbers of a private key fit together. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { isMultiPrime, isSound } from '../../src/certificate/sound-key.ts';
import { parseWhole } from '../../src/pkcs12/asn1/ber.ts';
import { sequenceOf, unsigned, unsignedBytes } from '../../src/pkcs12/asn1/der.ts';
import { threePrimeKeys } from './made.ts';

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

  test('of RSA with another modulus', () => {
    const modulus = Buffer.from(rsa.export({ format: 'jwk' }).n ?? '', 'base64url');
    modulus[100] = (modulus[100] ?? 0) ^ 1;
    expect(isSound(withNumber(0, unsignedBytes(modulus)))).toBe(false);
  });

  test('of RSA with three primes is known as such', () => {
    expect(isMultiPrime(threePrimeKeys().privateKey)).toBe(true);
    expect(isMultiPrime(rsa)).toBe(false);
    expect(isMultiPrime(generateKeyPairSync('ed25519').privateKey)).toBe(false);
  });

  test('of RSA without a prime', () => {
    expect(isSound(withNumber(3, unsigned(1)))).toBe(false);
  });
});
