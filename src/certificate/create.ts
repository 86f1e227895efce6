/** A new key and a certificate for it, signed by itself: what an API connector authenticates with. */
import { generateKeyPair, hash, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import {
  bits,
  explicit,
  nothing,
  octets,
  oid,
  sequenceOf,
  time,
  unsigned,
  unsignedBytes,
  yes,
} from '../pkcs12/asn1/der.ts';
import { OID } from '../pkcs12/asn1/oids.ts';
import { DAY } from '../text/dates.ts';
import { describeCertificate, type ClientCertificate } from './client-certificate.ts';

/** What the service's documents ask for. */
const RSA_BITS = 2048;
/** 128 bits, and never negative: RFC 5280, section 4.1.2.2, allows 20 octets. */
const SERIAL_LENGTH = 16;
/** The clock of the service, or of the API, may be behind the runner's. In milliseconds. */
const CLOCK_SKEW = 5 * 60_000;

/** What a certificate is made for. */
export interface CertificateRequest {
  /** The subject, a Name in DER. */
  readonly subject: Uint8Array;
  /** From `now`; it is valid five minutes before that already. */
  readonly validDays: number;
}

/**
 * Makes an RSA key of 2048 bits and a certificate for it, which is its own issuer and no CA.
 * The key is made outside of the event loop, so that a cancelled job is noticed meanwhile.
 */
export async function createCertificate(request: CertificateRequest, now: Date): Promise<ClientCertificate> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS });
  const leaf = new X509Certificate(selfSigned(request, publicKey, privateKey, now));
  return describeCertificate(leaf, privateKey, []);
}

/** Certificate (RFC 5280, section 4.1) in DER. */
function selfSigned(
  { subject, validDays }: CertificateRequest,
  publicKey: KeyObject,
  privateKey: KeyObject,
  now: Date,
): Buffer {
  const algorithm = sequenceOf(oid(OID.sha256WithRSAEncryption), nothing());
  const tbsCertificate = sequenceOf(
    explicit(0, unsigned(2)),
    unsignedBytes(serialNumber()),
    algorithm,
    subject,
    sequenceOf(time(new Date(now.getTime() - CLOCK_SKEW)), time(new Date(now.getTime() + validDays * DAY))),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, extensions(publicKey)),
  );
  return sequenceOf(tbsCertificate, algorithm, bits(sign('sha256', tbsCertificate, privateKey)));
}

/** 128 random bits, the first of which is set: so it is positive, and always of the same length. */
function serialNumber(): Buffer {
  const serial = randomBytes(SERIAL_LENGTH);
  serial[0] = (serial[0] ?? 0) | 0x80;
  return serial;
}

/** No authority key identifier: a certificate that signs itself needs none (RFC 5280, section 4.2.1.1). */
function extensions(publicKey: KeyObject): Buffer {
  const subjectKeyIdentifier = hash('sha1', publicKey.export({ type: 'pkcs1', format: 'der' }), 'buffer');
  return sequenceOf(
    critical(OID.basicConstraints, sequenceOf()),
    // digitalSignature is the first bit.
    critical(OID.keyUsage, bits(Buffer.of(0x80), 7)),
    sequenceOf(oid(OID.extendedKeyUsage), octets(sequenceOf(oid(OID.clientAuth)))),
    // Method 1 of RFC 5280, section 4.2.1.2: SHA-1 of the key's BIT STRING.
    sequenceOf(oid(OID.subjectKeyIdentifier), octets(octets(subjectKeyIdentifier))),
  );
}

function critical(id: string, value: Uint8Array): Buffer {
  return sequenceOf(oid(id), yes(), octets(value));
}
