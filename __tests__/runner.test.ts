/** The stand-in for GitHub's runner, as the runner's own source has it: what it makes of what a step prints and writes. */
import { describe, expect, test } from '@jest/globals';
import { appendFileSync } from 'node:fs';
import { runAction, type RunOptions, type RunResult } from '../emulator/runner.ts';

/** A step that prints these pieces, and writes this summary. */
async function step(
  pieces: string | readonly string[],
  options: Partial<RunOptions> & { readonly writes?: string } = {},
): Promise<RunResult> {
  const { writes = '', ...others } = options;
  return await runAction({
    with: {},
    start: async ({ env }, { stdout }) => {
      [pieces].flat().forEach(stdout);
      appendFileSync(env['GITHUB_STEP_SUMMARY'] ?? '', writes);
      return await Promise.resolve({ exitCode: 0, signal: null });
    },
    ...others,
  });
}

const log = async (...of: Parameters<typeof step>): Promise<string> => (await step(...of)).log;

describe('lines', () => {
  test.each(['a\nb\nc', 'a\r\nb\r\nc\r\n', 'a\rb\rc'])('%j are three', async (text) => {
    expect(await log(text)).toBe('a\nb\nc');
  });

  test('an end that comes in two pieces is one', async () => {
    expect(await log(['a\r', '\nb', '\r', 'c'])).toBe('a\nb\nc');
  });

  test('a command after a carriage return is one', async () => {
    const { annotations } = await step('harmless\r::error::forged');
    expect(annotations).toEqual([{ level: 'error', title: '', message: 'forged' }]);
  });
});

describe('commands', () => {
  test('in the older style, wherever they stand in a line', async () => {
    const result = await step('the server said ##[error title=T%3B]no%5D%3B\n##[set-output name=a;]b');
    expect(result.annotations).toEqual([{ level: 'error', title: 'T;', message: 'no];' }]);
    expect(result.outputs).toEqual({ a: 'b' });
  });

  test('in the newer style, at the start of a line only', async () => {
    const result = await step('  ::WARNING::yes\nx ::warning::no');
    expect(result.annotations).toEqual([{ level: 'warning', title: '', message: 'yes' }]);
    expect(result.log).toBe('Warning: yes\nx ::warning::no');
  });

  test('that the runner does not know are text', async () => {
    expect(await log('::whatever::x\n##[section]y\n::%0A::')).toBe('::whatever::x\n##[section]y\n::%0A::');
  });

  test('that were switched off are refused', async () => {
    const { annotations, env } = await step('::set-env name=PATH::/tmp');
    expect(annotations.map(({ level }) => level)).toEqual(['error', 'error']);
    expect(env).toEqual({});
  });

  test('a colon and a comma are escaped in properties only', async () => {
    const { annotations } = await step('::error title=a%3Ab%2Cc::a%3Ab%2Cc');
    expect(annotations).toEqual([{ level: 'error', title: 'a:b,c', message: 'a%3Ab%2Cc' }]);
  });
});

describe('masks', () => {
  const SECRET = `throw-away: P@ss "w0rd" & it's`;
  const mask = `::add-mask::${SECRET}\n`;

  test.each<[string, string]>([
    ['itself', SECRET],
    ['in base64', Buffer.from(SECRET).toString('base64')],
    ['for a shell', SECRET.replaceAll('"', '\\"')],
    ['in an expression', SECRET.replaceAll("'", "''")],
    ['in JSON', SECRET.replaceAll('"', '\\"')],
    ['in a URL', 'throw-away%3A%20P%40ss%20%22w0rd%22%20%26%20it%27s'],
    ['in XML', 'throw-away: P@ss &quot;w0rd&quot; &amp; it&apos;s'],
  ])('the secret %s', async (_, form) => {
    expect(await log(`${mask}it is ${form}.`)).toBe('it is ***.');
  });

  test('in base64 with bytes in front, but for the first digits', async () => {
    expect(await log(`${mask}${Buffer.from(`u:${SECRET}`).toString('base64')}`)).toMatch(/^.{4}\*\*\*$/);
    expect(await log(`${mask}${Buffer.from(`us:${SECRET}`).toString('base64')}`)).toMatch(/^.{4}\*\*\*$/);
  });

  test('the halves that PowerShell prints, and a secret without its quotes', async () => {
    expect(await log('::add-mask::first-half&second-half\nfirst-half& second-half')).toBe('*** ***');
    expect(await log('::add-mask::first-half&+second-half\nfirst-half&+ econd-half')).toBe('*** ***');
    expect(await log('::add-mask::"in quotes"\nin quotes')).toBe('***');
  });

  test.each<[string, (secret: string) => string]>([
    ['numeric entities', (secret) => secret.replaceAll('@', '&#64;')],
    ['hex', (secret) => Buffer.from(secret).toString('hex')],
  ])('not in %s', async (_, encode) => {
    expect(await log(`${mask}${encode(SECRET)}`)).toBe(encode(SECRET));
  });

  test('overlapping ones leave nothing of either', async () => {
    expect(await log('::add-mask::abcdef\n::add-mask::defghi\nabcdefghi abcdef, defghi')).toBe('*** ***, ***');
  });

  test('an empty one is refused', async () => {
    expect((await step('::add-mask:: ')).annotations.map(({ level }) => level)).toEqual(['warning']);
  });

  test('the message of an annotation and the summary, but no title', async () => {
    const { annotations, summary, rawSummary } = await step(`${mask}::error title=${SECRET}::${SECRET}`, {
      writes: `a ${SECRET}\nb`,
    });
    expect(annotations).toEqual([{ level: 'error', title: SECRET, message: '***' }]);
    expect([summary, rawSummary]).toEqual(['a ***\nb', `a ${SECRET}\nb`]);
  });
});

describe('limits', () => {
  test('a message has 4,096 characters at most, in the log as well', async () => {
    const { annotations, log: text } = await step(`::error::${'x'.repeat(5000)}`);
    expect(annotations.map(({ message }) => message.length)).toEqual([4096]);
    expect(text).toBe(`Error: ${'x'.repeat(4096)}`);
  });

  test('ten annotations of each level; the log has them all', async () => {
    const lines = Array.from({ length: 12 }, (_, n) => `::error::e${n}\n::warning::w${n}\n`);
    const { annotations, log: text } = await step(lines);
    expect(annotations).toHaveLength(20);
    expect(text.split('\n')).toHaveLength(24);
  });

  test('a summary over 1 MiB is dropped, with an error', async () => {
    const fits = await step('', { writes: 'x'.repeat(1024 * 1024) });
    expect([fits.summary.length, fits.annotations]).toEqual([1024 * 1024, []]);
    const { summary, annotations } = await step('', { writes: 'ä'.repeat(512 * 1024 + 1) });
    expect(summary).toBe('');
    expect(annotations).toMatchObject([
      { level: 'error', message: expect.stringContaining('$GITHUB_STEP_SUMMARY upload aborted') as unknown },
    ]);
  });
});

describe('inputs', () => {
  test('stand in the log before the step can mask anything; what comes from secrets does not', async () => {
    const options = { with: { pfx: 'throw-away pfx', password: 'throw-away password' }, secrets: ['throw-away pfx'] };
    const { header, log: text } = await step('::add-mask::throw-away password', options);
    expect(header).toMatch(/^▼ Run \S+@v1\nwith:\n/);
    expect(header).toContain('  pfx: ***\n');
    expect(header).toContain('  password: throw-away password');
    expect(header).toContain('  cloud: global');
    expect(text).toBe('');
  });

  test('that the action does not have are warned of', async () => {
    const { annotations } = await step('', { with: { 'conector-id': 'x', PFX: '' } });
    expect(annotations).toMatchObject([
      {
        level: 'warning',
        message: expect.stringMatching(/^Unexpected input\(s\) 'conector-id', valid inputs are \['/) as unknown,
      },
    ]);
  });
});

test('without an emulator there is no network', async () => {
  let proxy: string | undefined;
  await runAction({
    with: {},
    start: async ({ env }) => {
      proxy = env['HTTPS_PROXY'];
      return await Promise.resolve({ exitCode: 0, signal: null });
    },
  });
  expect(proxy).toBe('http://127.0.0.1:9');
});
