/**
 * Throw-away certificates: an authority made at start and kept in memory, what it issues to the emulator's hosts, and
 * client certificates for the demo and the tests.
 */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createHash, type webcrypto } from 'node:crypto';
import { isIP } from 'node:net';

type CryptoKey = webcrypto.CryptoKey;

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

export interface ClientCertificate {
  readonly certificatePem: string;
  /** PKCS#8, not encrypted. */
  readonly keyPem: string;
  /** SHA-1, upper-case hex, as Graph writes it. */
  readonly thumbprint: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

let shared: Promise<CertificateAuthority> | undefined;

export class CertificateAuthority {
  /** The authority's certificate, what NODE_EXTRA_CA_CERTS points to. */
  readonly pem: string;
  readonly #certificate: x509.X509Certificate;
  readonly #key: CryptoKey;
  readonly #issued = new Map<string, Promise<{ key: string; cert: string }>>();

  private constructor(certificate: x509.X509Certificate, key: CryptoKey) {
    this.#certificate = certificate;
    this.#key = key;
    this.pem = certificate.toString('pem');
  }

  /** The one of this process, made when it is asked for first: emulators that come and go need none of their own. */
  static async shared(): Promise<CertificateAuthority> {
    return await (shared ??= CertificateAuthority.create());
  }

  static async create(): Promise<CertificateAuthority> {
    const keys = await crypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=Emulator throw-away CA',
      keys,
      signingAlgorithm: ECDSA,
      notBefore: daysFromNow(-1),
      notAfter: daysFromNow(7),
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      ],
    });
    return new CertificateAuthority(certificate, keys.privateKey);
  }

  /**
   * One certificate for all of these hosts, in PEM as node:tls takes it; the same whenever it is asked for. With `rsaBits`
   * its key is RSA of that length: one of 1024 bits is too weak for clients of today.
   */
  async serverCertificate(hosts: readonly string[], rsaBits?: number): Promise<{ key: string; cert: string }> {
    const name = [rsaBits, ...hosts].join(' ');
    const issued = this.#issued.get(name) ?? this.#issue(hosts, rsaBits);
    this.#issued.set(name, issued);
    return await issued;
  }

  async #issue(hosts: readonly string[], rsaBits: number | undefined): Promise<{ key: string; cert: string }> {
    const algorithm = rsaBits === undefined ? ECDSA : { ...RSA, modulusLength: rsaBits };
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: 'CN=emulator',
      issuer: this.#certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#key,
      signingAlgorithm: ECDSA,
      notBefore: daysFromNow(-1),
      notAfter: daysFromNow(7),
      extensions: [
        new x509.SubjectAlternativeNameExtension(
          hosts.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
        ),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      ],
    });
    return { key: await privatePem(keys.privateKey), cert: certificate.toString('pem') };
  }
}

/** A certificate as a connector presents it: self-signed, RSA 2048, digitalSignature; valid for a year unless told otherwise. */
export async function clientCertificate(
  options: { commonName?: string; notBefore?: Date; notAfter?: Date } = {},
): Promise<ClientCertificate> {
  const { commonName = 'api-connector', notBefore = daysFromNow(-1), notAfter = daysFromNow(365) } = options;
  const keys = await crypto.subtle.generateKey(RSA, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName}`,
    keys,
    notBefore,
    notAfter,
    signingAlgorithm: RSA,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ],
  });
  return {
    certificatePem: certificate.toString('pem'),
    keyPem: await privatePem(keys.privateKey),
    thumbprint: createHash('sha1').update(new Uint8Array(certificate.rawData)).digest('hex').toUpperCase(),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
  };
}

function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * 24 * 60 * 60 * 1000);
}

async function privatePem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
