/** Private keys that OpenSSL encrypted in PEM itself (RFC 1421's DEK-Info): `openssl rsa -aes256`, and every key before 2010. */
import { hash } from 'node:crypto';
import { DES, nodeDecrypt } from '../pkcs12/crypto/ciphers.ts';
import { beginsAsKey } from '../pkcs12/crypto/pbe.ts';

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
  const whole = ciphertext.subarray(0, ciphertext.length - (ciphertext.length % iv.length));
  const [padded = whole] =
    cipher === 'DES-CBC' ? DES.decrypt(derived, iv, whole) : [nodeDecrypt(cipher.toLowerCase(), derived, iv, whole)];
  if (!beginsAsKey(padded)) return 'wrong password';
  const padding = padded.at(-1) ?? 0;
  const fits =
    whole.length === ciphertext.length &&
    padding >= 1 &&
    padding <= iv.length &&
    padded.subarray(-padding).every((byte) => byte === padding);
  return fits ? { der: padded.subarray(0, -padding) } : 'damaged';
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
