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
]);

/** Whether a request that got this status may be sent again. */
export function retryForStatus(status: number): Retry {
  return TRANSIENT_STATUSES.get(status) ?? 'no';
}

/** `Retry-After` in milliseconds from now (RFC 9110 section 10.2.3: seconds, or a date), or undefined. */
export function retryAfter(response: HttpResponse, now: Date): number | undefined {
  const value = response.headers['retry-after']?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}
