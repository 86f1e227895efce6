/** What is found in text with something around it, and what is said about the rest. */
import { describe, expect, test } from '@jest/globals';
import { findBase64, findPfx, lostPlusSigns, pfxSize } from '../../src/certificate/find-pfx.ts';
import { octets, sequenceOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { failureOf } from '../pkcs12/fixtures.ts';

/** What says of itself that it is a .pfx of so many bytes. */
const ofSize = (size: number): Buffer => sequenceOf(unsigned(3), octets(Buffer.alloc(size - 9, 'A')));
const file = ofSize(210);
const base64 = file.toString('base64');
const noteOf = (text: string): string | undefined => findPfx(text)?.note;

describe('what stood around a .pfx', () => {
  test.each([
    ['{"a":"', '"}', 'JSON and text after it were'],
    ['\n {"a":"', '', 'JSON was'],
    ['see {', '', 'text before it was'],
    ['PFX=', '', 'a name before it was'],
    ['PFX=', '\nPASSWORD=abc', 'a name before it and text after it were'],
    ['\n  my.pfx-1 : "', '"', 'a name before it was'],
    ['SET  PFX=', '', 'a name before it was'],
    ["$env:PFX='", "';", 'a name before it was'],
    ['It follows here: PFX=', '', 'text before it was'],
    ['', '%\n', 'the % mark that zsh shows after it was'],
    [' \n', '%', 'the % mark that zsh shows after it was'],
    ['"', '\nuser@host:~$ ', 'a prompt after it was'],
    ['', ' costs $5', 'text after it was'],
    ['', ', next', 'a punctuation mark after it was'],
    ['', ' this, that', 'text after it was'],
    ['', ' that"', 'text after it was'],
    ['', '"that', 'text after it was'],
    ['that "', '"', 'text before it was'],
    ['"that ', '"', 'text before it was'],
  ])('%j and %j', (before, after, what) => {
    expect(noteOf(before + base64 + after)).toBe(`Only the base64 was used; ${what} left out.`);
  });

  test.each([
    ['“', '”'],
    [' "\n', '",'],
    ['`', '`\n'],
  ])('the marks %j and %j', (before, after) => {
    expect(noteOf(before + base64 + after)).toContain('; the marks around it were left out.');
  });

  test.each([0, 1, 2])('is handed back without padding of %i', (padding) => {
    const padded = ofSize(210 + ((3 - padding) % 3));
    const text = padded.toString('base64');
    expect(text.split('=').length - 1).toBe(padding);
    expect(findPfx(`a=${text};b==`)).toMatchObject({ bytes: padded, rest: 'a=;b==' });
    expect(findPfx(`a=${text.replaceAll('=', '')}me@mac`)).toMatchObject({ bytes: padded, rest: 'a=me@mac' });
  });
});

describe('how much is looked at', () => {
  test('twenty .pfx, if they are the same', () => {
    expect(findPfx(`${base64};`.repeat(20))?.bytes).toEqual(file);
  });

  test('ten thousand places where one could begin', () => {
    expect(findPfx('MI;'.repeat(9_999) + base64)?.bytes).toEqual(file);
    expect(findPfx('MI;'.repeat(10_000) + base64)).toBeUndefined();
  });
});

test('of several, one is asked for', () => {
  expect(failureOf(() => findPfx(`${base64};${ofSize(220).toString('base64')}`)).remedy).toBe(
    'Give the base64 of one .pfx only. A command with >> appends to what is in a file already; with > it replaces that: base64 -w0 cert.pfx > cert.txt',
  );
});

describe('plus signs', () => {
  const withPlus = Buffer.concat([file.subarray(0, -3), Buffer.from('++++', 'base64')]).toString('base64');
  test.each([
    ['were lost', withPlus.replaceAll('+', ' '), true],
    ['are all there', withPlus, false],
    ['are not what words lost', 'these are words', false],
  ])('%s', (_name, text, lost) => {
    expect(lostPlusSigns(text)).toBe(lost);
  });
});

describe('one long run of base64', () => {
  const lines = (...lengths: readonly number[]): string => lengths.map((length) => 'A'.repeat(length)).join('\r\n');
  test.each([
    ['longer than any word', lines(65)],
    ['on lines of one length', lines(70, 70, 70)],
    ['with a shorter line at the end', lines(70, 70, 30)],
    ['with padding', `${lines(70, 70, 30)}==`],
  ])('%s is found', (_name, run) => {
    expect(findBase64(`a: ${run};`)).toEqual({
      base64: run,
      note: 'Only the base64 was used; a name before it and a punctuation mark after it were left out.',
    });
  });

  const a = 'A'.repeat(70);
  test.each([
    ['as long as a word', `a:${lines(64)};`],
    ['with nothing around it', a],
    ['beside another one', `a:${a};b:${a}`],
    ['with a longer line at the end', `a:${lines(70, 71)};`],
    ['with a longer line at the end, after several', `a:${lines(70, 70, 71)};`],
    ['with a shorter line in the middle', `a:${lines(70, 60, 70)};`],
    ['with a blank in it', `a:${a} A;`],
    ['with two blanks in it', `a:${a}  A;`],
    ['with a blank in one of its lines', `a:${a}\n${a.slice(0, 60)} AAA;`],
  ])('%s is none', (_name, text) => {
    expect(findBase64(text)).toBeUndefined();
  });
});

describe('how long a .pfx says that it is', () => {
  test.each([
    ['a length in one byte', '3003020103', 5],
    ['a length in two bytes', '308105020103', 8],
    ['a length in seven bytes', '3086000000000003020103', 11],
    ['a length in more', '308700000000000003020103', undefined],
    ['no SEQUENCE', '3103020103', undefined],
    ['another version', '3003020102', undefined],
    ['not all of the version', '30030201', undefined],
    ['nothing', '', undefined],
    ['of indefinite length, with its content', '308002010330000000', 9],
    ['of indefinite length, with a MAC', '3080020103300030000000ffff', 11],
    ['of indefinite length, with too much in it', '30800201033000300030000000', Infinity],
    ['of indefinite length, without anything', '30800201030000', Infinity],
    ['of indefinite length, with something else', '308002010304000000', Infinity],
    ['of indefinite length, with half an end', '30800201033000000100', Infinity],
    ['of indefinite length, cut off', '30800201033000', Infinity],
  ])('%s', (_name, hex, size) => {
    expect(pfxSize(Buffer.from(hex, 'hex'))).toBe(size);
  });
});
