/** The subject of a certificate that is made here, from its text (RFC 4514). */
import { oid, sequenceOf, setOf, utf8 } from '../pkcs12/asn1/der.ts';
import { OID } from '../pkcs12/asn1/oids.ts';

/** The attributes that are supported, and the longest value of each in characters (RFC 5280, appendix A.1: ub-…). */
const ATTRIBUTES: ReadonlyMap<string, { readonly oid: string; readonly longest: number }> = new Map([
  ['CN', { oid: OID.commonName, longest: 64 }],
  ['O', { oid: OID.organizationName, longest: 64 }],
]);

/** A name as DER, or one sentence about what is wrong with its text. */
export type ParsedSubject = { readonly der: Buffer } | { readonly problem: string };

/** One `CN=api-connector` of a name. A value is of pairs (`\,`, `\c3\a4`) and other characters, without blanks at its ends. */
const ATTRIBUTE = /^\s*([A-Za-z][\w-]*|\d+(?:\.\d+)*)\s*=\s*((?:\\.|[^\\])*?)\s*$/su;
/** What RFC 4514, section 2.4, wants to be escaped in a value. A `=` does not have to be. */
const UNESCAPED = /^(?:\\(?:[\da-fA-F]{2}|[ "#+,;<=>\\])|[^"+,;<>\\\p{Cc}])+$/u;

/**
 * Reads `CN=api-connector, O=Contoso`. In the text the last part of the name stands first (RFC 4514, section 2.1), so the
 * DER has them the other way round.
 */
export function parseSubject(text: string): ParsedSubject {
  const seen = new Set<string>();
  const names: Buffer[] = [];
  for (const part of partsOf(text)) {
    const [, type = '', value = ''] = ATTRIBUTE.exec(part) ?? [];
    if (type === '') return { problem: 'a part of it is not of the form NAME=value' };
    const name = type.toUpperCase();
    const attribute = ATTRIBUTES.get(name);
    if (attribute === undefined)
      return { problem: `the attribute ${type.slice(0, 40)} is not supported, only CN and O` };
    if (seen.has(name)) return { problem: `the attribute ${name} occurs twice` };
    seen.add(name);
    const plain = unescaped(value);
    if (plain === undefined)
      return { problem: `the value of ${name} is empty, or has a character that needs a backslash` };
    if (Array.from(plain).length > attribute.longest)
      return { problem: `the value of ${name} is longer than ${attribute.longest} characters` };
    names.unshift(setOf(sequenceOf(oid(attribute.oid), utf8(plain))));
  }
  return { der: sequenceOf(...names) };
}

/** Separated by commas that have no backslash before them. */
function partsOf(text: string): readonly string[] {
  const parts = [''];
  for (const [token] of text.matchAll(/\\.|[^]/gsu)) {
    if (token === ',') parts.push('');
    else parts.push(`${parts.pop() ?? ''}${token}`);
  }
  return parts;
}

/** The value that an escaped one stands for; undefined if it is not well-formed. */
function unescaped(value: string): string | undefined {
  if (!UNESCAPED.test(value) || value.startsWith('#')) return undefined;
  const bytes: Buffer[] = [];
  for (const [, hex, escaped, plain] of value.matchAll(/\\([\da-fA-F]{2})|\\(.)|([^\\]+)/gsu)) {
    bytes.push(hex === undefined ? Buffer.from(escaped ?? plain ?? '') : Buffer.from(hex, 'hex'));
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(bytes));
    return /[\p{Cc}]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
