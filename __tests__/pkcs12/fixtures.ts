import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, type FailureCode } from '../../src/failure.ts';
import { openPfx } from '../../src/pkcs12/open.ts';
import type { ClientCertificate } from '../../src/certificate/client-certificate.ts';

const DIRECTORY = join(import.meta.dirname, '..', 'fixtures');

export interface Fixture {
  readonly file: string;
  readonly maker: string;
  readonly password: string;
  /** By the maker's own tool; absent where the file must not open. */
  readonly thumbprint?: string;
  readonly failure?: FailureCode;
}

export const PASSWORD = 'Passw0rd!';
export const FIXTURES = JSON.parse(readFixture('manifest.json').toString()) as Fixture[];
export const HEALTHY = FIXTURES.filter(({ thumbprint }) => thumbprint !== undefined);

export function readFixture(file: string): Buffer {
  return readFileSync(join(DIRECTORY, file));
}

export function openFixture(file: string, password = PASSWORD): ClientCertificate {
  return openPfx(readFixture(file), password);
}

/** The failure that `action` throws. */
export function failureOf(action: () => unknown): Failure {
  try {
    action();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
