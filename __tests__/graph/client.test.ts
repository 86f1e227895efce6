/** Reading connectors from Microsoft Graph: what is asked, in what order and pace, and what a refusal means. */
import { describe, expect, test } from '@jest/globals';
import { Failure } from '../../src/failure.ts';
import { ApiConnectors } from '../../src/graph/api-connectors.ts';
import { GraphClient } from '../../src/graph/client.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import { cloudByName } from '../../src/sign-in/application.ts';
import { answer, ScriptedHttp, type Answer } from '../scripted-http.ts';
import {
  APPLICATION,
  ROOT,
  GUID,
  OLD,
  UNTRUSTED,
  CANCELLED,
  online,
  cancelled,
  failureOf,
  error,
  entry,
  connectorBody,
  connector,
} from './scripted-graph.ts';

function numbered(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({ id: `c${index + 1}`, displayName: `Number ${index + 1}` }));
}

describe('asking for a connector', () => {
  test('one GET with the token, without a body', async () => {
    const { http, connectors, log } = online(answer(200, connectorBody('c1', [entry(OLD)])));
    expect(await connectors.get('c1')).toEqual(connector('c1', OLD));
    expect(http.requests).toHaveLength(1);
    const [request] = http.requests;
    expect(request).toEqual({
      method: 'GET',
      url: `${ROOT}/c1`,
      headers: { authorization: 'Bearer the-access-token', 'client-request-id': expect.stringMatching(GUID) },
      responseLimit: 8 * 1024 * 1024,
    });
    expect(log).toEqual([]);
    expect(http.waits).toEqual([]);
  });

  test('each request has an id of its own', async () => {
    const { http, connectors } = online(answer(200, connectorBody('c1')), answer(200, connectorBody('c1')));
    await connectors.get('c1');
    await connectors.get('c1');
    expect(new Set(http.requests.map(({ headers }) => headers['client-request-id'])).size).toBe(2);
  });

  test('in China, Graph is elsewhere', async () => {
    const http = new ScriptedHttp(answer(200, connectorBody('c1')));
    const china = { ...APPLICATION, cloud: cloudByName('china') };
    const client = new GraphClient({
      http,
      application: china,
      access: { token: 'the-access-token', roles: [] },
      permission: 'APIConnectors.Read.All',
      log: () => undefined,
    });
    await new ApiConnectors(client).get('c1');
    expect(http.requests[0]?.url).toBe('https://microsoftgraph.chinacloudapi.cn/v1.0/identity/apiConnectors/c1');
  });

  test('an id with characters of a URL stays one segment of the path', async () => {
    const { http, connectors } = online(answer(200, connectorBody('c1')));
    await connectors.get('../a?b#c d');
    expect(http.requests[0]?.url).toBe(`${ROOT}/..%2Fa%3Fb%23c%20d`);
  });

  test('the connector keeps the id that was asked for, whatever the response says', async () => {
    const { connectors } = online(answer(200, connectorBody('another')));
    expect((await connectors.get('c1')).id).toBe('c1');
  });

  test.each([408, 429, 500, 503, 504])('HTTP %d is transient: it is asked again', async (status) => {
    const { http, connectors, log } = online(answer(status, error('x', 'Not now.')), answer(200, connectorBody('c1')));
    expect((await connectors.get('c1')).id).toBe('c1');
    expect(http.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([`GET ${ROOT}/c1`, `GET ${ROOT}/c1`]);
    expect(log).toEqual([
      expect.stringMatching(/\(API connector c1\): Not now .*Trying again in .* \(1 of 5 tries\)\.$/),
    ]);
  });

  test('Retry-After is waited for', async () => {
    const { http, connectors } = online(answer(429, '', { 'retry-after': '7' }), answer(200, connectorBody('c1')));
    await connectors.get('c1');
    expect(http.waits).toEqual([7000]);
  });

  test.each([
    [400, 'GRAPH_REFUSED'],
    [403, 'GRAPH_FORBIDDEN'],
    [302, 'REDIRECTED'],
  ])('HTTP %d is final', async (status, code) => {
    const { http, connectors, log } = online(answer(status));
    expect(await failureOf(connectors.get('99999999-8888-4777-8666-555555555555'))).toMatchObject({ code });
    expect(http.requests).toHaveLength(1);
    expect(log).toEqual([]);
  });

  test('HTTP 401 is asked again for a while: a token that is seconds old may not be known everywhere', async () => {
    const { http, connectors } = online(answer(401), answer(401), answer(200, connectorBody('c1')));
    expect((await connectors.get('c1')).id).toBe('c1');
    expect(http.requests).toHaveLength(3);
  });

  test('HTTP 401 for good is a refusal', async () => {
    const { connectors } = online(...Array.from({ length: 5 }, () => answer(401)));
    expect(await failureOf(connectors.get('c1'))).toMatchObject({ code: 'GRAPH_UNAUTHORIZED' });
  });

  test.each([200, 401, 403])('a web page with HTTP %d is not Graph, and is not asked for again', async (status) => {
    const page = '<!DOCTYPE html><html><head><title>Blocked by policy</title></head></html>';
    const { http, connectors } = online(answer(status, page));
    expect(await failureOf(connectors.get('c1'))).toMatchObject({
      code: 'INTERCEPTED',
      message: expect.stringContaining(
        `Not Microsoft Graph but something on the way to it answered: a web page, titled Blocked by policy (HTTP ${status}, `,
      ),
    });
    expect(http.requests).toHaveLength(1);
  });

  test('a byte order mark before the connector does not matter', async () => {
    const { connectors } = online(answer(200, `\ufeff${connectorBody('c1')}`));
    expect((await connectors.get('c1')).id).toBe('c1');
  });

  test('HTTP 403 names the roles that the token carries, and the application', async () => {
    const { connectors } = online(answer(403));
    const { remedy } = await failureOf(connectors.get('c1'));
    expect(remedy).toContain(
      'The access token carries APIConnectors.Read.All. The step needs APIConnectors.ReadWrite.All',
    );
    expect(remedy).toContain('az ad sp show --id the-client ');
  });

  test.each(['', '[]', '{"id":"c1"'])('a response that cannot be read, %j, is asked for five times', async (body) => {
    const { http, connectors, log } = online(...Array.from({ length: 5 }, () => answer(200, body)));
    const failure = await failureOf(connectors.get('c1'));
    expect(failure).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(/^The response of Microsoft Graph cannot be read \(API connector c1\)/),
    });
    expect(http.requests).toHaveLength(5);
    expect(log).toHaveLength(4);
  });

  test('a connector in a response other than 200 is not believed', async () => {
    const { connectors } = online(...Array.from({ length: 5 }, () => answer(203, connectorBody('c1'))));
    expect(await failureOf(connectors.get('c1'))).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });

  test('without a response it is asked again', async () => {
    const { http, connectors, log } = online(new TransportError('reset', true), answer(200, connectorBody('c1')));
    expect((await connectors.get('c1')).id).toBe('c1');
    expect(http.requests).toHaveLength(2);
    expect(log).toEqual([expect.stringMatching(/^Microsoft Graph did not answer: reset .*Trying again/)]);
  });

  test('a certificate of the server that is not trusted is final', async () => {
    const { http, connectors } = online(new TransportError(UNTRUSTED, false));
    expect(await failureOf(connectors.get('c1'))).toMatchObject({
      code: 'TLS_NOT_TRUSTED',
      message: expect.stringContaining('The TLS certificate of Microsoft Graph is not trusted'),
    });
    expect(http.requests).toHaveLength(1);
  });

  test('cancelled meanwhile: the cancellation is what is reported', async () => {
    const { http, connectors } = online(() => cancelled(http));
    expect(await failureOf(connectors.get('c1'))).toBe(CANCELLED);
    expect(http.requests).toHaveLength(1);
    expect(http.waits).toEqual([]);
  });

  test('a fault of our own is no refusal, and not tried again', async () => {
    const { http, connectors } = online(() => {
      throw new RangeError('a fault');
    });
    await expect(connectors.get('c1')).rejects.toThrow(new RangeError('a fault'));
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
    const { http, connectors } = online(answer(404, error('NotFound', 'No such thing.')), answer(200, page));
    const failure = await failureOf(connectors.get('c1'));
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
    const { connectors } = online(answer(404), answer(200, page));
    expect((await failureOf(connectors.get('c1'))).remedy).toBe(
      `The tenant has these:\n  ${'i'.repeat(64)}…  ${'n'.repeat(80)}…`,
    );
  });

  test('twenty are shown', async () => {
    const { connectors } = online(answer(404), answer(200, { value: numbered(20) }));
    const lines = (await failureOf(connectors.get('c0'))).remedy.split('\n');
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('  c20  Number 20');
  });

  test('of more than twenty, the rest is hinted at', async () => {
    const { connectors } = online(answer(404), answer(200, { value: numbered(21) }));
    const lines = (await failureOf(connectors.get('c0'))).remedy.split('\n');
    expect(lines).toHaveLength(22);
    expect(lines.slice(-2)).toEqual(['  c20  Number 20', '  … and 1 more']);
  });

  test('a tenant without any', async () => {
    const { connectors } = online(answer(404), answer(200, { value: [] }));
    const failure = await failureOf(connectors.get('c1'));
    expect(failure.remedy).toBe('The tenant has no API connector at all: check tenant-id.');
  });

  test.each([
    ['verify sign-up', 'Verify sign-up'],
    ['verify sign-up ', 'Verify sign-up'],
    ['verify sign-up', ' Verify sign-up'],
    ['verify sign-up', 'Verify  sign-up'],
    ['verify  sign-up', 'Verify sign-up'],
  ])('a display name is recognised, with its ID: %j, %j', async (id, displayName) => {
    const { connectors } = online(answer(404), answer(200, { value: [{ id: 'c2', displayName }] }));
    expect(await failureOf(connectors.get(id))).toMatchObject({
      code: 'CONNECTOR_NOT_FOUND',
      message: 'verify sign-up is the display name of an API connector, not its ID.',
      remedy: 'Set connector-id to its ID:\n  c2  Verify sign-up',
      cause: { code: 'CONNECTOR_NOT_FOUND', message: expect.stringContaining('The tenant has no such API connector') },
    });
  });

  test.each([
    ['one that is a display name', 'Verify sign-up', 'CONNECTOR_NOT_FOUND'],
    ['any other', 'Verify', 'GRAPH_REFUSED'],
    ['one that is an ID', 'c2', 'GRAPH_REFUSED'],
  ])('a text that is refused as a bad request: %s', async (_what, id, code) => {
    const list = answer(200, { value: [{ id: 'c2', displayName: 'Verify sign-up' }] });
    const { connectors } = online(answer(400, error('BadRequest', 'Invalid id.')), list);
    expect(await failureOf(connectors.get(id))).toMatchObject({ code });
  });

  test('a display name of several connectors: all of them, with what tells them apart', async () => {
    const twins = Array.from({ length: 22 }, (_, n) => ({
      id: `c${n}`,
      displayName: 'Verify',
      targetUrl: `https://u:p@${n}.example/api?code=k`,
    }));
    const others = [{ id: 'other', displayName: 'Verify sign-up', targetUrl: 'https://other.example' }];
    const { connectors } = online(answer(404), answer(200, { value: [...others, ...twins] }));
    const { message, remedy } = await failureOf(connectors.get('verify'));
    expect(message).toBe('verify is the display name of 22 API connectors, not an ID.');
    const lines = remedy.split('\n');
    expect(lines.slice(0, 2)).toEqual([
      'Set connector-id to the ID of the right one; these are the IDs and the target URLs:',
      '  c0  https://0.example/api?…',
    ]);
    expect(lines.slice(-2)).toEqual(['  c19  https://19.example/api?…', '  … and 2 more']);
  });

  test('a name is one segment of the path, whatever is in it', async () => {
    const name = "../a b,c;d'e/f?g#h%2e\\i:j@k&l=m\u00a0n";
    const { http, connectors } = online(answer(404), answer(200, { value: [] }));
    await failureOf(connectors.get(name));
    const { pathname, search, hash } = new URL(http.requests[0]?.url ?? '');
    expect([search, hash]).toEqual(['', '']);
    expect(pathname.split('/').slice(0, -1)).toEqual(['', 'v1.0', 'identity', 'apiConnectors']);
    expect(decodeURIComponent(pathname.split('/').at(-1) ?? '')).toBe(name);
  });

  test('one that the list has is asked for again: not every replica knows it yet', async () => {
    const list = answer(200, { value: [{ id: 'C1', displayName: 'New' }] });
    const { http, connectors } = online(answer(404), list, answer(404), list, answer(200, connectorBody('c1')));
    expect((await connectors.get('c1')).id).toBe('c1');
    expect(http.requests).toHaveLength(5);
  });

  test('one that the list has and that is never found: both are said', async () => {
    const list = answer(200, { value: [{ id: 'c1', displayName: 'New' }] });
    const { http, connectors } = online(...Array.from({ length: 5 }, () => [answer(404), list]).flat());
    expect(await failureOf(connectors.get('c1'))).toMatchObject({
      // The tenant has it, so it is not gone.
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(/^The tenant has no such API connector .*\. The list of API connectors has it\.$/),
    });
    expect(http.requests).toHaveLength(10);
  });

  test('AADB2C90063 for an ID that the list does not have is that: no such connector', async () => {
    const problem = answer(400, error('AADB2C90063', 'There is a problem with the service.'));
    const { http, connectors } = online(problem, answer(200, { value: numbered(1) }));
    const failure = await failureOf(connectors.get('c9'));
    expect(failure).toMatchObject({ code: 'CONNECTOR_NOT_FOUND', remedy: 'The tenant has these:\n  c1  Number 1' });
    expect(http.requests).toHaveLength(2);
  });

  test.each<[string, Answer]>([
    ['refused', answer(403, { value: [{ id: 'c2' }] })],
    ['not trusted', new TransportError(UNTRUSTED, false)],
  ])('if the list is %s, the step that lists them is named', async (_what, list) => {
    const { http, connectors } = online(answer(404), list);
    const failure = await failureOf(connectors.get('c1'));
    expect(failure).toMatchObject({
      code: 'CONNECTOR_NOT_FOUND',
      remedy: 'The check step with all: true lists the API connectors of the tenant with their IDs.',
    });
    expect(http.requests).toHaveLength(2);
  });
});

describe('while those that exist are listed', () => {
  test('cancelled: the cancellation is what is reported', async () => {
    const { http, connectors } = online(answer(404), () => cancelled(http));
    expect(await failureOf(connectors.get('c1'))).toBe(CANCELLED);
  });

  test('a fault of our own is passed on as it is', async () => {
    const { connectors } = online(answer(404), () => {
      throw new RangeError('a fault');
    });
    await expect(connectors.get('c1')).rejects.toThrow(new RangeError('a fault'));
  });
});

describe('listing connectors', () => {
  test('page by page', async () => {
    const { http, connectors } = online(
      answer(200, {
        value: [JSON.parse(connectorBody('c1', [entry(OLD)]))],
        '@odata.nextLink': `${ROOT}?$skiptoken=2`,
      }),
      answer(200, { value: [{ id: 'c2' }, { id: 'c3' }], '@odata.nextLink': `${ROOT}?$skiptoken=3` }),
      answer(200, { value: [] }),
    );
    const all = await connectors.list();
    expect(all.map(({ id }) => id)).toEqual(['c1', 'c2', 'c3']);
    expect(all[0]).toEqual(connector('c1', OLD));
    expect(http.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET ${ROOT}`,
      `GET ${ROOT}?$skiptoken=2`,
      `GET ${ROOT}?$skiptoken=3`,
    ]);
  });

  test('a page that leads back to one that was read: what follows is not known, so the list is no list', async () => {
    const back = { value: [{ id: 'c2' }], '@odata.nextLink': `${ROOT}?$skiptoken=2` };
    const { http, connectors } = online(answer(200, { ...back, value: [{ id: 'c1' }] }), answer(200, back));
    expect(await failureOf(connectors.list())).toMatchObject({
      code: 'GRAPH_REFUSED',
      message:
        "Microsoft Graph's list leads back to a page that was read already, so connectors may be missing from it.",
      remedy: 'Run the job again. If it goes on, name the connectors in connector-id instead of all: true.',
    });
    expect(http.requests).toHaveLength(2);
  });

  test('a page that is too large: the connectors can be named instead', async () => {
    const large = new TransportError('the response is larger than 8388608 bytes', true);
    const { connectors } = online(large, large);
    const failure = await failureOf(connectors.list());
    expect(failure.code).toBe('RESPONSE_TOO_LARGE');
    expect(failure.remedy).toMatch(/ Name the connectors in connector-id instead of all: true\.$/);
    expect((await failureOf(connectors.get('c1'))).remedy).not.toContain('all: true');
  });

  test('a connector that is on two pages, in whatever letter case, is there once', async () => {
    const next = { value: [{ id: 'c1' }, { id: 'c2' }], '@odata.nextLink': `${ROOT}?$skiptoken=2` };
    const { connectors } = online(answer(200, next), answer(200, { value: [{ id: 'C2' }, { id: 'c3' }] }));
    expect((await connectors.list()).map(({ id }) => id)).toEqual(['c1', 'c2', 'c3']);
  });

  test.each([[null], ['text'], [{ id: 5 }], [{ displayName: 'x' }], [{ id: '' }]])(
    'a page with %j in it is not read as if there were fewer connectors, but asked for again',
    async (odd) => {
      const { http, connectors } = online(answer(200, { value: [odd, { id: 'c1' }] }), answer(200, { value: [] }));
      expect(await connectors.list()).toEqual([]);
      expect(http.requests).toHaveLength(2);
    },
  );

  test.each([5, null, ''])('a next link that is %j is none', async (nextLink) => {
    const { http, connectors } = online(answer(200, { value: [], '@odata.nextLink': nextLink }));
    expect(await connectors.list()).toEqual([]);
    expect(http.requests).toHaveLength(1);
  });

  test.each([
    '/v1.0/identity/apiConnectors?$skiptoken=2',
    'apiConnectors?$skiptoken=2',
    '?$skiptoken=2',
    'https://graph.microsoft.com:443/v1.0/identity/apiConnectors?$skiptoken=2',
    'https://user:password@graph.microsoft.com/v1.0/identity/apiConnectors/?$skiptoken=2#x',
  ])('the next link %s is the same list', async (nextLink) => {
    const { http, connectors } = online(
      answer(200, { value: [], '@odata.nextLink': nextLink }),
      answer(200, { value: [] }),
    );
    expect(await connectors.list()).toEqual([]);
    expect(http.requests[1]?.url).toBe(`${ROOT}?$skiptoken=2`);
  });

  test('the letter case of a next link does not matter, and what follows it is kept', async () => {
    const { http, connectors } = online(
      answer(200, {
        value: [],
        '@odata.nextLink': 'https://GRAPH.microsoft.com/v1.0/identity/apiconnectors?$skiptoken=aBc',
      }),
      answer(200, { value: [] }),
    );
    await connectors.list();
    expect(http.requests[1]?.url).toBe(`${ROOT}?$skiptoken=aBc`);
  });

  test('a next link may have a slash before its query', async () => {
    const next = { value: [{ id: 'c1' }], '@odata.nextLink': `${ROOT}/?$skiptoken=2` };
    const { http, connectors } = online(answer(200, next), answer(200, { value: [{ id: 'c2' }] }));
    expect((await connectors.list()).map(({ id }) => id)).toEqual(['c1', 'c2']);
    expect(http.requests[1]?.url).toBe(`${ROOT}?$skiptoken=2`);
  });

  /** A list of so many pages, each with one connector. */
  const ofPages = (count: number) => {
    const scripted = online();
    let page = 0;
    scripted.http.otherwise = () => {
      const next = ++page < count ? { '@odata.nextLink': `${ROOT}?$skiptoken=${page}` } : {};
      return answer(200, { value: [{ id: `c${page}` }], ...next });
    };
    return scripted;
  };
  const tooLong = (items: number, pages: number) => ({
    code: 'LIST_TOO_LONG',
    message: `Microsoft Graph's list goes on after ${items} items on ${pages} pages; at most 1000 items on 100 pages are read.`,
    remedy: 'Name the connectors in connector-id instead of all: true.',
  });

  test('100 pages are read; a list without an end is ended, and that is said', async () => {
    expect(await ofPages(100).connectors.list()).toHaveLength(100);
    const { http, connectors } = ofPages(Infinity);
    expect(await failureOf(connectors.list())).toMatchObject(tooLong(101, 101));
    expect(http.requests).toHaveLength(101);
  });

  test('1000 connectors are read; a list of more is refused, and that is said', async () => {
    const listOf = async (count: number) => online(answer(200, { value: numbered(count) })).connectors.list();
    expect(await listOf(1000)).toHaveLength(1000);
    expect(await failureOf(listOf(1001))).toMatchObject(tooLong(1001, 1));
  });

  test('a page of very many is refused in the same words', async () => {
    const page = `{"value":[${'{"id":"a"},'.repeat(300_000)}{"id":"a"}]}`;
    const { http, connectors } = online(answer(200, page));
    expect(await failureOf(connectors.list())).toMatchObject(tooLong(300_001, 1));
    expect(http.requests).toHaveLength(1);
  });

  test.each([
    'https://graph.example/v1.0/identity/apiConnectors?$skiptoken=2',
    `https://graph.example/?${ROOT}?`,
    `${ROOT}.example?$skiptoken=2`,
    '//graph.example/v1.0/identity/apiConnectors?$skiptoken=2',
    'http://graph.microsoft.com/v1.0/identity/apiConnectors?$skiptoken=2',
    'https://graph.microsoft.com:8443/v1.0/identity/apiConnectors?$skiptoken=2',
    'https://[/v1.0/identity/apiConnectors?$skiptoken=2',
  ])('the token does not go to %s', async (nextLink) => {
    const { http, connectors } = online(answer(200, { value: [{ id: 'c1' }], '@odata.nextLink': nextLink }));
    expect(await failureOf(connectors.list())).toMatchObject({
      code: 'GRAPH_REFUSED',
      message: `Microsoft Graph's list goes on at ${nextLink}, which is not ${ROOT}.`,
      remedy: 'Name the connectors in connector-id instead of all: true.',
    });
    expect(http.requests).toHaveLength(1);
  });

  test.each(['null', '[]', '{}', '{"value":{"id":"c1"}}', 'text'])(
    '%s is no list, and asked for again',
    async (body) => {
      const { http, connectors } = online(answer(200, body), answer(200, { value: [{ id: 'c1' }] }));
      expect(await connectors.list()).toHaveLength(1);
      expect(http.requests).toHaveLength(2);
    },
  );

  test('a refusal names no connector, and a list that is not found is not asked for twice', async () => {
    const { http, connectors } = online(answer(404, error('NotFound', 'No such thing.')));
    const failure = await failureOf(connectors.list());
    expect(failure.code).toBe('TENANT_KIND_UNSUPPORTED');
    expect(failure.message).toMatch(/^Microsoft Graph has no list of API connectors for this tenant: No such thing /);
    expect(failure.remedy).toMatch(/not in external tenants\. Check that tenant-id is the tenant/);
    expect(failure.remedy).not.toContain('all: true');
    expect(http.requests).toHaveLength(1);
  });
});

describe('the pace', () => {
  test('200 requests go out at once, the next waits for the rest of the minute', async () => {
    const { http, connectors } = online(...Array.from({ length: 201 }, () => answer(200, connectorBody('c1'))));
    for (let n = 0; n < 201; n++) await connectors.get('c1');
    expect(http.requests).toHaveLength(201);
    expect(http.waits).toEqual([60_000]);
  });
});
