/**
 * Finds the base64 of a .pfx in text with something around it. A .pfx says how long it is, so that what belongs to it
 * and what was only pasted along can be told apart for certain.
 */
import { parse } from '../pkcs12/asn1/ber.ts';

/** A .pfx that was found in text. */
export interface FoundPfx {
  readonly bytes: Buffer;
  /** What was left out or put right: a sentence for the log. */
  readonly note: string;
}

/**
 * The one .pfx in a text, as far as its base64 is whole; undefined if there is none, or several different ones.
 * The time is linear in the length of the text.
 */
export function findPfx(text: string): FoundPfx | undefined {
  const asItIs = onlyPfx(text);
  if (asItIs) return { bytes: asItIs.bytes, note: surroundings(asItIs.before, asItIs.after) };
  const plain = unescaped(text);
  const escaped = plain === text ? undefined : onlyPfx(plain);
  if (escaped)
    return {
      bytes: escaped.bytes,
      note: 'The base64 of the .pfx had escapes in it, such as those of JSON; they were undone.',
    };
  const bytes = withPlusSigns(text);
  return bytes && { bytes, note: 'In the base64 of the .pfx the plus signs had become blanks; that was undone.' };
}

/** Escapes of JSON, properties files, URLs and HTML as they occur in base64 and PEM, undone; those escaped twice, too. */
export function unescaped(text: string): string {
  if (!/[\\%&]/.test(text)) return text;
  return text
    .replace(/\\{1,4}u00(2b|2f|3d|0a|0d|22)/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .replace(/%(2b|2f|3d|0a|0d)/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .replace(/&#(43|47|61|10|13);/g, (_, decimal: string) => String.fromCharCode(Number(decimal)))
    .replace(/\\{1,4}[rn]/g, '\n')
    .replace(/\\{1,4}([/=+"])/g, '$1');
}

/** The .pfx whose base64 lost its plus signs to blanks, if it is whole with them. */
export function withPlusSigns(text: string): Buffer | undefined {
  if (!text.includes(' ')) return undefined;
  return onlyPfx(text.replace(/[\r\n\t]/g, '').replaceAll(' ', '+'))?.bytes;
}

/**
 * How long a .pfx says that it is, in bytes, by its first bytes: SEQUENCE, length, INTEGER 3. One of indefinite length
 * says so only at its end: Infinity if that is not among the bytes. Undefined if it is no .pfx.
 */
export function pfxSize(start: Uint8Array): number | undefined {
  const bytes = Buffer.from(start.buffer, start.byteOffset, start.byteLength);
  const first = bytes[1] ?? 0;
  const lengthOctets = first > 0x80 ? first & 0x7f : 0;
  const header = 2 + lengthOctets;
  if (bytes[0] !== 0x30 || lengthOctets > 6 || bytes.length < header + 3) return undefined;
  if (!bytes.subarray(header, header + 3).equals(Buffer.of(0x02, 0x01, 0x03))) return undefined;
  if (first === 0x80) return endOf(bytes) ?? Infinity;
  return header + (lengthOctets === 0 ? first : bytes.readUIntBE(2, lengthOctets));
}

/** Where the element at the start ends; undefined if that is not among the bytes, or they are no BER. */
function endOf(bytes: Buffer): number | undefined {
  try {
    return parse(bytes).end;
  } catch {
    return undefined;
  }
}

interface Match {
  readonly bytes: Buffer;
  readonly before: string;
  readonly after: string;
}

/** Where the base64 of a SEQUENCE may begin. */
const START = /(?<![A-Za-z0-9+/])MI/g;
/** So many places are looked at, and so many of them closely. */
const MOST_PLACES = 10_000;
const MOST_CANDIDATES = 20;
/** Base64 directly after the .pfx that is longer than this is no prompt: something was joined to it. */
const LONGEST_WORD_AFTER = 64;

function onlyPfx(text: string): Match | undefined {
  const matches: Match[] = [];
  let [places, candidates] = [0, 0];
  for (const { index } of text.matchAll(START)) {
    if (++places > MOST_PLACES) break;
    const size = pfxSize(Buffer.from(digitsFrom(text, index, 32).digits, 'base64'));
    if (size === undefined || ++candidates > MOST_CANDIDATES) continue;
    const match = pfxAt(text, index, size);
    if (match) matches.push(match);
  }
  const [first, ...others] = matches;
  return first && others.every(({ bytes }) => bytes.equals(first.bytes)) ? first : undefined;
}

function pfxAt(text: string, start: number, stated: number): Match | undefined {
  const size = stated === Infinity ? pfxSize(Buffer.from(digitsFrom(text, start, Infinity).digits, 'base64')) : stated;
  if (size === undefined || size === Infinity) return undefined;
  const { digits, end } = digitsFrom(text, start, Math.ceil((size * 4) / 3));
  const bytes = Buffer.from(digits, 'base64');
  if (bytes.length < size) return undefined;
  const after = text.slice(end).replace(/^={1,2}/, '');
  if (digitsFrom(after, 0, LONGEST_WORD_AFTER).digits.length === LONGEST_WORD_AFTER) return undefined;
  return { bytes: bytes.subarray(0, size), before: text.slice(0, start), after };
}

/** Up to `most` digits of base64 from `start` on, without the blanks between them, and where they end: at armour, too. */
function digitsFrom(text: string, start: number, most: number): { digits: string; end: number } {
  const digits: string[] = [];
  let end = start;
  for (; end < text.length && digits.length < most; end++) {
    const character = text[end] ?? '';
    if (character === '-' && text.startsWith('-----', end)) break;
    if (/[A-Za-z0-9+/_-]/.test(character)) digits.push(character);
    else if (!/[\s\u200b-\u200d\u2060]/.test(character)) break;
  }
  return { digits: digits.join(''), end };
}

/** What stood around the base64, in words; not quoted, since it may be a secret. */
function surroundings(before: string, after: string): string {
  const end = after.trim();
  const what = [
    /^\s*\{/.test(before)
      ? 'JSON'
      : /^(set |export |\$env:)?\s*[\w.-]{1,100}\s*[=:]\s*["']?$/i.test(before)
        ? 'a name before it'
        : before.trim() === '' || /^["'“‘`]$/.test(before.trim())
          ? ''
          : 'text before it',
    end === '%'
      ? 'the % mark that zsh shows after it'
      : /[%$#>]$/.test(end)
        ? 'a prompt after it'
        : /^[;,]/.test(end)
          ? 'a punctuation mark after it'
          : end === '' || /^["'”’`][;,]?$/.test(end)
            ? ''
            : 'text after it',
  ].filter((part) => part !== '');
  return `Only the base64 of the .pfx was used; ${what.join(' and ') || 'the marks around it'} ${what.length > 1 ? 'were' : 'was'} left out.`;
}
