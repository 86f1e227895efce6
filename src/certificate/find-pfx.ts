/**
 * Finds the base64 of a .pfx in text with something around it. A .pfx says how long it is, so that what belongs to it
 * and what was only pasted along can be told apart for certain.
 */
import { Failure } from '../failure.ts';
import { parse, TAG } from '../pkcs12/asn1/ber.ts';
import { unescaped } from '../text/escapes.ts';

/** A .pfx that was found in text. */
export interface FoundPfx {
  readonly bytes: Buffer;
  /** What was left out or put right: a sentence for the log. */
  readonly note: string;
}

/**
 * The one .pfx in a text, if its base64 is whole; undefined if there is none. Whatever else in the text begins as a .pfx
 * has to be the same one, or the beginning of it. The time is linear in the length of the text.
 * @throws Failure PFX_NOT_BASE64 if there are several, or more base64 follows: nothing says which is meant
 */
export function findPfx(text: string): FoundPfx | undefined {
  const asItIs = candidatesIn(text);
  const plain = unescaped(text);
  const escaped = plain === text ? [] : candidatesIn(plain);
  const found = onlyWhole([...asItIs, ...escaped]);
  if (found && asItIs.includes(found)) return { bytes: found.bytes, note: surroundings(found.before, found.after) };
  if (found)
    return {
      bytes: found.bytes,
      note: 'The base64 of the .pfx had escapes in it, such as those of JSON; they were undone.',
    };
  const bytes = withPlusSigns(text);
  return bytes && { bytes, note: 'In the base64 of the .pfx the plus signs had become blanks; that was undone.' };
}

/** The .pfx whose base64 lost its plus signs to blanks, if it is whole with them. */
export function withPlusSigns(text: string): Buffer | undefined {
  if (!text.includes(' ')) return undefined;
  return onlyWhole(candidatesIn(text.replace(/[\r\n\t]/g, '').replaceAll(' ', '+')))?.bytes;
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

/**
 * Where a PFX of indefinite length ends: after its content and, if there is one, its MAC, both of them SEQUENCEs.
 * Undefined if that is not among the bytes, or they are not as they should be.
 */
function endOf(bytes: Buffer): number | undefined {
  // The header has two bytes, the version three.
  let end = 5;
  try {
    for (let elements = 0; elements < 3; elements++) {
      if (elements > 0 && bytes[end] === 0 && bytes[end + 1] === 0) return end + 2;
      const element = parse(bytes.subarray(end));
      if (element.tag !== TAG.sequence) return undefined;
      end += element.end;
    }
  } catch {
    // It is cut off, or no BER.
  }
  return undefined;
}

/** A place where the base64 of a .pfx begins. */
interface Candidate {
  /** As far as it goes. */
  readonly bytes: Buffer;
  /** Whether it is as long as it says. */
  readonly whole: boolean;
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

function candidatesIn(text: string): readonly Candidate[] {
  const starts: { readonly index: number; readonly size: number }[] = [];
  let places = 0;
  for (const { index } of text.matchAll(START)) {
    if (++places > MOST_PLACES) break;
    const size = pfxSize(Buffer.from(digitsFrom(text, index, 32).digits, 'base64'));
    if (size !== undefined) starts.push({ index, size });
    if (starts.length > MOST_CANDIDATES) throw severalTexts();
  }
  return starts.map(({ index, size }) => candidateAt(text, index, size));
}

function candidateAt(text: string, start: number, stated: number): Candidate {
  const before = text.slice(0, start);
  const size =
    stated === Infinity
      ? (pfxSize(Buffer.from(digitsFrom(text, start, Infinity).digits, 'base64')) ?? Infinity)
      : stated;
  const { digits, end } = digitsFrom(text, start, Math.ceil((size * 4) / 3));
  const bytes = Buffer.from(digits, 'base64');
  const after = text.slice(end).replace(/^={1,2}/, '');
  return { bytes: bytes.subarray(0, size), whole: bytes.length >= size, before, after };
}

/** The one that is whole. @throws Failure PFX_NOT_BASE64 if another one is not the same, or all have base64 after them */
function onlyWhole(candidates: readonly Candidate[]): Candidate | undefined {
  const whole = candidates.filter((candidate) => candidate.whole);
  const [first] = whole;
  if (!first) return undefined;
  const others = candidates.some(({ bytes }) => !first.bytes.subarray(0, bytes.length).equals(bytes));
  const found = whole.find(({ after }) => digitsFrom(after, 0, LONGEST_WORD_AFTER).digits.length < LONGEST_WORD_AFTER);
  if (others || !found) throw severalTexts();
  return found;
}

function severalTexts(): Failure {
  return new Failure(
    'PFX_NOT_BASE64',
    'What was given as the .pfx is several texts that were joined: more base64 follows the first .pfx, and nothing says which is meant.',
    'Give the base64 of one .pfx only. A command with >> appends to what is in a file already; with > it replaces that: base64 -w0 cert.pfx > cert.txt',
  );
}

/** Blanks, or digits as far as no armour begins; in pieces, since each place is looked at for a few digits first. */
const PIECE = /([\s\u200b-\u200d\u2060]{1,4096})|(?:[A-Za-z0-9+/_]|-(?!----)){1,4096}/y;

/** Up to `most` digits of base64 from `start` on, without the blanks between them, and where they end. */
function digitsFrom(text: string, start: number, most: number): { digits: string; end: number } {
  const digits: string[] = [];
  let [left, end] = [most, start];
  while (left > 0) {
    PIECE.lastIndex = end;
    const [piece, blanks] = PIECE.exec(text) ?? [];
    if (piece === undefined) break;
    const used = blanks === undefined ? piece.slice(0, left) : '';
    if (used !== '') digits.push(used);
    left -= used.length;
    end += blanks === undefined ? used.length : blanks.length;
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
