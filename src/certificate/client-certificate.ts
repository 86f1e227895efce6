/** A client certificate: what is worth knowing about a certificate that goes to the service with its private key. */
import { createPublicKey, hash, type KeyObject, type X509Certificate } from 'node:crypto';
import { malformed } from '../pkcs12/asn1/ber.ts';
import { OID } from '../pkcs12/asn1/oids.ts';
import { readCertificate, readPublicKeyBits, type CertificateFields } from './x509.ts';

/** A certificate with the private key that belongs to it. */
export interface ClientCertificate {
  readonly leaf: X509Certificate;
  readonly privateKey: KeyObject;
  /** The leaf's issuers in order, as far as they were given; without the leaf. */
  readonly chain: readonly X509Certificate[];
  /** SHA-1 of the certificate, 40 upper-case hex digits: what Microsoft calls the thumbprint. */
  readonly thumbprint: string;
  /** SHA-256 of the certificate, 64 upper-case hex digits. */
  readonly sha256: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** On one line: `CN=connector, O=Contoso`. @foreign */
  readonly subject: string;
  /** Node's name: `rsa`, `rsa-pss`, `ec`, `dsa`, `ed25519`, … */
  readonly keyType: string;
  /** The size of the key: of the modulus or the field, for other types of the public key. */
  readonly keyBits: number;
  /** Of the certificate: `sha256WithRSAEncryption`, …; an OID if it has no name. */
  readonly signatureAlgorithm: string;
  /** The hash in that signature by Node's name, if it is one of the broken ones. */
  readonly weakSignatureHash: 'md5' | 'sha1' | undefined;
  /** Whether the certificate lets its key sign; true also if it does not say. */
  readonly allowsDigitalSignature: boolean;
  /** Whether the certificate lets its key authenticate a TLS client; true also if it does not say. */
  readonly allowsClientAuth: boolean;
}

/**
 * Puts together what is known of a leaf and its key.
 * @param chain the leaf's issuers in order
 * @throws Failure PFX_INVALID if the certificate's own fields cannot be read
 */
export function describeCertificate(
  leaf: X509Certificate,
  privateKey: KeyObject,
  chain: readonly X509Certificate[],
): ClientCertificate {
  const fields = readCertificate(leaf.raw);
  const { notBefore, notAfter } = validityOf(leaf);
  if (Number.isNaN(notBefore.getTime()) || Number.isNaN(notAfter.getTime())) {
    throw malformed('a date of the certificate cannot be read');
  }
  return {
    leaf,
    privateKey,
    chain,
    thumbprint: thumbprintOf(leaf),
    sha256: hash('sha256', leaf.raw).toUpperCase(),
    notBefore,
    notAfter,
    subject: subjectOf(leaf),
    keyType: privateKey.asymmetricKeyType ?? 'unknown',
    keyBits: keyBits(privateKey, fields.publicKeyBits),
    signatureAlgorithm: leaf.signatureAlgorithm ?? fields.signatureOid,
    weakSignatureHash: weakHash(fields),
    allowsDigitalSignature: fields.digitalSignature ?? true,
    allowsClientAuth: forClients(fields),
  };
}

/** Whether an issuer lets what it signed authenticate a TLS client; true also if that cannot be read. */
export function allowsClientAuth(issuer: X509Certificate): boolean {
  try {
    return forClients(readCertificate(issuer.raw));
  } catch {
    return true;
  }
}

function forClients({ extendedKeyUsage }: CertificateFields): boolean {
  return extendedKeyUsage?.some((oid) => CLIENT_PURPOSES.includes(oid)) ?? true;
}

const CLIENT_PURPOSES: readonly string[] = [OID.clientAuth, OID.anyExtendedKeyUsage];

/** When a certificate is valid (RFC 5280, section 4.1.2.5). A date that does not exist, such as February 30th, is NaN. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** The validity of a certificate. */
export function validityOf({
  validFrom,
  validTo,
  validFromDate,
  validToDate,
}: Pick<X509Certificate, 'validFrom' | 'validTo' | 'validFromDate' | 'validToDate'>): Validity {
  return { notBefore: dateOf(validFrom, validFromDate), notAfter: dateOf(validTo, validToDate) };
}

/** For a date that does not exist Node sometimes gives a random one. OpenSSL's text of it is always the same. */
function dateOf(text: string, date: Date): Date {
  return text === 'Bad time value' ? new Date(Number.NaN) : date;
}

/** Whether a certificate is valid at that time. */
export function isValid(certificate: X509Certificate, now: Date): boolean {
  const { notBefore, notAfter } = validityOf(certificate);
  return notBefore <= now && now <= notAfter;
}

/** SHA-1 of the certificate, 40 upper-case hex digits. */
export function thumbprintOf(certificate: X509Certificate): string {
  return hash('sha1', certificate.raw).toUpperCase();
}

/** The subject on one line. @foreign */
export function subjectOf(certificate: X509Certificate): string {
  return onOneLine(certificate.subject);
}

/**
 * A name on one line; Node separates its parts by line feeds. @foreign
 * @param name undefined for an empty one, though the type of Node says string
 */
export function onOneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}

const WEAK_SIGNATURES: Readonly<Record<string, 'md5' | 'sha1'>> = {
  [OID.md5WithRSAEncryption]: 'md5',
  [OID.sha1WithRSAEncryption]: 'sha1',
  [OID.dsaWithSHA1]: 'sha1',
  [OID.ecdsaWithSHA1]: 'sha1',
  [OID.sha1WithRSA]: 'sha1',
};

function weakHash({ signatureOid, pssHashOid }: CertificateFields): 'md5' | 'sha1' | undefined {
  if (signatureOid === OID.rsassaPss && (pssHashOid ?? OID.sha1) === OID.sha1) return 'sha1';
  return WEAK_SIGNATURES[signatureOid];
}

function keyBits(privateKey: KeyObject, publicKey: Buffer): number {
  const { modulusLength, namedCurve } = privateKey.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined) return modulusLength;
  if (privateKey.asymmetricKeyType === 'ed448') return 456;
  if (privateKey.asymmetricKeyType !== 'ec') return publicKey.length * 8;
  const named = /\d{3}/.exec(namedCurve ?? '');
  // Explicit parameters have no name. An uncompressed point is one octet and two numbers as long as the field.
  return named ? Number(named[0]) : Math.floor((publicKey.length - 1) / 2) * 8;
}

/** Whether the certificate is for this key. */
export function belongsTogether(certificate: X509Certificate, privateKey: KeyObject): boolean {
  try {
    if (certificate.checkPrivateKey(privateKey)) return true;
  } catch {
    // The certificate's key is of a type that OpenSSL does not know; look at the bits.
  }
  // An RSA certificate may say that its key is for OAEP only, which OpenSSL takes for another type of key.
  if (privateKey.asymmetricKeyType !== 'rsa') return false;
  const publicKey = createPublicKey(privateKey).export({ type: 'pkcs1', format: 'der' });
  try {
    return readPublicKeyBits(certificate.raw).equals(publicKey);
  } catch {
    return false;
  }
}
