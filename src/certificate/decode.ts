/** From what people paste into a secret, or write into a file, to the bytes of a .pfx or the text of a PEM file. */
import { Failure } from '../failure.ts';
import { repairedArmour, unescaped } from '../text/escapes.ts';
import { findBase64, findPfx, lostPlusSigns, pfxSize } from './find-pfx.ts';
import { empty, refuseOtherFormats, refuseOtherText } from './other-formats.ts';
import { damagedArmour, withLostPlusSigns } from './pem.ts';

/** What the service and every maker stay far below. */
export const LARGEST_PFX = 1024 * 1024;

/** What was given, out of its disguises. */
export type Decoded = (
  { readonly kind: 'pkcs12'; readonly bytes: Buffer } | { readonly kind: 'pem'; readonly text: string }
) & {
  /** What was unusual about the way it was given: sentences for the log. */
  readonly notes: readonly string[];
};

/**
 * The .pfx, or the PEM text, in the text of an input or the bytes of a file. Text is base64 in any of its disguises
 * (wrapped, url-safe, without padding, in quotation marks, as a data URL, with JSON's escapes, in armour, encoded
 * several times, UTF-16 misread, with a name before it or a prompt after it), or PEM. What can be fixed for certain,
 * since exactly the .pfx comes out, is fixed and said; what is something else is refused by its name.
 * @throws Failure PFX_EMPTY, PFX_NOT_BASE64, PFX_INVALID, PFX_TOO_LARGE, and what {@link refuseOtherFormats} throws
 */
export function decode(content: string | Uint8Array): Decoded {
  const decoded = typeof content === 'string' ? decodeInput(content) : decodeFile(Buffer.from(content));
  const size = decoded.kind === 'pkcs12' ? decoded.bytes.length : decoded.text.length;
  if (size > LARGEST_PFX) throw tooLarge(size);
  return decoded;
}

function decodeInput(input: string): Decoded {
  const text = withoutMarks(input);
  if (plainBase64(text) === '') throw empty('The input "pfx" is empty.');
  const decoded = decodeText(text, 0);
  if (!decoded) throw notBase64(whyNotBase64(text));
  return withNotes(decoded, marksIn(input));
}

function decodeFile(bytes: Buffer): Decoded {
  const decoded = decodeBytes(bytes, 0);
  if (decoded.kind === 'pem' || decoded.notes.length > 0 || decoded.bytes === bytes) return decoded;
  return { ...decoded, notes: ['The file holds base64 text; the .pfx in it was decoded.'] };
}

/** Base64 in base64 in base64: more is no accident. */
const MOST_LAYERS = 5;

/**
 * @param layers how many times base64 was taken off already
 * @returns undefined if the text is no base64
 */
function decodeText(text: string, layers: number): Decoded | undefined {
  refuseOtherText(text);
  const plain = unescaped(text);
  if (plain.includes('-----BEGIN ')) return fromArmour(text, plain);
  const found = isWholeBase64(text) ? undefined : findPfx(text);
  if (found) return { kind: 'pkcs12', bytes: found.bytes, notes: [found.note] };
  const part = findBase64(plain);
  // Base64 of a .pfx is found as such, so this is that of PEM or of base64, or it is something else.
  const isText = part !== undefined && textIn(Buffer.from(part.base64, 'base64')) !== undefined;
  if (!isText && SPOKEN_ARMOUR.test(plain)) throw damagedArmour();
  const body = plainBase64(text);
  const digits = strictBase64(body);
  if (digits !== undefined)
    return withNotes(decodeBytes(Buffer.from(digits, 'base64'), layers + 1), disguisesOf(text, body));
  if (!isText) return undefined;
  const decoded = decodeText(part.base64, layers);
  return decoded && withNotes(decoded, [part.note]);
}

function decodeBytes(bytes: Buffer, layers: number): Decoded {
  const text = layers <= MOST_LAYERS ? textIn(bytes) : undefined;
  const decoded = text === undefined ? undefined : decodeText(withoutMarks(text), layers);
  if (decoded) {
    const isPemInBase64 = decoded.kind === 'pem' && layers > 0;
    return withNotes(decoded, [...marksIn(bytes.toString('latin1')), ...(isPemInBase64 ? [PEM_IN_BASE64] : [])]);
  }
  const repaired = withoutCarriageReturns(bytes);
  if (repaired) return { kind: 'pkcs12', bytes: repaired, notes: [CARRIAGE_RETURNS] };
  refuseOtherFormats(bytes);
  return { kind: 'pkcs12', bytes, notes: layers > 1 ? [MORE_THAN_ONCE] : [] };
}

function withNotes(decoded: Decoded, notes: readonly string[]): Decoded {
  return { ...decoded, notes: [...new Set([...notes, ...decoded.notes])] };
}

const MORE_THAN_ONCE = 'The .pfx was encoded in base64 more than once; once is enough.';
const PEM_IN_BASE64 = 'The PEM text was encoded in base64, which is not needed; it was decoded.';
const CARRIAGE_RETURNS =
  'Something turned every line feed in the .pfx into CR LF, as Git does with core.autocrlf; that was undone. Let .gitattributes say: *.pfx binary';

/** Without what is left of UTF-16 and UTF-32 that were read as something else: zeros and byte order marks. */
function withoutMarks(text: string): string {
  return text
    .replace(/^(\ufeff|ÿþ|þÿ|ï»¿|\ufffd{2})/, '')
    .replace(/[\0\ufeff]/g, '')
    .trim();
}

/** What {@link withoutMarks} leaves out, as sentences for the log. */
function marksIn(text: string): string[] {
  const zeros = text.split('\0').length - 1;
  if (zeros * 3 > text.length) return ['The base64 or PEM text was in UTF-16 or UTF-32, and was read as that.'];
  return /^(\ufeff|ï»¿|\ufffd{2})/.test(text)
    ? ['The base64 or PEM text began with a byte order mark, which was left out.']
    : [];
}

/** `certutil -encode` puts "BEGIN CERTIFICATE" around any file; anything else in armour is PEM. */
function fromArmour(text: string, plain: string): Decoded {
  const found = findPfx(plain);
  if (found) {
    if (PRIVATE_KEY.test(found.rest)) throw pfxAndPrivateKey();
    const note = 'The .pfx was in the armour of a PEM file, as certutil -encode writes it; the armour was taken off.';
    return { kind: 'pkcs12', bytes: found.bytes, notes: [note] };
  }
  const repaired = repairedArmour(text);
  const whole = withLostPlusSigns(plain);
  const notes = [
    repaired === text
      ? ''
      : 'Lines -----BEGIN …----- or -----END …----- of the PEM text were damaged (dashes, blanks or small letters); they were repaired.',
    plain === repaired
      ? ''
      : 'The PEM text had escapes in it, such as those of JSON, or invisible characters; they were undone.',
    whole === plain ? '' : 'In the PEM text the plus signs had become blanks; that was undone.',
  ];
  return { kind: 'pem', text: whole, notes: notes.filter((note) => note !== '') };
}

/** A block of a private key with something in it: base64, or the head of an encrypted key. */
const PRIVATE_KEY = /-----BEGIN [A-Z +]{0,20}PRIVATE[ +]KEY-----\s{0,40}[MP]/;
/** What is left of armour when too much of it is lost for {@link repairedArmour}. */
const SPOKEN_ARMOUR = /\b(BEGIN|END)[\s+]{0,3}(?:[A-Z\d]{2,9}[\s+]{0,3})?(?:CERTIFICATE|PRIVATE[\s+]{0,3}KEY)/i;

/** Without blanks of every kind (those of zero width, too), quotation marks, a data URL's head, spelled-out line breaks. */
function plainBase64(text: string): string {
  return text
    .replace(/^(["'])([^]*)\1$/, '$2')
    .replace(/^data:[^,]{0,200};base64,/i, '')
    .replace(/\\[rn]/g, '')
    .replace(/[\s\u200b-\u200d\u2060]/g, '');
}

/** What {@link plainBase64} leaves out, and the alphabet, as sentences for the log. */
function disguisesOf(text: string, body: string): string[] {
  const parts = [
    /^(["'])[^]*\1$/.test(text) ? 'quotation marks' : '',
    /^["']?data:/i.test(text) ? 'the head of a data URL' : '',
    /\\[rn]/.test(text) ? 'spelled-out line breaks' : '',
    /[\u200b-\u200d\u2060]/.test(text) ? 'invisible characters' : '',
  ].filter((part) => part !== '');
  return [
    ...(parts.length === 0 ? [] : [`Left out around or in the base64: ${parts.join(', ')}.`]),
    ...(/[-_]/.test(body) ? ['The base64 was in the url-safe alphabet, and was read as that.'] : []),
  ];
}

/** The digits of base64 (RFC 4648, sections 4 and 5), or undefined: Node's own decoder would pass over what is wrong. */
function strictBase64(body: string): string | undefined {
  const digits = withoutPadding(body).replaceAll('-', '+').replaceAll('_', '/');
  return /[^A-Za-z0-9+/]/.test(digits) || digits.length % 4 === 1 ? undefined : digits;
}

function withoutPadding(body: string): string {
  return body.endsWith('==') ? body.slice(0, -2) : body.endsWith('=') ? body.slice(0, -1) : body;
}

/** Whether nothing but base64 is in the text, and its blanks do not have to be plus signs for the .pfx to be whole. */
function isWholeBase64(text: string): boolean {
  const digits = strictBase64(plainBase64(text));
  if (digits === undefined) return false;
  const size = pfxSize(Buffer.from(digits, 'base64'));
  return size === undefined || (digits.length * 3) / 4 >= size || !lostPlusSigns(text);
}

/** Padding with base64 of some length on both sides. */
const JOINED = /(?<=[\w+/-]{64})={1,2}[\w+/-]{64}/;

function whyNotBase64(text: string): string {
  if (looksLikePath(text)) return 'it looks like a path. Paths go into the input "pfx-file"';
  const digits = withoutPadding(plainBase64(text));
  const position = digits.search(/[^A-Za-z0-9+/_-]/);
  if (position < 0) {
    return `it has ${digits.length} characters, and base64 never has one more than a multiple of four: some are missing`;
  }
  const character = String.fromCodePoint(digits.codePointAt(position) ?? 0);
  const padding = digits.search(JOINED);
  if (padding >= 0) return `padding ("=") stands in the middle, at position ${padding + 1}: several texts were joined`;
  if (/^\*+$/.test(text)) return 'it is the mask (***) that a log shows in place of a secret';
  if (/[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]/.test(text)) return 'it is a binary file that was read as text';
  if (/\$\{\{|\$\(|\$\w/.test(text)) return 'it holds an expression or variable that was not filled in';
  if (/^[{[]/.test(text)) return 'it is JSON. Take the value with the .pfx out of it';
  if (/^[ \t]*(apiVersion|kind|data|stringData|metadata):/m.test(text.slice(0, 10_000)))
    return 'it is YAML, such as a Secret of Kubernetes. Take the value with the .pfx out of it';
  if (character === '%') return 'it is percent-encoded, or ends in the % mark that zsh shows';
  return `the character at position ${position + 1} (U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0') ?? ''}) does not occur in base64`;
}

function looksLikePath(text: string): boolean {
  return (
    text.length < 1024 &&
    !/[\r\n]/.test(text) &&
    (/\.(pfx|p12|pem|cer|crt|jks)$/i.test(text) || /^(\.{0,2}\/|~\/|[A-Za-z]:\\)[^=]*\.\w+$/.test(text))
  );
}

/**
 * The text in a file of text: UTF-8, or UTF-16 and UTF-32 with or without a byte order mark. With a block of PEM in it,
 * anything else may be there: tools write names above the blocks in any encoding, and bytes of control characters.
 */
function textIn(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe && bytes[2] !== 0) return bytes.toString('utf16le', 2);
  if (bytes[0] === 0xfe && bytes[1] === 0xff && bytes.length % 2 === 0)
    return Buffer.from(bytes.subarray(2)).swap16().toString('utf16le');
  const withoutZeros = bytes.includes(0) ? bytes.filter((byte) => byte !== 0) : bytes;
  const text = utf8(Buffer.from(withoutZeros)) ?? withoutZeros.toString('latin1').replace(/^(ÿþ|þÿ)/, '');
  const isPem = text.includes('-----BEGIN ') && pfxSize(bytes) === undefined;
  return !isPem && /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|[\xa0-\xff]{4}/.test(text) ? undefined : text;
}

function utf8(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const SEQUENCE = 0x30;

/**
 * The .pfx before every line feed in it became CR LF, if it is exactly as long as it says without them. Its length may
 * have such a byte, too. Line breaks after a whole one are no damage.
 */
function withoutCarriageReturns(bytes: Buffer): Buffer | undefined {
  const size = pfxSize(bytes) ?? Infinity;
  if (bytes[0] !== SEQUENCE || (size <= bytes.length && /^[\r\n]*$/.test(bytes.toString('latin1', size))))
    return undefined;
  const repaired = Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1');
  return repaired.length < bytes.length && pfxSize(repaired) === repaired.length ? repaired : undefined;
}

function pfxAndPrivateKey(): Failure {
  return new Failure(
    'PFX_NOT_BASE64',
    'What was given has a .pfx and a private key in PEM in it, and nothing says which is meant.',
    'Give one of them only: the .pfx, or the PEM text with the certificate and its private key.',
  );
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
