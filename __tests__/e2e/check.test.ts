/** The check step: reads, and warns in time. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { refusal } from '../../emulator/entra.ts';
import { addExpiring, runStep, titles } from './step.ts';

let emulator: Emulator;
beforeEach(async () => {
  emulator = await Emulator.start({ pageSize: 2 });
  emulator.registerApp({ roles: ['APIConnectors.Read.All'] });
});
afterEach(async () => {
  await emulator.stop();
});

async function run(inputs: Record<string, string>, bundle = false): Promise<RunResult> {
  return await runStep(emulator, inputs, { actionFile: 'check/action.yml', bundle });
}

function add(id: string, daysLeft: number): void {
  addExpiring(emulator, id, daysLeft, id.padStart(40, '0').toUpperCase());
}

test('every connector of the tenant, over several pages: the one that expires first is told', async () => {
  emulator.addConnector({
    id: GLOBAL.connectorId,
    authentication: { type: 'basic', username: 'u', password: 'throw-away' },
  });
  add('a1', 200);
  add('a2', 20);
  add('a3', 100);
  add('a4', 31);
  const result = await run({ all: 'true' }, true);
  expect(result.exitCode).toBe(0);
  expect(titles(result)).toEqual(['warning API connector']);
  expect(result.outputs).toMatchObject({ status: 'warning', 'days-left': '20', thumbprint: 'A2'.padStart(40, '0') });
  const connectors = JSON.parse(result.outputs['connectors'] ?? '') as {
    id: string;
    status: string;
    authentication: string;
    daysLeft: number | null;
  }[];
  expect(
    Object.fromEntries(
      connectors.map(({ id, status, authentication, daysLeft }) => [id, [status, authentication, daysLeft]]),
    ),
  ).toEqual({
    [GLOBAL.connectorId]: ['ok', 'basic', null],
    a1: ['ok', 'certificate', 200],
    a2: ['warning', 'certificate', 20],
    a3: ['ok', 'certificate', 100],
    a4: ['ok', 'certificate', 31],
  });
  expect(result.summary).toContain('⚠️ 1 connector of 5 with a warning.');
  expect(emulator.requests.map(({ kind }) => kind)).toEqual(['id-token', 'token', 'list', 'list', 'list']);
});

test('the summary: what is urgent first, and equal findings in one row', async () => {
  for (let n = 10; n < 20; n += 1) add(`a${n}`, 200);
  add('b1', 20);
  const { summary } = await run({ all: 'true' });
  const rows = summary.split('\n').filter((line) => /^\| .*(✅|⚠️)/.test(line));
  expect(rows).toEqual([
    expect.stringMatching(/Connector b1 .*\| 20 \| ⚠️ expires soon \|$/),
    expect.stringMatching(/10 connectors:.*\| 200 \| ✅ fine \|$/),
  ]);
});

test('all: true shows the IDs in lines for connector-id, in the log and in the summary, if the step is red too', async () => {
  for (let n = 100; n < 221; n += 1) add(`a${n}`, n === 150 ? 3 : 200);
  const { exitCode, log, summary } = await run({ all: 'true' });
  expect(exitCode).toBe(1);
  expect(log.split(/\r?\n/)).toEqual(
    expect.arrayContaining(['For the input connector-id:', '# Connector a150', 'a150']),
  );
  const [, block = ''] = /\n```text\n(# [^`]*)\n```\n/.exec(summary) ?? [];
  const named = await run({ 'connector-id': block });
  const idsOf = ({ outputs }: RunResult) =>
    (JSON.parse(outputs['connectors'] ?? '[]') as { id: string }[]).map(({ id }) => id);
  // The one that the emulator has from the start is among them.
  expect(new Set(idsOf(named)).size).toBe(122);
  expect(`${named.log}${named.summary}`).not.toContain('For the input connector-id');
});

test('a display name given as ID is recognised, with its ID', async () => {
  const result = await run({ 'connector-id': 'verify  Sign-up' });
  expect(titles(result)).toEqual(['error CONNECTOR_NOT_FOUND']);
  expect(result.annotations[0]?.message).toContain(
    `Set connector-id to its ID:\n  ${GLOBAL.connectorId}  Verify sign-up`,
  );
});

test.each(['basic', 'none'] as const)(
  'a connector without a certificate (%s): a warning where it was named, a note where all were asked for',
  async (kind) => {
    if (kind === 'basic') {
      emulator.addConnector({
        id: GLOBAL.connectorId,
        authentication: { type: 'basic', username: 'u', password: 'throw-away' },
      });
    } else {
      emulator.graph.behaviour = { types: 'null-configuration' };
    }
    const named = await run({ 'connector-id': GLOBAL.connectorId });
    expect([titles(named), named.outputs['status']]).toEqual([['warning API connector'], 'warning']);
    const found = await run({ all: 'true' });
    expect([titles(found), found.outputs['status']]).toEqual([[], 'ok']);
    expect(found.log).toMatch(/API connector .*: (authenticates with a user name|does not authenticate)/);
  },
);

test('fewer days than fail-days: red', async () => {
  add('a1', 6);
  const result = await run({ 'connector-id': 'a1' }, true);
  expect(result.exitCode).toBe(1);
  expect(titles(result)).toEqual(['error CERTIFICATE_EXPIRES_SOON']);
  expect(result.outputs).toMatchObject({ status: 'failing', 'days-left': '6' });
});

test.each([
  [7, 'warning'],
  [29, 'warning'],
  [30, 'ok'],
])('%s days left is %s', async (days, status) => {
  add('a1', days);
  const result = await run({ 'connector-id': 'a1' });
  expect(result.exitCode).toBe(0);
  expect(result.outputs['status']).toBe(status);
});

test('thresholds of its own', async () => {
  add('a1', 50);
  expect((await run({ 'connector-id': 'a1', 'warn-days': '60' })).outputs['status']).toBe('warning');
  expect((await run({ 'connector-id': 'a1', 'warn-days': '60', 'fail-days': '51' })).outputs['status']).toBe('failing');
});

test('no active certificate: red', async () => {
  const result = await run({ 'connector-id': GLOBAL.connectorId });
  expect(titles(result)).toEqual(['error NO_ACTIVE_CERTIFICATE']);
  expect(result.outputs).toMatchObject({ status: 'failing', 'days-left': '', 'not-after': '', thumbprint: '' });
});

test('nothing can be read: failing, so that whoever looks at the status alone is warned', async () => {
  emulator.fault({ on: 'token', do: { kind: 'status', ...refusal(7000112) } });
  const result = await run({ 'connector-id': 'a1' });
  expect(titles(result)).toEqual(['error APPLICATION_DISABLED']);
  expect(result.outputs).toEqual({ status: 'failing' });
});

test('a connector that is not there fails, and the others are checked all the same', async () => {
  add('a1', 200);
  const result = await run({ 'connector-id': 'missing\na1' });
  expect(titles(result)).toEqual(['error CONNECTOR_NOT_FOUND']);
  expect(result.outputs).toMatchObject({ status: 'failing', 'days-left': '200' });
});

test.each<[string, Record<string, string>, string]>([
  ['neither connector-id nor all', {}, 'INPUT_MISSING'],
  ['both', { 'connector-id': 'a1', all: 'true' }, 'INPUT_INVALID'],
  ['warn-days in words', { all: 'true', 'warn-days': 'ten' }, 'INPUT_INVALID'],
  ['fail-days beyond warn-days', { all: 'true', 'warn-days': '5', 'fail-days': '6' }, 'INPUT_INVALID'],
])('refused before any request: %s', async (_, inputs, code) => {
  const result = await run(inputs);
  expect(titles(result)).toEqual([`error ${code}`]);
  expect(emulator.connects).toEqual([]);
});
