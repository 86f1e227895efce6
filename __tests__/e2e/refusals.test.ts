/** What GitHub, Entra, Graph and the proxy refuse: which code the step ends with, and what the person reading it needs. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL, SUBJECT, type EmulatorOptions } from '../../emulator/emulator.ts';
import { refusal } from '../../emulator/entra.ts';
import type { Fault } from '../../emulator/faults.ts';
import { ISSUER } from '../../emulator/github.ts';
import { graphError } from '../../emulator/graph.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import type { RunResult } from '../../emulator/runner.ts';
import type { RequestKind } from '../../emulator/service.ts';
import { expectNoLeak, PASSWORD, runStep } from './step.ts';

const OTHER = '99999999-8888-4777-8666-555555555555';
const CREDENTIAL = { issuer: ISSUER, subject: SUBJECT, audience: GLOBAL.audience };
const SIGN_IN: readonly RequestKind[] = ['id-token', 'token'];
let pfx: string;
let directory: string;
/** These wait for seconds between their tries: they are under way, as bundles, while the other tests run. */
let slow: Record<'found' | 'throttled' | 'NO_PROXY' | 'no_proxy', Promise<Ended>> & {
  readonly unregistered: readonly Promise<Ended>[];
};

beforeAll(async () => {
  pfx = pfxOf(await clientCertificate(), PASSWORD).toString('base64');
  directory = await mkdtemp(join(tmpdir(), 'refusals-'));
  slow = {
    unregistered: UNREGISTERED.map(async ([, , scenario]) => await run({ ...scenario, bundle: true })),
    found: run({
      bundle: true,
      setUp: (emulator) => {
        emulator.registerApp({ federatedCredentials: [] });
        void registerAtSecondTry(emulator);
      },
    }),
    throttled: run({ ...forced('upload', graphError(400, 'AADB2C90229', 'Busy.'), Infinity), bundle: true }),
    NO_PROXY: run({ bundle: true, env: () => ({ ...NO_NAMES, NO_PROXY: '.microsoftonline.com' }) }),
    no_proxy: run({ bundle: true, env: () => ({ ...NO_NAMES, no_proxy: '.microsoftonline.com' }) }),
  };
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

interface Scenario {
  readonly options?: EmulatorOptions;
  readonly setUp?: (emulator: Emulator) => void;
  readonly with?: Readonly<Record<string, string>>;
  readonly env?: (emulator: Emulator) => Record<string, string | undefined>;
  readonly bundle?: boolean;
}

interface Ended extends RunResult {
  readonly emulator: Emulator;
  /** What was asked of the services, in order. */
  readonly kinds: readonly RequestKind[];
  /** Code and text of the one error; of the first where there are several. */
  readonly code: string | undefined;
  readonly message: string;
}

/** One run with an emulator of its own, so that several may run at once. */
async function run({ options, setUp, with: changes, env, bundle = false }: Scenario = {}): Promise<Ended> {
  const emulator = await Emulator.start(options);
  try {
    setUp?.(emulator);
    const result = await runStep(emulator, { pfx, ...changes }, { env: env?.(emulator) ?? {}, bundle });
    expect(emulator.refusedConnects).toEqual([]);
    expect(result.exitCode).toBe(result.annotations.some(({ level }) => level === 'error') ? 1 : 0);
    const error = result.annotations.find(({ level }) => level === 'error');
    return {
      ...result,
      emulator,
      kinds: emulator.requests.map(({ kind }) => kind),
      code: error?.title,
      message: error?.message ?? '',
    };
  } finally {
    await emulator.stop();
  }
}

/** With these no name resolves: without the proxy no request leaves the machine that the tests run on. */
const NO_NAMES = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
    "import d from 'node:dns';d.lookup=(name,_,done)=>done(Object.assign(new Error('no '+name),{code:'ENOTFOUND'}))",
  )}`,
};

/** Each try asks for an ID token first. */
async function registerAtSecondTry(emulator: Emulator): Promise<void> {
  await emulator.arrival('id-token');
  await emulator.arrival('id-token');
  emulator.registerApp();
}

function forced(on: Fault['on'], answer: ReturnType<typeof refusal>, times = 1): Scenario {
  return {
    setUp: (emulator) => {
      emulator.fault({ on, do: { kind: 'status', ...answer }, times });
    },
  };
}

/** `az ad app federated-credential create …`, as it is to be pasted. */
function createCommand(subject: string, audience: string = GLOBAL.audience, issuer = ISSUER): string {
  const digest = createHash('sha256').update(`["${issuer}","${subject}"]`).digest('hex');
  const name = `${subject.replace(/[^\w-]+/g, '-')}-${digest.slice(0, 8)}`;
  const parameters = { name, issuer, subject, audiences: [audience] };
  return `az ad app federated-credential create --id ${GLOBAL.clientId} --parameters '${JSON.stringify(parameters)}'`;
}

function presented(subject: string, audience: string = GLOBAL.audience, issuer = ISSUER): string {
  return `GitHub presented\n  issuer:   ${issuer}\n  subject:  ${subject}\n  audience: ${audience}`;
}

const IDS_IN_SUBJECT = 'repo:octo-org@123/octo-repo@456:environment:production';
const ENTERPRISE_ISSUER = `${ISSUER}/octo-enterprise`;
const ANOTHER = [{ ...CREDENTIAL, subject: 'repo:octo-org/another:environment:production' }];
const NONE: Scenario = { setUp: (emulator) => emulator.registerApp({ federatedCredentials: [] }) };
const MISMATCH: Scenario = { setUp: (emulator) => emulator.registerApp({ federatedCredentials: ANOTHER }) };
/** Code of Entra, code of the failure, scenario, and what the message holds. */
const UNREGISTERED: readonly [number, string, Scenario, readonly string[]][] = [
  [
    70021,
    'FEDERATED_CREDENTIAL_MISMATCH',
    forced('token', refusal(70021), Infinity),
    [presented(SUBJECT), createCommand(SUBJECT)],
  ],
  [
    700211,
    'FEDERATED_CREDENTIAL_MISMATCH',
    { options: { claims: { iss: ENTERPRISE_ISSUER } } },
    [
      presented(SUBJECT, GLOBAL.audience, ENTERPRISE_ISSUER),
      createCommand(SUBJECT, GLOBAL.audience, ENTERPRISE_ISSUER),
    ],
  ],
  [
    700212,
    'FEDERATED_CREDENTIAL_MISMATCH',
    { with: { audience: 'api://ours' } },
    [presented(SUBJECT, 'api://ours'), `--federated-credential-id "$NAME" --parameters '{"audiences":["api://ours"]}'`],
  ],
  [
    700213,
    'FEDERATED_CREDENTIAL_MISMATCH',
    MISMATCH,
    [presented(SUBJECT), createCommand(SUBJECT), 'names without ids: a credential for "repo:OWNER@OWNER_ID/'],
  ],
  [
    700213,
    'FEDERATED_CREDENTIAL_MISMATCH',
    { options: { claims: { sub: IDS_IN_SUBJECT } } },
    [
      presented(IDS_IN_SUBJECT),
      createCommand(IDS_IN_SUBJECT),
      `IDs in addition to its names: a credential for "${SUBJECT}", without them,`,
    ],
  ],
  [70025, 'FEDERATED_CREDENTIAL_MISSING', NONE, ['Check that it is the right application', createCommand(SUBJECT)]],
];

describe('Entra refuses at once', () => {
  test.each<[number, string, Scenario, readonly string[]]>([
    [
      7002138,
      'FEDERATED_CREDENTIAL_LETTER_CASE',
      {
        setUp: (emulator) =>
          emulator.registerApp({ federatedCredentials: [{ ...CREDENTIAL, subject: SUBJECT.toUpperCase() }] }),
      },
      [
        'upper and lower case',
        presented(SUBJECT),
        `az ad app federated-credential create --id ${GLOBAL.clientId}`,
        createCommand(SUBJECT),
      ],
    ],
    [
      7002131,
      'FEDERATED_CREDENTIAL_EXPRESSION',
      forced('token', refusal(7002131)),
      ['claimsMatchingExpression', presented(SUBJECT), createCommand(SUBJECT)],
    ],
    [
      700016,
      'APPLICATION_NOT_FOUND',
      { with: { 'client-id': OTHER } },
      [GLOBAL.tenantId, OTHER, 'not an object ID', `\naz ad sp create --id ${OTHER}`],
    ],
    [90002, 'TENANT_NOT_FOUND', { with: { 'tenant-id': OTHER } }, [`no tenant ${OTHER} in the cloud global`, 'china']],
    [
      7000112,
      'APPLICATION_DISABLED',
      { setUp: (emulator) => emulator.registerApp({ disabled: true }) },
      [GLOBAL.tenantId, `\naz ad sp update --id ${GLOBAL.clientId} --set accountEnabled=true`],
    ],
    [
      500011,
      'RESOURCE_NOT_FOUND',
      forced('token', refusal(500011)),
      [GLOBAL.tenantId, 'https://graph.microsoft.com', 'cloud: china'],
    ],
    [53003, 'CONDITIONAL_ACCESS', forced('token', refusal(53003)), [GLOBAL.clientId, 'workload identities']],
    [
      999999,
      'SIGN_IN_REFUSED',
      forced('token', refusal(999999, 'Something new.')),
      [': Something new (', GLOBAL.clientId, GLOBAL.tenantId, 'https://login.microsoftonline.com/error'],
    ],
  ])('AADSTS%i is %s', async (aadsts, code, scenario, texts) => {
    const { kinds, message, ...result } = await run(scenario);
    expect(result.code).toBe(code);
    for (const text of texts) expect(message).toContain(text);
    // What support asks for, and no second time in the description.
    expect(message).toMatch(
      new RegExp(`\\(AADSTS${aadsts}, trace [0-9a-f-]{36}, \\d{4}-\\d\\d-\\d\\d [0-9:]{8}Z\\)\\.`),
    );
    expect(message).not.toContain('Trace ID');
    expect(kinds).toEqual(SIGN_IN);
    expect(result.annotations).toHaveLength(1);
  });

  test('no OAuth error at all, but a page in HTML', async () => {
    const { code, message, kinds } = await run(
      forced('token', { status: 400, headers: { 'content-type': 'text/html' }, body: { error: 'sign_in' } }),
    );
    expect(code).toBe('SIGN_IN_REFUSED');
    expect(message).toContain('(HTTP 400, ');
    expect(kinds).toEqual(SIGN_IN);
  });
});

test.each([90033, 700024, 50166])('AADSTS%i passes: a fresh ID token, and it works', async (aadsts) => {
  const { exitCode, outputs, kinds, log } = await run(forced('token', refusal(aadsts)));
  expect(exitCode).toBe(0);
  expect(outputs['uploaded']).toBe('true');
  expect(kinds).toEqual([...SIGN_IN, ...SIGN_IN, 'get', 'upload']);
  expect(log).toMatch(new RegExp(`AADSTS${aadsts}, .*Trying again in .*\\(1 of 5 tries\\)`));
});

describe('Graph refuses', () => {
  const IDS = /\(HTTP \d{3}, [^()]+, request-id [0-9a-f-]{36}, \d{4}-\d\d-\d\dT[0-9:]{8}\)\./;

  test('401 at first: it is asked again', async () => {
    const { exitCode, log, kinds } = await run(
      forced('get', graphError(401, 'InvalidAuthenticationToken', 'Expired.')),
    );
    // A token that is seconds old may not be known everywhere.
    expect(exitCode).toBe(0);
    expect(log).toContain('Microsoft Graph does not accept the access token');
    expect(kinds).toEqual([...SIGN_IN, 'get', 'get', 'upload']);
  });

  test.each<[string, readonly string[], string, readonly RequestKind[]]>([
    ['none', [], 'carries no application permission. The step needs', ['get']],
    ['others', ['User.Read.All', 'Group.Read.All'], 'carries User.Read.All, Group.Read.All. The step needs', ['get']],
    ['to read only', ['APIConnectors.Read.All'], 'carries APIConnectors.Read.All. The step needs', ['get', 'upload']],
  ])('403, where the permissions are %s', async (_, roles, text, asked) => {
    const { code, message, kinds } = await run({ setUp: (emulator) => emulator.registerApp({ roles }) });
    expect(code).toBe('GRAPH_FORBIDDEN');
    expect(message).toContain(`${text} APIConnectors.ReadWrite.All`);
    expect(message).toContain(`\nSP=$(az ad sp show --id ${GLOBAL.clientId} `);
    expect(message).toMatch(IDS);
    expect(kinds).toEqual([...SIGN_IN, ...asked]);
  });

  test('404: the connectors that there are', async () => {
    const { code, message, kinds } = await run({
      setUp: (emulator) => emulator.addConnector({ id: 'second', displayName: 'Second' }),
      with: { 'connector-id': OTHER },
    });
    expect(code).toBe('CONNECTOR_NOT_FOUND');
    expect(message).toContain(`(API connector ${OTHER})`);
    expect(message).toMatch(IDS);
    expect(message).toContain(`\n  ${GLOBAL.connectorId}  Verify sign-up\n  second  Second`);
    expect(kinds).toEqual([...SIGN_IN, 'get', 'list']);
  });

  test('404: of many connectors the first twenty', async () => {
    const { message } = await run({
      setUp: (emulator) => {
        for (let i = 0; i < 30; i++) emulator.addConnector({ id: `connector-${i}` });
      },
      with: { 'connector-id': OTHER },
    });
    expect(message.match(/\n {2}\S+ {2}/g)).toHaveLength(20);
    expect(message).toContain('\n  … and 11 more');
  });

  test('404: a tenant without any', async () => {
    const { code, message } = await run({
      setUp: (emulator) => {
        emulator.graph.connectors.clear();
      },
    });
    expect(code).toBe('CONNECTOR_NOT_FOUND');
    expect(message).toContain('The tenant has no API connector at all: check tenant-id.');
  });

  test('404: if they may not be listed, the step that lists them', async () => {
    const { code, message } = await run({
      ...forced('list', graphError(400, 'BadRequest', 'No.')),
      with: { 'connector-id': OTHER },
    });
    expect(code).toBe('CONNECTOR_NOT_FOUND');
    expect(message).toContain('The check step with all: true lists the API connectors');
  });

  test('a redirect is not followed', async () => {
    const { code, kinds, emulator } = await run(
      forced('get', { status: 302, headers: { location: 'https://elsewhere.example/' } }),
    );
    expect(code).toBe('REDIRECTED');
    expect(kinds).toEqual([...SIGN_IN, 'get']);
    expect(emulator.connects.map(({ host }) => host)).not.toContain('elsewhere.example');
  });

  test.each<[string, string]>([
    ['AADB2C90213', 'UPLOAD_PASSWORD_REFUSED'],
    ['AADB2C95025', 'UPLOAD_PASSWORD_REFUSED'],
    ['AADB2C90214', 'UPLOAD_EXPIRED_REFUSED'],
    ['AADB2C90215', 'UPLOAD_FILE_REFUSED'],
    ['AADB2C90216', 'UPLOAD_FILE_REFUSED'],
    ['AADB2C90220', 'UPLOAD_DATES_REFUSED'],
    ['AADB2C95044', 'CONNECTOR_OF_ANOTHER_TENANT'],
    ['AADB2C99999', 'GRAPH_REFUSED'],
    ['SomethingNew', 'GRAPH_REFUSED'],
  ])('the upload, with %s: %s', async (backend, code) => {
    const { message, kinds, emulator, outputs, ...result } = await run(
      forced('upload', graphError(400, backend, 'In words of the service.')),
    );
    expect(result.code).toBe(code);
    expect(message).toContain(': In words of the service (HTTP 400, ');
    expect(message).toContain(`HTTP 400, ${backend}, request-id`);
    expect(message).toMatch(IDS);
    expect(message).toContain('Nothing was changed.');
    expect(kinds).toEqual([...SIGN_IN, 'get', 'upload']);
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([]);
    expect(outputs).toMatchObject({ uploaded: 'false', 'is-active': 'false' });
  });

  test.each(['AADB2C90229', 'AADB2C90244', 'AADB2C95043', 'AADB2C95053'])(
    'the upload for now, with %s: it is sent again, and once only takes effect',
    async (backend) => {
      const { exitCode, emulator, log } = await run(forced('upload', graphError(400, backend, 'Busy.')));
      expect(exitCode).toBe(0);
      expect(log).toContain(backend);
      expect(emulator.certificates(GLOBAL.connectorId)).toHaveLength(1);
    },
  );

  test('every upload, as throttled: nothing was changed', async () => {
    const { code, message, kinds } = await slow.throttled;
    expect(code).toBe('THROTTLED');
    expect(message).toContain('Nothing was changed.');
    expect(kinds.filter((kind) => kind === 'upload')).toHaveLength(5);
  }, 20_000);
});

describe('GitHub gives no ID token', () => {
  const none = { ACTIONS_ID_TOKEN_REQUEST_URL: undefined, ACTIONS_ID_TOKEN_REQUEST_TOKEN: undefined };

  async function pullRequestFrom(fullName: string | null): Promise<Ended> {
    const path = join(directory, `${String(fullName?.replace('/', '-'))}.json`);
    const head = { repo: fullName === null ? null : { full_name: fullName } };
    await writeFile(path, JSON.stringify({ pull_request: { head }, repository: { full_name: 'octo-org/octo-repo' } }));
    return await run({
      bundle: true,
      env: () => ({ ...none, GITHUB_EVENT_PATH: path, GITHUB_EVENT_NAME: 'pull_request' }),
    });
  }

  test.each<[string, string | null]>([
    ['a fork', 'mallory/octo-repo'],
    ['a fork that was deleted', null],
  ])('to a pull request from %s', async (_, from) => {
    const { code, message, emulator } = await pullRequestFrom(from);
    expect(code).toBe('ID_TOKEN_UNAVAILABLE');
    expect(message).toContain('a pull request from a fork');
    expect(message).not.toContain('permissions:');
    expect(emulator.connects).toEqual([]);
  });

  test('to a pull request of this repository that lacks the permission', async () => {
    const { code, message } = await pullRequestFrom('octo-org/octo-repo');
    expect(code).toBe('ID_TOKEN_UNAVAILABLE');
    expect(message).not.toContain('fork');
    expect(message).toContain('\npermissions:\n  id-token: write\n');
  });

  test('to Dependabot', async () => {
    const { code, message, emulator } = await run({
      bundle: true,
      env: () => ({ ...none, GITHUB_EVENT_NAME: 'push', GITHUB_ACTOR: 'dependabot[bot]' }),
    });
    expect(code).toBe('ID_TOKEN_UNAVAILABLE');
    expect(message).toContain('Dependabot started this run');
    expect(emulator.connects).toEqual([]);
  });

  test('because the service refuses', async () => {
    const { code, message, kinds } = await run(forced('id-token', { status: 401, body: { message: 'No.' } }));
    expect(code).toBe('ID_TOKEN_REFUSED');
    expect(message).toContain('HTTP 401');
    expect(kinds).toEqual(['id-token']);
  });
});

describe('the proxy', () => {
  const proxyCredentials = 'proxy-user:p@ss/w0rd of the proxy';
  const withoutCredentials = (emulator: Emulator): Record<string, string> => ({
    HTTPS_PROXY: emulator.proxyUrl.replace(/\/\/.*@/, '//'),
  });

  test('gets its credentials, and they are seen nowhere', async () => {
    const { exitCode, emulator } = await run({ options: { proxyCredentials }, bundle: true });
    expect(exitCode).toBe(0);
    expect(emulator.connects.every(({ status }) => status === 200)).toBe(true);
  });

  test.each<[string, Scenario['env']]>([
    ['gets none', withoutCredentials],
    [
      'gets wrong ones',
      (emulator) => ({ HTTPS_PROXY: emulator.proxyUrl.replace(/\/\/.*@/, '//proxy-user:secret-guess@') }),
    ],
  ])('asks for credentials and %s', async (_, env) => {
    const result = await run({ options: { proxyCredentials }, ...(env ? { env } : {}), bundle: true });
    expect(result.code).toBe('PROXY_AUTHENTICATION_REQUIRED');
    expect(result.message).toContain('http://USER:PASSWORD@HOST:PORT');
    // Not asked a second time by any of the connections.
    expect(result.emulator.connects.map(({ status }) => status)).toEqual([407, 407, 407]);
    expectNoLeak(result, ['secret-guess']);
  });

  test.each(['socks5://proxy.example:1080', 'http://user:100%-throw-away@127.0.0.1:9', '::'])(
    'is no URL that can be used: %s',
    async (HTTPS_PROXY) => {
      const { code, message, kinds } = await run({ env: () => ({ HTTPS_PROXY }), bundle: true });
      expect(code).toBe('PROXY_INVALID');
      expect(message).not.toContain(HTTPS_PROXY);
      expect(kinds).toEqual([]);
    },
  );

  test('refuses a host', async () => {
    const { code, message } = await run({
      bundle: true,
      setUp: (emulator) => {
        emulator.fault({
          on: 'connect',
          host: 'login.microsoftonline.com',
          do: { kind: 'status', status: 405 },
          times: Infinity,
        });
      },
    });
    expect(code).toBe('PROXY_REFUSED');
    expect(message).toContain('HTTP 405');
    expect(message).toContain('NO_PROXY');
  });

  test.each(['NO_PROXY', 'no_proxy'] as const)(
    'is left out where %s says so',
    async (name) => {
      const { code, message, emulator } = await slow[name];
      expect(code).toBe('NETWORK_UNREACHABLE');
      expect(message).toContain('login.microsoftonline.com');
      const proxied = emulator.connects.map(({ host }) => host);
      expect(proxied).toContain(new URL(emulator.github.requestUrl).host);
      expect(proxied).not.toContain('login.microsoftonline.com');
    },
    30_000,
  );
});

test.each([{}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }])(
  'a TLS certificate that is not trusted, with %j: verification stays on, and the step says how to trust it',
  async (env) => {
    const { code, message, kinds } = await run({
      env: () => ({ NODE_EXTRA_CA_CERTS: undefined, ...env }),
      bundle: true,
    });
    expect({ code, message }).toEqual({
      code: 'TLS_NOT_TRUSTED',
      message: expect.stringContaining('NODE_EXTRA_CA_CERTS: /path/to/root-ca.pem'),
    });
    expect(kinds).toEqual([]);
  },
);

// At the end, since these are waited for longest.
describe('a federated credential that may just have been made', () => {
  test('is waited for; in the end the step says what to register', async () => {
    await Promise.all(
      UNREGISTERED.map(async ([aadsts, code, , texts], row) => {
        const { kinds, log, message, ...result } = (await slow.unregistered[row]) as Ended;
        expect(result.code).toBe(code);
        expect(message).toContain(`AADSTS${aadsts}`);
        for (const text of texts) expect(message).toContain(text);
        // Five, unless the machine is so slow that the time for them is over.
        const waits = log.match(/Trying again in 5\.0 s/g) ?? [];
        expect([1, 2, 3, 4]).toContain(waits.length);
        expect(kinds).toEqual(Array.from({ length: waits.length + 1 }, () => SIGN_IN).flat());
      }),
    );
  }, 60_000);

  test('is found once it is known', async () => {
    const { exitCode, outputs, kinds, log } = await slow.found;
    expect(exitCode).toBe(0);
    expect(outputs['uploaded']).toBe('true');
    expect(kinds).toEqual([...SIGN_IN, ...SIGN_IN, 'get', 'upload']);
    expect(log).toContain('has no federated credential');
    expect(log).toContain('Trying again in 5.0 s (1 of 5 tries)');
  }, 30_000);
});
