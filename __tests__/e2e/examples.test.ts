/** The workflows in examples/: what they may do, and that each of their steps runs as it stands there. */
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { parse } from 'yaml';
import { clientCertificate, type ClientCertificate } from '../../emulator/certificates.ts';
import { CHINA, Emulator, GLOBAL, VAULT } from '../../emulator/emulator.ts';
import { ISSUER } from '../../emulator/github.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { PASSWORD, runStep } from './step.ts';

type Scalar = string | number | boolean;

interface Step {
  readonly id?: string;
  readonly name?: string;
  readonly if?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, Scalar>>;
  readonly env?: Readonly<Record<string, Scalar>>;
  readonly run?: string;
}

interface Job {
  readonly environment?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly strategy?: {
    readonly 'fail-fast'?: boolean;
    readonly 'max-parallel'?: number;
    readonly matrix: { readonly tenant: string };
  };
  readonly needs?: string;
  readonly 'timeout-minutes'?: number;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: unknown;
  readonly concurrency?: { readonly group: string; readonly 'cancel-in-progress': boolean };
  readonly env?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

interface ActionFile {
  readonly inputs: Readonly<Record<string, { readonly required: boolean }>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

const root = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const NAMES = [
  'china',
  'key-vault',
  'many-tenants',
  'private-ca',
  'rotate-on-new-secret',
  'scheduled-check',
  'staging-then-production',
  'unattended-nginx',
  'unattended',
] as const;
type Name = (typeof NAMES)[number];

const workflow = (name: Name): Workflow => parse(read(`examples/${name}.yml`)) as Workflow;

/** Our actions as a workflow refers to them, and the file behind each. */
const OURS: Readonly<Record<string, string>> = {
  'PUBLISHER/upload-api-connector-certificate@v1': 'action.yml',
  'PUBLISHER/upload-api-connector-certificate/check@v1': 'check/action.yml',
  'PUBLISHER/upload-api-connector-certificate/create@v1': 'create/action.yml',
};
const actionFileOf = ({ uses }: Step): string | undefined => (uses === undefined ? undefined : OURS[uses]);
/** Whether one of our actions is in it; a job without only reads the repository. */
const signsIn = ({ steps }: Job): boolean => steps.some((step) => actionFileOf(step) !== undefined);
const EXPRESSION = /\$\{\{\s*(.*?)\s*\}\}/g;

test('examples/ has these workflows', () => {
  expect(readdirSync(join(root, 'examples')).sort()).toEqual(NAMES.map((name) => `${name}.yml`));
});

describe.each(NAMES)('%s.yml', (name) => {
  const text = read(`examples/${name}.yml`);
  const { on, permissions, concurrency, env, jobs } = workflow(name);
  const steps = Object.values(jobs).flatMap((job) => job.steps);

  test('a header says what it is for, what to set up first, and which subject signs in', () => {
    const header = /^(?:#.*\n)+/.exec(text)?.[0] ?? '';
    expect(header).toContain('# Set up first');
    for (const job of Object.values(jobs).filter(signsIn)) {
      const subject = job.environment === undefined ? ':ref:refs/heads/main' : `:environment:${job.environment}`;
      expect(header).toContain(`repo:OWNER/REPO${subject}`);
    }
  });

  test('nobody outside of the repository starts it', () => {
    expect(['workflow_dispatch', 'repository_dispatch', 'schedule']).toEqual(expect.arrayContaining(Object.keys(on)));
    expect(Object.keys(on)).toContain('workflow_dispatch');
  });

  test('without a person to watch, the API is asked before anything is uploaded', () => {
    if (!('schedule' in on) && !('repository_dispatch' in on)) return;
    for (const step of steps.filter((each) => actionFileOf(each) === 'action.yml')) {
      expect(step.with).toMatchObject({ 'verify-target': true });
    }
    // What is trusted changes only to a set that is not empty, and an upload that follows it waits for it.
    for (const { run = '' } of steps.filter(({ env: variables }) => variables?.['TRUST'] !== undefined)) {
      expect(run).toContain('${TRUST:?}');
      expect(steps.some((step) => Number(step.with?.['verify-wait']) > 0)).toBe(true);
    }
  });

  test('no permission but what each job needs, one run at a time, and a time limit', () => {
    expect(permissions).toEqual({});
    expect(env).toBeUndefined();
    expect(concurrency).toEqual({ group: expect.any(String) as unknown, 'cancel-in-progress': false });
    for (const job of Object.values(jobs)) {
      expect(job.permissions).toEqual({
        ...(signsIn(job) ? { 'id-token': 'write' } : { contents: 'read' }),
        ...(JSON.stringify(job).includes('gh issue') ? { issues: 'write' } : {}),
      });
      // More than the step itself may take: 10 minutes, and what it waits for the API.
      const wait = Math.max(0, ...job.steps.map((step) => Number(step.with?.['verify-wait'] ?? 0)));
      expect(job['timeout-minutes']).toBeLessThanOrEqual(15 + wait);
      if (JSON.stringify(job).includes('upload-api-connector-certificate@')) {
        expect(job['timeout-minutes']).toBeGreaterThan(10 + wait);
      }
    }
    expect(Object.values(jobs).some(signsIn)).toBe(true);
  });

  test('what others wrote is pinned to a commit, with its version beside it', () => {
    const lines = [...text.matchAll(/^\s*(?:- )?uses: (.*)$/gm)].map(([, value = '']) => value);
    expect(lines).toHaveLength(steps.filter(({ uses }) => uses !== undefined).length);
    for (const line of lines) {
      if (line in OURS) expect(text).toContain('Pin it to the full commit of the release that you use');
      else expect(line).toMatch(/^[\w.-]+(\/[\w.-]+)+@[0-9a-f]{40} # v\d+(\.\d+)*$/);
    }
  });

  test('no expression in a script, where its value would be read as code', () => {
    for (const { run } of steps) expect(run ?? '').not.toContain('${{');
  });

  test('each input exists, each required one is given, each output that is read exists', () => {
    for (const step of steps) {
      const file = actionFileOf(step);
      if (file === undefined) continue;
      const { inputs, outputs } = parse(read(file)) as ActionFile;
      const given = Object.keys(step.with ?? {});
      expect(Object.keys(inputs)).toEqual(expect.arrayContaining(given));
      expect(given).toEqual(expect.arrayContaining(Object.keys(inputs).filter((input) => inputs[input]?.required)));
      for (const [, output = ''] of text.matchAll(new RegExp(`steps\\.${step.id ?? '-'}\\.outputs\\.([\\w-]+)`, 'g'))) {
        expect(Object.keys(outputs)).toContain(output);
      }
    }
  });
});

const FABRIKAM = {
  tenantId: '22222222-3333-4444-8555-666666666666',
  tenantDomain: 'fabrikam.onmicrosoft.com',
  clientId: 'bbbbbbbb-cccc-4ddd-8eee-ffffffffffff',
  connectorId: 'e3f1c1d2-8a94-4d0e-9f3d-6f6f0a0c5b11',
  audience: GLOBAL.audience,
} as const;

/** What each environment of the repository stands for; '' is a job without one. */
const TENANTS: Readonly<Record<string, typeof GLOBAL | typeof CHINA | typeof FABRIKAM>> = {
  '': GLOBAL,
  production: GLOBAL,
  staging: FABRIKAM,
  china: CHINA,
};

const KEY_VAULT = `https://${VAULT.name}.vault.azure.net`;

let certificate: ClientCertificate;
let emulator: Emulator | undefined;
let temp: string | undefined;

beforeAll(async () => {
  certificate = await clientCertificate();
});
afterEach(async () => {
  await emulator?.stop();
  emulator = undefined;
  if (temp !== undefined) rmSync(temp, { recursive: true });
  temp = undefined;
});

/** A command that a script calls, in bash; what it was called with is recorded. */
type Commands = Readonly<Record<string, string>>;

interface JobRun {
  /** Of the steps that are ours, in order. */
  readonly results: readonly RunResult[];
  /** The commands that the scripts called, with their arguments in brackets. */
  readonly calls: readonly string[];
  /** What the scripts printed. */
  readonly printed: string;
  readonly skipped: readonly string[];
  /** Of the job, for the jobs that need it. */
  readonly outputs: Readonly<Record<string, string>>;
  /** The runner's temporary directory. */
  readonly runnerTemp: string;
  readonly emulator: Emulator;
}

/** An entry of tenants.json. */
type Tenant = Readonly<Record<'name' | 'tenant-id' | 'client-id' | 'connector-id', string>>;

interface JobOptions {
  /** The entry of the matrix that the job is for. */
  readonly tenant?: Tenant;
  /** Files of the repository, for a job that checks it out. */
  readonly repository?: Readonly<Record<string, string>>;
  readonly dryRun?: boolean;
  /** What the variable CONNECTOR_ID has, if that is not the tenant's own. */
  readonly connectorIds?: readonly string[];
  readonly commands?: Commands;
  readonly prepare?: (emulator: Emulator) => void | Promise<void>;
}

/** When a step with this condition runs. A condition that is not here fails the test. */
const CONDITIONS: Readonly<Record<string, (outcome: string, status: string, needed: string) => boolean>> = {
  '': (outcome) => outcome !== 'failure',
  'always()': () => true,
  "${{ !cancelled() && (steps.check.outcome == 'failure' || steps.check.outputs.status == 'warning') }}": (
    outcome,
    status,
  ) => outcome === 'failure' || status === 'warning',
  "${{ !cancelled() && steps.create.outputs.needed == 'true' }}": (_, __, needed) => needed === 'true',
  // A script that fails ends the test.
  "${{ !cancelled() && steps.trust.outcome == 'success' }}": (_, __, needed) => needed === 'true',
  "${{ steps.check.outputs.status == 'ok' }}": (outcome, status) => outcome !== 'failure' && status === 'ok',
};

/** Runs a job of an example, step by step: our actions against the emulator, scripts in bash with stand-ins for what they call. */
async function runJob(name: Name, id: string, options: JobOptions = {}): Promise<JobRun> {
  const job = workflow(name).jobs[id];
  if (job === undefined) throw new Error(`${name}.yml has no job ${id}.`);
  const directory = mkdtempSync(join(tmpdir(), 'example-'));
  temp = directory;
  const results: RunResult[] = [];
  let printed = '';
  const skipped: string[] = [];

  const values: Record<string, string> = {
    ...Object.fromEntries(Object.entries(options.tenant ?? {}).map(([key, value]) => [`matrix.tenant.${key}`, value])),
    'inputs.dry-run': String(options.dryRun ?? false),
    // The runner puts a step's files in its working directory.
    'runner.temp': '.',
    'github.token': 'throw-away-github-token',
    'github.repository': 'octo-org/octo-repo',
  };
  const resolve = (value: Scalar): string =>
    String(value).replace(EXPRESSION, (_, expression: string) => {
      const known = values[expression];
      if (known === undefined) throw new Error(`${name}.yml: the table has no value for ${expression}.`);
      return known;
    });
  const resolveAll = (record: Step['with']): Record<string, string> =>
    Object.fromEntries(Object.entries(record ?? {}).map(([key, value]) => [key, resolve(value)]));

  const environment = resolve(job.environment ?? '');
  const tenant = TENANTS[environment];
  if (tenant === undefined) throw new Error(`${name}.yml: the table has no environment ${environment}.`);
  Object.assign(values, {
    'vars.TENANT_ID': tenant.tenantId,
    'vars.CLIENT_ID': tenant.clientId,
    'vars.CHECK_CLIENT_ID': tenant.clientId,
    'vars.CONNECTOR_ID': options.connectorIds?.join('\n') ?? tenant.connectorId,
    'vars.KEY_VAULT': KEY_VAULT,
    'vars.KEY_VAULT_CERTIFICATE': `${KEY_VAULT}/certificates/api-connector`,
    'vars.KEY_VAULT_CLIENT_ID': VAULT.clientId,
    'vars.VAULT_ADDR': 'https://vault.example',
    'vars.AZURE_TENANT_ID': FABRIKAM.tenantId,
    'vars.AZURE_CLIENT_ID': FABRIKAM.clientId,
    'vars.AZURE_SUBSCRIPTION_ID': '33333333-4444-4555-8666-777777777777',
    'vars.RESOURCE_GROUP': 'contoso',
    'vars.APP_NAME': 'sign-up',
    'vars.NAMESPACE': 'contoso',
    'vars.CONFIG_MAP': 'api-connector',
    'vars.DEPLOYMENT': 'nginx',
    'secrets.CONNECTOR_PFX': pfxOf(certificate, PASSWORD).toString('base64'),
    'secrets.CONNECTOR_PFX_PASSWORD': PASSWORD,
  });
  const running = await startEmulator(tenant, environment, job.steps.map(actionFileOf).includes('check/action.yml'));
  await options.prepare?.(running);

  const commands = join(directory, 'commands');
  const calls = join(directory, 'calls');
  const runnerTemp = join(directory, 'temp');
  const workspace = join(directory, 'workspace');
  for (const path of [commands, runnerTemp, workspace]) mkdirSync(path);
  const outputFile = join(directory, 'output');
  writeFileSync(calls, '');
  for (const [command, script] of Object.entries(options.commands ?? {})) {
    const record = `{ printf '%s' ${command}; printf ' [%s]' "$@"; echo; } >> "$CALLS"`;
    writeFileSync(join(commands, command), `#!/usr/bin/env bash\n${record}\n${script}\n`, { mode: 0o755 });
  }

  const posts: RunResult['state'][] = [];
  let outcome = 'success';
  for (const step of job.steps) {
    const condition = CONDITIONS[step.if ?? ''];
    if (condition === undefined) throw new Error(`${name}.yml: the table has no condition ${step.if ?? ''}.`);
    if (!condition(outcome, values['steps.check.outputs.status'] ?? '', values['steps.create.outputs.needed'] ?? '')) {
      skipped.push(step.name ?? '');
      continue;
    }
    if (step.uses?.startsWith('actions/checkout@')) {
      for (const [path, text] of Object.entries(options.repository ?? {})) writeFileSync(join(workspace, path), text);
      continue;
    }
    if (step.run === undefined) {
      const result = await runOurs(running, step, resolveAll(step.with), runnerTemp);
      results.push(result);
      if (actionFileOf(step) === 'create/action.yml') posts.push(result.state);
      if (result.exitCode !== 0) outcome = 'failure';
      const { outputs } = parse(read(actionFileOf(step) ?? '')) as ActionFile;
      for (const output of Object.keys(outputs)) {
        values[`steps.${step.id ?? ''}.outputs.${output}`] = result.outputs[output] ?? '';
      }
      continue;
    }
    writeFileSync(outputFile, '');
    const script = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', step.run], {
      encoding: 'utf8',
      cwd: workspace,
      env: {
        PATH: `${commands}:${process.env['PATH'] ?? ''}`,
        CALLS: calls,
        RUNNER_TEMP: runnerTemp,
        GITHUB_OUTPUT: outputFile,
        PEM: certificate.certificatePem,
        KEY: certificate.keyPem,
        ACTIONS_ID_TOKEN_REQUEST_URL: 'https://pipelines.example/idtoken?api-version=2.0',
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'throw-away-request-token',
        GITHUB_SERVER_URL: 'https://github.com',
        GITHUB_REPOSITORY: 'octo-org/octo-repo',
        GITHUB_RUN_ID: '1658821493',
        ...resolveAll(step.env),
      },
    });
    printed += script.stdout;
    expect([script.status, script.stderr]).toEqual([0, '']);
    const written = readFileSync(outputFile, 'utf8');
    const [, output, , value = ''] =
      /^(\w+)<<(\w+)\n([^]*)\n\2\n$/.exec(written) ?? /^(\w+)=(())(.*)\n$/.exec(written)?.toSpliced(3, 1) ?? [];
    if (output !== undefined) values[`steps.${step.id ?? ''}.outputs.${output}`] = value;
  }
  for (const state of posts.reverse()) {
    const options = { actionFile: 'create/action.yml', temp: runnerTemp, post: { state }, bundle: true };
    expect((await runStep(running, {}, options)).exitCode).toBe(0);
  }
  return {
    results,
    calls: readFileSync(calls, 'utf8').split('\n').slice(0, -1),
    printed,
    skipped,
    outputs: resolveAll(job.outputs),
    runnerTemp,
    emulator: running,
  };
}

/** An app in the tenant that trusts this environment only and may do no more than the action needs; an API that asks for a certificate. */
async function startEmulator(
  tenant: (typeof TENANTS)[string],
  environment: string,
  readsOnly: boolean,
): Promise<Emulator> {
  const subject = `repo:octo-org/octo-repo:${environment === '' ? 'ref:refs/heads/main' : `environment:${environment}`}`;
  emulator = await Emulator.start({ claims: { sub: subject } });
  emulator.registerApp({
    ...tenant,
    cloud: tenant === CHINA ? 'china' : 'global',
    roles: [readsOnly ? 'APIConnectors.Read.All' : 'APIConnectors.ReadWrite.All'],
    federatedCredentials: [{ issuer: ISSUER, subject, audience: tenant.audience }],
  });
  if (tenant === FABRIKAM) emulator.addConnector({ id: FABRIKAM.connectorId, tenantId: FABRIKAM.tenantId });
  await emulator.addHost('api.contoso.com', ({ socket }, response) => {
    const presented = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    response.writeHead(presented === undefined ? 401 : 204).end();
  });
  return emulator;
}

/** What the example does not give is not there. */
const NONE = { 'tenant-id': '', 'client-id': '' };

async function runOurs(
  running: Emulator,
  step: Step,
  inputs: Record<string, string>,
  runnerTemp: string,
): Promise<RunResult> {
  const actionFile = actionFileOf(step);
  if (actionFile === undefined) throw new Error(`The test cannot run ${step.uses ?? 'this step'}.`);
  if (actionFile === 'create/action.yml') {
    return await runStep(running, { ...NONE, ...inputs }, { actionFile, temp: runnerTemp, bundle: true });
  }
  if (actionFile === 'action.yml') {
    const files = Object.fromEntries(
      readdirSync(runnerTemp, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => [name, readFileSync(join(runnerTemp, name))]),
    );
    return await runStep(running, { ...NONE, 'connector-id': '', password: '', ...inputs }, { files, bundle: true });
  }
  return await runStep(running, { ...NONE, ...inputs }, { actionFile, bundle: true });
}

/** What the API accepts, in the place that an example writes it to. */
function accepted(place: string): ReadonlySet<string> {
  const text = existsSync(place) ? readFileSync(place, 'utf8') : '';
  return new Set(text.match(/[0-9A-Fa-f]{40}/g)?.map((thumbprint) => thumbprint.toUpperCase()));
}

function expectUploaded(
  { results, emulator: running }: JobRun,
  { connectorId }: { readonly connectorId: string },
): void {
  for (const { exitCode, annotations, outputs } of results) {
    expect(annotations).toEqual([]);
    expect(exitCode).toBe(0);
    expect(outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true', thumbprint: certificate.thumbprint });
  }
  expect(results).toHaveLength(1);
  expect(running.certificates(connectorId)).toEqual([certificate.thumbprint]);
}

test('rotate-on-new-secret.yml uploads once the API has taken the certificate', async () => {
  const job = await runJob('rotate-on-new-secret', 'upload');
  expectUploaded(job, GLOBAL);
  expect(job.emulator.connects.map(({ host }) => host)).toContain('api.contoso.com');
});

test('china.yml signs in and uploads in China, with its audience', async () => {
  const job = await runJob('china', 'upload');
  expectUploaded(job, CHINA);
  expect(job.emulator.requests[0]?.path).toContain('&audience=api%3A%2F%2FAzureADTokenExchangeChina');
  expect(job.emulator.connects.map(({ host }) => host)).toContain('microsoftgraph.chinacloudapi.cn');
});

describe('many-tenants.yml', () => {
  const TENANTS_JSON = Array.from({ length: 40 }, (_, n): Tenant => {
    const id = String(n).padStart(12, '0');
    return {
      name: `tenant-${n}`,
      'tenant-id': `10000000-0000-4000-8000-${id}`,
      'client-id': `20000000-0000-4000-8000-${id}`,
      'connector-id': `30000000-0000-4000-8000-${id}`,
    };
  });
  const { tenants, upload } = workflow('many-tenants').jobs;

  test('one tenant that fails does not stop the others', () => {
    expect(upload?.strategy).toMatchObject({
      'fail-fast': false,
      'max-parallel': expect.any(Number) as unknown,
    });
  });

  test('the matrix is what the first job read: 40 tenants out of one file', async () => {
    expect([upload?.needs, upload?.strategy?.matrix.tenant]).toEqual([
      'tenants',
      '${{ fromJSON(needs.tenants.outputs.tenants) }}',
    ]);
    expect(tenants?.environment).toBeUndefined();
    const { outputs } = await runJob('many-tenants', 'tenants', {
      repository: { 'tenants.json': JSON.stringify(TENANTS_JSON, undefined, 2) },
      commands: { jq: `[ "$*" = '--compact-output . tenants.json' ] && tr -d '\n' < tenants.json` },
    });
    expect(JSON.parse(outputs['tenants'] ?? '')).toEqual(TENANTS_JSON);
  });

  test('the form of the file that the header shows is the one that the job reads', () => {
    const [form = ''] = /\[\{ .* \}\]/.exec(read('examples/many-tenants.yml')) ?? [];
    const [entry] = JSON.parse(form) as readonly object[];
    expect(Object.keys(entry ?? {})).toEqual(Object.keys(TENANTS_JSON[0] ?? {}));
  });

  test.each([TENANTS_JSON[0], TENANTS_JSON[39]])(
    '$name is signed in to as the one environment, with its own certificate',
    async (tenant) => {
      if (tenant === undefined) throw new Error('There is no such tenant.');
      const ids = { tenantId: tenant['tenant-id'], clientId: tenant['client-id'] };
      const job = await runJob('many-tenants', 'upload', {
        tenant,
        prepare: async (running) => {
          running.registerApp({ ...ids, tenantDomain: `${tenant.name}.onmicrosoft.com` });
          running.addConnector({ id: tenant['connector-id'], tenantId: ids.tenantId });
          running.addVaultCertificate(tenant.name, certificate);
          running.addVaultCertificate('tenant-20', await clientCertificate());
        },
      });
      expectUploaded(job, { connectorId: tenant['connector-id'] });
      expect(job.emulator.connects.map(({ host }) => host)).toContain('api.contoso.com');
      expect(job.emulator.certificates(GLOBAL.connectorId)).toEqual([]);
    },
  );
});

describe('staging-then-production.yml', () => {
  test('production waits for staging', () => {
    const { jobs } = workflow('staging-then-production');
    expect(Object.entries(jobs).map(([id, { needs, environment }]) => [id, needs, environment])).toEqual([
      ['staging', undefined, 'staging'],
      ['production', 'staging', 'production'],
    ]);
  });

  test.each([
    ['staging', FABRIKAM],
    ['production', GLOBAL],
  ] as const)('%s', async (id, tenant) => {
    const job = await runJob('staging-then-production', id);
    expectUploaded(job, tenant);
    expect(job.emulator.connects.map(({ host }) => host)).toContain('api.contoso.com');
  });

  test.each(['staging', 'production'])('%s, dry run: the API is asked, nothing is changed', async (id) => {
    const { results, emulator: running } = await runJob('staging-then-production', id, { dryRun: true });
    expect(results.map(({ exitCode, outputs }) => [exitCode, outputs['uploaded']])).toEqual([[0, 'false']]);
    expect(running.connects.map(({ host }) => host)).toContain('api.contoso.com');
    expect(running.requests.map(({ kind }) => kind)).toEqual(['id-token', 'token', 'get']);
  });
});

describe('key-vault.yml', () => {
  test('one step reads the certificate out of the vault of another tenant, asks the API, and uploads it', async () => {
    const job = await runJob('key-vault', 'upload', {
      prepare: (running) => void running.addVaultCertificate('api-connector', certificate),
    });
    expect(workflow('key-vault').jobs['upload']?.steps).toHaveLength(1);
    expectUploaded(job, GLOBAL);
    const hosts = job.emulator.connects.map(({ host }) => host);
    expect(hosts).toEqual(expect.arrayContaining([new URL(KEY_VAULT).host, 'api.contoso.com']));
    expect(job.results[0]?.filesLeft).toEqual([]);
    expect(readdirSync(job.runnerTemp)).toEqual([]);
  });

  test('a certificate that the vault did not renew in time is red, and nothing is changed', async () => {
    const notAfter = new Date(Date.now() + 10 * 86_400_000);
    const { results, emulator: running } = await runJob('key-vault', 'upload', {
      prepare: async (each) => void each.addVaultCertificate('api-connector', await clientCertificate({ notAfter })),
    });
    expect(results.map(({ annotations }) => annotations[0]?.title)).toEqual(['CERTIFICATE_EXPIRES_TOO_SOON']);
    expect(running.certificates(GLOBAL.connectorId)).toEqual([]);
  });

  test('the policy in the header makes a certificate that connectors accept, and renews it', () => {
    const [, policy = ''] = /--policy '(.*)'$/m.exec(read('examples/key-vault.yml')) ?? [];
    expect(JSON.parse(policy)).toMatchObject({
      issuerParameters: { name: 'Self' },
      keyProperties: { exportable: true, keyType: 'RSA', keySize: 2048 },
      secretProperties: { contentType: 'application/x-pkcs12' },
      x509CertificateProperties: { ekus: ['1.3.6.1.5.5.7.3.2'], keyUsage: ['digitalSignature'] },
      lifetimeActions: [{ action: { actionType: 'AutoRenew' }, trigger: { lifetimePercentage: 80 } }],
    });
  });
});

describe.each([
  [
    'unattended',
    {
      curl: `echo '{"value":"throw-away-id-token"}'`,
      jq: 'sed -E \'s/.*"value":"([^"]*)".*/\\1/\'',
      az: 'case "$1" in functionapp) printf %s "$*" > "$RUNNER_TEMP/../trusted" ;; *) mkdir -p "$AZURE_CONFIG_DIR" ;; esac',
    },
    'az [functionapp] [config] [appsettings] [set] [--subscription] [33333333-4444-4555-8666-777777777777] [--resource-group] [contoso] [--name] [sign-up] [--settings] [API_CONNECTOR_THUMBPRINTS=TRUST] [--output] [none]',
  ],
  [
    'unattended-nginx',
    { kubectl: 'case "$1" in create) echo "$*" ;; apply) cat > "$RUNNER_TEMP/../trusted" ;; esac' },
    'kubectl [rollout] [status] [deployment/nginx] [--namespace] [contoso] [--timeout] [5m]',
  ],
] as const)('%s.yml', (name, commands, call) => {
  const OLD = 'A1'.repeat(20);
  const active = (running: Emulator, id: string, thumbprint: string, daysLeft: number): void => {
    const now = Math.floor(Date.now() / 1000);
    const entry = { thumbprint, notBefore: now - 1000, notAfter: now + (daysLeft + 0.5) * 86_400 };
    running.addConnector({ id, authentication: { type: 'certificates', certificates: [entry] } });
  };
  const rotate = async (daysLeft: number, options: JobOptions = {}): Promise<JobRun & { readonly place: string }> => {
    let place = '';
    const job = await runJob(name, 'rotate', {
      commands,
      ...options,
      prepare: async (running) => {
        active(running, GLOBAL.connectorId, OLD, daysLeft);
        await options.prepare?.(running);
        place = join(temp ?? '', 'trusted');
        await running.addHost('api.contoso.com', ({ socket }, response) => {
          const presented = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
          const thumbprint = presented?.fingerprint.replaceAll(':', '') ?? '';
          response.writeHead(accepted(place).has(thumbprint) ? 204 : 401).end();
        });
      },
    });
    return { ...job, place };
  };

  test('a certificate that is due: made, trusted next to the old one, uploaded, and its key is gone', async () => {
    const { results, calls, runnerTemp, emulator: running, place } = await rotate(20);
    expect(results.map(({ exitCode, annotations }) => [exitCode, annotations])).toEqual([
      [0, []],
      [0, []],
    ]);
    const [made, uploaded] = results.map(({ outputs }) => outputs);
    expect(made?.['needed']).toBe('true');
    expect(uploaded).toMatchObject({ uploaded: 'true', 'is-active': 'true', thumbprint: made?.['thumbprint'] });
    expect(running.certificates(GLOBAL.connectorId)).toEqual([OLD, made?.['thumbprint']]);
    expect([...accepted(place)].sort()).toEqual([OLD, made?.['thumbprint']].sort());
    expect(calls.join('\n')).toContain(call.replace('TRUST', made?.['trusted-thumbprints'] ?? ''));
    expect(readdirSync(runnerTemp)).toEqual([]);
  });

  test('of three connectors one is due, one is fine, one is left out: the job is green, and only the first is changed', async () => {
    const [fine, basic] = ['fine', 'basic'];
    const { results, emulator: running } = await rotate(20, {
      connectorIds: [fine, GLOBAL.connectorId, basic],
      prepare: (each) => {
        active(each, fine, 'B2'.repeat(20), 179);
        each.addConnector({ id: basic, authentication: { type: 'basic', username: 'u', password: 'throw-away' } });
      },
    });
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    const [made] = results.map(({ outputs }) => outputs);
    expect(running.certificates(GLOBAL.connectorId)).toEqual([OLD, made?.['thumbprint']]);
    expect(running.certificates(fine)).toEqual(['B2'.repeat(20)]);
    expect(made?.['trusted-thumbprints']).toContain('B2'.repeat(20));
  });

  test('one of two connectors is gone: the job is red, and the other is changed', async () => {
    const { results, emulator: running } = await rotate(20, {
      connectorIds: ['3f2504e0-4f89-41d3-9a0c-0305e82c3301', GLOBAL.connectorId],
    });
    expect(results.map(({ exitCode }) => exitCode)).toEqual([1, 0]);
    expect(results[0]?.annotations.map(({ title }) => title)).toEqual(['CONNECTOR_NOT_FOUND']);
    expect(running.certificates(GLOBAL.connectorId)).toEqual([OLD, results[0]?.outputs['thumbprint']]);
  });

  test('nothing is due: nothing is touched', async () => {
    const { results, calls, runnerTemp } = await rotate(31);
    expect(results.map(({ exitCode, outputs }) => [exitCode, outputs['needed']])).toEqual([[0, 'false']]);
    expect([calls, readdirSync(runnerTemp)]).toEqual([[], []]);
  });
});

test('private-ca.yml has a certificate issued, masks its key, and uploads it', async () => {
  const job = await runJob('private-ca', 'upload', {
    commands: {
      curl: `case "\${*: -1}" in */login) cat > /dev/null; echo LOGIN ;; */issue/*) echo ISSUED ;; *) echo ID ;; esac`,
      jq: `input=$(cat); case "$input $*" in ID*) echo throw-away-id-token ;; LOGIN*) echo throw-away-vault-token ;; *'.private_key, '*) printf '%s\\n' "$KEY" "$PEM" ;; *) printf '%s\\n' "$KEY" ;; esac`,
    },
  });
  expectUploaded(job, GLOBAL);
  const masks = job.printed.split('\n').filter((line) => line !== '');
  expect(masks.slice(0, 2)).toEqual(['::add-mask::throw-away-id-token', '::add-mask::throw-away-vault-token']);
  const key = certificate.keyPem.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
  expect(masks.slice(2)).toEqual(key.map((line) => `::add-mask::${line}`));
  // No secret is an argument of a command.
  expect(job.calls.join('\n')).not.toMatch(/throw-away/);
  expect(job.emulator.connects.map(({ host }) => host)).toContain('api.contoso.com');
});

describe('scheduled-check.yml', () => {
  const REPORT = 'Open an issue, or comment on the open one';
  const CLOSE = 'Close the issue';
  const END = ' Details: https://github.com/octo-org/octo-repo/actions/runs/1658821493]';
  const LIST =
    'gh [issue] [list] [--label] [api-connector-certificate] [--state] [open] [--limit] [100] [--json] [number,title] [--jq] [map(select(.title == env.TITLE)) | .[0].number // empty]';

  const check = async (daysLeft: number, openIssue: string): Promise<JobRun> =>
    await runJob('scheduled-check', 'check', {
      commands: { gh: `[ "$2" != list ] || printf '%s' '${openIssue}'` },
      prepare: (running) => {
        if (Number.isNaN(daysLeft)) {
          // Differs in letter case, which is not worth a second try.
          running.registerApp({
            federatedCredentials: [
              { issuer: ISSUER, subject: 'repo:Octo-Org/octo-repo:ref:refs/heads/main', audience: GLOBAL.audience },
            ],
          });
          return;
        }
        const now = Math.floor(Date.now() / 1000);
        running.addConnector({
          id: GLOBAL.connectorId,
          displayName: '$(exit 9) `exit 9` "; exit 9; \'',
          authentication: {
            type: 'certificates',
            certificates: [
              {
                thumbprint: 'A1'.repeat(20),
                notBefore: now - 1000,
                // Half a day more, so that the clock does not decide.
                notAfter: now + (daysLeft + 0.5) * 86_400,
              },
            ],
          },
        });
      },
    });

  test('all is well: nothing to do', async () => {
    const { results, calls, skipped } = await check(200, '');
    expect(results.map(({ exitCode, outputs }) => [exitCode, outputs['status']])).toEqual([[0, 'ok']]);
    expect(calls).toEqual([LIST]);
    expect(skipped).toEqual([REPORT]);
  });

  test('all is well again: the issue is closed', async () => {
    const { calls } = await check(200, '17');
    expect(calls).toEqual([LIST, 'gh [issue] [close] [17] [--comment] [Every API connector passes the check again.]']);
  });

  test('a certificate that expires soon: an issue, with a label of its own', async () => {
    const { results, calls, skipped } = await check(20, '');
    expect(results.map(({ exitCode, outputs }) => [exitCode, outputs['status']])).toEqual([[0, 'warning']]);
    expect(calls.slice(0, 2)).toEqual([
      LIST,
      'gh [label] [create] [api-connector-certificate] [--force] [--color] [D93F0B] [--description] [Certificates of the API connectors]',
    ]);
    expect(calls[2]).toBe(
      `gh [issue] [create] [--title] [API connector certificates of ${GLOBAL.tenantId} need attention] [--label] [api-connector-certificate] [--body] [An API connector needs attention. The certificate that expires first, ${'A1'.repeat(20)}, has 20 days left (until ${results[0]?.outputs['not-after'] ?? ''}).${END}`,
    );
    expect(calls).toHaveLength(3);
    expect(skipped).toEqual([CLOSE]);
  });

  test('the check step is red: a comment on the open issue', async () => {
    const { results, calls, skipped } = await check(5, '17');
    expect(results.map(({ exitCode, outputs }) => [exitCode, outputs['status']])).toEqual([[1, 'failing']]);
    expect(calls[0]).toBe(LIST);
    expect(calls[1]).toMatch(
      /^gh \[issue\] \[comment\] \[17\] \[--body\] \[The check of the API connectors fails\. .* 5 days/,
    );
    expect(calls).toHaveLength(2);
    expect(skipped).toEqual([CLOSE]);
  });

  test('it cannot sign in: an issue as well', async () => {
    const { results, calls } = await check(Number.NaN, '17');
    expect(results.map(({ exitCode, outputs }) => [exitCode, outputs])).toEqual([[1, { status: 'failing' }]]);
    expect(calls[1]).toBe(`gh [issue] [comment] [17] [--body] [The check of the API connectors fails.${END}`);
  });
});
