/** The disk of the runner is full: what was done is told first, whenever it happens. */
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientCertificate, type ClientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { PASSWORD, runStep } from './step.ts';

let emulator: Emulator;
let certificate: ClientCertificate;
let folder: string;
/** Where outputs go; nothing can be appended to a folder. */
let outputs: string;

beforeAll(async () => {
  certificate = await clientCertificate();
});
beforeEach(async () => {
  emulator = await Emulator.start();
  folder = mkdtempSync(join(tmpdir(), 'outputs-'));
  outputs = join(folder, 'output');
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await emulator.stop();
});

async function upload(inputs: Record<string, string> = {}): Promise<RunResult> {
  const pfx = pfxOf(certificate, PASSWORD).toString('base64');
  return await runStep(emulator, { pfx, ...inputs }, { env: { GITHUB_OUTPUT: outputs } });
}

function errors({ annotations }: RunResult): (readonly [string, string])[] {
  return annotations.filter(({ level }) => level === 'error').map(({ title, message }) => [title, message]);
}

test('from the beginning: nothing is changed', async () => {
  mkdirSync(outputs);
  const result = await upload();
  expect(result.exitCode).toBe(1);
  expect(errors(result)).toEqual([['OUTPUTS_NOT_WRITTEN', expect.stringMatching(/^Nothing was changed\. .*EISDIR/)]]);
  expect(emulator.certificates(GLOBAL.connectorId)).toEqual([]);
});

test('from the upload on: that it was done', async () => {
  writeFileSync(outputs, '');
  const full = emulator.arrival('upload').then(() => {
    rmSync(outputs);
    mkdirSync(outputs);
  });
  const result = await upload();
  await full;
  expect(result.exitCode).toBe(1);
  expect(errors(result)).toEqual([
    ['OUTPUTS_NOT_WRITTEN', expect.stringMatching(/1 connector updated\. The outputs .*EISDIR/)],
  ]);
  expect(result.summary).toContain('1 connector updated');
  expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
});

test.each(['create/action.yml', 'check/action.yml'])(
  'of a step that fails anyway: %s shows why it failed, and nothing else',
  async (actionFile) => {
    mkdirSync(outputs);
    const inputs = { 'connector-id': GLOBAL.connectorId, 'client-id': '99999999-8888-4777-8666-555555555555' };
    const result = await runStep(emulator, inputs, { actionFile, env: { GITHUB_OUTPUT: outputs } });
    expect(errors(result).map(([code]) => code)).toEqual(['APPLICATION_NOT_FOUND']);
    expect(result.log).toContain('The outputs of the step could not be written: ');
  },
);

test('create: that a certificate was made, which the end of the job removes', async () => {
  mkdirSync(outputs);
  const result = await runStep(
    emulator,
    { 'connector-id': GLOBAL.connectorId },
    { actionFile: 'create/action.yml', env: { GITHUB_OUTPUT: outputs } },
  );
  expect(errors(result)).toEqual([['OUTPUTS_NOT_WRITTEN', expect.stringMatching(/^A certificate was made\. /)]]);
  expect(result.state['pfx-file']).toBeDefined();
});
