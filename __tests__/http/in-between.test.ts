/** What stands between a runner and a service, and what it does to requests and responses: over real sockets on this machine. */
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:http';
import { createServer as createNetServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CertificateAuthority, clientCertificate } from '../../emulator/certificates.ts';
import { Failure } from '../../src/failure.ts';
import { Http, type HttpRequest, type HttpResponse } from '../../src/http/client.ts';
import { httpsProxy, noProxy } from '../../src/http/proxy.ts';
import { explainTransport } from '../../src/http/refusal.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import { ScriptedDeadline } from '../scripted-http.ts';

const PROXY_NAMES = [
  'https_proxy',
  'HTTPS_PROXY',
  'http_proxy',
  'HTTP_PROXY',
  'no_proxy',
  'NO_PROXY',
  'NODE_EXTRA_CA_CERTS',
];
const environment = Object.fromEntries(PROXY_NAMES.map((name) => [name, process.env[name]]));
const closing: (() => Promise<unknown>)[] = [];
const trusted = getCACertificates('default');
let authority: CertificateAuthority;
let identity: { key: string; cert: string };

beforeAll(async () => {
  authority = await CertificateAuthority.create();
  identity = await authority.serverCertificate(['localhost']);
  setDefaultCACertificates([...trusted, authority.pem]);
});
afterAll(() => {
  setDefaultCACertificates(trusted);
});
withoutEnvironment();
function withoutEnvironment(): void {
  // A proxy of the machine that runs the tests is none of their business.
  for (const name of PROXY_NAMES) Reflect.deleteProperty(process.env, name);
}
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  withoutEnvironment();
});
afterAll(() => {
  for (const [name, value] of Object.entries(environment)) if (value !== undefined) process.env[name] = value;
});

/** Starts this server until the test is over; its port. */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  };
  server.on('connection', keep).on('secureConnection', keep);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** The origin of a server that sends these chunks for each request, one after the other. */
async function speaking(...chunks: readonly (string | Buffer)[]): Promise<string> {
  const server = createNetServer((socket) => {
    socket.on('data', () => {
      void (async () => {
        for (const chunk of chunks) {
          socket.write(chunk);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      })();
    });
  });
  return `http://127.0.0.1:${await listen(server)}`;
}

function open(): Http {
  const http = new Http({ userAgent: 'unit test', deadline: new ScriptedDeadline() });
  closing.push(async () => {
    await http[Symbol.asyncDispose]();
  });
  return http;
}

async function get(url: string, request: Partial<HttpRequest> = {}): Promise<HttpResponse> {
  return await open().send({ method: 'GET', url, headers: {}, timeout: 20_000, ...request });
}

async function refusal(url: string): Promise<{ code: string; message: string; remedy: string; retry: string }> {
  const error = await get(url).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TransportError);
  const { failure, retry } = explainTransport(error as TransportError, 'Microsoft Graph');
  return { code: failure.code, message: failure.message, remedy: failure.remedy, retry };
}

/** Each by itself. */
function letters(text: string): string[] {
  return Array.from(text);
}

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}';

describe('an interim response that nobody asked for', () => {
  test.each<[string, (string | Buffer)[]]>([
    ['100 Continue', ['HTTP/1.1 100 Continue\r\n\r\n', OK]],
    ['100 with headers, in one piece with the response', [`HTTP/1.1 100 Continue\r\nserver: box\r\n\r\n${OK}`]],
    ['two of them', ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n', OK]],
    ['letter by letter', letters(`HTTP/1.1 100 Continue\r\n\r\n${OK}`)],
    ['103 Early Hints', ['HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n', OK]],
    ['102, then 100', ['HTTP/1.1 102 Processing\r\n\r\n', OK]],
    ['none', [OK]],
    ['none, letter by letter', letters(OK)],
  ])('%s', async (_, chunks) => {
    const url = await speaking(...chunks);
    const http = open();
    // Twice, on the connection that is kept.
    for (const method of ['GET', 'POST'] as const) {
      const response = await http.send({ method, url, headers: {}, ...(method === 'POST' ? { body: '{}' } : {}) });
      expect([response.status, response.body]).toEqual([200, '{}']);
    }
  });

  test('a body that begins like one stays as it is', async () => {
    const body = 'HTTP/1.1 100 Continue\r\n\r\nrest';
    const url = await speaking(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`, body);
    expect((await get(url)).body).toBe(body);
  });
});

describe('a body in a coding', () => {
  const text = '{"value":"é"}';
  const sending = async (coding: string, body: Buffer): Promise<string> =>
    await speaking(
      Buffer.concat([
        Buffer.from(`HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\ncontent-length: ${body.length}\r\n\r\n`),
        body,
      ]),
    );

  test.each<[string, Buffer]>([
    ['gzip', gzipSync(text)],
    ['GZIP', gzipSync(text)],
    ['x-gzip', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdCompressSync(text)],
    ['deflate, gzip', gzipSync(deflateSync(text))],
    ['identity', Buffer.from(text)],
    ['gzip', Buffer.from(text)],
    ['rot13', Buffer.from(text)],
  ])('%s is read', async (coding, body) => {
    expect((await get(await sending(coding, body))).body).toBe(text);
  });

  test('none is asked for', async () => {
    const asked: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      asked.push(request.headers['accept-encoding']);
      response.end();
    });
    await get(`http://127.0.0.1:${await listen(server)}`);
    expect(asked).toEqual(['identity']);
  });

  test.each<[string, (body: Buffer) => Buffer]>([
    ['gzip', (body) => gzipSync(body, { level: 1 })],
    ['br', (body) => brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
  ])('a %s bomb is not unpacked', async (coding, pack) => {
    const url = await sending(coding, pack(Buffer.alloc(64 * 1024 * 1024)));
    await expect(get(url)).rejects.toThrow('the response is larger than 1048576 bytes');
  });
});

test('headers of 100 KiB are read', async () => {
  const server = createServer((_, response) => {
    for (let n = 0; n < 25; n++) response.setHeader(`x-policy-${n}`, 'x'.repeat(4096));
    response.end('{}');
  });
  expect((await get(`http://127.0.0.1:${await listen(server)}`)).body).toBe('{}');
});

describe('an https proxy that prefers HTTP/2', () => {
  test('gets one connection a tunnel, in HTTP/1.1', async () => {
    const target = createTlsServer({ ...identity, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write(OK));
    });
    const inner: unknown[] = [];
    target.on('secureConnection', (socket: TLSSocket) => inner.push(socket.alpnProtocol));
    const targetPort = await listen(target);
    const proxy = createSecureServer({ ...identity, allowHTTP1: true });
    const outer: unknown[] = [];
    proxy.on('secureConnection', (socket: TLSSocket) => outer.push(socket.alpnProtocol));
    proxy.on('connect', (_request: unknown, client: Socket) => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      const upstream = connect(targetPort, '127.0.0.1');
      upstream
        .on('error', () => undefined)
        .pipe(client.on('error', () => undefined))
        .pipe(upstream);
      client.on('close', () => upstream.destroy());
    });
    process.env['https_proxy'] = `https://localhost:${await listen(proxy)}`;

    const http = open();
    const url = 'https://localhost/';
    for (let n = 0; n < 3; n++) expect((await http.send({ method: 'GET', url, headers: {} })).body).toBe('{}');
    expect(outer).toEqual(['http/1.1']);
    expect(inner).toEqual(['http/1.1']);
  });
});

describe('what a TLS connection is refused for', () => {
  /** The origin of a TLS server. */
  const tls = async (options: object): Promise<string> =>
    `https://localhost:${await listen(createTlsServer({ ...identity, ...options }, (socket) => socket.on('error', () => undefined)))}`;

  test('something that does not speak TLS', async () => {
    const port = (await speaking('HTTP/1.1 400 Bad Request\r\n\r\n')).split(':').at(-1) ?? '';
    const { code, message, remedy, retry } = await refusal(`https://localhost:${port}`);
    expect([code, retry]).toEqual(['TLS_NOT_TRUSTED', 'no']);
    expect(message).toMatch(/^What answered for Microsoft Graph does not speak TLS: .*wrong version number/);
    expect(remedy).toContain('let it begin with http://');
  });

  test('a version that is out of date', async () => {
    const url = await tls({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    const { code, message, retry } = await refusal(url);
    expect([code, retry]).toEqual(['TLS_NOT_TRUSTED', 'no']);
    expect(message).toMatch(/^No TLS connection with Microsoft Graph can be agreed upon: /);
  });

  test('another name', async () => {
    const url = (await tls({})).replace('localhost', '127.0.0.1');
    const { code, message, remedy, retry } = await refusal(url);
    expect([code, retry]).toEqual(['TLS_NOT_TRUSTED', 'no']);
    expect(message).toMatch(/^The TLS certificate presented for Microsoft Graph is for another name: /);
    expect(remedy).not.toContain('NODE_EXTRA_CA_CERTS');
  });

  test.each([
    'EE certificate key too weak (UNSPECIFIED)',
    'CA certificate key too weak (UNSPECIFIED)',
    'CA signature digest algorithm too weak (UNSPECIFIED)',
    'error:0A00018A:SSL routines:tls_process_ske_dhe:dh key too small (ERR_SSL_DH_KEY_TOO_SMALL)',
    'error:0A00018F:SSL routines::ee key too small (ERR_SSL_EE_KEY_TOO_SMALL)',
    'error:0A00018E:SSL routines::ca md too weak (ERR_SSL_CA_MD_TOO_WEAK)',
  ])('%s', (text) => {
    const error = new TransportError('GET https://x', false, { cause: new Error(text) });
    const { failure, retry } = explainTransport(error, 'Microsoft Graph');
    expect([failure.code, retry]).toEqual(['TLS_NOT_TRUSTED', 'no']);
    expect(failure.message).toContain('The TLS certificate or key presented for Microsoft Graph is too weak');
    expect(failure.message).toContain(text);
    expect(failure.remedy).toContain('at least 2048 bits');
  });

  describe('a server whose authority is not known', () => {
    let url: string;
    let other: string;
    const folder = mkdtempSync(join(tmpdir(), 'extra-ca-'));
    const file = (name: string, content: string | Uint8Array): string => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    };
    /** So many bytes, of which none is stored. */
    const sparse = (size: number): string => {
      const path = file('sparse.pem', '');
      truncateSync(path, size);
      return path;
    };
    const der = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');

    beforeAll(async () => {
      other = (await CertificateAuthority.create()).pem;
    });

    test.each<[string, () => string | undefined, RegExp]>([
      ['no file is named', () => undefined, /give its root certificate to the step: env: NODE_EXTRA_CA_CERTS: /],
      [
        'the file does not exist',
        () => '/no/such/root.pem',
        /^NODE_EXTRA_CA_CERTS names \/no\/such\/root\.pem, which does not exist\. /,
      ],
      [
        'the file is relative, and does not exist',
        () => 'root.pem',
        /names root\.pem, which does not exist \(\/.*\/root\.pem\)\. /,
      ],
      ['the file is a directory', () => folder, /which is a directory\. /],
      ['the file is no file', () => '/dev/zero', /which is not a file\. /],
      ['the file is empty', () => file('empty.pem', ''), /which is empty\. /],
      [
        'its certificate is under its old name, behind a byte order mark, with blanks and CRLF',
        () =>
          file(
            'old.pem',
            `\ufeff${other.replaceAll(' CERTIFICATE-----', ' X509 CERTIFICATE-----').replaceAll('\n', ' \r\n')}`,
          ),
        /which holds 1 certificate \(.*\)\. None of them issued/,
      ],
      [
        'text stands before the line that begins its certificate',
        () => file('text.pem', `root: ${other}`),
        /which holds a certificate, but nothing was loaded\. Each -----BEGIN CERTIFICATE----- and /,
      ],
      [
        'blanks stand before it, and it is the second',
        () => file('blanks.pem', `${other}\n  ${other}`),
        /which holds 1 certificate \(.*\)\. What else is in it was not loaded\. Each -----BEGIN CERTIFICATE-----/,
      ],
      [
        'two files were joined without a line break',
        () => file('joined.pem', `${other.trim()}${other}`),
        /which has a certificate that cannot be read \(the 1\. of 2\).* -----END CERTIFICATE----- has to be a line of its own\./,
      ],
      [
        'the line that ends its certificate is none',
        () => file('end.pem', other.replace('-----END', ' -----END')),
        /which has a certificate that cannot be read \(the 1\. of 1\)/,
      ],
      [
        'the file is DER',
        () => file('root.der', der(other)),
        /which is DER, not PEM, so it was not loaded\. Convert it with: openssl x509 -inform DER/,
      ],
      [
        'the file is UTF-16',
        () => file('utf16.pem', Buffer.from(`\ufeff${other}`, 'utf16le')),
        /which is UTF-16, so it was not loaded/,
      ],
      [
        'the file holds a key',
        () => file('key.pem', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'),
        /holds no certificate in PEM but a PRIVATE KEY, so nothing was loaded/,
      ],
      ['the file holds text', () => file('text.pem', '<html>'), /holds no certificate in PEM, so nothing was loaded/],
      [
        'a certificate in it is damaged',
        () => file('damaged.pem', `${other}\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`),
        /has a certificate that cannot be read \(the 2\. of 2\)/,
      ],
      [
        'the file is larger than any',
        () => file('large.pem', other.repeat(Math.ceil((4 * 1024 * 1024) / other.length) + 1)),
        /which is larger than 4 MiB\. Name a file with the root certificate of whatever inspects TLS, and little else\. /,
      ],
      ['the file is larger than can be read', () => sparse(3 * 1024 ** 3), /which is larger than 4 MiB\. /],
      [
        'the file holds another authority',
        () => file('other.pem', other),
        /which holds 1 certificate \(CN=Emulator throw-away CA\)\. None of them issued the certificate of the server/,
      ],
    ])('%s', async (_, path, remedy) => {
      const value = path();
      if (value !== undefined) process.env['NODE_EXTRA_CA_CERTS'] = value;
      const { keyPem, certificatePem } = await clientCertificate({ commonName: 'localhost' });
      url = await tls({ key: keyPem, cert: certificatePem });
      const explained = await refusal(url);
      expect(explained).toMatchObject({ code: 'TLS_NOT_TRUSTED', retry: 'no', message: expect.any(String) });
      expect(explained.message).toContain('The TLS certificate of Microsoft Graph is not trusted');
      expect(explained.remedy).toMatch(remedy);
      expect(explained.remedy).toContain('Verification is never turned off.');
    });
  });
});

describe('the proxy in the environment', () => {
  test.each([
    ['http://proxy.example:3128', 'http://proxy.example:3128'],
    ['proxy.example:3128', 'http://proxy.example:3128'],
    [' proxy.example:3128/ ', 'http://proxy.example:3128/'],
    ['user:pass@proxy.example:3128', 'http://user:pass@proxy.example:3128'],
    ['[::1]:3128', 'http://[::1]:3128'],
    ['127.0.0.1:3128', 'http://127.0.0.1:3128'],
    ['proxy', 'http://proxy'],
    ['HTTP://PROXY.example:3128', 'HTTP://PROXY.example:3128'],
    ['https://proxy.example', 'https://proxy.example'],
    ['http://user:p%40ss@proxy.example', 'http://user:p%40ss@proxy.example'],
    ['', undefined],
    ['  ', undefined],
  ])('%p is %p', (value, proxy) => {
    expect(httpsProxy({ HTTPS_PROXY: value })).toBe(proxy);
    expect(() => {
      process.env['https_proxy'] = value;
      open();
    }).not.toThrow();
  });

  test.each([
    ['socks5://proxy.example:1080', 'it is a SOCKS proxy'],
    ['socks://proxy.example:1080', 'it is a SOCKS proxy'],
    ['SOCKS5H://proxy.example:1080', 'it is a SOCKS proxy'],
    ['ftp://proxy.example', 'its scheme is ftp://'],
    ['file:///proxy.pac', 'its scheme is file://'],
    ['http://proxy.example:port', 'it is not a URL'],
    ['http://', 'it is not a URL'],
    ['::1', 'it is not a URL'],
    ['http://pro xy:3128', 'it is not a URL'],
    ['"http://proxy.example:3128"', 'it is not a URL'],
    ['http://user:throw#away@proxy.example:3128', 'it is not a URL'],
    ['http://user:12#throw-away@proxy.example:3128', 'a character that has a meaning in a URL'],
    ['http://user:12/throw-away@proxy.example:3128', 'a character that has a meaning in a URL'],
    ['http://user:throw%away@proxy.example:3128', 'a % that encodes nothing'],
  ])('%p cannot be used, at once: %s', (value, why) => {
    process.env['https_proxy'] = value;
    let failure: unknown;
    try {
      open();
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(Failure);
    const { code, message, remedy } = failure as Failure;
    expect(code).toBe('PROXY_INVALID');
    expect(message).toMatch(/^The proxy in HTTPS_PROXY cannot be used: /);
    expect(message).toContain(why);
    expect(message + remedy).not.toMatch(/throw/);
  });

  test('HTTP_PROXY is for http alone', async () => {
    const port = (await speaking('HTTP/1.1 502 Bad Gateway\r\n\r\n')).split(':').at(-1) ?? '';
    process.env['HTTP_PROXY'] = process.env['http_proxy'] = `http://127.0.0.1:${port}`;
    expect((await get(await speaking(OK))).status).toBe(200);
  });

  test.each([
    [{ no_proxy: '', NO_PROXY: 'a.example' }, 'a.example'],
    [{ no_proxy: 'b.example', NO_PROXY: 'a.example' }, 'b.example'],
    [{}, ''],
  ])('the hosts without proxy in %p are %p', (variables, hosts) => {
    expect(noProxy(variables)).toBe(hosts);
  });

  test.each([
    'localhost',
    'LOCALHOST',
    '.localhost',
    'a.example, localhost',
    'a.example localhost',
    '*',
    'localhost:PORT',
  ])('NO_PROXY=%s leads past it', async (hosts) => {
    const target = createTlsServer(identity, (socket) => socket.on('data', () => socket.write(OK)));
    const port = await listen(target);
    // Nothing listens there.
    process.env['HTTPS_PROXY'] = 'http://127.0.0.1:9';
    process.env['no_proxy'] = '';
    process.env['NO_PROXY'] = hosts.replace('PORT', String(port));
    expect((await get(`https://localhost:${port}/`)).body).toBe('{}');
  });
});
