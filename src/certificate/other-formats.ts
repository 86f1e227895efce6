/** Tells what a file is that is no PKCS#12 file, by its first bytes, and what to do about it. */
import { Failure, type FailureCode } from '../failure.ts';

/**
 * @throws Failure PFX_EMPTY, PFX_IS_PEM, PFX_IS_CERTIFICATE, PFX_IS_PKCS7, PFX_IS_JKS, PFX_IS_SSH_KEY, PFX_IS_PGP_KEY,
 *   PFX_NOT_PKCS12
 */
export function refuseOtherFormats(file: Uint8Array): void {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.every((byte) => byte === 0)) throw empty('The .pfx is empty.');
  if (bytes[0] === 0x30) {
    refuseOtherDer(bytes);
    return;
  }
  const magic = MAGICS.find(({ hex }) => bytes.subarray(0, hex.length / 2).toString('hex') === hex);
  if (magic) throw refusal(magic.code, magic.what, magic.remedy);
  refuseArmour(bytes.toString('latin1', 0, 64 * 1024));
  const what = /^\s*<(!doctype|html|\?xml)/i.test(bytes.toString('latin1', 0, 256)) ? 'a web page' : 'no PKCS#12 file';
  throw refusal(
    'PFX_NOT_PKCS12',
    what,
    what === 'a web page' ? `Was it downloaded without signing in? ${EXPORT}` : EXPORT,
  );
}

/** Refuses text that is a PEM file, an SSH or a PGP key. */
export function refuseArmour(text: string): void {
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  if (label?.startsWith('PGP') === true) throw refusal('PFX_IS_PGP_KEY', 'a PGP key or message', EXPORT);
  if (
    label?.includes('SSH') === true ||
    label === 'OPENSSH PRIVATE KEY' ||
    /^\s*(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S+) AAAA|^PuTTY-User-Key-File/.test(text)
  ) {
    throw refusal('PFX_IS_SSH_KEY', 'an SSH key', EXPORT);
  }
  if (label === 'PKCS7' || label === 'CMS') throw refusal('PFX_IS_PKCS7', 'a PKCS#7 file (.p7b)', EXPORT_P7B);
  if (label === undefined && !/-----BEGIN /.test(text)) return;
  const labels = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(
    (match) => PEM_KINDS[match[1] ?? ''] ?? 'something else',
  );
  const kinds = [...new Set(labels)].join(' and ') || 'something that cannot be read';
  throw refusal('PFX_IS_PEM', `a PEM file with ${kinds}`, EXPORT_PEM);
}

/** A refusal for an input or file without anything in it. */
export function empty(message: string): Failure {
  return new Failure(
    'PFX_EMPTY',
    message,
    'A secret is empty where it is not defined in this repository or environment, and in workflows that a fork or Dependabot started. Store it with: base64 -w0 cert.pfx | gh secret set CONNECTOR_PFX',
  );
}

const EXPORT_PEM =
  'Make a .pfx out of certificate and key: openssl pkcs12 -export -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -inkey key.pem -in cert.pem -out cert.pfx';
const EXPORT = `Give a .pfx (.p12) with a certificate and its private key. ${EXPORT_PEM}`;
const EXPORT_P7B = `It holds certificates only, without a private key. ${EXPORT_PEM}`;
const EXPORT_JKS =
  'Convert it: keytool -importkeystore -srckeystore store.jks -srcalias NAME -destkeystore cert.p12 -deststoretype PKCS12';

const PEM_KINDS: Readonly<Record<string, string>> = {
  CERTIFICATE: 'a certificate',
  'TRUSTED CERTIFICATE': 'a certificate',
  'X509 CERTIFICATE': 'a certificate',
  'PRIVATE KEY': 'a private key',
  'RSA PRIVATE KEY': 'a private key',
  'EC PRIVATE KEY': 'a private key',
  'DSA PRIVATE KEY': 'a private key',
  'EC PARAMETERS': 'the parameters of a key',
  'ENCRYPTED PRIVATE KEY': 'an encrypted private key',
  'PUBLIC KEY': 'a public key',
  'RSA PUBLIC KEY': 'a public key',
  'CERTIFICATE REQUEST': 'a certificate request',
  'NEW CERTIFICATE REQUEST': 'a certificate request',
  'X509 CRL': 'a revocation list',
};

const MAGICS: readonly { hex: string; code: FailureCode; what: string; remedy: string }[] = [
  { hex: 'feedfeed', code: 'PFX_IS_JKS', what: 'a Java keystore (JKS)', remedy: EXPORT_JKS },
  { hex: 'cececece', code: 'PFX_IS_JKS', what: 'a Java keystore (JCEKS)', remedy: EXPORT_JKS },
  { hex: '504b0304', code: 'PFX_NOT_PKCS12', what: 'a ZIP archive', remedy: `Unpack it. ${EXPORT}` },
  { hex: '1f8b', code: 'PFX_NOT_PKCS12', what: 'a gzip archive', remedy: `Unpack it. ${EXPORT}` },
];

/** Of DER there is much. A PFX is a SEQUENCE of an INTEGER and a PKCS#7 content; what is cut off before that may be one. */
function refuseOtherDer(bytes: Buffer): void {
  const first = inside(bytes);
  const second = inside(first);
  switch (first[0]) {
    case undefined:
      return;
    case 0x02: {
      const next = first.subarray(2 + (first[1] ?? 0));
      const type = inside(next);
      if (next[0] === 0x30 && (type.length < PKCS7.length || type.subarray(0, PKCS7.length).equals(PKCS7))) return;
      if (next.length === 0) return;
      // PrivateKeyInfo, RSAPrivateKey and ECPrivateKey have the versions 0 and 1.
      if (first[1] === 1 && (first[2] ?? 0) < 2)
        throw refusal('PFX_NOT_PKCS12', 'a bare private key (DER)', EXPORT_PEM);
      break;
    }
    case 0x06:
      if (first.subarray(0, PKCS7.length).equals(PKCS7))
        throw refusal('PFX_IS_PKCS7', 'a PKCS#7 file (.p7b)', EXPORT_P7B);
      break;
    case 0x30:
      if (second[0] === 0xa0 || (second[0] === 0x02 && second[2] !== 0)) {
        throw refusal('PFX_IS_CERTIFICATE', 'a certificate (.cer, .crt), without its private key', EXPORT);
      }
      if (second[0] === 0x02) throw refusal('PFX_NOT_PKCS12', 'a certificate request (DER)', EXPORT_PEM);
      if (second[0] === 0x06) throw refusal('PFX_NOT_PKCS12', 'a bare key (DER)', EXPORT_PEM);
      break;
  }
  throw refusal('PFX_NOT_PKCS12', 'no PKCS#12 file', EXPORT);
}

/** OBJECT IDENTIFIER 1.2.840.113549.1.7.x, all but the last arc. */
const PKCS7 = Buffer.from('06092a864886f70d0107', 'hex');

/** What comes after the header of the element at the start. */
function inside(bytes: Buffer): Buffer {
  const length = bytes[1] ?? 0;
  return bytes.subarray(length > 0x80 ? 2 + (length & 0x7f) : 2);
}

function refusal(code: FailureCode, what: string, remedy: string): Failure {
  return new Failure(code, `What was given as the .pfx is ${what}.`, remedy);
}
