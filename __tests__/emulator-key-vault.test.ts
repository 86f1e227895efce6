/** The vault is only worth what it refuses: here it is asked directly, without the action. */
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { ProxyAgent, request } from 'undici';
import { clientCertificate, type ClientCertificate } from '../emulator/certificates.ts';
import { CHINA, Emulator, GLOBAL, SUBJECT, VAULT } from '../emulator/emulator.ts';
import { ISSUER } from '../emulator/github.ts';
import type { Vault, VaultRefusal } from '../emulator/key-vault.ts';

const BASE = `https://${VAULT.name}.vault.azure.net`;
const SECRET = `${BASE}/secrets/connector`;

let emulator: Emulator;
let dispatcher: ProxyAgent;
let certificate: ClientCertificate;
let vault: Vault;

beforeAll(async () => {
  certificate = await clientCertificate();
});
beforeEach(async () => {
  emulator = await Emulator.start();
  dispatcher = new ProxyAgent({ uri: emulator.proxyUrl, requestTls: { ca: emulator.authority.pem } });
  vault = emulator.keyVault.vaults[0] as Vault;
});
afterEach(async () => {
  await dispatcher.destroy();
  await emulator.stop();
});

interface Body {
  readonly value?: string;
  readonly access_token?: string;
  readonly error_codes?: number[];
  readonly error?: { readonly code: string; readonly message: string; readonly innererror?: { readonly code: string } };
}

async function get(url: string, token?: string) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await request(url, { dispatcher, headers });
  return { status: response.statusCode, headers: response.headers, body: (await response.body.json()) as Body };
}

async function secret(token: string, path = ''): Promise<Awaited<ReturnType<typeof get>>> {
  return get(`${SECRET}${path}?api-version=7.4`, token);
}

async function signIn(
  scope: string,
  { tenantId, clientId }: { tenantId: string; clientId: string } = VAULT,
  host = 'login.microsoftonline.com',
  audience: string = GLOBAL.audience,
): Promise<Body> {
  const response = await request(`https://${host}/${tenantId}/oauth2/v2.0/token`, {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      scope,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await emulator.github.sign(audience),
    }).toString(),
  });
  return (await response.body.json()) as Body;
}

async function vaultToken(): Promise<string> {
  return (await signIn('https://vault.azure.net/.default')).access_token ?? '';
}

test('a request without a token is answered with the tenant and the resource', async () => {
  expect(await get(`${SECRET}?api-version=7.4`)).toMatchObject({
    status: 401,
    headers: {
      'www-authenticate': `Bearer authorization="https://login.microsoftonline.com/${VAULT.tenantId}", resource="https://vault.azure.net"`,
    },
    body: { error: { code: 'Unauthorized', message: expect.stringContaining('AKV10000') } },
  });
  expect(emulator.requests.map(({ service, kind }) => [service, kind])).toEqual([['key-vault', 'challenge']]);
});

test('the latest version holds certificate and key without a password', async () => {
  emulator.addVaultCertificate('connector', await clientCertificate());
  const { version } = emulator.addVaultCertificate('connector', certificate);
  const { status, body } = await secret(await vaultToken());
  expect(status).toBe(200);
  expect(body).toMatchObject({
    contentType: 'application/x-pkcs12',
    id: `${SECRET}/${version}`,
    kid: `${BASE}/keys/connector/${version}`,
    managed: true,
    attributes: { enabled: true, exp: certificate.notAfter.getTime() / 1000, created: expect.any(Number) },
  });
  const pfx = Buffer.from(body.value ?? '', 'base64');
  expect(() => createSecureContext({ pfx, passphrase: '' })).not.toThrow();
  expect(emulator.requests.map(({ kind, status: answered }) => [kind, answered])).toEqual([
    ['token', 200],
    ['secret', 200],
  ]);
});

test('an older version is had by its name, and a disabled latest one is not passed over', async () => {
  const { version } = emulator.addVaultCertificate('connector', certificate);
  emulator.addVaultCertificate('connector', await clientCertificate(), { enabled: false });
  const token = await vaultToken();
  expect((await secret(token, `/${version}`)).status).toBe(200);
  expect(await secret(token)).toMatchObject({
    status: 403,
    body: { error: { code: 'Forbidden', innererror: { code: 'SecretDisabled' } } },
  });
});

test('as PEM: key, certificate and chain', async () => {
  const chainPem = (await clientCertificate({ commonName: 'issuer' })).certificatePem;
  emulator.addVaultCertificate('connector', certificate, { contentType: 'application/x-pem-file', chainPem });
  const { body } = await secret(await vaultToken());
  expect(body.value?.match(/-----BEGIN [^-]+-----/g)).toEqual([
    '-----BEGIN PRIVATE KEY-----',
    '-----BEGIN CERTIFICATE-----',
    '-----BEGIN CERTIFICATE-----',
  ]);
});

test('as .pfx: the chain too, and the same file whenever it is the same certificate', async () => {
  const { certificatePem: chainPem } = await clientCertificate({ commonName: 'issuer' });
  const values: string[] = [];
  for (const options of [{}, { chainPem }, { chainPem }]) {
    emulator.addVaultCertificate('connector', certificate, options);
    values.push((await secret(await vaultToken())).body.value ?? '');
  }
  const [alone = '', chained, again] = values;
  const der = new X509Certificate(chainPem).raw;
  expect(Buffer.from(chained ?? '', 'base64').length - Buffer.from(alone, 'base64').length).toBeGreaterThan(der.length);
  expect(again).toBe(chained);
});

test.each(['application/x-pkcs12', 'application/x-pem-file'] as const)(
  'a key that may not be exported is not in the value (%s)',
  async (contentType) => {
    emulator.addVaultCertificate('connector', certificate, { contentType, exportable: false });
    const { value = '' } = (await secret(await vaultToken())).body;
    const { serialNumber } = new X509Certificate(certificate.certificatePem);
    if (contentType === 'application/x-pem-file') {
      expect(new X509Certificate(value).serialNumber).toBe(serialNumber);
      expect(value).not.toContain('PRIVATE');
    } else {
      // ContentInfo of encrypted certificates only: no bag with a key.
      expect(Buffer.from(value, 'base64').toString('hex')).not.toContain('2a864886f70d010c0a0102');
      expect(() => createSecureContext({ pfx: Buffer.from(value, 'base64'), passphrase: '' })).toThrow();
    }
  },
);

test('a token must be for vaults, of the tenant of this one, and the version of the API must be given', async () => {
  emulator.addVaultCertificate('connector', certificate);
  const message = async (token: string): Promise<string | undefined> => (await secret(token)).body.error?.message;
  const graph = (await signIn('https://graph.microsoft.com/.default')).access_token ?? '';
  expect(await message(graph)).toMatch(/^AKV10022: Invalid audience. Expected https:\/\/vault.azure.net, found/);
  const stranger = (await signIn('https://vault.azure.net/.default', GLOBAL)).access_token ?? '';
  expect(await message(stranger)).toBe(
    `AKV10032: Invalid issuer. Expected one of https://sts.windows.net/${VAULT.tenantId}/, found https://sts.windows.net/${GLOBAL.tenantId}/.`,
  );
  expect((await secret('nonsense')).status).toBe(401);
  const token = await vaultToken();
  expect(await get(SECRET, token)).toMatchObject({ status: 400, body: { error: { code: 'BadParameter' } } });
  expect((await get(`${SECRET}?api-version=1.0`, token)).status).toBe(400);
  expect((await get(`${SECRET}/?api-version=7.4`, token)).status).toBe(200);
});

test.each<[VaultRefusal, number, RegExp]>([
  ['ForbiddenByRbac', 403, /Caller: appid=bbbbbbbb.*\r\nAction: 'Microsoft.KeyVault.*\r\nResource: '.*connector'/],
  ['ForbiddenByPolicy', 403, /does not have secrets get permission/],
  ['AccessDenied', 403, /does not have secrets get permission/],
  ['ForbiddenByFirewall', 403, /Client address: 20\.1\.2\.3/],
  ['ForbiddenByConnection', 403, /Public network access is disabled/],
])('refuses with %s', async (refuses, status, message) => {
  emulator.addVaultCertificate('connector', certificate);
  vault.refuses = refuses;
  expect(await secret(await vaultToken())).toMatchObject({
    status,
    headers: { 'x-ms-request-id': expect.any(String) },
    body: { error: { code: 'Forbidden', message: expect.stringMatching(message), innererror: { code: refuses } } },
  });
});

test('an application that may not read is refused by RBAC, too many requests with 429, an unknown name with 404', async () => {
  const token = await vaultToken();
  expect(await secret(token)).toMatchObject({ status: 404, body: { error: { code: 'SecretNotFound' } } });
  expect((await get(`${BASE}/certificates/connector?api-version=7.4`, token)).body.error?.code).toBe(
    'CertificateNotFound',
  );
  vault.refuses = 'Throttled';
  expect((await secret(token)).status).toBe(429);
  vault.refuses = undefined;
  vault.readers.clear();
  expect((await secret(token)).body.error?.innererror?.code).toBe('ForbiddenByRbac');
});

test.each([null, 'Bearer', 'Bearer authorization="https://evil.example/x", resource="https://evil.example"'])(
  'the challenge may be %s',
  async (challenge) => {
    vault.challenge = challenge;
    const { status, headers } = await get(`${SECRET}?api-version=7.4`);
    expect([status, headers['www-authenticate'] ?? null]).toEqual([401, challenge]);
  },
);

test('a vault of China has an audience and a login host of its own', async () => {
  const china = emulator.addVault({ name: 'cn', cloud: 'china', tenantId: CHINA.tenantId, readers: [CHINA.clientId] });
  emulator.addVaultCertificate('connector', certificate, { vault: china });
  const url = 'https://cn.vault.azure.cn/secrets/connector?api-version=7.4';
  expect((await get(url)).headers['www-authenticate']).toContain('https://login.partner.microsoftonline.cn/');
  const login = 'login.partner.microsoftonline.cn';
  const { access_token } = await signIn('https://vault.azure.cn/.default', CHINA, login, CHINA.audience);
  expect((await get(url, access_token)).status).toBe(200);
  const wrong = await signIn('https://vault.azure.net/.default', CHINA, login, CHINA.audience);
  expect(wrong.error_codes).toEqual([500011]);
});

test('one subject signs in to several applications in several tenants', async () => {
  const third = { tenantId: '33333333-4444-4555-8666-777777777777', clientId: 'cccccccc-dddd-4eee-8fff-000000000000' };
  emulator.registerApp({
    ...third,
    tenantDomain: 'third.onmicrosoft.com',
    federatedCredentials: [{ issuer: ISSUER, subject: SUBJECT, audience: GLOBAL.audience }],
  });
  for (const application of [GLOBAL, VAULT, third]) {
    expect((await signIn('https://graph.microsoft.com/.default', application)).access_token).toBeDefined();
  }
});

test('the name of a vault that is not there does not resolve, as a proxy puts it', async () => {
  await expect(get('https://no-such-vault.vault.azure.net/secrets/x?api-version=7.4')).rejects.toThrow();
  expect(emulator.connects.at(-1)).toMatchObject({ host: 'no-such-vault.vault.azure.net', status: 502 });
  expect(emulator.refusedConnects).toEqual([]);
});
