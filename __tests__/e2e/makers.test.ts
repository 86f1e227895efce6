/** A file of every maker through the whole action, to a service that takes TripleDES-SHA1 only. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import { runStep } from './step.ts';

interface Fixture {
  readonly file: string;
  readonly maker: string;
  readonly password: string;
  readonly thumbprint?: string;
  readonly failure?: string;
}

const DIRECTORY = join(import.meta.dirname, '..', 'fixtures');
const FIXTURES = JSON.parse(readFileSync(join(DIRECTORY, 'manifest.json'), 'utf8')) as Fixture[];
/** The documents ask for RSA 2048 and more; these are sent with a warning. */
const WARNED = ['openssl-ec.pfx', 'openssl-ed25519.pfx', 'openssl-small.pfx'];

let emulator: Emulator;
beforeAll(async () => {
  emulator = await Emulator.start();
});
afterAll(async () => {
  await emulator.stop();
});

test.each(FIXTURES)('$file of $maker', async ({ file, password, thumbprint, failure }) => {
  emulator.addConnector({ id: GLOBAL.connectorId });
  const connects = emulator.connects.length;
  const pfx = readFileSync(join(DIRECTORY, file)).toString('base64');
  const result = await runStep(emulator, { pfx, password });

  if (failure === undefined) {
    expect(result.annotations.filter(({ level }) => level === 'error')).toEqual([]);
    expect(result.annotations.length > 0).toBe(WARNED.includes(file));
    expect(result.outputs).toMatchObject({ thumbprint, uploaded: 'true' });
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([thumbprint]);
  } else {
    expect(result.annotations.map(({ level, title }) => `${level} ${title}`)).toEqual([`error ${failure}`]);
    expect(result.exitCode).toBe(1);
    expect(emulator.connects.length).toBe(connects);
  }
});
