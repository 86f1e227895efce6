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
import { OID } from '../asn1/oids.ts';
import { HASHES, pbkdf2, scrypt, type Derivation, type Hash } from './kdf.ts';

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
  [OID.md5]: HASHES.md5,
  [OID.sha1]: HASHES.sha1,
  [OID.sha224]: HASHES.sha224,
  [OID.sha256]: HASHES.sha256,
  [OID.sha384]: HASHES.sha384,
  [OID.sha512]: HASHES.sha512,
  [OID.sha512_224]: HASHES.sha512_224,
  [OID.sha512_256]: HASHES.sha512_256,
  [OID.sha3_224]: HASHES.sha3_224,
  [OID.sha3_256]: HASHES.sha3_256,
  [OID.sha3_384]: HASHES.sha3_384,
  [OID.sha3_512]: HASHES.sha3_512,
  [OID.ripemd160]: HASHES.ripemd160,
  [OID.sm3]: HASHES.sm3,
  [OID.blake2b512]: HASHES.blake2b512,
  [OID.blake2s256]: HASHES.blake2s256,
};

const HMACS: Readonly<Record<string, Hash>> = {
  [OID.hmacWithMD5]: HASHES.md5,
  [OID.hmacMD5]: HASHES.md5,
  [OID.hmacRIPEMD160]: HASHES.ripemd160,
  [OID.hmacWithSHA1]: HASHES.sha1,
  [OID.hmacSHA1]: HASHES.sha1,
  [OID.hmacWithSHA224]: HASHES.sha224,
  [OID.hmacWithSHA256]: HASHES.sha256,
  [OID.hmacWithSHA384]: HASHES.sha384,
  [OID.hmacWithSHA512]: HASHES.sha512,
  [OID.hmacWithSHA512_224]: HASHES.sha512_224,
  [OID.hmacWithSHA512_256]: HASHES.sha512_256,
  [OID.hmacWithSHA3_224]: HASHES.sha3_224,
  [OID.hmacWithSHA3_256]: HASHES.sha3_256,
  [OID.hmacWithSHA3_384]: HASHES.sha3_384,
  [OID.hmacWithSHA3_512]: HASHES.sha3_512,
  [OID.hmacWithSM3]: HASHES.sm3,
  [OID.hmacWithSM3ByOpenSSL]: HASHES.sm3,
};

/** The hash that an AlgorithmIdentifier names. */
export function digestAlgorithm({ oid }: AlgorithmIdentifier): Hash {
  return DIGESTS[oid] ?? unsupported('the hash', oid);
}

/** The hash of the HMAC that an AlgorithmIdentifier names. */
export function hmacAlgorithm({ oid }: AlgorithmIdentifier): Hash {
  return HMACS[oid] ?? unsupported('the message authentication', oid);
}

/** A derivation of PKCS#5. */
export interface Pkcs5Kdf {
  /** As the file states it, in bytes. */
  readonly keyLength: number | undefined;
  /** For a key of `length` bytes. @throws Failure PFX_TOO_MANY_ITERATIONS, PFX_INVALID */
  readonly derivation: (length: number) => Derivation;
}

/** PBKDF2-params (RFC 8018, appendix A.2) or scrypt-params (RFC 7914, section 7). */
export function pkcs5Kdf({ oid, parameters }: AlgorithmIdentifier): Pkcs5Kdf {
  if (oid === OID.scrypt) {
    const [salt, N, r, p, length] = sequence(parameters, 'the parameters of scrypt');
    const saltOctets = octetString(salt, 'the salt of scrypt');
    const cost = { N: integer(N, 'N of scrypt'), r: integer(r, 'r of scrypt'), p: integer(p, 'p of scrypt') };
    return {
      keyLength: length && positive(integer(length, 'the key length of scrypt')),
      derivation: (size) => scrypt(saltOctets, cost, size),
    };
  }
  if (oid !== OID.pbkdf2) return unsupported('the key derivation', oid);
  const [salt, iterations, ...rest] = sequence(parameters, 'the parameters of PBKDF2');
  if (salt?.tag === TAG.sequence) return unsupported('a salt that is kept elsewhere', OID.pbkdf2);
  const saltOctets = octetString(salt, 'the salt of PBKDF2');
  const rounds = integer(iterations, 'the iteration count of PBKDF2');
  const length = rest[0]?.tag === TAG.integer ? rest.shift() : undefined;
  const prf = rest[0] === undefined ? HASHES.sha1 : hmacAlgorithm(algorithmIdentifier(rest[0], 'the PRF of PBKDF2'));
  return {
    keyLength: length && positive(integer(length, 'the key length of PBKDF2')),
    derivation: (size) => pbkdf2(prf, saltOctets, rounds, size),
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
  [OID.pbeWithMD2AndDESCBC]: 'PBE-MD2-DES',
  [OID.pbeWithMD2AndRC2CBC]: 'PBE-MD2-RC2',
  [OID.pbeWithMD5AndCAST5CBC]: 'PBE-MD5-CAST5',
  [OID.blowfishCBC]: 'Blowfish',
  [OID.cast5CBC]: 'CAST5',
  [OID.desECB]: 'DES in ECB mode',
  [OID.desOFB]: 'DES in OFB mode',
  // OpenSSL writes this OID for both.
  [OID.desCFB]: 'DES or TripleDES in CFB mode',
  [OID.desEDE]: 'TripleDES in ECB mode',
  [OID.ideaCBC]: 'IDEA',
  [OID.rc4]: 'RC4',
  [OID.rc5CBC]: 'RC5',
  [OID.seedCBC]: 'SEED',
  [OID.seedECB]: 'SEED in ECB mode',
  [OID.seedCFB]: 'SEED in CFB mode',
  [OID.seedOFB]: 'SEED in OFB mode',
  [OID.md2]: 'MD2',
  [OID.md4]: 'MD4',
  [OID.whirlpool]: 'Whirlpool',
  [OID.gost28147]: 'GOST 28147-89',
  [OID.gostMagmaCTR]: 'GOST Magma',
  [OID.gostMagmaCTROMAC]: 'GOST Magma',
  [OID.gostKuznyechikCTR]: 'GOST Kuznyechik',
  [OID.gostKuznyechikCTROMAC]: 'GOST Kuznyechik',
  [OID.hmacGostR3411_94]: 'GOST R 34.11-94 HMAC',
  [OID.hmacGostR3411_2012_256]: 'GOST R 34.11-2012 (256) HMAC',
  [OID.hmacGostR3411_2012_512]: 'GOST R 34.11-2012 (512) HMAC',
  [OID.gostR3411_94]: 'GOST R 34.11-94',
  [OID.gostR3411_2012_256]: 'GOST R 34.11-2012 (256)',
  [OID.gostR3411_2012_512]: 'GOST R 34.11-2012 (512)',
  [OID.gostR3410_2001]: 'GOST R 34.10-2001',
  [OID.gostR3410_2012_256]: 'GOST R 34.10-2012 (256)',
  [OID.gostR3410_2012_512]: 'GOST R 34.10-2012 (512)',
  [OID.dhKeyAgreement]: 'Diffie-Hellman',
  [OID.dhPublicNumber]: 'Diffie-Hellman (X9.42)',
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
