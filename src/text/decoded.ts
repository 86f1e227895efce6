/**
 * Text without its escapes: what JSON, HTML and URLs make of a text is taken back, so that a text and a quotation of it are
 * the same. It serves comparing only: what is read in the same way twice may have lost something.
 */

/** A text without its escapes, and where each of its UTF-16 units comes from. */
export interface Decoded {
  readonly text: string;
  /** In the text with escapes, by unit. */
  readonly starts: readonly number[];
  /** Behind the unit. */
  readonly ends: readonly number[];
}

/** HTML's names of ASCII characters. */
const ASCII: Readonly<Record<string, string>> = {
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", Tab: ' ', NewLine: ' ', excl: '!', num: '#', dollar: '$' },
  ...{ percnt: '%', lpar: '(', rpar: ')', ast: '*', midast: '*', plus: '+', comma: ',', period: '.', sol: '/' },
  ...{ colon: ':', semi: ';', equals: '=', quest: '?', commat: '@', lsqb: '[', lbrack: '[', bsol: '\\', rsqb: ']' },
  ...{ rbrack: ']', Hat: '^', lowbar: '_', grave: '`', lcub: '{', lbrace: '{', verbar: '|', vert: '|', rcub: '}' },
  ...{ rbrace: '}', AMP: '&', LT: '<', GT: '>', QUOT: '"', hyphen: '-', dash: '-', tilde: '~' },
};
/** HTML's names of the characters from U+00A0 on. */
const LATIN_1 = (
  'nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para ' +
  'middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute ' +
  'Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml ' +
  'Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml ' +
  'eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml'
).split(' ');
const NAMED: ReadonlyMap<string, string> = new Map([
  ...Object.entries(ASCII),
  ...LATIN_1.map((name, n): [string, string] => [name, String.fromCharCode(0xa0 + n)]),
]);
/** `&CounterClockwiseContourIntegral;` is longer, and nobody writes it. */
const LONGEST_ENTITY = 12;
/** A byte of UTF-8 that waits for the others of its character; above every UTF-16 unit. */
const BYTE = 0x10000;

/**
 * Takes back JSON's, HTML's and URLs' escapes, also of one another (`\u0026#39;`), and makes one blank of each run of blanks,
 * control characters and plus signs (a form's blank), and one quotation mark of several (SQL's and OData's escape). Backslashes
 * that are left go: before an escape, one may be of the text or of the escape. One pass: whatever an unescaped character
 * completes is looked at again.
 */
export function decoded(text: string): Decoded {
  return /[\\%&]|''|""/.test(text) ? withoutEscapes(text) : withoutBlankRuns(text);
}

/** The same without some of its characters, which never begin or end what it is compared with. */
export function without(read: Decoded, dropped: RegExp): Decoded {
  const rewritten = new Rewritten(read);
  for (const { index, 0: some } of read.text.matchAll(dropped)) rewritten.replace(index, index + some.length, '');
  return rewritten.whole();
}

/** A text with some of its pieces replaced, in order. */
class Rewritten {
  readonly #read: Decoded;
  readonly #pieces: string[] = [];
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #done = 0;

  constructor(read: Decoded) {
    this.#read = read;
  }

  replace(start: number, end: number, by: string): void {
    this.#keep(start);
    this.#pieces.push(by);
    for (let unit = 0; unit < by.length; unit++) {
      this.#starts.push(this.#read.starts[start] ?? 0);
      this.#ends.push(this.#read.ends[end - 1] ?? 0);
    }
    this.#done = end;
  }

  whole(): Decoded {
    if (this.#done === 0) return this.#read;
    this.#keep(this.#read.text.length);
    return { text: this.#pieces.join(''), starts: this.#starts, ends: this.#ends };
  }

  #keep(to: number): void {
    this.#pieces.push(this.#read.text.slice(this.#done, to));
    for (; this.#done < to; this.#done++) {
      this.#starts.push(this.#read.starts[this.#done] ?? 0);
      this.#ends.push(this.#read.ends[this.#done] ?? 0);
    }
  }
}

/** A text in which nothing is escaped, as most secrets are: a tenth of the time. */
function withoutBlankRuns(text: string): Decoded {
  const starts: number[] = [];
  const ends: number[] = [];
  const pieces: string[] = [];
  for (let at = 0, from = 0; at <= text.length; at++) {
    if (at < text.length && !isBlank(text.charCodeAt(at))) {
      starts.push(at);
      ends.push(at + 1);
      continue;
    }
    if (at > from) pieces.push(text.slice(from, at));
    from = at + 1;
    if (at === text.length) break;
    if (at > 0 && isBlank(text.charCodeAt(at - 1))) ends[ends.length - 1] = at + 1;
    else {
      pieces.push(' ');
      starts.push(at);
      ends.push(at + 1);
    }
  }
  return { text: pieces.join(''), starts, ends };
}

function withoutEscapes(text: string): Decoded {
  const units: number[] = [];
  const starts: number[] = [];
  const ends: number[] = [];

  /** Replaces the last `count` units. */
  const replace = (count: number, by: readonly number[]): void => {
    const kept = units.length - count;
    const start = starts[kept] ?? 0;
    const end = ends.at(-1) ?? 0;
    units.length = starts.length = ends.length = kept;
    for (const unit of by) {
      units.push(unit);
      starts.push(start);
      ends.push(end);
    }
  };

  for (let at = 0; at < text.length; at++) {
    units.push(text.charCodeAt(at));
    starts.push(at);
    ends.push(at + 1);
    for (let escape = lastEscape(units); escape; escape = lastEscape(units)) replace(escape.length, escape.units);
  }
  // Bytes that are no UTF-8: as in Latin-1.
  const read = units.map((unit) => String.fromCharCode(unit & 0xffff)).join('');
  return without(withoutOpenEntities({ text: read, starts, ends }), /\\+/g);
}

const OPEN_ENTITY = /&#(?:(\d+)(?![\d;])|[xX]([\da-fA-F]+)(?![\da-fA-F;]))/g;

/** `&#38` and `&#x26`, which browsers read without their semicolon, too. What is no character is read as two digits. */
function withoutOpenEntities(read: Decoded): Decoded {
  const rewritten = new Rewritten(read);
  for (const { index, 0: entity, 1: digits, 2: hexDigits } of read.text.matchAll(OPEN_ENTITY)) {
    const greedy = character(digits, hexDigits);
    const isOne = greedy !== undefined && !/\p{Cn}/u.test(greedy);
    const text = isOne ? greedy : character(digits?.slice(0, 2), hexDigits?.slice(0, 2));
    if (text === undefined) continue;
    const left = isOne ? 0 : Math.max(0, (digits ?? hexDigits ?? '').length - 2);
    rewritten.replace(index, index + entity.length - left, text);
  }
  return rewritten.whole();
}

interface Escape {
  /** Of the escape, in units. */
  readonly length: number;
  /** What it stands for. */
  readonly units: readonly number[];
}

/** The escape, or the run of blanks, that ends with the last unit; undefined if there is none. */
function lastEscape(units: readonly number[]): Escape | undefined {
  const last = units.at(-1) ?? 0;
  if (last >= BYTE) return lastUtf8(units);
  if (isBlank(last)) {
    if (units.at(-2) === BLANK) return { length: 2, units: [BLANK] };
    if (last !== BLANK) return { length: 1, units: [BLANK] };
  }
  if (last === SEMICOLON) return lastEntity(units);
  if (last === APOSTROPHE || last === QUOTATION_MARK) {
    if (units.at(-2) === last) return { length: 2, units: [last] };
  }
  return (isHexDigit(last) ? lastHex(units) : undefined) ?? lastBackslash(units, last);
}

const BLANK = 0x20;
const [APOSTROPHE, QUOTATION_MARK] = [0x27, 0x22];
const [SEMICOLON, AMPERSAND, PERCENT, BACKSLASH, SMALL_U, SMALL_X] = [0x3b, 0x26, 0x25, 0x5c, 0x75, 0x78];

/** `%41`, `%u0041`, `\u0041`, `\x41` */
function lastHex(units: readonly number[]): Escape | undefined {
  const n = units.length;
  if (units[n - 3] === PERCENT) {
    const byte = hex(units, 2);
    return byte === undefined ? undefined : { length: 3, units: [byte < 0x80 ? byte : BYTE + byte] };
  }
  if (units[n - 4] === BACKSLASH && units[n - 3] === SMALL_X) {
    const unit = hex(units, 2);
    return unit === undefined ? undefined : { length: 4, units: [unit] };
  }
  if (units[n - 5] === SMALL_U && (units[n - 6] === BACKSLASH || units[n - 6] === PERCENT)) {
    const unit = hex(units, 4);
    return unit === undefined ? undefined : { length: 6, units: [unit] };
  }
  return undefined;
}

/** `\n`, `\"`, `\\` */
function lastBackslash(units: readonly number[], last: number): Escape | undefined {
  if (units.at(-2) !== BACKSLASH) return undefined;
  const character = String.fromCharCode(last);
  if ('nrtbfv'.includes(character)) return { length: 2, units: [BLANK] };
  return '"\'/\\`'.includes(character) ? { length: 2, units: [last] } : undefined;
}

/** `&amp;`, `&#38;`, `&#x26;` */
function lastEntity(units: readonly number[]): Escape | undefined {
  // Of the last few only, or a text of semicolons would be searched from end to start for each of them.
  const few = units.slice(-LONGEST_ENTITY);
  const start = few.lastIndexOf(AMPERSAND);
  if (start < 0) return undefined;
  const length = few.length - start;
  const name = String.fromCharCode(...few.slice(start + 1, -1));
  const [, digits, hexDigits] = NUMERIC.exec(name) ?? [];
  const text = character(digits, hexDigits) ?? NAMED.get(name);
  return text === undefined ? undefined : { length, units: unitsOf(text) };
}

/** Of an entity in numbers, behind its ampersand. */
const NUMERIC = /^#(?:(\d{1,8})|[xX]([\da-fA-F]{1,8}))$/;

function character(digits: string | undefined, hexDigits: string | undefined): string | undefined {
  const codePoint = digits === undefined ? parseInt(hexDigits ?? '', 16) : Number(digits);
  return codePoint <= 0x10ffff ? String.fromCodePoint(codePoint) : undefined;
}

function unitsOf(text: string): number[] {
  return Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
}

/** RFC 3629, once the last byte of a character is there. */
function lastUtf8(units: readonly number[]): Escape | undefined {
  for (let length = 2; length <= 4; length++) {
    const lead = (units.at(-length) ?? 0) - BYTE;
    if (lead < 0x80) return undefined;
    if (lead < 0xc0) continue;
    const bytes = Buffer.from(units.slice(-length).map((unit) => unit - BYTE));
    const text = bytes.toString('utf8');
    if (text.includes('\ufffd')) return undefined;
    return { length, units: unitsOf(text) };
  }
  return undefined;
}

function hex(units: readonly number[], digits: number): number | undefined {
  const last = units.slice(-digits);
  return last.every(isHexDigit) ? parseInt(String.fromCharCode(...last), 16) : undefined;
}

function isHexDigit(unit: number): boolean {
  return (unit >= 0x30 && unit <= 0x39) || (unit >= 0x41 && unit <= 0x46) || (unit >= 0x61 && unit <= 0x66);
}

function isBlank(unit: number): boolean {
  if (unit < 0x80) return unit <= BLANK || unit === 0x7f || unit === 0x2b;
  // Halves of a pair are no blanks, though each by itself is none either.
  return (unit < 0xd800 || unit > 0xdfff) && /[\p{C}\p{Z}]/u.test(String.fromCharCode(unit));
}
