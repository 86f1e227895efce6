/** Several things in parallel, but not too many. */

/** Up to this many connectors are worked on in parallel, so as many connections to one host are enough. */
export const PARALLEL = 4;

/** Runs `work` on each item, up to {@link PARALLEL} in parallel; the results are in the order of the items. */
export async function mapInParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const worker = async (): Promise<void> => {
    // The one iterator is shared: each worker takes what comes next.
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
  return results;
}

/** At most `limit` starts in any `window` milliseconds. */
export class RateWindow {
  readonly #limit: number;
  readonly #window: number;
  readonly #starts: number[] = [];

  constructor(limit: number, window: number) {
    this.#limit = limit;
    this.#window = window;
  }

  /** Takes the next place, and gives how long to wait for it: milliseconds from `now`, 0 if there is room. */
  reserve(now: number): number {
    const freed = this.#starts.length < this.#limit ? now : (this.#starts.shift() ?? now) + this.#window;
    const start = Math.max(now, freed);
    this.#starts.push(start);
    return start - now;
  }
}
