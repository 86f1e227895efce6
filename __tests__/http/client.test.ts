/** One request over a real socket on this machine. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createNetServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates, type PeerCertificate } from 'node:tls';
import { setImmediate } from 'node:timers/promises';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { CertificateAuthority, clientCertificate } from '../../emulator/certificates.ts';
import { Failure } from '../../src/failure.ts';
import { Http, REQUEST_TIMEOUT, type HttpRequest, type PemIdentity } from '../../src/http/client.ts';
import type { Deadline } from '../../src/http/deadline.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import { ScriptedDeadline } from '../scripted-http.ts';

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

function open(deadline: Deadline = new ScriptedDeadline(), clientCertificate?: PemIdentity): Http {
  const http = new Http({ userAgent: 'unit test (+https://github.com/o/r)', deadline, clientCertificate });
  closing.push(async () => http[Symbol.asyncDispose]());
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

describe('a response', () => {
  test('comes back whole: status, headers, body', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(201, { 'X-Request-Id': 'abc', 'content-type': 'application/json' }).end('{"a":1}');
    });
    const response = await open().send(get(`${origin}/`));
    expect(response).toMatchObject({ status: 201, body: '{"a":1}' });
    expect(response.headers).toMatchObject({ 'x-request-id': 'abc', 'content-type': 'application/json' });
  });

  test.each([400, 404, 429, 500, 503])('HTTP %d is a response, not an error', async (status) => {
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

  test('that gives a list in several headers has all of it', async () => {
    const origin = await serve((_request, response) => {
      const challenges = ['WWW-Authenticate', 'Bearer authorization="https://a"', 'www-authenticate', 'Negotiate'];
      response.writeHead(401, [...challenges, 'Via', '1.1 a', 'Via', '1.1 b', 'Date', 'x', 'Date', 'y']).end();
    });
    const { headers } = await open().send(get(origin));
    expect(headers).toMatchObject({
      'www-authenticate': 'Bearer authorization="https://a", Negotiate',
      via: '1.1 a, 1.1 b',
      date: 'y',
    });
  });

  test('that was encoded in two steps, each in a header of its own, is decoded', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(200, ['Content-Encoding', 'gzip', 'Content-Encoding', 'br']);
      response.end(brotliCompressSync(gzipSync('{"ü":1}')));
    });
    expect((await open().send(get(origin))).body).toBe('{"ü":1}');
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
      message: `GET ${origin}: the response is larger than 1048576 bytes`,
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

test('a request may take 30 seconds, unless it has a time of its own', async () => {
  expect(REQUEST_TIMEOUT).toBe(30_000);
  const asked = jest.spyOn(AbortSignal, 'timeout');
  const origin = await serve((_request, response) => response.end());
  await open().send({ method: 'GET', url: origin, headers: {} });
  await open().send(get(origin, { timeout: 1234 }));
  expect(asked.mock.calls).toEqual([[REQUEST_TIMEOUT], [1234]]);
  asked.mockRestore();
});

describe('no response', () => {
  test('if nobody listens: nothing was sent', async () => {
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

  test('if the connection is cut before the headers: it may have been sent', async () => {
    const origin = await serveRaw((socket) => socket.destroy());
    const error = await failing(open().send(get(origin, { method: 'PATCH', body: '{}' })));
    expect(error.sent).toBe(true);
    expect(error.message).toMatch(/^PATCH http:.*: \S/);
  });

  test('if the connection is cut after the headers', async () => {
    const origin = await serveRaw((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a":', () => socket.destroy());
    });
    expect(await failing(open().send(get(origin)))).toMatchObject({ sent: true });
  });

  test('if something else than HTTP comes back', async () => {
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
    expect(error).toMatchObject({ message: `GET ${origin}: no response within 0.5 s`, sent: true });
    expect(await closed).toBe('closed');
  });

  test('in whole in time', async () => {
    const origin = await serve((_request, response) => response.writeHead(200).write('{"a":'));
    const error = await failing(open().send(get(origin, { timeout: 500 })));
    expect(error).toMatchObject({ message: `GET ${origin}: no response within 0.5 s`, sent: true });
  });

  test('because the step ends', async () => {
    const deadline = new ScriptedDeadline();
    const origin = await serve(() => {
      deadline.end(cancelled);
    });
    const error = await failing(open(deadline).send(get(origin, { method: 'POST', body: 'x' })));
    expect(error).toMatchObject({ sent: true, cause: cancelled });
    expect(error.message).toContain(`POST ${origin}: The job was cancelled (SIGINT).`);
  });

  test('because the step has ended before: nothing is sent', async () => {
    const deadline = new ScriptedDeadline();
    deadline.end(cancelled);
    let asked = 0;
    const origin = await serve((_request, response) => {
      asked++;
      response.end();
    });
    const error = await failing(open(deadline).send(get(origin)));
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
    expect(error).toMatchObject({ message: `GET ${origin}: no response within 0.05 s`, sent: false });
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
    const http = open(new ScriptedDeadline(), { cert: certificatePem, key: keyPem });
    expect(await http.send(get(url))).toMatchObject({ status: 200, body: 'hello' });
    expect(presented.map(({ fingerprint }) => fingerprint.replaceAll(':', ''))).toEqual([thumbprint]);
  });

  test('gets none if there is none', async () => {
    const { url, presented } = await start();
    expect(await open().send(get(url))).toMatchObject({ status: 200, body: 'hello' });
    expect(presented).toEqual([{}]);
  });
});

describe('a connection opened before the first request', () => {
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
    const http = open();
    // The client hears of it a moment after the server, and lets go of the connection in the same turn.
    const known = new Promise<void>((resolve) => {
      const listener = (): void => {
        unsubscribe('undici:client:connected', listener);
        resolve();
      };
      subscribe('undici:client:connected', listener);
    });
    http.preconnect(origin);
    await Promise.all([connected, known]);
    await setImmediate();
    await http.send({ method: 'GET', url: `${origin}/one`, headers: {}, timeout: 5_000 });
    await http.send({ method: 'POST', url: `${origin}/two`, headers: {}, body: '{}', timeout: 5_000 });
    expect(seen).toEqual(['connection', 'GET /one', 'POST /two']);
  });

  test('that cannot be made is met again by the request', async () => {
    const http = open();
    const { origin } = await watched();
    const refused = origin.replace(/\d+$/, '1');
    http.preconnect(refused);
    const outcome = http.send({ method: 'GET', url: refused, headers: {}, timeout: 5_000 });
    await expect(outcome).rejects.toMatchObject({ name: 'TransportError', sent: false });
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
    await http[Symbol.asyncDispose]();
    expect(await closed).toBe('closed');
  });

  test('ends a request that waits for its response', async () => {
    let asked: (value: unknown) => void = () => undefined;
    const underWay = new Promise((resolve) => (asked = resolve));
    const origin = await serve(asked);
    const http = open();
    const failed = failing(http.send(get(origin)));
    await underWay;
    await http[Symbol.asyncDispose]();
    expect(await failed).toMatchObject({ sent: true });
  });
});
