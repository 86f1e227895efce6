/** A web page in the place of a service's response. */
import { expect, test } from '@jest/globals';
import { answeredInstead, intercepted, pageTitle } from '../../src/http/intercepted.ts';
import { answer } from '../scripted-http.ts';

test.each([
  ['<!DOCTYPE html><html><head><title>Blocked by policy</title>', ', titled Blocked by policy'],
  ['\ufeff\r\n  <html lang="en"><TITLE id="t">\n Sign in \n</TITLE>', ', titled Sign in'],
  ['<!-- filter 7 --><html>', ''],
  [`${'\r\n\t '.repeat(10_000)}<html><title>Late</title>`, ', titled Late'],
  ['<script>location = "/login"</script>', ''],
  ['<title></title>', ''],
])('%j is one', (body, title) => {
  const failure = intercepted(answer(403, body, { date: 'Tue, 24 Nov 2026 10:00:00 GMT' }), 'Microsoft Graph');
  expect(failure?.code).toBe('INTERCEPTED');
  expect(failure?.message).toBe(
    `Not Microsoft Graph but something on the way to it answered: a web page${title} (HTTP 403, Tue, 24 Nov 2026 10:00:00 GMT).`,
  );
});

test.each(['', ' '.repeat(100_000), '{"error":{}}', '\ufeff{"value":"<html>"}', 'Forbidden', '< 5'])(
  '%j is none',
  (body) => {
    expect(intercepted(answer(403, body), 'Microsoft Graph')).toBeUndefined();
  },
);

test.each([
  ['<title>Welcome</title>', 'a web page, titled Welcome (HTTP 511, '],
  ['{"login":"https://portal.example"}', 'the sign-in of a network (HTTP 511, '],
  ['', 'the sign-in of a network (HTTP 511, '],
])('HTTP 511 comes from a network that wants a sign-in, whatever is in it: %j', (body, what) => {
  const failure = intercepted(answer(511, body), 'Microsoft Graph');
  expect(failure?.code).toBe('INTERCEPTED');
  expect(failure?.message).toContain(`Not Microsoft Graph but something on the way to it answered: ${what}`);
});

test('a title is cut, and cleaned', () => {
  expect(pageTitle(`<title>${'x'.repeat(5000)}`)).toBe(`${'x'.repeat(100)}…`);
  expect(pageTitle('<title>a\u202eb\nc</title>')).toBe('a b c');
});

test.each(['<title>', '<title ', '<title', '<title><', '< title>', 'x'])(
  'a page of nothing but %j is looked at in no time',
  (unit) => {
    // More than a minute, if each of them were read to the end of the page.
    expect(pageTitle(unit.repeat(150_000)).length).toBeLessThanOrEqual(101);
  },
);

test.each([
  [302, '<html>', 'REDIRECTED'],
  [302, '', 'REDIRECTED'],
  [200, '<html>', 'INTERCEPTED'],
  [403, '<html>', 'INTERCEPTED'],
  [511, '', 'INTERCEPTED'],
  [503, '<html>', undefined],
  [429, '<html>', undefined],
  [403, '{}', undefined],
  [200, '{}', undefined],
])('HTTP %d with %j in the place of a service: %s', (status, body, code) => {
  expect(answeredInstead(answer(status, body), 'Microsoft Graph')?.code).toBe(code);
});
