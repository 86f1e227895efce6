/** Password-based encryption schemes: PKCS#12's (RFC 7292, appendix C), PBES1 and PBES2 (RFC 8018, section 6). */
import { expectTag, integer, malformed, octetString, parse, sequence, TAG, type Element } from '../asn1/ber.ts';
import { OID } from '../asn1/oids.ts';
import {
  algorithmIdentifier,
  pkcs5Kdf,
  saltAndIterations,
  unsupported,
  type AlgorithmIdentifier,
} from './algorithms.ts';
import {
  aesGcm,
  DES,
  GCM_CIPHERS,
  PBES2_CIPHERS,
  rc2,
  rc4Cipher,
  TRIPLE_DES,
  TWO_KEY_TRIPLE_DES,
  type Cipher,
} from './ciphers.ts';
import { HASHES, pbkdf1, pkcs12Kdf, PURPOSE, type Hash, type WorkBudget } from './kdf.ts';
import type { PasswordCandidates, PasswordUse } from './password.ts';

/** Something that a password opens. */
export interface Encrypted {
  /** AlgorithmIdentifier. */
  readonly algorithm: Element;
  readonly ciphertext: Buffer;
}

/** One scheme with its parameters, ready for passwords and ciphertexts. */
export interface EncryptionScheme {
  /** As people call it: `TripleDES-SHA1`, `AES-256`, `RC2-40`. */
  readonly name: string;
  readonly use: PasswordUse;
  /** What one decryption costs, in rounds of derivation. */
  readonly cost: number;
  readonly padding: number;
  /** What the plaintext may be, with its padding, by one form of the password. */
  readonly decrypt: (ciphertext: Buffer, password: Uint8Array) => readonly Buffer[];
}

/** RFC 7292, appendix C. */
const PKCS12_SCHEMES: Readonly<Record<string, Cipher>> = {
  [OID.pbeWithSHAAnd128BitRC4]: rc4Cipher(128),
  [OID.pbeWithSHAAnd40BitRC4]: rc4Cipher(40),
  [OID.pbeWithSHAAnd3KeyTripleDESCBC]: { ...TRIPLE_DES, name: 'TripleDES-SHA1' },
  [OID.pbeWithSHAAnd2KeyTripleDESCBC]: { ...TWO_KEY_TRIPLE_DES, name: 'TripleDES-2KEY-SHA1' },
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

/**
 * Reads an encryption AlgorithmIdentifier.
 * @throws Failure PFX_UNSUPPORTED, which names the algorithm; PFX_INVALID; PFX_TOO_MANY_ITERATIONS
 */
export function encryptionScheme(element: Element): EncryptionScheme {
  const { oid, parameters } = algorithmIdentifier(element, 'the encryption algorithm');
  if (oid === OID.pbes2) return pbes2(parameters);
  const own = PKCS12_SCHEMES[oid];
  if (own) return pkcs12Scheme(own, parameters);
  const pbes1 = PBES1_SCHEMES[oid];
  if (!pbes1) return unsupported('the encryption', oid);
  const { salt, iterations } = saltAndIterations(parameters);
  const { cost, derive } = pbkdf1(pbes1.hash, salt, iterations, 16);
  return {
    ...pbes1.cipher,
    use: 'pkcs5',
    cost,
    decrypt: (ciphertext, password) => {
      const derived = derive(password);
      return pbes1.cipher.decrypt(derived.subarray(0, 8), derived.subarray(8), ciphertext);
    },
  };
}

function pkcs12Scheme(cipher: Cipher, parameters: Element | undefined): EncryptionScheme {
  const { salt, iterations } = saltAndIterations(parameters);
  const key = pkcs12Kdf(HASHES.sha1, salt, iterations, PURPOSE.key, cipher.keyLength);
  const iv = pkcs12Kdf(HASHES.sha1, salt, iterations, PURPOSE.iv, cipher.ivLength);
  return {
    ...cipher,
    use: 'pkcs12',
    cost: key.cost + iv.cost,
    decrypt: (ciphertext, password) => cipher.decrypt(key.derive(password), iv.derive(password), ciphertext),
  };
}

function pbes2(parameters: Element | undefined): EncryptionScheme {
  const [kdfElement, cipherElement] = sequence(parameters, 'the parameters of PBES2');
  const kdf = pkcs5Kdf(algorithmIdentifier(kdfElement, 'the key derivation'));
  const { cipher, iv } = pbes2Cipher(algorithmIdentifier(cipherElement, 'the cipher'), kdf.keyLength);
  if (kdf.keyLength !== undefined && kdf.keyLength !== cipher.keyLength) {
    return unsupported(`a key of ${kdf.keyLength * 8} bits with ${cipher.name}, in`, OID.pbes2);
  }
  const { cost, derive } = kdf.derivation(cipher.keyLength);
  return {
    ...cipher,
    use: 'pkcs5',
    cost,
    decrypt: (ciphertext, password) => cipher.decrypt(derive(password), iv, ciphertext),
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
    return { cipher: aesGcm(gcmBits, tag), iv: octetString(nonce, 'the nonce of AES-GCM') };
  }
  if (oid === OID.rc2CBC) {
    const fields = sequence(parameters, 'the parameters of RC2');
    const version = fields.length > 1 ? integer(fields.shift(), 'the RC2 version') : undefined;
    const bits = rc2EffectiveBits(version);
    return checkedIv(rc2(bits, keyLength ?? 16), octetString(fields[0], 'the IV of RC2'));
  }
  const cipher = PBES2_CIPHERS[oid] ?? unsupported('the cipher', oid);
  // ECB has no IV: OpenSSL writes an empty one, others NULL or nothing.
  if (cipher.ivLength === 0) return { cipher, iv: Buffer.alloc(0) };
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

/**
 * Decrypts with whichever form of the password fits, checked by what comes out: DER of one SEQUENCE, or nothing at all.
 * Padding alone fits one wrong password in 256.
 * @returns the SEQUENCE, or no octets if there is nothing in it; undefined if the password does not fit, or the
 *   ciphertext is damaged
 */
export function decrypt(
  scheme: EncryptionScheme,
  ciphertext: Buffer,
  passwords: PasswordCandidates,
  budget: WorkBudget,
): Buffer | undefined {
  if (ciphertext.length === 0) return ciphertext;
  if (scheme.padding > 0 && ciphertext.length % scheme.padding !== 0) return undefined;
  return passwords.find(scheme.use, (password) => {
    budget.spend(scheme.cost);
    return scheme
      .decrypt(ciphertext, password)
      .map((padded) => (scheme.padding === 0 ? padded : unpad(padded, scheme.padding)))
      .map((plaintext) => plaintext && onlySequence(plaintext))
      .find((plaintext) => plaintext !== undefined);
  });
}

/**
 * Whether the password fits a ciphertext that {@link decrypt} cannot decrypt: what comes out begins like a private key,
 * though it does not end like one. So the ciphertext is damaged.
 */
export function fitsDamaged(
  scheme: EncryptionScheme,
  ciphertext: Buffer,
  passwords: PasswordCandidates,
  budget: WorkBudget,
): boolean {
  const whole = scheme.padding === 0 ? ciphertext.length : ciphertext.length - (ciphertext.length % scheme.padding);
  const fits = passwords.find(scheme.use, (password) => {
    budget.spend(scheme.cost);
    return scheme.decrypt(ciphertext.subarray(0, whole), password).some(beginsAsKey) || undefined;
  });
  return fits ?? false;
}

/**
 * SEQUENCE, its length, INTEGER 0 or 1, and then a SEQUENCE (PKCS#8), an OCTET STRING (EC) or an INTEGER (RSA, DSA). By
 * chance once in 2^38 times.
 */
export function beginsAsKey(plaintext: Buffer): boolean {
  const header = /^30(82....|81..|[0-7].)02010[01](30|04|02)/;
  return header.test(plaintext.toString('hex', 0, 8));
}

/** Takes off the padding of RFC 8018, section 6.1.1, step 4; undefined if there is none. */
export function unpad(plaintext: Buffer, block: number): Buffer | undefined {
  const padding = plaintext.at(-1) ?? 0;
  if (padding < 1 || padding > block || plaintext.length < padding) return undefined;
  return plaintext.subarray(-padding).every((byte) => byte === padding) ? plaintext.subarray(0, -padding) : undefined;
}

/** Zero bytes may follow it: OpenSSL reads such keys. Nothing at all, under padding alone, is no lucky guess. */
function onlySequence(plaintext: Buffer): Buffer | undefined {
  if (plaintext.length === 0) return plaintext;
  try {
    const { tag, encoding, end } = parse(plaintext);
    return tag === TAG.sequence && plaintext.subarray(end).every((byte) => byte === 0) ? encoding : undefined;
  } catch {
    return undefined;
  }
}
