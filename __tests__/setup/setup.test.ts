/** setup.sh as somebody runs it, with az and gh stood in for: what it says, what it calls, and what is there afterwards. */
import { afterAll, beforeAll, beforeEach, describe, expect, test as always } from '@jest/globals';
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { GRAPH_APP_ID, ROLES, Services, Tenant, type Answer, type Vault } from './services.ts';

const SCRIPT = join(import.meta.dirname, '..', '..', 'setup', 'setup.sh');
const TENANT = '11111111-2222-4333-8444-555555555555';
const COMPANY = '99999999-8888-4777-8666-555555555555';
const SUBSCRIPTION = 'abcdef00-0000-4000-8000-000000000001';
const ISSUER = 'https://token.actions.githubusercontent.com';
const REPO = 'octo/identity';
const NAME = 'upload-api-connector-certificate';

const hasBash = process.platform !== 'win32' && spawnSync('bash', ['--norc', '-c', 'exec 3<>/dev/null']).status === 0;
/** Skipped, by name, on a machine without bash. */
const test = hasBash ? always : always.skip;

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Where a command of this machine is. */
const whereIs = (command: string): string =>
  spawnSync('bash', ['--norc', '-c', `command -v ${command}`])
    .stdout.toString()
    .trim();

let folder: string;
let bash: string;
let server: Server;
let port: number;
let services: Services;
let tenant: Tenant;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'setup-'));
  bash = whereIs('bash');
  const standIn = join(folder, 'stand-in.sh');
  copyFileSync(join(import.meta.dirname, 'stand-in.sh'), standIn);
  chmodSync(standIn, 0o755);
  for (const name of ['az', 'gh', 'sleep']) symlinkSync(standIn, join(folder, name));
  server = createServer((socket) => {
    let received = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received += chunk.toString('utf8');
      const [count = '', ...words] = received.split('\0');
      if (words.length <= Number(count)) return;
      const { code, out, err } = services.answer(words.slice(0, Number(count)));
      const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
      socket.end(`${code}\n${escaped(out)}\n${escaped(err)}\n`);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  ({ port } = server.address() as AddressInfo);
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  services = new Services({
    full_name: REPO,
    default_branch: 'main',
    visibility: 'public',
    id: 654321,
    owner: { id: 123 },
    subject: { use_default: true, sub_claim_prefix: `repo:${REPO}` },
    organisationKeys: undefined,
    hasEnvironments: true,
    variables: new Map([['', new Map<string, string>()]]),
  });
  tenant = new Tenant(TENANT, 'contoso.onmicrosoft.com');
  services.tenants = [tenant];
  services.account = TENANT;
});

/** Runs setup.sh with these arguments. `path` is where commands are looked for. */
async function run(
  args: readonly string[],
  { path = `${folder}:${process.env['PATH']}`, env = {} } = {},
): Promise<Run> {
  const child = spawn(bash, [SCRIPT, ...args], {
    env: {
      PATH: path,
      HOME: folder,
      TMPDIR: folder,
      LANG: 'C.UTF-8',
      BASH_ENV: join(folder, 'stand-in.sh'),
      STAND_IN_PORT: String(port),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise<number | null>((closed) => child.on('close', closed));
  return { code, out, err };
}

const setUp = (...more: string[]): Promise<Run> => run(['--tenant', TENANT, '--repo', REPO, ...more]);

async function succeed(...more: string[]): Promise<Run> {
  const result = await setUp(...more);
  expect(result).toMatchObject({ code: 0, err: '' });
  return result;
}

/** It ends red, the cause first; nothing was changed unless the test says so. */
async function fails(args: readonly string[], ...said: (string | RegExp)[]): Promise<Run> {
  const result = await run(args);
  expect(result.code).toBe(1);
  expect(result.err).toMatch(/^\nerror: /);
  for (const part of said) expect(result.err).toMatch(part instanceof RegExp ? part : literal(part));
  return result;
}

const literal = (text: string): RegExp => new RegExp(text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
const ARGS = ['--tenant', TENANT, '--repo', REPO];

const only = <T>(items: readonly T[]): T => {
  expect(items).toHaveLength(1);
  return items[0] as T;
};

const variables = (place = 'production'): Record<string, string> =>
  Object.fromEntries(services.repository.variables.get(place) ?? []);

const credentialFor = (subject: string, audience = 'api://AzureADTokenExchange', issuer = ISSUER) => ({
  name: subject.replace(/[^\w-]+/g, '-'),
  issuer,
  subject,
  audiences: [audience],
});

/** The workflow that is printed to be copied. */
function printedWorkflow(out: string): {
  readonly jobs: {
    readonly check: {
      readonly environment?: string;
      readonly permissions: unknown;
      readonly steps: { readonly uses: string; readonly with: Record<string, unknown> }[];
    };
  };
} {
  const text = /^name: [\s\S]*?(?=\n\n)/m.exec(out)?.[0] ?? '';
  return parse(text) as ReturnType<typeof printedWorkflow>;
}

describe('from nothing', () => {
  test('prepares application, principal, credential, consent, environment and variables', async () => {
    const { out } = await succeed();
    const application = only(tenant.applications);
    const principal = only(tenant.principals);
    expect(application.displayName).toBe(NAME);
    expect(principal.appId).toBe(application.appId);
    expect(application.credentials).toEqual([credentialFor(`repo:${REPO}:environment:production`)]);
    expect(application.requiredResourceAccess).toEqual([
      {
        resourceAppId: GRAPH_APP_ID,
        resourceAccess: [{ id: ROLES['APIConnectors.ReadWrite.All'], type: 'Role' }],
      },
    ]);
    expect(only(tenant.assignments)).toMatchObject({
      principalId: principal.id,
      appRoleId: ROLES['APIConnectors.ReadWrite.All'],
    });
    expect(variables()).toEqual({ TENANT_ID: TENANT, CLIENT_ID: application.appId });
    expect(out).toContain(`Done. The subject that may sign in: repo:${REPO}:environment:production`);
  });

  test('says what it will do, and then what it does', async () => {
    const { out } = await succeed();
    const [plan = '', done = ''] = out.split('Doing it:');
    for (const what of [
      `+ application ${NAME}`,
      '+ its service principal',
      `+ federated credential repo-octo-identity-environment-production: repo:${REPO}:environment:production`,
      '+ environment production, without protection rules',
      `+ variable TENANT_ID = ${TENANT}`,
      '+ variable CLIENT_ID',
      '+ permission APIConnectors.ReadWrite.All of Microsoft Graph, with admin consent',
    ]) {
      expect(plan).toContain(what);
      expect(done).toContain(what);
    }
  });

  test('prints a check workflow that is complete', async () => {
    const { check } = printedWorkflow((await succeed()).out).jobs;
    expect(check.environment).toBe('production');
    expect(check.permissions).toEqual({ 'id-token': 'write' });
    expect(check.steps).toEqual([
      {
        uses: 'PUBLISHER/upload-api-connector-certificate/check@v1',
        with: { 'tenant-id': '${{ vars.TENANT_ID }}', 'client-id': '${{ vars.CLIENT_ID }}', all: true },
      },
    ]);
  });

  test('each command of the next steps names the environment and the repository', async () => {
    const { out } = await succeed();
    const commands = out.match(/gh (?:secret|variable) set .*/g) ?? [];
    expect(commands.length).toBe(3);
    for (const command of commands) expect(command).toContain(`--env production --repo ${REPO}`);
  });

  test('never asks az for API connectors, which its own sign-in may not read, and passes no secret', async () => {
    await succeed();
    const lines = services.calls.map((call) => call.join(' ')).join('\n');
    expect(lines).not.toMatch(/\/apiConnectors/i);
    expect(lines).not.toMatch(/--password|get-access-token|auth token|credential reset|secret set/i);
  });

  test('az and gh are processes of their own, with the line ends of Windows', async () => {
    const answer = services.answer.bind(services);
    services.answer = (call) => {
      const { code, out, err } = answer(call);
      return { code, out: out.replaceAll('\n', '\r\n'), err: err.replaceAll('\n', '\r\n') };
    };
    const { code, out, err } = await run(ARGS, { env: { BASH_ENV: '' } });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).not.toContain('\r');
    expect(variables()).toEqual({ TENANT_ID: TENANT, CLIENT_ID: only(tenant.applications).appId });
    expect(only(tenant.assignments).principalId).toBe(only(tenant.principals).id);
  });

  test('a tenant given by its domain is found, and stored by its ID', async () => {
    const { code } = await run(['--tenant=contoso.onmicrosoft.com', `--repo=${REPO}`]);
    expect(code).toBe(0);
    expect(variables()['TENANT_ID']).toBe(TENANT);
  });

  test('a repository in another letter case is taken as GitHub spells it', async () => {
    expect((await run(['--tenant', TENANT, '--repo', 'Octo/Identity'])).code).toBe(0);
    expect(only(only(tenant.applications).credentials).subject).toBe(`repo:${REPO}:environment:production`);
  });

  test('what was just made is waited for', async () => {
    services.delay = 2;
    const { out } = await succeed();
    expect(only(tenant.assignments)).toBeDefined();
    expect(out).toContain('not known everywhere yet; again in 1 s');
    expect(services.calls).toContainEqual(['sleep', '1']);
  });

  test('what took effect though its answer was lost is not made twice', async () => {
    const answer = services.answer.bind(services);
    const lost = new Set<string>();
    services.answer = (call) => {
      const said = answer(call);
      const kind = call
        .slice(0, 5)
        .join(' ')
        .replace(/ --url.*| --id.*/, '');
      if (!/sp create|credential create|rest --method post/.test(kind) || lost.has(kind)) return said;
      lost.add(kind);
      return { code: 1, out: '', err: 'ERROR: Bad Gateway\n' };
    };
    await succeed();
    expect(lost.size).toBe(3);
    expect(only(only(tenant.applications).credentials).subject).toBe(`repo:${REPO}:environment:production`);
    expect(only(tenant.assignments).principalId).toBe(only(tenant.principals).id);
  });

  test('what never becomes known ends the run after a minute, and a later run goes on', async () => {
    services.delay = 1000;
    await fails(
      ARGS,
      'Making the service principal: this failed.',
      'does not reference a valid application',
      'run this again',
    );
    const waited = services.calls
      .filter(([name]) => name === 'sleep')
      .reduce((sum, [, seconds]) => sum + Number(seconds), 0);
    expect(waited).toBe(61);
  });
});

describe('again', () => {
  test('the second and the third run change nothing', async () => {
    await succeed();
    const state = JSON.stringify([tenant, [...services.repository.variables.values()].map((each) => [...each])]);
    for (let turn = 2; turn <= 3; turn++) {
      services.calls.length = 0;
      const { out } = await succeed();
      expect(services.changes).toEqual([]);
      expect(out).not.toMatch(/^ {2}\+/m);
      expect(out).toContain(`= application ${NAME}, client ID ${only(tenant.applications).appId}`);
    }
    expect(JSON.stringify([tenant, [...services.repository.variables.values()].map((each) => [...each])])).toBe(state);
  });

  test('a second environment gets a credential and variables of its own', async () => {
    await succeed();
    await succeed('--environment', 'staging');
    const { appId, credentials } = only(tenant.applications);
    expect(credentials).toEqual([
      credentialFor(`repo:${REPO}:environment:production`),
      credentialFor(`repo:${REPO}:environment:staging`),
    ]);
    expect(variables('staging')).toEqual({ TENANT_ID: TENANT, CLIENT_ID: appId });
    expect(only(tenant.assignments)).toBeDefined();
  });

  test('what a run that was broken off left behind is kept, and the rest is added', async () => {
    tenant.addApplication(NAME);
    services.repository.variables.set('production', new Map([['TENANT_ID', TENANT]]));
    const { out } = await succeed();
    expect(out).toContain(`= variable TENANT_ID = ${TENANT}`);
    expect(only(tenant.applications).credentials).toHaveLength(1);
    expect(variables()).toEqual({ TENANT_ID: TENANT, CLIENT_ID: only(tenant.applications).appId });
  });

  test('a name that another credential has is not taken twice', async () => {
    const subject = `repo:${REPO}:environment:production`;
    const other = { ...credentialFor(subject), subject: 'repo:octo/identity-environment:production' };
    tenant.addApplication(NAME, { credentials: [other] });
    await succeed();
    expect(only(tenant.applications).credentials.map(({ name }) => name)).toEqual([other.name, `${other.name}-2`]);
  });
});

describe('variants', () => {
  test('--what-if shows the plan and changes nothing', async () => {
    const { out } = await succeed('--what-if', '--environment', 'new');
    expect(services.changes).toEqual([]);
    expect(services.repository.variables.has('new')).toBe(false);
    expect(out).toContain('+ environment new');
    expect(out).toContain('Nothing was changed (--what-if).');
    expect(out).not.toContain('Doing it');
  });

  test('--read-only: a second application that can only read, for the default branch', async () => {
    await succeed();
    const { out } = await succeed('--read-only');
    const [, reader] = tenant.applications;
    expect(reader?.displayName).toBe('check-api-connector-certificates');
    expect(reader?.credentials).toEqual([credentialFor(`repo:${REPO}:ref:refs/heads/main`)]);
    const principal = tenant.principals.find(({ appId }) => appId === reader?.appId);
    expect(tenant.assignments.filter(({ principalId }) => principalId === principal?.id)).toEqual([
      expect.objectContaining({ appRoleId: ROLES['APIConnectors.Read.All'] }),
    ]);
    expect(variables('')).toEqual({ TENANT_ID: TENANT, CHECK_CLIENT_ID: reader?.appId });
    const { check } = printedWorkflow(out).jobs;
    expect(check.environment).toBeUndefined();
    expect(check.steps[0]?.with['client-id']).toBe('${{ vars.CHECK_CLIENT_ID }}');
    expect(out).toContain('APIConnectors.Read.All is likely enough');
  });

  test('--read-only in an environment', async () => {
    await succeed('--read-only', '--environment', 'monitoring');
    expect(only(only(tenant.applications).credentials).subject).toBe(`repo:${REPO}:environment:monitoring`);
    expect(variables('monitoring')).toHaveProperty('CHECK_CLIENT_ID');
  });

  test('--branch: no environment, the subject of the branch, variables of the repository', async () => {
    Object.assign(services.repository, { visibility: 'private', hasEnvironments: false });
    const { out } = await succeed('--branch', 'release/1');
    expect(only(only(tenant.applications).credentials).subject).toBe(`repo:${REPO}:ref:refs/heads/release/1`);
    expect(variables('')).toHaveProperty('CLIENT_ID');
    expect(out).not.toContain('--env');
  });

  test('a branch that is not the default one: the workflow has to be on both, and is run there', async () => {
    const { out } = await succeed('--branch', 'release/1');
    expect(out).toContain('Put this on the default branch and on release/1 as .github/');
    expect(out).toMatch(/gh workflow run \S+ --repo octo\/identity --ref release\/1\n/);
    expect(out).toContain('It may sign in on release/1 only.');
    const { out: onMain } = await setUp('--branch', 'main', '--name', 'other', '--what-if');
    expect(onMain).not.toContain('--ref');
  });

  test('the default branch need not be named', async () => {
    const { out } = await succeed('--branch', 'main');
    expect(out).toContain('Put this on the default branch as .github/');
    expect(out).toMatch(/gh workflow run \S+ --repo octo\/identity\n/);
    expect(out).toContain('Leave out environment: production there');
  });

  test('--read-only on a branch that is not the default one: no schedule, which could not sign in', async () => {
    const { out } = await succeed('--read-only', '--branch', 'release');
    expect(printedWorkflow(out)).toMatchObject({ on: { workflow_dispatch: null } });
    expect(printedWorkflow(out)).not.toHaveProperty('on.schedule');
    services.repository.variables.set('', new Map());
    const onDefault = await succeed('--read-only', '--name', 'another');
    expect(printedWorkflow(onDefault.out)).toHaveProperty('on.schedule');
  });

  test('a repository on another host: each command names the host', async () => {
    const { code, out } = await run(['--tenant', TENANT, '--repo', `octo.ghe.com/${REPO}`]);
    expect(code).toBe(0);
    const commands = out.match(/gh (?:secret|variable|workflow) \w+ .*/g) ?? [];
    expect(commands).toHaveLength(4);
    for (const command of commands) expect(command).toContain(`--repo octo.ghe.com/${REPO}`);
    services.repository.variables.set('production', new Map([['CLIENT_ID', COMPANY]]));
    await fails(['--tenant', TENANT, '--repo', REPO], `gh variable delete CLIENT_ID --env production --repo ${REPO}`);
    const { err } = await run(['--tenant', TENANT, '--repo', REPO, '--name', 'x'], { env: { GH_HOST: 'git.example' } });
    expect(err).toContain(`--repo git.example/${REPO}`);
  });

  test('--cloud china: its Graph and its audience, and no host of the global cloud', async () => {
    services.azureCloud = 'AzureChinaCloud';
    const result = await run(['--tenant', 'contoso.onmicrosoft.com', '--repo', REPO, '--cloud', 'china']);
    expect(result.code).toBe(0);
    expect(only(tenant.applications).credentials).toEqual([
      credentialFor(`repo:${REPO}:environment:production`, 'api://AzureADTokenExchangeChina'),
    ]);
    const urls = services.calls.flat().filter((word) => word.startsWith('https://'));
    expect(new Set(urls.map((url) => new URL(url).host))).toEqual(
      new Set(['login.partner.microsoftonline.cn', 'microsoftgraph.chinacloudapi.cn']),
    );
    expect(printedWorkflow(result.out).jobs.check.steps[0]?.with['cloud']).toBe('china');
  });

  test('--client-id: an application of that ID is prepared, though it has a secret', async () => {
    const { appId } = tenant.addApplication('script of old', { passwordCredentials: [{}] });
    await succeed('--client-id', appId);
    expect(only(tenant.applications).credentials).toHaveLength(1);
    expect(variables()['CLIENT_ID']).toBe(appId);
  });

  test('a name of an environment with a slash and a colon', async () => {
    await succeed('--environment', 'eu/prod:1');
    expect(variables('eu/prod:1')).toHaveProperty('CLIENT_ID');
    expect(only(only(tenant.applications).credentials).subject).toBe(`repo:${REPO}:environment:eu/prod%3A1`);
  });

  test.each([
    ['a server of one’s own', 'github.example.com/octo/identity', 'https://github.example.com/_services/token'],
    ['GHE.com', 'octo.ghe.com/octo/identity', 'https://token.actions.octo.ghe.com'],
  ])('the issuer of %s', async (_, repo, issuer) => {
    expect((await run(['--tenant', TENANT, '--repo', repo])).code).toBe(0);
    expect(only(only(tenant.applications).credentials).issuer).toBe(issuer);
  });

  test('--issuer and --subject are taken as they are', async () => {
    await succeed('--issuer', `${ISSUER}/octo-inc`, '--subject', 'a:"b"\\c');
    expect(only(only(tenant.applications).credentials)).toMatchObject({
      issuer: `${ISSUER}/octo-inc`,
      subject: 'a:"b"\\c',
    });
  });
});

describe('the subject that this repository presents', () => {
  const subjectOf = async (...more: string[]): Promise<string> => {
    await succeed(...more);
    return only(only(tenant.applications).credentials).subject;
  };

  test('with ids, if GitHub says so', async () => {
    services.repository.subject = { use_default: true, sub_claim_prefix: 'repo:octo@123/identity@654321' };
    expect(await subjectOf()).toBe('repo:octo@123/identity@654321:environment:production');
    expect(only(only(tenant.applications).credentials).name).toBe(
      'repo-octo-123-identity-654321-environment-production',
    );
  });

  test('by names, if the server does not know the question', async () => {
    services.repository.subject = undefined;
    expect(await subjectOf()).toBe(`repo:${REPO}:environment:production`);
  });

  test('by the repository’s template', async () => {
    services.repository.subject = {
      use_default: false,
      include_claim_keys: ['repository_owner_id', 'repository_id', 'repository_visibility', 'context'],
      sub_claim_prefix: `repo:${REPO}`,
    };
    expect(await subjectOf()).toBe(
      'repository_owner_id:123:repository_id:654321:repository_visibility:public:environment:production',
    );
  });

  test('by the organisation’s template, if the repository follows it', async () => {
    services.repository.subject = { use_default: false, sub_claim_prefix: `repo:${REPO}` };
    services.repository.organisationKeys = ['repo', 'context'];
    expect(await subjectOf('--branch', 'main')).toBe(`repo:${REPO}:ref:refs/heads/main`);
  });

  test('by default, if neither has a template', async () => {
    services.repository.subject = { use_default: false };
    expect(await subjectOf()).toBe(`repo:${REPO}:environment:production`);
  });

  test('a template with what only the job knows ends the run, with the way on', async () => {
    services.repository.subject = { use_default: false, include_claim_keys: ['repo', 'job_workflow_ref'] };
    await fails(ARGS, 'job_workflow_ref is known only when the job runs', 'FEDERATED_CREDENTIAL_MISMATCH', '--subject');
    expect(services.changes).toEqual([]);
  });

  const template = (...include_claim_keys: string[]): void => {
    services.repository.subject = { use_default: false, include_claim_keys };
  };

  test('by a template with the environment', async () => {
    template('repository_owner', 'environment');
    expect(await subjectOf('--environment', 'a:b')).toBe('repository_owner:octo:environment:a%3Ab');
  });

  test('by a template with the ref', async () => {
    template('repository_owner', 'ref');
    expect(await subjectOf('--branch', 'main')).toBe('repository_owner:octo:ref:refs/heads/main');
  });

  test.each([
    ['environment', '--branch=main'],
    ['ref', '--environment=production'],
  ])('by no template with the %s if the options do not give it: %s', async (key, option) => {
    template(key);
    await fails([...ARGS, option], `and ${key} is known only when the job runs`, '--subject');
  });
});

describe('a key vault', () => {
  const vaultOf = (enableRbacAuthorization: boolean | null): Vault => ({
    name: 'contoso-certs',
    subscription: SUBSCRIPTION,
    id: `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/contoso-certs`,
    properties: { enableRbacAuthorization, accessPolicies: [] },
    roles: [],
  });
  const URL_OF_CERTIFICATE = 'https://contoso-certs.vault.azure.net/certificates/connector';

  test('of the same tenant: the role, and the variable, once', async () => {
    tenant = new Tenant(TENANT, 'contoso.onmicrosoft.com', [SUBSCRIPTION]);
    Object.assign(services, { tenants: [tenant], account: SUBSCRIPTION });
    tenant.vaults.push(vaultOf(true));
    await succeed('--key-vault', URL_OF_CERTIFICATE);
    await succeed('--key-vault', URL_OF_CERTIFICATE);
    expect(only(tenant.vaults[0]?.roles ?? [])).toMatchObject({
      principalId: only(tenant.principals).id,
      role: '4633458b-17de-408a-b874-0445c86b69e6', // Key Vault Secrets User
    });
    expect(variables()).toEqual({
      TENANT_ID: TENANT,
      CLIENT_ID: only(tenant.applications).appId,
      KEY_VAULT_CERTIFICATE: URL_OF_CERTIFICATE,
    });
  });

  test.each([
    'https://Contoso-Certs.VAULT.azure.net/certificates/connector',
    'HTTPS://contoso-certs.vault.azure.net:443/certificates/connector/',
    'contoso-certs.vault.azure.net/certificates/connector',
  ])('however its address is written: %s', async (address) => {
    tenant = new Tenant(TENANT, 'contoso.onmicrosoft.com', [SUBSCRIPTION]);
    Object.assign(services, { tenants: [tenant], account: SUBSCRIPTION });
    tenant.vaults.push(vaultOf(true));
    await succeed('--key-vault', address);
    expect(variables()['KEY_VAULT_CERTIFICATE']).toBe(URL_OF_CERTIFICATE);
  });

  test('with access policies: what the principal may do already stays', async () => {
    tenant = new Tenant(TENANT, 'contoso.onmicrosoft.com', [SUBSCRIPTION]);
    Object.assign(services, { tenants: [tenant], account: SUBSCRIPTION });
    const vault = vaultOf(null);
    tenant.vaults.push(vault);
    const { appId } = tenant.addApplication(NAME);
    tenant.principals.push({ id: 'principal', appId });
    vault.properties.accessPolicies.push({ objectId: 'principal', permissions: { secrets: ['list'] } });
    const { out } = await succeed('--key-vault', 'contoso-certs');
    expect(vault.properties.accessPolicies).toEqual([
      { objectId: 'principal', permissions: { secrets: ['get', 'list'] } },
    ]);
    expect(variables()).not.toHaveProperty('KEY_VAULT_CERTIFICATE');
    expect(out).toContain('https://contoso-certs.vault.azure.net/certificates/NAME');
    services.calls.length = 0;
    await succeed('--key-vault', 'contoso-certs');
    expect(services.changes).toEqual([]);
  });

  test('of another tenant: a second application there, and the account is switched back', async () => {
    const company = new Tenant(COMPANY, 'company.example', ['other-subscription', SUBSCRIPTION]);
    company.vaults.push(vaultOf(true));
    services.tenants = [tenant, company];
    await succeed('--key-vault', URL_OF_CERTIFICATE, '--vault-tenant', 'company.example');
    const reader = only(company.applications);
    expect(reader.displayName).toBe(`${NAME}-key-vault`);
    expect(reader.credentials).toEqual(only(tenant.applications).credentials);
    expect(company.assignments).toEqual([]);
    expect(only(company.vaults[0]?.roles ?? []).principalId).toBe(only(company.principals).id);
    expect(variables()).toEqual({
      TENANT_ID: TENANT,
      CLIENT_ID: only(tenant.applications).appId,
      KEY_VAULT_CERTIFICATE: URL_OF_CERTIFICATE,
      KEY_VAULT_CLIENT_ID: reader.appId,
    });
    expect(services.account).toBe(TENANT);
    services.calls.length = 0;
    await succeed('--key-vault', URL_OF_CERTIFICATE, '--vault-tenant', COMPANY);
    expect(services.changes).toEqual([]);
  });

  test('the account that the person works with is the same at the end, whatever the end is', async () => {
    const company = new Tenant(COMPANY, 'company.example', [SUBSCRIPTION]);
    Object.assign(services, { tenants: [company, tenant], account: SUBSCRIPTION });
    await succeed('--what-if');
    expect(services.account).toBe(SUBSCRIPTION);
    await fails([...ARGS, '--key-vault', 'contoso-certs'], 'in no subscription');
    expect(services.account).toBe(SUBSCRIPTION);
    expect(readdirSync(folder).filter((name) => name.startsWith('tmp.'))).toEqual([]);
  });

  test('looked for in a B2C tenant: the way to the tenant that has it', async () => {
    await fails(
      [...ARGS, '--key-vault', 'contoso-certs'],
      'A B2C tenant holds no vaults',
      '--vault-tenant',
      'az login --tenant VAULT_TENANT --allow-no-subscriptions',
    );
    expect(services.changes).toEqual([]);
  });
});

describe('a failure ends with what helps', () => {
  const answers = (start: string, err: string, code = 1): void => {
    const answer: Answer = { code, out: '', err };
    services.instead.set(start, answer);
  };

  test('az is not signed in', async () => {
    services.account = undefined;
    await fails(ARGS, 'not signed in', `az login --tenant ${TENANT} --allow-no-subscriptions`);
  });

  test('az is not signed in, in China', async () => {
    Object.assign(services, { account: undefined, azureCloud: 'AzureChinaCloud' });
    await fails(
      [...ARGS, '--cloud', 'china'],
      `az cloud set --name AzureChinaCloud && az login --tenant ${TENANT} --allow-no-subscriptions`,
    );
  });

  test('az is signed in to another tenant only', async () => {
    const company = new Tenant(COMPANY, 'company.example');
    Object.assign(services, { tenants: [company], account: COMPANY });
    await fails(
      ARGS,
      `signed in to the tenant ${COMPANY}, not to ${TENANT}`,
      `az login --tenant ${TENANT} --allow-no-subscriptions`,
    );
  });

  test('az works in another cloud', async () => {
    await fails([...ARGS, '--cloud', 'china'], 'az cloud set --name AzureChinaCloud && az login');
  });

  test('there is no such tenant', async () => {
    await fails(['--tenant', 'nowhere.example', '--repo', REPO], 'There is no tenant nowhere.example', '--cloud');
  });

  test('the sign-in of az has expired', async () => {
    answers('az ad app list', 'ERROR: AADSTS700082: The refresh token has expired due to inactivity.\n');
    await fails(ARGS, 'its sign-in has expired', `az login --tenant ${TENANT} --allow-no-subscriptions`);
  });

  test('az is too old', async () => {
    tenant.addApplication(NAME);
    answers(
      'az ad app federated-credential',
      "ERROR: 'federated-credential' is misspelled or not recognized by the system.\n",
      2,
    );
    await fails(ARGS, 'this Azure CLI is too old', 'az upgrade');
  });

  test('az does not reach its service', async () => {
    answers(
      'az ad app list',
      'ERROR: HTTPSConnectionPool(host=…): Max retries exceeded with url: /v1.0/applications\n',
    );
    await fails(ARGS, 'cannot be reached', 'HTTPS_PROXY');
  });

  test('no right to register applications', async () => {
    tenant.mayRegister = false;
    await fails(ARGS, `Making the application ${NAME}: you may not do that.`, 'Application Developer');
    expect(tenant.applications).toEqual([]);
  });

  test('no right to read the directory', async () => {
    answers('az ad sp show', 'ERROR: Insufficient privileges to complete the operation.\n');
    const { err } = await fails(ARGS, 'Looking for Microsoft Graph: you may not do that.', 'Directory Readers');
    expect(err).not.toMatch(/\n *\n/);
  });

  test('Microsoft Graph has no API connectors there', async () => {
    answers('az ad sp show', '', 0);
    await fails(ARGS, `has no permission APIConnectors.ReadWrite.All in the tenant ${TENANT}`, '--cloud (global)');
  });

  test('what says nothing leaves no empty line', async () => {
    answers('az ad app list', '');
    const { err } = await fails(ARGS, 'this failed.', 'What was done so far is kept');
    expect(err).not.toMatch(/\n *\n/);
  });

  test('no right to read the organisation’s template', async () => {
    services.repository.subject = { use_default: false };
    answers('gh api orgs/octo/', 'gh: You must be an organization owner. (HTTP 403)\n');
    const { err } = await fails(ARGS, 'the template that octo has for subjects', 'an owner of octo', '--subject');
    expect(err).not.toContain('administrator');
  });

  test('no right to consent: all the rest is done, and an administrator’s run adds the consent alone', async () => {
    tenant.mayConsent = false;
    await fails(
      ARGS,
      'Granting admin consent: you may not do that.',
      'Privileged Role Administrator',
      only([NAME]),
      'Grant admin consent',
    );
    expect(variables()).toHaveProperty('CLIENT_ID');
    expect(only(tenant.applications).requiredResourceAccess).toHaveLength(1);
    tenant.mayConsent = true;
    services.calls.length = 0;
    await succeed();
    expect(only(services.changes)).toMatch(/^az rest --method post/);
  });

  test('the application has a secret already, so that others may sign in as it', async () => {
    const { appId } = tenant.addApplication(NAME, { passwordCredentials: [{}] });
    await fails(ARGS, 'has a client secret or a certificate', `--client-id ${appId}`, '--name NAME');
    expect(services.changes).toEqual([]);
  });

  test('several applications have the name', async () => {
    const ids = [tenant.addApplication(NAME), tenant.addApplication(NAME), tenant.addApplication(NAME)].map(
      ({ appId }) => appId,
    );
    await fails(ARGS, 'several applications', ...ids, '--client-id');
  });

  test('there is no application of that client ID', async () => {
    await fails([...ARGS, '--client-id', COMPANY], `no application with the client ID ${COMPANY}`, 'not an object ID');
  });

  test('twenty credentials are the limit', async () => {
    const credentials = Array.from({ length: 20 }, (_, index) => credentialFor(`repo:octo/other:environment:${index}`));
    tenant.addApplication(NAME, { credentials });
    await fails(
      ARGS,
      'has 20 federated credentials, and 20 is the most',
      'az ad app federated-credential list',
      '--name NAME',
    );
    expect(services.changes).toEqual([]);
  });

  test('twenty credentials, one of them this one, are fine', async () => {
    const credentials = Array.from({ length: 19 }, (_, index) => credentialFor(`repo:octo/other:environment:${index}`));
    tenant.addApplication(NAME, {
      credentials: [...credentials, credentialFor(`repo:${REPO}:environment:production`)],
    });
    await succeed();
  });

  test('the credential is there for another audience', async () => {
    const credential = credentialFor(`repo:${REPO}:environment:production`, 'api://AzureADTokenExchangeChina');
    tenant.addApplication(NAME, { credentials: [credential] });
    await fails(
      ARGS,
      'but the audience api://AzureADTokenExchangeChina',
      `az login --tenant ${TENANT} --allow-no-subscriptions && az ad app federated-credential delete --id ${only(tenant.applications).appId} --federated-credential-id ${credential.name}`,
    );
  });

  test('a variable is there with another value', async () => {
    services.repository.variables.set('production', new Map([['CLIENT_ID', COMPANY]]));
    await fails(
      ARGS,
      `The variable CLIENT_ID of the environment production of ${REPO} is there with another value: ${COMPANY}`,
      '--client-id',
      `gh variable delete CLIENT_ID --env production --repo ${REPO}`,
    );
    expect(services.changes).toEqual([]);
  });

  test('gh is not signed in', async () => {
    services.githubSignedIn = false;
    await fails(ARGS, 'the GitHub CLI is not signed in', 'gh auth login --hostname github.com');
  });

  test('there is no such repository', async () => {
    await fails(
      ['--tenant', TENANT, '--repo', 'octo/nothing'],
      'Reading the repository octo/nothing',
      'it does not exist',
      'gh auth status',
    );
  });

  test('no administrator of the repository', async () => {
    services.mayAdminister = false;
    await fails(ARGS, 'Making the environment production', 'Must have admin rights', `administrator of ${REPO}`);
  });

  test('a private repository of GitHub Free has no environments', async () => {
    Object.assign(services.repository, { visibility: 'private', hasEnvironments: false });
    await fails(ARGS, 'GitHub made no environment in this private repository', '--branch main');
  });

  test.each(['az', 'gh'])('%s is missing', async (missing) => {
    const path = mkdtempSync(join(folder, 'path-'));
    for (const tool of ['mktemp', 'tr', 'rm', 'cat', 'sed', 'grep', 'tail', 'cut', 'head']) {
      symlinkSync(whereIs(tool), join(path, tool));
    }
    const other = missing === 'az' ? 'gh' : 'az';
    symlinkSync(join(folder, 'stand-in.sh'), join(path, other));
    const { code, err } = await run(ARGS, { path, env: { BASH_ENV: '' } });
    expect(code).toBe(1);
    expect(err).toContain(`(${missing}) is missing.`);
    expect(err).toContain('Azure Cloud Shell');
    expect(services.calls).toEqual([]);
  });

  test.each([
    [['--repo', REPO], '--tenant is missing'],
    [['--tenant', TENANT], '--repo is missing'],
    [[...ARGS, '--force'], 'There is no option --force.'],
    [[...ARGS, '--environment'], '--environment needs a value.'],
    [[...ARGS, '--environment='], '--environment needs a value.'],
    [['--tenant', TENANT, '--repo', 'identity'], '--repo identity is not OWNER/REPO.'],
    [['--tenant', "x' or 1", '--repo', REPO], 'neither an ID nor a domain'],
    [[...ARGS, '--cloud', 'usgov'], '--cloud is global or china'],
    [[...ARGS, '--environment', 'a', '--branch', 'b'], 'exclude each other'],
    [[...ARGS, '--name', "x' or displayName ne '"], '--name may have letters'],
    [[...ARGS, '--client-id', 'x'], 'is no GUID'],
    [[...ARGS, '--key-vault', 'https://evil.example/certificates/x'], 'a vault is https://VAULT.vault.azure.net'],
    [[...ARGS, '--key-vault', 'https://v1x.vault.azure.cn/certificates/x'], 'a vault is https://VAULT.vault.azure.net'],
    [[...ARGS, '--key-vault', 'http://v1x.vault.azure.net'], 'a vault is https://VAULT.vault.azure.net'],
    [[...ARGS, '--key-vault', 'v1x.vault.azure.net:8443'], 'a vault is https://VAULT.vault.azure.net'],
    [[...ARGS, '--key-vault', 'https://v1.vault.azure.net/keys/x'], '/certificates/NAME'],
    [[...ARGS, '--key-vault', 'v'], 'is no name of a vault'],
    [[...ARGS, '--vault-tenant', COMPANY], '--vault-tenant belongs to --key-vault'],
    [[...ARGS, '--read-only', '--key-vault', 'vault1'], 'The check step reads no vault'],
  ])('%j', async (args, said) => {
    await fails(args, said, '--help');
    expect(services.calls).toEqual([]);
  });
});

test('--help shows every option, and calls nothing', async () => {
  const { code, out } = await run(['--help']);
  expect(code).toBe(0);
  for (const option of [
    'tenant',
    'repo',
    'environment',
    'branch',
    'read-only',
    'key-vault',
    'vault-tenant',
    'cloud',
    'what-if',
    'yes',
  ]) {
    expect(out).toContain(`--${option}`);
  }
  expect(services.calls).toEqual([]);
});
