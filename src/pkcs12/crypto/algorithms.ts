/** AlgorithmIdentifiers of PKCS#12 files: which hash, which pseudo-random function, which key derivation. */
import { Failure } from '../../failure.ts';
import {
  expectTag,
  integer,
  malformed,
  objectIdentifier,
  octetString,
  sequence,
  TAG,
  type Element,
} from '../asn1/ber.ts';
import { HASHES, pbkdf2, scrypt, type Hash, type WorkBudget } from './kdf.ts';

/** AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }. */
export interface AlgorithmIdentifier {
  readonly oid: string;
  readonly parameters: Element | undefined;
}

/** Reads an AlgorithmIdentifier; `what` it is for goes into errors. */
export function algorithmIdentifier(element: Element | undefined, what: string): AlgorithmIdentifier {
  const [oid, parameters] = sequence(element, what);
  return { oid: objectIdentifier(oid, what), parameters };
}

const DIGESTS: Readonly<Record<string, Hash>> = {
  '1.2.840.113549.2.5': HASHES.md5,
  '1.3.14.3.2.26': HASHES.sha1,
  '2.16.840.1.101.3.4.2.4': HASHES.sha224,
  '2.16.840.1.101.3.4.2.1': HASHES.sha256,
  '2.16.840.1.101.3.4.2.2': HASHES.sha384,
  '2.16.840.1.101.3.4.2.3': HASHES.sha512,
  '2.16.840.1.101.3.4.2.5': HASHES.sha512_224,
  '2.16.840.1.101.3.4.2.6': HASHES.sha512_256,
  '1.3.6.1.4.1.1722.12.2.1.16': HASHES.blake2b512,
  '1.3.6.1.4.1.1722.12.2.2.8': HASHES.blake2s256,
};

const HMACS: Readonly<Record<string, Hash>> = {
  '1.2.840.113549.2.7': HASHES.sha1,
  '1.3.6.1.5.5.8.1.2': HASHES.sha1,
  '1.2.840.113549.2.8': HASHES.sha224,
  '1.2.840.113549.2.9': HASHES.sha256,
  '1.2.840.113549.2.10': HASHES.sha384,
  '1.2.840.113549.2.11': HASHES.sha512,
  '1.2.840.113549.2.12': HASHES.sha512_224,
  '1.2.840.113549.2.13': HASHES.sha512_256,
};

/** The hash that an AlgorithmIdentifier names. */
export function digestAlgorithm({ oid }: AlgorithmIdentifier): Hash {
  return DIGESTS[oid] ?? unsupported('the hash', oid);
}

/** The hash of the HMAC that an AlgorithmIdentifier names. */
export function hmacAlgorithm({ oid }: AlgorithmIdentifier): Hash {
  return HMACS[oid] ?? unsupported('the message authentication', oid);
}

/** A derivation of PKCS#5: bytes of a password in, a key out. */
export interface Pkcs5Kdf {
  readonly name: string;
  /** As the file states it, in bytes. */
  readonly keyLength: number | undefined;
  readonly derive: (password: Uint8Array, length: number, budget: WorkBudget) => Buffer;
}

const OID_PBKDF2 = '1.2.840.113549.1.5.12';
const OID_SCRYPT = '1.3.6.1.4.1.11591.4.11';

/** PBKDF2-params (RFC 8018, appendix A.2) or scrypt-params (RFC 7914, section 7). */
export function pkcs5Kdf({ oid, parameters }: AlgorithmIdentifier): Pkcs5Kdf {
  if (oid === OID_SCRYPT) {
    const [salt, N, r, p, length] = sequence(parameters, 'the parameters of scrypt');
    const saltOctets = octetString(salt, 'the salt of scrypt');
    const cost = { N: integer(N, 'N of scrypt'), r: integer(r, 'r of scrypt'), p: integer(p, 'p of scrypt') };
    return {
      name: 'scrypt',
      keyLength: length && positive(integer(length, 'the key length of scrypt')),
      derive: (password, size, budget) => scrypt(password, saltOctets, cost, size, budget),
    };
  }
  if (oid !== OID_PBKDF2) return unsupported('the key derivation', oid);
  const [salt, iterations, ...rest] = sequence(parameters, 'the parameters of PBKDF2');
  if (salt?.tag === TAG.sequence) return unsupported('a salt that is kept elsewhere', OID_PBKDF2);
  const saltOctets = octetString(salt, 'the salt of PBKDF2');
  const rounds = integer(iterations, 'the iteration count of PBKDF2');
  const length = rest[0]?.tag === TAG.integer ? rest.shift() : undefined;
  const prf = rest[0] === undefined ? HASHES.sha1 : hmacAlgorithm(algorithmIdentifier(rest[0], 'the PRF of PBKDF2'));
  return {
    name: 'PBKDF2',
    keyLength: length && positive(integer(length, 'the key length of PBKDF2')),
    derive: (password, size, budget) => pbkdf2(prf, password, saltOctets, rounds, size, budget),
  };
}

/** pkcs-12PbeParams (RFC 7292, appendix C) and PBEParameter (RFC 8018, appendix A.3), which look the same. */
export function saltAndIterations(parameters: Element | undefined): { salt: Buffer; iterations: number } {
  const [salt, iterations] = sequence(
    expectTag(parameters, TAG.sequence, 'the encryption parameters'),
    'the encryption parameters',
  );
  return { salt: octetString(salt, 'the salt'), iterations: integer(iterations, 'the iteration count') };
}

/** Names of what is known, but not read. */
const NAMES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.5.1': 'PBE-MD2-DES',
  '1.2.840.113549.1.5.4': 'PBE-MD2-RC2',
  '1.2.840.113549.3.9': 'RC5',
  '1.2.410.200004.1.4': 'SEED',
  '1.3.6.1.4.1.188.7.1.1.2': 'IDEA',
  '1.2.643.2.2.21': 'GOST 28147-89',
  '1.2.643.2.2.10': 'GOST R 34.11-94 HMAC',
  '1.2.643.2.2.9': 'GOST R 34.11-94',
  '1.2.643.2.2.19': 'GOST R 34.10-2001',
  '1.2.643.7.1.1.1.1': 'GOST R 34.10-2012 (256)',
  '1.2.643.7.1.1.1.2': 'GOST R 34.10-2012 (512)',
  '1.2.643.7.1.1.2.2': 'GOST R 34.11-2012 (256)',
  '1.2.643.7.1.1.2.3': 'GOST R 34.11-2012 (512)',
};

/** Refuses an algorithm by its name. */
export function unsupported(what: string, oid: string): never {
  const name = NAMES[oid];
  throw new Failure(
    'PFX_UNSUPPORTED',
    `The .pfx uses ${what} ${name === undefined ? oid : `${name} (${oid})`}, which is not supported.`,
    'Export the certificate with one of the usual algorithms, such as TripleDES-SHA1 or AES256-SHA256 (what Windows offers), or with: openssl pkcs12 -export',
  );
}

function positive(length: number): number {
  if (length < 1 || length > 1024) throw malformed(`a key length is ${length}`);
  return length;
}
