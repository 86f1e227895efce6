/** The create step: what is due, what it makes, how it hands that on, and that nothing of it stays. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { addExpiring, expectNoLeak, runStep, titles, type StepOptions } from './step.ts';

const ACTION = 'create/action.yml';
const OLD = 'A'.repeat(40);

let emulator: Emulator;
let temp: string;
beforeEach(async () => {
  emulator = await Emulator.start();
  emulator.registerApp({ roles: ['APIConnectors.Read.All'] });
  temp = mkdtempSync(join(tmpdir(), 'create-'));
});
afterEach(async () => {
  await emulator.stop();
  rmSync(temp, { recursive: true });
});

async function create(inputs: Record<string, string> = {}, options: StepOptions = {}): Promise<RunResult> {
  const result = await runStep(
    emulator,
    { 'connector-id': GLOBAL.connectorId, ...inputs },
    { actionFile: ACTION, temp, ...options },
  );
  const { password, 'pfx-file': file } = result.outputs;
  if (password === undefined || file === undefined) return result;
  // The password is an output, and masked; neither it nor the key shows anywhere else.
  expect(result.masks).toContain(password);
  const outputs = Object.fromEntries(Object.entries(result.outputs).filter(([name]) => name !== 'password'));
  const key = spawnSync('openssl', ['pkcs12', '-in', file, '-nocerts', '-noenc', '-passin', 'stdin', '-legacy'], {
    input: `${password}\n`,
    encoding: 'utf8',
  }).stdout;
  expect(key).toContain('-----BEGIN PRIVATE KEY-----');
  const lines = key.split('\n').filter((line) => line.length > 40 && !line.includes(' '));
  expectNoLeak({ ...result, outputs }, [password, ...lines]);
  return result;
}

async function cleanUp({ state }: RunResult, options: StepOptions = {}): Promise<RunResult> {
  return await runStep(emulator, {}, { actionFile: ACTION, temp, post: { state }, ...options });
}

function active(id: string, daysLeft: number, thumbprint = OLD): void {
  addExpiring(emulator, id, daysLeft, thumbprint);
}

test('the summary names what is due first', async () => {
  active('a1', 200);
  active('a2', 20);
  const { summary } = await create({ 'connector-id': 'a1\na2' });
  expect(summary.indexOf('Connector a2')).toBeLessThan(summary.indexOf('Connector a1'));
});

test.each([
  ['bundle', true],
  ['sources', false],
])('a connector that is due: a key, a certificate and a file, until the end of the job (%s)', async (_, bundle) => {
  active(GLOBAL.connectorId, 29);
  const result = await create({}, { bundle });
  expect(titles(result)).toEqual([]);
  const { outputs } = result;
  const leaf = new X509Certificate(outputs['certificate'] ?? '');
  const thumbprint = leaf.fingerprint.replaceAll(':', '');
  expect(outputs).toMatchObject({ needed: 'true', thumbprint });
  expect(outputs['trusted-thumbprints']).toBe([OLD, thumbprint].sort().join(','));
  expect(emulator.requests.map(({ kind }) => kind)).toEqual(['id-token', 'token', 'get']);
  const file = outputs['pfx-file'] ?? '';
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(file.startsWith(temp)).toBe(true);
  expect(result.state).toEqual({ 'pfx-file': file });
  expect(result.summary).toContain('| 29 | 🔁 due |');
  expect(result.summary).toContain(thumbprint);
  expect(result.summary).toContain(OLD);

  const removed = await cleanUp(result, { bundle });
  expect([removed.exitCode, titles(removed), removed.filesLeft]).toEqual([0, [], []]);
  expect(existsSync(file)).toBe(false);
  // Again does no harm.
  expect((await cleanUp(result, { bundle })).exitCode).toBe(0);
});

test('the certificate is what OpenSSL accepts at its strictest', async () => {
  const { outputs } = await create({ subject: 'CN=sign-up, O=Contoso\\, Ltd', 'valid-days': '90' });
  const pem = join(temp, 'certificate.pem');
  writeFileSync(pem, outputs['certificate'] ?? '');
  const openssl = (...args: string[]): string => spawnSync('openssl', args, { encoding: 'utf8' }).stdout;
  expect(openssl('verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', pem, pem)).toBe(`${pem}: OK\n`);
  const text = openssl('x509', '-in', pem, '-noout', '-text');
  expect(text).toContain('Version: 3');
  expect(text).toContain('Subject: O = "Contoso, Ltd", CN = sign-up');
  expect(text).toContain('Signature Algorithm: sha256WithRSAEncryption');
  expect(text).toContain('Public-Key: (2048 bit)');
  expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
  expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/);
  expect(text).toMatch(/Extended Key Usage:\s+TLS Web Client Authentication\n/);
  expect(text).toContain('Subject Key Identifier');
  expect(text).not.toContain('Authority Key Identifier');
  const leaf = new X509Certificate(outputs['certificate'] ?? '');
  expect(leaf.serialNumber).toMatch(/^[89A-F][0-9A-F]{31}$/);
  const minutes = (date: Date): number => Math.round((date.getTime() - Date.now()) / 60_000);
  expect([minutes(leaf.validFromDate), minutes(leaf.validToDate)]).toEqual([-5, 90 * 24 * 60]);
});

test('two runs have no key, serial number or password in common', async () => {
  const [first, second] = [await create(), await create()];
  for (const output of ['password', 'thumbprint', 'pfx-file', 'certificate']) {
    expect(first.outputs[output]).not.toBe(second.outputs[output]);
  }
});

describe('what is due', () => {
  test.each([
    ['29 days left', 29, 'true'],
    ['30 days left', 30, 'false'],
    ['200 days left', 200, 'false'],
  ])('%s', async (_, days, needed) => {
    active('a1', days);
    const result = await create({ 'connector-id': 'a1' });
    expect([titles(result), result.outputs['needed']]).toEqual([[], needed]);
    if (needed === 'false') {
      expect(result.outputs).toEqual({ needed: 'false', 'due-connectors': '', 'trusted-thumbprints': OLD });
      expect(result.filesLeft).toEqual([]);
      expect(result.summary).toContain('No connector is due');
      expect((await cleanUp(result)).exitCode).toBe(0);
    }
  });

  test('one of several is enough; each active certificate stays trusted, each once', async () => {
    active('a1', 200);
    active('a2', 3, 'b'.repeat(40));
    active('a3', 200);
    const { outputs } = await create({ 'connector-id': 'a1\na2\na3' });
    expect(outputs['needed']).toBe('true');
    const expected = [OLD, 'B'.repeat(40), outputs['thumbprint'] ?? ''].sort();
    expect(outputs['trusted-thumbprints']).toBe(expected.join(','));
  });

  test('only those that are due are handed to the upload step, in order', async () => {
    active('a1', 179);
    active('a2', 20);
    emulator.addConnector({ id: 'a3', authentication: { type: 'basic', username: 'u', password: 'throw-away' } });
    active('a4', 3);
    const { outputs } = await create({ 'connector-id': 'a4\na3\na2\na1' });
    expect(outputs).toMatchObject({ needed: 'true', 'due-connectors': 'a4\na2' });
  });

  test('no active certificate', async () => {
    const { outputs } = await create();
    expect(outputs).toMatchObject({ needed: 'true', 'trusted-thumbprints': outputs['thumbprint'] });
  });

  test('basic authentication is a warning and not due: nobody overwrites it without being asked', async () => {
    emulator.addConnector({ id: 'a1', authentication: { type: 'basic', username: 'u', password: 'throw-away' } });
    const result = await create({ 'connector-id': 'a1' });
    expect(titles(result)).toEqual(['warning API connector']);
    expect(result.annotations[0]?.message).toContain('replace: true');
    expect([result.exitCode, result.outputs]).toEqual([
      0,
      { needed: 'false', 'due-connectors': '', 'trusted-thumbprints': '' },
    ]);
  });

  test.each([
    ['a1\na2', 'true'],
    ['a1', 'false'],
  ])('a thumbprint that nobody can read (%j): a warning, and no set that would shut it out', async (ids, needed) => {
    active('a1', 200, 'ab'.repeat(32));
    active('a2', 2);
    const result = await create({ 'connector-id': ids });
    expect(titles(result)).toEqual(['warning API connector']);
    expect(result.annotations[0]?.message).toMatch(
      /Connector a1 uses a certificate whose SHA-1 thumbprint is not known/,
    );
    expect([result.exitCode, result.outputs['needed']]).toEqual([0, needed]);
    expect(result.outputs).not.toHaveProperty('trusted-thumbprints');
    expect(result.summary).toMatch(/is not known completely[^]*Connector a1 uses a certificate/);
    expect(result.summary).not.toContain('take all others away');
  });
});

describe('what is red, and does not stop the others', () => {
  const GONE = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
  const made = async (ids: string): Promise<RunResult> => {
    const result = await create({ 'connector-id': ids });
    expect(result.exitCode).toBe(1);
    expect(result.outputs).toMatchObject({ needed: 'true', 'due-connectors': 'a1' });
    return result;
  };

  test('a connector that was deleted', async () => {
    active('a1', 2);
    const result = await made(`${GONE}\na1`);
    expect(titles(result)).toEqual(['error CONNECTOR_NOT_FOUND']);
    expect(result.outputs['trusted-thumbprints']).toBe([OLD, result.outputs['thumbprint']].sort().join(','));
    expect(result.summary).toContain('❌ 1 connector of 2 could not be judged, 1 due.');
    expect(result.summary).toContain('New certificate <code>');
  });
});

describe('what stops it', () => {
  const nothingMade = (result: RunResult, ...errors: string[]): void => {
    expect([result.exitCode, titles(result)]).toEqual([1, errors]);
    expect(result.outputs).toEqual({ needed: 'false', 'due-connectors': '' });
    expect([result.state, result.filesLeft]).toEqual([{}, []]);
  };

  test('a connector that cannot be read: its certificate could be shut out', async () => {
    active('a1', 2);
    nothingMade(await create({ 'connector-id': 'a1\nmissing' }), 'error CONNECTOR_NOT_FOUND');
  });

  test('a connector that cannot be read at the moment: the others have to wait', async () => {
    active('a1', 2);
    active('a2', 2);
    emulator.fault({ on: 'get', do: { kind: 'status', status: 400, body: {} } });
    nothingMade(await create({ 'connector-id': 'a1\na2' }), 'error GRAPH_REFUSED');
  });

  test('no permission', async () => {
    emulator.registerApp({ roles: [] });
    nothingMade(await create(), 'error GRAPH_FORBIDDEN');
  });

  test.each<[string, Record<string, string>]>([
    ['a subject with another attribute', { subject: 'CN=a, OU=b' }],
    ['a subject without a name', { subject: 'contoso' }],
    ['valid-days of 0', { 'valid-days': '0', 'renew-days': '0' }],
    ['valid-days beyond 397', { 'valid-days': '398' }],
    ['certificates that would be due at once', { 'valid-days': '30' }],
  ])('%s, before any request', async (_, inputs) => {
    nothingMade(await create(inputs), 'error INPUT_INVALID');
    expect(emulator.connects).toEqual([]);
  });

  test('a temporary folder that is not there: explained; the state names no file that stays', async () => {
    const result = await create({}, { env: { RUNNER_TEMP: join(temp, 'missing') } });
    expect([result.exitCode, titles(result), result.outputs]).toEqual([
      1,
      ['error HAND_OVER_FAILED'],
      { needed: 'false', 'due-connectors': '' },
    ]);
    expect((await cleanUp(result)).exitCode).toBe(0);
  });
});

test('a file that cannot be removed is a red step, not silence', async () => {
  const folder = join(temp, 'a folder');
  mkdirSync(folder);
  writeFileSync(join(folder, 'file'), '');
  const result = await cleanUp({ state: { 'pfx-file': folder } } as unknown as RunResult);
  expect([result.exitCode, titles(result)]).toEqual([1, ['error HAND_OVER_NOT_REMOVED']]);
});

test('the upload step takes what it made', async () => {
  emulator.registerApp({ roles: ['APIConnectors.ReadWrite.All'] });
  active(GLOBAL.connectorId, 2);
  const { outputs } = await create();
  const { 'pfx-file': file = '', password = '' } = outputs;
  const uploaded = await runStep(emulator, { 'pfx-file': file, password }, { temp });
  expect(titles(uploaded)).toEqual([]);
  expect(uploaded.outputs).toMatchObject({
    uploaded: 'true',
    'is-active': 'true',
    thumbprint: outputs['thumbprint'],
    certificate: outputs['certificate'],
    'trusted-thumbprints': outputs['trusted-thumbprints'],
  });
  expect(readFileSync(file)).not.toHaveLength(0);
  const again = await create();
  expect(again.outputs).toEqual({
    needed: 'false',
    'due-connectors': '',
    'trusted-thumbprints': outputs['thumbprint'],
  });
});
