/** Several things in parallel, and no more of them than a service allows. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { mapInParallel, PARALLEL, RateWindow } from '../../src/http/concurrency.ts';

describe('work in parallel', () => {
  test.each([0, 1, 3, 4, 9])(
    'on %d items: the results are in their order, and four at most are under way',
    async (count) => {
      const items = Array.from({ length: count }, (_, index) => index);
      let [underWay, most] = [0, 0];
      const results = await mapInParallel(items, async (item) => {
        most = Math.max(most, ++underWay);
        // The first one takes longest.
        for (let turns = count - item; turns > 0; turns--) await turn();
        underWay--;
        return item * 10;
      });
      expect(results).toEqual(items.map((item) => item * 10));
      expect(most).toBe(Math.min(count, PARALLEL));
    },
  );

  test('one that fails is the failure of all', async () => {
    const work = async (item: number): Promise<number> => {
      await turn();
      if (item === 2) throw new Error('the second');
      return item;
    };
    await expect(mapInParallel([1, 2, 3], work)).rejects.toThrow('the second');
  });
});

describe('three starts in a second', () => {
  const waits = (...times: readonly number[]): readonly number[] => {
    const window = new RateWindow(3, 1_000);
    return times.map((now) => window.reserve(now));
  };

  test.each<[string, readonly number[], readonly number[]]>([
    ['the fourth waits for the first to be a second old', [0, 100, 200, 300], [0, 0, 0, 700]],
    ['each takes a place of its own', [0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1_000, 1_000, 1_000, 2_000]],
    ['who comes later finds room', [0, 0, 0, 1_000, 1_500, 5_000], [0, 0, 0, 0, 0, 0]],
    ['one that waited counts from its start', [0, 0, 0, 400, 1_200, 1_300, 1_400], [0, 0, 0, 600, 0, 0, 600]],
  ])('%s', (_what, times, expected) => {
    expect(waits(...times)).toEqual(expected);
  });
});
