/** What the runner keeps of failures and warnings: 4,096 characters of each, 10 errors and 10 warnings of a step. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { Failure } from '../../src/failure.ts';
import { logOutcome, reportFailure, reportFailures, warn } from '../../src/report/annotations.ts';
import { keepPrinted } from '../printed.ts';

const printed = keepPrinted();
afterEach(() => {
  process.exitCode = undefined;
});

/** The messages at this level, as the runner reads them. */
function annotations(level: 'error' | 'warning'): string[] {
  return [...printed().matchAll(new RegExp(`^::${level} [^:]*::(.*)$`, 'gm'))].map((match) =>
    (match[1] ?? '').replaceAll('%0A', '\n').replaceAll('%25', '%'),
  );
}

const lines = (n: number): string =>
  Array.from({ length: n }, (_, i) => `az command ${i} ${'x'.repeat(60)}`).join('\n');

test.each([
  ['short', 'The service refused (request-id 1234).', 'Run the job again.'],
  ['with a long message', `The service refused: ${'y'.repeat(9000)} (request-id 1234).`, 'Run the job again.'],
  ['with a long fix', 'The service refused (request-id 1234).', `Run this:\n${lines(200)}`],
  ['with both', `The service refused: ${'😀'.repeat(9000)} (request-id 1234).`, `Run this:\n${lines(200)}`],
])('a failure that is %s fits, and the log has all of it', (_, message, remedy) => {
  reportFailure(new Failure('GRAPH_REFUSED', message, remedy));
  expect(printed()).toContain('::error title=GRAPH_REFUSED::');
  const [shown = ''] = annotations('error');
  expect(shown.length).toBeLessThanOrEqual(4096);
  expect(shown).toMatch(/^The service refused/);
  expect(shown).toContain('(request-id 1234).');
  expect(shown).toContain(remedy.split('\n')[0]);
  expect(shown.isWellFormed()).toBe(true);
  const log = printed().replaceAll('%0A', '\n');
  expect([log.includes(message), log.includes(remedy)]).toEqual([true, true]);
  expect(process.exitCode).toBe(1);
});

test('of 120 failures and warnings there are at most 10 annotations each, and the log has all', () => {
  const numbers = Array.from({ length: 120 }, (_, n) => n);
  reportFailures(numbers.map((n) => new Failure('GRAPH_FORBIDDEN', `Failure ${n}.`, `Fix ${n}.`)));
  warn(
    numbers.map((n) => `Warning ${n}.`),
    'API connector',
  );
  for (const level of ['error', 'warning'] as const) expect(annotations(level).length).toBeLessThanOrEqual(10);
  expect(annotations('error').at(-1)).toContain('more API connectors failed (GRAPH_FORBIDDEN)');
  for (const n of numbers) {
    for (const text of [`Failure ${n}.`, `Fix ${n}.`, `Warning ${n}.`]) expect(printed()).toContain(text);
  }
});

describe('no line of a text becomes a command of the runner', () => {
  // As the runner reads a line: https://github.com/actions/runner, src/Runner.Common/ActionCommand.cs
  const commands = (): string[] =>
    printed()
      .split(/[\n\r]/)
      .filter((line) => /^[\s\u0085]*::[^:]*.*::/.test(line) || line.includes('##['))
      .filter((line) => !/^::(error|warning) title=/.test(line));
  const hostile = ['', '::stop-commands::x', '  ::add-mask::the', '\t\u00a0::error::x', '##[add-mask]the', 'a'].flatMap(
    (line) => [line, `\r${line}`, `\r\n${line}`],
  );
  const text = hostile.join('\n');

  test.each<[string, () => void]>([
    [
      'the rest of many failures',
      () => {
        reportFailures(Array.from({ length: 9 }, () => new Failure('GRAPH_REFUSED', text, text)));
      },
    ],
    [
      'a failure that does not fit into an annotation',
      () => {
        reportFailure(new Failure('GRAPH_REFUSED', text.repeat(50), text.repeat(50)));
      },
    ],
    [
      'the rest of many warnings',
      () => {
        warn(Array(9).fill(text), 'API connector');
      },
    ],
    [
      'an outcome',
      () => {
        const failure = new Failure('GRAPH_REFUSED', text, text);
        const outcome = { id: 'x', connector: undefined, result: 'failed', failure, warnings: [] } as const;
        logOutcome(outcome as unknown as Parameters<typeof logOutcome>[0], 1, 1);
      },
    ],
  ])('%s', (_, report) => {
    report();
    expect(commands()).toEqual([]);
    expect(printed()).toContain(': :stop-commands::x');
  });
});
