/** Several things at once, but not too many. */

/** Runs `work` on each item, at most `limit` at a time; the results are in the order of the items. */
export async function mapAtMost<T, R>(
  limit: number,
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const worker = async (): Promise<void> => {
    // The one iterator is shared: each worker takes what comes next.
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
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

  /** Takes the next place, and tells how long to wait for it: milliseconds from `now`, 0 where there is room. */
  reserve(now: number): number {
    const freed = this.#starts.length < this.#limit ? now : (this.#starts.shift() ?? now) + this.#window;
    const start = Math.max(now, freed);
    this.#starts.push(start);
    return start - now;
  }
}
