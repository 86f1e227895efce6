/** A private key in PKCS#8 (RFC 5958), in the clear or encrypted, as a key that Node works with. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { expectTag, malformed, octetString, parseWhole, sequence, TAG, type Element } from './asn1/ber.ts';
import { OID } from './asn1/oids.ts';
import { algorithmIdentifier, unsupported } from './crypto/algorithms.ts';
import { WorkBudget } from './crypto/kdf.ts';
import { PasswordCandidates } from './crypto/password.ts';
import { decrypt, encryptionScheme, fitsDamaged, type Encrypted } from './crypto/pbe.ts';
import * as failures from './password-failures.ts';

/** The largest modulus of an RSA key, in bits: OpenSSL uses none that is larger. */
const MOST_RSA_BITS = 16_384;
/** FIPS 186-4 ends at 3,072. Node computes the public key, which takes minutes for a very large one. */
const MOST_DSA_BITS = 4_096;
const MOST_DSA_EXPONENT_BITS = 512;
/** Of any other type, in bytes: the largest post-quantum key is a third of that. */
const LARGEST_KEY = 16 * 1024;

/**
 * Reads PrivateKeyInfo ::= SEQUENCE { version, privateKeyAlgorithm, privateKey, … }.
 * @throws Failure PFX_UNSUPPORTED for a key that is too large or of a type that Node does not know, PFX_INVALID for a
 *   broken key
 */
export function readPrivateKey(pkcs8: Element): KeyObject {
  const [, algorithm, key] = sequence(pkcs8, 'the private key');
  const { oid, parameters } = algorithmIdentifier(algorithm, 'the private key');
  refuseLarge(oid, parameters, octetString(key, 'the private key'));
  try {
    return createPrivateKey({ key: pkcs8.encoding, format: 'der', type: 'pkcs8' });
  } catch {
    // OpenSSL's own message might quote the key, so it is not kept as the cause.
    if (!KNOWN_KEY_TYPES.has(oid)) return unsupported('a private key of the type', oid);
    throw malformed('the private key cannot be read');
  }
}

/** The same of what was decrypted. @throws Failure also if that is nothing at all */
export function readDecryptedKey(plaintext: Buffer): KeyObject {
  if (plaintext.length === 0) throw malformed('an encrypted private key is empty');
  return readPrivateKey(parseWhole(plaintext));
}

/**
 * Reads EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm, encryptedData OCTET STRING } (RFC 5958, section 3).
 * @param budget of all the keys in what was given
 * @throws Failure PFX_WRONG_PASSWORD, PFX_DAMAGED, PFX_TOO_MANY_ITERATIONS, and what {@link readPrivateKey} throws
 */
export function openEncryptedKey(der: Uint8Array, password: string, budget: WorkBudget): KeyObject {
  const { algorithm, ciphertext } = readEncryptedKey(parseWhole(der));
  const scheme = encryptionScheme(algorithm);
  const plaintext = decrypt(scheme, ciphertext, new PasswordCandidates(password), budget);
  if (plaintext) return readDecryptedKey(plaintext);
  const hints = WorkBudget.forHints();
  const fits = (other: string): boolean =>
    failures.quietly(() => fitsDamaged(scheme, ciphertext, new PasswordCandidates(other), hints));
  throw fits(password) ? failures.damagedKey() : failures.wrongPassword(password, fits);
}

/** The encryption of a private key and what is encrypted. */
export function readEncryptedKey(element: Element | undefined): Encrypted {
  const [algorithm, ciphertext] = sequence(element, 'an encrypted private key');
  return {
    algorithm: expectTag(algorithm, TAG.sequence, 'the encryption of a private key'),
    ciphertext: octetString(ciphertext, 'an encrypted private key'),
  };
}

/** Before OpenSSL sees it: some of what it computes for a key grows with the third power of its size. */
function refuseLarge(oid: string, parameters: Element | undefined, key: Buffer): void {
  switch (oid) {
    case OID.rsaEncryption:
    case OID.rsassaPss: {
      const [, modulus] = sequence(parseWhole(key), 'the RSA key');
      refuseBits('RSA', bits(modulus, 'the modulus'), MOST_RSA_BITS);
      break;
    }
    case OID.dsa: {
      // The parameters may also be left out, which OpenSSL rejects.
      const [p] = parameters?.tag === TAG.sequence ? parameters.children() : [];
      refuseBits('DSA', p ? bits(p, 'the prime') : 0, MOST_DSA_BITS);
      if (bits(parseWhole(key), 'the private key') > MOST_DSA_EXPONENT_BITS)
        throw malformed('the DSA key is too large');
      break;
    }
    case OID.dhKeyAgreement:
    case OID.dhPublicNumber:
      // No certificate has such a key; reading one takes the better part of a second.
      unsupported('a private key of the type', oid);
      break;
    default:
      if (key.length > LARGEST_KEY || (parameters?.encoding.length ?? 0) > LARGEST_KEY)
        throw malformed(`the private key has ${key.length} bytes; at most ${LARGEST_KEY} are accepted`);
  }
}

function bits(element: Element | undefined, what: string): number {
  return expectTag(element, TAG.integer, what).content.length * 8;
}

function refuseBits(type: string, found: number, most: number): void {
  // An INTEGER has a zero byte in front if its first bit is set.
  if (found > most + 8) unsupported(`a private key of ${found} bits (at most ${most} are accepted) of the type`, type);
}

/** A key of one of these types that cannot be read is broken, not unknown. */
const KNOWN_KEY_TYPES: ReadonlySet<string> = new Set([
  OID.rsaEncryption,
  OID.rsassaPss,
  OID.dsa,
  OID.ecPublicKey,
  OID.x25519,
  OID.x448,
  OID.ed25519,
  OID.ed448,
]);
