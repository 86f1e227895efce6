/** What grew faster than its text would take longer than Jest waits, which it sees when a test waits. */
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { clean } from '../../src/text/clean.ts';
import { unescaped } from '../../src/text/escapes.ts';
import { forgetSecrets, hide, withoutSecrets } from '../../src/text/secrets.ts';

beforeEach(() => {
  forgetSecrets();
  jest.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(() => {
  jest.restoreAllMocks();
});

test('secrets in a mebibyte that is made to be slow', async () => {
  hide('a'.repeat(1024));
  hide('%3'.repeat(500));
  hide(Buffer.from(Array.from({ length: 900 }, (_, n) => (n * 7919 + (n >> 3) * 31) % 251)).toString('base64'));
  hide('A'.repeat(4000));
  hide('61'.repeat(2000));
  hide('\\'.repeat(2000));
  for (const unit of [
    'a',
    'A',
    '%3',
    '\\',
    '&',
    ';',
    '&#',
    ' ',
    '\\u',
    '%C3',
    '&#x1',
    '&#1',
    '…',
    'a…',
    '\u001b]',
    '\u001b[',
    '##[',
    '%25',
    "'",
    '""',
    "\\'",
    '0x',
    '0x0',
    '61 ',
    '- ',
    'A-',
    '_',
  ]) {
    const text = unit.repeat(1024 * 1024);
    expect(clean(text).length).toBeLessThanOrEqual(301);
    expect(withoutSecrets(text).length).toBeLessThanOrEqual(16 * 1024);
  }
  await sleep(1);
});

test.each(['-', '-'.repeat(8) + ' BEGIN ', '&amp;', '\\', '%25', '=', 'A'.repeat(75) + '=\n', '&#x', ' '])(
  'escapes in two mebibytes of "%s"',
  async (text) => {
    const long = text.repeat((2 * 2 ** 20) / text.length);
    expect(unescaped(long).length).toBeLessThanOrEqual(long.length);
    await sleep(1);
  },
);
