/** The bytes that a password may stand for, in the order in which they are tried. */
import { describe, expect, test } from '@jest/globals';
import { Failure } from '../../../src/failure.ts';
import { bmpString, isAscii, PasswordCandidates, type PasswordUse } from '../../../src/pkcs12/crypto/password.ts';
import { failureOf } from '../fixtures.ts';

function tried(password: string, use: PasswordUse): string[] {
  const all: string[] = [];
  new PasswordCandidates(password).find(use, (bytes) => {
    all.push(bytes.toString('hex'));
    return undefined;
  });
  return all;
}

test.each<[string, PasswordUse, readonly string[]]>([
  ['', 'pkcs12', ['0000', '']],
  ['', 'pkcs5', ['']],
  ['ab', 'pkcs12', ['006100620000']],
  ['ab', 'pkcs5', ['6162']],
  ['é', 'pkcs12', ['00e90000', '006503010000', '00c300a90000']],
  ['é', 'pkcs5', ['c3a9', '65cc81', 'e9', '69', '00e90000', '00e9']],
  // Given decomposed: what it is composed comes first of the guesses.
  ['e\u0301', 'pkcs12', ['006503010000', '00e90000', '006500cc00810000', '006500010000']],
  ['e\u0301', 'pkcs5', ['65cc81', 'c3a9', '6501', '006503010000', '00650301']],
])('%j for %s', (password, use, expected) => {
  expect(tried(password, use)).toEqual(expected);
});

test.each([
  ['', true],
  ['a\0\x7f', true],
  ['a\x80', false],
])('%j is ASCII: %s', (password, expected) => {
  expect(isAscii(password)).toBe(expected);
});

test('UTF-16BE with a zero at its end', () => {
  expect(bmpString('a😀').toString('hex')).toBe('0061d83dde000000');
});

describe('the form that fits', () => {
  test('comes first from then on, and is the use of the password', () => {
    const passwords = new PasswordCandidates('é');
    expect(passwords.used).toBe(false);
    expect(passwords.find<number>('pkcs5', () => undefined)).toBeUndefined();
    expect(passwords.used).toBe(false);
    expect(passwords.find('pkcs5', (bytes) => (bytes.length === 1 ? bytes[0] : undefined))).toBe(0xe9);
    expect(passwords.used).toBe(true);
    expect(passwords.find('pkcs5', (bytes) => bytes.toString('hex'))).toBe('e9');
    expect(passwords.find('pkcs12', (bytes) => bytes.toString('hex'))).toBe('00e90000');
  });
});

describe('too much work', () => {
  const fails = (code: 'PFX_TOO_MANY_ITERATIONS' | 'PFX_INVALID', from: number) => {
    let count = 0;
    return (): number | undefined => {
      if (++count >= from) throw new Failure(code, 'It was so.', 'Do this.');
      return undefined;
    };
  };

  test('for the standard form is said', () => {
    const passwords = new PasswordCandidates('é');
    expect(failureOf(() => passwords.find('pkcs5', fails('PFX_TOO_MANY_ITERATIONS', 1))).code).toBe(
      'PFX_TOO_MANY_ITERATIONS',
    );
  });

  test('for a guess at another is not, but any other failure is', () => {
    const passwords = new PasswordCandidates('é');
    expect(passwords.find('pkcs5', fails('PFX_TOO_MANY_ITERATIONS', 2))).toBeUndefined();
    expect(failureOf(() => passwords.find('pkcs5', fails('PFX_INVALID', 2))).code).toBe('PFX_INVALID');
  });
});
