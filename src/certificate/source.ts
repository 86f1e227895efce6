/** Where the certificate comes from: the text of an input, or a file on the runner. Each source has its own password. */
import { readFileSync, statSync } from 'node:fs';
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

function readFile(path: string): Buffer {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw unreadable(path, 'is a directory', undefined);
    // Text in UTF-16 is nearly three times as long as the file that it encodes.
    if (stat.size > 4 * LARGEST_PFX) throw tooLarge(stat.size);
    return readFileSync(path);
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

function unreadable(path: string, why: string, cause: unknown): Failure {
  return new Failure(
    'PFX_FILE_UNREADABLE',
    // Longer than any path that people write: something else was handed over, and might be a secret.
    `The input "pfx-file" names ${path.length > 260 ? `a path of ${path.length} characters` : JSON.stringify(path)}, which ${why}.`,
    `Give the path of the .pfx itself, relative to ${process.cwd()} or absolute. A step before this one has to write it.`,
    { cause },
  );
}
