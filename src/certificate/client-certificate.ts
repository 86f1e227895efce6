/** What a .pfx file is for: a certificate, its private key, and what is worth knowing about them. */
import { createPublicKey, hash, type KeyObject, type X509Certificate } from 'node:crypto';
import { readCertificate } from './x509.ts';

/** A certificate with the private key that belongs to it. */
export interface ClientCertificate {
  readonly leaf: X509Certificate;
  readonly privateKey: KeyObject;
  /** The leaf's issuers in order, without the leaf; other certificates of the file after them. */
  readonly chain: readonly X509Certificate[];
  /** SHA-1 of the certificate, 40 upper-case hex digits: what Microsoft calls the thumbprint. */
  readonly thumbprint: string;
  /** SHA-256 of the certificate, 64 upper-case hex digits. */
  readonly sha256: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** On one line: `CN=connector, O=Contoso`. */
  readonly subject: string;
  readonly issuer: string;
  /** Upper-case hex. */
  readonly serialNumber: string;
  /** Node's name: `rsa`, `rsa-pss`, `ec`, `dsa`, `ed25519`, … */
  readonly keyType: string;
  /** The size of the key: of the modulus or the field, for other types of the public key. */
  readonly keyBits: number;
  /** The curve of an EC key, by OpenSSL's name. */
  readonly curve?: string;
  /** Of the certificate: `sha256WithRSAEncryption`, …; an OID where it has no name. */
  readonly signatureAlgorithm: string;
  /** The hash in that signature by Node's name, where it is one of the broken ones: `md5`, `sha1`. */
  readonly weakSignatureHash?: 'md5' | 'sha1';
  /** Whether the certificate lets its key sign; true also where it does not say. */
  readonly allowsDigitalSignature: boolean;
  readonly encryption: Encryption;
  /** Whether the file had a MAC, which fitted. */
  readonly macVerified: boolean;
  /** Whether the file is exactly what the service documents, so that it can be sent as it is. */
  readonly isTripleDesSha1: boolean;
}

/** How a file is protected, in words: `TripleDES-SHA1`, `AES-256`, `RC2-40`, `HMAC-SHA256`, `none`. */
export interface Encryption {
  readonly key: string;
  readonly certificates: string;
  readonly mac: string;
}

/** What the file says about itself, beside its certificate and key. */
export type FileFacts = Pick<ClientCertificate, 'encryption' | 'macVerified' | 'isTripleDesSha1'>;

/**
 * Puts together what is known of a leaf and its key.
 * @throws Failure PFX_INVALID where the certificate's own fields cannot be read
 */
export function describeCertificate(
  leaf: X509Certificate,
  privateKey: KeyObject,
  others: readonly X509Certificate[],
  facts: FileFacts,
): ClientCertificate {
  const fields = readCertificate(leaf.raw);
  const details = privateKey.asymmetricKeyDetails ?? {};
  const keyType = privateKey.asymmetricKeyType ?? 'unknown';
  const weakSignatureHash = WEAK_SIGNATURES[fields.signatureOid] ?? (isPssWithSha1(fields) ? 'sha1' : undefined);
  const curve = keyType === 'ec' ? details.namedCurve : undefined;
  return Object.freeze({
    leaf,
    privateKey,
    chain: Object.freeze(orderChain(leaf, others)),
    thumbprint: hash('sha1', leaf.raw).toUpperCase(),
    sha256: hash('sha256', leaf.raw).toUpperCase(),
    notBefore: fields.notBefore,
    notAfter: fields.notAfter,
    subject: oneLine(leaf.subject),
    issuer: oneLine(leaf.issuer),
    serialNumber: leaf.serialNumber,
    keyType,
    keyBits: details.modulusLength ?? keyBits(keyType, curve, fields.publicKeyBits, privateKey),
    ...(curve === undefined ? {} : { curve }),
    signatureAlgorithm: leaf.signatureAlgorithm ?? fields.signatureOid,
    ...(weakSignatureHash === undefined ? {} : { weakSignatureHash }),
    allowsDigitalSignature: fields.digitalSignature ?? true,
    ...facts,
  });
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
  return readCertificate(certificate.raw).publicKeyBits.equals(publicKey);
}

/** Issuers from the leaf upwards, then whatever else there is, in the order of the file. */
function orderChain(leaf: X509Certificate, others: readonly X509Certificate[]): X509Certificate[] {
  const rest = [...others];
  const chain: X509Certificate[] = [];
  for (let current = leaf; ;) {
    const index = rest.findIndex((candidate) => issued(current, candidate));
    const issuer = rest[index];
    if (!issuer) break;
    rest.splice(index, 1);
    chain.push(issuer);
    current = issuer;
  }
  return [...chain, ...rest];
}

function issued(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.issuer !== certificate.subject && certificate.checkIssued(issuer);
  } catch {
    return false;
  }
}

const WEAK_SIGNATURES: Readonly<Record<string, 'md5' | 'sha1'>> = {
  '1.2.840.113549.1.1.4': 'md5',
  '1.2.840.113549.1.1.5': 'sha1',
  '1.2.840.10040.4.3': 'sha1',
  '1.2.840.10045.4.1': 'sha1',
  '1.3.14.3.2.29': 'sha1',
};

const OID_RSASSA_PSS = '1.2.840.113549.1.1.10';
const OID_SHA1 = '1.3.14.3.2.26';

function isPssWithSha1({
  signatureOid,
  pssHashOid,
}: {
  signatureOid: string;
  pssHashOid: string | undefined;
}): boolean {
  return signatureOid === OID_RSASSA_PSS && (pssHashOid ?? OID_SHA1) === OID_SHA1;
}

function keyBits(type: string, curve: string | undefined, publicKey: Buffer, privateKey: KeyObject): number {
  if (type !== 'ec') return type === 'ed448' ? 456 : publicKey.length * 8;
  const named = /\d{3}/.exec(curve ?? '');
  if (named) return Number(named[0]);
  // Explicit parameters have no name: the private value is as long as the field.
  const bits = createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).length;
  return bits === 0 ? 0 : Math.floor((publicKey.length - 1) / 2) * 8;
}

/** Node separates the parts of a name by line feeds. */
function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}
