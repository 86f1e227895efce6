/** Password-based encryption schemes: PKCS#12's (RFC 7292, appendix C), PBES1 and PBES2 (RFC 8018, section 6). */
import { createDecipheriv } from 'node:crypto';
import {
  algorithmIdentifier,
  pkcs5Kdf,
  saltAndIterations,
  unsupported,
  type AlgorithmIdentifier,
} from './algorithms.ts';
import { expectTag, integer, malformed, octetString, parseWhole, sequence, TAG, type Element } from '../asn1/ber.ts';
import { HASHES, pbkdf1, pkcs12Kdf, PURPOSE, type Hash, type WorkBudget } from './kdf.ts';
import type { PasswordCandidates, PasswordUse } from './password.ts';
import { decryptInLegacyProvider } from './legacy-provider.ts';
import { rc2CbcDecrypt } from './rc2.ts';
import { rc4 } from './rc4.ts';

/** One scheme with its parameters, ready for passwords and ciphertexts. */
export interface EncryptionScheme {
  /** As people call it: `TripleDES-SHA1`, `AES-256`, `RC2-40`. */
  readonly name: string;
  readonly use: PasswordUse;
  /** Decrypts with one form of the password; undefined where the padding or the tag does not fit. */
  readonly decrypt: (ciphertext: Buffer, password: Uint8Array, budget: WorkBudget) => Buffer | undefined;
  /** The iteration count, where the scheme is one of PKCS#12's own. */
  readonly iterations?: number;
}

/** The name of the one scheme that the service documents. */
export const TRIPLE_DES_SHA1 = 'TripleDES-SHA1';

interface Cipher {
  readonly name: string;
  readonly keyLength: number;
  readonly ivLength: number;
  /** Undefined where the plaintext does not end as it has to. */
  readonly decrypt: (key: Buffer, iv: Buffer, ciphertext: Buffer) => Buffer | undefined;
}

function blockCipher(name: string, node: string, keyLength: number, ivLength: number): Cipher {
  return { name, keyLength, ivLength, decrypt: (key, iv, ciphertext) => nodeCbc(node, key, iv, ciphertext) };
}

function rc2(bits: number, keyLength = bits / 8, name = `RC2-${bits}`): Cipher {
  return {
    name,
    keyLength,
    ivLength: 8,
    decrypt: (key, iv, ciphertext) =>
      ciphertext.length % 8 === 0 ? unpad(rc2CbcDecrypt(key, bits, iv, ciphertext), 8) : undefined,
  };
}

function rc4Cipher(bits: number): Cipher {
  return {
    name: `RC4-${bits}`,
    keyLength: bits / 8,
    ivLength: 0,
    decrypt: (key, _iv, ciphertext) => rc4(key, ciphertext),
  };
}

const TRIPLE_DES = blockCipher('TripleDES', 'des-ede3-cbc', 24, 8);

/** OpenSSL keeps single DES in its legacy provider; three times the same key is the same cipher. */
const DES: Cipher = {
  name: 'DES',
  keyLength: 8,
  ivLength: 8,
  decrypt: (key, iv, ciphertext) =>
    withKey(Buffer.concat([key, key, key]), (tripled) => nodeCbc('des-ede3-cbc', tripled, iv, ciphertext)),
};

const TWO_KEY_TRIPLE_DES: Cipher = {
  name: 'TripleDES-2KEY-SHA1',
  keyLength: 16,
  ivLength: 8,
  decrypt: (key, iv, ciphertext) =>
    withKey(Buffer.concat([key, key.subarray(0, 8)]), (k) => nodeCbc('des-ede3-cbc', k, iv, ciphertext)),
};

/** RFC 7292, appendix C. */
const PKCS12_SCHEMES: Readonly<Record<string, Cipher>> = {
  '1.2.840.113549.1.12.1.1': rc4Cipher(128),
  '1.2.840.113549.1.12.1.2': rc4Cipher(40),
  '1.2.840.113549.1.12.1.3': { ...TRIPLE_DES, name: TRIPLE_DES_SHA1 },
  '1.2.840.113549.1.12.1.4': TWO_KEY_TRIPLE_DES,
  '1.2.840.113549.1.12.1.5': rc2(128),
  '1.2.840.113549.1.12.1.6': rc2(40),
};

/** RFC 8018, section 6.1: the key is eight bytes and the IV the next eight. */
const PBES1_SCHEMES: Readonly<Record<string, { readonly cipher: Cipher; readonly hash: Hash }>> = {
  '1.2.840.113549.1.5.3': { cipher: { ...DES, name: 'DES-MD5' }, hash: HASHES.md5 },
  '1.2.840.113549.1.5.6': { cipher: rc2(64, 8, 'RC2-64-MD5'), hash: HASHES.md5 },
  '1.2.840.113549.1.5.10': { cipher: { ...DES, name: 'DES-SHA1' }, hash: HASHES.sha1 },
  '1.2.840.113549.1.5.11': { cipher: rc2(64, 8, 'RC2-64-SHA1'), hash: HASHES.sha1 },
};

/** Ciphers of PBES2 whose only parameter is the IV. */
const PBES2_CIPHERS: Readonly<Record<string, Cipher>> = {
  '1.2.840.113549.3.7': TRIPLE_DES,
  '1.3.14.3.2.7': DES,
  '2.16.840.1.101.3.4.1.2': blockCipher('AES-128', 'aes-128-cbc', 16, 16),
  '2.16.840.1.101.3.4.1.22': blockCipher('AES-192', 'aes-192-cbc', 24, 16),
  '2.16.840.1.101.3.4.1.42': blockCipher('AES-256', 'aes-256-cbc', 32, 16),
  '1.2.392.200011.61.1.1.1.2': blockCipher('Camellia-128', 'camellia-128-cbc', 16, 16),
  '1.2.392.200011.61.1.1.1.3': blockCipher('Camellia-192', 'camellia-192-cbc', 24, 16),
  '1.2.392.200011.61.1.1.1.4': blockCipher('Camellia-256', 'camellia-256-cbc', 32, 16),
  '1.2.410.200046.1.1.2': blockCipher('ARIA-128', 'aria-128-cbc', 16, 16),
  '1.2.410.200046.1.1.7': blockCipher('ARIA-192', 'aria-192-cbc', 24, 16),
  '1.2.410.200046.1.1.12': blockCipher('ARIA-256', 'aria-256-cbc', 32, 16),
};

/** BouncyCastle writes these, though RFC 8018 does not know them. */
const GCM_CIPHERS: Readonly<Record<string, 128 | 192 | 256>> = {
  '2.16.840.1.101.3.4.1.6': 128,
  '2.16.840.1.101.3.4.1.26': 192,
  '2.16.840.1.101.3.4.1.46': 256,
};

const OID_PBES2 = '1.2.840.113549.1.5.13';
const OID_RC2_CBC = '1.2.840.113549.3.2';
const OID_CAST5_CBC = '1.2.840.113533.7.66.10';

/**
 * Reads an encryption AlgorithmIdentifier.
 * @throws Failure PFX_UNSUPPORTED, which names the algorithm; PFX_INVALID
 */
export function encryptionScheme(element: Element | undefined): EncryptionScheme {
  const { oid, parameters } = algorithmIdentifier(element, 'the encryption algorithm');
  if (oid === OID_PBES2) return pbes2(parameters);

  const own = PKCS12_SCHEMES[oid];
  if (own) {
    const { salt, iterations } = saltAndIterations(parameters);
    const derive = (password: Uint8Array, purpose: 1 | 2, length: number, budget: WorkBudget): Buffer =>
      length === 0 ? Buffer.alloc(0) : pkcs12Kdf(HASHES.sha1, password, salt, iterations, purpose, length, budget);
    return {
      name: own.name,
      use: 'pkcs12',
      iterations,
      decrypt: (ciphertext, password, budget) =>
        withKey(derive(password, PURPOSE.key, own.keyLength, budget), (key) =>
          own.decrypt(key, derive(password, PURPOSE.iv, own.ivLength, budget), ciphertext),
        ),
    };
  }

  const pbes1 = PBES1_SCHEMES[oid];
  if (!pbes1) return unsupported('the encryption', oid);
  const { salt, iterations } = saltAndIterations(parameters);
  return {
    name: pbes1.cipher.name,
    use: 'pkcs5',
    decrypt: (ciphertext, password, budget) =>
      withKey(pbkdf1(pbes1.hash, password, salt, iterations, 16, budget), (derived) =>
        pbes1.cipher.decrypt(derived.subarray(0, 8), derived.subarray(8), ciphertext),
      ),
  };
}

/**
 * Decrypts with whichever form of the password fits, checked by what comes out: DER of one SEQUENCE. Padding alone
 * fits one wrong password in 256.
 */
export function decrypt(
  scheme: EncryptionScheme,
  ciphertext: Buffer,
  passwords: PasswordCandidates,
  budget: WorkBudget,
): Buffer | undefined {
  return passwords.find(scheme.use, (password) => {
    const plaintext = scheme.decrypt(ciphertext, password, budget);
    return plaintext && isSequence(plaintext) ? plaintext : undefined;
  });
}

function pbes2(parameters: Element | undefined): EncryptionScheme {
  const [kdfElement, cipherElement] = sequence(parameters, 'the parameters of PBES2');
  const kdf = pkcs5Kdf(algorithmIdentifier(kdfElement, 'the key derivation'));
  const { cipher, iv } = pbes2Cipher(algorithmIdentifier(cipherElement, 'the cipher'), kdf.keyLength);
  if (kdf.keyLength !== undefined && kdf.keyLength !== cipher.keyLength) {
    return unsupported(`a key of ${kdf.keyLength * 8} bits with ${cipher.name}, in`, OID_PBES2);
  }
  return {
    name: cipher.name,
    use: 'pkcs5',
    decrypt: (ciphertext, password, budget) =>
      withKey(kdf.derive(password, cipher.keyLength, budget), (key) => cipher.decrypt(key, iv, ciphertext)),
  };
}

function pbes2Cipher(
  { oid, parameters }: AlgorithmIdentifier,
  keyLength: number | undefined,
): { cipher: Cipher; iv: Buffer } {
  const gcmBits = GCM_CIPHERS[oid];
  if (gcmBits !== undefined) {
    const [nonce, tagLength] = sequence(parameters, 'the parameters of AES-GCM');
    const tag = tagLength === undefined ? 12 : integer(tagLength, 'the tag length of AES-GCM');
    if (tag < 12 || tag > 16) throw malformed('the tag length of AES-GCM is out of range');
    return { cipher: gcm(gcmBits, tag), iv: octetString(nonce, 'the nonce of AES-GCM') };
  }
  if (oid === OID_RC2_CBC) {
    const fields = sequence(parameters, 'the parameters of RC2');
    const version = fields.length > 1 ? integer(fields.shift(), 'the RC2 version') : undefined;
    const bits = rc2EffectiveBits(version);
    return checkedIv(rc2(bits, keyLength ?? 16), octetString(fields[0], 'the IV of RC2'));
  }
  if (oid === OID_CAST5_CBC) {
    // RFC 2984 has a SEQUENCE of the IV and the key's bits; BouncyCastle writes the IV alone, as for other ciphers.
    const fields = parameters?.tag === TAG.octetString ? [parameters] : sequence(parameters, 'the parameters of CAST5');
    const bits = fields[1] === undefined ? 128 : integer(fields[1], 'the key length of CAST5');
    return checkedIv(cast5(bits), octetString(fields[0], 'the IV of CAST5'));
  }
  const cipher = PBES2_CIPHERS[oid] ?? unsupported('the cipher', oid);
  return checkedIv(cipher, octetString(expectTag(parameters, TAG.octetString, 'the IV'), 'the IV'));
}

function checkedIv(cipher: Cipher, iv: Buffer): { cipher: Cipher; iv: Buffer } {
  if (iv.length !== cipher.ivLength) throw malformed(`the IV of ${cipher.name} has ${iv.length} bytes`);
  return { cipher, iv };
}

/** RFC 8018, appendix B.2.3: small sizes are written in the code of RFC 2268, section 6. */
function rc2EffectiveBits(version: number | undefined): number {
  const coded: Readonly<Record<number, number>> = { 160: 40, 120: 64, 58: 128 };
  if (version === undefined) return 32;
  const bits = coded[version] ?? version;
  if (coded[version] === undefined && (version < 256 || version > 1024)) throw malformed('the RC2 version is unknown');
  return bits;
}

/** RFC 2144; its parameters in RFC 2984. Old BouncyCastle files have it, and its tables are not worth 8 kB here. */
function cast5(bits: number): Cipher {
  if (bits < 40 || bits > 128 || bits % 8 !== 0) throw malformed('the key length of CAST5 is out of range');
  return {
    name: `CAST5-${bits}`,
    keyLength: bits / 8,
    ivLength: 8,
    decrypt: (key, iv, input) => {
      if (input.length % 8 !== 0) return undefined;
      const plaintext = decryptInLegacyProvider('cast5-cbc', key, iv, input);
      return plaintext && unpad(plaintext, 8);
    },
  };
}

function gcm(bits: 128 | 192 | 256, tagLength: number): Cipher {
  return {
    name: `AES-${bits}-GCM`,
    keyLength: bits / 8,
    ivLength: 12,
    decrypt: (key, iv, input) => {
      if (input.length < tagLength || iv.length === 0) return undefined;
      const decipher = createDecipheriv(`aes-${bits}-gcm`, key, iv, { authTagLength: tagLength });
      decipher.setAuthTag(input.subarray(-tagLength));
      const plaintext = decipher.update(input.subarray(0, -tagLength));
      try {
        decipher.final();
        return plaintext;
      } catch {
        return undefined;
      }
    },
  };
}

function nodeCbc(algorithm: string, key: Buffer, iv: Buffer, ciphertext: Buffer): Buffer | undefined {
  if (ciphertext.length % iv.length !== 0) return undefined;
  const decipher = createDecipheriv(algorithm, key, iv).setAutoPadding(false);
  return unpad(Buffer.concat([decipher.update(ciphertext), decipher.final()]), iv.length);
}

/** Takes off the padding of RFC 8018, section 6.1.1, step 4. */
function unpad(plaintext: Buffer, block: number): Buffer | undefined {
  const padding = plaintext.at(-1) ?? 0;
  if (padding < 1 || padding > block || plaintext.length < padding) return undefined;
  return plaintext.subarray(-padding).every((byte) => byte === padding) ? plaintext.subarray(0, -padding) : undefined;
}

function isSequence(plaintext: Buffer): boolean {
  try {
    return parseWhole(plaintext).tag === TAG.sequence;
  } catch {
    return false;
  }
}

function withKey<T>(key: Buffer, use: (key: Buffer) => T): T {
  try {
    return use(key);
  } finally {
    key.fill(0);
  }
}
