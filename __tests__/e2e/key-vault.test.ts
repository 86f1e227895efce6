/** A certificate straight out of a key vault, which is in another tenant than the connectors. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { clientCertificate, type ClientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL, VAULT } from '../../emulator/emulator.ts';
import type { Vault, VaultRefusal } from '../../emulator/key-vault.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { filterPage } from '../../emulator/shapes.ts';
import { runStep, type StepOptions } from './step.ts';

const NAME = 'connector';
const ADDRESS = `https://${VAULT.name}.vault.azure.net/certificates/${NAME}`;

const NO_VAULT = { 'key-vault-certificate': 'https://no-such-vault-here.vault.azure.net/certificates/connector' };
/** Vaults are reached without the proxy, and no name resolves. */
const WITHOUT_ITS_NAME = {
  NO_PROXY: '.vault.azure.net',
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(
    "import d from 'node:dns';d.lookup=(name,_,done)=>done(Object.assign(new Error('no '+name),{code:'ENOTFOUND'}))",
  )}`,
};

let emulator: Emulator;
let certificate: ClientCertificate;
let vault: Vault;

beforeAll(async () => {
  certificate = await clientCertificate();
});
beforeEach(async () => {
  emulator = await Emulator.start();
  vault = emulator.keyVault.vaults[0] as Vault;
});
afterEach(async () => {
  await emulator.stop();
});

async function run(inputs: Record<string, string> = {}, options: StepOptions = {}): Promise<RunResult> {
  const vaultInputs = { 'key-vault-certificate': ADDRESS, 'key-vault-client-id': VAULT.clientId, password: '' };
  return await runStep(emulator, { ...vaultInputs, ...inputs }, options);
}

function requests(): string[] {
  return emulator.requests.map(({ method, host, path }) => `${method} ${host}${path.split('?')[0] ?? ''}`);
}

function failure({ annotations }: RunResult): { code: string | undefined; message: string } {
  const error = annotations.find(({ level }) => level === 'error');
  return { code: error?.title, message: error?.message ?? '' };
}

describe.each([
  ['the sources', false],
  ['the bundle', true],
])('with %s', (_, bundle) => {
  test('one input is enough: read, uploaded, and what was read is named', async () => {
    const { version } = emulator.addVaultCertificate(NAME, certificate);
    const result = await run({}, { bundle });
    expect(result.annotations).toEqual([]);
    expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true', thumbprint: certificate.thumbprint });
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
    expect(result.log).toContain(`Read from the key vault ${VAULT.name}, certificate ${NAME}, version ${version}.`);
    expect(result.summary).toContain(version);
    expect(result.filesLeft).toEqual([]);
  });
});

test('each request goes where it has to, with a token of its own, and nothing is asked twice', async () => {
  emulator.addVaultCertificate(NAME, certificate);
  await run();
  const secret = `GET ${VAULT.name}.vault.azure.net/secrets/${NAME}`;
  const graph = `graph.microsoft.com/v1.0/identity/apiConnectors/${GLOBAL.connectorId}`;
  expect(requests().sort()).toEqual(
    [
      secret,
      secret,
      `POST login.microsoftonline.com/${VAULT.tenantId}/oauth2/v2.0/token`,
      `POST login.microsoftonline.com/${GLOBAL.tenantId}/oauth2/v2.0/token`,
      `GET ${graph}`,
      `POST ${graph}/uploadClientCertificate`,
      ...requests().filter((request) => request.includes('actions.githubusercontent.com')),
    ].sort(),
  );
  expect(requests().filter((request) => request.includes('actions.githubusercontent.com'))).toHaveLength(2);
  const [challenge, read] = emulator.requests.filter(({ host }) => host.endsWith('vault.azure.net'));
  expect(challenge?.headers['authorization']).toBeUndefined();
  expect(read?.headers['authorization']).toMatch(/^Bearer /);
});

test('the same version again uploads nothing', async () => {
  emulator.addVaultCertificate(NAME, certificate);
  await run();
  expect((await run()).outputs).toMatchObject({ uploaded: 'false', 'is-active': 'true' });
});

test('PEM with its chain is read too', async () => {
  emulator.addVaultCertificate(NAME, certificate, { contentType: 'application/x-pem-file' });
  expect((await run()).outputs).toMatchObject({ uploaded: 'true' });
});

test.each(['application/x-pkcs12', 'application/x-pem-file'] as const)(
  'no output is masked, since the runner passes such a one to no other job: %s',
  async (contentType) => {
    emulator.addVaultCertificate(NAME, certificate, { contentType });
    const { outputs, masks } = await run();
    expect(outputs['certificate']).toContain('-----BEGIN CERTIFICATE-----');
    const masked = Object.entries(outputs).filter(([, value]) => masks.some((mask) => value.includes(mask)));
    expect(masked).toEqual([]);
    const key = certificate.keyPem.split('\n').filter((line) => line.length === 64);
    expect(masks).toEqual(expect.arrayContaining(key));
  },
);

test('a vault that is read as the application of client-id needs no second one', async () => {
  emulator.addVaultCertificate(NAME, certificate);
  emulator.registerApp({ ...VAULT, clientId: GLOBAL.clientId });
  vault.readers.add(GLOBAL.clientId);
  expect((await run({ 'key-vault-client-id': '' })).outputs).toMatchObject({ uploaded: 'true' });
});

test('an older version by its number', async () => {
  const older = emulator.addVaultCertificate(NAME, certificate);
  emulator.addVaultCertificate(NAME, await clientCertificate());
  const result = await run({ 'key-vault-certificate': `${ADDRESS}/${older.version}` });
  expect(result.outputs['thumbprint']).toBe(certificate.thumbprint);
});

describe('a vault that refuses', () => {
  test.each<[VaultRefusal, string, string]>([
    ['ForbiddenByRbac', 'KEY_VAULT_ROLE_MISSING', 'az role assignment create --role "Key Vault Secrets User"'],
    ['ForbiddenByPolicy', 'KEY_VAULT_ACCESS_POLICY_MISSING', 'az keyvault set-policy'],
    ['AccessDenied', 'KEY_VAULT_ACCESS_POLICY_MISSING', '--secret-permissions get'],
    ['ForbiddenByFirewall', 'KEY_VAULT_FIREWALL', '--ip-address 20.1.2.3'],
    ['ForbiddenByConnection', 'KEY_VAULT_PUBLIC_ACCESS_OFF', 'az keyvault update'],
  ])('%s is %s, with the fix', async (refuses, code, fix) => {
    emulator.addVaultCertificate(NAME, certificate);
    vault.refuses = refuses;
    const { code: shown, message } = failure(await run());
    expect(shown).toBe(code);
    expect(message).toContain(fix);
    expect(message).toMatch(/x-ms-request-id [0-9a-f-]+/);
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([]);
  });

  test('no such certificate', async () => {
    const { code, message } = failure(await run());
    expect(code).toBe('KEY_VAULT_CERTIFICATE_NOT_FOUND');
    expect(message).toContain(`az keyvault certificate recover --vault-name ${VAULT.name} --name ${NAME}`);
  });

  test('the latest version is disabled: an older one is not read instead', async () => {
    emulator.addVaultCertificate(NAME, certificate);
    emulator.addVaultCertificate(NAME, await clientCertificate(), { enabled: false });
    expect(failure(await run()).code).toBe('KEY_VAULT_CERTIFICATE_DISABLED');
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([]);
  });

  test.each(['application/x-pkcs12', 'application/x-pem-file'] as const)(
    'the key does not leave it: %s',
    async (contentType) => {
      emulator.addVaultCertificate(NAME, certificate, { exportable: false, contentType });
      expect(failure(await run()).code).toBe('KEY_VAULT_KEY_NOT_EXPORTABLE');
      expect(emulator.certificates(GLOBAL.connectorId)).toEqual([]);
    },
  );

  test('no vault of this name', async () => {
    // Of all names only that of the vault has to resolve on the runner, and does not.
    const { code, message } = failure(await run(NO_VAULT, { bundle: true, env: WITHOUT_ITS_NAME }));
    expect(code).toBe('KEY_VAULT_NOT_FOUND');
    expect(message).toContain('There seems to be no key vault no-such-vault-here.vault.azure.net');
  });

  test('no vault of this name, behind a proxy, which reports only that it could not connect', async () => {
    const { code, message } = failure(await run(NO_VAULT));
    expect(code).toBe('PROXY_REFUSED');
    expect(message).toContain('the proxy cannot resolve the name');
    expect(message).toContain('az keyvault list-deleted');
  }, 20_000);

  test('an application that its tenant does not know: which of the two it was', async () => {
    emulator.addVaultCertificate(NAME, certificate);
    const { code, message } = failure(await run({ 'key-vault-client-id': '' }));
    expect(code).toBe('KEY_VAULT_OF_ANOTHER_TENANT');
    expect(message).toContain('bash setup.sh --tenant TENANT_ID');
  });

  test('the sign-in to Graph fails: that it was this one', async () => {
    emulator.addVaultCertificate(NAME, certificate);
    const result = await run({ 'client-id': '99999999-8888-4777-8666-555555555555' });
    const { code, message } = failure(result);
    expect(code).toBe('APPLICATION_NOT_FOUND');
    expect(message).toContain('This was the sign-in to Microsoft Graph');
    // As with a file, the outputs of the certificate are there.
    expect(result.outputs).toMatchObject({ thumbprint: certificate.thumbprint });
    expect(result.outputs['certificate']).toContain('BEGIN CERTIFICATE');
  });

  test('an ordinary secret is not shown, though its content type repeats it', async () => {
    const secret = 'hunter2-db';
    vault.secrets.set(NAME, [
      { version: 'a'.repeat(32), value: secret, contentType: secret, created: new Date(), enabled: true },
    ]);
    const result = await run();
    expect(failure(result).code).toBe('KEY_VAULT_NOT_A_CERTIFICATE');
    expect(result.masks).toContain(secret);
    expect(failure(result).message).not.toContain(secret);
    expect(result.summary).not.toContain(secret);
  });

  test('throttled once: asked again', async () => {
    emulator.addVaultCertificate(NAME, certificate);
    emulator.fault({
      on: 'secret',
      do: { kind: 'status', status: 429, body: { error: { code: 'Throttled', message: 'x' } } },
    });
    expect((await run()).exitCode).toBe(0);
  });

  test('a filter in between is named', async () => {
    emulator.addVaultCertificate(NAME, certificate);
    emulator.fault({ on: 'secret', do: { kind: 'status', ...filterPage(403) } });
    expect(failure(await run()).code).toBe('INTERCEPTED');
  });

  test('an expired certificate: renewed where it comes from', async () => {
    const expired = await clientCertificate({
      notBefore: new Date(Date.now() - 9e9),
      notAfter: new Date(Date.now() - 1e9),
    });
    emulator.addVaultCertificate(NAME, expired);
    const { code, message } = failure(await run());
    expect(code).toBe('CERTIFICATE_EXPIRED');
    expect(message).toContain('az keyvault certificate create');
  });
});

describe('a challenge', () => {
  test.each([
    [
      'that names another sign-in host',
      `Bearer authorization="https://login.evil.example/${VAULT.tenantId}", resource="https://vault.azure.net"`,
    ],
    [
      'that names another resource',
      `Bearer authorization="https://login.microsoftonline.com/${VAULT.tenantId}", resource="https://evil.example"`,
    ],
  ])('%s: its tenant is all that is used', async (_, challenge) => {
    emulator.addVaultCertificate(NAME, certificate);
    vault.challenge = challenge;
    expect((await run()).exitCode).toBe(0);
    expect(emulator.connects.map(({ host }) => host)).not.toContain('login.evil.example');
  });

  test.each([
    [
      'without a tenant',
      'Bearer authorization="https://login.microsoftonline.com/", resource="https://vault.azure.net"',
    ],
    ['with a path for a tenant', 'Bearer authorization="https://login.microsoftonline.com/../../evil", resource="x"'],
    ['of rubbish', 'Bearer authorization='.repeat(5000)],
    ['that is missing', null],
  ])('%s ends the step', async (_, challenge) => {
    emulator.addVaultCertificate(NAME, certificate);
    vault.challenge = challenge;
    expect(failure(await run()).code).toBe('KEY_VAULT_REFUSED');
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([]);
  });

  test('of another tenant: the vault says whose it is', async () => {
    emulator.addVaultCertificate(NAME, certificate);
    emulator.registerApp({ ...GLOBAL, clientId: VAULT.clientId });
    vault.challenge = `Bearer authorization="https://login.microsoftonline.com/${GLOBAL.tenantId}", resource="https://vault.azure.net"`;
    expect(failure(await run()).code).toBe('KEY_VAULT_OF_ANOTHER_TENANT');
  });
});

test.each([
  ['a password', { password: 'throw-away password' }, '"password" is set'],
  ['a file as well', { 'pfx-file': 'a.pfx' }, 'only one of them'],
  [
    'a host that is no vault',
    { 'key-vault-certificate': 'https://evil.example/certificates/x' },
    'does not name a vault',
  ],
])('%s is refused before anything is asked', async (_, inputs, message) => {
  const shown = failure(await run(inputs));
  expect(shown.code).toBe('INPUT_INVALID');
  expect(shown.message).toContain(message);
  expect(emulator.connects).toEqual([]);
});
