import { describe, expect, test } from '@jest/globals';
import { hash, scryptSync } from 'node:crypto';
import { iterateSha1, iterateSha256 } from '../../../src/pkcs12/crypto/hash-chain.ts';
import { HASHES, pbkdf2, pkcs12Kdf, PURPOSE, scrypt, WorkBudget } from '../../../src/pkcs12/crypto/kdf.ts';
import { bmpString } from '../../../src/pkcs12/crypto/password.ts';
import { rc2CbcDecrypt } from '../../../src/pkcs12/crypto/rc2.ts';
import { rc4 } from '../../../src/pkcs12/crypto/rc4.ts';
import { failureOf } from '../fixtures.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

describe('RC2: the vectors of RFC 2268, section 5', () => {
  test.each([
    ['0000000000000000', 63, '0000000000000000', 'ebb773f993278eff'],
    ['ffffffffffffffff', 64, 'ffffffffffffffff', '278b27e42e2f0d49'],
    ['3000000000000000', 64, '1000000000000001', '30649edf9be7d2c2'],
    ['88', 64, '0000000000000000', '61a8a244adacccf0'],
    ['88bca90e90875a', 64, '0000000000000000', '6ccf4308974c267f'],
    ['88bca90e90875a7f0f79c384627bafb2', 64, '0000000000000000', '1a807d272bbe5db1'],
    ['88bca90e90875a7f0f79c384627bafb2', 128, '0000000000000000', '2269552ab0f85ca6'],
    ['88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e', 129, '0000000000000000', '5b78d3a43dfff1f1'],
  ])('key %s, %i bits', (key, bits, plaintext, ciphertext) => {
    expect(rc2CbcDecrypt(hex(key), bits, Buffer.alloc(8), hex(ciphertext)).toString('hex')).toBe(plaintext);
  });
});

test('RC4: the keystream of RFC 6229 for a 40-bit key', () => {
  expect(rc4(hex('0102030405'), Buffer.alloc(16)).toString('hex')).toBe('b2396305f03dc027ccc3524a0a1118a8');
});

describe('PKCS#12 key derivation (RFC 7292, appendix B)', () => {
  // Vectors that OpenSSL, BouncyCastle and node-forge share.
  test.each([
    ['smeg', PURPOSE.key, '0a58cf64530d823f', 1, 24, '8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3'],
    ['smeg', PURPOSE.iv, '0a58cf64530d823f', 1, 8, '79993dfe048d3b76'],
    ['smeg', PURPOSE.mac, '3d83c0e4546ac140', 1, 20, '8d967d88f6caa9d714800ab3d48051d63f73a312'],
    ['queeg', PURPOSE.key, '05dec959acff72f7', 1000, 24, 'ed2034e36328830ff09df1e1a07dd357185dac0d4f9eb3d4'],
    ['queeg', PURPOSE.iv, '05dec959acff72f7', 1000, 8, '11dedad7758d4860'],
    ['queeg', PURPOSE.mac, '263216fcc2fab31c', 1000, 20, '5ec4c7a80df652294c3925b6489a7ab857c83476'],
  ] as const)('%s, purpose %i', (password, purpose, salt, iterations, length, expected) => {
    const key = pkcs12Kdf(HASHES.sha1, hex(salt), iterations, purpose, length).derive(bmpString(password));
    expect(key.toString('hex')).toBe(expected);
  });
});

test('PBKDF2: RFC 6070 and RFC 7914, section 11', () => {
  const rfc6070 = pbkdf2(HASHES.sha1, Buffer.from('salt'), 4096, 20).derive(Buffer.from('password'));
  expect(rfc6070.toString('hex')).toBe('4b007901b765489abead49d926f721d065a429c1');
  const rfc7914 = pbkdf2(HASHES.sha256, Buffer.from('salt'), 1, 64).derive(Buffer.from('passwd'));
  expect(rfc7914.toString('hex')).toBe(
    '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc' +
      '49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783',
  );
});

test('scrypt: RFC 7914, section 12', () => {
  const cost = { N: 1024, r: 8, p: 16 };
  const key = scrypt(Buffer.from('NaCl'), cost, 64).derive(Buffer.from('password'));
  expect(key.toString('hex')).toBe(
    'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162' +
      '2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
  );
});

describe('scrypt within its limits', () => {
  const derive = (N: number, r: number, p: number): Buffer =>
    scrypt(Buffer.from('salt'), { N, r, p }, 32).derive(Buffer.from('password'));

  test.each([
    [2 ** 15, 1, 1],
    [2, 1, 2 ** 12],
  ])('N %i, r %i, p %i', (N, r, p) => {
    const expected = scryptSync('password', 'salt', 32, { N, r, p, maxmem: 2 ** 30 });
    expect(derive(N, r, p).equals(expected)).toBe(true);
  });

  test.each([
    [2 ** 18, 8, 1, 'PFX_TOO_MANY_ITERATIONS'],
    [2, 1, 2 ** 20, 'PFX_TOO_MANY_ITERATIONS'],
    [2 ** 16, 1, 1, 'PFX_INVALID'],
    [Number.MAX_SAFE_INTEGER, 8, 1, 'PFX_TOO_MANY_ITERATIONS'],
    [3, 8, 1, 'PFX_INVALID'],
    [16, 8, 0, 'PFX_INVALID'],
  ])('N %i, r %i, p %i is refused', (N, r, p, code) => {
    expect(failureOf(() => derive(N, r, p)).code).toBe(code);
  });
});

test.each([
  ['sha1', iterateSha1],
  ['sha256', iterateSha256],
] as const)('a chain of %s is what hashing over and over gives', (name, iterate) => {
  const first = hash(name, 'any', 'buffer');
  let expected = first;
  for (let round = 0; round < 500; round++) expected = hash(name, expected, 'buffer');
  expect(iterate(first, 500)).toEqual(expected);
});

describe('work is counted before it is done', () => {
  const salt = Buffer.alloc(8);
  test.each([
    ['more than the whole budget in one derivation', 15_000_001, 'PFX_TOO_MANY_ITERATIONS'],
    ['no round at all', 0, 'PFX_INVALID'],
    ['a negative count', -1, 'PFX_INVALID'],
  ])('refuses %s', (_name, iterations, code) => {
    expect(failureOf(() => pbkdf2(HASHES.sha1, salt, iterations, 20)).code).toBe(code);
    expect(failureOf(() => pkcs12Kdf(HASHES.sha1, salt, iterations, PURPOSE.key, 20)).code).toBe(code);
  });

  test('refuses what adds up', () => {
    const budget = new WorkBudget();
    budget.spend(10_000_000);
    budget.spend(5_000_000);
    expect(
      failureOf(() => {
        budget.spend(1);
      }).code,
    ).toBe('PFX_TOO_MANY_ITERATIONS');
  });

  test('longer keys and slower hashes count for more', () => {
    expect(pkcs12Kdf(HASHES.sha1, salt, 1000, PURPOSE.key, 24).cost).toBe(2000);
    expect(pbkdf2(HASHES.sha1, salt, 1000, 32).cost).toBe(2000);
    expect(pbkdf2(HASHES.sha256, salt, 1000, 32).cost).toBe(1000);
    expect(pkcs12Kdf(HASHES.sha512, salt, 1000, PURPOSE.mac, 64).cost).toBeGreaterThan(4000);
  });

  test('what GnuTLS asks for with two issuers and the root fits: a MAC, a key and four certificates of 600,000 iterations', () => {
    const bag = [24, 8].map((length) => pkcs12Kdf(HASHES.sha1, salt, 600_000, PURPOSE.key, length).cost);
    const mac = pkcs12Kdf(HASHES.sha256, salt, 600_000, PURPOSE.mac, 32).cost;
    const budget = new WorkBudget();
    for (const cost of [mac, ...bag, ...bag, ...bag, ...bag, ...bag]) budget.spend(cost);
  });
});
