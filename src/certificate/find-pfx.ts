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
  /** What else is in the text. @foreign */
  readonly rest: string;
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
  if (found && asItIs.includes(found)) return foundPfx(found, surroundings(found.before, found.after));
  if (found)
    return foundPfx(
      found,
      'The base64 of the .pfx had escapes in it, such as those of JSON, or invisible characters; they were undone.',
    );
  const repaired = withPlusSigns(text);
  return repaired && foundPfx(repaired, 'In the base64 of the .pfx the plus signs had become blanks; that was undone.');
}

function foundPfx({ bytes, before, after }: Candidate, note: string): FoundPfx {
  return { bytes, note, rest: before + after };
}

/** Whether the base64 of a .pfx lost its plus signs to blanks: it is whole with them. */
export function lostPlusSigns(text: string): boolean {
  return withPlusSigns(text) !== undefined;
}

function withPlusSigns(text: string): Candidate | undefined {
  if (!text.includes(' ')) return undefined;
  return onlyWhole(candidatesIn(text.replace(/[\r\n\t]/g, '').replaceAll(' ', '+')));
}

/** Base64 that was found in text. */
export interface FoundBase64 {
  readonly base64: string;
  /** What was left out: a sentence for the log. */
  readonly note: string;
}

/** A run of base64 that is longer than this is no word of the text. */
const LONGEST_WORD = 64;

/**
 * The one long run of base64 in a text with something around it, on one line or on lines of one length; undefined if there
 * is none, or a second one. Whether it is whole cannot be told, unlike that of a .pfx.
 */
export function findBase64(text: string): FoundBase64 | undefined {
  let found: FoundBase64 | undefined;
  for (const { 0: run, index } of text.matchAll(/[A-Za-z0-9+/_\s-]+={0,2}/g)) {
    if (run.length <= LONGEST_WORD) continue;
    if (found || run.length === text.length || !hasLinesOfOneLength(run)) return undefined;
    found = { base64: run.trim(), note: surroundings(text.slice(0, index), text.slice(index + run.length)) };
  }
  return found;
}

function hasLinesOfOneLength(run: string): boolean {
  const lines = run.trim().split(/[\r\n]+/);
  const lengths = lines.map((line) => line.trim().length);
  const [first = 0, last = 0] = [lengths[0], lengths.at(-1)];
  const hasBlanks = lines.some((line) => /\S\s+\S/.test(line));
  return !hasBlanks && last <= first && lengths.slice(0, -1).every((length) => length === first);
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
  return `Only the base64 was used; ${what.join(' and ') || 'the marks around it'} ${what.length === 1 ? 'was' : 'were'} left out.`;
}
