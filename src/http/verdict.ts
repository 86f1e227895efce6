/** One shape for what a response means, from whichever service, and for no response: the failure, and whether to retry. */
import type { Failure } from '../failure.ts';
import type { HttpResponse } from './client.ts';

/** Whether to send a request again: no, yes, or only after a read has shown that it did not take effect. */
export type Retry = 'no' | 'yes' | 'after-read';

/** What a response that is not the wanted one means, or that there was none. */
export interface Verdict {
  readonly failure: Failure;
  readonly retry: Retry;
  /** Not before this many milliseconds have passed: what the service asked for. */
  readonly retryAfter?: number | undefined;
  /** Not once this many milliseconds have passed since the first attempt. */
  readonly within?: number | undefined;
}

/** The statuses that may pass, and whether the server may have acted before it sent them. All others are final. */
const TRANSIENT_STATUSES: ReadonlyMap<number, Retry> = new Map([
  [408, 'after-read'],
  [423, 'yes'],
  [425, 'yes'],
  [429, 'yes'],
  // A gateway sends 502 to 504, 503 as well, for a request that the server behind it may still carry out.
  ...Array.from({ length: 100 }, (_, n) => [500 + n, 'after-read'] as const),
  // These do not pass by themselves: not implemented, HTTP version, misconfigured, a loop, not extended, a sign-in page.
  ...[501, 505, 506, 508, 510, 511].map((status) => [status, 'no'] as const),
]);

/** Whether a request that got this status may be sent again. */
export function retryForStatus(status: number): Retry {
  return TRANSIENT_STATUSES.get(status) ?? 'no';
}

/** More seconds are read as so many (RFC 9111, section 1.2.2). */
const MOST_SECONDS = 2 ** 31;

/**
 * `Retry-After` in milliseconds (RFC 9110, section 10.2.3), or undefined if there is none or it cannot be read. A date counts
 * from the `Date` of the response, since the clock of the runner may be wrong.
 * @param now for a response without a date
 */
export function retryAfter({ headers }: HttpResponse, now: Date): number | undefined {
  const value = headers['retry-after']?.trim() ?? '';
  if (/^\d+$/.test(value)) return Math.min(Number(value), MOST_SECONDS) * 1000;
  const date = httpDate(value);
  return date === undefined
    ? undefined
    : Math.max(0, date - (httpDate(headers['date']?.trim() ?? '') ?? now.getTime()));
}

/** The three forms of an HTTP-date (RFC 9110, section 5.6.7): as it is written today, as in RFC 850, as of asctime. */
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
  /^[A-Z][a-z]+day, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/,
];

/** Milliseconds since 1970. Date.parse alone reads a date into almost anything, such as 2.5. */
function httpDate(text: string): number | undefined {
  if (!HTTP_DATES.some((form) => form.test(text))) return undefined;
  const time = Date.parse(text.endsWith(' GMT') ? text : text.concat(' GMT'));
  return Number.isNaN(time) ? undefined : time;
}
