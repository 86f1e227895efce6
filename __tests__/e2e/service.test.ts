/** What the documents of the service leave open: whatever it does, one entry, and nothing that is not true is said. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { clientCertificate, type ClientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { filterPage, type ThumbprintForm, type TypeSpelling } from '../../emulator/shapes.ts';
import { PASSWORD, runStep } from './step.ts';

let emulator: Emulator;
let old: ClientCertificate;
let certificate: ClientCertificate;
let pfx: string;
/** These wait for many seconds: they are under way, as bundles, while the other tests run. */
let slow: Record<'lag' | 'forbidden', Promise<Ended>>;

beforeAll(async () => {
  old = await clientCertificate({ commonName: 'old', notAfter: new Date(Date.now() + 9 * 86_400_000) });
  certificate = await clientCertificate({ commonName: 'new' });
  pfx = pfxOf(certificate, PASSWORD).toString('base64');
  slow = {
    lag: inBackground(lag, { pfx }),
    forbidden: inBackground(readAllIsNotEnough, { all: 'true' }, 'check/action.yml'),
  };
});
beforeEach(async () => {
  emulator = await withConnector();
});
afterEach(async () => {
  await emulator.stop();
});

interface Ended {
  readonly result: RunResult;
  readonly emulator: Emulator;
}

/** One whose connector uses the old certificate. */
async function withConnector(): Promise<Emulator> {
  const started = await Emulator.start();
  const { thumbprint, notBefore, notAfter } = old;
  const seconds = { notBefore: notBefore.getTime() / 1000, notAfter: notAfter.getTime() / 1000 };
  started.addConnector({
    id: GLOBAL.connectorId,
    displayName: 'Verify sign-up',
    authentication: { type: 'certificates', certificates: [{ thumbprint, ...seconds }] },
  });
  return started;
}

async function inBackground(
  setUp: (own: Emulator) => void,
  inputs: Record<string, string>,
  actionFile = 'action.yml',
): Promise<Ended> {
  const own = await withConnector();
  try {
    setUp(own);
    return { result: await runStep(own, inputs, { actionFile, bundle: true }), emulator: own };
  } finally {
    await own.stop();
  }
}

/** The response to the upload is lost, the next one is refused, and the connector shows nothing for longer than is waited. */
function lag(own: Emulator): void {
  own.graph.behaviour = { lagMs: 17_500 };
  own.fault({ on: 'upload', do: { kind: 'reset' }, actFirst: true });
  const error = { code: 'AADB2C95049', message: 'The certificate exists already.' };
  own.fault({ on: 'upload', do: { kind: 'status', status: 400, body: JSON.stringify({ error }) } });
}

function readAllIsNotEnough(own: Emulator): void {
  own.registerApp({ roles: ['APIConnectors.Read.All'] });
  own.graph.behaviour = { readAllSuffices: false };
}

async function upload(inputs: Record<string, string> = {}): Promise<RunResult> {
  return await runStep(emulator, { pfx, ...inputs });
}

async function check(): Promise<RunResult> {
  return await runStep(emulator, { all: 'true' }, { actionFile: 'check/action.yml' });
}

function sent(kind: string): number {
  return emulator.requests.filter((request) => request.kind === kind).length;
}

function errors({ annotations }: RunResult): string[] {
  return annotations.filter(({ level }) => level === 'error').map(({ title }) => title);
}

const FORMS: readonly ThumbprintForm[] = [
  'hex',
  'lower-hex',
  'colons',
  'spaces',
  'dashes',
  'base64',
  'sha256',
  'sha256-colons',
  'sha256-base64',
  'null',
  'absent',
];

describe.each(FORMS)('thumbprints in the form %s', (thumbprints) => {
  test('one upload, and none in the next run', async () => {
    emulator.graph.behaviour = { thumbprints };
    const first = await upload();
    expect(errors(first)).toEqual([]);
    expect(first.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
    const second = await upload();
    expect(second.outputs).toMatchObject({ uploaded: 'false', 'is-active': 'true' });
    expect(sent('upload')).toBe(1);
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([old.thumbprint, certificate.thumbprint]);
  });

  test('replace leaves this certificate alone, and changes nothing in the next run', async () => {
    emulator.graph.behaviour = { thumbprints };
    expect((await upload({ replace: 'true' })).outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
    expect((await upload({ replace: 'true' })).outputs).toMatchObject({ uploaded: 'false' });
    expect(sent('patch')).toBe(1);
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
  });
});

test('a thumbprint in a form that nobody knows: the new entry is recognised by its dates, and that is said', async () => {
  emulator.graph.behaviour = { stores: 'another-with-the-same-dates' };
  const result = await upload();
  expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
  expect(result.log).toContain('it was recognised by its two dates');
  expect(sent('upload')).toBe(1);
});

describe('reads that lag behind writes by 1.5 s', () => {
  const lagMs = 1_500;

  test.each<[string, () => void, Record<string, string>]>([
    [
      'the response is lost',
      () => {
        emulator.fault({ on: 'upload', do: { kind: 'reset' }, actFirst: true });
      },
      {},
    ],
    [
      'a gateway gives up',
      () => {
        emulator.fault({ on: 'upload', do: { kind: 'status', status: 504, body: '' }, actFirst: true });
      },
      {},
    ],
    [
      'the response shows the old list',
      () => {
        emulator.graph.behaviour = { lagMs, uploadAnswer: 'old' };
      },
      {},
    ],
    ['the certificate is replaced', () => undefined, { replace: 'true' }],
    [
      'the response to the replacement is lost',
      () => {
        emulator.fault({ on: 'patch', do: { kind: 'reset' }, actFirst: true });
      },
      { replace: 'true' },
    ],
  ])('%s: one entry, and green', async (_what, setUp, inputs) => {
    emulator.graph.behaviour = { lagMs };
    setUp();
    const result = await upload(inputs);
    expect(errors(result)).toEqual([]);
    expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
    expect(emulator.certificates(GLOBAL.connectorId).filter((each) => each === certificate.thumbprint)).toHaveLength(1);
    expect(sent('upload') + sent('patch')).toBe(1);
    expect(result.log).not.toContain('had no effect');
  });
});

describe('a configuration', () => {
  const basic = { type: 'basic', username: 'user', password: 'throw-away password of the target' } as const;

  test.each<[TypeSpelling, string]>([
    ['hash', 'CONNECTOR_USES_BASIC_AUTHENTICATION'],
    ['no-hash', 'CONNECTOR_USES_BASIC_AUTHENTICATION'],
    ['absent', 'CONNECTOR_USES_BASIC_AUTHENTICATION'],
    ['unknown', 'CONNECTOR_AUTHENTICATION_UNKNOWN'],
    ['base', 'CONNECTOR_AUTHENTICATION_UNKNOWN'],
    ['no-configuration', 'CONNECTOR_AUTHENTICATION_UNKNOWN'],
  ])('of basic authentication, spelt as %s, stops the upload: %s', async (types, code) => {
    emulator.addConnector({ id: GLOBAL.connectorId, authentication: basic });
    emulator.graph.behaviour = { types };
    expect(errors(await upload())).toEqual([code]);
    expect(sent('upload') + sent('patch')).toBe(0);
  });

  test.each<TypeSpelling>(['no-hash', 'absent'])('of certificates, spelt as %s, is understood', async (types) => {
    emulator.graph.behaviour = { types };
    expect((await upload()).outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
    expect((await upload()).outputs).toMatchObject({ uploaded: 'false' });
  });

  test.each(['string', 'iso'] as const)('with dates as %s: the check counts days', async (dates) => {
    emulator.graph.behaviour = { dates };
    const result = await check();
    expect(result.outputs['days-left']).toMatch(/^[89]$/);
    expect(result.log).not.toContain('NaN');
  });

  test('with dates that nobody can read: the check fails, and says why', async () => {
    emulator.graph.behaviour = {
      rewrite: (it) => JSON.parse(JSON.stringify(it).replace(/"notAfter":\d+/g, '"notAfter":"soon"')) as unknown,
    };
    const result = await check();
    expect(errors(result)).toEqual(['EXPIRY_UNREADABLE']);
    expect(result.log + result.summary).not.toContain('NaN');
  });

  test.each(['null', 'absent'] as const)('with names that are %s: the ID stands for them', async (names) => {
    emulator.graph.behaviour = { names };
    const result = await upload();
    expect(result.log).toContain(`API connector ${GLOBAL.connectorId}: uploaded`);
    expect(result.log).not.toMatch(/connector {2}/);
  });
});

describe('what stands in between', () => {
  test.each([200, 401, 403])('a filter that answers HTTP %d with a page is named, not Graph', async (status) => {
    emulator.fault({ on: 'get', times: Infinity, do: { kind: 'status', ...filterPage(status) } });
    const result = await upload();
    expect(errors(result)).toEqual(['INTERCEPTED']);
    expect(sent('get')).toBe(1);
  });

  test.each(['gzip', 'continue'] as const)('an unasked %s changes nothing', async (kind) => {
    emulator.fault({ on: 'get', do: { kind } });
    expect((await upload()).exitCode).toBe(0);
  });
});

test('a token that is not known everywhere yet is asked with again', async () => {
  emulator.graph.behaviour = { newTokenRefused: 2 };
  expect((await upload()).exitCode).toBe(0);
});

test('fourteen connectors that fail: each is in the log and in the summary, and the runner keeps the annotations', async () => {
  const ids = Array.from({ length: 14 }, (_, n) => `missing-${n}`);
  const result = await upload({ 'connector-id': ids.join('\n') });
  expect(errors(result).filter((title) => title === 'CONNECTOR_NOT_FOUND')).toHaveLength(8);
  expect(errors(result).at(-1)).toBe('MORE_FAILURES');
  for (const id of ids) {
    expect(result.log).toContain(id);
    expect(result.summary).toContain(id);
  }
});

// At the end, since these are waited for longest.
test('reading needs more than Read.All here: the check says what the documents name', async () => {
  const { result } = await slow.forbidden;
  expect(errors(result)).toEqual(['GRAPH_FORBIDDEN']);
  expect(result.annotations[0]?.message).toContain('Microsoft documents only APIConnectors.ReadWrite.All for reading');
});

test('reads lag for longer than is waited, and the service has the certificate of the lost upload already: green', async () => {
  const { result, emulator: own } = await slow.lag;
  expect(errors(result)).toEqual([]);
  expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
  expect(own.certificates(GLOBAL.connectorId)).toEqual([old.thumbprint, certificate.thumbprint]);
  expect(own.requests.filter(({ kind }) => kind === 'upload')).toHaveLength(2);
});
