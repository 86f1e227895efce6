/** How long the step may go on: until its time is over, or the job is cancelled. */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../failure.ts';

/** What the whole step may take, in milliseconds. */
export const STEP_TIMEOUT = 600_000;

/** When and why the step has to end, though it is not done. Times in milliseconds. */
export interface Deadline {
  /** Aborted, with a Failure as its reason, when the step's time is over or the job is cancelled. */
  readonly signal: AbortSignal;
  /** A clock that only moves forward. */
  now(): number;
  /** What the step may still take. */
  remaining(): number;
  /** Waits this long. @throws the reason of {@link signal} as soon as the step has to end */
  sleep(milliseconds: number): Promise<void>;
}

/** The runner cancels a job with SIGINT and, 7.5 seconds later, SIGTERM. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The step's own {@link Deadline}: its clock starts when it is made. */
export class StepDeadline implements Deadline {
  readonly #controller = new AbortController();
  #timeout: number;
  #end: number;
  #timer: NodeJS.Timeout;
  readonly #cancel = (signal: NodeJS.Signals): void => {
    this.#controller.abort(new Failure('CANCELLED', `The job was cancelled (${signal}).`, 'Run the job again.'));
  };

  /** @param timeout in milliseconds */
  constructor(timeout: number = STEP_TIMEOUT) {
    this.#timeout = timeout;
    this.#end = performance.now() + timeout;
    this.#timer = this.#wait(timeout);
    this.#listen();
  }

  /** Gives the step this many milliseconds more: its inputs ask for something that takes so long. */
  extend(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timeout += milliseconds;
    this.#end += milliseconds;
    this.#timer = this.#wait(this.remaining());
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  now(): number {
    return performance.now();
  }

  remaining(): number {
    return this.#end - performance.now();
  }

  async sleep(milliseconds: number): Promise<void> {
    await sleepUntil(milliseconds, this.signal);
  }

  /**
   * Does work that blocks the event loop, such as opening a file. Nobody could hear a signal meanwhile, so the signals keep
   * their default action: they end the process at once.
   * @throws the reason of {@link signal} if the step has to end before the work begins
   */
  async blocking<T>(work: () => T): Promise<T> {
    // A signal that came a moment ago waits for the event loop, and would be lost with its listener: the first turn may be
    // past the place where signals are looked for.
    await nextTurn();
    await nextTurn();
    this.signal.throwIfAborted();
    this.#ignore();
    try {
      return work();
    } finally {
      this.#listen();
    }
  }

  /** Takes the timer and the listeners away, so that the process can end. */
  end(): void {
    clearTimeout(this.#timer);
    this.#ignore();
  }

  #wait(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#controller.abort(
        new Failure(
          'STEP_TIMEOUT',
          `The step was not done within ${this.#timeout / 60_000} minutes.`,
          'The services are slow or throttle this tenant. Run the job again later.',
        ),
      );
    }, milliseconds);
  }

  #listen(): void {
    for (const signal of SIGNALS) process.on(signal, this.#cancel);
  }

  #ignore(): void {
    for (const signal of SIGNALS) process.off(signal, this.#cancel);
  }
}

/** A {@link Deadline} for a part of the step, whose work in parallel ends as soon as the part has ended. */
export class PartDeadline implements Deadline {
  readonly signal: AbortSignal;
  readonly #whole: Deadline;
  readonly #ended = new AbortController();

  constructor(whole: Deadline) {
    this.#whole = whole;
    this.signal = AbortSignal.any([whole.signal, this.#ended.signal]);
  }

  now(): number {
    return this.#whole.now();
  }

  remaining(): number {
    return this.#whole.remaining();
  }

  async sleep(milliseconds: number): Promise<void> {
    await sleepUntil(milliseconds, this.signal);
  }

  /** Ends every request and every wait that still goes on: what they were for is done, or has failed. */
  end(): void {
    this.#ended.abort(new Error('no longer needed'));
  }
}

async function sleepUntil(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
