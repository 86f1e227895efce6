/** Whether a status may pass, and how long a service asks to wait. */
import { describe, expect, test } from '@jest/globals';
import { retryAfter, retryForStatus } from '../../src/http/verdict.ts';
import { answer } from '../scripted-http.ts';

describe('sending a request again', () => {
  test.each([
    [200, 'no'],
    [204, 'no'],
    [302, 'no'],
    [400, 'no'],
    [401, 'no'],
    [403, 'no'],
    [404, 'no'],
    [408, 'after-read'],
    [409, 'no'],
    [423, 'yes'],
    [425, 'yes'],
    [429, 'yes'],
    [499, 'no'],
    [500, 'after-read'],
    [501, 'no'],
    [502, 'after-read'],
    [503, 'after-read'],
    [504, 'after-read'],
    [505, 'no'],
    [506, 'no'],
    [507, 'after-read'],
    [508, 'no'],
    [510, 'no'],
    [511, 'no'],
    [520, 'after-read'],
    [599, 'after-read'],
    [600, 'no'],
  ])('HTTP %d: %s', (status, retry) => {
    expect(retryForStatus(status)).toBe(retry);
  });
});

describe('Retry-After', () => {
  const now = new Date('2026-11-23T08:15:30Z');

  test.each([
    ['30', 30_000],
    ['0', 0],
    [' 120 ', 120_000],
    ['999999999', 999_999_999_000],
    ['Mon, 23 Nov 2026 08:16:00 GMT', 30_000],
    ['Mon, 23 Nov 2026 08:15:00 GMT', 0],
    ['Monday, 23-Nov-26 08:16:00 GMT', 30_000],
    ['Mon Nov 23 08:16:00 2026', 30_000],
    ['Tue Dec  1 08:15:30 2026', 8 * 86_400_000],
    ['1234567890', 1_234_567_890_000],
    ['9'.repeat(400), 2_147_483_648_000],
    ['-5', undefined],
    ['2.5', undefined],
    ['1e3', undefined],
    ['soon 5', undefined],
    ['2026-11-23', undefined],
    ['2026-11-23T08:16:00Z', undefined],
    ['Mon, 23 Nov 2026 08:16:00 +0100', undefined],
    ['Mon, 99 Nov 2026 08:16:00 GMT', undefined],
    ['5 seconds', undefined],
    ['soon', undefined],
    ['', undefined],
    ['   ', undefined],
  ])('%j', (value, expected) => {
    expect(retryAfter(answer(429, '', { 'retry-after': value }), now)).toBe(expected);
  });

  test.each([
    ['Mon, 23 Nov 2026 10:00:00 GMT', 'Mon, 23 Nov 2026 09:59:50 GMT', 10_000],
    ['Mon, 23 Nov 2026 08:16:00 GMT', 'no date', 30_000],
    ['Mon, 23 Nov 2026 08:16:00 GMT', '', 30_000],
    ['7', 'Mon, 23 Nov 2026 09:59:50 GMT', 7_000],
  ])('%j in a response of %j: the clock of the runner may be wrong', (value, date, expected) => {
    expect(retryAfter(answer(429, '', { 'retry-after': value, date }), now)).toBe(expected);
  });

  test('none', () => {
    expect(retryAfter(answer(429), now)).toBeUndefined();
  });
});
