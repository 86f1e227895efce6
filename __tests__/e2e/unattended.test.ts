/**
 * A rotation that runs itself, create → trust → upload, which may die anywhere: the connector never presents a certificate
 * that the API does not accept, and the next run puts everything right. The rows of the table in docs/reliability.md.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { clientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import type { RequestKind } from '../../emulator/service.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { runStep, type StepOptions } from './step.ts';

const SECOND = '0c4d2f86-5a1e-4b7a-9a53-1d2e3f405162';
const CONNECTORS = `${GLOBAL.connectorId}\n${SECOND}`;

let emulator: Emulator;
let temp: string;
/** What the API accepts: the one thing that the step between create and upload writes. */
let trusted: ReadonlySet<string>;
/** What happens when the API is asked. */
let asked: () => void;

beforeEach(async () => {
  emulator = await Emulator.start();
  temp = mkdtempSync(join(tmpdir(), 'unattended-'));
  asked = () => undefined;
  const old = await clientCertificate({ notAfter: new Date(Date.now() + 9 * 86_400_000) });
  const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);
  const entry = { thumbprint: old.thumbprint, notBefore: seconds(old.notBefore), notAfter: seconds(old.notAfter) };
  for (const id of [GLOBAL.connectorId, SECOND]) {
    emulator.addConnector({ id, authentication: { type: 'certificates', certificates: [entry] } });
  }
  trusted = new Set([old.thumbprint]);
  await emulator.addHost('api.contoso.com', ({ socket }, response) => {
    asked();
    const presented = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    response.writeHead(trusted.has(presented?.fingerprint.replaceAll(':', '') ?? '') ? 204 : 401).end();
  });
});
afterEach(async () => {
  await emulator.stop();
  rmSync(temp, { recursive: true });
});

const create = async (options: StepOptions = {}, ids = CONNECTORS): Promise<RunResult> =>
  await runStep(emulator, { 'connector-id': ids }, { actionFile: 'create/action.yml', temp, ...options });

function trust({ outputs }: RunResult): void {
  trusted = new Set(outputs['trusted-thumbprints']?.split(','));
}

const upload = async ({ outputs }: RunResult, options: StepOptions = {}, wait = '5'): Promise<RunResult> =>
  await runStep(
    emulator,
    {
      'connector-id': outputs['due-connectors'] ?? '',
      'pfx-file': outputs['pfx-file'] ?? '',
      password: outputs['password'] ?? '',
      'verify-target': 'true',
      'verify-wait': wait,
    },
    { temp, ...options },
  );

async function endJob({ state }: RunResult): Promise<void> {
  const ended = await runStep(emulator, {}, { actionFile: 'create/action.yml', temp, post: { state } });
  expect(ended.exitCode).toBe(0);
  expect(readdirSync(temp)).toEqual([]);
}

/** The certificate that the service presents: the one uploaded last. */
const presented = (id: string): string | undefined => emulator.certificates(id).at(-1);

function expectSignUpsWork(): void {
  for (const id of [GLOBAL.connectorId, SECOND]) expect(trusted).toContain(presented(id));
}

/** A whole run, as the example has it. */
async function rotate(): Promise<RunResult> {
  const created = await create();
  expect(created.annotations).toEqual([]);
  if (created.outputs['needed'] === 'true') {
    trust(created);
    expectSignUpsWork();
    const uploaded = await upload(created);
    expect(uploaded.annotations).toEqual([]);
  }
  await endJob(created);
  return created;
}

/** What happens before the job dies; the rest of it does not happen. The state is what the runner knows of the create step. */
const DEATHS: readonly (readonly [
  string,
  () => Promise<RunResult>,
  { readonly needed: string; readonly uploads: number },
])[] = [
  [
    'create, while it reads the connectors',
    async () => {
      emulator.fault({ on: 'get', do: { kind: 'hang' }, times: 2 });
      return await create({ bundle: true, cancel: both('get') });
    },
    { needed: 'true', uploads: 2 },
  ],
  ['create is done, the API is not changed yet', create, { needed: 'true', uploads: 2 }],
  [
    'the API trusts the new certificate, the upload has not begun',
    async () => {
      const created = await create();
      trust(created);
      return created;
    },
    { needed: 'true', uploads: 2 },
  ],
  [
    'upload, while it waits for the API',
    async () => {
      const created = await create();
      const first = new Promise<void>((resolve) => (asked = resolve));
      const ended = await upload(created, { bundle: true, cancel: first });
      expect(ended.annotations.map(({ title }) => title)).toEqual(['CANCELLED', 'CANCELLED']);
      return created;
    },
    { needed: 'true', uploads: 2 },
  ],
  [
    'upload, one of two connectors is done',
    async () => {
      const created = await create();
      trust(created);
      const refusal = { kind: 'status', status: 400, body: { error: { code: 'BadRequest', message: 'no' } } } as const;
      emulator.fault({ on: 'upload', do: refusal, skip: 1 });
      expect((await upload(created)).exitCode).toBe(1);
      return created;
    },
    { needed: 'true', uploads: 1 },
  ],
  [
    'upload, the change is made and its response is lost',
    async () => {
      const created = await create();
      trust(created);
      emulator.fault({ on: 'upload', do: { kind: 'hang' }, actFirst: true, times: 2 });
      expect((await upload(created, { bundle: true, cancel: both('upload') })).exitCode).toBe(1);
      return created;
    },
    { needed: 'false', uploads: 0 },
  ],
  ['all is done', rotate, { needed: 'false', uploads: 0 }],
];

/** When a request of this kind was sent for each of the two connectors. */
async function both(kind: RequestKind): Promise<void> {
  const sent = (): number => emulator.requests.filter((request) => request.kind === kind).length;
  const before = sent();
  while (sent() < before + 2) await new Promise((resolve) => setTimeout(resolve, 5));
}

test.each(DEATHS)('it dies: %s', async (_, untilDeath, { needed, uploads }) => {
  const died = await untilDeath();
  asked = () => undefined;
  expectSignUpsWork();
  // The runner starts it whatever happened.
  await endJob(died);

  const before = emulator.requests.filter(({ kind }) => kind === 'upload').length;
  const next = await rotate();
  expect(next.outputs['needed']).toBe(needed);
  expect(emulator.requests.filter(({ kind }) => kind === 'upload')).toHaveLength(before + uploads);
  expectSignUpsWork();
  const due = next.outputs['due-connectors']?.split('\n').filter((id) => id !== '') ?? [];
  expect(due).toHaveLength(uploads);
  for (const id of due) expect(presented(id)).toBe(next.outputs['thumbprint']);

  // And then there is nothing to do, and what is trusted is no more than what is used.
  const last = await rotate();
  const used = [...new Set([presented(GLOBAL.connectorId), presented(SECOND)])].sort();
  expect(last.outputs).toEqual({ needed: 'false', 'due-connectors': '', 'trusted-thumbprints': used.join(',') });
});

test('it dies: the runner itself, before the end of the job', async () => {
  const lost = await create();
  trust(lost);
  // What a new machine, and a self-hosted runner before its next job, does with the temporary folder.
  for (const name of readdirSync(temp)) rmSync(join(temp, name));
  const next = await rotate();
  expect(next.outputs['needed']).toBe('true');
  expect(next.outputs['thumbprint']).not.toBe(lost.outputs['thumbprint']);
  expectSignUpsWork();
  // The certificate whose key is lost left the set.
  expect(trusted).not.toContain(lost.outputs['thumbprint']);
});

test('one of several connectors fails for a week: the others get one new certificate, and what is not due gets none', async () => {
  const [failing, fine, basic] = ['failing', 'fine', 'basic'];
  const now = Math.floor(Date.now() / 1000);
  const entry = (thumbprint: string, days: number) => ({
    thumbprint,
    notBefore: now - 1000,
    notAfter: now + days * 86_400,
  });
  const certificates = (thumbprint: string, days: number) =>
    ({ type: 'certificates', certificates: [entry(thumbprint, days)] }) as const;
  const targetUrl = 'https://down.contoso.com/';
  await emulator.addHost('down.contoso.com', (_, response) => response.writeHead(503).end());
  emulator.addConnector({ id: failing, targetUrl, authentication: certificates('A'.repeat(40), 5) });
  emulator.addConnector({ id: fine, authentication: certificates('B'.repeat(40), 179) });
  emulator.addConnector({ id: basic, authentication: { type: 'basic', username: 'u', password: 'throw-away' } });
  const ids = [GLOBAL.connectorId, failing, SECOND, fine, basic].join('\n');

  const days: (readonly [string | undefined, readonly (string | undefined)[]])[] = [];
  for (let day = 1; day <= 7; day++) {
    const created = await create({}, ids);
    trust(created);
    const { annotations } = await upload(created, {}, '0');
    days.push([created.outputs['due-connectors'], annotations.map(({ title }) => title)]);
    expectSignUpsWork();
    expect(trusted).toContain(presented(failing));
    expect(trusted).toContain(presented(fine));
    await endJob(created);
  }
  const failed = ['TARGET_UNREACHABLE'];
  expect(days).toEqual([
    [[GLOBAL.connectorId, failing, SECOND].join('\n'), failed],
    ...Array.from({ length: 6 }, () => [failing, failed]),
  ]);
  expect([GLOBAL.connectorId, SECOND, failing, fine].map((id) => emulator.certificates(id).length)).toEqual([
    2, 2, 1, 1,
  ]);
});

test('docs/reliability.md has a row for each', () => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'reliability.md'), 'utf8');
  const rows =
    /\n## A rotation that dies\n([^]*?)\n## /
      .exec(text)?.[1]
      ?.match(/^\| .*? \|/gm)
      ?.slice(2) ?? [];
  const died = rows.map((row) => row.slice(2, -2).trim());
  expect(died).toEqual([...DEATHS.map(([name]) => name), 'the runner itself, before the end of the job']);
});

test('the clock of the runner is ahead: the service does not use what it made yet, which is said', async () => {
  await emulator.stop();
  emulator = await Emulator.start({ now: () => new Date(Date.now() - 20 * 60_000) });
  const [id, none] = [GLOBAL.connectorId, SECOND];
  const old = {
    thumbprint: 'A1'.repeat(20),
    notBefore: 1_700_000_000,
    notAfter: Math.floor(Date.now() / 1000) + 900_000,
  };
  emulator.addConnector({ id, authentication: { type: 'certificates', certificates: [old] } });
  emulator.addConnector({ id: none, authentication: { type: 'certificates', certificates: [] } });
  const { outputs } = await create();
  const result = await runStep(
    emulator,
    { 'connector-id': CONNECTORS, 'pfx-file': outputs['pfx-file'] ?? '', password: outputs['password'] ?? '' },
    { temp },
  );
  expect(result.exitCode).toBe(1);
  expect(result.annotations.map(({ title }) => title)).toEqual(['API connector', 'NO_ACTIVE_CERTIFICATE']);
  for (const { message } of result.annotations) expect(message).toMatch(/if that clock is ahead/i);
  expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'false' });
});
