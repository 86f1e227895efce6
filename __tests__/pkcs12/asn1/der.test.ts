/** What is written, byte for byte (X.690). */
import { expect, test } from '@jest/globals';
import {
  bits,
  element,
  explicit,
  nothing,
  setOf,
  time,
  unsignedBytes,
  utf8,
  yes,
} from '../../../src/pkcs12/asn1/der.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

test.each<[string, Buffer, string]>([
  ['an INTEGER of no bytes', unsignedBytes(Buffer.alloc(0)), '020100'],
  ['an INTEGER of zeros', unsignedBytes(hex('0000')), '020100'],
  ['an INTEGER in its shortest form', unsignedBytes(hex('00007f01')), '02027f01'],
  ['an INTEGER whose first bit is set', unsignedBytes(hex('80')), '02020080'],
  ['a BIT STRING', bits(hex('a0')), '030200a0'],
  ['a BIT STRING of three bits', bits(hex('a0'), 5), '030205a0'],
  ['TRUE', yes(), '0101ff'],
  ['NULL', nothing(), '0500'],
  ['a UTF8String', utf8('é'), '0c02c3a9'],
  ['[3] EXPLICIT', explicit(3, nothing()), 'a3020500'],
  ['a SET OF, in the order of what is in it', setOf(yes(), hex('020101'), hex('0101')), '310801010101ff020101'],
  ['a length of 127', element(4, Buffer.alloc(127)).subarray(0, 2), '047f'],
  ['a length of 128', element(4, Buffer.alloc(128)).subarray(0, 3), '048180'],
  ['a length of 256', element(4, Buffer.alloc(256)).subarray(0, 4), '04820100'],
  [
    'the last second with two digits for the year',
    time(new Date('2049-12-31T23:59:59.999Z')),
    '170d3439313233313233353935395a',
  ],
  ['the first one with four', time(new Date('2050-01-01T00:00:00Z')), '180f32303530303130313030303030305a'],
])('%s', (_, written, expected) => {
  expect(written.toString('hex')).toBe(expected);
});
