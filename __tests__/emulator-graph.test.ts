/** What Graph may do and its documents leave open: each way is asked for by name, and seen by a plain client. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash, X509Certificate } from 'node:crypto';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ProxyAgent, request, Socks5ProxyAgent } from 'undici';
import { clientCertificate, type ClientCertificate } from '../emulator/certificates.ts';
import { Emulator, GLOBAL } from '../emulator/emulator.ts';
import { concurrencyViolation, graphError } from '../emulator/graph-error.ts';
import { pfxOf } from '../emulator/pfx.ts';
import { filterPage, type ErrorShape, type Shape, type ThumbprintForm } from '../emulator/shapes.ts';

const PASSWORD = 'correct horse';
const LIST = 'https://graph.microsoft.com/v1.0/identity/apiConnectors';
const CONNECTOR = `${LIST}/${GLOBAL.connectorId}`;

let emulator: Emulator;
let dispatcher: ProxyAgent;
let clock: Date;
let token: string;
let certificate: ClientCertificate;
let pkcs12Value: string;

beforeAll(async () => {
  certificate = await clientCertificate();
  pkcs12Value = pfxOf(certificate, PASSWORD).toString('base64');
});
beforeEach(async () => {
  clock = new Date();
  emulator = await Emulator.start({ now: () => clock });
  dispatcher = new ProxyAgent({ uri: emulator.proxyUrl, requestTls: { ca: emulator.authority.pem } });
  token = await emulator.entra.sign(emulator.registerApp(), 'https://graph.microsoft.com');
});
afterEach(async () => {
  await dispatcher.destroy();
  await emulator.stop();
});

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

async function call(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  url: string,
  body?: object,
  accept = '*/*',
): Promise<Reply> {
  const response = await request(url, {
    dispatcher,
    method,
    headers: { authorization: `Bearer ${token}`, accept, 'content-type': 'application/json' },
    body: body ? JSON.stringify(body) : null,
  });
  return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
}

async function upload(): Promise<Reply> {
  return call('POST', `${CONNECTOR}/uploadClientCertificate`, { pkcs12Value, password: PASSWORD });
}

async function replace(): Promise<Reply> {
  return call('PATCH', CONNECTOR, {
    authenticationConfiguration: {
      '@odata.type': 'microsoft.graph.pkcs12Certificate',
      pkcs12Value,
      password: PASSWORD,
    },
  });
}

interface Shown {
  readonly id?: string;
  readonly displayName?: string;
  readonly authenticationConfiguration?: {
    readonly certificateList?: readonly { readonly thumbprint: string }[];
  };
}

function thumbprints({ text }: Reply): string[] {
  const shown = JSON.parse(text) as Shown;
  return (shown.authenticationConfiguration?.certificateList ?? []).map(({ thumbprint }) => thumbprint);
}

function later(ms: number): void {
  clock = new Date(clock.getTime() + ms);
}

describe('reads that lag', () => {
  test('a get and the list show the state before the write for so long; the answer shows the new one', async () => {
    emulator.graph.behaviour = { lagMs: 3000 };
    expect(thumbprints(await upload())).toEqual([certificate.thumbprint]);
    later(2999);
    expect(thumbprints(await call('GET', CONNECTOR))).toEqual([]);
    expect((await call('GET', LIST)).text).not.toContain(certificate.thumbprint);
    later(2);
    expect(thumbprints(await call('GET', CONNECTOR))).toEqual([certificate.thumbprint]);
    expect((await call('GET', LIST)).text).toContain(certificate.thumbprint);
  });

  test('two writes are seen one after the other', async () => {
    emulator.graph.behaviour = { lagMs: 1000 };
    await upload();
    later(500);
    await upload();
    const seen = async (): Promise<number> => thumbprints(await call('GET', CONNECTOR)).length;
    expect(await seen()).toBe(0);
    later(600);
    expect(await seen()).toBe(1);
    later(500);
    expect(await seen()).toBe(2);
  });

  test('every second replica lags', async () => {
    emulator.graph.behaviour = { lagMs: 1000, lagEvery: 2 };
    await upload();
    const seen: number[] = [];
    for (let read = 0; read < 4; read++) seen.push(thumbprints(await call('GET', CONNECTOR)).length);
    expect(seen).toEqual([0, 1, 0, 1]);
  });

  test('together with an answer that is lost after the act, and one that is lost before it', async () => {
    emulator.graph.behaviour = { lagMs: 1000 };
    emulator.fault({ on: 'upload', do: { kind: 'reset' }, actFirst: true });
    emulator.fault({ on: 'patch', do: { kind: 'reset' } });
    await expect(upload()).rejects.toThrow();
    await expect(replace()).rejects.toThrow();
    expect(thumbprints(await call('GET', CONNECTOR))).toEqual([]);
    later(1001);
    expect(thumbprints(await call('GET', CONNECTOR))).toEqual([certificate.thumbprint]);
  });

  test('a connector just made is not found at first, and one just deleted is found', async () => {
    emulator.graph.behaviour = { lagMs: 1000 };
    const made = await call('POST', LIST, {
      displayName: 'New',
      targetUrl: 'https://a.example',
      authenticationConfiguration: {
        '@odata.type': '#microsoft.graph.basicAuthentication',
        username: 'u',
        password: 'p',
      },
    });
    expect(made.status).toBe(201);
    const url = `${LIST}/${(JSON.parse(made.text) as Shown).id ?? ''}`;
    expect((await call('GET', url)).status).toBe(404);
    later(1001);
    expect((await call('GET', url)).status).toBe(200);
    expect((await call('DELETE', url)).status).toBe(204);
    expect((await call('GET', url)).status).toBe(200);
    later(1001);
    expect((await call('GET', url)).status).toBe(404);
  });
});

test('the answer to an upload may show the old list, or another certificate', async () => {
  const connector = emulator.addConnector({ id: GLOBAL.connectorId, behaviour: { uploadAnswer: 'old' } });
  expect(thumbprints(await upload())).toEqual([]);
  connector.behaviour = { uploadAnswer: 'other' };
  const shown = thumbprints(await upload());
  expect(shown).toHaveLength(2);
  expect(shown.filter((thumbprint) => thumbprint === certificate.thumbprint)).toHaveLength(1);
  expect(thumbprints(await call('GET', CONNECTOR))).toEqual([certificate.thumbprint, certificate.thumbprint]);
});

test('the service may keep another certificate than the one that was sent, with its dates or with others', async () => {
  const connector = emulator.addConnector({ id: GLOBAL.connectorId, behaviour: { stores: 'another' } });
  await upload();
  connector.behaviour = { stores: 'another-with-the-same-dates' };
  await upload();
  const { authentication } = connector;
  const kept = authentication.type === 'certificates' ? authentication.certificates : [];
  const end = certificate.notAfter.getTime() / 1000;
  expect(kept.map(({ notAfter }) => notAfter - end)).toEqual([86_400, 0]);
  expect(kept.map(({ thumbprint }) => thumbprint)).not.toContain(certificate.thumbprint);
});

test('an update is answered 204, 200 without a body, or 200 with the connector', async () => {
  const connector = emulator.addConnector({ id: GLOBAL.connectorId });
  expect(await replace()).toMatchObject({ status: 204, text: '' });
  connector.behaviour = { updateAnswer: 'empty' };
  expect(await replace()).toMatchObject({ status: 200, text: '' });
  connector.behaviour = { updateAnswer: 'new' };
  expect(thumbprints(await replace())).toEqual([certificate.thumbprint]);
  emulator.addConnector({ id: GLOBAL.connectorId, behaviour: { updateAnswer: 'old' } });
  expect(thumbprints(await replace())).toEqual([]);
});

test('thumbprints come in every form that was asked for', async () => {
  const der = new X509Certificate(certificate.certificatePem).raw;
  const [sha1, sha256] = ['sha1', 'sha256'].map((hash) => createHash(hash).update(der).digest()) as [Buffer, Buffer];
  const hex = (bytes: Buffer, separator: string): string =>
    [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(separator);
  const expected: Readonly<Record<ThumbprintForm, unknown>> = {
    hex: hex(sha1, '').toUpperCase(),
    'lower-hex': hex(sha1, ''),
    colons: hex(sha1, ':'),
    spaces: hex(sha1, ' ').toUpperCase(),
    dashes: hex(sha1, '-').toUpperCase(),
    base64: sha1.toString('base64'),
    sha256: hex(sha256, '').toUpperCase(),
    'sha256-colons': hex(sha256, ':').toUpperCase(),
    'sha256-base64': sha256.toString('base64'),
    null: null,
    absent: undefined,
  };
  await upload();
  const seen: Record<string, unknown> = {};
  for (const form of Object.keys(expected) as ThumbprintForm[]) {
    emulator.graph.behaviour = { thumbprints: form };
    seen[form] = thumbprints(await call('GET', CONNECTOR))[0];
  }
  expect(seen).toEqual(expected);
});

test.each<[string, Shape, object]>([
  [
    'a type without #',
    { types: 'no-hash' },
    { authenticationConfiguration: { '@odata.type': 'microsoft.graph.clientCertificateAuthentication' } },
  ],
  ['no type', { types: 'absent' }, { authenticationConfiguration: { certificateList: [{}] } }],
  [
    'a type nobody knows',
    { types: 'unknown' },
    { authenticationConfiguration: { '@odata.type': '#microsoft.graph.authenticationOfTheFuture' } },
  ],
  [
    'the base type',
    { types: 'base' },
    { authenticationConfiguration: { '@odata.type': '#microsoft.graph.apiAuthenticationConfigurationBase' } },
  ],
  ['an echo', { types: 'pkcs12-echo' }, { authenticationConfiguration: { pkcs12Value: null, password: '******' } }],
  ['no configuration', { types: 'null-configuration' }, { authenticationConfiguration: null }],
  ['no list', { certificateList: 'null' }, { authenticationConfiguration: { certificateList: null } }],
  [
    'an entry that is null',
    { certificateList: 'null-entry' },
    { authenticationConfiguration: { certificateList: [null, {}] } },
  ],
  [
    'dates in ISO 8601',
    { dates: 'iso' },
    { authenticationConfiguration: { certificateList: [{ notAfter: '2030-01-02T03:04:05Z' }] } },
  ],
  [
    'dates as strings',
    { dates: 'string' },
    { authenticationConfiguration: { certificateList: [{ notAfter: '1893553445' }] } },
  ],
  ['no names', { names: 'null' }, { displayName: null, targetUrl: null }],
])('a connector is shown with %s', async (_, behaviour, expected) => {
  const entry = { thumbprint: certificate.thumbprint, notBefore: 1_600_000_000, notAfter: 1_893_553_445 };
  emulator.addConnector({
    id: GLOBAL.connectorId,
    authentication: { type: 'certificates', certificates: [entry] },
    behaviour,
  });
  expect(JSON.parse((await call('GET', CONNECTOR)).text)).toMatchObject(expected);
});

test('without metadata, as the client asks, there is no type and no context', async () => {
  await upload();
  const { text } = await call('GET', CONNECTOR, undefined, 'application/json;odata.metadata=none');
  expect(text).not.toContain('@odata');
  expect(text).toContain(certificate.thumbprint);
});

test.each<[ErrorShape, object]>([
  ['inner-code', { error: { code: 'BadRequest', innerError: { code: 'AADB2C90213' } } }],
  [
    'inner-code-deep',
    { error: { innerError: { innerError: { innerError: { innerError: { code: 'AADB2C90213' } } } } } },
  ],
  [
    'message-json',
    { error: { code: 'UnknownError', message: expect.stringMatching(/^\{"error":\{"code":"AADB2C90213"/) } },
  ],
  ['message-object', { error: { code: 'AADB2C90213', message: { lang: 'en' } } }],
  ['odata.error', { 'odata.error': { code: 'AADB2C90213' } }],
  ['lower-innererror', { error: { code: 'AADB2C90213', innererror: { date: expect.any(String) } } }],
  ['correlation-id', { error: { innerError: { correlationId: expect.any(String) } } }],
  ['empty-message', { error: { code: 'AADB2C90213', message: '' } }],
  ['error-string', { error: 'AADB2C90213' }],
])('an error has the shape %s', async (errors, expected) => {
  emulator.graph.behaviour = { errors };
  const answer = await call('POST', `${CONNECTOR}/uploadClientCertificate`, { pkcs12Value, password: 'wrong' });
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.text)).toMatchObject(expected);
});

test('an error may begin with a byte order mark', async () => {
  emulator.graph.behaviour = { errors: 'byte-order-mark' };
  const response = await request(`${LIST}/none`, { dispatcher, headers: { authorization: `Bearer ${token}` } });
  expect(
    Buffer.from(await response.body.arrayBuffer())
      .subarray(0, 4)
      .toString('latin1'),
  ).toBe('\u00ef\u00bb\u00bf{');
});

test('what stands between answers with pages and with gzip', async () => {
  emulator.fault({ on: 'get', do: { kind: 'status', ...filterPage(200) } });
  emulator.fault({ on: 'get', do: { kind: 'gzip' } });
  expect(await call('GET', CONNECTOR)).toMatchObject({
    status: 200,
    headers: { 'content-type': 'text/html; charset=utf-8' },
    text: expect.stringContaining('web filter'),
  });
  const zipped = await request(CONNECTOR, { dispatcher, headers: { authorization: `Bearer ${token}` } });
  expect(zipped.headers['content-encoding']).toBe('gzip');
  expect(gunzipSync(Buffer.from(await zipped.body.arrayBuffer())).toString()).toContain('Verify sign-up');
});

test('a compressed request is read', async () => {
  const response = await request(CONNECTOR, {
    dispatcher,
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-encoding': 'gzip' },
    body: gzipSync(JSON.stringify({ displayName: 'Sent by gzip' })),
  });
  expect(response.statusCode).toBe(204);
  expect((await call('GET', CONNECTOR)).text).toContain('Sent by gzip');
});

test('a fault lasts as long as it says, and meets the path that it names', async () => {
  emulator.fault({
    on: 'get',
    path: /apiConnectors\/4571/,
    times: Infinity,
    do: { kind: 'status', ...concurrencyViolation() },
  });
  emulator.addConnector({ id: 'other' });
  expect((await call('GET', `${LIST}/other`)).status).toBe(200);
  expect((await call('GET', CONNECTOR)).status).toBe(409);
  emulator.clearFaults();
  emulator.fault({
    on: 'get',
    times: Infinity,
    forMs: 1,
    do: { kind: 'status', ...graphError(404, 'Request_ResourceNotFound', 'Not yet.') },
  });
  expect((await call('GET', CONNECTOR)).status).toBe(404);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await call('GET', CONNECTOR)).status).toBe(200);
});

test('a new token is refused for its first requests', async () => {
  emulator.graph.behaviour = { newTokenRefused: 2 };
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 3; attempt++) statuses.push((await call('GET', CONNECTOR)).status);
  expect(statuses).toEqual([401, 401, 200]);
});

test('APIConnectors.Read.All reads, unless it is not enough', async () => {
  const app = emulator.registerApp({ roles: ['APIConnectors.Read.All'] });
  token = await emulator.entra.sign(app, 'https://graph.microsoft.com');
  expect((await call('GET', LIST)).status).toBe(200);
  emulator.graph.behaviour = { readAllSuffices: false };
  expect((await call('GET', LIST)).status).toBe(403);
});

test.each(['$top=0', '$top=abc', '$top=-1', '$top=1.5', '$top=', '$top=1000', '$skiptoken=abc', '$skiptoken='])(
  'a list with %s is refused',
  async (query) => {
    const { status, text } = await call('GET', `${LIST}?${query}`);
    expect([status, JSON.parse(text)]).toEqual([400, { error: expect.objectContaining({ code: 'BadRequest' }) }]);
  },
);

test('pages can be large, spelt with a slash, and without an end', async () => {
  emulator.graph.behaviour = { list: { padding: 1_100_000, nextLink: 'slash', endless: true } };
  const page = async (url: string) => {
    const { text } = await call('GET', url);
    return { length: text.length, ...(JSON.parse(text) as { '@odata.nextLink': string; value: Shown[] }) };
  };
  const first = await page(`${LIST}?$top=1&$select=id`);
  expect(first.length).toBeGreaterThan(2 ** 20);
  expect(first.value).toEqual([{ '@odata.etag': expect.any(String), id: GLOBAL.connectorId }]);
  expect(first['@odata.nextLink']).toMatch(/\/apiConnectors\/\?.*\$skiptoken=1$/);
  const second = await page(first['@odata.nextLink']);
  expect(second).toMatchObject({ value: [], '@odata.nextLink': expect.stringMatching(/skiptoken=2$/) });
});

describe('proxies', () => {
  const url = 'https://token.actions.githubusercontent.com/.well-known/openid-configuration';

  test.each(['https', 'https-h2'] as const)('%s: a client that speaks HTTP/1.1 gets through', async (kind) => {
    const ca = emulator.authority.pem;
    const agent = new ProxyAgent({
      uri: await emulator.startProxy(kind),
      proxyTls: { ca, allowH2: false },
      requestTls: { ca, allowH2: false },
    });
    try {
      expect((await request(url, { dispatcher: agent })).statusCode).toBe(200);
    } finally {
      await agent.destroy();
    }
  });

  test('https-h2 prefers h2, and plain https does not know it', async () => {
    const chosen = async (proxy: string): Promise<string | false | null> =>
      new Promise((resolve, reject) => {
        const socket = connectTls(
          {
            port: Number(new URL(proxy).port),
            host: '127.0.0.1',
            ca: emulator.authority.pem,
            ALPNProtocols: ['http/1.1', 'h2'],
          },
          () => {
            resolve(socket.alpnProtocol);
            socket.destroy();
          },
        );
        socket.on('error', reject);
      });
    expect(await chosen(await emulator.startProxy('https-h2'))).toBe('h2');
    expect(await chosen(await emulator.startProxy('https'))).toBe('http/1.1');
  });

  test('the SOCKS port speaks SOCKS, and hangs up on everything else', async () => {
    const proxy = await emulator.startProxy('socks5');
    const ca = emulator.authority.pem;
    const agent = new Socks5ProxyAgent(proxy, { requestTls: { ca } });
    const wrong = new ProxyAgent({ uri: proxy.replace('socks5', 'http'), requestTls: { ca } });
    try {
      expect((await request(url, { dispatcher: agent })).statusCode).toBe(200);
      await expect(request(url, { dispatcher: wrong })).rejects.toThrow();
    } finally {
      await Promise.all([agent.destroy(), wrong.destroy()]);
    }
  });

  test('a refusal of the proxy may be a page', async () => {
    emulator.fault({ on: 'connect', do: { kind: 'status', ...filterPage(502, 'No route') } });
    const { port } = new URL(emulator.proxyUrl);
    const socket = connect(Number(port), '127.0.0.1');
    socket.end('CONNECT graph.microsoft.com:443 HTTP/1.1\r\nHost: graph.microsoft.com\r\n\r\n');
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text).toMatch(/^HTTP\/1\.1 502 .*No route/s);
  });
});

test('the services can have a key that is too weak', async () => {
  const weak = await Emulator.start({ rsaBits: 1024 });
  const agent = new ProxyAgent({ uri: weak.proxyUrl, requestTls: { ca: weak.authority.pem } });
  try {
    await expect(request(CONNECTOR, { dispatcher: agent })).rejects.toThrow(/key too weak/);
  } finally {
    await agent.destroy();
    await weak.stop();
  }
});
