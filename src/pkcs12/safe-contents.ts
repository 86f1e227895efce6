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

/** ContentInfo: in the clear, or encrypted with a password. */
export type Content =
  | { readonly encrypted: false; readonly data: Buffer }
  | { readonly encrypted: true; readonly algorithm: Element; readonly ciphertext: Buffer };

/** A bag that matters here; CRLs, secrets and unknown bags do not. */
export type Bag =
  | { readonly type: 'key'; readonly pkcs8: Element; readonly localKeyId: string | undefined }
  | {
      readonly type: 'shroudedKey';
      readonly algorithm: Element;
      readonly ciphertext: Buffer;
      readonly localKeyId: string | undefined;
    }
  | { readonly type: 'certificate'; readonly der: Buffer; readonly localKeyId: string | undefined }
  | { readonly type: 'nested'; readonly bags: readonly Bag[] }
  | { readonly type: 'other' };

const OID_DATA = '1.2.840.113549.1.7.1';
const OID_ENVELOPED_DATA = '1.2.840.113549.1.7.3';
const OID_ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const OID_X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const OID_LOCAL_KEY_ID = '1.2.840.113549.1.9.21';
const OID_BAG = '1.2.840.113549.1.12.10.1.';
const EXPLICIT_0 = 0xa0;
const MAX_NESTING = 8;

/** The octets of a ContentInfo of type data: ContentInfo ::= SEQUENCE { contentType, content [0] EXPLICIT OPTIONAL }. */
export function readContent(element: Element | undefined): Content {
  const [type, wrapper] = sequence(element, 'a content');
  const oid = objectIdentifier(type, 'the type of a content');
  if (oid === OID_ENVELOPED_DATA) throw publicKeyMode('encrypted for');
  if (oid !== OID_DATA && oid !== OID_ENCRYPTED_DATA) return unsupported('the content type', oid);
  const [content] = expectTag(wrapper, EXPLICIT_0, 'a content').children();
  if (oid === OID_DATA) return { encrypted: false, data: octetString(content, 'the data of a content') };

  const [, info] = sequence(content, 'an encrypted content');
  const [innerType, algorithm, ciphertext] = sequence(info, 'an encrypted content');
  objectIdentifier(innerType, 'the type of an encrypted content');
  // [0] IMPLICIT OCTET STRING: 0x80 in one piece, 0xa0 in several.
  if (!algorithm || (ciphertext?.tag !== 0x80 && ciphertext?.tag !== 0xa0))
    throw malformed('an encrypted content is empty');
  return { encrypted: true, algorithm, ciphertext: ciphertext.octets() };
}

/** Public-key integrity and privacy (RFC 7292, section 3.1): a recipient's key takes the place of the password. */
export function publicKeyMode(how: 'encrypted for' | 'signed with'): Failure {
  return new Failure(
    'PFX_UNSUPPORTED',
    `The .pfx is ${how} a certificate instead of protected by a password.`,
    'Export it with a password, such as with: openssl pkcs12 -export',
  );
}

/** SafeContents ::= SEQUENCE OF SafeBag. */
export function readSafeContents(safeContents: Element, nesting = 0): Bag[] {
  if (nesting > MAX_NESTING) throw malformed(`SafeContents are nested more than ${MAX_NESTING} deep`);
  return sequence(safeContents, 'SafeContents').map((bag) => readBag(bag, nesting));
}

/** EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm, encryptedData OCTET STRING } (RFC 5958, section 3). */
function readBag(element: Element, nesting: number): Bag {
  const [id, wrapper, attributes] = sequence(element, 'a bag');
  const oid = objectIdentifier(id, 'the type of a bag');
  if (!oid.startsWith(OID_BAG)) return { type: 'other' };
  const [value] = expectTag(wrapper, EXPLICIT_0, 'the value of a bag').children();
  switch (oid.slice(OID_BAG.length)) {
    case '1':
      return {
        type: 'key',
        pkcs8: expectTag(value, TAG.sequence, 'a private key'),
        localKeyId: readLocalKeyId(attributes),
      };
    case '2': {
      const [algorithm, ciphertext] = sequence(value, 'an encrypted private key');
      return {
        type: 'shroudedKey',
        algorithm: expectTag(algorithm, TAG.sequence, 'the encryption of a private key'),
        ciphertext: octetString(ciphertext, 'an encrypted private key'),
        localKeyId: readLocalKeyId(attributes),
      };
    }
    case '3': {
      const [certificateType, certificate] = sequence(value, 'a certificate bag');
      if (objectIdentifier(certificateType, 'the type of a certificate') !== OID_X509_CERTIFICATE)
        return { type: 'other' };
      const [octets] = expectTag(certificate, EXPLICIT_0, 'a certificate').children();
      return { type: 'certificate', der: octetString(octets, 'a certificate'), localKeyId: readLocalKeyId(attributes) };
    }
    case '6':
      return { type: 'nested', bags: readSafeContents(expectTag(value, TAG.sequence, 'SafeContents'), nesting + 1) };
    default:
      return { type: 'other' };
  }
}

/** PKCS12Attribute ::= SEQUENCE { attrId, attrValues SET OF }; localKeyId is an OCTET STRING (RFC 2985, section 5.5.2). */
function readLocalKeyId(attributes: Element | undefined): string | undefined {
  if (attributes === undefined) return undefined;
  for (const attribute of expectTag(attributes, TAG.set, 'the attributes of a bag').children()) {
    const [id, values] = sequence(attribute, 'an attribute of a bag');
    if (objectIdentifier(id, 'the type of an attribute') !== OID_LOCAL_KEY_ID) continue;
    const [value] = expectTag(values, TAG.set, 'the values of an attribute').children();
    if (value) return octetString(value, 'a localKeyId').toString('hex');
  }
  return undefined;
}

/** The SEQUENCE OF in plain or decrypted octets. */
export function parseContents(octets: Buffer): Element {
  return expectTag(parseWhole(octets), TAG.sequence, 'SafeContents');
}
