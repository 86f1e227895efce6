/** How long the step may go on: until its time is over, or the job is cancelled. */
import { Failure } from '../failure.ts';
import { RETRY, type Lifetime } from './client.ts';

/** A {@link Lifetime} that has begun; `end` takes its timer and its listeners away. */
export interface StartedLifetime extends Lifetime {
  end(): void;
}

/** The runner cancels a job with SIGINT and, 7.5 seconds later, SIGTERM. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Starts the step's clock and listens for the end of the job. */
export function startLifetime(): StartedLifetime {
  const deadline = performance.now() + RETRY.stepTimeout;
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(
      new Failure(
        'STEP_TIMEOUT',
        `The step was not done within ${RETRY.stepTimeout / 60_000} minutes.`,
        'The services are slow or throttle this tenant. Run the job again later.',
      ),
    );
  }, RETRY.stepTimeout);
  const cancel = (signal: NodeJS.Signals): void => {
    controller.abort(new Failure('CANCELLED', `The job was cancelled (${signal}).`, 'Run the job again.'));
  };
  for (const signal of SIGNALS) process.on(signal, cancel);
  return {
    signal: controller.signal,
    remaining: () => deadline - performance.now(),
    end: () => {
      clearTimeout(timer);
      for (const signal of SIGNALS) process.off(signal, cancel);
    },
  };
}
