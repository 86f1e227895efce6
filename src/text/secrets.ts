/**
 * The secrets that this run knows: masked in the log, and taken out of foreign text in any form in which a service may
 * quote them. The runner masks what it sees; it does not see a secret that was changed after it was registered.
 */
import { setSecret } from '@actions/core';
import { decoded, without, type Decoded } from './decoded.ts';

/** Anything shorter is not masked: every place where these letters occur would read ***. */
export const SHORTEST_SECRET = 4;
/** Of a file or a key: the last line of a block may be a few letters, which would blank half the log. */
export const SHORTEST_MASKED_LINE = 16;
/** A piece of a secret that was cut counts as one from this length on. */
const SHORTEST_PIECE = 8;
/** A secret of this length was made by a machine: no other text has a piece in common with it. */
const MACHINE_MADE = 64;
/** Pieces of a long secret are found by its every 16th run of 16 characters: each piece of 31 contains one. */
const RUN = 16;
/** SHA-256 in hex. A .pfx has the thumbprint of its certificate in it, which is public and shown. */
const LONGEST_DIGEST = 64;
/** Of a text, nothing is shown that stands further back. */
const LONGEST_TEXT = 16 * 1024;
/** A file of 1 MiB in base64; what is longer is refused, and goes nowhere that could quote it. */
const LONGEST_SECRET = 1.5 * 1024 * 1024;
/** More lines than this are a file, whose pieces are found anyway. */
const FEW_LINES = 16;

/** A way to read text, and what is looked for in it. */
class Reading {
  /** Reads a text in this way. */
  readonly read: (text: Decoded) => Decoded;
  /** Of a long form; a shorter piece is not looked for. */
  readonly shortestPiece: number;
  readonly forms = new Set<string>();
  /** Where runs of long forms stand. */
  readonly runs = new Map<string, { readonly form: string; readonly at: number }>();

  constructor(read: (text: Decoded) => Decoded, shortestPiece: number) {
    this.read = read;
    this.shortestPiece = shortestPiece;
  }

  /** @param shortest a form that is shorter is not looked for: it may be in any text */
  add(text: Decoded, shortest: number): void {
    this.addForm(this.read(text).text.trim(), shortest);
  }

  /** The same for what reads the same in this way. */
  addForm(form: string, shortest: number): void {
    if (form.length < shortest || this.forms.has(form)) return;
    this.forms.add(form);
    if (form.length < Math.max(MACHINE_MADE, this.shortestPiece)) return;
    for (let at = 0; at + RUN <= form.length; at += RUN) {
      const run = form.slice(at, at + RUN);
      if (!this.runs.has(run)) this.runs.set(run, { form, at });
    }
  }
}

/** What is known of the secrets. */
class Known {
  /** As they are. */
  readonly secrets = new Set<string>();
  /** What the runner was told. */
  readonly masked = new Set<string>();
  /** As text. */
  readonly plain = new Reading((text) => text, Infinity);
  /** As base64, in either alphabet and wrapped in any way, and long secrets in pieces. A plus sign is a blank already. */
  readonly base64 = new Reading((text) => {
    const { text: digits, ...places } = without(text, /[ -]+/g);
    return { text: digits.replaceAll('_', '/'), ...places };
  }, RUN);
  /** As hex: in either letter case, with any separators. */
  readonly hex = new Reading((text) => {
    const { text: digits, ...places } = without(text, /(?:[ :,-]|0[xX](?=[\da-fA-F]{2}))+/g);
    return { text: digits.replace(/[A-F]/g, (digit) => digit.toLowerCase()), ...places };
  }, LONGEST_DIGEST + 1);
}

let known = new Known();

/** Forgets all secrets. A process that runs one step after the other calls it before each. */
export function forgetSecrets(): void {
  known = new Known();
}

/**
 * Masks a secret in the log, each line by itself, and has it taken out of foreign text from now on.
 * @param shortestLine a line that is shorter is not masked
 */
export function hide(secret: string, shortestLine: number = SHORTEST_SECRET): void {
  if (secret.length < SHORTEST_SECRET) return;
  const lines = secret.split(/\r\n|\r|\n/);
  const masked = lines.filter((line) => line.length >= shortestLine);
  for (const line of masked) mask(line);
  if (known.secrets.has(secret)) return;
  remember(lines.join('\n'));
  if (masked.length <= FEW_LINES) masked.forEach(remember);
}

function mask(line: string): void {
  if (known.masked.has(line)) return;
  known.masked.add(line);
  setSecret(line);
}

/** Hides what may be a key in a URL: its user information, and the values of its query (`?code=…`). */
export function hideUrl(url: string): void {
  if (!URL.canParse(url)) return;
  const { username, password, search, searchParams } = new URL(url);
  const values = [...searchParams.values(), ...search.split(/[?&]/).map((pair) => pair.replace(/^[^=]*=/, ''))];
  for (const value of new Set([password, percentDecoded(password), username, ...values])) {
    if (value.length >= SHORTEST_PIECE) hide(value);
  }
}

/** What percent-encoding stands for; the text itself if it is none. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The text with *** in place of each known secret: as it is, with its blanks collapsed, in JSON (also as .NET writes it),
 * in HTML, URL-encoded, with quotation marks doubled, in base64 or hex, any of these in one another, in an encoding that was
 * mistaken, and pieces of it next to where the text was cut.
 * Takes time in proportion to the text, of which at most 16 KiB are kept.
 */
export function withoutSecrets(text: string): string {
  const seen = text.slice(0, LONGEST_TEXT);
  if (known.secrets.size === 0 || seen.length < SHORTEST_SECRET) return seen;
  const found: (readonly [start: number, end: number])[] = [];
  for (const secret of known.secrets) for (const at of places(seen, secret)) found.push([at, at + secret.length]);
  const plain = decoded(seen);
  for (const { read, forms, runs, shortestPiece } of [known.plain, known.base64, known.hex]) {
    const { text: searched, starts, ends } = read(plain);
    const add = (start: number, end: number): void => {
      found.push([starts[start] ?? 0, ends[end - 1] ?? seen.length]);
    };
    for (const form of forms) {
      for (const at of places(searched, form)) add(at, at + form.length);
      if (form.length > SHORTEST_PIECE) addCutPieces(searched, form, add);
    }
    if (runs.size > 0) addRuns(searched, runs, shortestPiece, add);
  }
  return masked(seen, found);
}

function remember(whole: string): void {
  if (whole.length < SHORTEST_SECRET) return;
  const secret = whole.slice(0, LONGEST_SECRET);
  known.secrets.add(secret);
  const text = decoded(secret);
  known.plain.add(text, SHORTEST_SECRET);
  // What is shorter may be a word.
  if (secret.length >= MACHINE_MADE) known.base64.add(text, MACHINE_MADE);
  if (IS_BASE64.test(secret)) known.hex.addForm(Buffer.from(secret, 'base64').toString('hex'), MACHINE_MADE);
  if (secret.length >= 4096) return;
  for (const other of misread(secret)) known.plain.add(decoded(other), SHORTEST_SECRET + 1);
  for (const bytes of encodings(secret)) {
    for (const form of base64Forms(bytes)) known.base64.add(decoded(form), SHORTEST_SECRET + 1);
    known.hex.addForm(bytes.toString('hex'), SHORTEST_SECRET + 1);
  }
}

/** A file or a key, whose bytes may be quoted too. */
const IS_BASE64 = /^[\w+/=\s-]{64,}$/;

/** A password, or a line of a key: what a command has room for. */
const FITS_A_COMMAND = 256;

/** The secret in the encodings that it may be in; PowerShell encodes commands in UTF-16. */
function encodings(secret: string): readonly Buffer[] {
  return [
    Buffer.from(secret),
    ...(secret.search(NOT_ASCII) < 0 ? [] : [Buffer.from(secret, 'latin1')]),
    ...(secret.length <= FITS_A_COMMAND ? [Buffer.from(secret, 'utf16le')] : []),
  ];
}

const NOT_ASCII = /[^\0-\x7f]/g;

/** What is left of letters beyond ASCII where an encoding was mistaken, or has no such letter. */
function misread(secret: string): readonly string[] {
  if (secret.search(NOT_ASCII) < 0) return [];
  const bytes = Buffer.from(secret);
  const byLetter = new RegExp(NOT_ASCII, 'gu');
  const lost = ['?', '\ufffd'].flatMap((mark) => [
    secret.replace(NOT_ASCII, mark),
    secret.replace(byLetter, mark),
    secret.replace(byLetter, (letter) => mark.repeat(Buffer.byteLength(letter))),
  ]);
  return [
    bytes.toString('latin1'),
    new TextDecoder('windows-1252').decode(bytes),
    secret.normalize('NFC'),
    secret.normalize('NFD'),
    // With hardly more than marks it is in any text.
    ...lost.filter((text) => text.replace(/[?\ufffd\s]/g, '').length >= SHORTEST_SECRET),
  ];
}

/** What base64 makes of these bytes wherever they stand in others, without the digits that depend on those. */
function base64Forms(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((before) => {
    const digits = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    return digits.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
  });
}

/** Where the text has what is wanted, also where it overlaps with itself. */
function* places(text: string, wanted: string): Generator<number> {
  if (!text.includes(wanted)) return;
  for (const [at, length] of startsIn(text, wanted).entries()) if (length === wanted.length) yield at + 1 - length;
}

/**
 * For each place of the text, how long a start of what is wanted ends there. In the way of Knuth, Morris and Pratt, which
 * takes time in proportion to both, whatever they are.
 */
function startsIn(text: string, wanted: string): Uint32Array {
  const shorter = matchLengths(wanted, wanted, undefined);
  return matchLengths(text, wanted, shorter);
}

/** @param known for each start of what is wanted, how long a shorter one it ends with; undefined to find just that out */
function matchLengths(text: string, wanted: string, known: Uint32Array | undefined): Uint32Array {
  const lengths = new Uint32Array(text.length);
  const shorter = known ?? lengths;
  for (let at = known ? 0 : 1, length = 0; at < text.length; at++) {
    while (length > 0 && (length === wanted.length || text[at] !== wanted[length])) length = shorter[length - 1] ?? 0;
    if (text[at] === wanted[length]) length++;
    lengths[at] = length;
  }
  return lengths;
}

type Add = (start: number, end: number) => void;

/** The start of a secret before a cut, and the end of one behind a cut. */
function addCutPieces(text: string, form: string, add: Add): void {
  if (text.includes(form.slice(0, SHORTEST_PIECE))) {
    for (const [at, length] of startsIn(text, form.slice(0, text.length)).entries()) {
      if (length < SHORTEST_PIECE) continue;
      if (/^["'\s\])}]*($|\u2026|\.\.)/.test(text.slice(at + 1, at + 9))) add(at + 1 - length, at + 1);
    }
  }
  if (text.includes(form.slice(-SHORTEST_PIECE))) {
    for (const [fromEnd, length] of startsIn(reversed(text), reversed(form.slice(-text.length))).entries()) {
      if (length < SHORTEST_PIECE) continue;
      const start = text.length - 1 - fromEnd;
      if (/(^|\u2026|\.\.)["'\s[({]*$/.test(text.slice(Math.max(0, start - 8), start))) add(start, start + length);
    }
  }
}

/** By units, so that each place has its own; nothing of it is shown. */
function reversed(text: string): string {
  return Buffer.from(text, 'utf16le').swap16().reverse().toString('utf16le');
}

/** Pieces of long forms. */
function addRuns(text: string, runs: Reading['runs'], shortest: number, add: Add): void {
  for (let at = 0; at + RUN <= text.length; at++) {
    const place = runs.get(text.slice(at, at + RUN));
    if (!place) continue;
    const { form } = place;
    let [start, before] = [at, place.at];
    while (start > Math.max(0, at - 2 * RUN) && before > 0 && text[start - 1] === form[before - 1])
      [start, before] = [start - 1, before - 1];
    let [end, behind] = [at + RUN, place.at + RUN];
    while (end < text.length && behind < form.length && text[end] === form[behind])
      [end, behind] = [end + 1, behind + 1];
    if (end - start >= shortest) add(start, end);
    at = end - 1;
  }
}

function masked(text: string, found: readonly (readonly [start: number, end: number])[]): string {
  let [result, done] = ['', 0];
  for (const [start, end] of found.toSorted((a, b) => a[0] - b[0])) {
    // Whatever overlaps, or follows at once, is under the same stars.
    if (start > done || done === 0) result += `${text.slice(done, start)}***`;
    done = Math.max(done, end);
  }
  return result + text.slice(done);
}
