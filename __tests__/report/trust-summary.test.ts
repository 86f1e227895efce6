/** What the API has to accept, as the job summaries show it. */
import { expect, test } from '@jest/globals';
import type { Trusted } from '../../src/connectors/trust.ts';
import { trustSection } from '../../src/report/trust-summary.ts';
import { connectorWith, OLD, OTHER } from '../connectors/samples.ts';

const trusted = (thumbprint: string, ...users: string[]): Trusted => ({
  thumbprint,
  notAfter: new Date('2026-06-01T00:00:00Z'),
  usedBy: users.map((displayName) => connectorWith('none', { displayName })),
  usedLaterBy: [],
});
const later = (displayName: string): Pick<Trusted, 'usedLaterBy'> => ({
  usedLaterBy: [connectorWith('none', { displayName })],
});
const HEAD = [
  '**What the API has to accept from now on** (set these, with those of other connectors that call it, and take all others away)',
  '',
  '| thumbprint (SHA-1) | expires |  |',
  '| --- | --- | --- |',
];

test.each<[string, Trusted, string]>([
  ['the new certificate', trusted(OLD), 'the new certificate'],
  ['the new one, in use already', trusted(OLD, 'A'), 'the new certificate, was in use by A when this step began'],
  ['of one connector', trusted(OTHER, 'A'), 'was in use by A when this step began'],
  ['of a hostile one', trusted(OTHER, '|<a>|'), 'was in use by &#124;&#60;a&#62;&#124; when this step began'],
  ['of five', trusted(OTHER, 'A', 'B', 'C', 'D', 'E'), 'was in use by A, B, C, D, E when this step began'],
  ['for later', { ...trusted(OTHER), ...later('A') }, 'will be used by A'],
  [
    'of one, and of another for later',
    { ...trusted(OTHER, 'A'), ...later('B') },
    'was in use by A when this step began, will be used by B',
  ],
  [
    'of six',
    trusted(OTHER, 'A', 'B', 'C', 'D', 'E', 'F'),
    'was in use by A, B, C, D, E and 1 more when this step began',
  ],
])('%s', (_, certificate, what) => {
  expect(trustSection({ certificates: [certificate], missing: [], unread: 0 }, OLD)).toEqual([
    ...HEAD,
    `| <code>${certificate.thumbprint}</code> | 2026-06-01T00:00:00Z | ${what} |`,
    '',
  ]);
});

const UNKNOWN = [
  '**What the API has to accept** is not known completely, so the output trusted-thumbprints is not set. Take no certificate away there.',
  '',
];
const KNOWN = [
  '**What is known of it** (add these, and keep all others)',
  '',
  '| thumbprint (SHA-1) | expires |  |',
  '| --- | --- | --- |',
];

test('a set that lacks one in use: what is missing comes first, and nothing is to be taken away', () => {
  expect(
    trustSection({ certificates: [trusted(OLD), trusted(OTHER)], missing: ['One.', '<b>'], unread: 0 }, undefined),
  ).toEqual([
    ...UNKNOWN,
    '**What is missing**',
    '',
    '- One.',
    '- &#60;b&#62;',
    '',
    ...KNOWN,
    `| <code>${OLD}</code> | 2026-06-01T00:00:00Z |  |`,
    `| <code>${OTHER}</code> | 2026-06-01T00:00:00Z |  |`,
    '',
  ]);
});

test.each([
  [1, '- The certificates of 1 API connector, which could not be read.'],
  [2, '- The certificates of 2 API connectors, which could not be read.'],
])('a set of which %s could not be read', (unread, line) => {
  expect(trustSection({ certificates: [trusted(OLD)], missing: [], unread }, OLD)).toEqual([
    ...UNKNOWN,
    '**What is missing**',
    '',
    line,
    '',
    ...KNOWN,
    `| <code>${OLD}</code> | 2026-06-01T00:00:00Z | the new certificate |`,
    '',
  ]);
});

test('a set of more than an output has room for: it is not set', () => {
  const [why] = trustSection({ certificates: Array(12_001).fill(trusted(OLD)), missing: [], unread: 0 }, OLD);
  expect(why).toBe(
    '**What the API has to accept** is 12001 certificates, more than an output has room for, so the output trusted-thumbprints is not set. Take no certificate away there.',
  );
});

test('an empty set: nothing, but for what it lacks', () => {
  expect(trustSection({ certificates: [], missing: [], unread: 0 }, OLD)).toEqual([]);
  expect(trustSection({ certificates: [], missing: ['One.'], unread: 0 }, OLD)).toEqual([
    ...UNKNOWN,
    '**What is missing**',
    '',
    '- One.',
    '',
  ]);
});
