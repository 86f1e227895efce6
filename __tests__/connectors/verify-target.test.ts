/** What the API behind a connector is asked, what its answer means, and for how long it is asked again. */
import { createServer as createTlsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { getCACertificates, setDefaultCACertificates, TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CertificateAuthority } from '../../emulator/certificates.ts';
import { thumbprintOf } from '../../src/certificate/client-certificate.ts';
import type { TargetAnswer } from '../../src/connectors/target-verdict.ts';
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

test('nor does it say so if that took long', async () => {
  deadline.now = () => (deadline.time += 1_000);
  expect((await failure(check(0).verify(target))).message).not.toContain('asked again');
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
    response.writeHead(seen.length === 1 ? 401 : shown ? 204 : 403).end();
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

describe('servers, as they are', () => {
  const trusted = getCACertificates('default');
  let authority: CertificateAuthority;
  let identity: { key: string; cert: string };

  beforeAll(async () => {
    authority = await CertificateAuthority.create();
    setDefaultCACertificates([...trusted, authority.pem]);
    identity = await authority.serverCertificate(['localhost']);
  });
  afterAll(() => {
    setDefaultCACertificates(trusted);
  });

  /** What a connector's target means that this server answers for, with a minute to wait. */
  const verify = async (
    server: Server,
    shown = certificate,
    wait = MINUTE,
  ): Promise<{ warning?: string; failure?: Failure }> => {
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
    const targets = new TargetCheck({ deadline, certificate: shown, wait, log: (text) => logged.push(text) });
    try {
      const warning = await targets.verify(url);
      return warning === undefined ? {} : { warning: warning.replace(url, 'URL') };
    } catch (error) {
      expect(error).toBeInstanceOf(Failure);
      return { failure: error as Failure };
    } finally {
      server.close();
    }
  };
  /** Does this to each connection once the ClientHello is there. */
  const afterHello = (act: (socket: Socket) => void): Server =>
    createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        act(socket);
      });
    });
  /** Ends each handshake with this alert. */
  const alerting = (alert: number): Server =>
    afterHello((socket) => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, alert])));

  test.each([42, 43, 44, 45, 46, 48, 49, 51, 116])('TLS alert %s is about the certificate', async (alert) => {
    const { failure: found } = await verify(alerting(alert));
    expect(found?.code).toBe('TARGET_REFUSES_CERTIFICATE');
    expect(found?.message).toMatch(
      new RegExp(` rejected the new certificate: [\\w/ ]+ \\(TLS alert ${alert}\\)\\. Nothing`),
    );
    expect(deadline.sleeps).toHaveLength(6);
  });

  test.each([70, 71, 86, 109, 110, 120])('TLS alert %s is not, and does not pass', async (alert) => {
    const { failure: found } = await verify(alerting(alert));
    expect(found?.code).toBe('TARGET_UNREACHABLE');
    expect(found?.message).toMatch(
      /^No TLS connection with .* can be agreed upon: .*That is not about the certificate/,
    );
    expect(found?.remedy).not.toContain('trust the new certificate');
    expect(deadline.sleeps).toEqual([]);
  });

  test.each([10, 80, 90, 112])('TLS alert %s is not, and may pass', async (alert) => {
    const { failure: found } = await verify(alerting(alert));
    expect(found?.code).toBe('TARGET_UNREACHABLE');
    expect(found?.message).toContain(`(TLS alert ${alert}). That is not about the certificate.`);
    expect(deadline.sleeps).toHaveLength(6);
  });

  test('TLS 1.1 alone', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const { failure: found } = await verify(createTlsServer({ ...identity, ...old }));
    expect(found).toMatchObject({
      code: 'TARGET_UNREACHABLE',
      message: expect.stringContaining('can be agreed upon: tlsv1 alert protocol version (TLS alert 70).'),
      remedy: expect.stringContaining('TLS 1.2 or 1.3'),
    });
    expect(deadline.sleeps).toEqual([]);
  });

  test('HTTP/2 alone', async () => {
    const { failure: found } = await verify(createTlsServer({ ...identity, ALPNProtocols: ['h2'] }));
    expect(found?.message).toContain('no application protocol (TLS alert 120)');
    expect(found?.remedy).toContain('HTTP/1.1');
    expect(deadline.sleeps).toEqual([]);
  });

  test('no cipher suite that both have looks as the rejection of a certificate may', async () => {
    const server = createTlsServer({ ...identity, maxVersion: 'TLSv1.2', ciphers: 'NULL-SHA256@SECLEVEL=0' });
    const { failure: found } = await verify(server);
    expect(found?.code).toBe('TARGET_REFUSES_CERTIFICATE');
    expect(found?.message).toMatch(
      /may have rejected the new certificate: .*\(TLS alert 40\)\. The same comes without a certificate\. It can also be that no TLS version or cipher suite fits/,
    );
  });

  test.each<[string, (socket: Socket) => void]>([
    ['is closed', (socket) => socket.end()],
    ['is reset', (socket) => socket.resetAndDestroy()],
  ])('a connection that %s before the handshake is done, with a certificate and without', async (_, act) => {
    const { failure: found } = await verify(afterHello(act));
    expect(found?.code).toBe('TARGET_UNREACHABLE');
    expect(found?.message).toContain('could not be asked');
    expect(deadline.sleeps).toHaveLength(6);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('a certificate that is not trusted, in %s', async (maxVersion) => {
    const strict = { requestCert: true, rejectUnauthorized: true, maxVersion };
    const { failure: found } = await verify(createTlsServer({ ...identity, ...strict }));
    expect(found?.code).toBe('TARGET_REFUSES_CERTIFICATE');
    expect(found?.message).toContain('may have rejected the new certificate');
  });

  test('a server that hangs up and asked for no certificate says nothing about it', async () => {
    const { failure: found } = await verify(createTlsServer(identity, ({ socket }) => socket.destroy()));
    expect(found?.code).toBe('TARGET_UNREACHABLE');
  });

  test('a server that the runner does not trust is not waited for', async () => {
    const other = await CertificateAuthority.create();
    const { failure: found } = await verify(createTlsServer(await other.serverCertificate(['localhost'])));
    expect(found).toMatchObject({
      code: 'TARGET_UNREACHABLE',
      message: expect.stringContaining('is not trusted'),
      remedy: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect(deadline.sleeps).toEqual([]);
  });

  test('nor one whose certificate is for another name', async () => {
    const { failure: found } = await verify(createTlsServer(await authority.serverCertificate(['api.example'])));
    expect(found?.message).toContain('is for another name');
    expect(found?.remedy).toMatch(/^Correct the TLS certificate or the TLS settings of the API, or .* out\.$/);
    expect(deadline.sleeps).toEqual([]);
  });

  test('a certificate that this machine does not present: no server is asked, and nothing waited for', async () => {
    let connections = 0;
    const { failure: found } = await verify(
      createServer(() => connections++),
      openFixture('openssl-small.pfx'),
    );
    expect(found).toMatchObject({
      code: 'TARGET_UNREACHABLE',
      message: expect.stringMatching(/does not present this certificate to any server: .*ERR_SSL_EE_KEY_TOO_SMALL/),
      remedy: expect.stringContaining('2048 bits'),
    });
    expect([connections, deadline.sleeps]).toEqual([0, []]);
  });

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'a server that asks for no certificate in the handshake, %s',
    (maxVersion) => {
      test.each([401, 403, 496])('rejected with HTTP %s: the certificate had no part in it', async (status) => {
        const { failure: found } = await verify(
          createTlsServer({ ...identity, maxVersion }, (_, response) => response.writeHead(status).end()),
        );
        expect(found?.code).toBe('TARGET_REFUSES_CERTIFICATE');
        expect(found?.message).toContain(
          ` answers HTTP ${status}, and did not ask for a certificate in the TLS handshake: the same answer comes without a certificate. Nothing was uploaded.`,
        );
        expect(found?.remedy).toContain('An API that asks only after it');
        expect(found?.remedy).not.toContain('its thumbprint');
        // Its settings can be on their way.
        expect(deadline.sleeps).toHaveLength(6);
      });

      test('accepted: it does not look at certificates, and need not be asked without one', async () => {
        let requests = 0;
        const server = createTlsServer({ ...identity, maxVersion }, (_, response) => {
          requests++;
          response.writeHead(405).end();
        });
        expect(await verify(server)).toEqual({
          warning:
            'URL answers HTTP 405 and does not ask for a certificate in the TLS handshake: it does not seem to check client certificates. It was asked again for 60 s.',
        });
        expect(requests).toBe(7);
      });
    },
  );

  describe('an API that is starting: its first answers show nothing about the certificate', () => {
    /** Answers in this order, and the last of them from then on; without a certificate as given. */
    const answering = (withCertificate: readonly number[], without?: number): Server => {
      const statuses = [...withCertificate];
      return createTlsServer({ ...identity, requestCert: true, rejectUnauthorized: false }, ({ socket }, response) => {
        const shown = socket instanceof TLSSocket && socket.getPeerX509Certificate() !== undefined;
        const [status = 0] = statuses;
        response.writeHead(shown ? status : (without ?? status)).end();
        if (shown && statuses.length > 1) statuses.shift();
      });
    };

    test.each([
      ['a fault of its own', [500, 500, 401], undefined],
      ['not found, with and without', [404, 404, 401], undefined],
      ['not found, and the platform asks for a certificate', [404, 404, 401], 403],
      ['not up', [503, 500, 404, 401], undefined],
    ])('%s, then it rejects the certificate: nothing is uploaded', async (_, statuses, without) => {
      const { failure: found } = await verify(answering(statuses, without));
      expect(found?.code).toBe('TARGET_REFUSES_CERTIFICATE');
      expect(found?.message).toContain('HTTP 401');
      expect(found?.message).toContain('It was asked again for 60 s.');
    });

    test('then it accepts the certificate: no warning', async () => {
      expect(await verify(answering([500, 404, 200], 403))).toEqual({});
      expect(deadline.sleeps).toEqual([10_000, 10_000]);
      expect(logged.map((line) => /HTTP \d+/.exec(line)?.[0])).toEqual(['HTTP 500', 'HTTP 404']);
    });

    test('it never does anything but fail: it was not seen to accept the certificate', async () => {
      const { failure: found } = await verify(answering([500]));
      expect(found?.code).toBe('TARGET_UNREACHABLE');
      expect(found?.message).toMatch(
        /HTTP 500 .* is not known\. Nothing was uploaded\. It was asked again for 60 s\.$/,
      );
      expect(found?.remedy).toContain('it has to answer HEAD too');
    });

    test.each([undefined, 403])('its route is never found: waiting cannot show more, a warning', async (without) => {
      const { warning } = await verify(answering([404], without));
      expect(warning).toMatch(/HTTP 404 .* It was asked again for 60 s\.$/);
    });
  });

  test.each([404, 500])('without verify-wait HTTP %s is a warning, at once', async (status) => {
    const server = createTlsServer(identity, (_, response) => response.writeHead(status).end());
    const { warning } = await verify(server, certificate, 0);
    expect(warning).toContain(`HTTP ${status}`);
    expect(warning).not.toContain('asked again');
    expect(deadline.sleeps).toEqual([]);
  });

  test('TLS 1.2: one that asks in a renegotiation gets no certificate either', async () => {
    const presented: unknown[] = [];
    const server = createTlsServer({ ...identity, maxVersion: 'TLSv1.2' }, ({ socket }, response) => {
      if (!(socket instanceof TLSSocket)) return;
      socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => {
        presented.push(socket.getPeerX509Certificate());
        if (!response.headersSent) response.writeHead(403).end();
      });
    });
    const { failure: found } = await verify(server);
    expect(new Set(presented)).toEqual(new Set([undefined]));
    expect(found?.message).toContain('did not ask for a certificate in the TLS handshake');
  });
});

describe('what the answer of a target means', () => {
  const URL = 'https://api.example/sign-up?code=throw-away';
  const SHOWN = 'https://api.example/sign-up?…';
  const TRUST =
    'Let the API trust the new certificate (its issuer, or its thumbprint) next to the old one, then run the job again. If you have just done that, set verify-wait to the minutes that it takes to arrive. Uploading it now would stop every sign-up that calls this API.';

  /** Asks a target that answers so with the certificate, and so without. */
  const asked = async (
    presenting: readonly Answer[],
    anonymous: readonly Answer[] = [],
    requested: boolean | 'unknown' = true,
  ) => {
    const [presented, without] = [new ScriptedHttp(...presenting), new ScriptedHttp(...anonymous)];
    const verdict = await verifyTarget(presented, without, URL, () =>
      requested === 'unknown' ? undefined : requested,
    );
    return { verdict, requests: [presented, without].map(({ requests }) => requests.map(({ method }) => method)) };
  };
  const failureIn = (answer: TargetAnswer): Failure | undefined =>
    answer && 'failure' in answer ? answer.failure : undefined;
  const retryOf = (answer: TargetAnswer): string | undefined =>
    answer && 'retry' in answer ? answer.retry : undefined;
  const page = (title: string): HttpResponse => answer(400, `<html><head>${title}</head></html>`);
  const lost = (message: string, sent: boolean): TransportError => new TransportError(message, sent);
  const HANDSHAKE_FAILURE =
    '40C:error:0A000410:SSL routines:ssl3_read_bytes:ssl/tls alert handshake failure:../rec_layer_s3.c:918:SSL alert number 40';

  test.each<[string, Answer, Answer]>([
    ['it answers otherwise without one', answer(200), answer(401)],
    ['it rejects a connection without one', answer(405), lost('ssl alert handshake failure', true)],
    ["without one it is nginx's rejection, before any route", answer(405), answer(400)],
    ['it fails without one', answer(204), answer(500)],
  ])('accepted: %s', async (_, presented, without) => {
    expect(await asked([presented], [without])).toEqual({ verdict: undefined, requests: [['HEAD'], ['HEAD']] });
  });

  test.each([200, 302, 400, 404, 405])('HTTP %s with it and without: a warning', async (status) => {
    const presented = status === 400 ? [answer(400), answer(400)] : [answer(status)];
    expect((await asked(presented, [answer(status)])).verdict).toEqual({
      warning: `${SHOWN} answers HTTP ${status} with the new certificate and without any: it does not seem to check client certificates.`,
    });
  });

  test.each([
    [404, 403],
    [404, 401],
    [405, 401],
    [404, 302],
    [404, 503],
    [501, 401],
  ])('HTTP %s with it and %s without: the code behind may not have run, a warning', async (status, anonymous) => {
    expect(await asked([answer(status)], [answer(anonymous)])).toEqual({
      verdict: {
        warning: `${SHOWN} answers HTTP ${status} with the new certificate and ${anonymous} without any: what is in front of the API may only ask for a certificate, and the code that compares it may not have run. Let the API answer HEAD, and check the certificate for it as for POST.`,
      },
      requests: [['HEAD'], ['HEAD']],
    });
  });

  test.each([500, 505, 599])('HTTP %s: not known, whatever comes without a certificate', async (status) => {
    for (const requested of [true, false]) {
      const { verdict, requests } = await asked([answer(status)], [answer(401)], requested);
      const warning = `${SHOWN} answers HTTP ${status} with the new certificate: it failed for a reason of its own, so whether it accepts the certificate is not known.`;
      expect(verdict).toEqual({ warning, afterWaiting: expect.any(Failure) });
      expect(requests).toEqual([['HEAD'], []]);
    }
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
  ])('rejected: %s', async (_, presented, why) => {
    const { verdict, requests } = await asked(presented);
    expect(failureIn(verdict)).toMatchObject({
      code: 'TARGET_REFUSES_CERTIFICATE',
      message: `${SHOWN} rejected the new certificate: ${why}. Nothing was uploaded.`,
      remedy: TRUST,
    });
    expect(requests).toEqual([presented.length === 2 ? ['HEAD', 'GET'] : ['HEAD'], []]);
  });

  test.each<[string, string, boolean | 'unknown', Answer, string]>([
    ...['read ECONNRESET', 'other side closed (UND_ERR_SOCKET)', 'Other side closed', 'write EPIPE'].map(
      (message): [string, string, true, Answer, string] => [
        `${message}, though the certificate was asked for`,
        message,
        true,
        lost(message, true),
        `${message}. The same comes without a certificate.`,
      ],
    ),
    [
      'a hang-up in the handshake, which succeeds without a certificate',
      'read ECONNRESET',
      'unknown',
      answer(401),
      'read ECONNRESET. It answers HTTP 401 without a certificate.',
    ],
    [
      'a hang-up in the handshake, which ends otherwise without a certificate',
      'read ECONNRESET',
      'unknown',
      lost(HANDSHAKE_FAILURE, false),
      'read ECONNRESET. Without a certificate it ends the connection with: ssl/tls alert handshake failure (TLS alert 40).',
    ],
    [
      'a handshake failure, though there is none without a certificate',
      HANDSHAKE_FAILURE,
      'unknown',
      answer(403),
      'ssl/tls alert handshake failure (TLS alert 40). It answers HTTP 403 without a certificate.',
    ],
    [
      'a handshake failure in other words',
      'SSL alert number 40',
      'unknown',
      lost('SSL alert number 116', true),
      'TLS alert 40. Without a certificate it ends the connection with: TLS alert 116.',
    ],
  ])('perhaps rejected: %s', async (_, message, requested, without, why) => {
    const { verdict, requests } = await asked([lost(message, true)], [without], requested);
    expect(failureIn(verdict)).toMatchObject({
      code: 'TARGET_REFUSES_CERTIFICATE',
      message: `${SHOWN} may have rejected the new certificate: ${why} Nothing was uploaded.`,
      remedy: TRUST,
    });
    expect(retryOf(verdict)).toBe('yes');
    expect(requests).toEqual([['HEAD'], ['HEAD']]);
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

  test.each(['connect ECONNREFUSED', 'read ECONNRESET', 'getaddrinfo ENOTFOUND', 'no response within 30 s'])(
    'not known: %s',
    async (message) => {
      const error = lost(message, false);
      const { verdict } = await asked([error], [error], 'unknown');
      expect(failureIn(verdict)).toMatchObject({
        code: 'TARGET_UNREACHABLE',
        message: `${SHOWN} could not be asked whether it accepts the certificate: ${message}.`,
        remedy: 'Nothing was uploaded. Check that the runner reaches the API, or leave verify-target out.',
        cause: error,
      });
      expect(retryOf(verdict)).toBe('yes');
    },
  );

  test.each([
    ['407', 'PROXY_AUTHENTICATION_REQUIRED', 'no', 'HTTPS_PROXY'],
    ['403', 'TARGET_UNREACHABLE', 'no', 'Let the proxy pass CONNECT to the host and port of the target URL'],
    ['502', 'TARGET_UNREACHABLE', 'yes', 'Check that the runner reaches the API'],
  ])('not known: the proxy answers %s', async (status, code, retry, remedy) => {
    const error = lost(`Proxy response (${status}) !== 200 when HTTP Tunneling`, false);
    const { verdict } = await asked([error], [], 'unknown');
    expect(failureIn(verdict)).toMatchObject({ code, remedy: expect.stringContaining(remedy) });
    expect(retryOf(verdict)).toBe(retry);
  });

  test.each([408, 425, 502, 503, 504, 521, 526])('not known: HTTP %s', async (status) => {
    expect(failureIn((await asked([answer(status)])).verdict)).toMatchObject({
      code: 'TARGET_UNREACHABLE',
      message: `${SHOWN} answers HTTP ${status}: the API is not up, so whether it accepts the certificate is not known. Nothing was uploaded.`,
      remedy: 'Run the job again when the API is up, or set verify-wait to the minutes that it needs to start again.',
    });
  });

  test('not known: HTTP 429', async () => {
    const { verdict } = await asked([answer(429)], [answer(401)]);
    expect(failureIn(verdict)).toMatchObject({
      code: 'TARGET_UNREACHABLE',
      message: `${SHOWN} answers HTTP 429: it has too many requests, so whether it accepts the certificate is not known. Nothing was uploaded.`,
      remedy: 'Run the job again when it has fewer, or set verify-wait to the minutes that it needs.',
    });
    expect(retryOf(verdict)).toBe('yes');
  });

  test('a job that is cancelled meanwhile ends as such', async () => {
    const http: ScriptedHttp = new ScriptedHttp(() => cancelled(http));
    await expect(verifyTarget(http, new ScriptedHttp(), URL, () => true)).rejects.toBe(CANCELLED);
  });

  test('whatever else goes wrong is not taken for an answer', async () => {
    await expect(asked([])).rejects.toThrow('not in the script');
  });
});
