/** Private keys that OpenSSL encrypted in PEM itself (RFC 1421's DEK-Info): `openssl rsa -aes256`, and every key before 2010. */
import { getCipherInfo, hash } from 'node:crypto';
import { nodeDecrypt, rc2, type Cipher } from '../pkcs12/crypto/ciphers.ts';
import { PasswordCandidates } from '../pkcs12/crypto/password.ts';
import { beginsAsKey, unpad } from '../pkcs12/crypto/pbe.ts';

/** What DEK-Info says: `AES-256-CBC,0123…`. */
export interface DekInfo {
  /** By OpenSSL's name: `DES-EDE3-CBC`. */
  readonly cipher: string;
  readonly iv: Buffer;
}

/** What comes out: the key, or why none does. `damaged`: the password fits and the key is damaged, or the IV is. */
export type Decrypted = { readonly der: Buffer } | 'damaged' | 'wrong password' | 'unsupported';

/**
 * Decrypts a key. That the password does not fit shows in the first bytes, which are those of a private key; damage
 * anywhere else shows at the end, if the cipher has padding.
 */
export function decryptKey({ cipher: name, iv }: DekInfo, ciphertext: Buffer, password: string): Decrypted {
  const cipher = cipherOf(name);
  if (!cipher) return 'unsupported';
  if (iv.length !== cipher.ivLength) return 'damaged';
  const rest = cipher.padding === 0 ? 0 : ciphertext.length % cipher.padding;
  const whole = ciphertext.subarray(0, ciphertext.length - rest);
  const plaintext = new PasswordCandidates(password).find('pkcs5', (bytes) =>
    cipher.decrypt(bytesToKey(bytes, iv.subarray(0, 8), cipher.keyLength), iv, whole).find(beginsAsKey),
  );
  if (!plaintext) return 'wrong password';
  const der = cipher.padding === 0 ? plaintext : unpad(plaintext, cipher.padding);
  return der && rest === 0 ? { der } : 'damaged';
}

/** RC2 by its effective bits. */
const RC2_BITS: Readonly<Record<string, number>> = { 'RC2-CBC': 128, 'RC2-64-CBC': 64, 'RC2-40-CBC': 40 };
/** The families that Node has, in the modes that need a key and an IV only. */
const IN_NODE = /^(AES|ARIA|CAMELLIA|DES|SM4)(-\w+)?-(CBC|CFB[18]?|OFB|CTR)$/;

function cipherOf(name: string): Cipher | undefined {
  const rc2Bits = RC2_BITS[name];
  if (rc2Bits !== undefined) return rc2(rc2Bits);
  if (!IN_NODE.test(name)) return undefined;
  // OpenSSL keeps single DES in its legacy provider; three times the same key is the same cipher.
  const keys = /^DES-(?!EDE)/.test(name) ? 3 : 1;
  const node = (keys === 3 ? name.replace('DES', 'DES-EDE3') : name).toLowerCase();
  const { keyLength, ivLength = 0, blockSize = 1 } = getCipherInfo(node) ?? {};
  if (keyLength === undefined) return undefined;
  return {
    name,
    keyLength: keyLength / keys,
    ivLength,
    // Only a mode with padding works on whole blocks.
    padding: blockSize === 1 ? 0 : blockSize,
    decrypt: (key, iv, ciphertext) => [nodeDecrypt(node, Buffer.concat(Array(keys).fill(key)), iv, ciphertext)],
  };
}

/** EVP_BytesToKey with MD5 and one round. */
function bytesToKey(password: Buffer, salt: Buffer, length: number): Buffer {
  const secret = Buffer.concat([password, salt]);
  let [digest, key] = [Buffer.alloc(0), Buffer.alloc(0)];
  while (key.length < length) {
    digest = hash('md5', Buffer.concat([digest, secret]), 'buffer');
    key = Buffer.concat([key, digest]);
  }
  return key.subarray(0, length);
}
