/** What it means that no answer came back, or a redirect. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { explainTransport, isRedirect, redirected } from '../../src/http/refusal.ts';
import { TransportError } from '../../src/http/transport-error.ts';

const AT = String.raw`\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\)\.$`;

/** This text, and after it the time. */
function dated(text: string): unknown {
  return expect.stringMatching(new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')} ${AT}`));
}

function explained(message: string, sent = false) {
  const error = new TransportError('GET https://graph.example: fetch failed', sent, { cause: new Error(message) });
  const { failure, retry } = explainTransport(error, 'graph.example');
  expect(failure.cause).toBe(error);
  return { retry, code: failure.code, message: failure.message, remedy: failure.remedy };
}

test('a proxy that wants a password ends the step', () => {
  expect(explained('Proxy response (407) !== 200 when HTTP Tunneling')).toEqual({
    retry: 'no',
    code: 'PROXY_AUTHENTICATION_REQUIRED',
    message: dated(
      'The proxy on the way to graph.example asks for a user name and password, or rejects those that it got: HTTP 407',
    ),
    remedy:
      'Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT in the env of the job or of the runner, with special characters percent-encoded, out of a secret.',
  });
});

test.each([
  [400, 'no'],
  [403, 'no'],
  [408, 'yes'],
  [428, 'no'],
  [429, 'yes'],
  [499, 'no'],
  [500, 'yes'],
  [501, 'no'],
  [502, 'yes'],
  [511, 'no'],
])('a proxy that answers HTTP %d; sending again: %s', (status, retry) => {
  expect(explained(`Proxy response (${status}) !== 200 when HTTP Tunneling`)).toEqual({
    retry,
    code: 'PROXY_REFUSED',
    message: dated(`The proxy did not open the way to graph.example: HTTP ${status}`),
    remedy:
      'Let the proxy pass CONNECT to port 443 of login.microsoftonline.com and graph.microsoft.com (in China login.partner.microsoftonline.cn and microsoftgraph.chinacloudapi.cn) and GitHub’s *.actions.githubusercontent.com, or list them in NO_PROXY.',
  });
});

test('a response that is too large ends the step; only Graph’s list has another way to ask', () => {
  expect(explained('the response is larger than 1048576 bytes', true)).toEqual({
    retry: 'no',
    code: 'RESPONSE_TOO_LARGE',
    message: dated('graph.example sent more than is read: the response is larger than 1048576 bytes'),
    remedy:
      'No response of this service is that large. Something on the way to it may answer in its place, such as a proxy: let the connection pass unchanged.',
  });
});

test.each([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'CERT_REVOKED',
])('a certificate with %s ends the step', (code) => {
  expect(explained(`no trust (${code})`)).toEqual({
    retry: 'no',
    code: 'TLS_NOT_TRUSTED',
    message: dated(`The TLS certificate of graph.example is not trusted: no trust (${code})`),
    remedy: expect.stringMatching(/NODE_EXTRA_CA_CERTS.* Verification is never turned off\.$/),
  });
});

test.each([
  ['CERT_HAS_EXPIRED', 'not valid at this time', 'Check the clock of the runner.'],
  ['CERT_NOT_YET_VALID', 'not valid at this time', 'Check the clock of the runner.'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'for another name', 'Something else answers in its place'],
  ['EE certificate key too weak (UNSPECIFIED)', 'too weak', 'RSA keys of at least 2048 bits'],
])('%s ends the step with its own cause and fix', (why, cause, fix) => {
  expect(explained(why)).toMatchObject({
    retry: 'no',
    code: 'TLS_NOT_TRUSTED',
    message: expect.stringContaining(cause),
    remedy: expect.stringContaining(fix),
  });
});

test.each(['getaddrinfo ENOTFOUND graph.example', 'getaddrinfo EAI_AGAIN graph.example'])(
  '%s is tried again',
  (why) => {
    expect(explained(why)).toEqual({
      retry: 'yes',
      code: 'NETWORK_UNREACHABLE',
      message: dated(`The name of graph.example could not be resolved: ${why}`),
      remedy: 'Check the DNS of the runner, and HTTPS_PROXY if it has to go through a proxy.',
    });
  },
);

test.each(['other side closed (UND_ERR_SOCKET)', 'no response within 30 s', 'XENOTFOUNDX', 'CERT_HAS_EXPIRED_NOT'])(
  '%s is tried again',
  (why) => {
    expect(explained(why)).toEqual({
      retry: 'yes',
      code: 'NETWORK_UNREACHABLE',
      message: dated(`graph.example did not answer: ${why}`),
      remedy:
        'Run the job again. If it goes on, check that the runner may reach it on port 443, and HTTPS_PROXY and NO_PROXY.',
    });
  },
);

test.each([
  'other side closed (UND_ERR_SOCKET)',
  'getaddrinfo EAI_AGAIN graph.example',
  'Proxy response (502) !== 200',
])('%s after the request was sent: only a read shows whether to send it again', (why) => {
  expect(explained(why, true).retry).toBe('after-read');
});

test.each(['Proxy response (407) !== 200', 'Proxy response (403) !== 200', 'no trust (CERT_HAS_EXPIRED)'])(
  '%s is final, whether the request was sent or not',
  (why) => {
    expect(explained(why, true).retry).toBe('no');
  },
);

test('what a server wrote is cleaned before it is shown', () => {
  expect(explained('a\n::error::b').message).toContain('did not answer: a ::error::b (');
});

describe('a redirect', () => {
  test.each([
    [299, false],
    [300, true],
    [302, true],
    [399, true],
    [400, false],
  ])('HTTP %d: %s', (status, expected) => {
    expect(isRedirect(status)).toBe(expected);
  });

  test('means that something else answers', () => {
    const { code, message, remedy } = redirected('graph.example', 302);
    expect(code).toBe('REDIRECTED');
    expect(message).toMatch(
      /^In place of graph\.example a redirect answered \(HTTP 302, \d{4}-\d\d-\d\dT[\d:.]+Z\), which is not followed: a token must not go elsewhere\.$/,
    );
    expect(remedy).toBe(
      'Something between the runner and the service answers in its place, such as a proxy that asks for a sign-in. Let it pass.',
    );
  });
});

describe('a proxy that cannot be reached', () => {
  const names = ['https_proxy', 'HTTPS_PROXY'] as const;
  const environment = names.map((name) => [name, process.env[name]] as const);
  beforeEach(() => {
    process.env['https_proxy'] = 'http://user:throw-away@Proxy.corp.example:3128';
  });
  afterEach(() => {
    for (const [name, value] of environment) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  });

  test.each(['ENOTFOUND', 'EAI_AGAIN'])('because its name is not known (%s): the proxy is named', (code) => {
    const why = `getaddrinfo ${code} proxy.corp.example`;
    expect(explained(why)).toEqual({
      retry: 'yes',
      code: 'PROXY_INVALID',
      message: dated(`The name of the proxy on the way to graph.example could not be resolved: ${why}`),
      remedy: 'Check the name in HTTPS_PROXY, and the DNS of the runner.',
    });
  });

  test.each([
    'connect ECONNREFUSED 10.1.2.3:3128',
    'connect ECONNREFUSED ::1:3128',
    'connect ETIMEDOUT 10.1.2.3:3128',
    'Connect Timeout Error (attempted address: proxy.corp.example:3128, timeout: 10000ms) (UND_ERR_CONNECT_TIMEOUT)',
    'Connect Timeout Error (attempted addresses: 10.1.2.3:3128, 10.1.2.4:3128, timeout: 10000ms)',
  ])('%s: the proxy is named', (why) => {
    expect(explained(why)).toEqual({
      retry: 'yes',
      code: 'NETWORK_UNREACHABLE',
      message: dated(`The proxy on the way to graph.example did not answer: ${why}`),
      remedy:
        'Run the job again. If it goes on, check host and port in HTTPS_PROXY, and that the runner may reach them.',
    });
  });

  test.each([
    ['getaddrinfo ENOTFOUND graph.example', 'The name of graph.example could not be resolved'],
    ['getaddrinfo ENOTFOUND', 'The name of graph.example could not be resolved'],
    ['connect ECONNREFUSED 10.1.2.3:443', 'graph.example did not answer'],
    ['other side closed (UND_ERR_SOCKET)', 'graph.example did not answer'],
  ])('%s: it is not the proxy', (why, what) => {
    expect(explained(why)).toMatchObject({
      code: 'NETWORK_UNREACHABLE',
      message: expect.stringMatching(new RegExp(`^${what}`)),
    });
  });

  test('a proxy on port 443 is not told from the service by its port', () => {
    process.env['https_proxy'] = 'https://proxy.corp.example';
    expect(explained('connect ECONNREFUSED 10.1.2.3:443').message).toMatch(/^graph\.example did not answer/);
  });
});
