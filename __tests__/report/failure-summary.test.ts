/** A failure in the job summary: prose is escaped, and commands can be copied as they are. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Failure } from '../../src/failure.ts';
import { failureLines, failureSummary, troubleshootingUrl } from '../../src/report/failure-summary.ts';

const environment = process.env;
beforeEach(() => {
  process.env = {};
});
afterEach(() => {
  process.env = environment;
});

const failing = (remedy: string, message = 'It was so.'): Failure => new Failure('GRAPH_FORBIDDEN', message, remedy);
/** What stands below the message. */
const remedyOf = (remedy: string): readonly string[] => failureLines(failing(remedy)).slice(4);

test('a step that failed: the code, the cause, the fix', () => {
  expect(failureSummary(failing('Do this.')).split('\n')).toEqual([
    '## ❌ The step failed',
    '',
    '**GRAPH_FORBIDDEN**',
    '',
    'It was so.',
    '',
    'Do this.',
    '',
  ]);
});

test('a connector that failed: whom it is about, and where to read on', () => {
  process.env = { GITHUB_ACTION_REPOSITORY: 'octo-org/the.action', GITHUB_ACTION_REF: 'v1' };
  expect(failureLines(failing('Do this.'), 'Sign-up <code>c-1</code>')[0]).toBe(
    '**<a href="https://github.com/octo-org/the.action/blob/v1/docs/troubleshooting.md#graph_forbidden">GRAPH_FORBIDDEN</a>** – Sign-up <code>c-1</code>',
  );
});

describe('where to read on', () => {
  const HERE = { GITHUB_ACTION_REPOSITORY: 'o/r', GITHUB_ACTION_REF: 'v1' };
  test.each<[string, NodeJS.ProcessEnv, string | undefined]>([
    ['GitHub', HERE, 'https://github.com/o/r/blob/v1/docs/troubleshooting.md#throttled'],
    [
      'a server of its own, and a branch',
      { ...HERE, GITHUB_ACTION_REF: 'fix/a_b', GITHUB_SERVER_URL: 'https://git.example' },
      'https://git.example/o/r/blob/fix/a_b/docs/troubleshooting.md#throttled',
    ],
    ['uses: ./, without a repository', { GITHUB_ACTION_REF: 'v1' }, undefined],
    ['uses: ./, without a ref', { GITHUB_ACTION_REPOSITORY: 'o/r' }, undefined],
    ['a repository that is none', { ...HERE, GITHUB_ACTION_REPOSITORY: 'o/r/"><b>' }, undefined],
    ['something before a repository', { ...HERE, GITHUB_ACTION_REPOSITORY: '"o/r' }, undefined],
    ['a ref that is none', { ...HERE, GITHUB_ACTION_REF: 'v1"' }, undefined],
    ['something before a ref', { ...HERE, GITHUB_ACTION_REF: '"v1' }, undefined],
    ['a server that is none', { ...HERE, GITHUB_SERVER_URL: 'https://git.example/"' }, undefined],
    ['another scheme', { ...HERE, GITHUB_SERVER_URL: 'javascript:https://git' }, undefined],
  ])('%s', (_, variables, url) => {
    expect(troubleshootingUrl('THROTTLED', variables)).toBe(url);
  });
});

describe('the fix', () => {
  test('prose is escaped, line by line', () => {
    expect(remedyOf('Set <b>.\nThen | this.')).toEqual(['Set &#60;b&#62;.', '', 'Then &#124; this.', '']);
  });

  test.each([
    'az ad app list',
    'gh secret set X',
    'openssl x509',
    'keytool -list',
    'curl -fsS',
    'printf x',
    'base64 -w0',
    'bash x.sh',
    'CLIENT_ID=1',
    'permissions:',
    '  id-token: write',
  ])('%j is to be copied', (line) => {
    expect(remedyOf(line)).toEqual(['```text', line, '```', '']);
  });

  test.each(['azure is', 'Use az ad', ' one blank', 'Set CLIENT_ID=1', 'x=1', 'The permissions: all'])(
    '%j is prose',
    (line) => {
      expect(remedyOf(line)).toHaveLength(2);
    },
  );

  test('lines to be copied that follow each other are one block; prose ends it', () => {
    expect(remedyOf('Do:\npermissions:\n  id-token: write\nThen:\naz login')).toEqual([
      'Do&#58;<wbr>',
      '',
      '```text',
      'permissions:',
      '  id-token: write',
      '```',
      '',
      'Then&#58;<wbr>',
      '',
      '```text',
      'az login',
      '```',
      '',
    ]);
  });

  test.each([
    ['az `a` ``b``', '```'],
    ['az ```', '````'],
    ['az ```` ```', '`````'],
  ])('nothing in the block %j ends it', (line, fence) => {
    expect(remedyOf(line)).toEqual([`${fence}text`, line, fence, '']);
  });
});

test('a long message is cut', () => {
  const [, , message = ''] = failureLines(failing('Do this.', 'x'.repeat(5_000)));
  expect(message).toBe(`${'x'.repeat(4_000)}&#8230;`);
});
