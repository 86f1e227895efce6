/** What the API behind a connector is asked, what its answer means, and for how long it is asked again. */
import { createServer as createTlsServer } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates, TLSSocket } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CertificateAuthority } from '../../emulator/certificates.ts';
import { thumbprintOf } from '../../src/certificate/client-certificate.ts';
import { TargetCheck, verifyTarget } from '../../src/connectors/verify-target.ts';
import { Failure } from '../../src/failure.ts';
import type { HttpResponse } from '../../src/http/client.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import { CANCELLED, cancelled } from '../graph/scripted-graph.ts';
import { PROXY_VARIABLES } from '../in-step.ts';
import { openFixture } from '../pkcs12/fixtures.ts';
import { answer, ScriptedDeadline, ScriptedHttp, type Answer } from '../scripted-http.ts';

const certificate = openFixture('openssl-default.pfx');
const MINUTE = 60_000;

/** Nobody listens there. */
let target: string;
let deadline: ScriptedDeadline;
let logged: string[];

beforeAll(async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  target = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await new Promise((resolve) => server.close(resolve));
});
const environment = process.env;
beforeEach(() => {
  deadline = new ScriptedDeadline();
  logged = [];
  const own = Object.entries(environment).filter(([name]) => !PROXY_VARIABLES.includes(name));
  process.env = Object.fromEntries(own);
});
afterEach(() => {
  process.env = environment;
});

const check = (wait: number): TargetCheck =>
  new TargetCheck({ deadline, certificate, wait, log: (text) => logged.push(text) });

const failure = async (work: Promise<unknown>): Promise<Failure> => {
  const reason = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(reason).toBeInstanceOf(Failure);
  return reason as Failure;
};

test('without verify-wait it is asked once', async () => {
  const { code, message } = await failure(check(0).verify(target));
  expect(code).toBe('TARGET_UNREACHABLE');
  expect(message).not.toContain('asked again');
  expect([deadline.sleeps, logged]).toEqual([[], []]);
});

test('every ten seconds, with a line a minute, until the minutes are over', async () => {
  const { code, message } = await failure(check(2 * MINUTE + 5_000).verify(target));
  expect(code).toBe('TARGET_UNREACHABLE');
  expect(message).toContain('It was asked again for 125 s.');
  expect(deadline.sleeps).toEqual([...Array<number>(12).fill(10_000), 5_000]);
  expect(logged.map((line) => /up to \d+ s/.exec(line)?.[0])).toEqual(['up to 125 s', 'up to 65 s', 'up to 5 s']);
});

test('the targets of all connectors share these minutes', async () => {
  const both = check(MINUTE);
  await failure(both.verify(target));
  deadline.sleeps.length = 0;
  expect((await failure(both.verify(target))).message).not.toContain('asked again');
  expect(deadline.sleeps).toEqual([]);
});

test('a cancelled job ends at once', async () => {
  const cancelled = new Failure('CANCELLED', 'cancelled', '');
  deadline.sleep = async () => {
    deadline.end(cancelled);
    await Promise.reject(cancelled);
  };
  expect(await failure(check(30 * MINUTE).verify(target))).toBe(cancelled);
});

test.each([
  ['http://api.contoso.com/?code=throw-away', 'http://api.contoso.com/?…'],
  ['api', 'api'],
])('a URL that no certificate can be presented to is not waited for: %s', async (url, shown) => {
  expect(await failure(check(MINUTE).verify(url))).toMatchObject({
    code: 'TARGET_UNREACHABLE',
    message: `The target URL ${shown} is not an https URL, so no certificate can be presented to it.`,
    remedy: 'Correct the URL of the API connector, or leave verify-target out.',
  });
  expect(deadline.sleeps).toEqual([]);
});

test('nor what no waiting changes', async () => {
  process.env['HTTPS_PROXY'] = 'http://[';
  expect(await failure(check(MINUTE).verify(target))).toMatchObject({ code: 'PROXY_INVALID' });
  expect(deadline.sleeps).toEqual([]);
});

test('a target that trusts the certificate after a while: each time it is shown with its issuers, by a HEAD', async () => {
  const chained = openFixture('openssl-chain.pfx');
  const trusted = getCACertificates('default');
  const authority = await CertificateAuthority.create();
  setDefaultCACertificates([...trusted, authority.pem]);
  const seen: unknown[] = [];
  const identity = await authority.serverCertificate(['localhost']);
  const server = createTlsServer({ ...identity, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const { method, headers, socket } = request;
    const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    seen.push([method, headers.accept, headers['user-agent']?.replace(/\d.*/, ''), shown && thumbprintOf(shown)]);
    if (shown) expect(shown.issuerCertificate?.raw).toEqual(chained.chain[0]?.raw);
    response.writeHead(seen.length === 1 ? 401 : shown ? 405 : 403).end();
  });
  try {
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
    const targets = new TargetCheck({ deadline, certificate: chained, wait: MINUTE, log: (text) => logged.push(text) });
    expect(await targets.verify(url)).toBeUndefined();
    expect(logged).toEqual([
      `${url} rejected the new certificate: HTTP 401. Nothing was uploaded. It is asked again for up to 60 s.`,
    ]);
  } finally {
    server.close();
    setDefaultCACertificates(trusted);
  }
  const asked = ['HEAD', '*/*', 'upload-api-connector-certificate/'];
  const presented = [...asked, chained.thumbprint];
  expect(seen).toEqual([presented, presented, [...asked, undefined]]);
  expect(deadline.sleeps).toEqual([10_000]);
});

describe('what the answer of a target means', () => {
  const URL = 'https://api.example/sign-up?code=throw-away';
  const SHOWN = 'https://api.example/sign-up?…';
  const TRUST =
    'Let the API trust the new certificate (its issuer, or its thumbprint) next to the old one, then run the job again. If you have just done that, set verify-wait to the minutes that it takes to arrive. Uploading it now would stop every sign-up that calls this API.';

  /** Asks a target that answers so with the certificate, and so without. */
  const asked = async (presenting: readonly Answer[], anonymous: readonly Answer[] = []) => {
    const [presented, without] = [new ScriptedHttp(...presenting), new ScriptedHttp(...anonymous)];
    const verdict = await verifyTarget(presented, without, URL).catch((error: unknown) => error);
    return { verdict, requests: [presented, without].map(({ requests }) => requests.map(({ method }) => method)) };
  };
  const page = (title: string): HttpResponse => answer(400, `<html><head>${title}</head></html>`);
  const lost = (message: string, sent: boolean): TransportError => new TransportError(message, sent);

  test.each<[string, Answer, Answer]>([
    ['it answers otherwise without one', answer(405), answer(401)],
    ['it rejects a connection without one', answer(200), lost('ssl alert handshake failure', true)],
    ['it is about something else', answer(404), answer(403)],
  ])('accepted: %s', async (_, presented, without) => {
    expect(await asked([presented], [without])).toEqual({ verdict: undefined, requests: [['HEAD'], ['HEAD']] });
  });

  test.each([200, 404, 405, 500])('HTTP %s with it and without: a warning', async (status) => {
    expect((await asked([answer(status)], [answer(status)])).verdict).toBe(
      `${SHOWN} answers HTTP ${status} with the new certificate and without any: it does not seem to check client certificates.`,
    );
  });

  test.each<[string, readonly Answer[], string]>([
    ...[401, 403, 495, 496].map((status): [string, Answer[], string] => [
      `HTTP ${status}`,
      [answer(status)],
      `HTTP ${status}`,
    ]),
    [
      "nginx's page",
      [answer(400), page('<title>400 The SSL certificate error</title>')],
      'HTTP 400, 400 The SSL certificate error',
    ],
    ['a page without a title', [answer(400), page('The ssl certificate error')], 'HTTP 400, about the SSL certificate'],
    ['an alert in TLS 1.2', [lost('tlsv1 alert unknown ca', false)], 'tlsv1 alert unknown ca'],
    ['an alert in TLS 1.3', [lost('ERR_SSL_TLSV13_ALERT_X', true)], 'ERR_SSL_TLSV13_ALERT_X'],
    [
      'a connection closed in the handshake',
      [lost('Client network socket disconnected before secure TLS connection was established', false)],
      'Client network socket disconnected before secure TLS connection was established',
    ],
    ...['read ECONNRESET', 'other side closed (UND_ERR_SOCKET)', 'Other side closed', 'write EPIPE', 'EPROTO'].map(
      (message): [string, Answer[], string] => [`${message}, after the request`, [lost(message, true)], message],
    ),
  ])('rejected: %s', async (_, presented, why) => {
    const { verdict, requests } = await asked(presented);
    expect(verdict).toMatchObject({
      code: 'TARGET_REFUSES_CERTIFICATE',
      message: `${SHOWN} rejected the new certificate: ${why}. Nothing was uploaded.`,
      remedy: TRUST,
    });
    expect(requests).toEqual([presented.length === 2 ? ['HEAD', 'GET'] : ['HEAD'], []]);
  });

  test.each<[string, Answer]>([
    ['is about something else', answer(400, '{"error":"no body"}')],
    ['is lost', lost('read ECONNRESET', true)],
  ])('a 400 whose page %s is not about the certificate', async (_, second) => {
    expect(await asked([answer(400), second], [answer(401)])).toEqual({
      verdict: undefined,
      requests: [['HEAD', 'GET'], ['HEAD']],
    });
  });

  test.each(['connect ECONNREFUSED', 'read ECONNRESET', 'getaddrinfo ENOTFOUND'])(
    'not known: %s, before any request',
    async (message) => {
      const error = lost(message, false);
      expect((await asked([error])).verdict).toMatchObject({
        code: 'TARGET_UNREACHABLE',
        message: `${SHOWN} could not be asked whether it accepts the certificate: ${message}.`,
        remedy: 'Nothing was uploaded. Check that the runner reaches the API, or leave verify-target out.',
        cause: error,
      });
    },
  );

  test('not known: no answer came within the time, though the request was sent', async () => {
    expect((await asked([lost('no response within 30 s', true)])).verdict).toMatchObject({
      code: 'TARGET_UNREACHABLE',
    });
  });

  test.each([502, 503, 504])('not known: HTTP %s', async (status) => {
    expect((await asked([answer(status)])).verdict).toMatchObject({
      code: 'TARGET_UNREACHABLE',
      message: `${SHOWN} answers HTTP ${status}: the API is not up, so whether it accepts the certificate is not known. Nothing was uploaded.`,
      remedy: 'Run the job again when the API is up, or set verify-wait to the minutes that it needs to start again.',
    });
  });

  test('a job that is cancelled meanwhile ends as such', async () => {
    const http: ScriptedHttp = new ScriptedHttp(() => cancelled(http));
    await expect(verifyTarget(http, new ScriptedHttp(), URL)).rejects.toBe(CANCELLED);
  });

  test('whatever else goes wrong is not taken for an answer', async () => {
    expect((await asked([])).verdict).toMatchObject({ message: expect.stringContaining('not in the script') });
  });
});
