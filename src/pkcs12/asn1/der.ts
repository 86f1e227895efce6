/** A writer for DER (ITU-T X.690, section 10): as much of it as a PKCS#12 file takes. */
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
