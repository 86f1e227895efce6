/** From what people paste into a secret, or write into a file, to the bytes of a .pfx. */
import { Failure } from '../failure.ts';
import { empty, refuseArmour, refuseOtherFormats } from './other-formats.ts';

/** What the service and every maker stay far below. */
export const LARGEST_PFX = 1024 * 1024;

/** The bytes of a .pfx, and what was unusual about the way they were given. */
export interface DecodedPfx {
  readonly bytes: Buffer;
  /** Sentences for the log. */
  readonly notes: readonly string[];
}

/**
 * The .pfx in the text of an input or in the bytes of a file.
 * @throws Failure PFX_TOO_LARGE, and what {@link decodePfxText} and {@link decodePfxFile} throw
 */
export function decodePfx(content: string | Uint8Array): DecodedPfx {
  const decoded = typeof content === 'string' ? decodePfxText(content) : decodePfxFile(content);
  if (decoded.bytes.length > LARGEST_PFX) throw tooLarge(decoded.bytes.length);
  return decoded;
}

/**
 * Decodes the base64 of a .pfx in any of its disguises: wrapped, url-safe, without padding, with a byte order mark, in
 * quotation marks, as a data URL, in the armour of `certutil -encode`, as UTF-16 misread, encoded twice.
 * @throws Failure PFX_EMPTY, PFX_NOT_BASE64, and for content that is something else what {@link refuseOtherFormats} throws
 */
export function decodePfxText(text: string): DecodedPfx {
  const decoded = decodeBase64(text);
  const inner = decoded.bytes[0] === SEQUENCE ? undefined : textIn(decoded.bytes);
  if (inner !== undefined && BASE64_OF_SEQUENCE.test(inner)) {
    const { bytes } = decodeBase64(inner);
    refuseOtherFormats(bytes);
    return { bytes, notes: ['The .pfx was encoded in base64 twice; once is enough.'] };
  }
  refuseOtherFormats(decoded.bytes);
  return decoded;
}

/**
 * The .pfx in a file: its bytes as they are, or decoded where it holds base64 text.
 * @throws Failure what {@link refuseOtherFormats} throws
 */
export function decodePfxFile(file: Uint8Array): DecodedPfx {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const text = bytes[0] === SEQUENCE ? undefined : textIn(bytes);
  if (text !== undefined && (BASE64_OF_SEQUENCE.test(text) || /-----BEGIN [^]*-----END /.test(text))) {
    const decoded = decodePfxText(text);
    return {
      bytes: decoded.bytes,
      notes: decoded.notes.length > 0 ? decoded.notes : ['The file holds base64 text; the .pfx in it was decoded.'],
    };
  }
  refuseOtherFormats(bytes);
  return { bytes, notes: [] };
}

const SEQUENCE = 0x30;
/** What every DER SEQUENCE of more than 127 bytes starts with, and BER of indefinite length. */
const BASE64_OF_SEQUENCE = /^[\s"'\0\ufeff]*(MI|MH|MD|data:[^,]{0,100},M[IHD])/;

function decodeBase64(input: string): DecodedPfx {
  // Zeros and byte order marks are what is left of UTF-16 that was read as something else.
  const text = input
    .replace(/^(\ufeff|ÿþ|ï»¿|\ufffd{2})/, '')
    .replace(/[\0\ufeff]/g, '')
    .trim();
  if (text === '') throw empty('The input "pfx" is empty.');

  const armoured = fromArmour(text);
  if (armoured) return armoured;
  refuseArmour(text);

  const body = text
    .replace(/^(["'])([\s\S]*)\1$/, '$2')
    .replace(/^data:[^,]{0,200};base64,/i, '')
    .replace(/\\r|\\n/g, '')
    // Blanks of every kind, with those of zero width.
    .replace(/[\s\u200b-\u200d\u2060]+/g, '');
  if (body === '') throw empty('The input "pfx" is empty.');
  return { bytes: strictBase64(body, text), notes: [] };
}

/** `certutil -encode` puts "BEGIN CERTIFICATE" around any file. */
function fromArmour(text: string): DecodedPfx | undefined {
  const body = /^-----BEGIN [A-Z0-9 ]+-----([A-Za-z0-9+/=\s]+)-----END [A-Z0-9 ]+-----$/.exec(text)?.[1];
  if (body === undefined) return undefined;
  const bytes = Buffer.from(body, 'base64');
  if (!looksLikePfx(bytes)) return undefined;
  return {
    bytes,
    notes: ['The .pfx came in the armour of a PEM file, as certutil -encode writes it; it was taken off.'],
  };
}

/** SEQUENCE, INTEGER 3. */
function looksLikePfx(bytes: Buffer): boolean {
  const length = bytes[1] ?? 0;
  const start = length > 0x80 ? 2 + (length & 0x7f) : 2;
  return bytes[0] === SEQUENCE && bytes.subarray(start, start + 3).equals(Buffer.of(0x02, 0x01, 0x03));
}

/** RFC 4648, sections 4 and 5; Node's own decoder would pass over what is wrong. */
function strictBase64(body: string, text: string): Buffer {
  if (looksLikePath(text)) throw notBase64('it looks like a path. Paths go into the input "pfx-file"');
  const digits = body
    .replace(/={0,2}$/, '')
    .replace(/-/g, '+')
    .replace(/_/g, '/');
  const wrong = digits.search(/[^A-Za-z0-9+/]/);
  if (wrong >= 0) throw notBase64(whyNotBase64(digits, wrong, text));
  if (digits.length % 4 === 1) {
    throw notBase64(
      `it has ${digits.length} characters, and base64 never has one more than a multiple of four: some are missing`,
    );
  }
  return Buffer.from(digits, 'base64');
}

function whyNotBase64(digits: string, position: number, text: string): string {
  const character = String.fromCodePoint(digits.codePointAt(position) ?? 0);
  if (character === '=')
    return `padding ("=") stands in the middle, at position ${position + 1}: several texts were joined`;
  if (/^\*+$/.test(text)) return 'it is the mask (***) that a log shows in place of a secret';
  if (/\$\{\{|\$\(|\$\w/.test(text)) return 'it holds an expression or variable that was not filled in';
  if (character === '%') return 'it is percent-encoded';
  return `the character at position ${position + 1} (U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0') ?? ''}) does not occur in base64`;
}

function looksLikePath(text: string): boolean {
  return (
    !/[\r\n]/.test(text) &&
    text.length < 1024 &&
    (/\.(pfx|p12|pem|cer|crt|jks)$/i.test(text) || /^(\.{0,2}\/|~\/|[A-Za-z]:\\)[^=]*\.\w+$/.test(text))
  );
}

/** The text in a file of text, in UTF-8 or UTF-16 with a byte order mark. */
function textIn(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return bytes.toString('utf16le', 2);
  if (bytes[0] === 0xfe && bytes[1] === 0xff && bytes.length % 2 === 0)
    return Buffer.from(bytes.subarray(2)).swap16().toString('utf16le');
  const text = bytes.toString('latin1');
  return /^(ï»¿)?[\x00\t\n\r\x20-\x7e]*$/.test(text) ? text.replace(/^ï»¿/, '') : undefined;
}

function notBase64(why: string): Failure {
  return new Failure(
    'PFX_NOT_BASE64',
    `The input "pfx" is not base64: ${why}.`,
    'Encode the file on Linux with base64 -w0 cert.pfx, on macOS with base64 -i cert.pfx, in PowerShell with [Convert]::ToBase64String([IO.File]::ReadAllBytes("cert.pfx")), and store the output as the secret.',
  );
}

/** A .pfx that is larger than any. `size` in bytes. */
export function tooLarge(size: number): Failure {
  return new Failure(
    'PFX_TOO_LARGE',
    `The .pfx has ${size} bytes; at most ${LARGEST_PFX} are accepted.`,
    'Is this the right file? A .pfx is a few kilobytes.',
  );
}
