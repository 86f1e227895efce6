/** The few fields of an X.509 certificate (RFC 5280, section 4.1) that Node does not tell, or only as text. */
import { expectTag, malformed, objectIdentifier, parseWhole, sequence, TAG, type Element } from '../pkcs12/asn1/ber.ts';
import { OID } from '../pkcs12/asn1/oids.ts';

/** Fields of a certificate. */
export interface CertificateFields {
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The OID of the algorithm of its signature. */
  readonly signatureOid: string;
  /** The hash of an RSASSA-PSS signature: its OID, where it is not SHA-1 by default. */
  readonly pssHashOid: string | undefined;
  /** Undefined where the certificate does not restrict its key. */
  readonly digitalSignature: boolean | undefined;
  /** The OIDs of what the key is for; undefined if the certificate does not say. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** The public key without its algorithm. */
  readonly publicKeyBits: Buffer;
}

const EXPLICIT_0 = 0xa0;
const EXPLICIT_3 = 0xa3;

/** Reads a certificate. @throws Failure PFX_INVALID */
export function readCertificate(der: Uint8Array): CertificateFields {
  const { validity, publicKey, rest, signatureAlgorithm } = fieldsOf(der);
  const [notBefore, notAfter] = sequence(validity, 'the validity of a certificate');
  const [signatureOid, signatureParameters] = sequence(signatureAlgorithm, 'the signature of a certificate');
  const oid = objectIdentifier(signatureOid, 'the signature of a certificate');
  const extensions = rest.find((field) => field.tag === EXPLICIT_3);
  return {
    notBefore: time(notBefore),
    notAfter: time(notAfter),
    signatureOid: oid,
    pssHashOid: oid === OID.rsassaPss ? pssHash(signatureParameters) : undefined,
    digitalSignature: digitalSignature(extensions),
    extendedKeyUsage: extendedKeyUsage(extensions),
    publicKeyBits: keyBits(publicKey),
  };
}

/**
 * The public key of a certificate without its algorithm. Nothing else of the certificate is read.
 * @throws Failure PFX_INVALID
 */
export function readPublicKeyBits(der: Uint8Array): Buffer {
  return keyBits(fieldsOf(der).publicKey);
}

interface Fields {
  readonly validity: Element | undefined;
  readonly publicKey: Element | undefined;
  /** What may come last, the extensions among it. */
  readonly rest: readonly Element[];
  readonly signatureAlgorithm: Element | undefined;
}

function fieldsOf(der: Uint8Array): Fields {
  const [tbs, signatureAlgorithm] = sequence(parseWhole(der), 'a certificate');
  const fields = sequence(tbs, 'a certificate');
  if (fields[0]?.tag === EXPLICIT_0) fields.shift();
  const [, , , validity, , publicKey, ...rest] = fields;
  return { validity, publicKey, rest, signatureAlgorithm };
}

/** SubjectPublicKeyInfo ::= SEQUENCE { algorithm, subjectPublicKey BIT STRING }. */
function keyBits(publicKey: Element | undefined): Buffer {
  const [, bits] = sequence(publicKey, 'the public key of a certificate');
  return bitString(bits);
}

const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(Z|[+-]\d{4})?$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:\.\d+)?(Z|[+-]\d{4})?$/;

/** UTCTime or GeneralizedTime; RFC 5280 wants seconds and Z, older certificates have neither. */
function time(element: Element | undefined): Date {
  const text = element?.content.toString('latin1') ?? '';
  const isUtc = element?.tag === TAG.utcTime;
  const match = (isUtc ? UTC_TIME : GENERALIZED_TIME).exec(text);
  if (!match || (!isUtc && element?.tag !== TAG.generalizedTime)) {
    throw malformed('a date of the certificate cannot be read');
  }
  const [, y, month, day, hour, minute, second, zone] = match;
  // RFC 5280, section 4.1.2.5.1: two digits stand for 1950 to 2049.
  const year = isUtc ? Number(y) + (Number(y) < 50 ? 2000 : 1900) : Number(y);
  const date = new Date(0);
  date.setUTCFullYear(year, Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second ?? 0));
  if (zone === undefined || zone === 'Z') return date;
  const offset = (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3))) * 60_000;
  return new Date(date.getTime() - (zone.startsWith('-') ? -offset : offset));
}

/** RSASSA-PSS-params (RFC 4055, section 3.1). */
function pssHash(parameters: Element | undefined): string | undefined {
  if (parameters?.tag !== TAG.sequence) return undefined;
  const hash = parameters.children().find((field) => field.tag === EXPLICIT_0);
  const [oid] = hash ? sequence(hash.children()[0], 'the hash of a signature') : [];
  return oid && objectIdentifier(oid, 'the hash of a signature');
}

function digitalSignature(extensions: Element | undefined): boolean | undefined {
  const value = extension(extensions, OID.keyUsage);
  return value && ((bitString(value)[0] ?? 0) & 0x80) !== 0;
}

function extendedKeyUsage(extensions: Element | undefined): readonly string[] | undefined {
  const value = extension(extensions, OID.extendedKeyUsage);
  return (
    value && sequence(value, 'the extended key usage').map((oid) => objectIdentifier(oid, 'the extended key usage'))
  );
}

/** The value of the extension with this OID. */
function extension(extensions: Element | undefined, wanted: string): Element | undefined {
  for (const one of extensions ? sequence(extensions.children()[0], 'the extensions of a certificate') : []) {
    const [id, ...values] = sequence(one, 'an extension of a certificate');
    if (objectIdentifier(id, 'an extension of a certificate') !== wanted) continue;
    return parseWhole(expectTag(values.at(-1), TAG.octetString, 'an extension of a certificate').octets());
  }
  return undefined;
}

/** Without the octet that counts the unused bits. */
function bitString(element: Element | undefined): Buffer {
  return expectTag(element, TAG.bitString, 'a bit string of a certificate').content.subarray(1);
}
