/** The chart of certificates: Mermaid shows none at all if one line of it is not in its grammar. */
import { describe, expect, test } from '@jest/globals';
import { timeline } from '../../src/report/timeline.ts';
import { connectorWith, held, newCertificate, OLD, OTHER } from '../connectors/samples.ts';

const planned = newCertificate();
const seconds = (date: string): number => Date.parse(date) / 1000;
const [BEGIN, END] = [
  ['```mermaid', 'gantt', '  dateFormat YYYY-MM-DD', '  axisFormat %Y-%m'],
  ['```', ''],
];
/** The lines between head and end. */
const bars = (...connectors: Parameters<typeof connectorWith>[]): readonly string[] =>
  timeline(connectors.map((connector) => ({ id: 'c-1', connector: connectorWith(...connector) }))).slice(4, -2);

test('a section a connector: superseded grey, active, and the one of a dry run pale', () => {
  const certificates = [
    held(OTHER, '2026-06-01'),
    held(OLD, '2026-01-01', { notBefore: seconds('2025-01-01'), isActive: false }),
  ];
  const items = [
    { id: 'c-1', connector: connectorWith(certificates), planned },
    { id: 'c-2', connector: connectorWith([held(OTHER, '2026-06-01')], { displayName: '' }) },
    { id: 'c-3', connector: connectorWith('basic', { displayName: 'Basic' }), planned },
  ];
  expect(timeline(items)).toEqual([
    ...BEGIN,
    '  section Sign-up',
    '  AAAAAAAA :done, 2025-01-01, 2026-01-01',
    '  BBBBBBBB active :2025-06-01, 2026-06-01',
    '  DF22BA56 new :active, 2026-02-01, 2027-02-01',
    '  section c-2',
    '  BBBBBBBB active :2025-06-01, 2026-06-01',
    '  section Basic',
    '  DF22BA56 new :active, 2026-02-01, 2027-02-01',
    ...END,
  ]);
});

test('nothing without certificates', () => {
  expect(
    timeline([
      { id: 'c-1', connector: connectorWith('basic') },
      { id: 'c-2', connector: undefined },
    ]),
  ).toEqual([]);
  expect(timeline([])).toEqual([]);
});

describe('a name is letters, marks and digits', () => {
  test.each([
    ['A: b; c', 'A  b  c'],
    [' #%%{init}```', 'init'],
    ['Prüfung 2-a', 'Prüfung 2-a'],
    ['हिन्दी', 'हिन्दी'],
    ['e\u0301cole', 'e\u0301cole'],
    ['<>', 'connector'],
    ['x'.repeat(41), 'x'.repeat(40)],
    ['𠮷'.repeat(41), '𠮷'.repeat(40)],
  ])('%s', (displayName, shown) => {
    expect(bars([[held(OLD, '2026-06-01')], { displayName }])[0]).toBe(`  section ${shown}`);
  });
});

describe('a certificate has a bar', () => {
  test.each([
    ['aB12cd34ef', 'aB12cd34'],
    ['', 'certificate'],
    ['?:;', 'certificate'],
    ['section', 'certificate'],
    ['0x12345678', 'certificate'],
  ])('with the thumbprint %j', (thumbprint, shown) => {
    expect(bars([[held(thumbprint, '2026-06-01', { isActive: false })]])).toEqual([
      '  section Sign-up',
      `  ${shown} :done, 2025-06-01, 2026-06-01`,
    ]);
  });

  test.each([
    ['an end that cannot be read', held(OTHER, 'soon')],
    ['a start that cannot be read', held(OTHER, '2026-06-01', { notBefore: Number.NaN })],
    ['an end in milliseconds, as if they were seconds', held(OTHER, '2026-06-01', { notAfter: 1.8e12 })],
    ['a start before the year 0', held(OTHER, '2026-06-01', { notBefore: -1e11 })],
  ])('but not with %s', (_, odd) => {
    const shown = ['  section Sign-up', '  AAAAAAAA active :2025-06-01, 2026-06-01'];
    expect(bars([[odd, held(OLD, '2026-06-01')]])).toEqual(shown);
    expect(bars([[odd]], [[held(OLD, '2026-06-01')]])).toEqual(shown);
  });

  test('the newest six', () => {
    const digits = ['8', '1', '2', '3', '4', '5', '6', '7'];
    const certificates = digits.map((digit) =>
      held(digit.repeat(40), '2026-06-01', { notBefore: Number(digit) * 1e8, isActive: digit === '8' }),
    );
    expect(
      bars([certificates])
        .slice(1)
        .map((line) => line.trim().slice(0, 8)),
    ).toEqual(['3', '4', '5', '6', '7', '8'].map((digit) => digit.repeat(8)));
  });
});

test.each([
  [10, []],
  [11, ['… and 1 more connector', '']],
  [12, ['… and 2 more connectors', '']],
])('of %s connectors, ten are in it', (n, more) => {
  const items = Array.from({ length: n }, (_, i) => ({
    id: `c-${i}`,
    connector: connectorWith([held(OLD, '2026-06-01')]),
  }));
  const lines = timeline([...items, { id: 'none', connector: connectorWith('none') }]);
  expect(lines.filter((line) => line.startsWith('  section'))).toHaveLength(10);
  expect(lines.slice(lines.indexOf('```'))).toEqual(['```', '', ...more]);
});
