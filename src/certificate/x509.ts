/** The few fields of an X.509 certificate (RFC 5280, section 4.1) that Node does not tell, or only as text. */
import {
  expectTag,
  objectIdentifier,
  octetString,
  parseWhole,
  sequence,
  TAG,
  type Element,
} from '../pkcs12/asn1/ber.ts';
import { OID } from '../pkcs12/asn1/oids.ts';

/** Fields of a certificate. */
export interface CertificateFields {
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

/** Reads a certificate. @throws Failure PFX_INVALID */
export function readCertificate(der: Uint8Array): CertificateFields {
  const { publicKey, rest, signatureAlgorithm } = fieldsOf(der);
  const [signatureOid, signatureParameters] = sequence(signatureAlgorithm, 'the signature of a certificate');
  const oid = objectIdentifier(signatureOid, 'the signature of a certificate');
  const extensions = rest.find((field) => field.tag === TAG.context3);
  return {
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

/**
 * The OID of the algorithm of a certificate's signature; undefined if the two places where it stands differ, which makes
 * the signature void. @throws Failure PFX_INVALID
 */
export function readSignatureOid(der: Uint8Array): string | undefined {
  const { signedAlgorithm, signatureAlgorithm } = fieldsOf(der);
  const [oid] = sequence(signatureAlgorithm, 'the signature of a certificate');
  const isSame = signedAlgorithm && signatureAlgorithm?.encoding.equals(signedAlgorithm.encoding);
  return isSame ? objectIdentifier(oid, 'the signature of a certificate') : undefined;
}

/** Which key a certificate has, and which key signed it (RFC 5280, sections 4.2.1.1 and 4.2.1.2), both in hex. */
export interface KeyIdentifiers {
  readonly own: string | undefined;
  readonly issuer: string | undefined;
  /** Whether the certificate says in any way which key signed it: also by the name and serial number of its issuer. */
  readonly namesIssuer: boolean;
}

/** The two key identifiers of a certificate. @throws Failure PFX_INVALID */
export function readKeyIdentifiers(der: Uint8Array): KeyIdentifiers {
  const extensions = fieldsOf(der).rest.find((field) => field.tag === TAG.context3);
  const own = extension(extensions, OID.subjectKeyIdentifier);
  const issuer = extension(extensions, OID.authorityKeyIdentifier);
  // AuthorityKeyIdentifier ::= SEQUENCE { keyIdentifier [0] IMPLICIT OCTET STRING OPTIONAL, … }.
  const keyIdentifier = issuer && sequence(issuer, 'the key identifier of an issuer').find(({ tag }) => tag === 0x80);
  return {
    own: own && octetString(own, 'a key identifier').toString('hex'),
    issuer: keyIdentifier?.content.toString('hex'),
    namesIssuer: issuer !== undefined,
  };
}

interface Fields {
  readonly publicKey: Element | undefined;
  /** What may come last, the extensions among it. */
  readonly rest: readonly Element[];
  /** Twice in a certificate: signed, and next to the signature. */
  readonly signedAlgorithm: Element | undefined;
  readonly signatureAlgorithm: Element | undefined;
}

function fieldsOf(der: Uint8Array): Fields {
  const [tbs, signatureAlgorithm] = sequence(parseWhole(der), 'a certificate');
  const fields = sequence(tbs, 'a certificate');
  if (fields[0]?.tag === TAG.context0) fields.shift();
  const [, signedAlgorithm, , , , publicKey, ...rest] = fields;
  return { publicKey, rest, signedAlgorithm, signatureAlgorithm };
}

/** SubjectPublicKeyInfo ::= SEQUENCE { algorithm, subjectPublicKey BIT STRING }. */
function keyBits(publicKey: Element | undefined): Buffer {
  const [, bits] = sequence(publicKey, 'the public key of a certificate');
  return bitString(bits);
}

/** RSASSA-PSS-params (RFC 4055, section 3.1). */
function pssHash(parameters: Element | undefined): string | undefined {
  if (parameters?.tag !== TAG.sequence) return undefined;
  const hash = parameters.children().find((field) => field.tag === TAG.context0);
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
