/** GitHub's ID token: whether the job may ask, what it asks, and what comes of each answer. */
import { describe, expect, test } from '@jest/globals';
import { Failure } from '../../src/failure.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import type { Verdict } from '../../src/http/verdict.ts';
import { idTokenService, requestIdToken } from '../../src/sign-in/github-id-token.ts';
import { answer, ScriptedHttp } from '../scripted-http.ts';
import { inRun, type RunOf } from './in-run.ts';
import { keepPrinted } from '../printed.ts';

const URL_VARIABLE = 'ACTIONS_ID_TOKEN_REQUEST_URL';
const TOKEN_VARIABLE = 'ACTIONS_ID_TOKEN_REQUEST_TOKEN';
const service = { url: 'https://run.actions.githubusercontent.com/x?api-version=2.0', token: 'request-token' };
const DATE = 'Mon, 23 Nov 2026 08:15:30 GMT';
const ISO = /\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\)\.$/;

const claims = {
  iss: 'https://token.actions.githubusercontent.com',
  sub: 'repo:octo/hello:ref:refs/heads/main',
  aud: 'api://AzureADTokenExchange',
};

function jwt(payload: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(payload)}.c2lnbmF0dXJl`;
}

/** The failure of a verdict that no other attempt helps with. */
async function final(outcome: Promise<{ readonly done: unknown } | Verdict>): Promise<Failure> {
  const verdict = await outcome;
  expect(verdict).toMatchObject({ retry: 'no' });
  if ('done' in verdict) throw new Error('no failure');
  return verdict.failure;
}

const printed = keepPrinted();

describe('the service that gives out ID tokens', () => {
  const permissions = `Add to the job (in a reusable workflow, to the job that calls it as well: the caller can only take away):
permissions:
  id-token: write
  contents: read`;
  const otherEvent =
    'Run this workflow on push, schedule or workflow_dispatch instead: whoever can change the code of a pull request must not reach the certificate.';

  /** Asks for the service in a job that has none. */
  const noService = async (): Promise<unknown> => {
    const fresh = await import('../../src/sign-in/github-id-token.ts');
    return await fresh.idTokenService(process.env);
  };

  test('is the one that the runner names; its token is masked', async () => {
    const environment = { [URL_VARIABLE]: service.url, [TOKEN_VARIABLE]: service.token };
    expect(await idTokenService(environment)).toEqual(service);
    expect(printed()).toContain('::add-mask::request-token');
  });

  test.each<[string, Record<string, string>]>([
    ['no variable', {}],
    ['no token', { [URL_VARIABLE]: service.url }],
    ['an empty token', { [URL_VARIABLE]: service.url, [TOKEN_VARIABLE]: '' }],
    ['no address', { [TOKEN_VARIABLE]: service.token }],
    ['an empty address', { [URL_VARIABLE]: '', [TOKEN_VARIABLE]: service.token }],
  ])('is missing if there is %s', async (_name, environment) => {
    await expect(idTokenService(environment)).rejects.toThrow(
      expect.objectContaining({
        code: 'ID_TOKEN_UNAVAILABLE',
        message: 'GitHub gives this job no ID token.',
        remedy: permissions,
      }),
    );
    expect(printed()).toBe('');
  });

  test.each<[string, RunOf]>([
    ['a fork', { event: { pull_request: { head: { repo: { full_name: 'eve/hello' } } } } }],
    ['a fork that was deleted since', { event: { pull_request: { head: { repo: null } } } }],
  ])('is missing in a run by %s, and no permission helps', async (_name, run) => {
    await expect(inRun({ GITHUB_EVENT_NAME: 'pull_request', ...run }, noService)).rejects.toMatchObject({
      code: 'ID_TOKEN_UNAVAILABLE',
      message: 'GitHub gives this job no ID token. The event is a pull request from a fork, and such runs get none.',
      remedy: otherEvent,
    });
  });

  test('is missing in a run by Dependabot, and no permission helps', async () => {
    const run = { GITHUB_EVENT_NAME: 'pull_request', GITHUB_ACTOR: 'dependabot[bot]' };
    await expect(inRun(run, noService)).rejects.toMatchObject({
      code: 'ID_TOKEN_UNAVAILABLE',
      message: 'GitHub gives this job no ID token. Dependabot started this run, and such runs get none by default.',
      remedy: otherEvent,
    });
  });

  test.each(['eve/hello', 'octo/hello'])(
    'is missing in a pull_request_target of %s: that event may get one, so the permission helps',
    async (full_name) => {
      const event = { pull_request: { head: { repo: { full_name } } } };
      await expect(inRun({ event, GITHUB_EVENT_NAME: 'pull_request_target' }, noService)).rejects.toMatchObject({
        message: 'GitHub gives this job no ID token.',
        remedy: permissions,
      });
    },
  );

  test("is missing in a pull request of the repository's own: the permission helps", async () => {
    const event = { pull_request: { head: { repo: { full_name: 'octo/hello' } } } };
    await expect(inRun({ event, GITHUB_EVENT_NAME: 'pull_request' }, noService)).rejects.toMatchObject({
      message: 'GitHub gives this job no ID token.',
      remedy: permissions,
    });
  });

  test('is missing in a run whose event cannot be read: the permission may help', async () => {
    await expect(inRun({ eventText: 'not JSON' }, noService)).rejects.toMatchObject({
      message: 'GitHub gives this job no ID token.',
      remedy: permissions,
    });
  });
});

test.each([
  ['not a URL', 'run.actions', 'request-token', 'ACTIONS_ID_TOKEN_REQUEST_URL is not a URL'],
  [
    'cut by a line break',
    'https://run.actions.example/\nx?y=1',
    'request-token',
    'holds characters that no URL can have',
  ],
  ['followed by a line break', `${service.url}\n`, 'request-token', 'holds characters that no URL can have'],
  ['cut by a blank', 'https://run.actions.example/a b', 'request-token', 'holds characters that no URL can have'],
  ['http, and so in clear', 'http://run.example/x?y=1', 'request-token', 'must not go out in clear'],
  ['ftp', 'ftp://run.example/', 'request-token', 'is not an https URL'],
  ['fine, but its token has a line break', service.url, 'request\ntoken', 'holds characters that no header can have'],
  ['fine, but its token has a blank', service.url, 'request token', 'holds characters that no header can have'],
])('a service whose address is %s is not asked', async (_, url, token, why) => {
  await expect(idTokenService({ [URL_VARIABLE]: url, [TOKEN_VARIABLE]: token })).rejects.toMatchObject({
    code: 'ID_TOKEN_UNAVAILABLE',
    message: expect.stringContaining(why),
  });
});

test.each(['http://127.0.0.1:8080/x', 'http://localhost/x', 'http://[::1]:1/x'])(
  '%s stays on this machine',
  async (url) => {
    await expect(idTokenService({ [URL_VARIABLE]: url, [TOKEN_VARIABLE]: 'request-token' })).resolves.toMatchObject({
      url,
    });
  },
);

test.each([
  ['none', '', '?audience=api%3A%2F%2Fx'],
  ['an empty one', '?', '?audience=api%3A%2F%2Fx'],
  ['one', '?api-version=2.0&x=%20+', '?api-version=2.0&x=%20+&audience=api%3A%2F%2Fx'],
  ['one and a fragment', '?x=1#y', '?x=1&audience=api%3A%2F%2Fx'],
])('an address whose query is %s gets the audience', async (_, query, asked) => {
  const http = new ScriptedHttp(answer(200, { value: jwt(claims) }));
  await requestIdToken(http, { url: `https://run.example/token${query}`, token: 'request-token' }, 'api://x');
  expect(http.requests[0]?.url).toBe(`https://run.example/token${asked}`);
});

describe('asking for an ID token', () => {
  const ask = async (http: ScriptedHttp, audience = 'api://AzureADTokenExchange') =>
    requestIdToken(http, service, audience);

  test('is one GET with the audience and the runner’s token', async () => {
    const http = new ScriptedHttp(answer(200, { value: jwt(claims) }));
    await ask(http, 'api://a b&c=d/ü');
    expect(http.requests).toEqual([
      {
        method: 'GET',
        url: `${service.url}&audience=api%3A%2F%2Fa%20b%26c%3Dd%2F%C3%BC`,
        headers: { authorization: 'bearer request-token' },
        timeout: 15_000,
      },
    ]);
  });

  test('gives the token and the claims that a credential is matched by; it is masked', async () => {
    const token = jwt({ ...claims, exp: 1 });
    expect(await ask(new ScriptedHttp(answer(200, { value: token, count: 1 })))).toEqual({
      done: { jwt: token, issuer: claims.iss, subject: claims.sub, audience: claims.aud },
    });
    expect(printed()).toContain(`::add-mask::${token}`);
  });

  test.each<[string, unknown]>([
    ['are missing', {}],
    ['are no texts', { iss: 1, sub: null, aud: ['a'] }],
  ])('leaves empty the claims that %s', async (_name, payload) => {
    expect(await ask(new ScriptedHttp(answer(200, { value: jwt(payload) })))).toMatchObject({
      done: { issuer: '', subject: '', audience: '' },
    });
  });

  test.each<[string, unknown]>([
    ['no value', {}],
    ['a value that is no text', { value: 12_345_678_901_234_567_000 }],
    ['a value that is a list', { value: [jwt(claims)] }],
    ['a value of 15 characters', { value: '0123456789abcde' }],
    ['a value with a line break after it', { value: `${jwt(claims)}\n` }],
    ['a value with a line break before it', { value: `\n${jwt(claims)}` }],
    ['no JSON', 'hello'],
    ['null', 'null'],
  ])('a response with %s is no token, and nothing is masked', async (_name, body) => {
    const outcome = await ask(new ScriptedHttp(answer(200, body, { date: DATE })));
    expect(outcome).toEqual({ failure: expect.any(Failure), retry: 'yes', retryAfter: undefined });
    expect(outcome).toMatchObject({
      failure: {
        code: 'SERVICE_UNAVAILABLE',
        message: `GitHub's ID token service answered without a token (${DATE}).`,
        remedy: 'Run the job again; see https://www.githubstatus.com.',
      },
    });
    expect(printed()).toBe('');
  });

  test.each([
    ['of 16 characters that is no JWT', '0123456789abcdef'],
    ['whose claims are no JSON', 'header00.bm90IGpzb24.signature'],
    ['whose claims are null', jwt(null)],
  ])('a value %s is masked, and no token', async (_name, value) => {
    expect(await ask(new ScriptedHttp(answer(200, { value })))).toMatchObject({
      failure: { code: 'SERVICE_UNAVAILABLE', message: expect.stringMatching(ISO) },
    });
    expect(printed()).toContain(`::add-mask::${value}`);
  });

  test.each([408, 423, 425, 429, 500, 503, 599])('HTTP %d is asked again, when the service says', async (status) => {
    const http = new ScriptedHttp(answer(status, { value: jwt(claims) }, { date: DATE, 'retry-after': '9' }));
    expect(await ask(http)).toMatchObject({
      failure: {
        code: 'SERVICE_UNAVAILABLE',
        message: `GitHub's ID token service answered HTTP ${status} (${DATE}).`,
        remedy: 'Run the job again; see https://www.githubstatus.com.',
      },
      retry: 'yes',
      retryAfter: 9000,
    });
  });

  test.each([201, 204, 400, 401, 403, 404, 499])('HTTP %d is a refusal', async (status) => {
    const http = new ScriptedHttp(answer(status, { value: jwt(claims) }, { date: DATE }));
    expect(await final(ask(http))).toMatchObject({
      code: 'ID_TOKEN_REFUSED',
      message: `GitHub's ID token service refused: HTTP ${status} (${DATE}).`,
      remedy:
        'Check that the job has permissions: id-token: write, and run it again. The permission to ask ends with the job.',
    });
  });

  test('a refusal without a date has the time of this machine', async () => {
    expect((await final(ask(new ScriptedHttp(answer(403))))).message).toMatch(ISO);
  });

  test('a redirect is not followed', async () => {
    const http = new ScriptedHttp(answer(307, '', { location: 'https://elsewhere.example/' }));
    const failure = await final(ask(http));
    expect(failure.code).toBe('REDIRECTED');
    expect(failure.message).toContain("In place of GitHub's ID token service a redirect answered (HTTP 307,");
  });

  test('no response is passed on', async () => {
    const error = new TransportError('other side closed', true);
    await expect(ask(new ScriptedHttp(error))).rejects.toBe(error);
  });

  test('a mistake of our own is no outage', async () => {
    await expect(ask(new ScriptedHttp())).rejects.toThrow(/^not in the script/);
  });
});
