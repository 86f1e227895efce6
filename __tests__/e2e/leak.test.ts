/** The search for secrets finds them in whatever form a person or a program could read them. */
import { describe, expect, test } from '@jest/globals';
import type { RunResult } from '../../emulator/runner.ts';
import { expectNoLeak } from './leak.ts';

const SECRET = `throw-away: P@ss "w0rd" & <more> of it's`;

const CLEAN: RunResult = {
  exitCode: 0,
  signal: null,
  header: '',
  log: 'Nothing to see.',
  rawStdout: 'Nothing to see.\n',
  stderr: '',
  masks: [],
  annotations: [],
  outputs: {},
  state: {},
  env: {},
  summary: '',
  rawSummary: '',
  durationMs: 1,
  filesLeft: [],
};
const numeric = (text: string): string => text.replace(/./gs, (one) => `&#${one.charCodeAt(0)};`);
const html: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '&': '&amp;' };

const finds = (result: Partial<RunResult>, secret = SECRET) => {
  expect(() => {
    expectNoLeak({ ...CLEAN, ...result }, [secret]);
  }).toThrow();
};

test('a run that shows nothing passes', () => {
  expectNoLeak(CLEAN, [SECRET]);
});

test('what asks for a mask is no leak; what is printed beside it is', () => {
  expectNoLeak({ ...CLEAN, rawStdout: `::add-mask::${SECRET}\nfine\n` }, [SECRET]);
  finds({ rawStdout: `::add-mask::${SECRET}\n${SECRET}\n` });
});

test('what the runner hid in the log is found in what was printed', () => {
  finds({ rawStdout: `it is ${SECRET}`, log: 'it is ***' });
});

test.each<[string, string]>([
  ['raw', SECRET],
  ['in JSON', JSON.stringify(SECRET)],
  ['in JSON as .NET writes it', SECRET.replace(/["'<>&]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`)],
  ['in HTML', SECRET.replace(/[<>"'&]/g, (one) => html[one] ?? one)],
  ['in numeric entities', numeric(SECRET)],
  ['with some of it in entities', SECRET.replace(/[@"&]/g, (one) => `&#x${one.charCodeAt(0).toString(16)};`)],
  ["with Markdown's backslashes", SECRET.replace(/[@"&<>]/g, '\\$&')],
  ['percent-encoded', encodeURIComponent(SECRET)],
  ['percent-encoded in lower case', encodeURIComponent(SECRET).toLowerCase().replace('p%40ss', 'P%40ss')],
  ['as a command escapes it', SECRET.replace(/ /g, '%0A')],
  ['in base64', Buffer.from(SECRET).toString('base64')],
  ['in base64 behind something else', Buffer.from(`user:${SECRET}`).toString('base64')],
  ['in hex', Buffer.from(SECRET).toString('hex')],
  ['with other blanks', SECRET.replaceAll(' ', '\n   ')],
  ['with blanks that are not seen', SECRET.replaceAll(':', '\u200b:')],
  ['cut at the end', SECRET.slice(0, 12)],
  ['cut at both ends', `…${SECRET.slice(7, 20)}…`],
])('%s', (_, text) => {
  finds({ rawSummary: `| A cell | ${text} |` });
});

describe('a secret is found in', () => {
  test.each<[string, Partial<RunResult>]>([
    ['the log', { log: SECRET }],
    ['standard error', { stderr: SECRET }],
    ['an output', { outputs: { connectors: SECRET } }],
    ['the name of an output', { outputs: { [SECRET]: '' } }],
    ['state', { state: { name: SECRET } }],
    ['the environment', { env: { NAME: SECRET } }],
    ['the title of an annotation', { annotations: [{ level: 'error', title: SECRET, message: '' }] }],
    ['the message of an annotation', { annotations: [{ level: 'error', title: '', message: SECRET }] }],
    ['the name of a file', { filesLeft: [SECRET] }],
  ])('%s', (_, result) => {
    finds(result);
  });
});

test('base64 that is wrapped anew is found; the public beginning of a key is no leak', () => {
  const key = `MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ${'x7Kq2'.repeat(20)}`;
  finds({ log: key.slice(40).replace(/.{8}/g, '$&\n') }, key);
  expectNoLeak({ ...CLEAN, log: 'BgkqhkiG9w0BAQEF' }, [key]);
});
