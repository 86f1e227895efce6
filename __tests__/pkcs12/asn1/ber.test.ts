import { describe, expect, test } from '@jest/globals';
import { integer, objectIdentifier, octetString, parse, parseWhole } from '../../../src/pkcs12/asn1/ber.ts';
import { element, octets, oid, sequenceOf, unsigned } from '../../../src/pkcs12/asn1/der.ts';
import { failureOf } from '../fixtures.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('reading', () => {
  test.each([
    ['in one piece', '0403 616263'],
    ['in pieces', '2407 0401 61 0402 6263'],
    ['of indefinite length', '2480 0401 61 0402 6263 0000'],
    ['of indefinite length within itself', '2480 2480 0401 61 0000 0402 6263 0000'],
  ])('a string %s', (_name, bytes) => {
    expect(octetString(parseWhole(hex(bytes)), 'x').toString()).toBe('abc');
  });

  test.each([
    ['nothing', '', 'PFX_TRUNCATED'],
    ['a tag alone', '30', 'PFX_TRUNCATED'],
    ['a length beyond the end', '300502', 'PFX_TRUNCATED'],
    ['a length of 2^40', '3086 010000000000', 'PFX_TRUNCATED'],
    ['a length in 126 bytes', '30fe 01', 'PFX_INVALID'],
    ['no end of contents', '3080 020101', 'PFX_TRUNCATED'],
    ['an indefinite length on a primitive', '0480 0000', 'PFX_INVALID'],
  ])('refuses %s', (_name, bytes, code) => {
    expect(failureOf(() => parse(hex(bytes))).code).toBe(code);
  });

  test('refuses a child that is longer than its parent', () => {
    expect(failureOf(() => parse(hex('3003 020201 0000')).children()).code).toBe('PFX_INVALID');
  });

  test.each([
    ['indefinite', Buffer.alloc(400_000, hex('3080'))],
    ['constructed strings', Buffer.concat([...Array.from({ length: 100 }, () => hex('2480')), Buffer.alloc(200)])],
  ])('refuses a nesting of %s without descending into it', (_name, bytes) => {
    expect(failureOf(() => parse(bytes)).code).toBe('PFX_INVALID');
  });
});

describe('writing', () => {
  test.each([0, 1, 127, 128, 255, 256, 2048, 65_535, 2_147_483_647])('the INTEGER %i reads back', (value) => {
    expect(integer(parseWhole(unsigned(value)), 'x')).toBe(value);
  });

  test.each([0, 127, 128, 255, 256, 70_000])('a string of %i bytes reads back', (length) => {
    const written = sequenceOf(octets(Buffer.alloc(length, 1)));
    expect(octetString(parseWhole(written).children()[0], 'x')).toHaveLength(length);
  });

  test.each(['1.2.840.113549.1.12.10.1.2', '2.16.840.1.101.3.4.2.1', '0.9.2342'])('the OID %s reads back', (dotted) => {
    expect(objectIdentifier(parseWhole(oid(dotted)), 'x')).toBe(dotted);
  });

  test('an element has the tag that it was given', () => {
    expect(element(0x80, Buffer.of(7))).toEqual(hex('800107'));
  });
});
