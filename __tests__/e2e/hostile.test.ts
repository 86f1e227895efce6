/** Services that send what they should not: none of it becomes a command, an output, markup or another request. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { clientCertificate, type ClientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import { refusal } from '../../emulator/entra.ts';
import { graphError } from '../../emulator/graph.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import type { RunResult } from '../../emulator/runner.ts';
import type { Answer, RequestKind } from '../../emulator/service.ts';
import { FAILURE_CODES } from '../../src/failure.ts';
import { PASSWORD, runStep, type StepOptions } from './step.ts';

const OUTPUTS = [
  'certificate',
  'connectors',
  'is-active',
  'not-after',
  'not-before',
  'thumbprint',
  'trusted-thumbprints',
  'uploaded',
];

/** Everything at once that the runner, a terminal or GitHub's Markdown would act on. */
const HOSTILE = [
  'name',
  '::set-output name=stolen::yes',
  '::add-mask::the',
  '::error title=FORGED::forged',
  '::stop-commands::forever',
  '##[error]forged ##[add-path]/tmp #\u200b#[warning]x ##\u001b[0m[group]x',
  '%0A::warning::forged%0D%0A',
  '\u001b[31mred\u001b[0m \u001b]8;;https://evil.example\u0007link\u001b]8;;\u0007 \u009b2J',
  '\u202egnp.exe\u2066\u2028::warning::forged\u2029\u0085\u000b::notice::forged',
  '| cell | <img src="https://evil.example/x" onerror="x"> <!-- </code></details>',
  '`code` [link](https://evil.example) @octocat www.evil.example #1 \\',
  'EOF ghadelimiter_',
].join('\n');

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

/** A run, of which nothing may be the server's doing but words in a message. */
async function run(changes: Record<string, string> = {}, options: StepOptions = {}): Promise<RunResult> {
  const result = await runStep(emulator, { pfx, ...changes }, options);
  expectOnlyOwnCommands(result);
  expectOnlyOwnMarkup(result.summary);
  expect(Object.keys(result.outputs).sort()).toEqual(OUTPUTS.filter((name) => name in result.outputs));
  expect([result.env, result.state, result.filesLeft]).toEqual([{}, {}, []]);
  expect(result.stderr).toBe('');
  const errors = result.annotations.filter(({ level }) => level === 'error');
  expect(result.exitCode).toBe(errors.length === 0 ? 0 : 1);
  for (const { title } of errors) expect(FAILURE_CODES).toContain(title);
  expect(emulator.refusedConnects).toEqual([]);
  return result;
}

function expectOnlyOwnCommands({ rawStdout, masks }: RunResult): void {
  const foreign = rawStdout
    .split(/[\n\r\u0085\u2028\u2029]/)
    .filter((line) => line.trim().startsWith('::'))
    .filter(
      (line) =>
        !/^::(add-mask|group|endgroup|notice( title=[\w ]+)?|debug|warning( title=[\w ]+)?|error title=[A-Z_0-9]+)::/.test(
          line,
        ),
    );
  expect(foreign).toEqual([]);
  // Only what is wrong, and not all that was printed: a red test is read, too.
  expect(rawStdout.match(/##\[.{0,40}|[^\P{C}\n].{0,40}/gu)).toBeNull();
  expect(masks).not.toContain('the');
}

function expectOnlyOwnMarkup(written: string): void {
  const summary = written
    .replace(
      /<a href="https:\/\/github\.com\/octo-org\/upload-api-connector-certificate\/blob\/v1\/docs\/troubleshooting\.md#[a-z_]+">([A-Z_]+)<\/a>/g,
      '$1',
    )
    // What is to be copied is in a block of its own, and nothing in it ends it.
    .replace(/^(`{3,})text\n[^]*?\n\1$/gm, '');
  const tags = summary.match(/<[^>]*>?/g) ?? [];
  expect(tags.filter((tag) => !/^<(w?br|\/?(code|details|summary))>$/.test(tag))).toEqual([]);
  expect(
    summary.replace(/```mermaid\ngantt\n {2}dateFormat YYYY-MM-DD\n {2}axisFormat %Y-%m\n[\p{L}\p{N} \n:,-]*```/gu, ''),
  ).not.toMatch(/[`@[\]\\]|www\.|https?:\/\/|::/);
  // Each row has the columns of its table's head.
  for (const table of summary.split('\n\n').filter((block) => block.startsWith('|'))) {
    const [head = '', ...rows] = table.split('\n').map((row) => row.replace(/[^|]/g, ''));
    expect(rows).toEqual(rows.map(() => head));
  }
}

/** The connector as it is answered from now on, to a look as to an upload: changed, or written as text. */
function connectorIs(change: (connector: Record<string, unknown>) => object | string): void {
  for (const on of ['get', 'upload'] as const) {
    const rewrite = ({ body, ...answer }: Answer): Answer => ({
      ...answer,
      body: change(body as Record<string, unknown>),
    });
    emulator.fault({ on, do: { kind: 'rewrite', rewrite }, times: Infinity });
  }
}

function answers(on: RequestKind, answer: Answer, times = Infinity): void {
  emulator.fault({ on, do: { kind: 'status', ...answer }, times });
}

/** JSON text of the connector, with one more property in text. */
function withProperty(connector: object, property: string): string {
  return JSON.stringify(connector).replace(/\}$/, `,${property}}`);
}

function only<T>(list: readonly T[]): T {
  expect(list).toHaveLength(1);
  return list[0] as T;
}

/** The connector's own output, parsed. */
function shown(result: RunResult): Record<string, unknown> {
  return only(JSON.parse(result.outputs['connectors'] ?? '') as Record<string, unknown>[]);
}

const DEEP = '['.repeat(10_000) + ']'.repeat(10_000);

/** Bodies with what a test of them is called. */
function titled(...bodies: readonly string[]): readonly (readonly [title: string, body: string])[] {
  return bodies.map((body) => [body.slice(0, 20), body]);
}

describe('a connector', () => {
  test.each<[string, (connector: Record<string, unknown>) => object | string]>([
    ['whose name and target are hostile', (it) => ({ ...it, displayName: HOSTILE, targetUrl: HOSTILE })],
    ['whose target is a URL with a hostile path', (it) => ({ ...it, targetUrl: `https://a.example/${HOSTILE}` })],
    [
      'whose name and target have 100 kB each',
      (it) => ({ ...it, displayName: HOSTILE.repeat(150), targetUrl: `https://a.example/${'|'.repeat(100_000)}` }),
    ],
    ['whose name and target are no texts', (it) => ({ ...it, displayName: { a: [1] }, targetUrl: 7 })],
    ['with __proto__ keys', (it) => withProperty(it, '"__proto__":{"id":"x","uploaded":false},"constructor":1')],
    ['with 10,000 levels of nesting', (it) => withProperty(it, `"more":${DEEP}`)],
    ['with a name that ends in half a character', (it) => withProperty(it, '"displayName":"\\ud83d"')],
  ])('%s', async (_, change) => {
    connectorIs(change);
    const result = await run();
    expect(result.annotations).toEqual([]);
    expect(result.outputs).toMatchObject({ uploaded: 'true', thumbprint: certificate.thumbprint });
    expect(shown(result)['id']).toBe(GLOBAL.connectorId);
    expect(String(shown(result)['displayName']).length).toBeLessThan(400);
    expect(String(shown(result)['targetUrl']).length).toBeLessThan(2100);
  });

  test('with odd entries among its certificates: the right one is found', async () => {
    const odd = [
      null,
      'text',
      7,
      [],
      {},
      { thumbprint: HOSTILE, notBefore: 1, notAfter: 2, isActive: 'true' },
      { thumbprint: null, notBefore: -1e300, notAfter: 1e300, isActive: 1 },
      { thumbprint: 'A'.repeat(100_000), notBefore: 'NaN', notAfter: '∞', isActive: null },
      { thumbprint: 'B', notBefore: '1508670522', notAfter: -62_135_596_801, isActive: false },
      { thumbprint: { __proto__: null }, notBefore: [1], notAfter: {} },
    ];
    connectorIs((it) => {
      const configuration = it['authenticationConfiguration'] as { certificateList: object[] };
      const certificateList = [...odd, ...configuration.certificateList];
      return { ...it, authenticationConfiguration: { ...configuration, certificateList } };
    });
    const result = await run();
    expect(result.annotations).toEqual([]);
    expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
    const certificates = shown(result)['certificates'] as Record<string, unknown>[];
    expect(only(certificates.filter(({ isActive }) => isActive === true))['thumbprint']).toBe(certificate.thumbprint);
  });

  const withMore = (count: number): void => {
    connectorIs((it) => {
      const configuration = it['authenticationConfiguration'] as { certificateList: object[] };
      const certificateList = [...Array.from({ length: count }, () => ({})), ...configuration.certificateList];
      return { ...it, authenticationConfiguration: { ...configuration, certificateList } };
    });
  };

  test('with as many certificates as an answer has room for: none is used, and nothing is uploaded', async () => {
    withMore(100_000);
    const result = await run();
    expect(only(result.annotations)).toMatchObject({
      title: 'LIST_TOO_LONG',
      message: expect.stringMatching(/Microsoft Graph sent 10000\d certificates for .*; at most 1000 are read\./),
    });
    expect(emulator.requests.filter(({ kind }) => kind === 'upload')).toEqual([]);
  });

  test('with as many certificates as are read: outputs and summary keep within their limits', async () => {
    withMore(990);
    const result = await run();
    expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
    expect(result.summary.length).toBeLessThan(1024 * 1024);
    expect(result.outputs['connectors']?.length).toBeLessThan(1024 * 1024);
  });

  test.each(titled('null', '[]', '"text"', '7', '{', '', DEEP, '{"id":7}'))(
    'that is none, but %s: it is asked for again',
    async (_, body) => {
      answers('get', { status: 200, body }, 1);
      expect((await run()).exitCode).toBe(0);
    },
  );

  test('on basic authentication, with a hostile id', async () => {
    emulator.addConnector({
      id: GLOBAL.connectorId,
      authentication: { type: 'basic', username: 'user', password: 'throw-away' },
    });
    connectorIs((it) => ({ ...it, id: HOSTILE, displayName: HOSTILE }));
    const result = await run();
    expect(only(result.annotations).title).toBe('CONNECTOR_USES_BASIC_AUTHENTICATION');
  });

  test.each(['..', '../../users', 'another', HOSTILE, '\ud800'])(
    'that calls itself %j: the certificate goes to the one that was asked for, or nowhere',
    async (id) => {
      emulator.addConnector({ id: 'another' });
      connectorIs((it) => ({ ...it, id }));
      await run();
      const posts = emulator.requests.filter(({ method, service }) => method === 'POST' && service === 'graph');
      for (const { path } of posts) {
        expect(path).toBe(`/v1.0/identity/apiConnectors/${GLOBAL.connectorId}/uploadClientCertificate`);
      }
    },
  );
});

describe('a refusal of Graph', () => {
  test.each<['get' | 'upload', string, object]>([
    ['get', 'hostile throughout', { code: HOSTILE, message: HOSTILE }],
    ['upload', 'hostile throughout', { code: HOSTILE, message: HOSTILE }],
    ['get', 'with hostile ids', { code: 'x', innerError: { 'request-id': HOSTILE, date: HOSTILE } }],
    ['get', 'with ids that are no texts', { code: ['x'], message: {}, innerError: { 'request-id': 7, date: {} } }],
    ['get', 'with a text for ids', { code: 'x', message: 'y', innerError: 'z' }],
    ['get', 'with the code "constructor"', { code: 'constructor', message: 'No.' }],
    ['upload', 'with the code "__proto__"', { code: '__proto__', message: 'No.' }],
    ['get', 'of 500 kB', { code: 'x'.repeat(250_000), message: `${' \n'.repeat(125_000)}x` }],
  ])('of the %s, %s', async (on, _, error) => {
    answers(on, { status: 400, headers: { 'request-id': '##[error]forged' }, body: { error } });
    const result = await run();
    expect(only(result.annotations).title).toBe('GRAPH_REFUSED');
    expect(only(result.annotations).message).toContain('(HTTP 400');
    expect(only(result.annotations).message.length).toBeLessThan(2000);
    expect(shown(result)['failure']).toBe('GRAPH_REFUSED');
  });

  test.each(titled('null', '{"error":null}', '{"error":[[]]}', DEEP, `{"error":${DEEP}}`, '::error::forged'))(
    'that is none, but %s',
    async (_, body) => {
      answers('get', { status: 400, body });
      expect(only((await run()).annotations).title).toBe('GRAPH_REFUSED');
    },
  );

  test('404, and hostile names in the list', async () => {
    answers('list', {
      status: 200,
      body: {
        value: [
          { id: HOSTILE, displayName: HOSTILE },
          { id: 'second', displayName: 'x\n\n:: x' },
        ],
      },
    });
    const result = await run({ 'connector-id': 'missing' });
    const { title, message } = only(result.annotations);
    expect(title).toBe('CONNECTOR_NOT_FOUND');
    // What failed, a heading, one line a connector, and where to read on.
    expect(message.split('\n')).toHaveLength(5);
  });

  test('404 of more connectors than there are annotations, and a list of hostile ids: the log has them, as words', async () => {
    const ids = ['::stop-commands::forever', '::add-mask::the', ' \u00a0::add-mask::the', '##[add-mask]the', HOSTILE];
    answers('list', { status: 200, body: { value: ids.map((id) => ({ id, displayName: `::error::${id}` })) } });
    const missing = Array.from({ length: 9 }, (_, n) => `missing-${n}`);
    const result = await run({ 'connector-id': missing.join('\n') });
    expect(result.rawStdout).toMatch(/^ {2}: :stop-commands::forever/m);
    expect(new Set(result.annotations.map(({ title }) => title))).toEqual(
      new Set(['CONNECTOR_NOT_FOUND', 'MORE_FAILURES']),
    );
  });

  test('that asks to wait for years', async () => {
    answers('get', { ...graphError(429, 'TooManyRequests', 'Wait.'), headers: { 'retry-after': '999999999' } });
    expect(only((await run()).annotations).title).toBe('THROTTLED');
  });
});

describe('a refusal of Entra', () => {
  const body = refusal(53003).body as Record<string, unknown>;

  test.each<[string, Record<string, unknown>]>([
    ['hostile throughout', { error: HOSTILE, error_description: HOSTILE, trace_id: HOSTILE, timestamp: HOSTILE }],
    ['with a hostile code', { error_codes: [HOSTILE], error_description: HOSTILE }],
    ['with an object for a code', { error_codes: [{ toString: null }] }],
    ['with a number too large for a code', { error_codes: [1e300] }],
    ['whose texts are none', { error_description: { a: 1 }, trace_id: [1], timestamp: 7, error_codes: 'x' }],
    ['of 500 kB of blanks', { error_description: `${' '.repeat(500_000)}x` }],
  ])('%s', async (_, changes) => {
    answers('token', { status: 400, body: { ...body, ...changes } });
    const { title, message } = only((await run()).annotations);
    expect(['SIGN_IN_REFUSED', 'CONDITIONAL_ACCESS']).toContain(title);
    expect(message.length).toBeLessThan(2000);
  });

  test('with 10,000 levels of nesting for a code', async () => {
    answers('token', { status: 400, body: JSON.stringify(body).replace('[53003]', `[${DEEP}]`) });
    expect(['SIGN_IN_REFUSED', 'CONDITIONAL_ACCESS']).toContain(only((await run()).annotations).title);
  });

  test('with hostile claims to repeat: no command is made of them', async () => {
    emulator.github.claims = { iss: HOSTILE, sub: `repo:a@1/b@2:${HOSTILE}'; rm -rf ~; '` };
    answers('token', refusal(7002138));
    const { title, message } = only((await run()).annotations);
    expect(title).toBe('FEDERATED_CREDENTIAL_LETTER_CASE');
    expect(message).toContain('No command can be shown');
    expect(message).not.toContain('--parameters');
  });

  test('with claims that a shell would take for a command', async () => {
    const sub = `repo:a@1/b@2:environment:  $(id)\`id\`"'; rm -rf ~; '`;
    emulator.github.claims = { sub };
    answers('token', refusal(7002138));
    const { message } = only((await run()).annotations);
    // The command is pasted into a shell, which has to see one argument where another command was to begin.
    const argument = / --parameters (.+)$/m.exec(message)?.[1] ?? '';
    const parameters = JSON.parse(execFileSync('sh', ['-c', `printf %s ${argument}`], { encoding: 'utf8' })) as object;
    expect(parameters).toMatchObject({ subject: sub });
  });
});

test.each<[string, unknown]>([
  ['of no shape', 'no JWT at all'],
  ['with hostile lines', `${'x'.repeat(40)}\n::set-output name=stolen::yes\n::error title=FORGED::forged`],
  ['of claims that are null', `e30.${Buffer.from('null').toString('base64url')}.sig`],
  ['that is a number', 7],
  ['that is an object', { toString: null }],
])('an ID token %s is asked for again', async (_, value) => {
  answers('id-token', { status: 200, body: { value } }, 1);
  const result = await run();
  expect(result.exitCode).toBe(0);
  expect(result.log).toContain("GitHub's ID token service answered without a token");
});

test.each<[string, unknown]>([
  ['of two lines', 'one\r\nx-injected: two, which is long enough'],
  ['of characters beyond Latin', `→${'x'.repeat(40)}`],
  ['that is an object', { a: 1 }],
  ['that is a number', 7_000_000_000],
  ['that is empty', ''],
])(
  'an access token %s ends in a failure or another try',
  async (_, access_token) => {
    answers('token', { status: 200, body: { token_type: 'Bearer', expires_in: 3599, access_token } }, 1);
    await run();
    for (const { headers } of emulator.requests) expect(headers).not.toHaveProperty('x-injected');
  },
  20_000,
);

describe('an id of the input', () => {
  test('stays one segment of the path, whatever it holds', async () => {
    const ids = ['a/b', '../..', 'a?b=c', 'a#b', '%2e%2e', '%2e%2e%2f', 'a\\b', 'grün→😀', '@me:443', 'a&b=c'];
    for (const id of ids) emulator.addConnector({ id });
    const result = await run({ 'connector-id': ids.join('\n') });
    expect(result.annotations).toEqual([]);
    const asked = emulator.requests.filter(({ service }) => service === 'graph');
    // Several are worked on at a time, so that the order is of no matter.
    expect(asked.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(
      ids
        .flatMap((id) => {
          const path = `/v1.0/identity/apiConnectors/${encodeURIComponent(id)}`;
          return [`GET ${path}`, `POST ${path}/uploadClientCertificate`];
        })
        .sort(),
    );
    expect(ids.map((id) => emulator.certificates(id).length)).toEqual(ids.map(() => 1));
  });

  test('is no markup either, and no command', async () => {
    const result = await run({ 'connector-id': '::error::<img/src=x>|[x](x)##[error]x' });
    expect(only(result.annotations).title).toBe('CONNECTOR_NOT_FOUND');
  });
});

describe('the environment', () => {
  test('MSAL_FORCE_REGION changes no host', async () => {
    const result = await run({}, { env: { MSAL_FORCE_REGION: 'westeurope', REGION_NAME: 'westeurope' }, bundle: true });
    expect(result.exitCode).toBe(0);
    expect(new Set(emulator.connects.map(({ host }) => host).slice(1))).toEqual(
      new Set(['login.microsoftonline.com', 'graph.microsoft.com']),
    );
  });

  test('RUNNER_DEBUG shows nothing that is secret', async () => {
    const result = await run(
      {},
      { env: { RUNNER_DEBUG: '1', NODE_DEBUG: '', MSAL_LOG_LEVEL: 'verbose' }, bundle: true },
    );
    expect(result.exitCode).toBe(0);
  });
});
