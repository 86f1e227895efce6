/** From the text of a password to the bytes that a key is derived from; makers disagree on how. */
import { Failure } from '../../failure.ts';

/** PKCS#12's own derivation and PKCS#5's (PBKDF2, scrypt) take different bytes for one password. */
export type PasswordUse = 'pkcs12' | 'pkcs5';

interface Candidate {
  readonly bytes: Buffer;
  /** As the standards have it, for exactly this password. */
  readonly standard: boolean;
}

/**
 * The byte strings that one password may stand for, the likeliest first.
 *
 * RFC 7292 (appendix B.1) says UTF-16BE with a terminating zero, RFC 8018 says UTF-8, and both leave open whether an
 * empty password is no password. Outside ASCII, makers go their own ways: Java cuts characters to seven bits, NSS
 * gives UTF-16 to PBKDF2, node-forge cuts to eight bits, and macOS decomposes accents.
 */
export class PasswordCandidates {
  readonly #candidates: Record<PasswordUse, Candidate[]>;
  #used = false;

  constructor(password: string) {
    this.#candidates = { pkcs12: list(pkcs12Forms(password)), pkcs5: list(pkcs5Forms(password)) };
  }

  /** Whether the password was of any use so far. */
  get used(): boolean {
    return this.#used;
  }

  /** The first result that is not undefined; the form that gave it comes first from now on. */
  find<T>(use: PasswordUse, attempt: (bytes: Buffer) => T | undefined): T | undefined {
    const candidates = this.#candidates[use];
    for (const [i, candidate] of candidates.entries()) {
      const result = candidate.standard ? attempt(candidate.bytes) : attemptWithinBudget(attempt, candidate.bytes);
      if (result === undefined) continue;
      candidates.splice(i, 1);
      candidates.unshift(candidate);
      this.#used = true;
      return result;
    }
    return undefined;
  }
}

/** A guess at another encoding is no reason to say that the file asks for too much work. */
function attemptWithinBudget<T>(attempt: (bytes: Buffer) => T | undefined, bytes: Buffer): T | undefined {
  try {
    return attempt(bytes);
  } catch (error) {
    if (error instanceof Failure && error.code === 'PFX_TOO_MANY_ITERATIONS') return undefined;
    throw error;
  }
}

/** Whether the password is written the same way in every encoding that makers use. */
export function isAscii(password: string): boolean {
  return /^[\x00-\x7f]*$/.test(password);
}

function pkcs12Forms(password: string): { standard: Buffer[]; others: Buffer[] } {
  if (password === '') return { standard: [bmpString(''), Buffer.alloc(0)], others: [] };
  if (isAscii(password)) return { standard: [bmpString(password)], others: [] };
  return {
    standard: [bmpString(password)],
    others: [
      bmpString(password.normalize('NFC')),
      bmpString(password.normalize('NFD')),
      // The bytes of UTF-8 taken for letters: OpenSSL before 1.1 on a UTF-8 terminal.
      bmpString(Buffer.from(password, 'utf8').toString('latin1')),
      bmpString(lowBytes(password, 0xff).toString('latin1')),
    ],
  };
}

function pkcs5Forms(password: string): { standard: Buffer[]; others: Buffer[] } {
  const utf8 = Buffer.from(password, 'utf8');
  if (isAscii(password)) return { standard: [utf8], others: [] };
  return {
    standard: [utf8],
    others: [
      Buffer.from(password.normalize('NFC'), 'utf8'),
      Buffer.from(password.normalize('NFD'), 'utf8'),
      lowBytes(password, 0xff),
      lowBytes(password, 0x7f),
      bmpString(password),
      bmpString(password).subarray(0, -2),
    ],
  };
}

/** UTF-16BE with a terminating zero. */
export function bmpString(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf16le').swap16();
}

function lowBytes(text: string, mask: number): Buffer {
  return Buffer.from(Array.from({ length: text.length }, (_, i) => text.charCodeAt(i) & mask));
}

function list({ standard, others }: { standard: Buffer[]; others: Buffer[] }): Candidate[] {
  const candidates = standard.map((bytes) => ({ bytes, standard: true }));
  for (const bytes of others) {
    if (!candidates.some((candidate) => candidate.bytes.equals(bytes))) candidates.push({ bytes, standard: false });
  }
  return candidates;
}
