/** Whether the numbers of a private key fit together. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { isMultiPrime, isSound } from '../../src/certificate/sound-key.ts';
import { parseWhole } from '../../src/pkcs12/asn1/ber.ts';
import { sequenceOf, unsigned, unsignedBytes } from '../../src/pkcs12/asn1/der.ts';
import { threePrimeKeys } from './made.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

const NAMES = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const;
type Numbers = Readonly<Record<(typeof NAMES)[number], bigint>>;

/** The RSA key with one of its numbers replaced: n, e, d, p, q, dp, dq, qi. */
function withNumber(index: number, number: Buffer): KeyObject {
  const numbers = parseWhole(rsa.export({ type: 'pkcs1', format: 'der' })).children();
  return keyOf(numbers.map(({ encoding }, i) => (i === index + 1 ? number : encoding)));
}

/** The RSA key with other numbers, as they follow from its own. */
function withNumbers(change: (numbers: Numbers) => Partial<Numbers>): KeyObject {
  const jwk = rsa.export({ format: 'jwk' });
  const hexOf = (name: string): string => Buffer.from(String(jwk[name]), 'base64url').toString('hex');
  const own = Object.fromEntries(NAMES.map((name) => [name, BigInt(`0x${hexOf(name)}`)])) as Numbers;
  const numbers = { ...own, ...change(own) };
  const bytesOf = (number: bigint): Buffer => Buffer.from(number.toString(16).padStart(1024, '0'), 'hex');
  return keyOf([unsigned(0), ...NAMES.map((name) => unsignedBytes(bytesOf(numbers[name])))]);
}

function keyOf(numbers: readonly Buffer[]): KeyObject {
  const der = sequenceOf(...numbers);
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

  test.each<[string, (numbers: Numbers) => Partial<Numbers>]>([
    ['one is the first prime', ({ n }) => ({ p: 1n, q: n })],
    ['one is the second prime', ({ n }) => ({ p: n, q: 1n })],
    // All other numbers are those that follow from it.
    ['d is that of the second prime only', ({ d, p, q }) => ({ d: d + q - 1n, dp: (d + q - 1n) % (p - 1n) })],
    ['d is that of the first prime only', ({ d, p, q }) => ({ d: d + p - 1n, dq: (d + p - 1n) % (q - 1n) })],
  ])('of RSA whose numbers fit in part: %s', (_name, change) => {
    expect(isSound(withNumbers(() => ({})))).toBe(true);
    expect(isSound(withNumbers(change))).toBe(false);
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
