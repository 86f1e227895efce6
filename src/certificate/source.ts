/** Where the certificate comes from: the text of an input, or a file on the runner. Each source has its own password. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs';
import { Failure } from '../failure.ts';
import { LARGEST_PFX, tooLarge } from './decode.ts';

/** What the user names: text (of the input `pfx`) or a path (of the input `pfx-file`). */
export type CertificateSource =
  | { readonly kind: 'text'; readonly text: string; readonly password: string }
  | { readonly kind: 'file'; readonly path: string; readonly password: string };

/** What a source gave: text or bytes, not yet looked at, and the password that belongs to it. */
export interface SourceContent {
  readonly content: string | Buffer;
  /** As it was given; '' is both "no password" and "the empty password". */
  readonly password: string;
  /** Sentences for the log about how it was read. */
  readonly notes: readonly string[];
}

/**
 * The content of a source.
 * @throws Failure PFX_FILE_UNREADABLE, PFX_TOO_LARGE
 */
export function readSource(source: CertificateSource): SourceContent {
  const content = source.kind === 'text' ? source.text : readFile(source.path);
  return { content, password: source.password, notes: [] };
}

/** Text in UTF-16 is nearly three times as long as the file that it encodes. */
const LARGEST_FILE = 4 * LARGEST_PFX;

function readFile(path: string): Buffer {
  try {
    // Before it is opened: opening a device may do something, and opening a FIFO waits.
    refuseIrregular(path, statSync(path));
    return readAtMost(path, LARGEST_FILE);
  } catch (error) {
    if (error instanceof Failure) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT'
        ? 'does not exist'
        : code === 'EACCES'
          ? 'may not be read by this step'
          : `could not be read (${code ?? 'unknown error'})`;
    throw unreadable(path, why, error);
  }
}

/** Reads a file whose size is only known once it is read: it may grow, and those of /proc say that they are empty. */
function readAtMost(path: string, limit: number): Buffer {
  const file = openSync(path, constants.O_RDONLY | NONBLOCK);
  try {
    const stat = fstatSync(file);
    refuseIrregular(path, stat);
    if (stat.size > limit) throw tooLarge(stat.size);
    const content = Buffer.alloc(limit + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < content.length; length += read) {
      read = readSync(file, content, length, content.length - length, null);
    }
    if (length > limit) throw tooLarge(length);
    return content.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

/** Windows does not know it. */
const NONBLOCK = (constants as Partial<typeof constants>).O_NONBLOCK ?? 0;

function refuseIrregular(path: string, stat: Stats): void {
  if (stat.isDirectory()) throw unreadable(path, 'is a directory', undefined);
  if (!stat.isFile()) throw unreadable(path, 'is not a regular file', undefined);
}

function unreadable(path: string, why: string, cause: unknown): Failure {
  return new Failure(
    'PFX_FILE_UNREADABLE',
    // Longer than any path that people write: something else was handed over, and might be a secret.
    `The input "pfx-file" names ${path.length > 260 ? `a path of ${path.length} characters` : JSON.stringify(path)}, which ${why}.`,
    `Give the path of the .pfx itself, relative to ${process.cwd()} or absolute. A step before this one has to write it.`,
    { cause },
  );
}
