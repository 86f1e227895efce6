/** What the runner keeps of failures and warnings: 4,096 characters of each, 10 errors and 10 warnings of a step. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Failure } from '../../src/failure.ts';
import {
  logOutcome,
  logTrust,
  reportFailure,
  reportFailures,
  SHOWN_OF_TWO,
  warn,
} from '../../src/report/annotations.ts';
import { connectorWith } from '../connectors/samples.ts';
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

test('a step that warns of its certificate and of its connectors keeps to 10, with one for a short password', () => {
  const twelve = Array.from({ length: 12 }, (_, n) => `Warning ${n}.`);
  warn(twelve, 'Certificate', SHOWN_OF_TWO.certificate);
  warn(twelve, 'API connector', SHOWN_OF_TWO.connectors);
  expect(annotations('warning')).toHaveLength(9);
  expect(annotations('warning').at(-1)).toBe('7 more warnings: see the log.');
});

describe('what is more than is shown, in the number that it is', () => {
  const some = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

  test.each([
    [8, 'Warning 7.'],
    [9, '1 more warning: see the log.'],
    [10, '2 more warnings: see the log.'],
  ])('%s warnings', (n, last) => {
    warn(
      some(n).map((i) => `Warning ${i}.`),
      'API connector',
    );
    expect(annotations('warning').at(-1)).toBe(last);
    expect(printed()).toContain('::warning title=API connector::');
    // In the log, each stands once.
    expect(printed().match(/Warning \d/g)).toHaveLength(n);
  });

  test.each([
    [8, undefined],
    [9, '1 more API connector failed (THROTTLED): see the log and the job summary.'],
    [11, '3 more API connectors failed (THROTTLED, GRAPH_FORBIDDEN): see the log and the job summary.'],
  ])('%s failures', (n, last) => {
    reportFailures(some(n).map((i) => new Failure(i === 9 ? 'GRAPH_FORBIDDEN' : 'THROTTLED', `Failure ${i}.`, 'Fix.')));
    expect(/^::error title=MORE_FAILURES::(.*)$/m.exec(printed())?.[1]).toBe(last);
    if (n > 8) expect(printed()).toContain('\nTHROTTLED: Failure 8.\nFix.\n');
  });
});

describe('a failure has its fix, and where to read on, below it', () => {
  const environment = process.env;
  const MORE = '\nMore: https://github.com/o/r/blob/v1/docs/troubleshooting.md#throttled';
  const CUT = '… (all of it is in the log and in the job summary)';
  beforeEach(() => {
    process.env = { ...environment, GITHUB_ACTION_REPOSITORY: 'o/r', GITHUB_ACTION_REF: 'v1' };
  });
  afterEach(() => {
    process.env = environment;
  });
  /** The one annotation for this failure. */
  const shown = (remedy: string, message = 'It was so.'): string => {
    reportFailure(new Failure('THROTTLED', message, remedy));
    return annotations('error').join();
  };

  test('in one annotation, and nothing else', () => {
    expect(shown('Do this.')).toBe(`It was so.\nDo this.${MORE}`);
    expect(printed().split('\n')).toHaveLength(2);
  });

  test('unless the action comes from no repository', () => {
    process.env['GITHUB_ACTION_REPOSITORY'] = '';
    expect(shown('Do this.')).toBe('It was so.\nDo this.');
  });

  test.each([
    ['as long as it may be', 0],
    ['longer', 1],
  ])('a fix that is %s is cut after a whole line, if at all', (_, more) => {
    const remedy = `Run this:\n${'x'.repeat(4_000 - 'It was so.Run this:\n'.length - MORE.length + more)}`;
    expect(shown(remedy)).toBe(`It was so.\n${more === 0 ? remedy : `Run this:\n${CUT}`}${MORE}`);
  });

  test('a fix of very many short lines leaves room for what follows it', () => {
    const text = shown('x\n'.repeat(4_000));
    expect([text.length > 3_990, text.length <= 4_096, text.endsWith(`x\n${CUT}${MORE}`)]).toEqual([true, true, true]);
  });

  test.each([
    ['as long as it may be', ''],
    ['longer loses its middle', 'b'],
  ])('a message that is %s', (_, middle) => {
    const [start, end] = ['a'.repeat(2_000), 'c'.repeat(500)];
    const text = `${start}${middle === '' ? '' : ' … '}${end}`;
    expect(shown('Do this.', `${start}${middle}${end}`)).toBe(`${text}\nDo this.${MORE}`);
  });
});

describe('the log', () => {
  const outcome = { id: 'c-1', before: undefined, connector: connectorWith('none'), warnings: [] };
  const failure = new Failure('THROTTLED', 'It was so.', 'Do this.');

  test.each([
    [1, 1, 'API connector Sign-up: uploaded.\n'],
    [2, 3, '[2/3] API connector Sign-up: uploaded.\n'],
  ])('connector %s of %s', (n, all, line) => {
    logOutcome({ ...outcome, result: 'changed', text: 'uploaded.' }, n, all);
    expect(printed()).toBe(line);
  });

  test('a connector that failed', () => {
    logOutcome({ ...outcome, connector: undefined, result: 'failed', failure }, 1, 1);
    expect(printed()).toBe('API connector c-1: It was so.\n');
  });

  const certificates = ['A', 'B'].map((thumbprint) => ({
    thumbprint,
    notAfter: new Date(),
    usedBy: [],
    usedLaterBy: [],
  }));
  const NOT_SET = 'The output trusted-thumbprints is not set: the certificates of';
  test.each([
    ['all', { certificates, unread: 0 }, 'The API has to accept from now on: A, B.\n'],
    ['none', { certificates: [], unread: 0 }, 'The API has to accept from now on: nothing.\n'],
    ['one not read', { certificates, unread: 1 }, `${NOT_SET} 1 API connector could not be read.\n`],
    ['two not read', { certificates, unread: 2 }, `${NOT_SET} 2 API connectors could not be read.\n`],
  ])('what the API has to trust: %s', (_, trust, line) => {
    logTrust({ ...trust, missing: [] });
    expect(printed()).toBe(line);
  });

  test.each([
    [['One is missing.'], 'one is not known by SHA-1. The others: A, B.\n'],
    [['One is missing.', 'So is another.'], '2 are not known by SHA-1. The others: A, B.\n'],
  ])('no set that lacks something is shown as whole: %#', (missing, rest) => {
    logTrust({ certificates, missing, unread: 0 });
    expect(printed()).toBe(`The output trusted-thumbprints is not set: of the certificates in use, ${rest}`);
  });

  const [one] = certificates;
  const many = (count: number) => Array.from({ length: count }, () => one as (typeof certificates)[0]);

  test('of very many, 100 are shown', () => {
    logTrust({ certificates: many(102), missing: [], unread: 0 });
    expect(printed()).toBe(
      `The API has to accept from now on: ${many(100)
        .map(() => 'A')
        .join(', ')} and 2 more.\n`,
    );
  });

  test('more than an output has room for: that is said', () => {
    logTrust({ certificates: many(12_001), missing: [], unread: 0 });
    expect(printed()).toMatch(
      /^The output trusted-thumbprints is not set: 12001 thumbprints are too many for it\. (A, )+A and 11901 more\.\n$/,
    );
  });
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
