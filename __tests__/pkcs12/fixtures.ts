import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, type FailureCode } from '../../src/failure.ts';
import { choose } from '../../src/certificate/choose.ts';
import { describeCertificate, type ClientCertificate } from '../../src/certificate/client-certificate.ts';
import { openPkcs12 } from '../../src/pkcs12/open.ts';

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
export const FIXTURES = fixturesIn('.');
export const HEALTHY = FIXTURES.filter(({ thumbprint }) => thumbprint !== undefined);

/** Those of a folder, by their path from the folder of all. */
export function fixturesIn(folder: string): readonly Fixture[] {
  const fixtures = JSON.parse(readFixture(join(folder, 'manifest.json')).toString()) as Fixture[];
  return fixtures.map((fixture) => ({ ...fixture, file: join(folder, fixture.file) }));
}

export function readFixture(file: string): Buffer {
  return readFileSync(join(DIRECTORY, file));
}

/** What is chosen of the file's contents. */
export function certificateIn(pfx: Uint8Array, password = PASSWORD): ClientCertificate {
  const { leaf, privateKey, chain } = choose({ container: '.pfx', ...openPkcs12(pfx, password) }, new Date());
  return describeCertificate(leaf, privateKey, chain);
}

const opened = new Map<string, ClientCertificate>();

/** Remembered: some makers ask for a million iterations. */
export function openFixture(file: string, password = PASSWORD): ClientCertificate {
  const certificate = opened.get(`${file} ${password}`) ?? certificateIn(readFixture(file), password);
  opened.set(`${file} ${password}`, certificate);
  return certificate;
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
