/** Changing a connector, and making sure of it. */
import { describe, expect, test } from '@jest/globals';
import { TransportError } from '../../src/http/transport-error.ts';
import { answer, type Answer } from '../scripted-http.ts';
import {
  ROOT,
  GUID,
  UPLOAD,
  NEW,
  OLD,
  UNTRUSTED,
  online,
  cancelled,
  failureOf,
  methods,
  error,
  entry,
  connectorBody,
  connector,
} from './scripted-graph.ts';

describe('uploading a certificate', () => {
  test('one POST with the file and the password, beside the certificates that are there', async () => {
    const { http, connectors, log } = online(answer(200, connectorBody('c1', [entry(OLD), entry(NEW)])));
    expect(await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW)).toEqual(
      connector('c1', OLD, NEW),
    );
    expect(http.requests).toEqual([
      {
        method: 'POST',
        url: `${ROOT}/c1/uploadClientCertificate`,
        headers: {
          authorization: 'Bearer the-access-token',
          'client-request-id': expect.stringMatching(GUID),
          'content-type': 'application/json',
        },
        body: '{"pkcs12Value":"cGZ4","password":"pass"}',
      },
    ]);
    expect(log).toEqual([]);
  });

  test('the connector keeps the id that was asked for, whatever the answer says', async () => {
    const { connectors } = online(answer(200, connectorBody('another', [entry(NEW)])));
    expect(await connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW)).toEqual(connector('c1', NEW));
  });

  test('nothing but the file and the password goes out, and an empty password does too', async () => {
    const { http, connectors } = online(answer(200, connectorBody('c1', [entry(NEW)])));
    const upload = { password: '', note: 'not for the service', pkcs12Value: 'cGZ4' };
    await connectors.uploadClientCertificate(connector('c1'), upload, NEW);
    expect(http.requests[0]?.body).toBe('{"pkcs12Value":"cGZ4","password":""}');
  });

  test('an id with characters of a URL stays one segment of the path', async () => {
    const { http, connectors } = online(answer(200, connectorBody('c1', [entry(NEW)])));
    await connectors.uploadClientCertificate(connector('a/b'), UPLOAD, NEW);
    expect(http.requests[0]?.url).toBe(`${ROOT}/a%2Fb/uploadClientCertificate`);
  });

  test('a certificate that is uploaded again: the answer that shows it is enough', async () => {
    const { connectors } = online(answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await connectors.uploadClientCertificate(connector('c1', NEW), UPLOAD, NEW)).toEqual(connector('c1', NEW));
  });

  test.each([
    [400, 'AADB2C90213', 'UPLOAD_PASSWORD_REFUSED'],
    [403, 'x', 'GRAPH_FORBIDDEN'],
    [404, 'x', 'CONNECTOR_NOT_FOUND'],
    [302, 'x', 'REDIRECTED'],
  ])('HTTP %d, %s, is final: nothing was changed', async (status, code, expected) => {
    const { http, connectors, log } = online(answer(status, error(code, 'No.')));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure.code).toBe(expected);
    expect(failure.message).toMatch(/\. Nothing was changed\.$/);
    expect(http.requests).toHaveLength(1);
    expect(log).toEqual([]);
  });

  test.each<[string, Answer]>([
    ['throttled', answer(429, '', { 'retry-after': '7' })],
    ['busy', answer(503, '', { 'retry-after': '7' })],
    ['busy with another write', answer(400, error('AADB2C90229', 'Busy.'), { 'retry-after': '7' })],
  ])('%s: it is sent again without a look, after the time that the service asks for', async (_what, first) => {
    const { http, connectors, log } = online(first, answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['POST', 'POST']);
    expect(http.waits).toEqual([7000]);
    expect(log).toEqual([expect.stringMatching(/API connector c1.*Trying again in 7\.0 s \(1 of 5 tries\)\.$/)]);
  });

  test('throttled five times: nothing was changed, and no look is needed', async () => {
    const { http, connectors } = online(...Array.from({ length: 5 }, () => answer(429)));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({ code: 'THROTTLED', message: expect.stringMatching(/\. Nothing was changed\.$/) });
    expect(methods(http)).toEqual(['POST', 'POST', 'POST', 'POST', 'POST']);
  });

  test('without a connection it is sent again without a look', async () => {
    const { http, connectors, log } = online(
      new TransportError('getaddrinfo ENOTFOUND graph.microsoft.com', false),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['POST', 'POST']);
    expect(log).toEqual([expect.stringContaining('The name of Microsoft Graph could not be resolved')]);
  });

  test('never a connection: nothing was changed', async () => {
    const { http, connectors } = online(
      ...Array.from({ length: 5 }, () => new TransportError('connect ECONNREFUSED', false)),
    );
    expect(await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW))).toMatchObject({
      code: 'NETWORK_UNREACHABLE',
      message: expect.stringMatching(/\. Nothing was changed\.$/),
    });
    expect(methods(http)).toEqual(['POST', 'POST', 'POST', 'POST', 'POST']);
  });

  test('a server that is not trusted got nothing: it is final', async () => {
    const { http, connectors } = online(new TransportError(UNTRUSTED, false));
    expect(await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW))).toMatchObject({
      code: 'TLS_NOT_TRUSTED',
      message: expect.stringMatching(/of Microsoft Graph is not trusted.*\. Nothing was changed\.$/),
    });
    expect(http.requests).toHaveLength(1);
  });

  test('a fault of our own is passed on as it is', async () => {
    const { http, connectors } = online(() => {
      throw new RangeError('a fault');
    });
    await expect(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW)).rejects.toThrow(
      new RangeError('a fault'),
    );
    expect(http.requests).toHaveLength(1);
  });

  test('cancelled before anything went out: nothing was changed', async () => {
    const { http, connectors } = online(() => cancelled(http, false));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({ code: 'CANCELLED', message: 'The job was cancelled. Nothing was changed.' });
    expect(http.requests).toHaveLength(1);
    expect(http.waits).toEqual([]);
  });

  test('cancelled while it was under way: what is known is said', async () => {
    const { http, connectors } = online(() => cancelled(http));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'CANCELLED',
      message:
        'The job was cancelled. An upload was under way: whether the certificate is on the connector is not known. Run the job again: it looks first.',
    });
    expect(http.requests).toHaveLength(1);
    expect(http.waits).toEqual([]);
  });

  test('cancelled while looking for a lost upload: what is known is said', async () => {
    const { http, connectors } = online(new TransportError('reset', true), () => cancelled(http));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure.code).toBe('CANCELLED');
    expect(failure.message).toContain('An upload was under way');
    expect(methods(http)).toEqual(['POST', 'GET']);
  });
});

describe('an upload whose answer is lost', () => {
  const LOST: [string, Answer][] = [
    ['the connection broke', new TransportError('reset', true)],
    ['the server is not trusted any more', new TransportError(UNTRUSTED, true)],
    ['HTTP 500', answer(500)],
    ['HTTP 504', answer(504)],
    ['HTTP 502 with the certificate in it', answer(502, connectorBody('c1', [entry(NEW)]))],
    ['an answer that cannot be read', answer(200, '<html>')],
    ['an answer without the certificate', answer(200, connectorBody('c1', [entry(OLD)]))],
    ['an empty answer', answer(204)],
  ];

  test.each(LOST)('%s: a look that shows the certificate is enough', async (_what, lost) => {
    const { http, connectors } = online(lost, answer(200, connectorBody('c1', [entry(OLD), entry(NEW)])));
    expect(await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW)).toEqual(
      connector('c1', OLD, NEW),
    );
    expect(http.requests.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', `${ROOT}/c1/uploadClientCertificate`, '{"pkcs12Value":"cGZ4","password":"pass"}'],
      ['GET', `${ROOT}/c1`, undefined],
    ]);
  });

  test('a look that does not show it: it is sent again', async () => {
    const { http, connectors, log } = online(
      new TransportError('reset', true),
      answer(200, connectorBody('c1', [entry(OLD)])),
      answer(200, connectorBody('c1', [entry(OLD), entry(NEW)])),
    );
    expect(await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW)).toEqual(
      connector('c1', OLD, NEW),
    );
    expect(methods(http)).toEqual(['POST', 'GET', 'POST']);
    expect(log).toEqual([
      expect.stringContaining('Microsoft Graph did not answer: reset'),
      'The certificate is not on the connector, so the request had no effect: sending it again.',
    ]);
  });

  test('sent again and then refused: nothing was changed', async () => {
    const { connectors } = online(
      answer(500),
      answer(200, connectorBody('c1')),
      answer(400, error('AADB2C90214', 'Expired.')),
    );
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({ code: 'UPLOAD_EXPIRED_REFUSED' });
    expect(failure.message).toMatch(/\. Nothing was changed\.$/);
  });

  test('sent again and then throttled: it is sent once more without another look', async () => {
    const { http, connectors } = online(
      answer(500),
      answer(200, connectorBody('c1')),
      answer(429),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    await connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW);
    expect(methods(http)).toEqual(['POST', 'GET', 'POST', 'POST']);
  });

  test('Retry-After of a failing service is waited for before the look', async () => {
    const { http, connectors } = online(
      answer(500, '', { 'retry-after': '9' }),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    await connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW);
    expect(http.waits).toEqual([9000]);
  });

  const absent = answer(200, connectorBody('c1', [entry(OLD)]));
  const present = answer(200, connectorBody('c1', [entry(OLD), entry(NEW)]));
  const lost = answer(500, error('x', 'Oops.'));
  const fiveLost = [lost, absent, lost, absent, lost, absent, lost, absent, lost];

  test('lost five times: the last look decides, and shows it', async () => {
    const { http, connectors, log } = online(...fiveLost, present);
    expect(await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW)).toEqual(
      connector('c1', OLD, NEW),
    );
    expect(methods(http).filter((method) => method === 'POST')).toHaveLength(5);
    expect(http.requests.at(-1)?.method).toBe('GET');
    expect(log.filter((line) => line.startsWith('The certificate is not on the connector'))).toHaveLength(4);
  });

  test('lost five times, and cancelled during the last look: what is known is said', async () => {
    const { http, connectors } = online(...fiveLost, () => cancelled(http));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure.code).toBe('CANCELLED');
    expect(failure.message).toContain('An upload was under way');
  });

  test('lost five times: the last look decides, and does not show it', async () => {
    const { connectors } = online(...fiveLost, absent);
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure.code).toBe('SERVICE_UNAVAILABLE');
    expect(failure.message).toMatch(
      /^Microsoft Graph could not serve the request \(API connector c1\): Oops .* A look afterwards shows that the certificate is not on the connector\.$/,
    );
    expect(failure.message).not.toContain('Nothing was changed');
  });

  test('an empty answer five times, and it is never seen', async () => {
    const once = [answer(204), absent, absent];
    const { connectors, log } = online(...once, ...once, ...once, ...once, ...once);
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'UPLOAD_NOT_CONFIRMED',
      message:
        'Microsoft Graph accepted the change, but does not show it. A look afterwards shows that the certificate is not on the connector.',
      remedy: 'Run the job again.',
    });
    expect(log).toHaveLength(8);
  });

  test('no time for another try: the look is made at once', async () => {
    const { http, connectors } = online(answer(500, '', { 'retry-after': '120' }), absent);
    http.scripted.left = 60_000;
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure.code).toBe('SERVICE_UNAVAILABLE');
    expect(failure.message).toMatch(
      /The next try would have to wait 120 s, and the step has only 60 s left\. A look afterwards shows that the certificate is not on the connector\.$/,
    );
    expect(http.waits).toEqual([]);
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('a look that is refused: it is not known, and the upload is not sent again', async () => {
    const { http, connectors } = online(new TransportError('reset', true), answer(403, error('x', 'Denied.')));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'UPLOAD_NOT_CONFIRMED',
      remedy: 'Run the job again: it looks first, and uploads only where the certificate is missing.',
    });
    expect(failure.message).toMatch(
      /^Microsoft Graph did not answer: reset \(.*\)\. Whether the certificate is on the connector could not be found out: Microsoft Graph denies access \(API connector c1\): Denied \(.*\)\.$/,
    );
    expect(failure.cause).toMatchObject({ code: 'NETWORK_UNREACHABLE' });
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('a last look that is refused: it is not known', async () => {
    const { connectors } = online(...fiveLost, answer(403));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'UPLOAD_NOT_CONFIRMED',
      message: expect.stringContaining('could not be found out: Microsoft Graph denies access'),
    });
  });

  test('a look that ends in a fault of our own: it is not known', async () => {
    const { connectors } = online(new TransportError('reset', true), () => {
      throw new RangeError('a fault');
    });
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, NEW));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(/could not be found out: a fault$/);
  });

  const UNDECIDED =
    ' The certificate was on the connector before and still is; whether this upload took effect cannot be told from that.';

  test('the same certificate was there before, and one more is there now: it took effect', async () => {
    const { http, connectors } = online(answer(500), answer(200, connectorBody('c1', [entry(NEW), entry(NEW)])));
    expect(await connectors.uploadClientCertificate(connector('c1', NEW), UPLOAD, NEW)).toEqual(
      connector('c1', NEW, NEW),
    );
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('the same certificate was there before, and is as often there now: that tells nothing', async () => {
    const { http, connectors, log } = online(
      new TransportError('reset', true),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', NEW), UPLOAD, NEW));
    expect(failure).toMatchObject({
      code: 'UPLOAD_NOT_CONFIRMED',
      remedy: 'Look at is-active in the outputs, and run the job again if the certificate should be the active one.',
    });
    expect(failure.message).toMatch(/^Microsoft Graph did not answer: reset /);
    expect(failure.message.endsWith(UNDECIDED)).toBe(true);
    expect(failure.cause).toMatchObject({ code: 'NETWORK_UNREACHABLE' });
    expect(methods(http)).toEqual(['POST', 'GET']);
    expect(log).toHaveLength(1);
  });

  test('the same certificate was there before, and there is no time for another try: that tells nothing', async () => {
    const { http, connectors } = online(
      answer(500, '', { 'retry-after': '120' }),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    http.scripted.left = 60_000;
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', NEW), UPLOAD, NEW));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message.endsWith(UNDECIDED)).toBe(true);
  });
});

describe('replacing the authentication', () => {
  test('one PATCH, and a look that shows this certificate alone', async () => {
    const { http, connectors, log } = online(answer(204), answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(http.requests).toEqual([
      {
        method: 'PATCH',
        url: `${ROOT}/c1`,
        headers: {
          authorization: 'Bearer the-access-token',
          'client-request-id': expect.stringMatching(GUID),
          'content-type': 'application/json',
        },
        body: '{"authenticationConfiguration":{"@odata.type":"#microsoft.graph.pkcs12Certificate","pkcs12Value":"cGZ4","password":"pass"}}',
      },
      expect.objectContaining({ method: 'GET', url: `${ROOT}/c1` }),
    ]);
    expect(log).toEqual([]);
    expect(http.waits).toEqual([]);
  });

  test.each([
    ['none', []],
    ['the old one', [entry(OLD)]],
    ['the old one too', [entry(NEW), entry(OLD)]],
  ])('a look that shows %s: it is sent again', async (_what, shown) => {
    const stale = answer(200, connectorBody('c1', shown));
    const { http, connectors, log } = online(
      answer(204),
      stale,
      stale,
      answer(204),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['PATCH', 'GET', 'GET', 'PATCH', 'GET']);
    expect(log).toEqual([
      expect.stringMatching(/^Microsoft Graph accepted the change, but does not show it\. Trying again/),
      'The certificate is not on the connector, so the request had no effect: sending it again.',
    ]);
  });

  test('a change that shows a little later is not sent again', async () => {
    const { http, connectors } = online(
      answer(204),
      answer(200, connectorBody('c1', [entry(OLD)])),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['PATCH', 'GET', 'GET']);
  });

  test('the certificate in an answer to the PATCH is not believed without a look', async () => {
    const { http, connectors } = online(
      answer(200, connectorBody('c1', [entry(NEW)])),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    await connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW);
    expect(methods(http)).toEqual(['PATCH', 'GET']);
  });

  test('a look that fails after the change was taken: it is not known', async () => {
    const { http, connectors } = online(answer(204), answer(401));
    const failure = await failureOf(connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(
      /^Microsoft Graph accepted the change, but does not show it\. Whether .* could not be found out: Microsoft Graph does not take the access token/,
    );
    expect(methods(http)).toEqual(['PATCH', 'GET']);
  });

  test('refused: nothing was changed', async () => {
    const { http, connectors } = online(answer(400, error('AADB2C90215', 'Bad key.')));
    const failure = await failureOf(connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, NEW));
    expect(failure).toMatchObject({ code: 'UPLOAD_FILE_REFUSED' });
    expect(failure.message).toMatch(/\. Nothing was changed\.$/);
    expect(methods(http)).toEqual(['PATCH']);
  });

  test('an answer that is lost: the look that shows this certificate alone is enough', async () => {
    const { http, connectors } = online(
      new TransportError('reset', true),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await connectors.replaceAuthentication(connector('c1'), UPLOAD, NEW)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['PATCH', 'GET']);
  });
});
