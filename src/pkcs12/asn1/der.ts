/** A writer for DER (ITU-T X.690, section 10): as much of it as a PKCS#12 file and a certificate need. */
import { TAG } from './ber.ts';

/** One element: identifier, shortest length, content. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.of(tag, ...lengthOctets(content.length)), content]);
}

/** SEQUENCE. */
export function sequenceOf(...contents: readonly Uint8Array[]): Buffer {
  return element(TAG.sequence, ...contents);
}

/** SET OF: in the order of the encodings (X.690, section 11.6). */
export function setOf(...contents: readonly Uint8Array[]): Buffer {
  return element(TAG.set, ...contents.toSorted((a, b) => Buffer.compare(a, b)));
}

/** OCTET STRING. */
export function octets(content: Uint8Array): Buffer {
  return element(TAG.octetString, content);
}

/** INTEGER from 0 to 2^31 - 1. */
export function unsigned(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(value, 1);
  let start = 0;
  while (start < 4 && bytes[start] === 0 && (bytes[start + 1] ?? 0) < 0x80) start++;
  return element(TAG.integer, bytes.subarray(start));
}

/** INTEGER, not negative, from its big-endian bytes: the shortest form, with a zero octet before a set sign bit. */
export function unsignedBytes(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.of(0) : bytes.subarray(first);
  return element(TAG.integer, ...((digits[0] ?? 0) < 0x80 ? [] : [Buffer.of(0)]), digits);
}

/** BIT STRING; the last `unused` bits of it do not count. */
export function bits(content: Uint8Array, unused = 0): Buffer {
  return element(TAG.bitString, Buffer.of(unused), content);
}

/** BOOLEAN TRUE. FALSE is left out wherever it is the default. */
export function yes(): Buffer {
  return element(TAG.boolean, Buffer.of(0xff));
}

/** UTF8String. */
export function utf8(text: string): Buffer {
  return element(TAG.utf8String, Buffer.from(text));
}

/** Time, to the second: UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280, section 4.1.2.5). */
export function time(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/\.\d{3}Z$|\D/g, '')}Z`;
  return date.getUTCFullYear() < 2050
    ? element(TAG.utcTime, Buffer.from(digits.slice(2)))
    : element(TAG.generalizedTime, Buffer.from(digits));
}

/** NULL. */
export function nothing(): Buffer {
  return element(TAG.null);
}

/** [number] EXPLICIT. */
export function explicit(number: number, content: Uint8Array): Buffer {
  return element(0xa0 | number, content);
}

/** OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(TAG.oid, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}

function base128(arc: number): number[] {
  const digits = [arc & 0x7f];
  for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
  return digits;
}

function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const digits: number[] = [];
  for (let left = length; left > 0; left >>>= 8) digits.unshift(left & 0xff);
  return [0x80 | digits.length, ...digits];
}
