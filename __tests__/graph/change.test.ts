/** Changing a connector, and making sure of it. */
import { describe, expect, test } from '@jest/globals';
import { TransportError } from '../../src/http/transport-error.ts';
import { answer, type Answer } from '../scripted-http.ts';
import {
  ROOT,
  GUID,
  UPLOAD,
  CERTIFICATE,
  NEW,
  OLD,
  UNTRUSTED,
  CANCELLED,
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
    expect(await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE)).toEqual(
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
    expect(await connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', NEW),
    );
  });

  test('nothing but the file and the password goes out, and an empty password does too', async () => {
    const { http, connectors } = online(answer(200, connectorBody('c1', [entry(NEW)])));
    const upload = { password: '', note: 'not for the service', pkcs12Value: 'cGZ4' };
    await connectors.uploadClientCertificate(connector('c1'), upload, CERTIFICATE);
    expect(http.requests[0]?.body).toBe('{"pkcs12Value":"cGZ4","password":""}');
  });

  test('an id with characters of a URL stays one segment of the path', async () => {
    const { http, connectors } = online(answer(200, connectorBody('c1', [entry(NEW)])));
    await connectors.uploadClientCertificate(connector('a/b'), UPLOAD, CERTIFICATE);
    expect(http.requests[0]?.url).toBe(`${ROOT}/a%2Fb/uploadClientCertificate`);
  });

  test('a certificate that is uploaded again: the answer that shows it is enough', async () => {
    const { connectors } = online(answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await connectors.uploadClientCertificate(connector('c1', NEW), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', NEW),
    );
  });

  test.each([
    [400, 'AADB2C90213', 'UPLOAD_PASSWORD_REFUSED'],
    [403, 'x', 'GRAPH_FORBIDDEN'],
    [300, 'x', 'REDIRECTED'],
    [302, 'x', 'REDIRECTED'],
  ])('HTTP %d, %s, is final: nothing was changed', async (status, code, expected) => {
    const { http, connectors, log } = online(answer(status, error(code, 'No.')));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe(expected);
    expect(failure.message).toMatch(/\. Nothing was changed\.$/);
    expect(http.requests).toHaveLength(1);
    expect(log).toEqual([]);
  });

  const absent = answer(200, connectorBody('c1'));

  test.each<[string, Answer]>([
    ['throttled', answer(429, '', { 'retry-after': '7' })],
    ['locked', answer(423, '', { 'retry-after': '7' })],
    ['busy with another write', answer(400, error('AADB2C90229', 'Busy.'), { 'retry-after': '7' })],
    ['at odds with another write', answer(409, error('Directory_ConcurrencyViolation', 'x'), { 'retry-after': '7' })],
    ['not knowing the token yet', answer(401, error('x', 'Unknown.'), { 'retry-after': '7' })],
    ['not knowing the connector yet', answer(404, error('x', 'Unknown.'), { 'retry-after': '7' })],
  ])('%s: it is sent again after the time that the service asks for, and one read', async (_what, first) => {
    const { http, connectors, log } = online(first, absent, answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', NEW),
    );
    expect(methods(http)).toEqual(['POST', 'GET', 'POST']);
    expect(http.waits).toEqual([7000]);
    expect(log).toEqual([expect.stringMatching(/API connector c1.*Trying again in 7\.0 s \(1 of 5 tries\)\.$/)]);
  });

  test('a connector that is never found for the upload: that it was read before is said, and for 10 s it is tried', async () => {
    const { http, connectors } = online();
    http.otherwise = ({ method }) => (method === 'GET' ? absent : answer(404, error('x', 'Unknown.')));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('CONNECTOR_NOT_FOUND');
    expect(failure.message).toMatch(
      /^Microsoft Graph does not find the API connector, which was read a moment before \(API connector c1\): Unknown .*\. Nothing was changed\.$/,
    );
    expect(http.scripted.now()).toBeLessThanOrEqual(10_000);
  });

  test('a connector that is gone: the list settles it', async () => {
    const { http, connectors } = online(answer(404), answer(404), answer(200, { value: [] }));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure.message).toMatch(/^Microsoft Graph does not find the API connector, .*\. Nothing was changed\.$/);
    expect(failure.remedy).toMatch(/^The tenant has no API connector at all/);
    expect(methods(http)).toEqual(['POST', 'GET', 'GET']);
  });

  test('throttled, and the read afterwards shows it all the same: it is not sent again', async () => {
    const { http, connectors } = online(answer(429), answer(200, connectorBody('c1', [entry(NEW)])));
    await connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE);
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('throttled five times: nothing was changed', async () => {
    const { http, connectors } = online(...Array.from({ length: 4 }, () => [answer(429), absent]).flat(), answer(429));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure).toMatchObject({ code: 'THROTTLED', message: expect.stringMatching(/\. Nothing was changed\.$/) });
    expect(methods(http).filter((method) => method === 'POST')).toHaveLength(5);
  });

  test('without a connection it is sent again without a look', async () => {
    const { http, connectors, log } = online(
      new TransportError('getaddrinfo ENOTFOUND graph.microsoft.com', false),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', NEW),
    );
    expect(methods(http)).toEqual(['POST', 'POST']);
    expect(log).toEqual([expect.stringContaining('The name of Microsoft Graph could not be resolved')]);
  });

  test('never a connection: nothing was changed', async () => {
    const { http, connectors } = online(
      ...Array.from({ length: 5 }, () => new TransportError('connect ECONNREFUSED', false)),
    );
    expect(await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE))).toMatchObject({
      code: 'NETWORK_UNREACHABLE',
      message: expect.stringMatching(/\. Nothing was changed\.$/),
    });
    expect(methods(http)).toEqual(['POST', 'POST', 'POST', 'POST', 'POST']);
  });

  test('a server that is not trusted got nothing: it is final', async () => {
    const { http, connectors } = online(new TransportError(UNTRUSTED, false));
    expect(await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE))).toMatchObject({
      code: 'TLS_NOT_TRUSTED',
      message: expect.stringMatching(/of Microsoft Graph is not trusted.*\. Nothing was changed\.$/),
    });
    expect(http.requests).toHaveLength(1);
  });

  test('a fault of our own is passed on as it is', async () => {
    const { http, connectors } = online(() => {
      throw new RangeError('a fault');
    });
    await expect(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE)).rejects.toThrow(
      new RangeError('a fault'),
    );
    expect(http.requests).toHaveLength(1);
  });

  test('cancelled before anything went out: nothing was changed', async () => {
    const { http, connectors } = online(() => cancelled(http, false));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure).toMatchObject({ code: 'CANCELLED', message: 'The job was cancelled. Nothing was changed.' });
    expect(http.requests).toHaveLength(1);
    expect(http.waits).toEqual([]);
  });

  test('cancelled while it was under way: what is known is said', async () => {
    const { http, connectors } = online(() => cancelled(http));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure).toMatchObject({
      code: 'CANCELLED',
      message:
        'The job was cancelled. An upload was under way: whether the certificate is on the connector is not known. Run the job again: it reads the connector first, and uploads only if the certificate is missing.',
    });
    expect(http.requests).toHaveLength(1);
    expect(http.waits).toEqual([]);
  });

  test('ended while it was being sent: what is known is said', async () => {
    const { connectors } = online(() => {
      throw CANCELLED;
    });
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure.message).toMatch(/^The job was cancelled\. An upload was under way: /);
  });

  test('ended while it waits for its turn: nothing was sent, so nothing was changed', async () => {
    const { http, connectors } = online();
    http.otherwise = () => answer(200, connectorBody('c1'));
    for (let n = 0; n < 200; n++) await connectors.get('c1');
    http.scripted.end(CANCELLED);
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure).toMatchObject({ code: 'CANCELLED', message: 'The job was cancelled. Nothing was changed.' });
    expect(methods(http)).not.toContain('POST');
  });

  test('cancelled while looking for a lost upload: what is known is said', async () => {
    const { http, connectors } = online(new TransportError('reset', true), () => cancelled(http));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('CANCELLED');
    expect(failure.message).toContain('An upload was under way');
    expect(methods(http)).toEqual(['POST', 'GET']);
  });
});

/** What the connector shows, by the time since the first request that was sent to it. */
function showing(
  at: (milliseconds: number) => readonly string[],
  http: () => { readonly scripted: { now(): number } },
) {
  return (): Answer => answer(200, connectorBody('c1', at(http().scripted.now()).map(entry)));
}

describe('an upload whose response is lost, or does not show the certificate', () => {
  const MAYBE: [string, Answer][] = [
    ['the connection broke', new TransportError('reset', true)],
    ['the server is not trusted any more', new TransportError(UNTRUSTED, true)],
    ['HTTP 408', answer(408)],
    ['HTTP 500', answer(500)],
    ['HTTP 503', answer(503)],
    ['HTTP 504', answer(504)],
    ['HTTP 502 with the certificate in it', answer(502, connectorBody('c1', [entry(NEW)]))],
    ['HTTP 500 with the code of a busy service', answer(500, error('AADB2C95053', 'Busy.'))],
    ['HTTP 503 with the code of a throttled one', answer(503, error('AADB2C90229', 'Busy.'))],
    ['HTTP 504 with the code of another write', answer(504, error('Directory_ConcurrencyViolation', 'x'))],
  ];
  const PAGE = answer(200, '<!DOCTYPE html><html><title>Blocked by DLP</title></html>');
  /** Not sent again, whatever the connector shows. */
  const REFUSED: [string, Answer, string][] = [
    ['a web page in its place', PAGE, 'INTERCEPTED'],
    [
      'HTTP 502 with the code of an expired certificate',
      answer(502, error('AADB2C90214', 'x')),
      'UPLOAD_EXPIRED_REFUSED',
    ],
    ['HTTP 500 with the code of a wrong password', answer(500, error('AADB2C90213', 'x')), 'UPLOAD_PASSWORD_REFUSED'],
    ['HTTP 500 with the code of one that is there', answer(500, error('AADB2C95049', 'x')), 'UPLOAD_ALREADY_THERE'],
    ['the code of one that is there', answer(400, error('AADB2C95049', 'x')), 'UPLOAD_ALREADY_THERE'],
  ];
  const ACCEPTED: [string, Answer][] = [
    ['a response that cannot be read', answer(200, '{')],
    ['a response without the certificate', answer(200, connectorBody('c1', [entry(OLD)]))],
    [
      'a response with another new certificate',
      answer(200, connectorBody('c1', [entry(OLD), { ...entry('D'.repeat(40)), notAfter: 1700000000 }])),
    ],
    ['HTTP 201', answer(201)],
    ['HTTP 202', answer(202)],
    ['an empty response', answer(204)],
  ];

  test.each(
    [...MAYBE, ...ACCEPTED, ...REFUSED].flatMap(([what, lost]) =>
      [0, 1_000, 5_000, 12_000].map((lag) => [what, lag, lost] as const),
    ),
  )('%s, and reads lag by %d ms: it is found, and sent once', async (_what, lag, lost) => {
    const read = showing(
      (time) => (time >= lag ? [OLD, NEW] : [OLD]),
      () => http,
    );
    const { http, connectors } = online(
      lost,
      ...Array.from({ length: 20 }, () => () => read() as ReturnType<typeof answer>),
    );
    expect(await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', OLD, NEW),
    );
    expect(methods(http).filter((method) => method === 'POST')).toHaveLength(1);
  });

  test.each(ACCEPTED)(
    '%s, and it never shows: it is never sent again, and what the list has is reported',
    async (_what, lost) => {
      const read = answer(200, connectorBody('c1', [entry(OLD)]));
      const { http, connectors } = online(lost, ...Array.from({ length: 40 }, () => read));
      const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE));
      expect(failure).toMatchObject({ code: 'UPLOAD_NOT_CONFIRMED', cause: { code: 'UPLOAD_NOT_CONFIRMED' } });
      expect(failure.message).toMatch(
        new RegExp(
          `^Microsoft Graph accepted the change \\(HTTP 20\\d\\), but its response does not show the certificate\\. The certificate was not seen on the connector within 30 s\\. The connector has now: ${OLD}\\.$`,
        ),
      );
      expect(methods(http).filter((method) => method === 'POST')).toHaveLength(1);
      // 30 s in all.
      expect(http.waits).toEqual([500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 2500]);
    },
  );

  test.each(REFUSED)(
    '%s, and it is not seen for 15 s: it is not sent again, and what it was is said',
    async (...row) => {
      const [, refused, code] = row;
      const { http, connectors } = online(refused);
      http.otherwise = () => answer(200, connectorBody('c1', [entry(OLD)]));
      const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE));
      expect(failure.code).toBe(code);
      expect(failure.message).toMatch(
        /^(Not|The service) .*\. The certificate was not seen on the connector within 15 s\. The connector has now: B{40}\.$/,
      );
      expect(failure.message).not.toMatch(/Nothing was changed|accepted the change/);
      expect(methods(http).filter((method) => method !== 'GET')).toEqual(['POST']);
    },
  );

  test('a web page in the place of the upload and of the reads: it is not known, and the page has the fix', async () => {
    const { http, connectors } = online();
    http.otherwise = () => PAGE;
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('INTERCEPTED');
    expect(failure.message).toMatch(
      /^Not Microsoft Graph .* titled Blocked by DLP .*\. Whether the certificate is on the connector could not be found out: Not Microsoft Graph .*\.$/,
    );
    expect(failure.remedy).toMatch(/^Let the firewall, web filter or proxy/);
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('a read takes longer than that: before it is sent again, one begins after 15 s', async () => {
    const asked: string[] = [];
    const { http, connectors } = online();
    http.otherwise = ({ method }) => {
      asked.push(`${method} ${http.scripted.now() >= 15_000 ? 'after' : 'within'} 15 s`);
      if (method === 'GET') {
        http.scripted.time += 16_000;
        return answer(200, connectorBody('c1', [entry(OLD)]));
      }
      return asked.length === 1 ? answer(504) : answer(200, connectorBody('c1', [entry(OLD), entry(NEW)]));
    };
    await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE);
    expect(asked).toEqual(['POST within 15 s', 'GET within 15 s', 'GET after 15 s', 'POST after 15 s']);
  });

  test.each(MAYBE)('%s, and it is not seen for 15 s: it is sent again', async (_what, lost) => {
    const posts: number[] = [];
    const { http, connectors } = online(
      ...Array.from({ length: 40 }, () => ({ method }: { readonly method: string }) => {
        if (method === 'GET') return answer(200, connectorBody('c1', [entry(OLD)]));
        posts.push(http.scripted.now());
        return posts.length === 1
          ? (lost as ReturnType<typeof answer>)
          : answer(200, connectorBody('c1', [entry(OLD), entry(NEW)]));
      }),
    );
    expect(await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', OLD, NEW),
    );
    expect(posts).toHaveLength(2);
    expect(posts[1]).toBeGreaterThanOrEqual(15_000);
  });

  const lost = answer(500, error('x', 'Oops.'));
  /** Every POST is lost without an effect, or answered so from the second on. */
  const neverActing = (later: Answer = lost) => {
    let posts = 0;
    const scripted = online(
      ...Array.from(
        { length: 80 },
        () =>
          ({ method }: { readonly method: string }) =>
            method === 'GET'
              ? answer(200, connectorBody('c1', [entry(OLD)]))
              : ((posts++ === 0 ? lost : later) as ReturnType<typeof answer>),
      ),
    );
    return scripted;
  };

  test('lost five times and never seen: that is what is said, not that nothing was changed', async () => {
    const { http, connectors } = neverActing();
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('SERVICE_UNAVAILABLE');
    expect(failure.message).toMatch(
      /^Microsoft Graph could not serve the request \(API connector c1\): Oops .* The certificate was not seen on the connector within 15 s\. The connector has now: B{40}\.$/,
    );
    expect(methods(http).filter((method) => method === 'POST')).toHaveLength(5);
  });

  test('sent again and then refused: that the first was not seen is what is known', async () => {
    const { connectors } = neverActing(answer(400, error('AADB2C90214', 'Expired.')));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('UPLOAD_EXPIRED_REFUSED');
    expect(failure.message).toContain('was not seen on the connector within 15 s');
    expect(failure.message).not.toContain('Nothing was changed');
  });

  /** The first POST is lost, and each later one answered so; reads show the certificate from this time on. */
  const shownFrom = (milliseconds: number, later: ReturnType<typeof answer>) => {
    const { http, ...more } = online(lost);
    http.otherwise = ({ method }) => {
      if (method === 'POST') return later;
      return answer(200, connectorBody('c1', (http.scripted.now() >= milliseconds ? [OLD, NEW] : [OLD]).map(entry)));
    };
    return { http, ...more };
  };
  const postsOf = (http: Parameters<typeof methods>[0]): number =>
    methods(http).filter((method) => method === 'POST').length;

  test.each([
    ['AADB2C95049', 16_500],
    ['AADB2C90180', 16_500],
    ['AADB2C95049', 40_000],
  ])('sent again, and the service has it already (%s): it is read until it shows, after %d ms', async (code, shown) => {
    const { http, connectors } = shownFrom(shown, answer(400, error(code, 'Already there.')));
    expect(await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', OLD, NEW),
    );
    expect(postsOf(http)).toBe(2);
  });

  test('the service has it already, and it never shows: that is not known, and nothing is said of force', async () => {
    const { http, connectors } = shownFrom(Infinity, answer(400, error('AADB2C95049', 'Already there.')));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(/a second time .* was not seen on the connector within 30 s\./);
    expect(failure.remedy).not.toContain('force');
    expect(postsOf(http)).toBe(2);
  });

  test.each<[string, ReturnType<typeof answer>, number]>([
    ['refused', answer(400, error('AADB2C90214', 'Expired.')), 2],
    ['throttled to the end', answer(429), 5],
  ])('sent again and then %s: one more read finds the first', async (_what, later, times) => {
    const { http, connectors } = shownFrom(Infinity, later);
    const otherwise = http.otherwise;
    http.otherwise = (request) =>
      request.method === 'GET' && postsOf(http) === times
        ? answer(200, connectorBody('c1', [entry(OLD), entry(NEW)]))
        : (otherwise?.(request) ?? lost);
    expect(await connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', OLD, NEW),
    );
    expect(postsOf(http)).toBe(times);
    expect(methods(http).at(-1)).toBe('GET');
  });

  test('sent again and refused, and the read is refused too: the refusal of the upload is what counts', async () => {
    const { http, connectors } = shownFrom(Infinity, answer(400, error('AADB2C90214', 'Expired.')));
    const otherwise = http.otherwise;
    http.otherwise = (request) =>
      request.method === 'GET' && postsOf(http) === 2 ? answer(400) : (otherwise?.(request) ?? lost);
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('UPLOAD_EXPIRED_REFUSED');
    expect(failure.message).toContain('was not seen on the connector within 15 s');
  });

  test('one that was there before is refused: nothing is in doubt, so nothing is read', async () => {
    const { http, connectors } = online(answer(400, error('AADB2C95049', 'Already there.')));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', NEW), UPLOAD, CERTIFICATE));
    expect(failure).toMatchObject({ code: 'UPLOAD_ALREADY_THERE' });
    expect(failure.message).toMatch(/\. Nothing was changed\.$/);
    expect(failure.remedy).toMatch(/^If force is set, leave it out\. /);
    expect(methods(http)).toEqual(['POST']);
  });

  test.each([14_900, 9_300, 4_000, 500])(
    'there are only %d ms to read: it is read as long, and not sent again',
    async (left) => {
      const { http, connectors } = neverActing();
      http.scripted.left = left;
      const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', OLD), UPLOAD, CERTIFICATE));
      expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
      expect(failure.message).toMatch(/was not seen on the connector within \d+ s/);
      expect(failure.remedy).toMatch(/^Run the job again: it reads the connector first/);
      expect(http.scripted.left).toBeGreaterThan(0);
      expect(postsOf(http)).toBe(1);
    },
  );

  test('cancelled while it is read: what is known is said', async () => {
    const { http, connectors } = online(lost, answer(200, connectorBody('c1')), () => cancelled(http));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('CANCELLED');
    expect(failure.message).toContain('An upload was under way');
  });

  test('a read that is refused: it is not known, and the upload is not sent again', async () => {
    const { http, connectors } = online(new TransportError('reset', true), answer(403, error('x', 'Denied.')));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(
      /^Microsoft Graph did not answer: reset \(.*\)\. Whether the certificate is on the connector could not be found out: Microsoft Graph denies access \(API connector c1\): Denied \(.*\)\.$/,
    );
    expect(failure.cause).toMatchObject({ cause: { code: 'NETWORK_UNREACHABLE' } });
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('a read that ends in a fault of our own: it is not known', async () => {
    const { connectors } = online(new TransportError('reset', true), () => {
      throw new RangeError('a fault');
    });
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1'), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(/could not be found out: a fault$/);
  });

  test('the same certificate was there before, and one more is there now: it took effect', async () => {
    const { http, connectors } = online(answer(500), answer(200, connectorBody('c1', [entry(NEW), entry(NEW)])));
    expect(await connectors.uploadClientCertificate(connector('c1', NEW), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', NEW, NEW),
    );
    expect(methods(http)).toEqual(['POST', 'GET']);
  });

  test('the same certificate was there before, and is as often there now: that tells nothing', async () => {
    const read = answer(200, connectorBody('c1', [entry(NEW)]));
    const { http, connectors } = online(new TransportError('reset', true), ...Array.from({ length: 20 }, () => read));
    const failure = await failureOf(connectors.uploadClientCertificate(connector('c1', NEW), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(
      /The certificate was not seen on the connector once more within 15 s\. .* that does not tell whether this upload took effect\.$/,
    );
    expect(failure.cause).toMatchObject({ cause: { code: 'NETWORK_UNREACHABLE' } });
    expect(methods(http).filter((method) => method === 'POST')).toHaveLength(1);
  });
});

describe('replacing the authentication', () => {
  test('one PATCH, and a look that shows this certificate alone', async () => {
    const { http, connectors, log } = online(answer(204), answer(200, connectorBody('c1', [entry(NEW)])));
    expect(await connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', NEW),
    );
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
    expect(log).toEqual([
      'Microsoft Graph accepted the change (HTTP 204), but its response does not show the certificate. Reading the connector for up to 30 s, until it shows the certificate.',
    ]);
    expect(http.waits).toEqual([]);
  });

  test.each([
    ['none', []],
    ['the old one', [entry(OLD)]],
  ])('accepted, and reads never show anything but %s: it is looked for, and not sent again', async (_what, shown) => {
    const stale = answer(200, connectorBody('c1', shown));
    const { http, connectors } = online(answer(204), ...Array.from({ length: 40 }, () => stale));
    const failure = await failureOf(connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toContain('accepted the change (HTTP 204)');
    expect(methods(http).filter((method) => method === 'PATCH')).toHaveLength(1);
  });

  test('accepted, and the older one stays: that both are there is said, not that the new one is missing', async () => {
    const { http, connectors } = online(answer(204));
    http.otherwise = () => answer(200, connectorBody('c1', [entry(OLD), entry(NEW)]));
    const failure = await failureOf(connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(
      / The certificate is on the connector, and so are others, still after 30 s\. The connector has now: B{40}, A{40}\.$/,
    );
    expect(failure.message).not.toContain('not seen');
  });

  test('a web page in the place of the response: nobody accepted anything', async () => {
    const { http, connectors } = online(answer(200, '<html><title>Blocked</title>'));
    http.otherwise = () => answer(200, connectorBody('c1', [entry(OLD)]));
    const failure = await failureOf(connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('INTERCEPTED');
    expect(failure.message).toMatch(/titled Blocked .* was not seen on the connector within 15 s\./);
    expect(methods(http).filter((method) => method === 'PATCH')).toHaveLength(1);
  });

  const basic = { '@odata.type': '#microsoft.graph.basicAuthentication' };
  const thumbprints = [1, 2, 3, 4, 5, 6].map((n) => String(n).repeat(40));
  const six = thumbprints.map((thumbprint, n) => ({ ...entry(thumbprint), notBefore: n }));
  const five = thumbprints.slice(1);

  test.each<[string, unknown]>([
    ['a user name and password', basic],
    ['nothing', null],
    ['something unknown', {}],
    ['no certificate', { certificateList: [] }],
    ['(no thumbprint)', { certificateList: [{ ...entry(''), notAfter: 1 }] }],
    [five.join(', '), { certificateList: six.slice(1) }],
    [`${five.join(', ')} and 1 more`, { certificateList: six }],
  ])('accepted, and never shown: that the connector has %s is said', async (has, authenticationConfiguration) => {
    const { http, connectors } = online(answer(204));
    http.otherwise = () => answer(200, { id: 'c1', authenticationConfiguration });
    const failure = await failureOf(connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.message).toMatch(/within 30 s\. The connector has now: .*\.$/);
    expect(failure.message.split('has now: ')[1]).toBe(`${has}.`);
  });

  test('lost, and not seen for 15 s: it is sent again', async () => {
    const { http, connectors } = online(answer(500));
    http.otherwise = ({ method }) =>
      method === 'PATCH'
        ? answer(204)
        : answer(
            200,
            connectorBody('c1', [entry(methods(http).filter((one) => one === 'PATCH').length > 1 ? NEW : OLD)]),
          );
    expect(await connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', NEW),
    );
    expect(methods(http).filter((method) => method === 'PATCH')).toHaveLength(2);
  });

  test('a change that shows a little later is not sent again', async () => {
    const { http, connectors } = online(
      answer(204),
      answer(200, connectorBody('c1', [entry(OLD)])),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', NEW),
    );
    expect(methods(http)).toEqual(['PATCH', 'GET', 'GET']);
  });

  test('a response with the connector that has this certificate alone is enough', async () => {
    const { http, connectors, log } = online(answer(200, connectorBody('another', [entry(NEW)])));
    expect(await connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE)).toEqual(
      connector('c1', NEW),
    );
    expect(methods(http)).toEqual(['PATCH']);
    expect(log).toEqual([]);
  });

  test('a response with the connector that has an older one too is followed by a look', async () => {
    const { http, connectors } = online(
      answer(200, connectorBody('c1', [entry(NEW), entry(OLD)])),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    await connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE);
    expect(methods(http)).toEqual(['PATCH', 'GET']);
  });

  test('a look that fails after the change was taken: it is not known', async () => {
    const { http, connectors } = online(answer(204));
    http.otherwise = ({ url }) => answer(url.endsWith('/c1') ? 404 : 500);
    const failure = await failureOf(connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure.code).toBe('UPLOAD_NOT_CONFIRMED');
    expect(failure.message).toMatch(
      /could not be found out: Microsoft Graph does not find the API connector, which was read a moment before/,
    );
    expect(methods(http).filter((method) => method === 'PATCH')).toHaveLength(1);
  });

  test('refused: nothing was changed', async () => {
    const { http, connectors } = online(answer(400, error('AADB2C90215', 'Bad key.')));
    const failure = await failureOf(connectors.replaceAuthentication(connector('c1', OLD), UPLOAD, CERTIFICATE));
    expect(failure).toMatchObject({ code: 'UPLOAD_FILE_REFUSED' });
    expect(failure.message).toMatch(/\. Nothing was changed\.$/);
    expect(methods(http)).toEqual(['PATCH']);
  });

  test('an answer that is lost: the look that shows this certificate alone is enough', async () => {
    const { http, connectors } = online(
      new TransportError('reset', true),
      answer(200, connectorBody('c1', [entry(NEW)])),
    );
    expect(await connectors.replaceAuthentication(connector('c1'), UPLOAD, CERTIFICATE)).toEqual(connector('c1', NEW));
    expect(methods(http)).toEqual(['PATCH', 'GET']);
  });
});
