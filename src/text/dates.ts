/** Dates as people read them: ISO 8601 in UTC, and whole days. */

/** In milliseconds. */
export const DAY = 86_400_000;

/** ISO 8601 in UTC, whole seconds: `2022-10-21T11:08:42Z`; `unknown` for a date that could not be read. */
export function isoSeconds(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** Whole days from `now` to `date`, rounded down; negative in the past, NaN for a date that could not be read. */
export function daysUntil(date: Date, now: Date): number {
  return Math.floor((date.getTime() - now.getTime()) / DAY);
}

/** The date that is so many seconds after the start of 1970, UTC. */
export function dateFromSeconds(seconds: number): Date {
  return new Date(seconds * 1000);
}
