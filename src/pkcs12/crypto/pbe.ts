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
import { OID } from '../asn1/oids.ts';
import { HASHES, pbkdf1, pkcs12Kdf, PURPOSE, type Hash, type WorkBudget } from './kdf.ts';
import type { PasswordCandidates, PasswordUse } from './password.ts';
import { rc2CbcDecrypt } from './rc2.ts';
import { rc4 } from './rc4.ts';

/** One scheme with its parameters, ready for passwords and ciphertexts. */
export interface EncryptionScheme {
  /** As people call it: `TripleDES-SHA1`, `AES-256`, `RC2-40`. */
  readonly name: string;
  readonly use: PasswordUse;
  /** Decrypts with one form of the password; undefined where the padding or the tag does not fit. */
  readonly decrypt: (ciphertext: Buffer, password: Uint8Array, budget: WorkBudget) => Buffer | undefined;
}

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
  decrypt: (key, iv, ciphertext) => nodeCbc('des-ede3-cbc', Buffer.concat([key, key, key]), iv, ciphertext),
};

const TWO_KEY_TRIPLE_DES: Cipher = {
  name: 'TripleDES-2KEY-SHA1',
  keyLength: 16,
  ivLength: 8,
  decrypt: (key, iv, ciphertext) => nodeCbc('des-ede3-cbc', Buffer.concat([key, key.subarray(0, 8)]), iv, ciphertext),
};

/** RFC 7292, appendix C. */
const PKCS12_SCHEMES: Readonly<Record<string, Cipher>> = {
  [OID.pbeWithSHAAnd128BitRC4]: rc4Cipher(128),
  [OID.pbeWithSHAAnd40BitRC4]: rc4Cipher(40),
  [OID.pbeWithSHAAnd3KeyTripleDESCBC]: { ...TRIPLE_DES, name: 'TripleDES-SHA1' },
  [OID.pbeWithSHAAnd2KeyTripleDESCBC]: TWO_KEY_TRIPLE_DES,
  [OID.pbeWithSHAAnd128BitRC2CBC]: rc2(128),
  [OID.pbeWithSHAAnd40BitRC2CBC]: rc2(40),
};

/** RFC 8018, section 6.1: the key is eight bytes and the IV the next eight. */
const PBES1_SCHEMES: Readonly<Record<string, { readonly cipher: Cipher; readonly hash: Hash }>> = {
  [OID.pbeWithMD5AndDESCBC]: { cipher: { ...DES, name: 'DES-MD5' }, hash: HASHES.md5 },
  [OID.pbeWithMD5AndRC2CBC]: { cipher: rc2(64, 8, 'RC2-64-MD5'), hash: HASHES.md5 },
  [OID.pbeWithSHA1AndDESCBC]: { cipher: { ...DES, name: 'DES-SHA1' }, hash: HASHES.sha1 },
  [OID.pbeWithSHA1AndRC2CBC]: { cipher: rc2(64, 8, 'RC2-64-SHA1'), hash: HASHES.sha1 },
};

/** Ciphers of PBES2 whose only parameter is the IV. */
const PBES2_CIPHERS: Readonly<Record<string, Cipher>> = {
  [OID.desEDE3CBC]: TRIPLE_DES,
  [OID.desCBC]: DES,
  [OID.aes128CBC]: blockCipher('AES-128', 'aes-128-cbc', 16, 16),
  [OID.aes192CBC]: blockCipher('AES-192', 'aes-192-cbc', 24, 16),
  [OID.aes256CBC]: blockCipher('AES-256', 'aes-256-cbc', 32, 16),
  [OID.camellia128CBC]: blockCipher('Camellia-128', 'camellia-128-cbc', 16, 16),
  [OID.camellia192CBC]: blockCipher('Camellia-192', 'camellia-192-cbc', 24, 16),
  [OID.camellia256CBC]: blockCipher('Camellia-256', 'camellia-256-cbc', 32, 16),
  [OID.aria128CBC]: blockCipher('ARIA-128', 'aria-128-cbc', 16, 16),
  [OID.aria192CBC]: blockCipher('ARIA-192', 'aria-192-cbc', 24, 16),
  [OID.aria256CBC]: blockCipher('ARIA-256', 'aria-256-cbc', 32, 16),
};

/** BouncyCastle writes these, though RFC 8018 does not know them. */
const GCM_CIPHERS: Readonly<Record<string, 128 | 192 | 256>> = {
  [OID.aes128GCM]: 128,
  [OID.aes192GCM]: 192,
  [OID.aes256GCM]: 256,
};

/**
 * Reads an encryption AlgorithmIdentifier.
 * @throws Failure PFX_UNSUPPORTED, which names the algorithm; PFX_INVALID
 */
export function encryptionScheme(element: Element | undefined): EncryptionScheme {
  const { oid, parameters } = algorithmIdentifier(element, 'the encryption algorithm');
  if (oid === OID.pbes2) return pbes2(parameters);

  const own = PKCS12_SCHEMES[oid];
  if (own) {
    const { salt, iterations } = saltAndIterations(parameters);
    const derive = (password: Uint8Array, purpose: 1 | 2, length: number, budget: WorkBudget): Buffer =>
      length === 0 ? Buffer.alloc(0) : pkcs12Kdf(HASHES.sha1, password, salt, iterations, purpose, length, budget);
    return {
      name: own.name,
      use: 'pkcs12',
      decrypt: (ciphertext, password, budget) => {
        const key = derive(password, PURPOSE.key, own.keyLength, budget);
        return own.decrypt(key, derive(password, PURPOSE.iv, own.ivLength, budget), ciphertext);
      },
    };
  }

  const pbes1 = PBES1_SCHEMES[oid];
  if (!pbes1) return unsupported('the encryption', oid);
  const { salt, iterations } = saltAndIterations(parameters);
  return {
    name: pbes1.cipher.name,
    use: 'pkcs5',
    decrypt: (ciphertext, password, budget) => {
      const derived = pbkdf1(pbes1.hash, password, salt, iterations, 16, budget);
      return pbes1.cipher.decrypt(derived.subarray(0, 8), derived.subarray(8), ciphertext);
    },
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
    return unsupported(`a key of ${kdf.keyLength * 8} bits with ${cipher.name}, in`, OID.pbes2);
  }
  return {
    name: cipher.name,
    use: 'pkcs5',
    decrypt: (ciphertext, password, budget) =>
      cipher.decrypt(kdf.derive(password, cipher.keyLength, budget), iv, ciphertext),
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
  if (oid === OID.rc2CBC) {
    const fields = sequence(parameters, 'the parameters of RC2');
    const version = fields.length > 1 ? integer(fields.shift(), 'the RC2 version') : undefined;
    const bits = rc2EffectiveBits(version);
    return checkedIv(rc2(bits, keyLength ?? 16), octetString(fields[0], 'the IV of RC2'));
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
