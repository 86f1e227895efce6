/** How long the step may go on, and what ends it. */
import { spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { PartDeadline, STEP_TIMEOUT, StepDeadline } from '../../src/http/deadline.ts';

const opened: StepDeadline[] = [];

function open(timeout?: number): StepDeadline {
  const deadline = new StepDeadline(timeout);
  opened.push(deadline);
  return deadline;
}

afterEach(() => {
  for (const deadline of opened.splice(0)) deadline.end();
  jest.useRealTimers();
});

const listeners = (): number[] => ['SIGINT', 'SIGTERM'].map((signal) => process.listenerCount(signal));

describe('the end of the step', () => {
  test('comes after ten minutes', () => {
    jest.useFakeTimers();
    const deadline = open();
    jest.advanceTimersByTime(STEP_TIMEOUT - 1);
    expect(deadline.signal.aborted).toBe(false);
    jest.advanceTimersByTime(1);
    expect(deadline.signal.reason).toMatchObject({
      code: 'STEP_TIMEOUT',
      message: 'The step was not done within 10 minutes.',
      remedy: 'The services are slow or throttle this tenant. Run the job again later.',
    });
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('comes with %s, which cancels the job', (signal) => {
    const deadline = open();
    process.emit(signal, signal);
    expect(deadline.signal.reason).toMatchObject({
      code: 'CANCELLED',
      message: `The job was cancelled (${signal}).`,
      remedy: 'Run the job again.',
    });
  });

  test('keeps its first reason: the runner sends SIGTERM after SIGINT', () => {
    const deadline = open();
    process.emit('SIGINT', 'SIGINT');
    process.emit('SIGTERM', 'SIGTERM');
    expect(deadline.signal.reason).toMatchObject({ message: 'The job was cancelled (SIGINT).' });
  });

  test('does not come any more once the step is done, and nothing is left behind', () => {
    jest.useFakeTimers();
    const before = listeners();
    const deadline = open();
    expect(listeners()).toEqual(before.map((count) => count + 1));
    expect(jest.getTimerCount()).toBe(1);
    deadline.end();
    expect(listeners()).toEqual(before);
    expect(jest.getTimerCount()).toBe(0);
  });
});

test('the time that the step may still take goes down as its clock goes on', () => {
  jest.useFakeTimers();
  const deadline = open(5000);
  const started = deadline.now();
  expect(deadline.remaining()).toBe(5000);
  jest.advanceTimersByTime(1234);
  expect(deadline.now() - started).toBeCloseTo(1234);
  expect(deadline.remaining()).toBeCloseTo(3766);
});

test('it can be given more time once its inputs are known', () => {
  jest.useFakeTimers();
  const deadline = open(60_000);
  jest.advanceTimersByTime(30_000);
  deadline.extend(120_000);
  expect(deadline.remaining()).toBeCloseTo(150_000);
  jest.advanceTimersByTime(149_999);
  expect(deadline.signal.aborted).toBe(false);
  jest.advanceTimersByTime(1);
  expect(deadline.signal.reason).toMatchObject({ message: 'The step was not done within 3 minutes.' });
});

describe('sleeping', () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

  test('lasts as long as it was asked to', async () => {
    const deadline = open();
    let over = false;
    const sleeping = deadline.sleep(60).then(() => (over = true));
    await deadline.sleep(20);
    expect(over).toBe(false);
    await sleeping;
    expect(over).toBe(true);
  });

  test('ends with the step, and leaves no timer or listener behind', async () => {
    const deadline = open();
    const before = timers();
    const sleeping = deadline.sleep(20_000);
    expect(timers()).toBe(before + 1);
    process.emit('SIGINT', 'SIGINT');
    await expect(sleeping).rejects.toBe(deadline.signal.reason);
    expect(timers()).toBe(before);
    expect(getEventListeners(deadline.signal, 'abort')).toHaveLength(0);
  });

  test('does not begin once the step has ended', async () => {
    const deadline = open();
    process.emit('SIGINT', 'SIGINT');
    const before = timers();
    const sleeping = deadline.sleep(20_000);
    expect(timers()).toBe(before);
    await expect(sleeping).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('listens for the end of the step no longer than it lasts', async () => {
    const deadline = open();
    const sleeping = deadline.sleep(1);
    expect(getEventListeners(deadline.signal, 'abort')).toHaveLength(1);
    await sleeping;
    expect(getEventListeners(deadline.signal, 'abort')).toHaveLength(0);
  });
});

describe('work that blocks the event loop', () => {
  test('gives its result; meanwhile the signals keep their default action', async () => {
    const before = listeners();
    const deadline = open();
    const meanwhile = await deadline.blocking(() => listeners());
    expect(meanwhile).toEqual(before);
    expect(listeners()).toEqual(before.map((count) => count + 1));
  });

  test('that fails passes its failure on, and the signals count again', async () => {
    const deadline = open();
    const before = listeners();
    const failing = (): never => {
      throw new RangeError('a fault');
    };
    await expect(deadline.blocking(failing)).rejects.toThrow(new RangeError('a fault'));
    expect(listeners()).toEqual(before);
  });

  test.each(['SIGINT', 'SIGTERM'])('does not begin if %s came while nobody could hear it', (signal) => {
    // By the kernel and in a process of its own: the signal waits for the event loop, which waits for this script.
    const script = `
      import { StepDeadline } from ${JSON.stringify(join(import.meta.dirname, '../../src/http/deadline.ts'))};
      const deadline = new StepDeadline();
      process.kill(process.pid, '${signal}');
      try {
        await deadline.blocking(() => console.log('the work was done'));
      } catch (error) {
        console.log(error.message);
      }
      deadline.end();`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    expect(stdout).toBe(`The job was cancelled (${signal}).\n`);
  });
});

describe('a part of the step', () => {
  test('has the time of the step', () => {
    jest.useFakeTimers();
    const part = new PartDeadline(open());
    jest.advanceTimersByTime(60_000);
    expect(part.remaining()).toBe(STEP_TIMEOUT - 60_000);
    expect(part.now()).toBe(performance.now());
  });

  test('ends with the step, and a wait with it', async () => {
    const whole = open();
    const part = new PartDeadline(whole);
    const wait = part.sleep(60_000);
    process.emit('SIGTERM', 'SIGTERM');
    await expect(wait).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(part.signal.reason).toBe(whole.signal.reason);
  });

  test('ends alone, and a wait with it, while the step goes on', async () => {
    const whole = open();
    const part = new PartDeadline(whole);
    const wait = part.sleep(60_000);
    part.end();
    await expect(wait).rejects.toThrow('no longer needed');
    expect([part.signal.aborted, whole.signal.aborted]).toEqual([true, false]);
  });
});
