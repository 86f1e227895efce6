import { describe, expect, test } from '@jest/globals';
import { cloudByName } from '../../src/sign-in/cloud.ts';
import type { Application } from '../../src/sign-in/cloud.ts';
import { Failure } from '../../src/failure.ts';
import { Graph, parseConnector, type Connector } from '../../src/graph/api-connectors.ts';
import { TransportError } from '../../src/http/client.ts';
import { answer, ScriptedHttp, type Answer } from '../scripted-http.ts';

/** The response on https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate, as printed there. */
const EXAMPLE = {
  '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#identity/apiConnectors/$entity',
  id: '45715bb8-13f9-4bf6-927f-ef96c102d394',
  displayName: 'My API connector',
  targetUrl: 'https://api.contoso.com/endpoint',
  authenticationConfiguration: {
    '@odata.type': '#microsoft.graph.clientCertificateAuthentication',
    certificateList: [
      {
        thumbprint: '0EB255CC895477798BA418B378255204304897AD',
        notAfter: 1666350522,
        notBefore: 1508670522,
        isActive: true,
      },
    ],
  },
};

const APPLICATION: Application = { tenantId: 'the-tenant', clientId: 'the-client', cloud: cloudByName('global') };
const ROOT = 'https://graph.microsoft.com/v1.0/identity/apiConnectors';
const GUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;
const UPLOAD = { pkcs12Value: 'cGZ4', password: 'pass' };
const NEW = 'A'.repeat(40);
const OLD = 'B'.repeat(40);
const UNTRUSTED = 'self-signed certificate in certificate chain (SELF_SIGNED_CERT_IN_CHAIN)';
const CANCELLED = new Failure('CANCELLED', 'The job was cancelled.', 'Run the job again.');

/** Graph behind these answers, and what is logged. */
function online(...answers: Answer[]): { http: ScriptedHttp; graph: Graph; log: string[] } {
  const http = new ScriptedHttp(...answers);
  const log: string[] = [];
  const access = { token: 'the-access-token', roles: ['APIConnectors.Read.All'] };
  return { http, log, graph: new Graph(http, APPLICATION, access, (text) => log.push(text)) };
}

/** The job is cancelled while a request is under way. */
function cancelled(http: ScriptedHttp, sent = true): TransportError {
  http.lifetime.end(CANCELLED);
  return new TransportError('aborted', sent);
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const outcome = await work.catch((error: unknown) => error);
  if (outcome instanceof Failure) return outcome;
  throw new Error('no failure', { cause: outcome });
}

function methods(http: ScriptedHttp): readonly string[] {
  return http.requests.map(({ method }) => method);
}

function error(code: string, message: string): object {
  return { error: { code, message } };
}

/** A certificate as Graph sends it. */
function entry(thumbprint: string): object {
  return { thumbprint, notBefore: 1508670522, notAfter: 1666350522, isActive: true };
}

/** A connector as Graph sends it. */
function connectorBody(id: string, certificateList: unknown = []): string {
  const authenticationConfiguration = {
    '@odata.type': '#microsoft.graph.clientCertificateAuthentication',
    certificateList,
  };
  return JSON.stringify({ id, displayName: 'Sign-up', targetUrl: 'https://api.example', authenticationConfiguration });
}

/** A connector with these certificates. */
function connector(id: string, ...thumbprints: string[]): Connector {
  return {
    id,
    displayName: 'Sign-up',
    targetUrl: 'https://api.example',
    authentication: 'certificate',
    certificates: thumbprints.map((thumbprint) => ({
      thumbprint,
      notBefore: 1508670522,
      notAfter: 1666350522,
      isActive: true,
    })),
  };
}

function numbered(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({ id: `c${index + 1}`, displayName: `Number ${index + 1}` }));
}

describe('reading a connector', () => {
  test("the API page's own example", () => {
    const connector = parseConnector(JSON.stringify(EXAMPLE));
    expect(connector).toEqual({
      id: '45715bb8-13f9-4bf6-927f-ef96c102d394',
      displayName: 'My API connector',
      targetUrl: 'https://api.contoso.com/endpoint',
      authentication: 'certificate',
      certificates: [
        {
          thumbprint: '0EB255CC895477798BA418B378255204304897AD',
          notAfter: 1666350522,
          notBefore: 1508670522,
          isActive: true,
        },
      ],
    });
    const [certificate] = connector?.certificates ?? [];
    expect(new Date((certificate?.notBefore ?? 0) * 1000).toISOString()).toBe('2017-10-22T11:08:42.000Z');
    expect(new Date((certificate?.notAfter ?? 0) * 1000).toISOString()).toBe('2022-10-21T11:08:42.000Z');
  });

  test('Int64 as strings, a thumbprint in lower case', () => {
    const entry = {
      thumbprint: '0eb255cc895477798ba418b378255204304897ad',
      notAfter: '1666350522',
      notBefore: '1508670522',
      isActive: false,
    };
    const connector = parseConnector(
      JSON.stringify({
        ...EXAMPLE,
        authenticationConfiguration: { ...EXAMPLE.authenticationConfiguration, certificateList: [entry] },
      }),
    );
    expect(connector?.certificates).toEqual([
      {
        thumbprint: '0EB255CC895477798BA418B378255204304897AD',
        notAfter: 1666350522,
        notBefore: 1508670522,
        isActive: false,
      },
    ]);
  });

  test.each([
    ['basic', { '@odata.type': '#microsoft.graph.basicAuthentication', username: 'u', password: '******' }],
    ['none', null],
    ['unknown', { '@odata.type': '#microsoft.graph.somethingNew' }],
  ])('authentication: %s', (authentication, authenticationConfiguration) => {
    expect(parseConnector(JSON.stringify({ ...EXAMPLE, authenticationConfiguration }))).toMatchObject({
      authentication,
      certificates: [],
    });
  });

  test.each(['', '<html>', '[]', 'null', '{"id":5}', JSON.stringify(EXAMPLE).slice(0, 200)])(
    '%j is no connector',
    (body) => {
      expect(parseConnector(body)).toBeUndefined();
    },
  );
});

describe('reading a connector of an unforeseen shape', () => {
  test('names that are missing or no text are empty', () => {
    expect(parseConnector('{"id":"c1","displayName":7,"targetUrl":null}')).toEqual({
      id: 'c1',
      displayName: '',
      targetUrl: '',
      authentication: 'none',
      certificates: [],
    });
  });

  test.each(['a text', 7, true, ['a list'], {}])(
    'a configuration that is %j is of an unknown kind',
    (configuration) => {
      const connector = parseConnector(JSON.stringify({ id: 'c1', authenticationConfiguration: configuration }));
      expect(connector).toMatchObject({ authentication: 'unknown', certificates: [] });
    },
  );

  test('a list of certificates that is no list holds none', () => {
    expect(parseConnector(connectorBody('c1', { length: 1 }))?.certificates).toEqual([]);
  });

  test('what is no object in the list of certificates is passed over', () => {
    const connector = parseConnector(connectorBody('c1', [null, 'text', [], entry(NEW)]));
    expect(connector?.certificates.map(({ thumbprint }) => thumbprint)).toEqual([NEW]);
  });

  test.each([null, true, {}, undefined])('a date that is %j is no number', (date) => {
    const connector = parseConnector(connectorBody('c1', [{ thumbprint: NEW, notBefore: date, notAfter: date }]));
    expect(connector?.certificates).toEqual([
      { thumbprint: NEW, notBefore: Number.NaN, notAfter: Number.NaN, isActive: false },
    ]);
  });

  test('only true means active', () => {
    const connector = parseConnector(connectorBody('c1', [{ ...entry(NEW), isActive: 'true' }]));
    expect(connector?.certificates).toMatchObject([{ isActive: false }]);
  });

  test('a thumbprint is cleaned, and cut after 64 characters', () => {
    const connector = parseConnector(connectorBody('c1', [entry(`\u001b[31m${'a'.repeat(70)}`)]));
    expect(connector?.certificates).toMatchObject([{ thumbprint: `${'A'.repeat(64)}…` }]);
  });
});

describe('asking for a connector', () => {
  test('one GET with the token, without a body', async () => {
    const { http, graph, log } = online(answer(200, connectorBody('c1', [entry(OLD)])));
    expect(await graph.getConnector('c1')).toEqual(connector('c1', OLD));
    expect(http.requests).toHaveLength(1);
    const [request] = http.requests;
    expect(request).toEqual({
      method: 'GET',
      url: `${ROOT}/c1`,
      headers: { authorization: 'Bearer the-access-token', 'client-request-id': expect.stringMatching(GUID) },
      timeout: 30_000,
    });
    expect(log).toEqual([]);
    expect(http.waits).toEqual([]);
  });

  test('each request has an id of its own', async () => {
    const { http, graph } = online(answer(200, connectorBody('c1')), answer(200, connectorBody('c1')));
    await graph.getConnector('c1');
    await graph.getConnector('c1');
    expect(new Set(http.requests.map(({ headers }) => headers['client-request-id'])).size).toBe(2);
  });

  test('in China, Graph is elsewhere', async () => {
    const http = new ScriptedHttp(answer(200, connectorBody('c1')));
    const china = { ...APPLICATION, cloud: cloudByName('china') };
    await new Graph(http, china, { token: 'the-access-token', roles: [] }, () => undefined).getConnector('c1');
    expect(http.requests[0]?.url).toBe('https://microsoftgraph.chinacloudapi.cn/v1.0/identity/apiConnectors/c1');
  });

  test('an id with characters of a URL stays one segment of the path', async () => {
    const { http, graph } = online(answer(200, connectorBody('c1')));
    await graph.getConnector('../a?b#c d');
    expect(http.requests[0]?.url).toBe(`${ROOT}/..%2Fa%3Fb%23c%20d`);
  });

  test('the connector keeps the id that was asked for, whatever the answer says', async () => {
    const { graph } = online(answer(200, connectorBody('another')));
    expect((await graph.getConnector('c1')).id).toBe('c1');
  });

  test.each([408, 429, 500, 503, 504])('HTTP %d passes: it is asked again', async (status) => {
    const { http, graph, log } = online(answer(status, error('x', 'Not now.')), answer(200, connectorBody('c1')));
    expect((await graph.getConnector('c1')).id).toBe('c1');
    expect(http.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET ${ROOT}/c1`, `GET ${ROOT}/c1`]);
    expect(log).toEqual([
      expect.stringMatching(/\(API connector c1\): Not now .*Trying again in .* \(1 of 5 tries\)\.$/),
    ]);
  });

  test('Retry-After is waited for', async () => {
    const { http, graph } = online(answer(429, '', { 'retry-after': '7' }), answer(200, connectorBody('c1')));
    await graph.getConnector('c1');
    expect(http.waits).toEqual([7000]);
  });

  test.each([
    [400, 'GRAPH_REFUSED'],
    [401, 'GRAPH_UNAUTHORIZED'],
    [403, 'GRAPH_FORBIDDEN'],
    [302, 'REDIRECTED'],
  ])('HTTP %d is final', async (status, code) => {
    const { http, graph, log } = online(answer(status));
    expect(await failureOf(graph.getConnector('c1'))).toMatchObject({ code });
    expect(http.requests).toHaveLength(1);
    expect(log).toEqual([]);
  });

  test('HTTP 403 names the roles that the token carries, and the application', async () => {
    const { graph } = online(answer(403));
    const { remedy } = await failureOf(graph.getConnector('c1'));
    expect(remedy).toContain('The access token carries APIConnectors.Read.All;');
    expect(remedy).toContain('az ad sp show --id the-client ');
  });

  test.each(['<html>Sign in</html>', '', '[]', '{"id":"c1"'])(
    'an answer that cannot be read, %j, is asked for five times',
    async (body) => {
      const { http, graph, log } = online(...Array.from({ length: 5 }, () => answer(200, body)));
      const failure = await failureOf(graph.getConnector('c1'));
      expect(failure).toMatchObject({
        code: 'SERVICE_UNAVAILABLE',
        message: expect.stringMatching(/^The answer of Microsoft Graph cannot be read \(API connector c1\)/),
      });
      expect(http.requests).toHaveLength(5);
      expect(log).toHaveLength(4);
    },
  );

  test('a connector in an answer other than 200 is not believed', async () => {
    const { graph } = online(answer(203, connectorBody('c1')));
    expect(await failureOf(graph.getConnector('c1'))).toMatchObject({ code: 'GRAPH_REFUSED' });
  });

  test('without an answer it is asked again', async () => {
    const { http, graph, log } = online(new TransportError('reset', true), answer(200, connectorBody('c1')));
    expect((await graph.getConnector('c1')).id).toBe('c1');
    expect(http.requests).toHaveLength(2);
    expect(log).toEqual([expect.stringMatching(/^Microsoft Graph did not answer: reset .*Trying again/)]);
  });

  test('a certificate of the server that is not trusted is final', async () => {
    const { http, graph } = online(new TransportError(UNTRUSTED, false));
    expect(await failureOf(graph.getConnector('c1'))).toMatchObject({
      code: 'TLS_NOT_TRUSTED',
      message: expect.stringContaining('The TLS certificate of Microsoft Graph is not trusted'),
    });
    expect(http.requests).toHaveLength(1);
  });

  test('cancelled meanwhile: the cancellation is what is told', async () => {
    const { http, graph } = online(() => cancelled(http));
    expect(await failureOf(graph.getConnector('c1'))).toBe(CANCELLED);
    expect(http.requests).toHaveLength(1);
    expect(http.waits).toEqual([]);
  });

  test('a fault of our own is no refusal, and not tried again', async () => {
    const { http, graph } = online(() => {
      throw new RangeError('a fault');
    });
    await expect(graph.getConnector('c1')).rejects.toThrow(new RangeError('a fault'));
    expect(http.requests).toHaveLength(1);
  });
});

describe('a connector that does not exist', () => {
  test('those that exist are listed', async () => {
    const page = {
      value: [
        { id: 'c2', displayName: 'Sign-up' },
        { id: 'c3\u0007', displayName: '\u001b[1mClaims' },
      ],
    };
    const { http, graph } = online(answer(404, error('NotFound', 'No such thing.')), answer(200, page));
    const failure = await failureOf(graph.getConnector('c1'));
    expect(failure).toMatchObject({
      code: 'CONNECTOR_NOT_FOUND',
      remedy: 'The tenant has these:\n  c2  Sign-up\n  c3  Claims',
    });
    expect(failure.message).toMatch(/^The tenant has no such API connector \(API connector c1\): No such thing /);
    expect(failure.cause).toBeInstanceOf(Failure);
    expect(http.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET ${ROOT}/c1`, `GET ${ROOT}`]);
  });

  test('long names are cut', async () => {
    const page = { value: [{ id: 'i'.repeat(70), displayName: 'n'.repeat(90) }] };
    const { graph } = online(answer(404), answer(200, page));
    expect((await failureOf(graph.getConnector('c1'))).remedy).toBe(
      `The tenant has these:\n  ${'i'.repeat(64)}…  ${'n'.repeat(80)}…`,
    );
  });

  test('twenty are shown', async () => {
    const { graph } = online(answer(404), answer(200, { value: numbered(20) }));
    const lines = (await failureOf(graph.getConnector('c1'))).remedy.split('\n');
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('  c20  Number 20');
  });

  test('of more than twenty, the rest is hinted at', async () => {
    const { graph } = online(answer(404), answer(200, { value: numbered(21) }));
    const lines = (await failureOf(graph.getConnector('c1'))).remedy.split('\n');
    expect(lines).toHaveLength(22);
    expect(lines.slice(-2)).toEqual(['  c20  Number 20', '  … and more']);
  });

  test('of several pages, the rest is hinted at', async () => {
    const { graph } = online(answer(404), answer(200, { value: numbered(2), '@odata.nextLink': `${ROOT}?$skip=2` }));
    const lines = (await failureOf(graph.getConnector('c1'))).remedy.split('\n');
    expect(lines.slice(-2)).toEqual(['  c2  Number 2', '  … and more']);
  });

  test('a tenant without any', async () => {
    const { graph } = online(answer(404), answer(200, { value: [] }));
    const failure = await failureOf(graph.getConnector('c1'));
    expect(failure.message).toMatch(/\. The tenant has no API connector at all\.$/);
    expect(failure.remedy).toMatch(/^List them with: az rest /);
  });

  test.each<[string, Answer]>([
    ['refused', answer(403, { value: [{ id: 'c2' }] })],
    ['lost', new TransportError('reset', true)],
    ['unreadable', answer(200, '<html>')],
    ['empty JSON', answer(200, 'null')],
  ])('where the list is %s, the command that lists them is named', async (_what, list) => {
    const { http, graph } = online(answer(404), list);
    const failure = await failureOf(graph.getConnector('c1'));
    expect(failure).toMatchObject({
      code: 'CONNECTOR_NOT_FOUND',
      remedy: `List them with: az rest --method get --url ${ROOT} --query "value[].[id,displayName]" --output tsv`,
    });
    expect(failure.message).not.toContain('at all');
    expect(http.requests).toHaveLength(2);
  });
});

describe('listing connectors', () => {
  test('page by page', async () => {
    const { http, graph } = online(
      answer(200, {
        value: [JSON.parse(connectorBody('c1', [entry(OLD)]))],
        '@odata.nextLink': `${ROOT}?$skiptoken=2`,
      }),
      answer(200, { value: [{ id: 'c2' }, { id: 'c3' }], '@odata.nextLink': `${ROOT}?$skiptoken=3` }),
      answer(200, { value: [] }),
    );
    const connectors = await graph.listConnectors();
    expect(connectors.map(({ id }) => id)).toEqual(['c1', 'c2', 'c3']);
    expect(connectors[0]).toEqual(connector('c1', OLD));
    expect(http.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET ${ROOT}`,
      `GET ${ROOT}?$skiptoken=2`,
      `GET ${ROOT}?$skiptoken=3`,
    ]);
  });

  test('a page that leads back to one that was read ends the list', async () => {
    const back = { value: [{ id: 'c2' }], '@odata.nextLink': `${ROOT}?$skiptoken=2` };
    const { http, graph } = online(answer(200, { ...back, value: [{ id: 'c1' }] }), answer(200, back));
    expect((await graph.listConnectors()).map(({ id }) => id)).toEqual(['c1', 'c2']);
    expect(http.requests).toHaveLength(2);
  });

  test('what is no connector is left out', async () => {
    const { graph } = online(answer(200, { value: [null, 'text', { id: 5 }, { id: 'c1' }] }));
    expect((await graph.listConnectors()).map(({ id }) => id)).toEqual(['c1']);
  });

  test('a next link that is no text is none', async () => {
    const { http, graph } = online(answer(200, { value: [], '@odata.nextLink': 5 }));
    expect(await graph.listConnectors()).toEqual([]);
    expect(http.requests).toHaveLength(1);
  });

  test('the letter case of a next link does not matter, and what follows it is kept', async () => {
    const { http, graph } = online(
      answer(200, {
        value: [],
        '@odata.nextLink': 'https://GRAPH.microsoft.com/v1.0/identity/apiconnectors?$skiptoken=aBc',
      }),
      answer(200, { value: [] }),
    );
    await graph.listConnectors();
    expect(http.requests[1]?.url).toBe(`${ROOT}?$skiptoken=aBc`);
  });

  test.each([
    'https://graph.example/v1.0/identity/apiConnectors?$skiptoken=2',
    `https://graph.example/?${ROOT}?`,
    ROOT,
    `${ROOT}.example?$skiptoken=2`,
    '/v1.0/identity/apiConnectors?$skiptoken=2',
  ])('the token does not go to %s', async (nextLink) => {
    const { http, graph } = online(answer(200, { value: [{ id: 'c1' }], '@odata.nextLink': nextLink }));
    expect(await failureOf(graph.listConnectors())).toMatchObject({
      code: 'GRAPH_REFUSED',
      message: `Microsoft Graph's list of API connectors goes on at ${nextLink}, which is not ${ROOT}.`,
      remedy: 'Name the connectors in connector-id instead of all: true.',
    });
    expect(http.requests).toHaveLength(1);
  });

  test.each(['null', '[]', '{}', '{"value":{"id":"c1"}}', 'text'])(
    '%s is no list, and asked for again',
    async (body) => {
      const { http, graph } = online(answer(200, body), answer(200, { value: [{ id: 'c1' }] }));
      expect(await graph.listConnectors()).toHaveLength(1);
      expect(http.requests).toHaveLength(2);
    },
  );

  test('a refusal names no connector, and a list that is not found is not asked for twice', async () => {
    const { http, graph } = online(answer(404, error('NotFound', 'No such thing.')));
    const failure = await failureOf(graph.listConnectors());
    expect(failure.message).toMatch(/^The tenant has no such API connector: No such thing /);
    expect(http.requests).toHaveLength(1);
  });
});

describe('the pace', () => {
  test('200 requests go out at once, the next waits for the rest of the minute', async () => {
    const more = (page: number): Answer => answer(200, { value: [], '@odata.nextLink': `${ROOT}?$skiptoken=${page}` });
    const pages = Array.from({ length: 200 }, (_, page) => more(page));
    const { http, graph } = online(...pages, answer(200, { value: [] }));
    await graph.listConnectors();
    expect(http.requests).toHaveLength(201);
    expect(http.waits).toHaveLength(1);
    expect(http.waits[0]).toBeGreaterThan(0);
    expect(http.waits[0]).toBeLessThanOrEqual(60_000);
  });
});

describe('uploading a certificate', () => {
  test('one POST with the file and the password, beside the certificates that are there', async () => {
    const { http, graph, log } = online(answer(200, connectorBody('c1', [entry(OLD), entry(NEW)])));
    expect(await graph.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', OLD, NEW));
    expect(http.requests).toEqual([
      {
        method: 'POST',
        url: `${ROOT}/c1/uploadClientCertificate`,
        headers: {
          authorization: 'Bearer the-access-token',
          'client-request-id': expect.stringMatching(GUID),
          'content-type': 'application/json',
        },
        body: '{"pkcs12Value":"cGZ4","password":"pass"}',
        timeout: 30_000,
      },
    ]);
    expect(log).toEqual([]);
  });

  test('the connector keeps the id that was asked for, whatever the answer says', async () => {
    const { graph } = online(answer(200, connectorBody('another', [entry(NEW)])));
    expect(await graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW)).toEqual(connector('c1', NEW));
  });

  test('nothing but the file and the password goes out, and an empty password does too', async () => {
    const { http, graph } = online(answer(200, connectorBody('c1', [entry(NEW)])));
    const upload = { password: '', note: 'not for the service', pkcs12Value: 'cGZ4' };
    await graph.uploadClientCertificate(connector('c1'), upload, NEW);
    expect(http.requests[0]?.body).toBe('{"pkcs12Value":"cGZ4","password":""}');
  });

  test('an id with characters of a URL stays one segment of the path', async () => {
    const { http, graph } = online(answer(200, connectorBody('c1', [entry(NEW)])));
    await graph.uploadClientCertificate(connector('a/b'), UPLOAD, NEW);
    expect(http.requests[0]?.url).toBe(`${ROOT}/a%2Fb/uploadClientCertificate`);
  });

  test('a certificate that is uploaded again: the answer that shows it is enough', async () => {
    const { graph } = online(answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await graph.uploadClientCertificate(connector('c1', NEW), UPLOAD, NEW)).toEqual(connector('c1', NEW));
  });

  test.each([
    [400, 'AADB2C90213', 'UPLOAD_PASSWORD_REFUSED'],
    [403, 'x', 'GRAPH_FORBIDDEN'],
    [404, 'x', 'CONNECTOR_NOT_FOUND'],
    [302, 'x', 'REDIRECTED'],
  ])('HTTP %d, %s, is final: nothing was changed', async (status, code, expected) => {
    const { http, graph, log } = online(answer(status, error(code, 'No.')));
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure.code).toBe(expected);
    expect(failure.message).toMatch(/\. Nothing was changed\.$/);
    expect(http.requests).toHaveLength(1);
    expect(log).toEqual([]);
  });

  test.each<[string, Answer]>([
    ['throttled', answer(429, '', { 'retry-after': '7' })],
    ['busy', answer(503, '', { 'retry-after': '7' })],
    ['busy with another write', answer(400, error('AADB2C90229', 'Busy.'), { 'retry-after': '7' })],
  ])('%s: it is sent again without a look, after the time that the service asks for', async (_what, first) => {
    const { http, graph, log } = online(first, answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['POST', 'POST']);
    expect(http.waits).toEqual([7000]);
    expect(log).toEqual([expect.stringMatching(/API connector c1.*Trying again in 7\.0 s \(1 of 5 tries\)\.$/)]);
  });

  test('throttled five times: nothing was changed, and no look is needed', async () => {
    const { http, graph } = online(...Array.from({ length: 5 }, () => answer(429)));
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({ code: 'THROTTLED', message: expect.stringMatching(/\. Nothing was changed\.$/) });
    expect(methods(http)).toEqual(['POST', 'POST', 'POST', 'POST', 'POST']);
  });

  test('without a connection it is sent again without a look', async () => {
    const { http, graph, log } = online(
      new TransportError('getaddrinfo ENOTFOUND graph.microsoft.com', false),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['POST', 'POST']);
    expect(log).toEqual([expect.stringContaining('The name of Microsoft Graph could not be resolved')]);
  });

  test('never a connection: nothing was changed', async () => {
    const { http, graph } = online(
      ...Array.from({ length: 5 }, () => new TransportError('connect ECONNREFUSED', false)),
    );
    expect(await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW))).toMatchObject({
      code: 'NETWORK_UNREACHABLE',
      message: expect.stringMatching(/\. Nothing was changed\.$/),
    });
    expect(methods(http)).toEqual(['POST', 'POST', 'POST', 'POST', 'POST']);
  });

  test('a server that is not trusted got nothing: it is final', async () => {
    const { http, graph } = online(new TransportError(UNTRUSTED, false));
    expect(await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW))).toMatchObject({
      code: 'TLS_NOT_TRUSTED',
      message: expect.stringMatching(/of Microsoft Graph is not trusted.*\. Nothing was changed\.$/),
    });
    expect(http.requests).toHaveLength(1);
  });

  test('a fault of our own is passed on as it is', async () => {
    const { http, graph } = online(() => {
      throw new RangeError('a fault');
    });
    await expect(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW)).rejects.toThrow(
      new RangeError('a fault'),
    );
    expect(http.requests).toHaveLength(1);
  });

  test('cancelled before anything went out: nothing was changed', async () => {
    const { http, graph } = online(() => cancelled(http, false));
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({ code: 'CANCELLED', message: 'The job was cancelled. Nothing was changed.' });
    expect(http.requests).toHaveLength(1);
    expect(http.waits).toEqual([]);
  });

  test('cancelled while it was under way: what is known is said', async () => {
    const { http, graph } = online(() => cancelled(http));
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'CANCELLED',
      message:
        'The job was cancelled. An upload was under way: whether the certificate is on the connector is not known. Run the job again: it looks first.',
    });
    expect(http.requests).toHaveLength(1);
    expect(http.waits).toEqual([]);
  });

  test('cancelled while looking for a lost upload: what is known is said', async () => {
    const { http, graph } = online(new TransportError('reset', true), () => cancelled(http));
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure.code).toBe('CANCELLED');
    expect(failure.message).toContain('An upload was under way');
    expect(methods(http)).toEqual(['POST', 'GET']);
  });
});

describe('an upload whose answer is lost', () => {
  const LOST: [string, Answer][] = [
    ['the connection broke', new TransportError('reset', true)],
    ['the server is not trusted any more', new TransportError(UNTRUSTED, true)],
    ['HTTP 500', answer(500)],
    ['HTTP 504', answer(504)],
    ['HTTP 502 with the certificate in it', answer(502, connectorBody('c1', [entry(NEW)]))],
    ['an answer that cannot be read', answer(200, '<html>')],
    ['an answer without the certificate', answer(200, connectorBody('c1', [entry(OLD)]))],
    ['an empty answer', answer(204)],
  ];

  test.each(LOST)('%s: a look that shows the certificate is enough', async (_what, lost) => {
    const { http, graph } = online(lost, answer(200, connectorBody('c1', [entry(OLD), entry(NEW)])));
    expect(await graph.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', OLD, NEW));
    expect(http.requests.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', `${ROOT}/c1/uploadClientCertificate`, '{"pkcs12Value":"cGZ4","password":"pass"}'],
      ['GET', `${ROOT}/c1`, undefined],
    ]);
  });

  test('a look that does not show it: it is sent again', async () => {
    const { http, graph, log } = online(
      new TransportError('reset', true),
      answer(200, connectorBody('c1', [entry(OLD)])),
      answer(200, connectorBody('c1', [entry(OLD), entry(NEW)])),
    );
    expect(await graph.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', OLD, NEW));
    expect(methods(http)).toEqual(['POST', 'GET', 'POST']);
    expect(log).toEqual([
      expect.stringContaining('Microsoft Graph did not answer: reset'),
      'The certificate is not on the connector, so the request had no effect: sending it again.',
    ]);
  });

  test('sent again and then refused: nothing was changed', async () => {
    const { graph } = online(
      answer(500),
      answer(200, connectorBody('c1')),
      answer(400, error('AADB2C90214', 'Expired.')),
    );
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({ code: 'UPLOAD_EXPIRED_REFUSED' });
    expect(failure.message).toMatch(/\. Nothing was changed\.$/);
  });

  test('sent again and then throttled: it is sent once more without another look', async () => {
    const { http, graph } = online(
      answer(500),
      answer(200, connectorBody('c1')),
      answer(429),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    await graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW);
    expect(methods(http)).toEqual(['POST', 'GET', 'POST', 'POST']);
  });

  test('Retry-After of a failing service is waited for before the look', async () => {
    const { http, graph } = online(
      answer(500, '', { 'retry-after': '9' }),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    await graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW);
    expect(http.waits).toEqual([9000]);
  });

  const absent = answer(200, connectorBody('c1', [entry(OLD)]));
  const present = answer(200, connectorBody('c1', [entry(OLD), entry(NEW)]));
  const lost = answer(500, error('x', 'Oops.'));
  const fiveLost = [lost, absent, lost, absent, lost, absent, lost, absent, lost];

  test('lost five times: the last look decides, and shows it', async () => {
    const { http, graph, log } = online(...fiveLost, present);
    expect(await graph.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', OLD, NEW));
    expect(methods(http).filter((method) => method === 'POST')).toHaveLength(5);
    expect(http.requests.at(-1)?.method).toBe('GET');
    expect(log.filter((line) => line.startsWith('The certificate is not on the connector'))).toHaveLength(4);
  });

  test('lost five times, and cancelled during the last look: what is known is said', async () => {
    const { http, graph } = online(...fiveLost, () => cancelled(http));
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure.code).toBe('CANCELLED');
    expect(failure.message).toContain('An upload was under way');
  });

  test('lost five times: the last look decides, and does not show it', async () => {
    const { graph } = online(...fiveLost, absent);
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure.code).toBe('SERVICE_UNAVAILABLE');
    expect(failure.message).toMatch(
      /^Microsoft Graph could not serve the request \(API connector c1\): Oops .* A look afterwards shows that the certificate is not on the connector\.$/,
    );
    expect(failure.message).not.toContain('Nothing was changed');
  });

  test('an empty answer five times, and it is never seen', async () => {
    const once = [answer(204), absent, absent];
    const { graph, log } = online(...once, ...once, ...once, ...once, ...once);
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'UPLOAD_NOT_CONFIRMED',
      message:
        'Microsoft Graph took the change, but does not show it. A look afterwards shows that the certificate is not on the connector.',
      remedy: 'Run the job again.',
    });
    expect(log).toHaveLength(8);
  });

  test('no time for another try: the look is made at once', async () => {
    const { http, graph } = online(answer(500, '', { 'retry-after': '120' }), absent);
    http.lifetime.left = 60_000;
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure.code).toBe('SERVICE_UNAVAILABLE');
    expect(failure.message).toMatch(
      /The next try would have to wait 120 s, and the step has only 60 s left\. A look afterwards shows that the certificate is not on the connector\.$/,
    );
    expect(http.waits).toEqual([]);
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('a look that is refused: it is not known, and the upload is not sent again', async () => {
    const { http, graph } = online(new TransportError('reset', true), answer(403, error('x', 'Denied.')));
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'UPLOAD_NOT_CONFIRMED',
      remedy: 'Run the job again: it looks first, and uploads only where the certificate is missing.',
    });
    expect(failure.message).toMatch(
      /^Microsoft Graph did not answer: reset \(.*\)\. Whether the certificate is on the connector could not be found out: Microsoft Graph denies access \(API connector c1\): Denied \(.*\)\.$/,
    );
    expect(failure.cause).toMatchObject({ code: 'NETWORK_UNREACHABLE' });
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('a last look that is refused: it is not known', async () => {
    const { graph } = online(...fiveLost, answer(403));
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'UPLOAD_NOT_CONFIRMED',
      message: expect.stringContaining('could not be found out: Microsoft Graph denies access'),
    });
  });

  test('a look that ends in a fault of our own: it is not known', async () => {
    const { graph } = online(new TransportError('reset', true), () => {
      throw new RangeError('a fault');
    });
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(/could not be found out: a fault$/);
  });

  const UNDECIDED =
    ' The certificate was on the connector before and still is; whether this upload took effect cannot be told from that.';

  test('the same certificate was there before, and one more is there now: it took effect', async () => {
    const { http, graph } = online(answer(500), answer(200, connectorBody('c1', [entry(NEW), entry(NEW)])));
    expect(await graph.uploadClientCertificate(connector('c1', NEW), UPLOAD, NEW)).toEqual(connector('c1', NEW, NEW));
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('the same certificate was there before, and is as often there now: that tells nothing', async () => {
    const { http, graph, log } = online(
      new TransportError('reset', true),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1', NEW), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'UPLOAD_NOT_CONFIRMED',
      remedy: 'Look at is-active in the outputs, and run the job again if the certificate should be the active one.',
    });
    expect(failure.message).toMatch(/^Microsoft Graph did not answer: reset /);
    expect(failure.message.endsWith(UNDECIDED)).toBe(true);
    expect(failure.cause).toMatchObject({ code: 'NETWORK_UNREACHABLE' });
    expect(methods(http)).toEqual(['POST', 'GET']);
    expect(log).toHaveLength(1);
  });

  test('the same certificate was there before, and there is no time for another try: that tells nothing', async () => {
    const { http, graph } = online(
      answer(500, '', { 'retry-after': '120' }),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    http.lifetime.left = 60_000;
    const failure = await failureOf(graph.uploadClientCertificate(connector('c1', NEW), UPLOAD, NEW));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message.endsWith(UNDECIDED)).toBe(true);
  });
});

describe('replacing the authentication', () => {
  test('one PATCH, and a look that shows this certificate alone', async () => {
    const { http, graph, log } = online(answer(204), answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await graph.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(http.requests).toEqual([
      {
        method: 'PATCH',
        url: `${ROOT}/c1`,
        headers: {
          authorization: 'Bearer the-access-token',
          'client-request-id': expect.stringMatching(GUID),
          'content-type': 'application/json',
        },
        body: '{"authenticationConfiguration":{"@odata.type":"#microsoft.graph.pkcs12Certificate","pkcs12Value":"cGZ4","password":"pass"}}',
        timeout: 30_000,
      },
      expect.objectContaining({ method: 'GET', url: `${ROOT}/c1` }),
    ]);
    expect(log).toEqual([]);
    expect(http.waits).toEqual([]);
  });

  test.each([
    ['none', []],
    ['the old one', [entry(OLD)]],
    ['the old one too', [entry(NEW), entry(OLD)]],
  ])('a look that shows %s: it is sent again', async (_what, shown) => {
    const stale = answer(200, connectorBody('c1', shown));
    const { http, graph, log } = online(
      answer(204),
      stale,
      stale,
      answer(204),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await graph.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['PATCH', 'GET', 'GET', 'PATCH', 'GET']);
    expect(log).toEqual([
      expect.stringMatching(/^Microsoft Graph took the change, but does not show it\. Trying again/),
      'The certificate is not on the connector, so the request had no effect: sending it again.',
    ]);
  });

  test('a change that shows a little later is not sent again', async () => {
    const { http, graph } = online(
      answer(204),
      answer(200, connectorBody('c1', [entry(OLD)])),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await graph.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['PATCH', 'GET', 'GET']);
  });

  test('the certificate in an answer to the PATCH is not believed without a look', async () => {
    const { http, graph } = online(
      answer(200, connectorBody('c1', [entry(NEW)])),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    await graph.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW);
    expect(methods(http)).toEqual(['PATCH', 'GET']);
  });

  test('a look that fails after the change was taken: it is not known', async () => {
    const { http, graph } = online(answer(204), answer(401));
    const failure = await failureOf(graph.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(
      /^Microsoft Graph took the change, but does not show it\. Whether .* could not be found out: Microsoft Graph does not take the access token/,
    );
    expect(methods(http)).toEqual(['PATCH', 'GET']);
  });

  test('refused: nothing was changed', async () => {
    const { http, graph } = online(answer(400, error('AADB2C90215', 'Bad key.')));
    const failure = await failureOf(graph.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW));
    expect(failure).toMatchObject({ code: 'UPLOAD_FILE_REFUSED' });
    expect(failure.message).toMatch(/\. Nothing was changed\.$/);
    expect(methods(http)).toEqual(['PATCH']);
  });

  test('an answer that is lost: the look that shows this certificate alone is enough', async () => {
    const { http, graph } = online(new TransportError('reset', true), answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await graph.replaceAuthentication(connector('c1'), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['PATCH', 'GET']);
  });
});
