/** The upload step as the runner runs it, against the emulator: what a person sees, and what went over the wire. */
import { createPrivateKey } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { clientCertificate, type ClientCertificate } from '../../emulator/certificates.ts';
import { CHINA, Emulator, GLOBAL } from '../../emulator/emulator.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { expectNoLeak, iso, runStep, type StepOptions } from './step.ts';

const PASSWORD = 'throw-away: "quotes", blanks & more ';
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let emulator: Emulator;
let certificate: ClientCertificate;
let pfx: string;

beforeAll(async () => {
  certificate = await clientCertificate();
  pfx = pfxOf(certificate, PASSWORD).toString('base64');
});
beforeEach(async () => {
  emulator = await Emulator.start();
});
afterEach(async () => {
  await emulator.stop();
});

async function run(changes: Record<string, string> = {}, options: StepOptions = {}): Promise<RunResult> {
  const result = await runStep(emulator, { pfx, password: PASSWORD, ...changes }, options);
  // Nothing left on disk, in any scenario.
  expect(result.filesLeft).toEqual([]);
  return result;
}

function requests(): string[] {
  return emulator.requests.map(({ method, host, path }) => `${method} ${host}${path.split('?')[0] ?? ''}`);
}

/** The connector has this certificate. */
function hold({ thumbprint, notBefore, notAfter }: ClientCertificate): void {
  const seconds = { notBefore: notBefore.getTime() / 1000, notAfter: notAfter.getTime() / 1000 };
  const authentication = { type: 'certificates' as const, certificates: [{ thumbprint, ...seconds }] };
  emulator.addConnector({ id: GLOBAL.connectorId, displayName: 'Verify sign-up', authentication });
}

describe('a certificate is uploaded', () => {
  test('outputs, connector, and the four requests with what each must carry', async () => {
    const result = await run({}, { bundle: true });

    expect(result.annotations).toEqual([]);
    expect(result.exitCode).toBe(0);
    const { connectors, ...outputs } = result.outputs;
    expect(outputs).toEqual({
      thumbprint: certificate.thumbprint,
      certificate: `${certificate.certificatePem.trim()}\n`,
      'trusted-thumbprints': certificate.thumbprint,
      'not-before': iso(certificate.notBefore),
      'not-after': iso(certificate.notAfter),
      'is-active': 'true',
      uploaded: 'true',
    });
    const seconds = {
      notBefore: certificate.notBefore.getTime() / 1000,
      notAfter: certificate.notAfter.getTime() / 1000,
    };
    expect(JSON.parse(connectors ?? '')).toEqual([
      {
        id: GLOBAL.connectorId,
        displayName: 'Verify sign-up',
        targetUrl: 'https://api.contoso.com/endpoint',
        uploaded: true,
        isActive: true,
        thumbprint: certificate.thumbprint,
        ...seconds,
        certificates: [{ thumbprint: certificate.thumbprint, ...seconds, isActive: true }],
      },
    ]);
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);

    const connector = `/v1.0/identity/apiConnectors/${GLOBAL.connectorId}`;
    expect(requests().slice(1)).toEqual([
      `POST login.microsoftonline.com/${GLOBAL.tenantId}/oauth2/v2.0/token`,
      `GET graph.microsoft.com${connector}`,
      `POST graph.microsoft.com${connector}/uploadClientCertificate`,
    ]);
    // A connection each, made once: the last two share theirs.
    expect(emulator.connects.map(({ host }) => host).sort()).toEqual([
      'graph.microsoft.com',
      'login.microsoftonline.com',
      'pipelines.actions.githubusercontent.com',
    ]);
    const [idToken, , get, upload] = emulator.requests;
    expect(idToken?.path).toContain('&audience=api%3A%2F%2FAzureADTokenExchange');
    // Always written again: the emulator opens it, and finds this certificate.
    const pkcs12Value = expect.stringMatching(/^MI[A-Za-z0-9+/]+=*$/);
    expect(JSON.parse(upload?.body ?? '')).toEqual({ pkcs12Value, password: PASSWORD });
    expect(upload?.body).not.toContain(pfx);
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
    expect(upload?.headers['content-type']).toBe('application/json');
    expect(get?.headers['client-request-id']).toMatch(GUID);
    expect(upload?.headers['client-request-id']).toMatch(GUID);
    expect(upload?.headers['client-request-id']).not.toBe(get?.headers['client-request-id']);
    expect(emulator.refusedConnects).toEqual([]);
  });

  test('the log and the summary say what happened', async () => {
    const result = await run();
    expect(result.log).toContain(
      `Certificate ${certificate.thumbprint}, CN=api-connector: RSA 2048, valid from ${iso(certificate.notBefore)}`,
    );
    expect(result.log).toContain('API connector Verify sign-up: uploaded; the connector uses this certificate now.');
    expect(result.summary).toContain('✅ 1 connector updated.');
    expect(result.summary).toContain('| Verify sign-up | no active certificate → certificate until ');
    expect(result.summary).toContain(
      `| **<code>${certificate.thumbprint}</code>** | **${iso(certificate.notBefore)}** | **${iso(certificate.notAfter)}** | **364 days left, active** |`,
    );
  });

  test('no password: the request has an empty one all the same', async () => {
    const result = await run({ pfx: pfxOf(certificate, '').toString('base64'), password: '' });
    expect(result.outputs['uploaded']).toBe('true');
    expect(JSON.parse(emulator.requests.at(-1)?.body ?? '')).toMatchObject({ password: '' });
  });

  test('an AES-256 file, which the service rejects, is written again', async () => {
    const result = await run({ pfx: pfxOf(certificate, PASSWORD, 'aes256').toString('base64') });
    expect(result.exitCode).toBe(0);
    expect(result.log).toContain('Written again as TripleDES-SHA1, which the service accepts (it was AES-256)');
    const sent = (JSON.parse(emulator.requests.at(-1)?.body ?? '') as { pkcs12Value: string }).pkcs12Value;
    expectNoLeak(result, [sent]);
  });

  test('as PEM with an encrypted key: its secrets are masked line by line', async () => {
    const passphrase = 'throw-away of the PEM';
    const key = createPrivateKey(certificate.keyPem);
    const encrypted = key.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString();
    const result = await run({ pfx: `${certificate.certificatePem}\n${encrypted}`, password: passphrase });
    expect(result.outputs).toMatchObject({ thumbprint: certificate.thumbprint, uploaded: 'true' });
    expect(result.log).toContain('Written again as TripleDES-SHA1, which the service accepts (it was PEM)');
    const plain = key.export({ type: 'pkcs8', format: 'pem' }).toString().trim().split('\n').slice(1, -1);
    expect(result.masks).toEqual(expect.arrayContaining(plain.filter((line) => line.length >= 16)));
    expect(result.masks).toContain(plain.join(''));
    expectNoLeak(result, [...plain, plain.join('')]);
  });

  test.each([
    ['line breaks spelled out', '\\n'],
    ['blanks instead of line breaks', ' '],
  ])('as PEM on one line, with %s: the key is masked line by line, and no output is lost', async (_, between) => {
    const pem = `${certificate.certificatePem}\n${certificate.keyPem}`.trim().replaceAll('\n', between);
    const result = await run({ pfx: pem, password: '' });
    expect(result.outputs).toMatchObject({ thumbprint: certificate.thumbprint, uploaded: 'true' });
    const lines = certificate.keyPem.trim().split('\n').slice(1, -1);
    // The first of them all, before the file has been read: masked where it came in.
    const before = result.rawStdout.split('::group::', 1)[0] ?? '';
    const shared = certificate.certificatePem.split('\n');
    const own = lines.filter((line) => line.length >= 16 && !shared.includes(line));
    expect(own.filter((line) => !before.includes(`::add-mask::${line}\n`))).toEqual([]);
    expect(result.masks.filter((mask) => (result.outputs['certificate'] ?? '').includes(mask))).toEqual([]);
  });

  test('as Windows writes it: a BOM, CRLF, and as long as an input may be there', async () => {
    const lines = `\ufeff${pfx.replace(/.{64}/g, '$&\r\n')}`.split('\r\n');
    const [first = '', ...rest] = lines;
    const text = (blank: number): string => [first, ' '.repeat(blank), ...rest].join('\r\n');
    const longest = text(32_766 - text(0).length);
    expect(longest).toHaveLength(32_766);
    expect((await run({ pfx: longest }, { bundle: true })).outputs['uploaded']).toBe('true');
  });

  test('from a file with backslashes and blanks in its path', async () => {
    const path = 'certs\\my new cert.pfx';
    const files = { [path]: pfxOf(certificate, PASSWORD) };
    const result = await runStep(emulator, { 'pfx-file': path, password: PASSWORD }, { files });
    expect(result.outputs['uploaded']).toBe('true');
  });

  test('from a file on the runner', async () => {
    const files = { 'my cert.pfx': pfxOf(certificate, PASSWORD) };
    const result = await runStep(emulator, { 'pfx-file': 'my cert.pfx', password: PASSWORD }, { files, bundle: true });
    expect(result.outputs['thumbprint']).toBe(certificate.thumbprint);
    expect(result.outputs['uploaded']).toBe('true');
  });

  test('China: login host, Graph root, scope and audience change together', async () => {
    const result = await run({
      cloud: 'china',
      'tenant-id': CHINA.tenantId,
      'client-id': CHINA.clientId,
      'connector-id': CHINA.connectorId,
    });
    expect(result.exitCode).toBe(0);
    expect(new Set(emulator.connects.map(({ host }) => host).slice(1))).toEqual(
      new Set(['login.partner.microsoftonline.cn', 'microsoftgraph.chinacloudapi.cn']),
    );
    expect(emulator.requests[0]?.path).toContain('&audience=api%3A%2F%2FAzureADTokenExchangeChina');
    expect(new URLSearchParams(emulator.requests[1]?.body).get('scope')).toContain(
      'https://microsoftgraph.chinacloudapi.cn/.default',
    );
  });

  test('a tenant named by its domain; an audience of its own', async () => {
    emulator.registerApp({
      federatedCredentials: [
        {
          issuer: 'https://token.actions.githubusercontent.com',
          subject: 'repo:octo-org/octo-repo:environment:production',
          audience: 'api://ours',
        },
      ],
    });
    const result = await run({ 'tenant-id': GLOBAL.tenantDomain, audience: 'api://ours' });
    expect(result.outputs['uploaded']).toBe('true');
  });

  test('one that starts in the future is uploaded next to one that is active, and both dates are named', async () => {
    const future = await clientCertificate({ notBefore: new Date(Date.now() + 5 * 86_400_000) });
    const active = await clientCertificate({ notAfter: new Date(Date.now() + 3 * 86_400_000) });
    hold(active);
    const result = await run({ pfx: pfxOf(future, PASSWORD).toString('base64') });
    expect(result.annotations.map(({ message }) => message).join('\n')).toContain(
      `uses the new certificate from ${iso(future.notBefore)} only, when that becomes valid; the one that it uses now expires on ${iso(active.notAfter)}. From ${iso(active.notAfter)} to ${iso(future.notBefore)} it has no valid certificate`,
    );
    expect(result.exitCode).toBe(0);
    expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'false' });
    expect(result.log).toContain(`the service will use it from ${iso(future.notBefore)}`);
  });

  test.each([
    ['an upload to a connector without an active certificate', {}, false],
    ['replace, which would take the active one away', { replace: 'true' }, true],
  ])('one that starts in the future is refused for %s', async (_what, inputs, held) => {
    const future = await clientCertificate({ notBefore: new Date(Date.now() + 5 * 86_400_000) });
    if (held) hold(certificate);
    const before = emulator.certificates(GLOBAL.connectorId);
    const result = await run({ pfx: pfxOf(future, PASSWORD).toString('base64'), ...inputs });
    expect(result.annotations.find(({ level }) => level === 'error')?.title).toBe('CERTIFICATE_NOT_YET_VALID');
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual(before);
  });

  test('its own entry is found by thumbprint among many, whatever their order', async () => {
    const others = Array.from({ length: 7 }, (_, i) => ({
      thumbprint: `${i}`.repeat(40),
      notBefore: 1_600_000_000,
      notAfter: 1_700_000_000 + i,
    }));
    emulator.addConnector({ id: GLOBAL.connectorId, authentication: { type: 'certificates', certificates: others } });
    const result = await run();
    expect(result.outputs).toMatchObject({
      thumbprint: certificate.thumbprint,
      'not-after': iso(certificate.notAfter),
      'is-active': 'true',
    });
  });
});

describe('nothing is uploaded', () => {
  test('where the certificate is active already', async () => {
    await run();
    const result = await run();
    expect(result.exitCode).toBe(0);
    expect(result.outputs).toMatchObject({ uploaded: 'false', 'is-active': 'true' });
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
  });

  test('unless force says so', async () => {
    await run();
    const result = await run({ force: 'true' });
    expect(result.outputs['uploaded']).toBe('true');
    expect(emulator.certificates(GLOBAL.connectorId)).toHaveLength(2);
  });

  test('on a dry run', async () => {
    const result = await run({ 'dry-run': 'true' });
    expect(result.exitCode).toBe(0);
    expect(result.outputs).toMatchObject({
      uploaded: 'false',
      'is-active': 'false',
      thumbprint: certificate.thumbprint,
    });
    expect(result.log).toContain('dry run');
    expect(emulator.requests.map(({ kind }) => kind)).toEqual(['id-token', 'token', 'get']);
  });

  test('to a connector on basic authentication', async () => {
    emulator.addConnector({
      id: GLOBAL.connectorId,
      authentication: { type: 'basic', username: 'user', password: 'throw-away' },
    });
    const result = await run();
    expect(result.exitCode).toBe(1);
    expect(result.annotations).toEqual([
      expect.objectContaining({ level: 'error', title: 'CONNECTOR_USES_BASIC_AUTHENTICATION' }),
    ]);
    expect(emulator.requests.map(({ kind }) => kind)).toEqual(['id-token', 'token', 'get']);
  });
});

describe('several connectors', () => {
  test('one that fails does not stop the others; the step ends red and tells which did what', async () => {
    emulator.addConnector({ id: 'second', displayName: 'Second' });
    const result = await run(
      { 'connector-id': `# ours\n${GLOBAL.connectorId}\n\n  missing  \nsecond\nsecond` },
      { bundle: true },
    );
    expect(result.exitCode).toBe(1);
    expect(result.annotations.map(({ level, title }) => `${level} ${title}`)).toEqual(['error CONNECTOR_NOT_FOUND']);
    const connectors = JSON.parse(result.outputs['connectors'] ?? '') as {
      id: string;
      uploaded: boolean;
      failure?: string;
    }[];
    expect(connectors.map(({ id, uploaded, failure }) => [id, uploaded, failure])).toEqual([
      [GLOBAL.connectorId, true, undefined],
      ['missing', false, 'CONNECTOR_NOT_FOUND'],
      ['second', true, undefined],
    ]);
    expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'false' });
  });
});

describe('inputs are refused before any request', () => {
  test.each<[string, Record<string, string>, string, RegExp]>([
    ['tenant-id missing', { 'tenant-id': '' }, 'INPUT_MISSING', /"tenant-id".*[\s\S]*GUID/],
    [
      'tenant-id of another shape',
      { 'tenant-id': 'my tenant' },
      'INPUT_INVALID',
      /"tenant-id" is "my tenant"[\s\S]*GUID/,
    ],
    ['tenant-id "common"', { 'tenant-id': 'common' }, 'INPUT_INVALID', /"tenant-id"/],
    ['client-id missing', { 'client-id': '' }, 'INPUT_MISSING', /"client-id"/],
    ['client-id cut short', { 'client-id': 'aaaaaaaa-bbbb-4ccc-8ddd' }, 'INPUT_INVALID', /"client-id"[\s\S]*GUID/],
    ['connector-id missing', { 'connector-id': '' }, 'INPUT_MISSING', /"connector-id"/],
    ['connector-id of comments only', { 'connector-id': '# none\n\n' }, 'INPUT_MISSING', /"connector-id"/],
    ['connector-id ..', { 'connector-id': '..' }, 'INPUT_INVALID', /"connector-id"/],
    [
      'connector-id with a comma',
      { 'connector-id': `${GLOBAL.connectorId},b` },
      'INPUT_INVALID',
      /"connector-id" has a comma in it/,
    ],
    ['connector-id with what nobody sees', { 'connector-id': 'a\u200bb' }, 'INPUT_INVALID', /\(U\+200B\) in it/],
    [
      'connector-id with a comment',
      { 'connector-id': `${GLOBAL.connectorId} # ours` },
      'INPUT_INVALID',
      /has a comment behind an ID/,
    ],
    ['verify-wait alone', { 'verify-wait': '5' }, 'INPUT_INVALID', /"verify-target" is not true/],
    ['key-vault-client-id', { 'key-vault-client-id': 'my app' }, 'INPUT_INVALID', /"key-vault-client-id" is "my app"/],
    ['neither pfx nor pfx-file', { pfx: '' }, 'INPUT_MISSING', /"pfx", "pfx-file" and "key-vault-certificate"/],
    ['both pfx and pfx-file', { 'pfx-file': 'a.pfx' }, 'INPUT_INVALID', /The inputs "pfx" and "pfx-file"/],
    [
      'pfx-file that is not there',
      { pfx: '', 'pfx-file': 'a.pfx' },
      'PFX_FILE_UNREADABLE',
      /"pfx-file" names "a.pfx", which does not exist/,
    ],
    ['pfx-file that is a directory', { pfx: '', 'pfx-file': '.' }, 'PFX_FILE_UNREADABLE', /is a directory/],
    ['cloud us-gov-l4', { cloud: 'us-gov-l4' }, 'CLOUD_UNSUPPORTED', /US Government L4/],
    ['cloud us-gov-l5', { cloud: 'us-gov-l5' }, 'CLOUD_UNSUPPORTED', /US Government L5/],
    ['cloud unknown', { cloud: 'mars' }, 'CLOUD_UNKNOWN', /"mars"[\s\S]*global/],
    [
      'minimum-days-left in words',
      { 'minimum-days-left': 'ten' },
      'INPUT_INVALID',
      /"minimum-days-left" is "ten"[\s\S]*whole number/,
    ],
    ['force maybe', { force: 'maybe' }, 'INPUT_INVALID', /"force" is "maybe"[\s\S]*true or false/],
    ['dry-run 1', { 'dry-run': '1' }, 'INPUT_INVALID', /"dry-run"/],
    ['audience over two lines', { audience: 'api://a\napi://b' }, 'INPUT_INVALID', /"audience"/],
    ['a wrong password', { password: 'throw-away, and wrong' }, 'PFX_WRONG_PASSWORD', /password/],
    ['text that is not base64', { pfx: 'not base64!' }, 'PFX_NOT_BASE64', /base64/],
    ['a certificate that ends too soon', { 'minimum-days-left': '400' }, 'CERTIFICATE_EXPIRES_TOO_SOON', /400/],
  ])('%s', async (_, changes, code, message) => {
    const result = await run(changes);
    expect(result.exitCode).toBe(1);
    expect(result.annotations.map(({ level, title }) => `${level} ${title}`)).toEqual([`error ${code}`]);
    expect(result.annotations[0]?.message).toMatch(message);
    expect(emulator.connects).toEqual([]);
  });

  test('a file handed over as its own path is not shown', async () => {
    const result = await run({ pfx: '', 'pfx-file': pfx });
    expect(result.annotations[0]).toMatchObject({ title: 'INPUT_INVALID' });
    expectNoLeak(result, [pfx, pfx.slice(0, 60)]);
  });

  test('no id-token permission', async () => {
    const result = await run(
      {},
      { env: { ACTIONS_ID_TOKEN_REQUEST_URL: undefined, ACTIONS_ID_TOKEN_REQUEST_TOKEN: undefined } },
    );
    expect(result.annotations[0]).toMatchObject({ title: 'ID_TOKEN_UNAVAILABLE' });
    expect(result.annotations[0]?.message).toContain('id-token: write');
    expect(emulator.connects).toEqual([]);
  });
});

describe('masks', () => {
  test('whole secrets and each line of them; never an id or a thumbprint', async () => {
    const wrapped = pfx.replace(/.{76}/g, '$&\n');
    const result = await run({ pfx: wrapped }, { bundle: true });
    expect(result.exitCode).toBe(0);
    const ends = wrapped.split('\n').filter((line) => line.length >= 16);
    expect([...ends, pfx, PASSWORD, ...emulator.secrets()].filter((secret) => !result.masks.includes(secret))).toEqual(
      [],
    );
    for (const open of [GLOBAL.tenantId, GLOBAL.clientId, GLOBAL.connectorId, certificate.thumbprint]) {
      expect(result.masks.filter((mask) => open.includes(mask))).toEqual([]);
    }
  });

  test('a password of three letters is not masked, and the step says why', async () => {
    const result = await run({ pfx: pfxOf(certificate, 'abc').toString('base64'), password: 'abc' });
    expect(result.masks).not.toContain('abc');
    expect(result.annotations).toEqual([expect.objectContaining({ level: 'warning', title: 'Short password' })]);
  });
});

describe('refusals of the services', () => {
  test('a missing permission: which the token has, which it needs', async () => {
    emulator.registerApp({ roles: ['User.Read.All'] });
    const result = await run();
    expect(result.annotations[0]).toMatchObject({ level: 'error', title: 'GRAPH_FORBIDDEN' });
    expect(result.annotations[0]?.message).toMatch(
      /carries User\.Read\.All\. The step needs APIConnectors\.ReadWrite\.All/,
    );
  });
});

describe('lost answers', () => {
  test('an upload whose answer is lost is found by a look, and not sent again', async () => {
    emulator.fault({ on: 'upload', do: { kind: 'reset' }, actFirst: true });
    const result = await run({}, { bundle: true });
    expect(result.exitCode).toBe(0);
    expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
  });

  test('an upload that was throttled is sent again', async () => {
    emulator.fault({ on: 'upload', do: { kind: 'status', status: 429, headers: { 'retry-after': '1' }, body: {} } });
    const result = await run();
    expect(result.exitCode).toBe(0);
    expect(emulator.certificates(GLOBAL.connectorId)).toEqual([certificate.thumbprint]);
  });
});
