/** No response: what is shown of its cause. */
import { describe, expect, test } from '@jest/globals';
import { reason, TransportError } from '../../src/http/transport-error.ts';

describe('the reason that is shown', () => {
  const coded = (message: string, code: string): Error => Object.assign(new Error(message), { code });

  test.each<[string, unknown, string]>([
    ['the error itself', new Error('boom'), 'boom'],
    ['the innermost cause', new Error('a', { cause: new Error('b', { cause: new Error('c') }) }), 'c'],
    ['the innermost that says something', new Error('a', { cause: new Error('') }), 'a'],
    ['with its code', coded('other side closed', 'UND_ERR_SOCKET'), 'other side closed (UND_ERR_SOCKET)'],
    ['with its code only once', coded('connect ECONNREFUSED ::1:1', 'ECONNREFUSED'), 'connect ECONNREFUSED ::1:1'],
    ['a code alone', coded('', 'ETIMEDOUT'), ' (ETIMEDOUT)'],
    ['one of several', new AggregateError([new Error('on IPv6'), new Error('on IPv4')], 'both failed'), 'on IPv4'],
    ['all together', new AggregateError([], 'both failed'), 'both failed'],
    ['a cause that is no error', new Error('a', { cause: 'why' }), 'a'],
    ['a text', 'just text', 'just text'],
    ['nothing', undefined, 'undefined'],
    ['an error without a word', new Error(''), 'Error'],
  ])('%s', (_name, error, expected) => {
    expect(reason(error)).toBe(expected);
  });

  test('is looked for eight errors deep', () => {
    let error = new Error('12');
    for (let n = 11; n >= 1; n--) error = new Error(String(n), { cause: error });
    expect(reason(error)).toBe('8');
  });

  test('is found though the causes go in a circle', () => {
    const error = new Error('round and round');
    error.cause = error;
    expect(reason(error)).toBe('round and round');
  });
});

test('a transport error keeps its cause', () => {
  const cause = new Error('why');
  expect(new TransportError('no response', true, { cause })).toMatchObject({
    name: 'TransportError',
    message: 'no response',
    sent: true,
    cause,
  });
});
