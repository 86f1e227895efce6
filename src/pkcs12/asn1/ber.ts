/**
 * A reader for BER (ITU-T X.690): definite and indefinite lengths, constructed strings. PKCS#12 is BER, not DER
 * (RFC 7292, section 4), and Java's and Microsoft's older exporters make use of that.
 */
import { Failure } from '../../failure.ts';

/** Identifier octets as they occur in PKCS#12 and X.509. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
  /** [0] and [3], both EXPLICIT or of a constructed type. */
  context0: 0xa0,
  context3: 0xa3,
} as const;

const CONSTRUCTED = 0x20;
/** More than twice as deep as any file of any maker; what lies deeper is an attack on the stack. */
const MAX_DEPTH = 32;
const END_OF_CONTENTS = 0x00;

/** One element, not yet looked into: offsets only, so that a megabyte of tiny elements stays small. */
export class Element {
  /** The identifier octet: class, constructed bit and number together. */
  readonly tag: number;
  readonly #source: Buffer;
  readonly #start: number;
  readonly #contentStart: number;
  readonly #contentEnd: number;
  /** Where the next element starts, counted in the source. */
  readonly end: number;
  readonly #depth: number;

  constructor(source: Buffer, start: number, depth: number) {
    if (depth > MAX_DEPTH) throw malformed(`elements are nested more than ${MAX_DEPTH} deep`);
    const header = readHeader(source, start);
    this.tag = header.tag;
    this.#source = source;
    this.#start = start;
    this.#depth = depth;
    this.#contentStart = header.contentStart;
    if (header.length === undefined) {
      this.#contentEnd = findEndOfContents(source, header.contentStart, depth);
      this.end = this.#contentEnd + 2;
    } else {
      this.#contentEnd = this.end = header.contentStart + header.length;
    }
  }

  get constructed(): boolean {
    return (this.tag & CONSTRUCTED) !== 0;
  }

  /** The content octets, as a view. */
  get content(): Buffer {
    return this.#source.subarray(this.#contentStart, this.#contentEnd);
  }

  /** The whole element with its header, as a view. */
  get encoding(): Buffer {
    return this.#source.subarray(this.#start, this.end);
  }

  /** The elements inside, in order. */
  children(): Element[] {
    if (!this.constructed) throw malformed('an element that should hold others is primitive');
    const children: Element[] = [];
    for (let offset = this.#contentStart; offset < this.#contentEnd;) {
      const child = new Element(this.#source, offset, this.#depth + 1);
      if (child.end > this.#contentEnd) throw malformed('an element is longer than the one that it is in');
      children.push(child);
      offset = child.end;
    }
    return children;
  }

  /** The octets of a string; the pieces of a constructed one are joined (X.690, section 8.7). */
  octets(): Buffer {
    if (!this.constructed) return this.content;
    return Buffer.concat(
      this.children().map((piece) => {
        if ((piece.tag & ~CONSTRUCTED) !== TAG.octetString) throw malformed('a piece of a string is no string');
        return piece.octets();
      }),
    );
  }
}

/**
 * The element at the start of `source`; bytes may follow it.
 * @throws Failure PFX_TRUNCATED where it ends beyond the source, PFX_INVALID where it is no BER
 */
export function parse(source: Uint8Array): Element {
  return new Element(Buffer.from(source.buffer, source.byteOffset, source.byteLength), 0, 0);
}

/** The element that `source` consists of. */
export function parseWhole(source: Uint8Array): Element {
  const element = parse(source);
  if (element.end !== source.length) throw malformed('bytes follow an element where none may');
  return element;
}

/** Insists on a tag. `what` completes "… is not as RFC 7292 has it". */
export function expectTag(element: Element | undefined, tag: number, what: string): Element {
  if (element?.tag !== tag && element?.tag !== (tag | CONSTRUCTED))
    throw malformed(`${what} is missing or of another type`);
  // Of the universal types, strings alone may come in pieces.
  if (element.constructed && (tag & CONSTRUCTED) === 0 && tag !== TAG.octetString)
    throw malformed(`${what} is constructed`);
  return element;
}

/** The elements in a SEQUENCE. */
export function sequence(element: Element | undefined, what: string): Element[] {
  return expectTag(element, TAG.sequence, what).children();
}

/** The octets of an OCTET STRING. */
export function octetString(element: Element | undefined, what: string): Buffer {
  return expectTag(element, TAG.octetString, what).octets();
}

/** An INTEGER, clamped to ±2^53: whatever is larger than that is too large for every use here. */
export function integer(element: Element | undefined, what: string): number {
  const { content } = expectTag(element, TAG.integer, what);
  if (content.length === 0) throw malformed(`${what} is empty`);
  const negative = (content.readInt8(0) >> 7) & 1;
  if (content.length <= 6) return content.readIntBE(0, content.length);
  if (content.subarray(0, -6).every((byte) => byte === 0) && !negative)
    return content.readUIntBE(content.length - 6, 6);
  return negative ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
}

/** An OBJECT IDENTIFIER in dotted form. */
export function objectIdentifier(element: Element | undefined, what: string): string {
  const { content } = expectTag(element, TAG.oid, what);
  if (content.length === 0 || content.length > 64 || (content.at(-1) ?? 0) >= 0x80)
    throw malformed(`${what} is no OID`);
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    if (arcs.length === 0) {
      const first = arc < 80n ? arc / 40n : 2n;
      arcs.push(first, arc - first * 40n);
    } else arcs.push(arc);
    arc = 0n;
  }
  return arcs.join('.');
}

/** A file that is no PKCS#12 file as RFC 7292 has it. */
export function malformed(what: string): Failure {
  return new Failure('PFX_INVALID', `The .pfx is malformed: ${what}.`, EXPORT_AGAIN);
}

/** A file that stops too early. */
export function truncated(): Failure {
  return new Failure(
    'PFX_TRUNCATED',
    'The .pfx is cut off: by its own length it is longer than what is here.',
    'Copy it again, whole, and compare its size or SHA-256 with the original. To store it whole, with the name of your environment:\nbase64 < connector.pfx | gh secret set CONNECTOR_PFX --env production',
  );
}

const EXPORT_AGAIN = 'Export the certificate with its private key again. It may have been damaged on its way here.';

function readHeader(source: Buffer, start: number): { tag: number; contentStart: number; length: number | undefined } {
  const tag = at(source, start);
  if ((tag & 0x1f) === 0x1f) throw malformed('a tag number is above 30');
  const first = at(source, start + 1);
  let contentStart = start + 2;
  if (first === 0x80) {
    if ((tag & CONSTRUCTED) === 0) throw malformed('a primitive element has an indefinite length');
    return { tag, contentStart, length: undefined };
  }
  let length = first;
  if (first > 0x80) {
    if (first === 0xff || first - 0x80 > 16) throw malformed('a length takes too many bytes');
    length = 0;
    for (let i = first & 0x7f; i > 0; i--) length = length * 256 + at(source, contentStart++);
  }
  if (length > source.length - contentStart) throw truncated();
  return { tag, contentStart, length };
}

/** Skips to the end-of-contents octets that belong to an element with an indefinite length. */
function findEndOfContents(source: Buffer, start: number, depth: number): number {
  let open = 1;
  for (let offset = start; ;) {
    if (at(source, offset) === END_OF_CONTENTS && at(source, offset + 1) === 0) {
      open--;
      if (open === 0) return offset;
      offset += 2;
      continue;
    }
    const { contentStart, length } = readHeader(source, offset);
    if (length === undefined) {
      open++;
      if (depth + open > MAX_DEPTH) throw malformed(`elements are nested more than ${MAX_DEPTH} deep`);
    }
    offset = contentStart + (length ?? 0);
  }
}

function at(source: Buffer, offset: number): number {
  const byte = source[offset];
  if (byte === undefined) throw truncated();
  return byte;
}
