/** Tells what a file is that is no PKCS#12 file, by its first bytes, and what to do about it. */
import { Failure, type FailureCode } from '../failure.ts';

/**
 * @throws Failure PFX_EMPTY, PFX_IS_CERTIFICATE, PFX_IS_PKCS7, PFX_IS_JKS, PFX_IS_SSH_KEY, PFX_IS_PGP_KEY,
 *   PFX_NOT_PKCS12
 */
export function refuseOtherFormats(file: Uint8Array): void {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.every((byte) => byte === 0)) throw empty('The .pfx is empty.');
  if (isReadAsText(bytes)) throw refusal('PFX_NOT_PKCS12', READ_AS_TEXT, COPY_BINARY);
  if (bytes[0] === 0x30) {
    refuseOtherDer(bytes);
    return;
  }
  const magic = MAGICS.find(({ hex }) => bytes.subarray(0, hex.length / 2).toString('hex') === hex);
  if (magic) throw refusal(magic.code ?? 'PFX_NOT_PKCS12', magic.what, magic.remedy);
  if (isOpenPgp(bytes)) throw refusal('PFX_IS_PGP_KEY', 'encrypted with gpg, or a PGP key', DECRYPT_GPG);
  throw refusal('PFX_NOT_PKCS12', 'no PKCS#12 file', EXPORT);
}

/** Refuses text that is known to be something else: a pointer, an encrypted file, a dump, an SSH key. */
export function refuseOtherText(text: string): void {
  const start = text.slice(0, 4096);
  const form = TEXT_FORMS.find(({ begins }) => begins.test(start));
  if (form) throw refusal(form.code ?? 'PFX_NOT_PKCS12', form.what, form.remedy);
  // OpenSSL prints a signature in this way above a certificate in PEM.
  if (!text.includes('-----BEGIN ') && AS_NUMBERS.test(start))
    throw refusal(
      'PFX_NOT_PKCS12',
      'the bytes of a file, written as numbers (hexadecimal, decimal or octal), not base64',
      ENCODE,
    );
}

/** What blocks of certificates are called in a message that nobody signed, as authorities deliver them: a .p7b in PEM. */
export const PKCS7_LABELS: ReadonlySet<string> = new Set(['PKCS7', 'CMS', 'PKCS #7 SIGNED DATA']);

/** The refusal of a PEM file in which nothing can be used, by the labels of its blocks. */
export function unusableArmour(labels: readonly string[]): Failure {
  if (labels.some((label) => label.startsWith('PGP'))) return refusal('PFX_IS_PGP_KEY', 'a PGP key or message', EXPORT);
  if (labels.some((label) => label.includes('SSH'))) return refusal('PFX_IS_SSH_KEY', 'an SSH key', CONVERT_SSH);
  if (labels.some((label) => PKCS7_LABELS.has(label)))
    return refusal('PFX_IS_PKCS7', 'a PKCS#7 file (.p7b)', EXPORT_P7B);
  if (labels.some((label) => label.startsWith('AGE ')))
    return refusal('PFX_NOT_PKCS12', 'a file encrypted with age', DECRYPT_BEFORE);
  const kinds = [...new Set(labels.map((label) => PEM_KINDS[label] ?? 'something else'))].join(' and ');
  return refusal('PFX_IS_PEM', `a PEM file with ${kinds || 'something that cannot be read'}`, EXPORT_PEM);
}

/** A refusal for an input or file without anything in it. */
export function empty(message: string): Failure {
  return new Failure(
    'PFX_EMPTY',
    message,
    'A secret is empty if it is not defined in this repository or environment, and in workflows that a fork or Dependabot started. To store it, with the name of your environment:\nbase64 < connector.pfx | gh secret set CONNECTOR_PFX --env production',
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

interface Form {
  readonly code?: FailureCode;
  readonly what: string;
  readonly remedy: string;
}

const DECRYPT_BEFORE = 'Decrypt it in a step before this one, and give the path of the result as pfx-file.';
const DECRYPT_GPG = `${DECRYPT_BEFORE} For example: gpg --batch --output cert.pfx --decrypt cert.pfx.gpg`;
const CONVERT_SSH =
  'An API connector needs an X.509 certificate with its key. A key of OpenSSH for which there is a certificate is converted with: ssh-keygen -p -m PKCS8 -f key';
const READ_AS_TEXT = 'a binary file that something read as text and wrote again, which changed its bytes';
const COPY_BINARY =
  'Copy the original again in binary, without a filter or editor in between (Maven filters resources, for example), or store it as text: base64 -w0 cert.pfx';
const ENCODE =
  'Encode the file itself: base64 -w0 cert.pfx on Linux, [Convert]::ToBase64String([IO.File]::ReadAllBytes("cert.pfx")) in PowerShell.';

/**
 * How DER begins (SEQUENCE, its length, INTEGER or SEQUENCE) in bytes that were written as numbers, with anything before it:
 * hexadecimal with or without separators, decimal (signed in Java), octal, and in words of 16 bits in hexadecimal or octal.
 */
const AS_NUMBERS = new RegExp(
  [
    sequenceOf('30', '8[0-4]', '[\\da-f]{2}', '(?:02|30)', `[\\s,:;'"-]{0,4}(?:\\(byte\\) ?)?(?:0x|\\\\x)?`),
    sequenceOf('\\b48', '(?:1[23]\\d|-12[4-8])', '-?\\d{1,3}', '(?:2|48)', '[\\s,;:]{1,4}'),
    sequenceOf('\\b060', '20[0-4]', '[0-7]{3}', '(?:002|060)', '[\\s,;:]{1,4}'),
    '\\b8[0-4]30\\s{1,4}[\\da-f]{4}\\s{1,4}(?:0102|8[0-4]30)\\b',
    '\\b10[01]060\\s{1,4}[0-7]{6}\\s{1,4}(?:000402|10[01]060)\\b',
  ].join('|'),
  'i',
);

/** 0x30, the first byte of the length, up to four more, the first byte of what is inside, and so many more that it is no chance. */
function sequenceOf(tag: string, length: string, octet: string, inside: string, separator: string): string {
  const octets = (least: number, most: number): string => `(?:${separator}${octet}){${least},${most}}`;
  return `${tag}${separator}${length}${octets(0, 4)}${separator}${inside}${octets(8, 8)}`;
}

/** Text that is something else, by how it begins. Expressions look at the start only and take linear time. */
const TEXT_FORMS: readonly (Form & { readonly begins: RegExp })[] = [
  {
    begins: /^(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S{1,30}) AAAA|^PuTTY-User-Key-File/,
    code: 'PFX_IS_SSH_KEY',
    what: 'an SSH key',
    remedy: CONVERT_SSH,
  },
  {
    begins: /^version https:\/\/git-lfs\.github\.com\/spec\//,
    what: 'a pointer of Git LFS, not the file itself',
    remedy: 'Fetch the file: actions/checkout with lfs: true, or git lfs pull.',
  },
  {
    begins: /\$ANSIBLE_VAULT;/,
    what: 'encrypted with Ansible Vault',
    remedy: `${DECRYPT_BEFORE} For example: ansible-vault decrypt --output cert.pfx FILE`,
  },
  { begins: /^age-encryption\.org\//, what: 'encrypted with age', remedy: DECRYPT_BEFORE },
  { begins: /ENC\[AES256_GCM,/, what: 'encrypted with SOPS', remedy: DECRYPT_BEFORE },
  { begins: /^Salted__|^U2FsdGVkX1/, what: 'encrypted with openssl enc', remedy: DECRYPT_BEFORE },
  {
    begins: /^01000000d08c9ddf/i,
    what: 'a SecureString of PowerShell, which only its own computer can decrypt',
    remedy: ENCODE,
  },
  {
    begins: /^<(!doctype|html|\?xml)/i,
    what: 'a web page',
    remedy: 'Was it downloaded without signing in? Give the .pfx itself.',
  },
  { begins: /^begin [0-7]{3,4} /, what: 'uuencoded, not base64', remedy: ENCODE },
  { begins: /^0(?:[^\x00-\x7f]|[?\x02][^]{2}\x02\x01\x03)/, what: READ_AS_TEXT, remedy: COPY_BINARY },
];

const MAGICS: readonly (Form & { readonly hex: string })[] = [
  { hex: 'feedfeed', code: 'PFX_IS_JKS', what: 'a Java keystore (JKS)', remedy: EXPORT_JKS },
  { hex: 'cececece', code: 'PFX_IS_JKS', what: 'a Java keystore (JCEKS)', remedy: EXPORT_JKS },
  { hex: '504b0304', what: 'a ZIP archive', remedy: `Unpack it. ${EXPORT}` },
  { hex: '1f8b', what: 'a gzip archive', remedy: `Unpack it. ${EXPORT}` },
  { hex: '377abcaf271c', what: 'a 7-Zip archive', remedy: `Unpack it. ${EXPORT}` },
  { hex: 'fd377a585a00', what: 'an xz archive', remedy: `Unpack it. ${EXPORT}` },
  { hex: '526172211a07', what: 'a RAR archive', remedy: `Unpack it. ${EXPORT}` },
  { hex: '25504446', what: 'a PDF document', remedy: EXPORT },
  {
    hex: '00474954435259505400',
    what: 'encrypted with git-crypt',
    remedy: 'Run git-crypt unlock in a step before this one.',
  },
  { hex: '53616c7465645f5f', what: 'encrypted with openssl enc', remedy: DECRYPT_BEFORE },
  { hex: '01000000d08c9ddf', what: 'encrypted with DPAPI, which only its own computer can decrypt', remedy: EXPORT },
];

/**
 * A file of OpenPGP (RFC 9580, section 5) begins with a session key for a recipient (tag 1, version 3) or a passphrase
 * (tag 3, version 4), or with a key (tags 5 and 6, version 4).
 */
function isOpenPgp(bytes: Buffer): boolean {
  const first = bytes[0] ?? 0;
  if ((first & 0x80) === 0) return false;
  const isNewFormat = (first & 0x40) !== 0;
  const tag = isNewFormat ? first & 0x3f : (first >> 2) & 0x0f;
  // One octet of length up to 191, else two in both formats, for packets as long as these.
  const lengthOctets = isNewFormat ? ((bytes[1] ?? 0) < 192 ? 1 : 2) : (first & 0x03) === 0 ? 1 : 2;
  const version = bytes[1 + lengthOctets] ?? 0;
  return (tag === 1 && version === 3) || ([3, 5, 6].includes(tag) && version === 4);
}

/**
 * A PFX begins with 0x30 0x82, a length, and INTEGER 3. Read as text, 0x82 became a character of its own, which UTF-8 writes
 * with several bytes (no length in DER begins with these), a question mark, or 0x02.
 */
function isReadAsText(bytes: Buffer): boolean {
  const start = bytes.toString('latin1', 0, 8);
  return /^0(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[?\x02][^]{2}\x02\x01\x03)/.test(start);
}

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
