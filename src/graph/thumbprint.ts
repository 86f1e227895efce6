/**
 * The `thumbprint` of a certificate on a connector. Its form is documented nowhere; every sample is SHA-1 in upper-case hex.
 * So it is read as bytes: SHA-1 or SHA-256, in hex of any letter case and with separators, or in base64.
 */

const SHA1_LENGTH = 20;
const SHA256_LENGTH = 32;

/** The digest of a certificate: 20 bytes of SHA-1 or 32 of SHA-256. Undefined if the text is neither. */
export function digestOf(thumbprint: string): Buffer | undefined {
  // Windows puts a mark of writing direction before a thumbprint that is copied.
  const text = thumbprint.replace(/[\p{C}\s]/gu, '').replace(/^(sha-?(1|256)[:=]|0x)/i, '');
  const hex = text.replace(/[:.-]/g, '');
  const bytes = /^[0-9a-f]+$/i.test(hex) && hex.length % 2 === 0 ? Buffer.from(hex, 'hex') : undefined;
  if (bytes && isDigest(bytes)) return bytes;
  if (!/^[\w+/-]+={0,2}$/.test(text)) return undefined;
  // 20 bytes are 27 digits of base64 and 32 bytes are 43; fewer than in hex, so that nothing is both.
  const decoded = Buffer.from(text, 'base64');
  return isDigest(decoded) ? decoded : undefined;
}

function isDigest(bytes: Buffer): boolean {
  return bytes.length === SHA1_LENGTH || bytes.length === SHA256_LENGTH;
}
