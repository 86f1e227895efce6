/** One request over a real socket on this machine, and the retry policy on a scripted network. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners, once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createNetServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates, type PeerCertificate } from 'node:tls';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { CertificateAuthority, clientCertificate } from '../../emulator/certificates.ts';
import { connectAhead, type ConnectionAhead } from '../../src/ahead.ts';
import { Failure } from '../../src/failure.ts';
import {
  Http,
  reason,
  retry,
  RETRY,
  retryAfter,
  TransportError,
  type Attempt,
  type HttpRequest,
  type Lifetime,
  type PemIdentity,
} from '../../src/http/client.ts';
import { answer, ScriptedHttp, ScriptedLifetime } from '../scripted-http.ts';

const LIMIT = 1024 * 1024;

const closing: (() => Promise<void>)[] = [];

beforeAll(() => {
  // A proxy of the machine that runs the tests is none of their business.
  process.env['no_proxy'] = '127.0.0.1,localhost';
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Starts this server until the test is over; its port. */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** The origin of a web server that answers so. */
async function serve(listener: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(listener))}`;
}

/** The origin of a server that does this with each connection once something was asked on it. */
async function serveRaw(asked: (socket: Socket) => void): Promise<string> {
  const server = createNetServer((socket) => {
    socket.once('data', () => {
      asked(socket);
    });
  });
  return `http://127.0.0.1:${await listen(server)}`;
}

function open(lifetime: Lifetime = new ScriptedLifetime(), clientCertificate?: PemIdentity): Http {
  const http = new Http('unit test (+https://github.com/o/r)', lifetime, { clientCertificate });
  closing.push(async () => http.close());
  return http;
}

function get(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'GET', url, headers: {}, timeout: 20_000, ...more };
}

async function failing(promise: Promise<unknown>): Promise<TransportError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TransportError)) throw new Error('no TransportError', { cause: error });
  return error;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

const cancelled = new Failure('CANCELLED', 'The job was cancelled (SIGINT).', 'Run the job again.');

describe('an answer', () => {
  test('comes back whole: status, headers, body', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(201, { 'X-Request-Id': 'abc', 'content-type': 'application/json' }).end('{"a":1}');
    });
    const response = await open().send(get(`${origin}/`));
    expect(response).toMatchObject({ status: 201, body: '{"a":1}' });
    expect(response.headers).toMatchObject({ 'x-request-id': 'abc', 'content-type': 'application/json' });
  });

  test.each([400, 404, 429, 500, 503])('HTTP %d is an answer, not an error', async (status) => {
    const origin = await serve((_request, response) => response.writeHead(status).end('no'));
    expect(await open().send(get(origin))).toMatchObject({ status, body: 'no' });
  });

  test('of a HEAD request has no body', async () => {
    const origin = await serve((request, response) => response.writeHead(200, { method: request.method }).end());
    const response = await open().send(get(origin, { method: 'HEAD' }));
    expect(response).toMatchObject({ status: 200, body: '', headers: { method: 'HEAD' } });
  });

  test('may come in pieces that break a character in two', async () => {
    const [first, ...rest] = Buffer.from('ü and 證');
    const origin = await serve((_request, response) => {
      response.write(Buffer.of(first ?? 0), () => setTimeout(() => response.end(Buffer.from(rest)), 20));
    });
    expect((await open().send(get(origin))).body).toBe('ü and 證');
  });

  test('that gives a header several times counts with the last value', async () => {
    const origin = await serve((_request, response) => {
      response
        .writeHead(200, ['Retry-After', '1', 'Retry-After', '3', 'Retry-After', '2', 'X-One', '1', 'X-Empty', ''])
        .end();
    });
    const { headers } = await open().send(get(origin));
    expect(headers).toMatchObject({ 'retry-after': '2', 'x-one': '1', 'x-empty': '' });
  });

  test('that redirects is not followed', async () => {
    const paths: (string | undefined)[] = [];
    const origin = await serve((request, response) => {
      paths.push(request.url);
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    const response = await open().send(get(`${origin}/here`, { headers: { authorization: 'Bearer abc' } }));
    expect(response).toMatchObject({ status: 302, headers: { location: '/elsewhere' } });
    expect(paths).toEqual(['/here']);
  });

  test('of exactly 1 MiB is read', async () => {
    const origin = await serve((_request, response) => response.end('x'.repeat(LIMIT)));
    expect((await open().send(get(origin))).body).toHaveLength(LIMIT);
  });

  test('of one byte more is refused', async () => {
    const origin = await serve((_request, response) => response.end('x'.repeat(LIMIT + 1)));
    expect(await failing(open().send(get(origin)))).toMatchObject({
      message: `GET ${origin}: the answer is larger than 1048576 bytes`,
      sent: true,
    });
  });

  test('that never ends is cut off, and its connection with it', async () => {
    let cut: (value: unknown) => void = () => undefined;
    const closed = new Promise((resolve) => (cut = resolve));
    const origin = await serve((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more).on('close', () => {
        cut('cut off');
      });
      more();
    });
    expect((await failing(open().send(get(origin)))).message).toContain('larger than');
    expect(await closed).toBe('cut off');
  });
});

describe('a request', () => {
  interface Received {
    method: string | undefined;
    path: string | undefined;
    headers: IncomingMessage['headers'];
    body: string;
  }
  const received: Received[] = [];
  let origin = '';

  beforeEach(async () => {
    received.length = 0;
    origin = await serve((request, response) => {
      void bodyOf(request).then((body) => {
        received.push({ method: request.method, path: request.url, headers: request.headers, body });
        response.end();
      });
    });
  });

  test('says who asks, and asks for JSON', async () => {
    await open().send(get(`${origin}/v1.0/me?$select=id&x=%20y`));
    expect(received).toMatchObject([
      {
        method: 'GET',
        path: '/v1.0/me?$select=id&x=%20y',
        headers: { 'user-agent': 'unit test (+https://github.com/o/r)', accept: 'application/json' },
        body: '',
      },
    ]);
    expect(received[0]?.headers).not.toHaveProperty('content-length');
  });

  test('carries the headers it was given, in place of those it would have had', async () => {
    await open().send(get(origin, { headers: { authorization: 'Bearer abc', accept: '*/*' } }));
    expect(received[0]?.headers).toMatchObject({ authorization: 'Bearer abc', accept: '*/*' });
    expect(received[0]?.headers['user-agent']).toContain('unit test');
  });

  test.each(['POST', 'PATCH'] as const)('%s carries its body', async (method) => {
    await open().send(get(`${origin}/p`, { method, body: '{"ü":1}', headers: { 'content-type': 'text/plain' } }));
    expect(received).toMatchObject([
      { method, path: '/p', body: '{"ü":1}', headers: { 'content-type': 'text/plain', 'content-length': '8' } },
    ]);
  });

  test('with a header that breaks the line is never sent', async () => {
    const error = await failing(open().send(get(origin, { headers: { authorization: 'a\r\nb: c' } })));
    expect(error.message).toContain('invalid authorization header');
    expect(error.sent).toBe(false);
    expect(received).toEqual([]);
  });
});

describe('no answer', () => {
  test('where nobody listens: nothing was sent', async () => {
    const server = createNetServer();
    const port = await listen(server);
    await closing.pop()?.();
    const error = await failing(open().send(get(`http://127.0.0.1:${port}/secret?path`)));
    expect(error.sent).toBe(false);
    expect(error.name).toBe('TransportError');
    expect(error.message).toMatch(new RegExp(`^GET http://127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`));
    expect(error.message).not.toContain('secret');
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('where the connection is cut before the headers: it may have been sent', async () => {
    const origin = await serveRaw((socket) => socket.destroy());
    const error = await failing(open().send(get(origin, { method: 'PATCH', body: '{}' })));
    expect(error.sent).toBe(true);
    expect(error.message).toMatch(/^PATCH http:.*: \S/);
  });

  test('where the connection is cut after the headers', async () => {
    const origin = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":', () => socket.destroy());
    });
    expect(await failing(open().send(get(origin)))).toMatchObject({ sent: true });
  });

  test('where something else than HTTP comes back', async () => {
    const origin = await serveRaw((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    expect(await failing(open().send(get(origin)))).toMatchObject({ sent: true });
  });

  test('in time: the attempt ends, and its connection with it', async () => {
    let gone: (value: unknown) => void = () => undefined;
    const closed = new Promise((resolve) => (gone = resolve));
    const origin = await serve((request) => {
      request.socket.on('close', () => {
        gone('closed');
      });
    });
    // Long enough for the request to be on its way.
    const error = await failing(open().send(get(origin, { timeout: 500 })));
    expect(error).toMatchObject({ message: `GET ${origin}: no answer within 0.5 s`, sent: true });
    expect(await closed).toBe('closed');
  });

  test('in whole in time', async () => {
    const origin = await serve((_request, response) => response.writeHead(200).write('{"a":'));
    const error = await failing(open().send(get(origin, { timeout: 500 })));
    expect(error).toMatchObject({ message: `GET ${origin}: no answer within 0.5 s`, sent: true });
  });

  test('because the step ends', async () => {
    const lifetime = new ScriptedLifetime();
    const origin = await serve(() => {
      lifetime.end(cancelled);
    });
    const error = await failing(open(lifetime).send(get(origin, { method: 'POST', body: 'x' })));
    expect(error).toMatchObject({ sent: true, cause: cancelled });
    expect(error.message).toContain(`POST ${origin}: The job was cancelled (SIGINT).`);
  });

  test('because the step has ended before: nothing is sent', async () => {
    const lifetime = new ScriptedLifetime();
    lifetime.end(cancelled);
    let asked = 0;
    const origin = await serve((_request, response) => {
      asked++;
      response.end();
    });
    const error = await failing(open(lifetime).send(get(origin)));
    expect(error).toMatchObject({ sent: false, cause: cancelled });
    expect(error.message).toContain(`GET ${origin}: The job was cancelled (SIGINT).`);
    expect(await open().send(get(origin))).toMatchObject({ status: 200 });
    expect(asked).toBe(1);
  });

  test('while the request still waits for one of the four connections: it is never sent', async () => {
    const paths: (string | undefined)[] = [];
    const held: ServerResponse[] = [];
    let full: (value: unknown) => void = () => undefined;
    const allBusy = new Promise((resolve) => (full = resolve));
    const origin = await serve((request, response) => {
      paths.push(request.url);
      if (request.url !== '/busy') response.end('free');
      else if (held.push(response) === 4) full(undefined);
    });
    const http = open();
    const busy = [1, 2, 3, 4].map(async () => http.send(get(`${origin}/busy`)));
    await allBusy;
    const error = await failing(http.send(get(`${origin}/fifth`, { timeout: 50 })));
    expect(error).toMatchObject({ message: `GET ${origin}: no answer within 0.05 s`, sent: false });
    for (const response of held) response.end('done');
    expect((await Promise.all(busy)).map(({ body }) => body)).toEqual(['done', 'done', 'done', 'done']);
    expect((await http.send(get(`${origin}/sixth`))).body).toBe('free');
    expect(paths).toEqual(['/busy', '/busy', '/busy', '/busy', '/sixth']);
  });
});

describe('a server that asks for a client certificate', () => {
  const trusted = getCACertificates('default');
  afterEach(() => {
    setDefaultCACertificates(trusted);
  });

  /** Its address, and the certificates that clients presented; an empty one where there was none. */
  async function start(): Promise<{ url: string; presented: PeerCertificate[] }> {
    const authority = await CertificateAuthority.create();
    setDefaultCACertificates([...trusted, authority.pem]);
    const presented: PeerCertificate[] = [];
    const server = createTlsServer(
      { ...(await authority.serverCertificate(['localhost'])), requestCert: true, rejectUnauthorized: false },
      (_request, response) => response.end('hello'),
    );
    server.on('secureConnection', (socket) => presented.push(socket.getPeerCertificate()));
    return { url: `https://localhost:${await listen(server)}/`, presented };
  }

  test('gets the one it is to get', async () => {
    const { url, presented } = await start();
    const { certificatePem, keyPem, thumbprint } = await clientCertificate();
    const http = open(new ScriptedLifetime(), { cert: certificatePem, key: keyPem });
    expect(await http.send(get(url))).toMatchObject({ status: 200, body: 'hello' });
    expect(presented.map(({ fingerprint }) => fingerprint.replaceAll(':', ''))).toEqual([thumbprint]);
  });

  test('gets none where there is none', async () => {
    const { url, presented } = await start();
    expect(await open().send(get(url))).toMatchObject({ status: 200, body: 'hello' });
    expect(presented).toEqual([{}]);
  });
});

describe('a connection opened ahead', () => {
  /** A server that answers everything, and what happens on it. */
  async function watched(): Promise<{ origin: string; seen: string[]; connected: Promise<unknown> }> {
    const seen: string[] = [];
    const server = createServer(({ method, url }, response) => {
      seen.push(`${method ?? ''} ${url ?? ''}`);
      response.end('{}');
    });
    const connected = once(server, 'connection');
    server.on('connection', () => seen.push('connection'));
    return { origin: `http://127.0.0.1:${await listen(server)}`, seen, connected };
  }

  test('serves the requests that follow, one after the other, and carries nothing of its own', async () => {
    const { origin, seen, connected } = await watched();
    const http = new Http('unit test', new ScriptedLifetime());
    closing.push(async () => http.close());
    // The client hears of it a moment after the server, and lets go of the connection in the same turn.
    const known = new Promise<void>((resolve) => {
      const listener = (): void => {
        unsubscribe('undici:client:connected', listener);
        resolve();
      };
      subscribe('undici:client:connected', listener);
    });
    http.connect(origin);
    await Promise.all([connected, known]);
    await setImmediate();
    await http.send({ method: 'GET', url: `${origin}/one`, headers: {}, timeout: 5_000 });
    await http.send({ method: 'POST', url: `${origin}/two`, headers: {}, body: '{}', timeout: 5_000 });
    expect(seen).toEqual(['connection', 'GET /one', 'POST /two']);
  });

  test('that cannot be made is met again by the request', async () => {
    const http = new Http('unit test', new ScriptedLifetime());
    closing.push(async () => http.close());
    const { origin } = await watched();
    const refused = origin.replace(/\d+$/, '1');
    http.connect(refused);
    const outcome = http.send({ method: 'GET', url: refused, headers: {}, timeout: 5_000 });
    await expect(outcome).rejects.toMatchObject({ name: 'TransportError', sent: false });
  });
});

describe('a connection begun before anything else', () => {
  /** A TLS server that answers everything, and what happens on it. */
  let authority: CertificateAuthority;
  beforeAll(async () => {
    authority = await CertificateAuthority.create();
    setDefaultCACertificates([authority.pem]);
  });

  async function watched(name: string): Promise<{ origin: string; seen: string[] }> {
    const seen: string[] = [];
    const server = createTlsServer(await authority.serverCertificate([name]), ({ method, url }, response) => {
      seen.push(`${method ?? ''} ${url ?? ''}`);
      response.end('{}');
    });
    server.on('connection', () => seen.push('connection'));
    return { origin: `https://localhost:${await listen(server)}`, seen };
  }

  const begin = async (origin: string, environment: NodeJS.ProcessEnv = {}): Promise<ConnectionAhead | undefined> => {
    const ahead = await connectAhead({
      ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/token?api-version=2.0`,
      ...environment,
    });
    if (ahead) closing.push(async () => Promise.resolve(ahead.socket.destroy()).then(() => undefined));
    return ahead;
  };

  test('serves the first request to its origin, whether it stands by then or not', async () => {
    for (const early of [true, false]) {
      const { origin, seen } = await watched('localhost');
      const ahead = await begin(origin);
      if (!early) await ahead?.settled;
      const http = new Http('unit test', new ScriptedLifetime(), { ahead });
      closing.push(async () => http.close());
      for (const path of ['/one', '/two']) {
        await http.send({ method: 'GET', url: origin + path, headers: {}, timeout: 5_000 });
      }
      expect(seen).toEqual(['connection', 'GET /one', 'GET /two']);
    }
  });

  test('is of no use for another origin', async () => {
    const [one, other] = [await watched('localhost'), await watched('localhost')];
    const ahead = await begin(one.origin);
    const http = new Http('unit test', new ScriptedLifetime(), { ahead });
    closing.push(async () => http.close());
    await http.send({ method: 'GET', url: `${other.origin}/`, headers: {}, timeout: 5_000 });
    expect(other.seen).toEqual(['connection', 'GET /']);
    await ahead?.settled;
    expect(one.seen).toEqual(['connection']);
  });

  test('to a server that is not trusted fails as any other', async () => {
    const { origin, seen } = await watched('another.example');
    const http = new Http('unit test', new ScriptedLifetime(), { ahead: await begin(origin) });
    closing.push(async () => http.close());
    const outcome = http.send({ method: 'GET', url: origin, headers: {}, timeout: 5_000 });
    await expect(outcome).rejects.toThrow(/ERR_TLS_CERT_ALTNAME_INVALID|altnames/);
    expect(seen).not.toContain('GET /');
  });

  test.each<[string, NodeJS.ProcessEnv]>([
    ['through a proxy', { HTTPS_PROXY: 'http://127.0.0.1:9' }],
    ['through a proxy for http, which serves https as well', { http_proxy: 'http://127.0.0.1:9' }],
    ['where the job has no ID token', { ACTIONS_ID_TOKEN_REQUEST_URL: undefined }],
    ['without TLS', { ACTIONS_ID_TOKEN_REQUEST_URL: 'http://127.0.0.1:9/' }],
    ['to what is no URL', { ACTIONS_ID_TOKEN_REQUEST_URL: 'localhost' }],
  ])('is not begun %s', async (_, environment) => {
    expect(await begin('https://localhost:9', environment)).toBeUndefined();
  });
});

describe('closing', () => {
  test('closes a connection that is kept alive', async () => {
    let gone: (value: unknown) => void = () => undefined;
    const closed = new Promise((resolve) => (gone = resolve));
    const origin = await serve((request, response) => {
      request.socket.on('close', () => {
        gone('closed');
      });
      response.end();
    });
    const http = open();
    await http.send(get(origin));
    await http.close();
    expect(await closed).toBe('closed');
  });

  test('ends a request that waits for its answer', async () => {
    let asked: (value: unknown) => void = () => undefined;
    const underWay = new Promise((resolve) => (asked = resolve));
    const origin = await serve(asked);
    const http = open();
    const failed = failing(http.send(get(origin)));
    await underWay;
    await http.close();
    expect(await failed).toMatchObject({ sent: true });
  });
});

describe('waiting', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('lasts as long as it was asked to', async () => {
    jest.useFakeTimers();
    const http = open();
    let over = false;
    const waiting = http.wait(1000).then(() => (over = true));
    await jest.advanceTimersByTimeAsync(999);
    expect(over).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(over).toBe(true);
    await waiting;
  });

  test('ends with the step, and leaves no timer or listener behind', async () => {
    jest.useFakeTimers();
    const lifetime = new ScriptedLifetime();
    const waiting = open(lifetime).wait(20_000);
    expect(jest.getTimerCount()).toBe(1);
    lifetime.end(cancelled);
    await expect(waiting).rejects.toBe(cancelled);
    expect(jest.getTimerCount()).toBe(0);
    expect(getEventListeners(lifetime.signal, 'abort')).toHaveLength(0);
  });

  test('does not begin once the step has ended', async () => {
    jest.useFakeTimers();
    const lifetime = new ScriptedLifetime();
    lifetime.end(cancelled);
    await expect(open(lifetime).wait(20_000)).rejects.toBe(cancelled);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('listens for the end of the step no longer than it lasts', async () => {
    const lifetime = new ScriptedLifetime();
    const waiting = open(lifetime).wait(1);
    expect(getEventListeners(lifetime.signal, 'abort')).toHaveLength(1);
    await waiting;
    expect(getEventListeners(lifetime.signal, 'abort')).toHaveLength(0);
  });
});

test('the time that the step may still take is the lifetime’s', () => {
  const lifetime = new ScriptedLifetime();
  lifetime.left = 1234;
  const http = open(lifetime);
  expect(http.remaining()).toBe(1234);
  expect(http.signal).toBe(lifetime.signal);
});

describe('trying again', () => {
  const busy = new Failure('THROTTLED', 'Graph is busy.', 'Run the job again later.');

  /** What came of attempts with these outcomes; of the last one, from there on. */
  async function trying(http: ScriptedHttp, ...outcomes: readonly Attempt<string>[]) {
    const asked: number[] = [];
    const lines: string[] = [];
    const result: unknown = await retry(
      http,
      async (n) => {
        asked.push(n);
        return await Promise.resolve(outcomes[Math.min(n, outcomes.length) - 1] ?? { done: 'nothing' });
      },
      (line) => lines.push(line),
    ).catch((error: unknown) => error);
    return { result, asked, lines };
  }

  test('is not needed where the first attempt is done', async () => {
    const http = new ScriptedHttp();
    expect(await trying(http, { done: 'token' })).toEqual({ result: 'token', asked: [1], lines: [] });
    expect(http.waits).toEqual([]);
  });

  test('helps where the third attempt is done', async () => {
    const http = new ScriptedHttp();
    const { result, asked, lines } = await trying(http, { again: busy }, { again: busy }, { done: 'token' });
    expect({ result, asked }).toEqual({ result: 'token', asked: [1, 2, 3] });
    expect(http.waits).toHaveLength(2);
    expect(lines).toEqual([
      expect.stringMatching(/^Graph is busy\. Trying again in 0\.[345] s \(1 of 5 tries\)\.$/),
      expect.stringMatching(/^Graph is busy\. Trying again in (0\.[5-9]|1\.0) s \(2 of 5 tries\)\.$/),
    ]);
  });

  test('an empty result is a result', async () => {
    expect(await trying(new ScriptedHttp(), { done: '' })).toMatchObject({ result: '', asked: [1] });
  });

  test('ends after five attempts with the failure of the last', async () => {
    const last = new Failure('SERVICE_UNAVAILABLE', 'Graph answered HTTP 503.', 'Run the job again.');
    const again = { again: busy };
    const { result, asked, lines } = await trying(new ScriptedHttp(), again, again, again, again, { again: last });
    expect(result).toBe(last);
    expect(asked).toEqual([1, 2, 3, 4, 5]);
    expect(lines).toHaveLength(4);
  });

  test('waits longer each time, by half and some chance', async () => {
    const spread = new Set<number>();
    for (let run = 0; run < 25; run++) {
      const http = new ScriptedHttp();
      await trying(http, { again: busy });
      expect(http.waits).toHaveLength(4);
      for (const [n, wait] of http.waits.entries()) {
        const longest = RETRY.firstWait * 2 ** n;
        expect(wait).toBeGreaterThanOrEqual(longest / 2);
        expect(wait).toBeLessThanOrEqual(longest);
        spread.add(wait / longest);
      }
    }
    expect(spread.size).toBeGreaterThan(50);
  });

  test('waits as long as the service asks', async () => {
    const http = new ScriptedHttp();
    const { lines } = await trying(http, { again: busy, retryAfter: 17_000 }, { done: 'token' });
    expect(http.waits).toEqual([17_000]);
    expect(lines).toEqual(['Graph is busy. Trying again in 17.0 s (1 of 5 tries).']);
  });

  test('waits at least as long as without a Retry-After', async () => {
    const http = new ScriptedHttp();
    await trying(http, { again: busy, retryAfter: 0 }, { again: busy, retryAfter: undefined }, { done: 'token' });
    expect(http.waits[0]).toBeGreaterThanOrEqual(250);
    expect(http.waits[1]).toBeGreaterThanOrEqual(500);
  });

  test('waits where the step has a little more time than that', async () => {
    const http = new ScriptedHttp();
    http.lifetime.left = 60_900;
    expect(await trying(http, { again: busy, retryAfter: 60_000 }, { done: 'token' })).toMatchObject({
      result: 'token',
    });
    expect(http.waits).toEqual([60_000]);
  });

  test.each([
    [60_000, 60_000, 'The next try would have to wait 60 s, and the step has only 60 s left.'],
    [90_500, 59_999, 'The next try would have to wait 91 s, and the step has only 59 s left.'],
  ])('ends where a wait of %d ms is asked for, and the step has %d ms left', async (asked, left, sentence) => {
    const http = new ScriptedHttp();
    http.lifetime.left = left;
    const { result, lines } = await trying(http, { again: busy, retryAfter: asked }, { done: 'token' });
    expect(result).toMatchObject({
      code: 'THROTTLED',
      message: `Graph is busy. ${sentence}`,
      remedy: 'Run the job again later.',
    });
    expect(http.waits).toEqual([]);
    expect(lines).toEqual([]);
  });

  test('ends with the step', async () => {
    const http = new ScriptedHttp();
    http.lifetime.end(cancelled);
    expect(await trying(http, { again: busy })).toMatchObject({ result: cancelled, asked: [1] });
  });

  test('passes on what an attempt throws', async () => {
    const http = new ScriptedHttp();
    const attempt = async (): Promise<Attempt<string>> => Promise.reject(cancelled);
    await expect(retry(http, attempt, () => undefined)).rejects.toBe(cancelled);
    expect(http.waits).toEqual([]);
  });

  describe('within a time of its own', () => {
    beforeEach(() => {
      jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
      jest.advanceTimersByTime(60_000);
    });
    afterEach(() => {
      jest.useRealTimers();
    });

    test('ends where the next attempt would come too late', async () => {
      const http = new ScriptedHttp();
      const { result, asked } = await trying(http, { again: busy, within: 100 });
      expect({ result, asked }).toEqual({ result: busy, asked: [1] });
      expect(http.waits).toEqual([]);
    });

    test('counts from the first attempt, whatever the time was then', async () => {
      const http = new ScriptedHttp();
      let attempts = 0;
      const result = retry(
        http,
        async () => {
          attempts++;
          jest.advanceTimersByTime(8000);
          return await Promise.resolve({ again: busy, retryAfter: 5000, within: 30_000 });
        },
        () => undefined,
      );
      await expect(result).rejects.toBe(busy);
      // 8 + 5, 16 + 5 and 24 + 5 seconds are within 30; 32 + 5 are not.
      expect(attempts).toBe(4);
      expect(http.waits).toEqual([5000, 5000, 5000]);
    });

    test('still has its last moment', async () => {
      const http = new ScriptedHttp();
      const again = { again: busy, retryAfter: 5000, within: 5000 };
      expect(await trying(http, again, { done: 'token' })).toMatchObject({ result: 'token' });
    });
  });
});

describe('Retry-After', () => {
  const now = new Date('2026-11-23T08:15:30Z');

  test.each([
    ['30', 30_000],
    ['0', 0],
    [' 120 ', 120_000],
    ['999999999', 999_999_999_000],
    ['Mon, 23 Nov 2026 08:16:00 GMT', 30_000],
    ['Mon, 23 Nov 2026 08:15:00 GMT', 0],
    ['-5', 0],
    ['1234567890', undefined],
    ['5 seconds', undefined],
    ['soon', undefined],
    ['', undefined],
    ['   ', undefined],
  ])('%j', (value, expected) => {
    expect(retryAfter(answer(429, '', { 'retry-after': value }), now)).toBe(expected);
  });

  test('none', () => {
    expect(retryAfter(answer(429), now)).toBeUndefined();
  });
});

describe('the reason that is shown', () => {
  const coded = (message: string, code: string): Error => Object.assign(new Error(message), { code });

  test.each<[string, unknown, string]>([
    ['the error itself', new Error('boom'), 'boom'],
    ['the innermost cause', new Error('a', { cause: new Error('b', { cause: new Error('c') }) }), 'c'],
    ['the innermost that says something', new Error('a', { cause: new Error('') }), 'a'],
    ['with its code', coded('other side closed', 'UND_ERR_SOCKET'), 'other side closed (UND_ERR_SOCKET)'],
    ['with its code only once', coded('connect ECONNREFUSED ::1:1', 'ECONNREFUSED'), 'connect ECONNREFUSED ::1:1'],
    ['a code alone', coded('', 'ETIMEDOUT'), ' (ETIMEDOUT)'],
    ['one of several', new AggregateError([new Error('on IPv6'), new Error('on IPv4')], 'both failed'), 'on IPv4'],
    ['all together', new AggregateError([], 'both failed'), 'both failed'],
    ['a cause that is no error', new Error('a', { cause: 'why' }), 'a'],
    ['a text', 'just text', 'just text'],
    ['nothing', undefined, 'undefined'],
    ['an error without a word', new Error(''), 'Error'],
  ])('%s', (_name, error, expected) => {
    expect(reason(error)).toBe(expected);
  });

  test('is looked for eight errors deep', () => {
    let error = new Error('12');
    for (let n = 11; n >= 1; n--) error = new Error(String(n), { cause: error });
    expect(reason(error)).toBe('8');
  });

  test('is found though the causes go in a circle', () => {
    const error = new Error('round and round');
    error.cause = error;
    expect(reason(error)).toBe('round and round');
  });
});

test('a transport error keeps its cause', () => {
  const cause = new Error('why');
  expect(new TransportError('no answer', true, { cause })).toMatchObject({
    name: 'TransportError',
    message: 'no answer',
    sent: true,
    cause,
  });
});
