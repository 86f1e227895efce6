/** A certificate with its key on its way from one step of a job to the next: a file that its owner alone can read. */
import { randomBytes, randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../failure.ts';
import { writePkcs12, type Pkcs12Entry } from '../pkcs12/write.ts';
import { clean } from '../text/clean.ts';

/** Where the file is, or will be, and its password. */
export interface HandOver {
  readonly path: string;
  readonly password: string;
}

/** A name that no file has, in the runner's temporary folder, and a random password of 192 bits. Writes nothing. */
export function planHandOver(environment: NodeJS.ProcessEnv): HandOver {
  const folder = environment['RUNNER_TEMP'] ?? '';
  return {
    path: join(folder === '' ? tmpdir() : folder, `api-connector-certificate-${randomUUID()}.pfx`),
    password: randomBytes(24).toString('base64url'),
  };
}

/**
 * Writes the certificate with its key, mode 0600.
 * @throws Failure HAND_OVER_FAILED
 */
export function writeHandOver({ path, password }: HandOver, certificate: Pkcs12Entry): void {
  try {
    writeFileSync(path, writePkcs12(certificate, password), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw new Failure(
      'HAND_OVER_FAILED',
      `The new certificate could not be written to the runner's temporary folder: ${reasonOf(error)}. Nothing was changed.`,
      'Free disk space on the runner, or check that RUNNER_TEMP names a folder that the job may write to; then run the job again.',
      { cause: error },
    );
  }
}

/**
 * Removes the file, if it is there.
 * @throws Failure HAND_OVER_NOT_REMOVED
 */
export function removeHandOver(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw new Failure(
      'HAND_OVER_NOT_REMOVED',
      `The file with the new certificate and its private key could not be removed: ${reasonOf(error)}.`,
      'Remove it from the temporary folder of the runner by hand. Its password was known to this job only.',
      { cause: error },
    );
  }
}

function reasonOf(error: unknown): string {
  return clean(error instanceof Error ? error.message : String(error));
}
