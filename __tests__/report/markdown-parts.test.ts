/** The parts of the job summaries, as Markdown. */
import { describe, expect, test } from '@jest/globals';
import {
  authentication,
  connectorDetails,
  day,
  details,
  folded,
  host,
  left,
  list,
  plural,
  table,
} from '../../src/report/markdown-parts.ts';
import { connectorWith, held, NOW, OLD, OTHER } from '../connectors/samples.ts';

const many = (n: number, text: string): string[] => Array.from({ length: n }, (_, i) => `${text} ${i + 1}`);
const named = (...names: string[]) =>
  names.map((name) => ({ id: `id of ${name}`, connector: connectorWith('none', { displayName: name }) }));

describe('table', () => {
  test.each([
    [0, []],
    [1, ['| a | b |', '| --- | --- |', '| row 1 | x |', '']],
    [2, ['| a | b |', '| --- | --- |', '| row 1 | x |', '| row 2 | x |', '']],
    [3, ['| a | b |', '| --- | --- |', '| row 1 | x |', '| row 2 | x |', '| … and 1 more |  |', '']],
  ])('%s rows where two are shown', (n, lines) => {
    const rows = many(n, 'row').map((cell) => [cell, 'x']);
    expect(table(['a', 'b'], rows, 2)).toEqual(lines);
  });

  test('of fifty rows, unless another number is asked for', () => {
    const rows = many(60, 'row').map((cell) => [cell]);
    expect(table(['a'], rows).slice(-3)).toEqual(['| row 50 |', '| … and 10 more |', '']);
  });
});

describe('list', () => {
  test.each([
    [0, []],
    [2, ['**Next**', '', '- step 1', '- step 2', '']],
    [3, ['**Next**', '', '- step 1', '- step 2', '- … and 1 more', '']],
  ])('%s items where two are shown', (n, lines) => {
    expect(list('Next', many(n, 'step'), 2)).toEqual(lines);
  });

  test('of twenty items, unless another number is asked for', () => {
    expect(list('Next', many(20, 'step')).slice(-2)).toEqual(['- step 20', '']);
    expect(list('Next', many(25, 'step')).slice(-3)).toEqual(['- step 20', '- … and 5 more', '']);
  });
});

test('details are folded; nothing if there is nothing in them', () => {
  expect(details('More', ['a line'])).toEqual(['<details><summary>More</summary>', '', 'a line', '</details>', '']);
  expect(details('More', [])).toEqual([]);
});

describe('connectors that say the same are one row', () => {
  test('in the order in which each was said first', () => {
    const items = named('A', 'B', 'C', 'D').map((item, n) => ({ ...item, said: n % 3 === 0 ? 'this' : 'that' }));
    expect(folded(items, ({ said }) => [said, 'x'])).toEqual([
      ['2 connectors:<br>A<br>D', 'this', 'x'],
      ['2 connectors:<br>B<br>C', 'that', 'x'],
    ]);
  });

  test.each([
    [1, 'A'],
    [3, '3 connectors:<br>A<br>B<br>C'],
    [4, '4 connectors:<br>A<br>B<br>C<br>… and 1 more'],
  ])('%s of them', (n, cell) => {
    expect(folded(named('A', 'B', 'C', 'D').slice(0, n), () => ['x'])).toEqual([[cell, 'x']]);
  });

  test('cells that only look the same when joined are two rows', () => {
    const items = named('A', 'B').map((item, n) => ({ ...item, said: n === 0 ? ['x', 'y,z'] : ['x,y', 'z'] }));
    expect(folded(items, ({ said }) => said)).toHaveLength(2);
  });

  test('a hostile name is no markup, and a connector that was not read has its id', () => {
    const items = [...named('<b>|[x](y)'), { id: '@id', connector: undefined }];
    expect(folded(items, () => ['x'])).toEqual([
      ['2 connectors:<br>&#60;b&#62;&#124;&#91;x&#93;&#40;y&#41;<br>&#64;<wbr>id', 'x'],
    ]);
  });
});

test.each([
  ['https://api.example:8443/sign-up?code=throw-away', 'api.example&#58;<wbr>8443'],
  ['https://user:throw-away@api.example/', 'api.example'],
  ['not a URL', ''],
  ['', ''],
])('the host of %j is %j', (targetUrl, shown) => {
  expect(host(connectorWith('none', { targetUrl }))).toBe(shown);
});

test.each([
  [
    'a certificate in use',
    [held(OTHER, '2030-01-01', { isActive: false }), held(OLD, '2026-06-01')],
    'certificate until 2026-06-01',
  ],
  ['a date that cannot be read', [held(OLD, 'soon')], 'certificate until unknown'],
  ['no certificate in use', [held(OLD, '2026-06-01', { isActive: false })], 'no active certificate'],
  ['a password', 'basic', 'user name and password'],
  ['nothing', 'none', 'nothing'],
  ['something else', 'unknown', 'something unknown'],
] as const)('authenticates with %s', (_, connector, shown) => {
  expect(authentication(connectorWith(connector))).toBe(shown);
});

test('what a connector that was not read has is not known', () => {
  expect([authentication(undefined), host(undefined)]).toEqual(['not known', '']);
});

test.each([
  ['2026-03-03T11:59:59Z', '1 day left'],
  ['2026-03-03T12:00:00Z', '2 days left'],
  ['2026-03-01T12:00:00Z', '0 days left'],
  ['2026-03-01T11:59:59Z', 'expired'],
  ['soon', ''],
])('until %s: %s', (date, shown) => {
  expect(left(new Date(date), NOW)).toBe(shown);
});

test.each([
  ['2026-03-03T23:59:59.999Z', '2026-03-03'],
  ['+054869-01-02T00:00:00Z', '+054869-01-02'],
  ['soon', 'unknown'],
])('the day of %s is %s', (date, shown) => {
  expect(day(new Date(date))).toBe(shown);
});

test.each([
  [0, '0 connectors'],
  [1, '1 connector'],
  [2, '2 connectors'],
])('%s: %s', (n, shown) => {
  expect(plural(n, 'connector')).toBe(shown);
});

describe('IDs and certificates', () => {
  test('of each connector, from the oldest certificate to the newest; what is active is strong', () => {
    const certificates = [
      held(OTHER, '2026-03-02T12:00:00Z'),
      held('<b>', 'soon', { notBefore: Date.parse('2024-01-01') / 1000, isActive: false }),
      held(OLD, '2026-01-01', { notBefore: Date.parse('2025-01-01') / 1000, isActive: false }),
    ];
    const connector = connectorWith(certificates, { displayName: '*A*' });
    expect(
      connectorDetails(
        [
          { id: 'c_1', connector },
          { id: 'c-2', connector: undefined },
        ],
        NOW,
      ),
    ).toEqual([
      '<details><summary>IDs and certificates</summary>',
      '',
      '**&#42;A&#42;**<br><code>c&#95;1</code> api.example',
      '',
      '| thumbprint | valid from | to |  |',
      '| --- | --- | --- | --- |',
      '| <code>&#60;b&#62;</code> | 2024-01-01T00:00:00Z | unknown |  |',
      `| <code>${OLD}</code> | 2025-01-01T00:00:00Z | 2026-01-01T00:00:00Z | expired |`,
      `| **<code>${OTHER}</code>** | **2025-06-01T00:00:00Z** | **2026-03-02T12:00:00Z** | **1 day left, active** |`,
      '',
      '**c-2**<br><code>c-2</code> ',
      '',
      '</details>',
      '',
    ]);
  });

  test.each([
    [40, ''],
    [41, '… and 1 more connector'],
    [42, '… and 2 more connectors'],
  ])('of %s connectors, forty are shown', (n, more) => {
    const lines = connectorDetails(named(...many(n, 'C')), NOW);
    expect(lines.filter((line) => line.startsWith('**C '))).toHaveLength(40);
    expect(lines.slice(-4)).toEqual(
      more === ''
        ? ['**C 40**<br><code>id of C 40</code> api.example', '', '</details>', '']
        : [more, '', '</details>', ''],
    );
  });

  test('of no connectors are nothing', () => {
    expect(connectorDetails([], NOW)).toEqual([]);
  });
});
