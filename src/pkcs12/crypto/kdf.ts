/** Keys from passwords: PKCS#12's own derivation (RFC 7292, appendix B), PBKDF1 and PBKDF2 (RFC 8018), scrypt (RFC 7914). */
import { createHash, hash as digestOf, pbkdf2Sync, scryptSync } from 'node:crypto';
import { Failure } from '../../failure.ts';
import { malformed } from '../asn1/ber.ts';
import { iterateSha1, iterateSha256 } from './hash-chain.ts';

/** A hash by Node's name, with its sizes in bytes. */
export interface Hash {
  readonly name: string;
  readonly length: number;
  readonly block: number;
  /** What one iteration costs in rounds (see {@link WorkBudget}): of the hash over itself, and of PBKDF2 with its HMAC. */
  readonly cost: { readonly chain: number; readonly pbkdf2: number };
}

function hashOf(name: string, length: number, block: number, chain: number, pbkdf2: number): Hash {
  return { name, length, block, cost: { chain, pbkdf2 } };
}

/** The hashes that occur in PKCS#12 files, by Node's names. */
export const HASHES = {
  md5: hashOf('md5', 16, 64, 8, 1),
  ripemd160: hashOf('ripemd160', 20, 64, 7, 2),
  sha1: hashOf('sha1', 20, 64, 1, 1),
  sha224: hashOf('sha224', 28, 64, 5, 1),
  sha256: hashOf('sha256', 32, 64, 3, 1),
  sha384: hashOf('sha384', 48, 128, 7, 3),
  sha512: hashOf('sha512', 64, 128, 7, 3),
  sha512_224: hashOf('sha512-224', 28, 128, 7, 3),
  sha512_256: hashOf('sha512-256', 32, 128, 7, 3),
  sha3_224: hashOf('sha3-224', 28, 144, 8, 4),
  sha3_256: hashOf('sha3-256', 32, 136, 8, 4),
  sha3_384: hashOf('sha3-384', 48, 104, 8, 4),
  sha3_512: hashOf('sha3-512', 64, 72, 8, 4),
  sm3: hashOf('sm3', 32, 64, 7, 2),
  blake2b512: hashOf('blake2b512', 64, 128, 8, 4),
  blake2s256: hashOf('blake2s256', 32, 64, 8, 4),
} as const satisfies Record<string, Hash>;

/**
 * What opening one file may cost, in rounds: one round is one iteration of SHA-1 (about 0.2 µs), and a slower hash
 * counts for more. It is a count and not a time, so that a file opens everywhere or nowhere. GnuTLS, with 600,000
 * iterations for each of the certificates, asks for 10,800,000 if a leaf, two issuers and the root are in it.
 */
export const MOST_ROUNDS = 15_000_000;
/** Spent on guesses that only improve a message: two for a file of GnuTLS. */
const MOST_ROUNDS_FOR_HINTS = 4_000_000;
/** N = 2^17 and r = 8, which are recommended today, use all of it. */
const MAX_SCRYPT_MEMORY = 128 * 1024 * 1024;
const SCRYPT_COST = 2;

/** Counts the work before it is done: native derivations cannot be interrupted. */
export class WorkBudget {
  #left: number;

  constructor(rounds = MOST_ROUNDS) {
    this.#left = rounds;
  }

  /** A budget for guesses that only improve a message. */
  static forHints(): WorkBudget {
    return new WorkBudget(MOST_ROUNDS_FOR_HINTS);
  }

  /** @throws Failure PFX_TOO_MANY_ITERATIONS */
  spend(rounds: number): void {
    if (rounds > this.#left) throw tooMany(`more than ${count(MOST_ROUNDS)} rounds of key derivation in all`);
    this.#left -= rounds;
  }
}

/** A key derivation with its parameters. What it costs is known before it is done. */
export interface Derivation {
  /** In rounds. */
  readonly cost: number;
  readonly derive: (password: Uint8Array) => Buffer;
}

/** What the derived bytes are for (RFC 7292, appendix B.3). */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const;

/**
 * RFC 7292, appendix B.2. The password is UTF-16BE with a terminating zero, or nothing.
 * @param length of the result in bytes
 * @throws Failure PFX_TOO_MANY_ITERATIONS, PFX_INVALID
 */
export function pkcs12Kdf(
  hash: Hash,
  salt: Uint8Array,
  iterations: number,
  purpose: (typeof PURPOSE)[keyof typeof PURPOSE],
  length: number,
): Derivation {
  return {
    cost: checked(iterations, hash.cost.chain * Math.ceil(length / hash.length)),
    derive: (password) => derivePkcs12(hash, password, salt, iterations, purpose, length),
  };
}

function derivePkcs12(
  hash: Hash,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  purpose: number,
  length: number,
): Buffer {
  const { block } = hash;
  const diversifier = Buffer.alloc(block, purpose);
  const input = Buffer.concat([fillBlocks(salt, block), fillBlocks(password, block)]);
  const result = Buffer.alloc(length);
  for (let offset = 0; offset < length; offset += hash.length) {
    const first = createHash(hash.name).update(diversifier).update(input).digest();
    const derived = iterate(hash, first, iterations - 1);
    derived.copy(result, offset);
    const addend = fillBlocks(derived, block).subarray(0, block);
    for (let start = 0; start < input.length; start += block) addOne(input.subarray(start, start + block), addend);
  }
  return result;
}

/**
 * PBKDF2 (RFC 8018, section 5.2).
 * @param length of the key in bytes
 * @throws Failure PFX_TOO_MANY_ITERATIONS, PFX_INVALID
 */
export function pbkdf2(hash: Hash, salt: Uint8Array, iterations: number, length: number): Derivation {
  return {
    cost: checked(iterations, hash.cost.pbkdf2 * Math.ceil(length / hash.length)),
    derive: (password) => pbkdf2Sync(password, salt, iterations, length, hash.name),
  };
}

/** PBKDF1 (RFC 8018, section 5.1): at most one digest long. @throws Failure PFX_TOO_MANY_ITERATIONS, PFX_INVALID */
export function pbkdf1(hash: Hash, salt: Uint8Array, iterations: number, length: number): Derivation {
  return {
    cost: checked(iterations, hash.cost.chain),
    derive: (password) => {
      const first = createHash(hash.name).update(password).update(salt).digest();
      return iterate(hash, first, iterations - 1).subarray(0, length);
    },
  };
}

/** scrypt (RFC 7914), within 128 MiB. @throws Failure PFX_TOO_MANY_ITERATIONS, PFX_INVALID */
export function scrypt(
  salt: Uint8Array,
  { N, r, p }: { readonly N: number; readonly r: number; readonly p: number },
  length: number,
): Derivation {
  // RFC 7914, section 6: N is a power of 2, and less than 2^(128 * r / 8).
  if (N < 2 || r < 1 || p < 1 || !Number.isInteger(Math.log2(N)) || Math.log2(N) >= 16 * r)
    throw malformed('the parameters of scrypt are out of range');
  if (128 * r * N > MAX_SCRYPT_MEMORY)
    throw tooMany(`scrypt with more than ${MAX_SCRYPT_MEMORY / 1024 / 1024} MiB of memory`);
  return {
    // Each of the p blocks is also filled and used up by PBKDF2, which costs about as much as ten steps of N.
    cost: checked((N + 10) * r * p, SCRYPT_COST),
    derive: (password) => scryptSync(password, salt, length, { N, r, p, maxmem: 2 * MAX_SCRYPT_MEMORY }),
  };
}

function checked(iterations: number, costOfOne: number): number {
  if (iterations < 1) throw malformed(`the iteration count is ${iterations}`);
  const cost = iterations * costOfOne;
  if (cost > MOST_ROUNDS) throw tooMany(`${count(iterations)} iterations of key derivation, which is too much work`);
  return cost;
}

/** Hashes `digest` so many times over. */
function iterate(hash: Hash, digest: Buffer, rounds: number): Buffer {
  if (hash === HASHES.sha1) return iterateSha1(digest, rounds);
  if (hash === HASHES.sha256) return iterateSha256(digest, rounds);
  let current = digest;
  for (let round = 0; round < rounds; round++) current = digestOf(hash.name, current, 'buffer');
  return current;
}

/** Repeats `bytes` up to a multiple of the block; nothing stays nothing. */
function fillBlocks(bytes: Uint8Array, block: number): Buffer {
  const filled = Buffer.alloc(block * Math.ceil(bytes.length / block));
  return bytes.length === 0 ? filled : filled.fill(bytes);
}

/** block = block + addend + 1, as big-endian numbers without the carry. */
function addOne(block: Buffer, addend: Buffer): void {
  let carry = 1;
  for (let i = block.length - 1; i >= 0; i--) {
    carry += (block[i] ?? 0) + (addend[i] ?? 0);
    block[i] = carry & 0xff;
    carry >>= 8;
  }
}

function tooMany(what: string): Failure {
  return new Failure(
    'PFX_TOO_MANY_ITERATIONS',
    `The .pfx asks for ${what}.`,
    'Write it again with fewer, and delete cert.pem afterwards:\nopenssl pkcs12 -in connector.pfx -nodes -out cert.pem && openssl pkcs12 -export -in cert.pem -iter 2048 -out new.pfx',
  );
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
