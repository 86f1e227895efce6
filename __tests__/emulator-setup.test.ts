/** What a setup and the command line clients ask for, without them; `npm run test:clients` runs the real ones. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ProxyAgent, request } from 'undici';
import { APP_ROLES, GRAPH_APP_ID } from '../emulator/directory.ts';
import { Emulator, GLOBAL, SUBJECT, VAULT } from '../emulator/emulator.ts';
import { ISSUER } from '../emulator/github.ts';

const GRAPH = 'https://graph.microsoft.com/v1.0';
const MANAGEMENT = 'https://management.azure.com';
const VAULT_ID = `/subscriptions/${VAULT.subscriptionId}/resourceGroups/certificates/providers/Microsoft.KeyVault/vaults/${VAULT.name}`;

let emulator: Emulator;
let dispatcher: ProxyAgent;
let clock: Date;
let token: string;

beforeEach(async () => {
  clock = new Date();
  emulator = await Emulator.start({ now: () => clock });
  dispatcher = new ProxyAgent({ uri: emulator.proxyUrl, requestTls: { ca: emulator.authority.pem } });
  const admin = emulator.registerApp({ roles: ['Application.ReadWrite.All', 'AppRoleAssignment.ReadWrite.All'] });
  token = await emulator.entra.sign(admin, 'https://graph.microsoft.com/');
});
afterEach(async () => {
  await dispatcher.destroy();
  await emulator.stop();
});

type Json = Record<string, unknown>;
interface Reply {
  readonly status: number;
  readonly body: Json;
}

async function call(
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE',
  url: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await request(url, {
    dispatcher,
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body: body ? JSON.stringify(body) : null,
  });
  const text = await response.body.text();
  return { status: response.statusCode, body: (text === '' ? {} : JSON.parse(text)) as Json };
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`Not a text: ${JSON.stringify(value)}`);
  return value;
}

function values({ body }: Reply): Json[] {
  return body['value'] as Json[];
}

const CREDENTIAL = { name: 'github', issuer: ISSUER, subject: SUBJECT, audiences: [GLOBAL.audience] };

describe('the directory', () => {
  test('an application that was made, consented to and given a federated credential signs in and writes', async () => {
    const made = await call('POST', `${GRAPH}/applications`, { displayName: 'cert upload' });
    expect(made.status).toBe(201);
    const [id, appId] = [text(made.body['id']), text(made.body['appId'])];
    const principal = await call('POST', `${GRAPH}/servicePrincipals`, { appId });
    await call('POST', `${GRAPH}/applications/${id}/federatedIdentityCredentials`, CREDENTIAL);
    const [graph] = values(await call('GET', `${GRAPH}/servicePrincipals?$filter=appId eq '${GRAPH_APP_ID}'`));
    const role = (graph?.['appRoles'] as Json[]).find(({ value }) => value === 'APIConnectors.ReadWrite.All');
    const assignments = `${GRAPH}/servicePrincipals/${text(principal.body['id'])}/appRoleAssignments`;
    const grant = { principalId: principal.body['id'], resourceId: graph?.['id'], appRoleId: role?.['id'] };
    expect((await call('POST', assignments, grant)).status).toBe(201);
    expect((await call('POST', assignments, grant)).status).toBe(400);
    expect(values(await call('GET', assignments))).toHaveLength(1);

    const signedIn = await signIn(appId);
    expect(signedIn.status).toBe(200);
    token = text(signedIn.body['access_token']);
    const connector = `${GRAPH}/identity/apiConnectors/${GLOBAL.connectorId}`;
    expect((await call('PATCH', connector, { displayName: 'New' })).status).toBe(204);
  });

  test('upserts by unique name, by application and by the name of a credential', async () => {
    const prefer = { prefer: 'create-if-missing' };
    const application = `${GRAPH}/applications(uniqueName='cert-upload')`;
    const displayName = 'cert upload';
    expect((await call('PATCH', application, { displayName })).status).toBe(404);
    const created = await call('PATCH', application, { displayName }, prefer);
    expect(created).toMatchObject({ status: 201, body: { uniqueName: 'cert-upload', displayName } });
    expect((await call('PATCH', application, { displayName: 'other' }, prefer)).status).toBe(204);
    expect((await call('GET', `${application}?$select=displayName`)).body).toEqual({ displayName: 'other' });
    const principal = `${GRAPH}/servicePrincipals(appId='${text(created.body['appId'])}')`;
    expect((await call('PATCH', principal, {}, prefer)).status).toBe(201);
    expect((await call('PATCH', principal, {}, prefer)).status).toBe(204);
    const credential = `${application}/federatedIdentityCredentials(name='github')`;
    const { name, ...rest } = CREDENTIAL;
    expect(await call('PATCH', credential, rest, prefer)).toMatchObject({ status: 201, body: { name } });
    expect((await call('PATCH', credential, rest, prefer)).status).toBe(204);
  });

  test('an application has at most 20 federated credentials, of different names, issuers and subjects', async () => {
    const { body } = await call('POST', `${GRAPH}/applications`, { displayName: 'x' });
    const url = `${GRAPH}/applications/${text(body['id'])}/federatedIdentityCredentials`;
    const add = async (name: string, subject: string): Promise<number> =>
      (await call('POST', url, { ...CREDENTIAL, name, subject })).status;
    expect(await add('one', 'one')).toBe(201);
    expect(await add('one', 'other')).toBe(409);
    expect(await add('other', 'one')).toBe(400);
    for (let count = 2; count <= 20; count++) expect(await add(`n${count}`, `s${count}`)).toBe(201);
    expect(await add('n21', 's21')).toBe(400);
    expect(values(await call('GET', url))).toHaveLength(20);
  });

  test('what was just made is not found for a while', async () => {
    emulator.directory.lagMs = 2000;
    const { body } = await call('POST', `${GRAPH}/applications`, { displayName: 'x' });
    const url = `${GRAPH}/applications/${text(body['id'])}`;
    const principal = async (): Promise<number> =>
      (await call('POST', `${GRAPH}/servicePrincipals`, { appId: body['appId'] })).status;
    expect([(await call('GET', url)).status, await principal()]).toEqual([404, 400]);
    clock = new Date(clock.getTime() + 2000);
    expect([(await call('GET', url)).status, await principal()]).toEqual([200, 201]);
  });

  test('reading and writing need their permissions', async () => {
    const reader = emulator.registerApp({ roles: ['Application.Read.All'] });
    token = await emulator.entra.sign(reader, 'https://graph.microsoft.com');
    expect((await call('GET', `${GRAPH}/applications`)).status).toBe(200);
    expect((await call('POST', `${GRAPH}/applications`, { displayName: 'x' })).status).toBe(403);
    token = await emulator.entra.sign(
      { ...reader, roles: ['Application.ReadWrite.All'] },
      'https://graph.microsoft.com',
    );
    const assignment = { principalId: 'x', resourceId: 'y', appRoleId: APP_ROLES['APIConnectors.Read.All'] };
    expect((await call('POST', `${GRAPH}/servicePrincipals/x/appRoleAssignments`, assignment)).status).toBe(403);
  });
});

async function signIn(clientId: string, scope = 'https://graph.microsoft.com//.default'): Promise<Reply> {
  const response = await request(`https://login.microsoftonline.com/${GLOBAL.tenantId}/oauth2/v2.0/token`, {
    dispatcher,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      scope,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: await emulator.github.sign(GLOBAL.audience),
    }).toString(),
  });
  return { status: response.statusCode, body: (await response.body.json()) as Json };
}

describe('Entra', () => {
  test.each(['', '/'])('signs in for Azure Resource Manager by a scope that ends in “%s/.default”', async (slash) => {
    const { body } = await signIn(GLOBAL.clientId, `https://management.core.windows.net${slash}/.default`);
    token = text(body['access_token']);
    expect(await call('GET', `${MANAGEMENT}/subscriptions?api-version=2022-12-01`)).toMatchObject({
      status: 200,
      body: { value: [] },
    });
  });

  test.each([GLOBAL.tenantId, GLOBAL.tenantDomain])('describes the tenant %s', async (tenant) => {
    const { body } = await call(
      'GET',
      `https://login.microsoftonline.com/${tenant}/v2.0/.well-known/openid-configuration`,
    );
    expect(body).toMatchObject({
      issuer: `https://login.microsoftonline.com/${GLOBAL.tenantId}/v2.0`,
      token_endpoint: `https://login.microsoftonline.com/${GLOBAL.tenantId}/oauth2/v2.0/token`,
    });
    expect((await call('GET', text(body['jwks_uri']))).body['keys']).toHaveLength(1);
  });

  test('knows no other tenant, and describes the clouds', async () => {
    const login = 'https://login.microsoftonline.com';
    expect((await call('GET', `${login}/nobody.example/v2.0/.well-known/openid-configuration`)).status).toBe(400);
    const authority = encodeURIComponent(`${login}/${GLOBAL.tenantId}/oauth2/v2.0/authorize`);
    const instance = `${login}/common/discovery/instance?api-version=1.1&authorization_endpoint=${authority}`;
    expect((await call('GET', instance)).body['tenant_discovery_endpoint']).toBe(
      `${login}/${GLOBAL.tenantId}/v2.0/.well-known/openid-configuration`,
    );
  });
});

describe('Azure Resource Manager', () => {
  beforeEach(async () => {
    const { tenantId, clientId } = VAULT;
    token = await emulator.entra.sign(emulator.registerApp({ tenantId, clientId }), MANAGEMENT);
  });

  test('a role on a vault lets its principal read, once', async () => {
    const assignment = `${MANAGEMENT}${VAULT_ID}/providers/Microsoft.Authorization/roleAssignments/a`;
    const roleDefinitionId = `/providers/Microsoft.Authorization/roleDefinitions/4633458b-17de-408a-b874-0445c86b69e6`;
    const properties = { principalId: 'principal', roleDefinitionId };
    expect((await call('PUT', assignment, { properties })).status).toBe(201);
    expect((await call('PUT', assignment.replace(/a$/, 'b'), { properties })).status).toBe(409);
    expect(values(await call('GET', assignment.replace(/\/a$/, '')))).toHaveLength(1);
    expect(emulator.keyVault.vaults[0]?.readers).toContain('principal');
  });

  test('a vault with access policies is changed by them', async () => {
    const [vault] = emulator.keyVault.vaults;
    if (vault) vault.accessPolicies = [];
    const url = `${MANAGEMENT}${VAULT_ID}?api-version=2023-07-01`;
    const policy = { tenantId: VAULT.tenantId, objectId: 'principal', permissions: { secrets: ['get'] } };
    expect((await call('PATCH', url, { properties: { accessPolicies: [policy] } })).status).toBe(200);
    expect((await call('GET', url)).body['properties']).toMatchObject({
      enableRbacAuthorization: false,
      accessPolicies: [policy],
    });
    expect(vault?.readers).toContain('principal');
  });

  test('a token for something else is refused, and a subscription of another tenant is not there', async () => {
    const { tenantId, clientId } = VAULT;
    const app = emulator.registerApp({ tenantId, clientId });
    expect((await call('GET', `${MANAGEMENT}/subscriptions/${VAULT.subscriptionId}`)).status).toBe(200);
    token = await emulator.entra.sign(app, 'https://graph.microsoft.com');
    expect((await call('GET', `${MANAGEMENT}/subscriptions`)).status).toBe(401);
    token = await emulator.entra.sign(emulator.registerApp(), MANAGEMENT);
    expect((await call('GET', `${MANAGEMENT}/subscriptions/${VAULT.subscriptionId}`)).status).toBe(404);
  });
});

describe('api.github.com', () => {
  const url = 'https://api.github.com/repos/octo-org/octo-repo';
  beforeEach(() => {
    token = emulator.gitHubApi.token;
  });

  test('environments and their variables are made and read', async () => {
    const environment = `${url}/environments/production`;
    expect((await call('GET', environment)).status).toBe(404);
    expect((await call('PUT', environment)).status).toBe(200);
    const variable = { name: 'TENANT_ID', value: 'x' };
    expect((await call('POST', `${environment}/variables`, variable)).status).toBe(201);
    expect((await call('POST', `${environment}/variables`, variable)).status).toBe(409);
    expect((await call('GET', `${environment}/variables/TENANT_ID`)).body).toEqual(variable);
    expect((await call('GET', `${url}/actions/variables/TENANT_ID`)).status).toBe(404);
  });

  test('it says how the subject begins, and refuses another token', async () => {
    expect((await call('GET', `${url}/actions/oidc/customization/sub`)).body).toMatchObject({
      use_default: true,
      sub_claim_prefix: 'repo:octo-org/octo-repo',
    });
    token = 'another';
    expect((await call('GET', url)).status).toBe(401);
  });
});
