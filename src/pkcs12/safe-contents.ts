/** What is in a PKCS#12 file: contents, bags, attributes (RFC 7292, section 4). */
import { Failure } from '../failure.ts';
import { unsupported } from './crypto/algorithms.ts';
import {
  expectTag,
  malformed,
  objectIdentifier,
  octetString,
  parseWhole,
  sequence,
  TAG,
  type Element,
} from './asn1/ber.ts';
import { OID } from './asn1/oids.ts';
import type { Encrypted } from './crypto/pbe.ts';
import { readEncryptedKey } from './private-key.ts';

/** ContentInfo: in the clear, or encrypted with a password. */
export type Content = { readonly encrypted: false; readonly data: Buffer } | ({ readonly encrypted: true } & Encrypted);

/** A bag that matters here. */
export type Bag =
  | { readonly type: 'key'; readonly pkcs8: Element; readonly localKeyId: string | undefined }
  | ({ readonly type: 'shroudedKey'; readonly localKeyId: string | undefined } & Encrypted)
  | { readonly type: 'certificate'; readonly der: Buffer; readonly localKeyId: string | undefined }
  /** The password, encrypted by Windows for users or groups of a domain. */
  | { readonly type: 'protectedPassword' };

const MAX_NESTING = 8;

/** The octets of a ContentInfo of type data: ContentInfo ::= SEQUENCE { contentType, content [0] EXPLICIT OPTIONAL }. */
export function readContent(element: Element | undefined): Content {
  const [type, wrapper] = sequence(element, 'a content');
  const oid = objectIdentifier(type, 'the type of a content');
  if (oid === OID.envelopedData) throw publicKeyMode('encrypted for');
  if (oid !== OID.data && oid !== OID.encryptedData) return unsupported('the content type', oid);
  // The content is OPTIONAL.
  if (oid === OID.data && !wrapper) return { encrypted: false, data: Buffer.alloc(0) };
  const [content] = expectTag(wrapper, TAG.context0, 'a content').children();
  if (oid === OID.data) return { encrypted: false, data: octetString(content, 'the data of a content') };

  const [, info] = sequence(content, 'an encrypted content');
  const [innerType, algorithm, ciphertext] = sequence(info, 'an encrypted content');
  objectIdentifier(innerType, 'the type of an encrypted content');
  // [0] IMPLICIT OCTET STRING OPTIONAL: 0x80 in one piece, 0xa0 in several.
  if (!algorithm || (ciphertext && ciphertext.tag !== 0x80 && ciphertext.tag !== TAG.context0))
    throw malformed('an encrypted content is of another type');
  return { encrypted: true, algorithm, ciphertext: ciphertext?.octets() ?? Buffer.alloc(0) };
}

/** Public-key integrity and privacy (RFC 7292, section 3.1): a recipient's key takes the place of the password. */
export function publicKeyMode(how: 'encrypted for' | 'signed with'): Failure {
  return new Failure(
    'PFX_UNSUPPORTED',
    `The .pfx is ${how} a certificate instead of protected by a password.`,
    'Export it with a password, such as with: openssl pkcs12 -export',
  );
}

/**
 * SafeContents ::= SEQUENCE OF SafeBag; those inside others are among them. CRLs, other secrets and unknown bags are not.
 * @param octets in the clear; none at all is a SafeContents without a bag, as some makers write it
 */
export function readSafeContents(octets: Buffer): Bag[] {
  return octets.length === 0 ? [] : readBags(parseWhole(octets), 0);
}

function readBags(safeContents: Element, nesting: number): Bag[] {
  if (nesting > MAX_NESTING) throw malformed(`SafeContents are nested more than ${MAX_NESTING} deep`);
  // OpenSSL before 3.0 wrote a SET OF where one SafeContents lies in another.
  const bags =
    nesting > 0 && safeContents.tag === TAG.set ? safeContents : expectTag(safeContents, TAG.sequence, 'SafeContents');
  return bags.children().flatMap((bag) => readBag(bag, nesting));
}

/** SafeBag ::= SEQUENCE { bagId, bagValue [0] EXPLICIT, bagAttributes SET OF PKCS12Attribute OPTIONAL }. */
function readBag(element: Element, nesting: number): readonly Bag[] {
  const [id, wrapper, attributes] = sequence(element, 'a bag');
  const type = objectIdentifier(id, 'the type of a bag');
  if (!READ_BAGS.has(type)) return [];
  const [value] = expectTag(wrapper, TAG.context0, 'the value of a bag').children();
  if (!value) throw malformed('a bag is empty');
  if (type === OID.safeContentsBag) return readBags(value, nesting + 1);
  if (type === OID.secretBag) return isProtectedPassword(value) ? [{ type: 'protectedPassword' }] : [];
  const localKeyId = readLocalKeyId(attributes);
  if (type === OID.keyBag) return [{ type: 'key', pkcs8: expectTag(value, TAG.sequence, 'a private key'), localKeyId }];
  if (type === OID.pkcs8ShroudedKeyBag) return [{ type: 'shroudedKey', ...readEncryptedKey(value), localKeyId }];
  const [certificateType, certificate] = sequence(value, 'a certificate bag');
  if (objectIdentifier(certificateType, 'the type of a certificate') !== OID.x509Certificate) return [];
  const [octets] = expectTag(certificate, TAG.context0, 'a certificate').children();
  return [{ type: 'certificate', der: octetString(octets, 'a certificate'), localKeyId }];
}

const READ_BAGS: ReadonlySet<string> = new Set([
  OID.keyBag,
  OID.pkcs8ShroudedKeyBag,
  OID.certBag,
  OID.secretBag,
  OID.safeContentsBag,
]);

/** SecretBag ::= SEQUENCE { secretTypeId, secretValue [0] EXPLICIT }. */
function isProtectedPassword(secretBag: Element): boolean {
  const [type] = sequence(secretBag, 'a secret bag');
  return objectIdentifier(type, 'the type of a secret') === OID.szOID_PKCS_12_PROTECTED_PASSWORD_SECRET_BAG_TYPE_ID;
}

/**
 * PKCS12Attribute ::= SEQUENCE { attrId, attrValues SET OF }; localKeyId is an OCTET STRING (RFC 2985, section 5.5.2).
 * It only breaks ties, so that of one that is something else the bytes are compared.
 */
function readLocalKeyId(attributes: Element | undefined): string | undefined {
  if (attributes === undefined) return undefined;
  for (const attribute of expectTag(attributes, TAG.set, 'the attributes of a bag').children()) {
    const [id, values] = sequence(attribute, 'an attribute of a bag');
    if (objectIdentifier(id, 'the type of an attribute') !== OID.localKeyId) continue;
    const [value] = expectTag(values, TAG.set, 'the values of an attribute').children();
    if (value) return value.tag === TAG.octetString ? value.content.toString('hex') : value.encoding.toString('hex');
  }
  return undefined;
}

/** The elements of a SEQUENCE OF. */
export function parseContents(octets: Buffer): Element[] {
  return sequence(parseWhole(octets), 'the contents');
}
