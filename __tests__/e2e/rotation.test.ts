/** Many connectors, a safe switch-over, and what is said before anything goes wrong. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { RequestListener } from 'node:http';
import { TLSSocket } from 'node:tls';
import { clientCertificate, type ClientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { expectNoLeak, PASSWORD, runStep, titles } from './step.ts';

const HOST = 'api.contoso.com';
const DAY = 86_400_000;

let emulator: Emulator;
let certificate: ClientCertificate;

beforeAll(async () => {
  certificate = await clientCertificate();
});
beforeEach(async () => {
  emulator = await Emulator.start();
});
afterEach(async () => {
  await emulator.stop();
});

async function run(changes: Record<string, string> = {}, bundle = false): Promise<RunResult> {
  const pfx = pfxOf(certificate, PASSWORD).toString('base64');
  return await runStep(emulator, { pfx, ...changes }, { bundle });
}

function seconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

function entry(thumbprint: string, endsInDays: number): { thumbprint: string; notBefore: number; notAfter: number } {
  return {
    thumbprint,
    notBefore: seconds(new Date()) - 1000,
    notAfter: seconds(new Date(Date.now() + endsInDays * DAY)),
  };
}

const OLD = 'A'.repeat(40);
const kinds = (): string[] => emulator.requests.map(({ kind }) => kind);

describe('many connectors', () => {
  test('a hundred: one sign-in, a GET and an upload each, four at a time at most, progress in the log', async () => {
    const ids = Array.from({ length: 100 }, (_, i) => `connector-${i}`);
    for (const id of ids) emulator.addConnector({ id, displayName: `Connector ${id}` });
    const result = await run({ 'connector-id': ids.join('\n') });
    expect(result.exitCode).toBe(0);
    for (const id of ids) expect(emulator.certificates(id)).toEqual([certificate.thumbprint]);
    expect(kinds().filter((kind) => kind === 'token')).toHaveLength(1);
    expect(emulator.requests).toHaveLength(202);
    expect(
      new Set(emulator.requests.filter(({ service }) => service === 'graph').map(({ connection }) => connection)).size,
    ).toBeLessThanOrEqual(4);
    expect(result.log).toContain('[100/100] API connector');
    expect(result.summary).toContain('✅ 100 connectors updated.');
  });

  test('the same id in other letters is one connector', async () => {
    const result = await run({ 'connector-id': `${GLOBAL.connectorId}\n${GLOBAL.connectorId.toUpperCase()}` });
    expect(result.exitCode).toBe(0);
    expect(kinds().filter((kind) => kind === 'upload')).toHaveLength(1);
  });
});

describe('replace', () => {
  test('switches a connector from basic authentication to the certificate', async () => {
    emulator.addConnector({
      id: GLOBAL.connectorId,
      displayName: 'Basic',
      authentication: { type: 'basic', username: 'u', password: 'throw-away' },
    });
    const result = await run({ replace: 'true' });
    expect(titles(result)).toEqual([]);
    expect(kinds()).toEqual(['id-token', 'token', 'get', 'patch', 'get']);
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
    expect(result.summary).toContain('user name and password → ');
    expect(result.summary).not.toContain('old certificate');
    expect(result.summary).toContain('no longer sends a user name and password');
    const { authenticationConfiguration } = JSON.parse(emulator.requests[3]?.body ?? '') as {
      authenticationConfiguration: Record<string, unknown>;
    };
    expect(Object.keys(authenticationConfiguration)).toEqual(['@odata.type', 'pkcs12Value', 'password']);
    expect(authenticationConfiguration['@odata.type']).toBe('#microsoft.graph.pkcs12Certificate');
  });

  test('prunes older certificates, and leaves alone what is pruned already', async () => {
    emulator.addConnector({
      id: GLOBAL.connectorId,
      authentication: { type: 'certificates', certificates: [entry(OLD, 10)] },
    });
    await run();
    const pruned = await run({ replace: 'true' });
    expect(pruned.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
    const again = await run({ replace: 'true' });
    expect(again.outputs).toMatchObject({ uploaded: 'false', 'is-active': 'true' });
  });

  test('an answer that is lost is settled by a look', async () => {
    emulator.fault({ on: 'patch', do: { kind: 'reset' }, actFirst: true });
    const result = await run({ replace: 'true' });
    expect(result.exitCode).toBe(0);
    expect(kinds().filter((kind) => kind === 'patch')).toHaveLength(1);
  });
});

describe('dates', () => {
  test('a certificate that expires sooner than the one in use: a warning', async () => {
    emulator.addConnector({
      id: GLOBAL.connectorId,
      displayName: 'Later',
      authentication: { type: 'certificates', certificates: [entry(OLD, 800)] },
    });
    const result = await run();
    expect(result.exitCode).toBe(0);
    expect(titles(result)).toEqual(['warning API connector']);
    expect(result.annotations[0]?.message).toMatch(/sooner than one that the API connector Later has now/);
  });

  test('on the connector but not in use: explained, and force uploads it again', async () => {
    await run();
    const known = emulator.connectors.get(GLOBAL.connectorId)?.authentication;
    if (known?.type !== 'certificates') throw new Error('no certificates');
    emulator.addConnector({
      id: GLOBAL.connectorId,
      authentication: { type: 'certificates', certificates: [...known.certificates, entry(OLD, 100)] },
    });
    const left = await run();
    expect(left.exitCode).toBe(0);
    expect(left.outputs).toMatchObject({ uploaded: 'false', 'is-active': 'false' });
    expect(left.annotations[0]?.message).toMatch(/has this certificate already, but does not use it/);
    const forced = await run({ force: 'true' });
    expect(forced.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
  });
});

describe('verify-target', () => {
  const presented = ({ socket }: Parameters<RequestListener>[0]): string => {
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    return certificate?.fingerprint.replaceAll(':', '') ?? '';
  };

  test('the API takes the certificate: it is presented by a HEAD without any token, then uploaded', async () => {
    const seen: unknown[] = [];
    await emulator.addHost(HOST, (request, response) => {
      seen.push({
        method: request.method,
        userAgent: request.headers['user-agent'],
        authorization: request.headers.authorization,
        thumbprint: presented(request),
      });
      response.writeHead(presented(request) === '' ? 401 : 204).end();
    });
    const result = await run({ 'verify-target': 'true' }, true);
    expect(titles(result)).toEqual([]);
    expect(result.outputs['uploaded']).toBe('true');
    // Without the page of the run.
    const userAgent = expect.stringMatching(/^upload-api-connector-certificate\/[\d.]+$/);
    expect(seen).toEqual([
      { method: 'HEAD', userAgent, authorization: undefined, thumbprint: certificate.thumbprint },
      { method: 'HEAD', userAgent, authorization: undefined, thumbprint: '' },
    ]);
  });

  test.each([401, 403, 495, 496])('the API answers %s: stop, nothing uploaded', async (status) => {
    await emulator.addHost(HOST, (_, response) => response.writeHead(status).end());
    const result = await run({ 'verify-target': 'true' });
    expect(titles(result)).toEqual(['error TARGET_REFUSES_CERTIFICATE']);
    expect(result.annotations[0]?.message).toContain(`HTTP ${status}`);
    expect(kinds()).toEqual(['id-token', 'token', 'get']);
  });

  test("nginx's 400 for certificates: stop; any other 400: not about the certificate", async () => {
    await emulator.addHost(HOST, (_, response) => {
      response
        .writeHead(400, { 'content-type': 'text/html' })
        .end('<html><head><title>400 The SSL certificate error</title></head></html>');
    });
    expect(titles(await run({ 'verify-target': 'true' }))).toEqual(['error TARGET_REFUSES_CERTIFICATE']);
    await emulator.addHost(HOST, (request, response) =>
      response.writeHead(presented(request) === '' ? 401 : 400).end('{"error":"no body"}'),
    );
    expect(titles(await run({ 'verify-target': 'true' }))).toEqual([]);
  });

  test('the API closes the connection once it has seen the certificate: stop', async () => {
    await emulator.addHost(HOST, (request) => request.socket.destroy());
    const result = await run({ 'verify-target': 'true' });
    expect(titles(result)).toEqual(['error TARGET_REFUSES_CERTIFICATE']);
    expect(kinds()).not.toContain('upload');
  });

  test('the API answers the same without a certificate: said, and uploaded', async () => {
    await emulator.addHost(HOST, (_, response) => response.writeHead(200).end());
    const result = await run({ 'verify-target': 'true' });
    expect(titles(result)).toEqual(['warning API connector']);
    expect(result.annotations[0]?.message).toContain('does not seem to check client certificates');
    expect(result.outputs['uploaded']).toBe('true');
  });

  test('the API answers 404 with it and 403 without: the code behind may not have looked, said, and uploaded', async () => {
    await emulator.addHost(HOST, (request, response) =>
      response.writeHead(presented(request) === '' ? 403 : 404).end(),
    );
    const result = await run({ 'verify-target': 'true' });
    expect(titles(result)).toEqual(['warning API connector']);
    expect(result.annotations[0]?.message).toContain('Let the API answer HEAD');
    expect(result.outputs['uploaded']).toBe('true');
  });

  test.each([502, 503, 504])(
    'the API answers %s: it is not up, so nothing is known and nothing uploaded',
    async (status) => {
      await emulator.addHost(HOST, (_, response) => response.writeHead(status).end());
      const result = await run({ 'verify-target': 'true' });
      expect(titles(result)).toEqual(['error TARGET_UNREACHABLE']);
      expect(result.annotations[0]?.message).toContain(`HTTP ${status}: the API is not up`);
      expect(kinds()).not.toContain('upload');
    },
  );

  test('verify-wait: the API is asked again until it trusts the certificate, over new connections', async () => {
    let connections = 0;
    const answers = [401];
    await emulator.addHost(HOST, (request, response) => {
      if (presented(request) === '') return response.writeHead(401).end();
      connections++;
      return response.writeHead(answers.shift() ?? 204).end();
    });
    const result = await run({ 'verify-target': 'true', 'verify-wait': '1' });
    expect(titles(result)).toEqual([]);
    expect(result.outputs['uploaded']).toBe('true');
    expect(connections).toBe(2);
    expect(result.log).toMatch(/rejected the new certificate: HTTP 401.* It is asked again for up to 60 s/);
  });

  test.each(['31', 'ten', '-1'])('verify-wait: %s is refused before any request', async (value) => {
    const result = await run({ 'verify-target': 'true', 'verify-wait': value });
    expect(titles(result)).toEqual(['error INPUT_INVALID']);
    expect(emulator.connects).toEqual([]);
  });

  test('keys in the target URL are used, and not shown', async () => {
    const targetUrl = `https://user:throw-away-1@${HOST}/endpoint?code=throw-away-2#throw-away-3`;
    emulator.addConnector({ id: GLOBAL.connectorId, targetUrl });
    const asked: (string | undefined)[] = [];
    await emulator.addHost(HOST, (request, response) => {
      asked.push(request.url);
      response.writeHead(403).end();
    });
    const result = await run({ 'verify-target': 'true' });
    expect(titles(result)).toEqual(['error TARGET_REFUSES_CERTIFICATE']);
    expect(asked).toEqual(['/endpoint?code=throw-away-2']);
    expectNoLeak(result, ['throw-away-1', 'throw-away-2', 'throw-away-3']);
    expect(result.outputs['connectors']).toContain(`"https://${HOST}/endpoint?…"`);
  });

  test('an API that cannot be reached: stop, nothing uploaded', async () => {
    const result = await run({ 'verify-target': 'true' });
    expect(titles(result)).toEqual(['error TARGET_UNREACHABLE']);
    expect(kinds()).not.toContain('upload');
  });
});

describe('what the API has to trust', () => {
  const trusted = ({ outputs }: RunResult): string | undefined => outputs['trusted-thumbprints'];

  test('is known before anything is changed: in a dry run, and when the target rejects the certificate', async () => {
    emulator.addConnector({
      id: GLOBAL.connectorId,
      displayName: 'Verify sign-up',
      authentication: { type: 'certificates', certificates: [entry('a0'.repeat(20), 10)] },
    });
    const both = ['A0'.repeat(20), certificate.thumbprint].sort().join(',');
    const dry = await run({ 'dry-run': 'true' });
    expect(trusted(dry)).toBe(both);
    expect(dry.outputs['certificate']).toBe(certificate.certificatePem.trim() + '\n');
    expect(dry.summary).toMatch(new RegExp(`${'A0'.repeat(20)}</code> \\| \\d{4}-\\d\\d-.* by Verify sign-up`));
    await emulator.addHost(HOST, (_, response) => response.writeHead(403).end());
    const rejected = await run({ 'verify-target': 'true' });
    expect([titles(rejected), trusted(rejected)]).toEqual([['error TARGET_REFUSES_CERTIFICATE'], both]);
    expect(kinds()).not.toContain('upload');
  });

  test('a certificate that a connector has and that is not valid yet: it will be presented later', async () => {
    const next = { ...entry('B'.repeat(40), 400), notBefore: seconds(new Date(Date.now() + 5 * DAY)) };
    emulator.addConnector({
      id: GLOBAL.connectorId,
      displayName: 'Verify sign-up',
      authentication: { type: 'certificates', certificates: [next, entry(OLD, 10)] },
    });
    const result = await run({ 'dry-run': 'true' });
    expect(trusted(result)).toBe([OLD, 'B'.repeat(40), certificate.thumbprint].sort().join(','));
    expect(result.summary).toMatch(new RegExp(`${'B'.repeat(40)}</code> .* will be used by Verify sign-up`));
  });

  test('every connector is read before the first is changed', async () => {
    emulator.addConnector({ id: 'second', authentication: { type: 'certificates', certificates: [entry(OLD, 10)] } });
    const result = await run({ 'connector-id': `${GLOBAL.connectorId}\nsecond` });
    expect(kinds()).toEqual(['id-token', 'token', 'get', 'get', 'upload', 'upload']);
    expect(trusted(result)).toBe([OLD, certificate.thumbprint].sort().join(','));
  });

  test('is set without a connector that the tenant no longer has', async () => {
    const result = await run({ 'connector-id': `${GLOBAL.connectorId}\n99999999-8888-4777-8666-555555555555` });
    expect(titles(result)).toEqual(['error CONNECTOR_NOT_FOUND']);
    expect(trusted(result)).toContain(certificate.thumbprint);
  });

  test('is not set if a connector could not be read; the others are updated all the same', async () => {
    const result = await run({ 'connector-id': `${GLOBAL.connectorId}\nmissing` });
    expect(titles(result)).toEqual(['error CONNECTOR_NOT_FOUND']);
    expect([result.outputs['uploaded'], trusted(result)]).toEqual(['true', undefined]);
    expect(result.log).toContain('trusted-thumbprints is not set');
    expect(result.summary).toContain('Take no certificate away there');
    expect(result.summary).not.toContain('take all others away');
  });
});

test('a dry run asks the target too, changes nothing, and says what would be done', async () => {
  await emulator.addHost(HOST, (_, response) => response.writeHead(403).end());
  const refused = await run({ 'verify-target': 'true', 'dry-run': 'true' });
  expect(titles(refused)).toEqual(['error TARGET_REFUSES_CERTIFICATE']);
  const dry = await run({ 'dry-run': 'true' });
  expect(dry.summary).toContain('1 connector would be updated (dry run)');
  expect(kinds()).not.toContain('upload');
});

test('the timeline shows old and new', async () => {
  emulator.addConnector({
    id: GLOBAL.connectorId,
    displayName: 'A: b; c',
    authentication: { type: 'certificates', certificates: [entry(OLD, 10)] },
  });
  const { summary } = await run();
  const chart = /```mermaid\n([\s\S]*?)\n```/.exec(summary)?.[1]?.split('\n');
  expect(chart?.slice(0, 4)).toEqual(['gantt', '  dateFormat YYYY-MM-DD', '  axisFormat %Y-%m', '  section A  b  c']);
  expect(chart?.[4]).toMatch(
    new RegExp(
      `^ {2}(AAAAAAAA|${certificate.thumbprint.slice(0, 8)} active) :(active, )?\\d{4}-\\d\\d-\\d\\d, \\d{4}-\\d\\d-\\d\\d$`,
    ),
  );
  expect(chart).toHaveLength(6);
});
