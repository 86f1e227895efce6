/** The proxy that the environment names. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Http } from '../../src/http/client.ts';
import { httpsProxy } from '../../src/http/proxy.ts';
import { failureOf } from '../pkcs12/fixtures.ts';
import { ScriptedDeadline } from '../scripted-http.ts';

const REMEDY =
  'Set it to http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with special characters percent-encoded (% itself is %25).';

describe('the proxy for https', () => {
  test.each<[string, NodeJS.ProcessEnv, string | undefined]>([
    ['no variable', {}, undefined],
    ['empty variables', { https_proxy: '', HTTPS_PROXY: '' }, undefined],
    ['HTTP_PROXY alone', { HTTP_PROXY: 'http://proxy.example:8080' }, undefined],
    ['http_proxy alone', { http_proxy: 'http://proxy.example:8080' }, undefined],
    ['http://', { HTTPS_PROXY: 'http://proxy.example:8080' }, 'http://proxy.example:8080'],
    ['https://', { HTTPS_PROXY: 'https://proxy.example' }, 'https://proxy.example'],
    ['a scheme in capitals', { HTTPS_PROXY: 'HTTP://proxy.example' }, 'HTTP://proxy.example'],
    ['blanks around it', { HTTPS_PROXY: ' http://proxy.example ' }, 'http://proxy.example'],
    ['a host and a port', { HTTPS_PROXY: 'proxy.example:8080' }, 'http://proxy.example:8080'],
    ['an address and a port', { HTTPS_PROXY: '10.0.0.1:8080' }, 'http://10.0.0.1:8080'],
    ['a host alone', { HTTPS_PROXY: 'proxy.example' }, 'http://proxy.example'],
    [
      'a user, a password, a host and a port',
      { HTTPS_PROXY: 'user:throw-away@proxy.example:8080' },
      'http://user:throw-away@proxy.example:8080',
    ],
    [
      'both letter cases: lower case wins',
      { https_proxy: 'http://lower.example', HTTPS_PROXY: 'http://upper.example' },
      'http://lower.example',
    ],
    [
      'a blank variable in lower case',
      { https_proxy: ' ', HTTPS_PROXY: 'http://upper.example' },
      'http://upper.example',
    ],
    [
      'an empty variable in lower case',
      { https_proxy: '', HTTPS_PROXY: 'http://upper.example' },
      'http://upper.example',
    ],
  ])('%s', (_, environment, proxy) => {
    expect(httpsProxy(environment)).toBe(proxy);
  });

  test.each(['socks5://proxy.example:1080', 'socks://proxy.example', 'SOCKS5h://user:throw-away@proxy.example'])(
    '%s: SOCKS is not supported',
    (value) => {
      const { code, message, remedy } = failureOf(() => httpsProxy({ HTTPS_PROXY: value }));
      expect({ code, message, remedy }).toEqual({
        code: 'PROXY_INVALID',
        message: 'The proxy in HTTPS_PROXY cannot be used: it is a SOCKS proxy, and only HTTP proxies are supported.',
        remedy: REMEDY,
      });
    },
  );

  test.each([
    ['ftp://proxy.example', 'its scheme is ftp://, and only http:// and https:// are supported'],
    ['file:///etc/passwd', 'its scheme is file://, and only http:// and https:// are supported'],
    ['http://', 'it is not a URL'],
    ['http://a b', 'it is not a URL'],
    ['proxy.example:port', 'it is not a URL'],
    ['://', 'it is not a URL'],
    ['http://user:100%-throw-away@proxy.example', 'its user name or password holds a % that encodes nothing'],
    [
      'http://user:1#throw-away@proxy.example',
      'its user name or password holds a character that has a meaning in a URL, such as # or /',
    ],
  ])('%s is not one: %s; it is not repeated, since a password may stand in it', (value, why) => {
    const { code, message, remedy } = failureOf(() => httpsProxy({ HTTPS_PROXY: value }));
    expect({ code, message, remedy }).toEqual({
      code: 'PROXY_INVALID',
      message: `The proxy in HTTPS_PROXY cannot be used: ${why}.`,
      remedy: REMEDY,
    });
  });
});

describe('requests', () => {
  const before = process.env;
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    process.env = before;
    for (const close of closing.splice(0).reverse()) await close();
  });

  const VARIABLES = ['https_proxy', 'http_proxy', 'no_proxy', 'all_proxy'];

  /** An {@link Http} in an environment with these variables and no others about proxies. */
  function openWith(environment: NodeJS.ProcessEnv): Http {
    const others = Object.entries(before).filter(([name]) => !VARIABLES.includes(name.toLowerCase()));
    process.env = { ...Object.fromEntries(others), ...environment };
    const http = new Http({ userAgent: 'unit test', deadline: new ScriptedDeadline() });
    closing.push(async () => http[Symbol.asyncDispose]());
    return http;
  }

  /** A proxy that refuses everything, and what it was asked for. */
  async function proxy(): Promise<{ authority: string; asked: (string | undefined)[] }> {
    const asked: (string | undefined)[] = [];
    const server = createServer();
    server.on('connect', (request, socket) => {
      asked.push(`${request.url ?? ''} ${request.headers['proxy-authorization'] ?? ''}`.trim());
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(async () => new Promise((resolve) => server.close(resolve)));
    return { authority: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
  }

  const send = async (http: Http): Promise<unknown> =>
    http.send({ method: 'GET', url: 'https://127.0.0.1:9/', headers: {} }).catch((error: unknown) => error);

  test('go through a proxy that is named without a scheme, with its user name and password', async () => {
    const { authority, asked } = await proxy();
    const error = await send(openWith({ HTTPS_PROXY: `us%40er:throw%2Faway@${authority}` }));
    expect(error).toMatchObject({ message: expect.stringContaining('Proxy response (403)') });
    expect(asked).toEqual([`127.0.0.1:9 Basic ${Buffer.from('us@er:throw/away').toString('base64')}`]);
  });

  test.each(['HTTP_PROXY', 'http_proxy'])('do not go through the proxy in %s', async (name) => {
    const { authority, asked } = await proxy();
    const error = await send(openWith({ [name]: `http://${authority}` }));
    expect(error).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') });
    expect(asked).toEqual([]);
  });

  test('do not go through the proxy to a host in NO_PROXY', async () => {
    const { authority, asked } = await proxy();
    const error = await send(openWith({ HTTPS_PROXY: `http://${authority}`, NO_PROXY: '127.0.0.1' }));
    expect(error).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') });
    expect(asked).toEqual([]);
  });

  test('are not possible with a password that is not percent-encoded', () => {
    const failure = failureOf(() => openWith({ HTTPS_PROXY: 'http://user:100%@proxy.example' }));
    expect(failure).toMatchObject({ code: 'PROXY_INVALID', remedy: REMEDY });
    expect(failure.message).not.toContain('100%');
  });
});
