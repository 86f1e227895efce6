/** Dates as a person reads them. */
import { expect, test } from '@jest/globals';
import { dateFromSeconds, daysUntil, isoSeconds } from '../../src/text/dates.ts';

test.each([
  ['2022-10-21T11:08:42.999Z', '2022-10-21T11:08:42Z'],
  ['2022-10-21T13:08:42+02:00', '2022-10-21T11:08:42Z'],
  ['not a date', 'unknown'],
])('%s is shown as %s', (date, shown) => {
  expect(isoSeconds(new Date(date))).toBe(shown);
});

test.each([
  ['2026-03-02T12:00:00Z', 1],
  ['2026-03-02T11:59:59Z', 0],
  ['2026-03-01T12:00:00Z', 0],
  ['2026-03-01T11:59:59Z', -1],
  ['2027-03-01T12:00:00Z', 365],
  ['not a date', Number.NaN],
])('from noon of the first of March 2026 to %s it is %d whole days', (date, days) => {
  expect(daysUntil(new Date(date), new Date('2026-03-01T12:00:00Z'))).toBe(days);
});

test('seconds count from 1970', () => {
  expect(dateFromSeconds(1666350522).toISOString()).toBe('2022-10-21T11:08:42.000Z');
});
