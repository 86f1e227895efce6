/** A failure, as the log and the annotations take it. */
import { expect, test } from '@jest/globals';
import { asFailure, Failure, FAILURE_CODES, withSentence } from '../src/failure.ts';
import { VERSION } from '../src/version.ts';

test('a failure is a code, what happened, and what to do', () => {
  const cause = new Error('why');
  const failure = new Failure('THROTTLED', 'Graph is busy.', 'Run the job again later.', { cause });
  expect(failure).toBeInstanceOf(Error);
  expect(failure).toMatchObject({
    name: 'Failure',
    code: 'THROTTLED',
    message: 'Graph is busy.',
    remedy: 'Run the job again later.',
    cause,
  });
});

test('one more sentence leaves code and remedy as they are, and the failure below', () => {
  const failure = new Failure('CANCELLED', 'The job was cancelled (SIGINT).', 'Run the job again.');
  const longer = withSentence(failure, 'No upload was under way.');
  expect(longer).toBeInstanceOf(Failure);
  expect(longer).toMatchObject({
    code: 'CANCELLED',
    message: 'The job was cancelled (SIGINT). No upload was under way.',
    remedy: 'Run the job again.',
    cause: failure,
  });
  expect(failure.message).toBe('The job was cancelled (SIGINT).');
});

test('a failure that was thrown is that failure', () => {
  const failure = new Failure('THROTTLED', 'Graph is busy.', 'Run the job again later.');
  expect(asFailure(failure)).toBe(failure);
});

test.each<[string, unknown, string]>([
  ['an error', new RangeError('a fault'), 'RangeError: a fault'],
  ['an error with control characters', new Error('a\n::error::b\u001b[31m'), 'Error: a ::error::b'],
  ['a text', 'just text', 'just text'],
  ['nothing', undefined, 'undefined'],
])('anything else that was thrown is one too: %s', (_, thrown, shown) => {
  expect(asFailure(thrown)).toMatchObject({
    code: 'INTERNAL_ERROR',
    message: `Something went wrong that this action (version ${VERSION}) does not know: ${shown}`,
    remedy: 'Please report it, with this message.',
    cause: thrown,
  });
});

test('each code is one word in capitals, and there once', () => {
  for (const code of FAILURE_CODES) expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$|^[A-Z]+$/);
  expect(new Set(FAILURE_CODES).size).toBe(FAILURE_CODES.length);
});
