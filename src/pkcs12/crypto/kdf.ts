/** Keys from passwords: PKCS#12's own derivation (RFC 7292, appendix B), PBKDF2 (RFC 8018) and scrypt (RFC 7914). */
import { createHash, hash as digestOf, pbkdf2Sync, scryptSync } from 'node:crypto';
import { Failure } from '../../failure.ts';
import { malformed } from '../asn1/ber.ts';
import { iterateSha1, iterateSha256 } from './hash-chain.ts';

/** A hash by Node's name, with its sizes in bytes. */
export interface Hash {
  readonly name: string;
  readonly length: number;
  readonly block: number;
}

/** The hashes that occur in PKCS#12 files, by Node's names. */
export const HASHES = {
  md5: { name: 'md5', length: 16, block: 64 },
  sha1: { name: 'sha1', length: 20, block: 64 },
  sha224: { name: 'sha224', length: 28, block: 64 },
  sha256: { name: 'sha256', length: 32, block: 64 },
  sha384: { name: 'sha384', length: 48, block: 128 },
  sha512: { name: 'sha512', length: 64, block: 128 },
  sha512_224: { name: 'sha512-224', length: 28, block: 128 },
  sha512_256: { name: 'sha512-256', length: 32, block: 128 },
  blake2b512: { name: 'blake2b512', length: 64, block: 128 },
  blake2s256: { name: 'blake2s256', length: 32, block: 64 },
} as const satisfies Record<string, Hash>;

/** Rounds that one derivation may ask for: BouncyCastle, the slowest maker, asks for 1,200,000. */
const MAX_ROUNDS = 2_000_000;
const MAX_ROUNDS_IN_ALL = 4_000_000;
const MAX_MILLISECONDS = 4_500;
const HINT_ROUNDS = 200_000;
const HINT_MILLISECONDS = 200;
/** What a native round costs at most on a slow runner: Node cannot interrupt it, so that it is judged beforehand. */
const NATIVE_ROUND_MILLISECONDS = 0.0005;
const MAX_SCRYPT_MEMORY = 64 * 1024 * 1024;

/**
 * What opening one file may cost. The iteration counts are whatever the file says, so that without a limit a file of
 * a hundred bytes keeps the runner busy for hours.
 */
export class WorkBudget {
  readonly #deadline: number;
  #rounds: number;

  constructor(rounds = MAX_ROUNDS_IN_ALL, milliseconds = MAX_MILLISECONDS) {
    this.#rounds = rounds;
    this.#deadline = worked() + milliseconds;
  }

  /**
   * Takes `rounds` off the budget, before they are worked off.
   * @throws Failure PFX_TOO_MANY_ITERATIONS, PFX_INVALID for a count below 1
   */
  spend(rounds: number, nativeRounds = 0): void {
    if (rounds < 1) throw malformed(`the iteration count is ${rounds}`);
    if (rounds > MAX_ROUNDS)
      throw tooMany(`${count(rounds)} iterations for one key; at most ${count(MAX_ROUNDS)} are done`);
    if (rounds > this.#rounds) throw tooMany(`more than ${count(MAX_ROUNDS_IN_ALL)} iterations in all`);
    this.#rounds -= rounds;
    this.checkTime(nativeRounds * NATIVE_ROUND_MILLISECONDS);
  }

  /** A smaller budget within this one, for a guess that only improves a message. */
  small(): WorkBudget {
    return new WorkBudget(HINT_ROUNDS, Math.min(HINT_MILLISECONDS, this.#deadline - worked()));
  }

  /** @throws Failure PFX_TOO_MANY_ITERATIONS once the time is over, or would be after `estimate` more milliseconds */
  checkTime(estimate = 0): void {
    if (worked() + estimate > this.#deadline) {
      throw tooMany(`so many iterations that they take longer than ${MAX_MILLISECONDS / 1000} seconds`);
    }
  }
}

/** Milliseconds that the processor has worked for this process: a runner that is busy with other things turns no file away. */
function worked(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** What the derived bytes are for (RFC 7292, appendix B.3). */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const;

/**
 * RFC 7292, appendix B.2.
 * @param password UTF-16BE with a terminating zero, or nothing
 * @param length of the result in bytes
 * @throws Failure PFX_TOO_MANY_ITERATIONS
 */
export function pkcs12Kdf(
  hash: Hash,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  purpose: (typeof PURPOSE)[keyof typeof PURPOSE],
  length: number,
  budget: WorkBudget,
): Buffer {
  // The IV goes with its key and is counted with it.
  if (purpose !== PURPOSE.iv) budget.spend(iterations);
  const { block } = hash;
  const diversifier = Buffer.alloc(block, purpose);
  const input = Buffer.concat([fillBlocks(salt, block), fillBlocks(password, block)]);
  const result = Buffer.alloc(length);
  for (let offset = 0; offset < length; offset += hash.length) {
    const first = createHash(hash.name).update(diversifier).update(input).digest();
    const derived = iterate(hash, first, iterations - 1, budget);
    derived.copy(result, offset);
    const addend = fillBlocks(derived, block).subarray(0, block);
    for (let start = 0; start < input.length; start += block) addOne(input.subarray(start, start + block), addend);
  }
  return result;
}

/**
 * PBKDF2 (RFC 8018, section 5.2).
 * @param length of the key in bytes
 * @throws Failure PFX_TOO_MANY_ITERATIONS
 */
export function pbkdf2(
  hash: Hash,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
  budget: WorkBudget,
): Buffer {
  budget.spend(iterations, iterations * Math.ceil(length / hash.length));
  return pbkdf2Sync(password, salt, iterations, length, hash.name);
}

/** PBKDF1 (RFC 8018, section 5.1): at most one digest long. */
export function pbkdf1(
  hash: Hash,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
  budget: WorkBudget,
): Buffer {
  budget.spend(iterations);
  const first = createHash(hash.name).update(password).update(salt).digest();
  return iterate(hash, first, iterations - 1, budget).subarray(0, length);
}

/** scrypt (RFC 7914), within 64 MiB. */
export function scrypt(
  password: Uint8Array,
  salt: Uint8Array,
  cost: { readonly N: number; readonly r: number; readonly p: number },
  length: number,
  budget: WorkBudget,
): Buffer {
  const { N, r, p } = cost;
  if (N < 2 || r < 1 || p < 1 || !Number.isInteger(Math.log2(N)))
    throw malformed('the parameters of scrypt are out of range');
  if (128 * r * (N + p + 2) > MAX_SCRYPT_MEMORY)
    throw tooMany(`scrypt with more than ${MAX_SCRYPT_MEMORY / 1024 / 1024} MiB of memory`);
  budget.spend(N * r * p, N * r * p);
  return scryptSync(password, salt, length, { N, r, p, maxmem: 2 * MAX_SCRYPT_MEMORY });
}

/** Hashes `digest` so many times over. */
function iterate(hash: Hash, digest: Buffer, rounds: number, budget: WorkBudget): Buffer {
  const checkTime = (): void => {
    budget.checkTime();
  };
  if (hash === HASHES.sha1) return iterateSha1(digest, rounds, checkTime);
  if (hash === HASHES.sha256) return iterateSha256(digest, rounds, checkTime);
  let current = digest;
  for (let round = 0; round < rounds; round++) {
    if ((round & 0xfff) === 0) checkTime();
    current = digestOf(hash.name, current, 'buffer');
  }
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
    'Write it again with fewer: openssl pkcs12 -in cert.pfx -nodes -out cert.pem && openssl pkcs12 -export -in cert.pem -iter 2048 -out new.pfx (then delete cert.pem)',
  );
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
