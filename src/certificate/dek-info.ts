/** Private keys that OpenSSL encrypted in PEM itself (RFC 1421's DEK-Info): `openssl rsa -aes256`, and every key before 2010. */
import { createDecipheriv, hash } from 'node:crypto';

/** What DEK-Info says: `AES-256-CBC,0123…`. */
export interface DekInfo {
  /** By OpenSSL's name: `DES-EDE3-CBC`. */
  readonly cipher: string;
  readonly iv: Buffer;
}

/** Key lengths in bytes. The IV is one block: 8 bytes for DES, else 16. */
const KEY_LENGTHS: Readonly<Record<string, number>> = {
  'DES-CBC': 8,
  'DES-EDE3-CBC': 24,
  'AES-128-CBC': 16,
  'AES-192-CBC': 24,
  'AES-256-CBC': 32,
  'CAMELLIA-128-CBC': 16,
  'CAMELLIA-192-CBC': 24,
  'CAMELLIA-256-CBC': 32,
  'ARIA-128-CBC': 16,
  'ARIA-192-CBC': 24,
  'ARIA-256-CBC': 32,
  'SM4-CBC': 16,
};

/** Whether the cipher is one that Node has. */
export function isKnown({ cipher, iv }: DekInfo): boolean {
  return KEY_LENGTHS[cipher] !== undefined && iv.length === (cipher.startsWith('DES') ? 8 : 16);
}

/** What comes out: the key; or that the password fits and the key is damaged; or that the password does not fit. */
export type Decrypted = { readonly der: Buffer } | 'damaged' | 'wrong password';

/**
 * Decrypts a key whose cipher {@link isKnown}. That the password does not fit shows in the first bytes, which are those
 * of a private key; damage anywhere else shows at the end.
 */
export function decryptKey({ cipher, iv }: DekInfo, ciphertext: Buffer, password: string): Decrypted {
  const derived = bytesToKey(password, iv.subarray(0, 8), KEY_LENGTHS[cipher] ?? 0);
  // OpenSSL keeps single DES in its legacy provider; three times the same key is the same cipher.
  const [algorithm, key] =
    cipher === 'DES-CBC'
      ? ['des-ede3-cbc', Buffer.concat([derived, derived, derived])]
      : [cipher.toLowerCase(), derived];
  const whole = ciphertext.subarray(0, ciphertext.length - (ciphertext.length % iv.length));
  const decipher = createDecipheriv(algorithm, key, iv).setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(whole), decipher.final()]);
  if (!beginsAsKey(padded)) return 'wrong password';
  const padding = padded.at(-1) ?? 0;
  const fits =
    whole.length === ciphertext.length &&
    padding >= 1 &&
    padding <= iv.length &&
    padded.subarray(-padding).every((byte) => byte === padding);
  return fits ? { der: padded.subarray(0, -padding) } : 'damaged';
}

/** SEQUENCE, its length, INTEGER 0 or 1, and then an INTEGER (RSA, DSA), an OCTET STRING (EC) or a SEQUENCE (PKCS#8). */
function beginsAsKey(plaintext: Buffer): boolean {
  return /^30(82....|81..|[0-7].)02010[01](02|04|30)/.test(plaintext.toString('hex', 0, 8));
}

/** EVP_BytesToKey with MD5 and one round. */
function bytesToKey(password: string, salt: Buffer, length: number): Buffer {
  const secret = Buffer.concat([Buffer.from(password, 'utf8'), salt]);
  let [digest, key] = [Buffer.alloc(0), Buffer.alloc(0)];
  while (key.length < length) {
    digest = hash('md5', Buffer.concat([digest, secret]), 'buffer');
    key = Buffer.concat([key, digest]);
  }
  return key.subarray(0, length);
}
