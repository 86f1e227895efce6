/** What an error of Microsoft Graph or Azure Key Vault says, in the shapes that it has been seen in. */
import { describe, expect, test } from '@jest/globals';
import { saidBy, shownCodes, type ErrorBody } from '../../src/http/error-body.ts';

const said = (body: unknown, headers: Readonly<Record<string, string>> = {}): ErrorBody =>
  saidBy({ status: 400, headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

/** Errors within errors, so deep that nobody reads on. */
function nested(depth: number): object {
  return depth === 0 ? { code: 'Deepest' } : { code: `Level${depth}`, innerError: nested(depth - 1) };
}

describe('codes and message', () => {
  test.each<[string, unknown, readonly string[], string]>([
    ['of an error', { error: { code: 'BadRequest', message: 'No.' } }, ['BadRequest'], 'No.'],
    ['of the object itself', { code: 'BadRequest', message: 'No.' }, ['BadRequest'], 'No.'],
    ['behind a byte order mark', '\ufeff{"error":{"code":"BadRequest","message":"No."}}', ['BadRequest'], 'No.'],
    [
      'of the innermost error first',
      { error: { code: 'Outer', message: 'Out.', innerError: { code: 'Inner', message: 'In.' } } },
      ['Inner', 'Outer'],
      'In.',
    ],
    [
      'of Key Vault, which writes innererror',
      { error: { code: 'Forbidden', message: 'Out.', innererror: { code: 'ForbiddenByRbac' } } },
      ['ForbiddenByRbac', 'Forbidden'],
      'Out.',
    ],
    [
      'of an error in the message',
      { error: { code: 'Outer', message: ' {"error":{"code":"Inner","message":"In."}}' } },
      ['Inner', 'Outer'],
      'In.',
    ],
    [
      'of OData 3, in a language',
      { 'odata.error': { code: 'Request_BadRequest', message: { lang: 'en', value: 'No.' } } },
      ['Request_BadRequest'],
      'No.',
    ],
    ['of OAuth', { error: 'invalid_client', error_description: 'No.' }, ['invalid_client'], 'No.'],
    [
      'of a code in the message',
      { error: { code: 'BadRequest', message: 'AADB2C90213: No.' } },
      ['BadRequest', 'AADB2C90213'],
      'AADB2C90213: No.',
    ],
    [
      'each code once',
      { error: { code: 'AADB2C90213', message: 'AADB2C90213: No.', innerError: { code: 'AADB2C90213' } } },
      ['AADB2C90213'],
      'AADB2C90213: No.',
    ],
    [
      'of a code that is longer',
      { error: { code: 'x', message: 'AADB2C902131 XAADB2C90213' } },
      ['x'],
      'AADB2C902131 XAADB2C90213',
    ],
    ['that are no texts', { error: { code: 5, message: ['No.'] } }, [], ''],
    ['that are empty', { error: { code: '', message: '' } }, [], ''],
    ['of a list', [{ code: 'BadRequest' }], [], ''],
    ['of a page', '<html>No.</html>', [], ''],
    ['of nothing', '', [], ''],
    ['of null', 'null', [], ''],
  ])('%s', (_what, body, codes, message) => {
    expect(said(body)).toMatchObject({ codes, message });
  });

  test('with what a terminal or a browser would obey taken out', () => {
    const { codes, message } = said({ error: { code: 'Bad\u001b[31mRequest', message: 'a\nb\u202ec' } });
    expect([...codes, message].join()).not.toMatch(/[\u001b\n\u202e]/);
  });

  test('as deep as any error was seen, and no deeper', () => {
    const { codes } = said({ error: nested(20) });
    expect(codes).toEqual(['Level13', 'Level14', 'Level15', 'Level16', 'Level17', 'Level18', 'Level19', 'Level20']);
  });

  test('a code is cut at 100 characters', () => {
    expect(said({ error: { code: 'x'.repeat(500) } }).codes[0]?.length).toBeLessThanOrEqual(101);
  });
});

describe('what support asks for', () => {
  const inner = { 'request-id': 'r-1', correlationId: 'c-1', date: '2026-11-23T08:15:30' };

  test('out of the body', () => {
    const { ids, date } = said({ error: { innerError: inner } }, { 'request-id': 'r-2', date: 'another day' });
    expect([ids, date]).toEqual([['request-id r-1', 'correlation id c-1'], '2026-11-23T08:15:30']);
  });

  test('of the innermost error that has it', () => {
    const outer = { 'request-id': 'r-0', innerError: { ...inner, date: '' }, date: 'the day' };
    expect(said({ error: outer })).toMatchObject({ ids: ['request-id r-1', 'correlation id c-1'], date: 'the day' });
  });

  test('out of the headers, if the body has none', () => {
    const { ids, date } = said('', { 'request-id': 'r-2', date: 'Mon, 23 Nov 2026 08:15:30 GMT' });
    expect([ids, date]).toEqual([['request-id r-2'], 'Mon, 23 Nov 2026 08:15:30 GMT']);
  });

  test('nothing: the time here', () => {
    const { ids, date } = said('');
    expect(ids).toEqual([]);
    expect(Math.abs(Date.now() - Date.parse(date))).toBeLessThan(60_000);
  });

  test('each is cut', () => {
    const long = 'x'.repeat(500);
    const { ids, date } = said({ 'request-id': long, correlationId: long, date: long });
    expect([...ids, date].map((text) => text.length)).toEqual([76, 80, 41]);
    expect(said('', { 'request-id': long, date: long })).toEqual({
      codes: [],
      message: '',
      ids: [expect.stringMatching(/^request-id x{64}…$/)],
      date: expect.stringMatching(/^x{40}…$/),
    });
  });
});

test.each<[readonly string[], string | undefined, readonly string[]]>([
  [[], undefined, []],
  [['a', 'b', 'c', 'd'], undefined, ['a', 'b', 'c']],
  [['a', 'b', 'c', 'd'], 'b', ['a', 'b', 'c']],
  [['a', 'b', 'c', 'd'], 'd', ['a', 'b', 'c', 'd']],
])('of the codes %j, with %s that decides: shown are %j', (codes, deciding, shown) => {
  expect(shownCodes(codes, deciding)).toEqual(shown);
});
