/** When a request is sent again, and after how long. */
import { describe, expect, test } from '@jest/globals';
import { Failure } from '../../src/failure.ts';
import { RETRY, retry } from '../../src/http/retry.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import type { Verdict } from '../../src/http/verdict.ts';
import { ScriptedDeadline } from '../scripted-http.ts';

describe('trying again', () => {
  type Attempt = { readonly done: string } | Verdict | TransportError;
  const busy = new Failure('THROTTLED', 'Graph is busy.', 'Run the job again later.');
  const cancelled = new Failure('CANCELLED', 'The job was cancelled (SIGINT).', 'Run the job again.');
  const verdict = (more: Partial<Verdict> = {}): Verdict => ({ failure: busy, retry: 'yes', ...more });

  /** What came of attempts with these outcomes; of the last one, from there on. */
  async function trying(deadline: ScriptedDeadline, ...outcomes: readonly Attempt[]) {
    const asked: number[] = [];
    const lines: string[] = [];
    const log = (line: string): unknown => lines.push(line);
    const result: unknown = await retry({ deadline, service: 'Graph', log }, async (n) => {
      asked.push(n);
      const outcome = outcomes[Math.min(n, outcomes.length) - 1] ?? { done: 'nothing' };
      return outcome instanceof TransportError ? await Promise.reject(outcome) : await Promise.resolve(outcome);
    }).catch((error: unknown) => error);
    return { result, asked, lines };
  }

  test('is not needed if the first attempt is done', async () => {
    const deadline = new ScriptedDeadline();
    expect(await trying(deadline, { done: 'token' })).toEqual({ result: 'token', asked: [1], lines: [] });
    expect(deadline.sleeps).toEqual([]);
  });

  test('helps if the third attempt is done', async () => {
    const deadline = new ScriptedDeadline();
    const { result, asked, lines } = await trying(deadline, verdict(), verdict(), { done: 'token' });
    expect({ result, asked }).toEqual({ result: 'token', asked: [1, 2, 3] });
    expect(deadline.sleeps).toHaveLength(2);
    expect(lines).toEqual([
      expect.stringMatching(/^Graph is busy\. Trying again in 0\.[345] s \(1 of 5 tries\)\.$/),
      expect.stringMatching(/^Graph is busy\. Trying again in (0\.[5-9]|1\.0) s \(2 of 5 tries\)\.$/),
    ]);
  });

  test('an empty result is a result', async () => {
    expect(await trying(new ScriptedDeadline(), { done: '' })).toMatchObject({ result: '', asked: [1] });
  });

  test('ends after five attempts with the failure of the last', async () => {
    const last = new Failure('SERVICE_UNAVAILABLE', 'Graph answered HTTP 503.', 'Run the job again.');
    const again = verdict();
    const { result, asked, lines } = await trying(
      new ScriptedDeadline(),
      again,
      again,
      again,
      again,
      verdict({ failure: last }),
    );
    expect(result).toBe(last);
    expect(asked).toEqual([1, 2, 3, 4, 5]);
    expect(lines).toHaveLength(4);
  });

  test('waits longer each time, by half and some chance', async () => {
    const spread = new Set<number>();
    for (let run = 0; run < 25; run++) {
      const deadline = new ScriptedDeadline();
      await trying(deadline, verdict());
      expect(deadline.sleeps).toHaveLength(4);
      for (const [n, wait] of deadline.sleeps.entries()) {
        const longest = RETRY.firstWait * 2 ** n;
        expect(wait).toBeGreaterThanOrEqual(longest / 2);
        expect(wait).toBeLessThanOrEqual(longest);
        spread.add(wait / longest);
      }
    }
    expect(spread.size).toBeGreaterThan(50);
  });

  test('waits as long as the service asks', async () => {
    const deadline = new ScriptedDeadline();
    const { lines } = await trying(deadline, verdict({ retryAfter: 17_000 }), { done: 'token' });
    expect(deadline.sleeps).toEqual([17_000]);
    expect(lines).toEqual(['Graph is busy. Trying again in 17.0 s (1 of 5 tries).']);
  });

  test('waits at least as long as without a Retry-After', async () => {
    const deadline = new ScriptedDeadline();
    await trying(deadline, verdict({ retryAfter: 0 }), verdict({ retryAfter: undefined }), { done: 'token' });
    expect(deadline.sleeps[0]).toBeGreaterThanOrEqual(250);
    expect(deadline.sleeps[1]).toBeGreaterThanOrEqual(500);
  });

  test('waits if the step has a little more time than that', async () => {
    const deadline = new ScriptedDeadline();
    deadline.left = 60_900;
    expect(await trying(deadline, verdict({ retryAfter: 60_000 }), { done: 'token' })).toMatchObject({
      result: 'token',
    });
    expect(deadline.sleeps).toEqual([60_000]);
  });

  test.each([
    [60_000, 60_000, 'The next try would have to wait 60 s, and the step has only 60 s left.'],
    [90_500, 59_999, 'The next try would have to wait 91 s, and the step has only 59 s left.'],
  ])('ends if a wait of %d ms is asked for, and the step has %d ms left', async (asked, left, sentence) => {
    const deadline = new ScriptedDeadline();
    deadline.left = left;
    const { result, lines } = await trying(deadline, verdict({ retryAfter: asked }), { done: 'token' });
    expect(result).toMatchObject({
      code: 'THROTTLED',
      message: `Graph is busy. ${sentence}`,
      remedy: 'Run the job again later.',
    });
    expect(deadline.sleeps).toEqual([]);
    expect(lines).toEqual([]);
  });

  test('ends with the step', async () => {
    const deadline = new ScriptedDeadline();
    deadline.end(cancelled);
    expect(await trying(deadline, verdict())).toMatchObject({ result: cancelled, asked: [1] });
  });

  test('passes on what an attempt throws', async () => {
    const deadline = new ScriptedDeadline();
    const attempt = async (): Promise<Verdict> => Promise.reject(cancelled);
    await expect(retry({ deadline, service: 'Graph', log: () => undefined }, attempt)).rejects.toBe(cancelled);
    expect(deadline.sleeps).toEqual([]);
  });

  test('is of no use if the failure is final', async () => {
    const deadline = new ScriptedDeadline();
    const outcome = await trying(deadline, verdict({ retry: 'no' }), { done: 'token' });
    expect(outcome).toEqual({ result: busy, asked: [1], lines: [] });
    expect(deadline.sleeps).toEqual([]);
  });

  test.each(['yes', 'after-read'] as const)('helps if the verdict is %s', async (retry) => {
    const outcome = await trying(new ScriptedDeadline(), verdict({ retry }), { done: 'token' });
    expect(outcome).toMatchObject({ result: 'token', asked: [1, 2] });
  });

  test('helps without a response, whether the request was sent or not', async () => {
    for (const sent of [true, false]) {
      const outcome = await trying(new ScriptedDeadline(), new TransportError('reset', sent), { done: 'token' });
      expect(outcome).toMatchObject({ result: 'token', asked: [1, 2] });
      expect(outcome.lines).toEqual([expect.stringMatching(/^Graph did not answer: reset .*Trying again in /)]);
    }
  });

  test('is of no use with a server that is not trusted', async () => {
    const untrusted = new TransportError('self-signed (SELF_SIGNED_CERT_IN_CHAIN)', false);
    const { result, asked } = await trying(new ScriptedDeadline(), untrusted, { done: 'token' });
    expect(result).toMatchObject({
      code: 'TLS_NOT_TRUSTED',
      message: expect.stringContaining('The TLS certificate of Graph is not trusted'),
    });
    expect(asked).toEqual([1]);
  });

  test('no response because the step ended: only that is reported', async () => {
    const deadline = new ScriptedDeadline();
    deadline.end(cancelled);
    const outcome = await trying(deadline, new TransportError('aborted', true));
    expect(outcome).toEqual({ result: cancelled, asked: [1], lines: [] });
    expect(deadline.sleeps).toEqual([]);
  });

  describe('within a time of its own', () => {
    test('ends if the next attempt would come too late', async () => {
      const deadline = new ScriptedDeadline();
      const { result, asked } = await trying(deadline, verdict({ within: 100 }));
      expect({ result, asked }).toEqual({ result: busy, asked: [1] });
      expect(deadline.sleeps).toEqual([]);
    });

    test('counts from the first attempt, whatever the time was then', async () => {
      const deadline = new ScriptedDeadline();
      deadline.time = 60_000;
      let attempts = 0;
      const result = retry({ deadline, service: 'Graph', log: () => undefined }, async () => {
        attempts++;
        deadline.time += 3000;
        return await Promise.resolve(verdict({ retryAfter: 5000, within: 30_000 }));
      });
      await expect(result).rejects.toBe(busy);
      // 3 + 5, 11 + 5 and 19 + 5 seconds are within 30; 27 + 5 are not.
      expect(attempts).toBe(4);
      expect(deadline.sleeps).toEqual([5000, 5000, 5000]);
    });

    test('still has its last moment', async () => {
      const deadline = new ScriptedDeadline();
      const again = verdict({ retryAfter: 5000, within: 5000 });
      expect(await trying(deadline, again, { done: 'token' })).toMatchObject({ result: 'token' });
    });
  });
});
