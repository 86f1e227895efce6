/** What a server sent as JSON: of any shape, and no exception. */
import { expect, test } from '@jest/globals';
import { isObject, isToken, jwtClaims, parseJson, parseObject, stringOf } from '../../src/text/json.ts';

test('JSON is read, and a byte order mark before it passed over', () => {
  expect(parseJson('{"a":[1]}')).toEqual({ a: [1] });
  expect(parseJson('\ufeff"a\ufeffb"')).toBe('a\ufeffb');
});

test.each(['', '{', '\ufeff\ufeff1', '1\ufeff', '<html>'])('%j is none', (text) => {
  expect(parseJson(text)).toBeUndefined();
});

test.each([
  ['{"a":1}', { a: 1 }],
  ['{}', {}],
  ['[1]', {}],
  ['null', {}],
  ['"text"', {}],
  ['1', {}],
  ['no JSON', {}],
])('the object in %s', (text, object) => {
  expect(parseObject(text)).toEqual(object);
  expect(isObject(parseJson(text))).toBe(text.startsWith('{'));
});

test('a function is no object of JSON', () => {
  expect(isObject(() => 1)).toBe(false);
});

test('a string, and anything else', () => {
  expect(['a', '', 1, null, undefined, {}, ['a']].map(stringOf)).toEqual(['a', '', '', '', '', '', '']);
});

const part = (text: string): string => Buffer.from(text).toString('base64url');

test('the claims of a JWT, with any characters', () => {
  const claims = { sub: 'repo:contoso/größe?>', aud: ['a'] };
  expect(jwtClaims(`${part('{}')}.${part(JSON.stringify(claims))}.signature`)).toEqual(claims);
});

test.each([
  ['nothing', ''],
  ['one part', part('{"a":1}')],
  ['an empty part', 'x..y'],
  ['a part that is no JSON', 'x.y.z'],
  ['a list', `x.${part('[1]')}.z`],
])('%s has no claims', (_, jwt) => {
  expect(jwtClaims(jwt)).toBeUndefined();
});

test.each<[unknown, boolean]>([
  ['eyJhbGciOiJub25l', true],
  ['!~'.repeat(8), true],
  ['x'.repeat(15), false],
  [`${'x'.repeat(16)} `, false],
  [` ${'x'.repeat(16)}`, false],
  [`${'x'.repeat(16)}\n`, false],
  [`${'x'.repeat(16)}ä`, false],
  [['x'.repeat(16)], false],
  [undefined, false],
])('%j can be a token: %s', (value, expected) => {
  expect(isToken(value)).toBe(expected);
});
