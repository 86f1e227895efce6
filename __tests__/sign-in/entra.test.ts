/** Signing in at Microsoft Entra: what is asked, and what comes of each answer. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { cloudByName, graphIn, type Application, type Cloud } from '../../src/sign-in/application.ts';
import { exchange } from '../../src/sign-in/entra.ts';
import { Failure } from '../../src/failure.ts';
import type { HttpResponse } from '../../src/http/client.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import type { Verdict } from '../../src/http/verdict.ts';
import type { IdToken } from '../../src/sign-in/github-id-token.ts';
import { answer, ScriptedHttp } from '../scripted-http.ts';
import { keepPrinted } from '../printed.ts';

const TENANT = '11111111-2222-4333-8444-555555555555';
const CLIENT = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const application: Application = {
  tenantId: TENANT,
  clientId: CLIENT,
  cloud: cloudByName('global'),
  audience: 'api://AzureADTokenExchange',
};
const graph = graphIn(application.cloud);

const idToken: IdToken = {
  jwt: jwt({ iss: 'https://token.actions.githubusercontent.com' }),
  issuer: 'https://token.actions.githubusercontent.com',
  subject: 'repo:octo/hello:ref:refs/heads/main',
  audience: 'api://AzureADTokenExchange',
};

function jwt(claims: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

function issued(accessToken: unknown): HttpResponse {
  return answer(200, { token_type: 'Bearer', expires_in: 3599, ext_expires_in: 3599, access_token: accessToken });
}

function refused(code: number, status = 401, headers: Record<string, string> = {}): HttpResponse {
  const body = {
    error: 'invalid_client',
    error_description: `AADSTS${code}: No. Trace ID: t-1 Correlation ID: c-1 Timestamp: 2026-11-23 08:15:30Z`,
    error_codes: [code],
    timestamp: '2026-11-23 08:15:30Z',
    trace_id: 't-1',
  };
  return answer(status, body, headers);
}

/** The failure that signing in ends with at once. */
async function failing(promise: Promise<unknown>): Promise<Failure> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof Failure)) throw new Error('no Failure', { cause: error });
  return error;
}

/** The failure of a verdict that no other attempt helps with. */
async function final(outcome: Promise<{ readonly done: unknown } | Verdict>): Promise<Failure> {
  const verdict = await outcome;
  expect(verdict).toMatchObject({ retry: 'no' });
  if ('done' in verdict) throw new Error('no failure');
  return verdict.failure;
}

const printed = keepPrinted();
afterEach(() => {
  delete process.env['MSAL_FORCE_REGION'];
});

describe('the request', () => {
  test.each([
    ['global', 'https://login.microsoftonline.com', 'https://graph.microsoft.com'],
    ['china', 'https://login.partner.microsoftonline.cn', 'https://microsoftgraph.chinacloudapi.cn'],
  ])('in the cloud %s is one form with the ID token as the assertion', async (name, login, resource) => {
    const http = new ScriptedHttp(issued(jwt({ roles: [] })));
    const cloud = cloudByName(name);
    await exchange(http, { ...application, cloud }, graphIn(cloud), idToken);
    expect(http.requests).toHaveLength(1);
    const { method, url, headers, body, timeout } = http.requests[0] ?? {};
    const { origin, pathname } = new URL(url ?? '');
    expect({ method, origin, pathname, timeout }).toEqual({
      method: 'POST',
      origin: login,
      pathname: `/${TENANT}/oauth2/v2.0/token`,
      timeout: undefined,
    });
    expect(Object.fromEntries(new URLSearchParams(body))).toMatchObject({
      client_id: CLIENT,
      scope: `${resource}/.default`,
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: idToken.jwt,
    });
    expect(JSON.stringify(headers)).toContain('application/x-www-form-urlencoded');
  });

  test('is for the resource that is asked for', async () => {
    const http = new ScriptedHttp(issued(jwt({})));
    const resource = {
      name: 'Microsoft Graph',
      audience: 'https://vault.example',
      origin: 'https://one.vault.example',
    };
    await exchange(http, application, resource, idToken);
    expect(new URLSearchParams(http.requests[0]?.body).get('scope')).toBe('https://vault.example/.default');
  });

  test('goes to the cloud’s own host, whatever region the environment asks for', async () => {
    process.env['MSAL_FORCE_REGION'] = 'westeurope';
    const http = new ScriptedHttp(issued(jwt({})));
    expect(await exchange(http, application, graph, idToken)).toHaveProperty('done');
    expect(new URL(http.requests[0]?.url ?? '').host).toBe('login.microsoftonline.com');
  });

  test('is sent again after a 429: nothing is remembered', async () => {
    const http = new ScriptedHttp(refused(90055, 429, { 'retry-after': '60' }), issued(jwt({})));
    expect(await exchange(http, application, graph, idToken)).toHaveProperty('failure');
    expect(await exchange(http, application, graph, idToken)).toHaveProperty('done');
    expect(http.requests).toHaveLength(2);
  });

  test('is sent again after a token: each is fresh', async () => {
    const http = new ScriptedHttp(issued(jwt({ roles: ['one'] })), issued(jwt({ roles: ['two'] })));
    expect(await exchange(http, application, graph, idToken)).toMatchObject({ done: { roles: ['one'] } });
    expect(await exchange(http, application, graph, idToken)).toMatchObject({ done: { roles: ['two'] } });
  });

  test.each([
    ['one that nobody knows', 'https://login.contoso.example'],
    ['another name of the global cloud’s', 'https://login.windows.net'],
  ])('is not sent if the host would have to be looked up: %s', async (_name, loginOrigin) => {
    const cloud: Cloud = { ...application.cloud, loginOrigin };
    const http = new ScriptedHttp();
    const failure = await failing(exchange(http, { ...application, cloud }, graph, idToken));
    expect(failure.code).toBe('SIGN_IN_REFUSED');
    expect(failure.message).toMatch(/^Signing in failed: endpoints_resolution_error\b.*\.$/);
    expect(http.requests).toEqual([]);
  });

  test('never goes to an origin that is written otherwise than the cloud’s', async () => {
    const cloud: Cloud = { ...application.cloud, loginOrigin: 'https://LOGIN.microsoftonline.com' };
    const http = new ScriptedHttp();
    const failure = await failing(exchange(http, { ...application, cloud }, graph, idToken));
    expect(failure.code).toBe('SIGN_IN_REFUSED');
    expect(failure.message).toMatch(/^Signing in failed: network_error\b.*\.$/);
    expect(http.requests).toEqual([]);
  });
});

describe('an access token', () => {
  test('is given back with its roles, and masked in the log', async () => {
    const token = jwt({ roles: ['APIConnectors.ReadWrite.All', 'User.Read.All'] });
    const outcome = await exchange(new ScriptedHttp(issued(token)), application, graph, idToken);
    expect(outcome).toEqual({ done: { token, roles: ['APIConnectors.ReadWrite.All', 'User.Read.All'] } });
    expect(printed()).toContain(`::add-mask::${token}`);
  });

  test.each<[string, string, string[] | undefined]>([
    ['without roles', jwt({ aud: 'https://graph.microsoft.com' }), []],
    ['with roles that are no list', jwt({ roles: 'APIConnectors.ReadWrite.All' }), undefined],
    ['with roles that are no texts', jwt({ roles: ['a', 1, null, ['b'], 'c'] }), ['a', 'c']],
    ['whose claims are null', jwt(null), undefined],
    ['that nobody can read', 'opaque-token-of-entra', undefined],
    ['that is no JSON inside', 'header00.bm90IGpzb24.signature', undefined],
    ['of just 16 characters', '0123456789abcdef', undefined],
  ])('%s is good enough', async (_name, token, roles) => {
    const outcome = await exchange(new ScriptedHttp(issued(token)), application, graph, idToken);
    expect(outcome).toEqual({ done: { token, roles } });
  });

  test.each<[string, unknown]>([
    ['of 15 characters', '0123456789abcde'],
    ['with a line break after it', '0123456789abcdef\n'],
    ['with a line break before it', '\r\n0123456789abcdef'],
    ['with a blank in it', '0123456789 0123456789'],
    ['that is no text', 12_345_678_901_234_567_000],
    ['that is a list', ['0123456789abcdef']],
    ['that is empty', ''],
    ['that is missing', undefined],
  ])('%s is none: Entra is asked again', async (_name, token) => {
    const outcome = await exchange(new ScriptedHttp(issued(token)), application, graph, idToken);
    expect(outcome).toMatchObject({ failure: { code: 'SERVICE_UNAVAILABLE' }, retry: 'yes' });
    expect(printed()).not.toContain('::add-mask::');
  });
});

describe('a refusal', () => {
  test('that may be a credential just made is tried again every 5 seconds, for 30', async () => {
    const outcome = await exchange(new ScriptedHttp(refused(700213)), application, graph, idToken);
    expect(outcome).toEqual({ failure: expect.any(Failure), retry: 'yes', retryAfter: 5000, within: 25_000 });
    expect(outcome).toMatchObject({
      failure: {
        code: 'FEDERATED_CREDENTIAL_MISMATCH',
        message: `No federated credential of the application ${CLIENT} fits this job: No (AADSTS700213, trace t-1, 2026-11-23 08:15:30Z).`,
      },
    });
  });

  test('that asks to wait is tried again after so long', async () => {
    const outcome = await exchange(
      new ScriptedHttp(refused(70025, 401, { 'retry-after': '7' })),
      application,
      graph,
      idToken,
    );
    expect(outcome).toMatchObject({ retryAfter: 7000, within: 25_000 });
  });

  test('by a service that is busy is tried again, at no time of its own', async () => {
    const outcome = await exchange(new ScriptedHttp(refused(90033, 503)), application, graph, idToken);
    expect(outcome).toEqual({ failure: expect.any(Failure), retry: 'yes', retryAfter: undefined, within: undefined });
    expect(outcome).toMatchObject({ failure: { code: 'SERVICE_UNAVAILABLE' }, retry: 'yes' });
  });

  test.each([
    [7002138, 'FEDERATED_CREDENTIAL_LETTER_CASE'],
    [700016, 'APPLICATION_NOT_FOUND'],
    [90002, 'TENANT_NOT_FOUND'],
    [7000215, 'SIGN_IN_REFUSED'],
  ])('AADSTS%d ends the step at once', async (code, expected) => {
    const http = new ScriptedHttp(refused(code));
    expect((await final(exchange(http, application, graph, idToken))).code).toBe(expected);
    expect(http.requests).toHaveLength(1);
  });

  test('is explained from what Entra wrote, not from what a library makes of it', async () => {
    const failure = await final(exchange(new ScriptedHttp(refused(53003, 400)), application, graph, idToken));
    expect(failure.message).toBe(
      `A Conditional Access policy blocks the application ${CLIENT}: No (AADSTS53003, trace t-1, 2026-11-23 08:15:30Z).`,
    );
  });

  test('in HTML is an outage', async () => {
    const outcome = await exchange(
      new ScriptedHttp(answer(502, '<html>Bad gateway</html>', { date: 'Mon, 23 Nov 2026 08:15:30 GMT' })),
      application,
      graph,
      idToken,
    );
    expect(outcome).toMatchObject({
      failure: {
        code: 'SERVICE_UNAVAILABLE',
        message: 'Microsoft Entra did not issue a token (HTTP 502, Mon, 23 Nov 2026 08:15:30 GMT).',
      },
    });
  });

  test('that is a redirect ends the step', async () => {
    const http = new ScriptedHttp(answer(302, '', { location: 'https://portal.example/' }));
    const failure = await final(exchange(http, application, graph, idToken));
    expect(failure.code).toBe('REDIRECTED');
    expect(failure.message).toContain('In place of https://login.microsoftonline.com a redirect answered (HTTP 302,');
  });
});

describe('no response', () => {
  test('is tried again', async () => {
    const outcome = await exchange(
      new ScriptedHttp(new TransportError('other side closed', true)),
      application,
      graph,
      idToken,
    );
    expect(outcome).toEqual({ failure: expect.any(Failure), retry: 'after-read' });
    expect(outcome).toMatchObject({ failure: { code: 'NETWORK_UNREACHABLE' } });
    if ('failure' in outcome) {
      expect(outcome.failure.message).toMatch(
        /^https:\/\/login\.microsoftonline\.com did not answer: other side closed/,
      );
    }
  });

  test('because of a certificate that is not trusted ends the step', async () => {
    const http = new ScriptedHttp(new TransportError('self-signed (SELF_SIGNED_CERT_IN_CHAIN)', false));
    const failure = await final(exchange(http, application, graph, idToken));
    expect(failure.code).toBe('TLS_NOT_TRUSTED');
    expect(failure.message).toContain('https://login.microsoftonline.com');
  });

  test('since it was too large names what answered, and no connectors', async () => {
    const http = new ScriptedHttp(new TransportError('the response is larger than 1000 bytes', true));
    const failure = await final(exchange(http, application, graph, idToken));
    expect(failure).toMatchObject({
      code: 'RESPONSE_TOO_LARGE',
      remedy:
        'No token is that large: something in between, such as a web filter or a proxy, answers in the place of the service. Let it pass https://login.microsoftonline.com unchanged.',
    });
    expect(failure.cause).toBeInstanceOf(TransportError);
  });

  test('because the step ended says only that', async () => {
    const cancelled = new Failure('CANCELLED', 'The job was cancelled (SIGINT).', 'Run the job again.');
    const http: ScriptedHttp = new ScriptedHttp(() => {
      http.scripted.end(cancelled);
      return new TransportError('The job was cancelled', true);
    });
    await expect(exchange(http, application, graph, idToken)).rejects.toBe(cancelled);
  });

  test('because of a mistake of our own is no outage', async () => {
    const failure = await failing(exchange(new ScriptedHttp(), application, graph, idToken));
    expect(failure).toMatchObject({
      code: 'SIGN_IN_REFUSED',
      remedy: 'Check whether application, tenant and cloud are the right ones.',
    });
    expect(failure.message).toMatch(/^Signing in failed: network_error\b.*\.$/);
    expect(failure.cause).toBeInstanceOf(Error);
  });
});
