/** Where the .pfx comes from: the text of an input, or a file on the runner. */
import { readFileSync, statSync } from 'node:fs';
import { Failure } from '../failure.ts';
import { decodePfxFile, decodePfxText, type DecodedPfx } from './decode.ts';

export type CertificateSource =
  | { readonly kind: 'text'; readonly text: string; readonly password: string }
  | { readonly kind: 'file'; readonly path: string; readonly password: string };

/** What the service and every maker stay far below. */
const LARGEST_FILE = 1024 * 1024;

/**
 * The bytes of the .pfx.
 * @throws Failure PFX_FILE_UNREADABLE, PFX_TOO_LARGE, and what {@link decodePfxText} throws
 */
export function readPfx(source: CertificateSource): DecodedPfx {
  const decoded = source.kind === 'text' ? decodePfxText(source.text) : decodePfxFile(readFile(source.path));
  if (decoded.bytes.length > LARGEST_FILE) throw tooLarge(decoded.bytes.length);
  return decoded;
}

function readFile(path: string): Buffer {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw unreadable(path, 'is a directory', undefined);
    // Text in UTF-16 is nearly three times as long as the file that it encodes.
    if (stat.size > 4 * LARGEST_FILE) throw tooLarge(stat.size);
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

function tooLarge(size: number): Failure {
  return new Failure(
    'PFX_TOO_LARGE',
    `The .pfx has ${size} bytes; at most ${LARGEST_FILE} are taken.`,
    'Is this the right file? A .pfx is a few kilobytes.',
  );
}
