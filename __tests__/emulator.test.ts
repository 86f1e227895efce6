/** The emulator is only worth what it refuses: here it is asked directly, without the action. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import forge from 'node-forge';
import { generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ProxyAgent, request } from 'undici';
import { clientCertificate, type ClientCertificate } from '../emulator/certificates.ts';
import { CHINA, Emulator, GLOBAL, SUBJECT } from '../emulator/emulator.ts';
import { acceptPfx } from '../emulator/client-certificate.ts';
import { refusal } from '../emulator/entra.ts';
import { ISSUER } from '../emulator/github.ts';
import { pfxOf } from '../emulator/pfx.ts';
import { runAction } from '../emulator/runner.ts';
import { certificate as issue, newKeys, privateKeyOf, type Keys } from './pkcs12/builder.ts';

const PASSWORD = 'correct horse';
const CONNECTOR = `https://graph.microsoft.com/v1.0/identity/apiConnectors/${GLOBAL.connectorId}`;

let emulator: Emulator;
let dispatcher: ProxyAgent;
let clock: Date;

beforeEach(async () => {
  clock = new Date();
  emulator = await Emulator.start({ now: () => clock, pageSize: 2 });
  dispatcher = new ProxyAgent({ uri: emulator.proxyUrl, requestTls: { ca: emulator.authority.pem } });
});
afterEach(async () => {
  await dispatcher.destroy();
  await emulator.stop();
});

interface Certificate {
  thumbprint: string;
  notAfter: number;
  isActive: boolean;
}
interface Body {
  value?: string;
  access_token?: string;
  error_codes?: number[];
  error?: { code: string; innerError: Record<string, string> };
  authenticationConfiguration?: { '@odata.type': string; certificateList: Certificate[] };
}

async function call(
  method: 'GET' | 'POST' | 'PATCH',
  url: string,
  token = '',
  body?: string | object,
): Promise<{ status: number; body: Body }> {
  const response = await request(url, {
    dispatcher,
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': typeof body === 'string' ? 'application/x-www-form-urlencoded' : 'application/json',
    },
    body: typeof body === 'object' ? JSON.stringify(body) : (body ?? null),
  });
  const text = await response.body.text();
  return { status: response.statusCode, body: (text === '' ? {} : JSON.parse(text)) as Body };
}

async function idToken(audience: string = GLOBAL.audience): Promise<string> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url = '', ACTIONS_ID_TOKEN_REQUEST_TOKEN: token = '' } = emulator.environment();
  return (await call('GET', `${url}&audience=${encodeURIComponent(audience)}`, token)).body.value ?? '';
}

async function signIn(
  assertion: string,
  changes: Record<string, string> = {},
  tenant: string = GLOBAL.tenantId,
): Promise<Body> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: GLOBAL.clientId,
    scope: 'https://graph.microsoft.com/.default',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    ...changes,
  });
  return (await call('POST', `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token`, '', form.toString()))
    .body;
}

async function accessToken(): Promise<string> {
  return (await signIn(await idToken())).access_token ?? '';
}

async function upload(
  certificate: ClientCertificate,
  token: string,
  algorithm: '3des' | 'aes256' = '3des',
  password = PASSWORD,
) {
  const pkcs12Value = pfxOf(certificate, PASSWORD, algorithm).toString('base64');
  return call('POST', `${CONNECTOR}/uploadClientCertificate`, token, { pkcs12Value, password });
}

function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * 86_400_000);
}

describe('a file holds the leaf, its issuers and the key, and nothing else', () => {
  let keys: Keys;
  let keyPem: string;
  /** In PEM, by what they are to the leaf. */
  const made: Record<string, string> = {};

  beforeAll(async () => {
    const [root, intermediate] = [await newKeys(), await newKeys()];
    keys = await newKeys();
    keyPem = (await privateKeyOf(keys)).export({ type: 'pkcs8', format: 'pem' }).toString();
    const issuer = { name: 'CN=intermediate', keys: intermediate };
    made['root'] = String(await issue('CN=root', root));
    made['intermediate'] = String(await issue(issuer.name, intermediate, { issuer: { name: 'CN=root', keys: root } }));
    made['leaf'] = String(await issue('CN=leaf', keys, { issuer }));
    made['twin'] = String(await issue('CN=leaf', keys, { issuer, to: 5 }));
    made['namesake'] = String(await issue(issuer.name, await newKeys()));
    made['unrelated'] = String(await issue('CN=unrelated', await newKeys()));
  });

  const judge = (...chain: readonly string[]): string => {
    const chainPem = chain.map((name) => made[name]).join('');
    const file = pfxOf({ certificatePem: made['leaf'] ?? '', keyPem, chainPem }, PASSWORD);
    try {
      acceptPfx(file.toString('base64'), PASSWORD, clock);
      return 'accepted';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  test.each([[[]], [['intermediate']], [['intermediate', 'root']], [['root', 'intermediate']]])(
    'accepted: the leaf and %j',
    (chain) => {
      expect(judge(...chain)).toBe('accepted');
    },
  );

  test.each([
    ['leaf'],
    ['twin'],
    ['unrelated'],
    ['namesake'],
    ['root'],
    ['intermediate', 'intermediate'],
    ['intermediate', 'root', 'unrelated'],
  ])('refused: the leaf and %s %s %s', (...chain) => {
    expect(judge(...chain)).toBe('AADB2C90215');
  });

  test.each([
    [300_000, 'AADB2C90213'],
    [300_001, 'AADB2C90215'],
  ])('a MAC of %s rounds is refused with %s: the first is only wrong', (rounds, code) => {
    const { asn1 } = forge;
    const file = pfxOf({ certificatePem: made['leaf'] ?? '', keyPem }, PASSWORD);
    const pfx = asn1.fromDer(file.toString('binary'));
    const mac = (pfx.value as forge.asn1.Asn1[])[2]?.value as forge.asn1.Asn1[];
    (mac[2] as forge.asn1.Asn1).value = asn1.integerToDer(rounds).getBytes();
    const base64 = Buffer.from(asn1.toDer(pfx).getBytes(), 'binary').toString('base64');
    expect(() => acceptPfx(base64, PASSWORD, clock)).toThrow(expect.objectContaining({ code }));
  });
});

test('signs in, uploads, and shows the certificate as active', async () => {
  const certificate = await clientCertificate();
  const answer = await upload(certificate, await accessToken());
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({
    '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#identity/apiConnectors/$entity',
    displayName: 'Verify sign-up',
    authenticationConfiguration: {
      '@odata.type': '#microsoft.graph.clientCertificateAuthentication',
      certificateList: [
        { thumbprint: certificate.thumbprint, notAfter: certificate.notAfter.getTime() / 1000, isActive: true },
      ],
    },
  });
  expect(emulator.requests.map(({ kind, status }) => [kind, status])).toEqual([
    ['id-token', 200],
    ['token', 200],
    ['upload', 200],
  ]);
});

test('signs in to China with the credential that is registered there', async () => {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: CHINA.clientId,
    scope: 'https://microsoftgraph.chinacloudapi.cn/.default',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: await idToken(CHINA.audience),
  });
  const url = `https://login.partner.microsoftonline.cn/${CHINA.tenantId}/oauth2/v2.0/token`;
  const { access_token } = (await call('POST', url, '', form.toString())).body;
  const root = 'https://microsoftgraph.chinacloudapi.cn/v1.0/identity/apiConnectors';
  expect((await call('GET', `${root}/${CHINA.connectorId}`, access_token)).status).toBe(200);
  expect((await call('GET', `${root}/${GLOBAL.connectorId}`, access_token)).status).toBe(404);
});

test.each<[string, number, JWTPayload]>([
  ['issuer', 700211, { iss: 'https://github.example/_services/token' }],
  ['audience', 700212, { aud: 'api://AzureADTokenExchangeChina' }],
  ['subject', 700213, { sub: 'repo:octo-org@123/octo-repo@456:environment:production' }],
  ['letter case of the subject', 7002138, { sub: SUBJECT.toUpperCase() }],
  ['expiry', 700024, { exp: 1_700_000_000, nbf: 1_600_000_000 }],
])('refuses an assertion for its %s with AADSTS%d', async (_what, code, claims) => {
  const body = await signIn(await emulator.github.sign(GLOBAL.audience, claims));
  expect(body).toMatchObject({ error: 'invalid_client', error_codes: [code] });
});

test('refuses an assertion that somebody else signed', async () => {
  const { privateKey } = await generateKeyPair('RS256');
  const forged = await new SignJWT({ iss: ISSUER, sub: SUBJECT, aud: GLOBAL.audience })
    .setProtectedHeader({ alg: 'RS256' })
    .setExpirationTime('5m')
    .sign(privateKey);
  expect(await signIn(forged)).toMatchObject({ error_codes: [700027] });
});

test.each<[string, number, Record<string, string>, string]>([
  ['an app of another tenant', 700016, { client_id: CHINA.clientId }, GLOBAL.tenantId],
  ['a tenant of another cloud', 90002, {}, CHINA.tenantId],
  ['another resource', 500011, { scope: 'https://graph.microsoft.us/.default' }, GLOBAL.tenantId],
  ['a scope of its own', 1002012, { scope: 'https://graph.microsoft.com/User.Read' }, GLOBAL.tenantId],
  ['another grant', 70003, { grant_type: 'password' }, GLOBAL.tenantId],
])('refuses %s with AADSTS%d', async (_what, code, changes, tenant) => {
  expect(await signIn(await idToken(), changes, tenant)).toMatchObject({ error_codes: [code] });
});

test('refuses an app without federated credentials, and a disabled one', async () => {
  emulator.registerApp({ federatedCredentials: [] });
  expect(await signIn(await idToken())).toMatchObject({ error_codes: [70025] });
  emulator.registerApp({ disabled: true });
  expect(await signIn(await idToken())).toMatchObject({ error_codes: [7000112] });
});

test('answers a Graph call by the token that it carries', async () => {
  const app = emulator.registerApp({ roles: ['APIConnectors.Read.All'] });
  const reader = await accessToken();
  const certificate = await clientCertificate();
  expect((await call('GET', CONNECTOR, reader)).status).toBe(200);
  expect(await upload(certificate, reader)).toMatchObject({
    status: 403,
    body: { error: { code: 'Authorization_RequestDenied', innerError: { 'client-request-id': expect.any(String) } } },
  });
  for (const token of ['', await idToken(), await emulator.entra.sign(app, 'https://graph.windows.net')]) {
    expect(await call('GET', CONNECTOR, token)).toMatchObject({
      status: 401,
      body: { error: { code: 'InvalidAuthenticationToken' } },
    });
  }
  clock = daysFromNow(1);
  expect((await call('GET', CONNECTOR, reader)).status).toBe(401);
});

test('takes no .pfx but a TripleDES-SHA1 one with its password, of a certificate that has not expired', async () => {
  const token = await accessToken();
  const healthy = await clientCertificate();
  const expired = await clientCertificate({ notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) });
  const code = (answer: { body: Body }): unknown => answer.body.error?.code;
  expect(code(await upload(healthy, token, 'aes256'))).toBe('AADB2C90213');
  expect(code(await upload(healthy, token, '3des', 'wrong'))).toBe('AADB2C90213');
  expect(code(await upload(expired, token))).toBe('AADB2C90214');
  const url = `${CONNECTOR}/uploadClientCertificate`;
  expect(code(await call('POST', url, token, { pkcs12Value: 'bm90IGEgcGZ4', password: '' }))).toBe('AADB2C90215');
  expect(code(await call('POST', url, token, { pkcs12Value: 'bm90IGEgcGZ4' }))).toBe('BadRequest');
  expect(emulator.certificates(GLOBAL.connectorId)).toEqual([]);
});

test('active is the certificate uploaded last among those valid now', async () => {
  const token = await accessToken();
  const [first, second, future] = await Promise.all([
    clientCertificate(),
    clientCertificate({ notAfter: daysFromNow(30) }),
    clientCertificate({ notBefore: daysFromNow(10) }),
  ]);
  for (const certificate of [first, second, future]) await upload(certificate, token);
  const active = async (): Promise<string[]> => {
    const { body } = await call('GET', CONNECTOR, await accessToken());
    return (body.authenticationConfiguration?.certificateList ?? [])
      .filter(({ isActive }) => isActive)
      .map(({ thumbprint }) => thumbprint);
  };
  expect(await active()).toEqual([second.thumbprint]);
  clock = daysFromNow(20);
  expect(await active()).toEqual([future.thumbprint]);
});

test('an update overwrites what was there; basic authentication never shows its password', async () => {
  const token = await accessToken();
  const certificate = await clientCertificate();
  const update = async (authenticationConfiguration: object) =>
    (await call('PATCH', CONNECTOR, token, { authenticationConfiguration })).status;
  expect(
    await update({ '@odata.type': '#microsoft.graph.basicAuthentication', username: 'u', password: 'hidden' }),
  ).toBe(204);
  expect((await call('GET', CONNECTOR, token)).body.authenticationConfiguration).toMatchObject({ password: '******' });
  const pkcs12Value = pfxOf(certificate, PASSWORD).toString('base64');
  expect(await update({ '@odata.type': '#microsoft.graph.pkcs12Certificate', pkcs12Value, password: PASSWORD })).toBe(
    204,
  );
  expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
});

test('the list comes in pages, and shows the connectors of the token’s tenant only', async () => {
  for (const id of ['one', 'two']) emulator.addConnector({ id });
  const token = await accessToken();
  const seen: string[] = [];
  let url: string | undefined = CONNECTOR.replace(/\/[^/]*$/, '');
  while (url !== undefined) {
    const page = (await call('GET', url, token)).body as unknown as {
      value: { id: string }[];
      '@odata.nextLink'?: string;
    };
    seen.push(...page.value.map(({ id }) => id));
    url = page['@odata.nextLink'];
  }
  expect(seen).toEqual([GLOBAL.connectorId, 'one', 'two']);
});

test('an answer that is lost after the act leaves the certificate on the connector', async () => {
  const token = await accessToken();
  const certificate = await clientCertificate();
  emulator.fault({ on: 'upload', do: { kind: 'reset' } });
  emulator.fault({ on: 'upload', do: { kind: 'reset' }, actFirst: true });
  await expect(upload(certificate, token)).rejects.toThrow();
  expect(emulator.certificates(GLOBAL.connectorId)).toEqual([]);
  await expect(upload(certificate, token)).rejects.toThrow();
  expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
});

test('faults meet the requests that they are meant for', async () => {
  const token = await accessToken();
  emulator.fault({ on: 'get', skip: 1, do: { kind: 'status', status: 503, headers: { 'retry-after': '1' } } });
  emulator.fault({ on: 'get', do: { kind: 'cut' } });
  emulator.fault({ on: 'get', do: { kind: 'rewrite', rewrite: (answer) => ({ ...answer, body: {} }) } });
  emulator.fault({ on: 'get', do: { kind: 'flood', bytes: 1_000_000 } });
  emulator.fault({ on: 'token', do: { kind: 'status', ...refusal(53003) } });
  await expect(call('GET', CONNECTOR, token)).rejects.toThrow();
  expect((await call('GET', CONNECTOR, token)).status).toBe(503);
  expect(await call('GET', CONNECTOR, token)).toEqual({ status: 200, body: {} });
  expect((await call('GET', CONNECTOR, token)).body.value?.length).toBeGreaterThanOrEqual(1_000_000);
  expect(await signIn(await idToken())).toMatchObject({ error_codes: [53003] });
});

test('the proxy refuses hosts that are not emulated, and remembers them', async () => {
  await expect(call('GET', 'https://example.com/')).rejects.toThrow();
  expect(emulator.refusedConnects).toEqual(['example.com']);
});

test('the proxy asks for credentials where it has some', async () => {
  const locked = await Emulator.start({ proxyCredentials: 'user:p@ss' });
  const requestTls = { ca: locked.authority.pem };
  const stranger = new ProxyAgent({ uri: locked.proxyUrl.replace(/\/\/.*@/, '//'), requestTls });
  const user = new ProxyAgent({ uri: locked.proxyUrl, requestTls });
  const url = `${ISSUER}/.well-known/openid-configuration`;
  try {
    await expect(request(url, { dispatcher: stranger })).rejects.toThrow();
    expect((await request(url, { dispatcher: user })).statusCode).toBe(200);
    expect(locked.connects.map(({ status }) => status)).toEqual([407, 200]);
  } finally {
    await Promise.all([stranger.destroy(), user.destroy()]);
    await locked.stop();
  }
});

/** Runs this program as the `main` of an action with the inputs `user name` and `size`. */
async function runProgram(main: string, options: Partial<Parameters<typeof runAction>[0]> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'action-'));
  try {
    const actionFile = join(directory, 'action.yml');
    await writeFile(
      actionFile,
      'inputs: { user name: {}, size: { default: 3 } }\nruns: { using: node24, main: main.mjs }',
    );
    await writeFile(join(directory, 'main.mjs'), `import * as fs from 'node:fs';\n${main}`);
    return await runAction({ actionFile, with: {}, ...options });
  } finally {
    await rm(directory, { recursive: true });
  }
}

test('the runner gives inputs, the emulator and nothing of the machine, and collects what the step says', async () => {
  const result = await runProgram(
    `
    const { env } = process;
    fs.appendFileSync(env.GITHUB_OUTPUT, 'seen<<EOF\\n' + [env.INPUT_USER_NAME, env.INPUT_SIZE].join('\\n') + '\\nEOF\\n');
    fs.appendFileSync(env.GITHUB_OUTPUT, 'proxy=' + env.HTTPS_PROXY + '\\n');
    fs.appendFileSync(env.GITHUB_OUTPUT, 'machine=' + ('LEAKED' in env) + '\\n');
    fs.appendFileSync(env.GITHUB_STEP_SUMMARY, '# Done');
    fs.writeFileSync('left.txt', fs.readFileSync('given.txt'));
    process.exitCode = 3;
  `,
    { with: { 'user name': ' Mona ' }, files: { 'given.txt': 'x' }, emulator },
  );
  expect(result).toMatchObject({
    exitCode: 3,
    signal: null,
    outputs: { seen: ' Mona \n3', proxy: emulator.proxyUrl, machine: 'false' },
    summary: '# Done',
    filesLeft: ['workspace/left.txt'],
  });
});

test('the runner carries out commands on both streams and masks every line of a secret', async () => {
  const { log, annotations, masks, rawStdout } = await runProgram(`
    console.log('::add-mask::first%0Asecond%25');
    console.log('::error title=Bad%3A thing%2C really::It was second%25!%0AIt was first.');
    console.log('::debug::hidden');
    console.log('::stop-commands::token');
    console.log('::warning::only text');
    console.log('::token::');
    console.log('first and last');
    console.error('::notice::On the other stream');
  `);
  expect(masks).toEqual(['first\nsecond%', 'first', 'second%']);
  // The streams arrive in no certain order.
  expect(new Set(annotations)).toEqual(
    new Set([
      { level: 'error', title: 'Bad: thing, really', message: 'It was ***!\nIt was ***.' },
      { level: 'notice', title: '', message: 'On the other stream' },
    ]),
  );
  expect(log.split('\n').toSorted()).toEqual(
    [
      'Error: It was ***!',
      'It was ***.',
      'Notice: On the other stream',
      '::stop-commands::token',
      '::warning::only text',
      '::token::',
      '*** and last',
    ].toSorted(),
  );
  expect(rawStdout).toContain('first and last');
});

test('the runner cancels a job with SIGINT', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'cancelled-'));
  const ready = join(directory, 'ready');
  const cancel = (async () => {
    while (!existsSync(ready)) await new Promise((resolve) => setTimeout(resolve, 10));
  })();
  const result = await runProgram(
    `
    process.on('SIGINT', () => { console.log('cancelled'); process.exit(1); });
    setInterval(() => undefined, 1000);
    fs.writeFileSync(${JSON.stringify(ready)}, '');
  `,
    { cancel },
  );
  await rm(directory, { recursive: true });
  expect(result).toMatchObject({ exitCode: 1, log: 'cancelled' });
});
