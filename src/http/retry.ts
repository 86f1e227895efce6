/** When a request is sent again: the policy as data, and the loop. */
import { withSentence, type Failure } from '../failure.ts';
import type { Deadline } from './deadline.ts';
import { explainTransport } from './refusal.ts';
import { TransportError } from './transport-error.ts';
import type { Verdict } from './verdict.ts';

/** The retry policy. Times in milliseconds. */
export const RETRY = {
  /** Requests in all, the first one included. */
  attempts: 5,
  firstWait: 500,
} as const;

/** How {@link retry} waits, reports, and names whom it asks. */
export interface RetryContext {
  readonly deadline: Deadline;
  /** Who is asked, as a person calls it. */
  readonly service: string;
  readonly log: (text: string) => void;
}

/**
 * Tries until an attempt is done, with growing, jittered waits. A {@link TransportError} that an attempt throws is explained
 * and retried like a response.
 * @throws the failure of the last attempt, once there are no more tries or no time for one
 */
export async function retry<T>(
  { deadline, service, log }: RetryContext,
  attempt: (n: number) => Promise<{ readonly done: T } | Verdict>,
): Promise<T> {
  const started = deadline.now();
  for (let n = 1; ; n++) {
    const outcome = await explained(attempt(n), deadline, service);
    if ('done' in outcome) return outcome.done;
    const wait = waitAfter(n, outcome, started, deadline);
    log(tryingAgain(n, outcome.failure, wait));
    await deadline.sleep(wait);
  }
}

/**
 * Milliseconds to wait after the nth attempt: they grow, with some chance, and are never less than what was asked for.
 * @param started when the first attempt began
 * @throws the failure if there is not to be another attempt
 */
export function waitAfter(n: number, verdict: Verdict, started: number, deadline: Deadline): number {
  const { failure, retryAfter = 0, within = Infinity } = verdict;
  const longest = RETRY.firstWait * 2 ** (n - 1);
  const wait = Math.max(longest * (0.5 + Math.random() / 2), retryAfter);
  if (verdict.retry === 'no' || n === RETRY.attempts || deadline.now() - started + wait > within) throw failure;
  if (wait < deadline.remaining()) return wait;
  const left = Math.max(0, Math.floor(deadline.remaining() / 1000));
  throw withSentence(
    failure,
    `The next try would have to wait ${Math.ceil(wait / 1000)} s, and the step has only ${left} s left.`,
  );
}

/** The log line before a wait. */
export function tryingAgain(n: number, failure: Failure, wait: number): string {
  return `${failure.message} Trying again in ${(wait / 1000).toFixed(1)} s (${n} of ${RETRY.attempts} tries).`;
}

async function explained<T>(
  attempt: Promise<{ readonly done: T } | Verdict>,
  deadline: Deadline,
  service: string,
): Promise<{ readonly done: T } | Verdict> {
  try {
    return await attempt;
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    deadline.signal.throwIfAborted();
    return explainTransport(error, service);
  }
}
