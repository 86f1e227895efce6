/** The job summary of the create step. */
import { expect, test } from '@jest/globals';
import type { Reading } from '../../src/connectors/reading.ts';
import { renewalOf, type Renewal } from '../../src/connectors/renewal.ts';
import { Failure } from '../../src/failure.ts';
import type { Connector } from '../../src/graph/connector.ts';
import { createSummary, type Created } from '../../src/report/create-summary.ts';
import { connectorWith, held, newCertificate, NOW, OLD, OTHER } from '../connectors/samples.ts';

const certificate = newCertificate();
const failure = new Failure('THROTTLED', 'It was so.', 'Do this.');
const of = (reading: Reading): Renewal => renewalOf(reading, 30, NOW);
const on = (displayName: string, connector: Connector): Renewal =>
  of({ id: `id-${displayName}`, connector: { ...connector, id: `id-${displayName}`, displayName } });
const until = (displayName: string, notAfter: string): Renewal => on(displayName, connectorWith([held(OLD, notAfter)]));
const fine = until('Fine', '2026-12-01');
const soon = until('Soon', '2026-03-20');
const basic = on('Basic', connectorWith('basic'));
const unread = of({ id: 'id-<b>', failure });

const known = { certificates: [{ ...certificate, usedBy: [], usedLaterBy: [] }], missing: [], unread: 0 };
const summary = (renewals: readonly Renewal[], changes: Partial<Created> = {}): readonly string[] =>
  createSummary({ tenantId: 'the-tenant', renewals, certificate: undefined, trust: known, now: NOW, ...changes }).split(
    '\n',
  );
const rows = (lines: readonly string[]): readonly string[] => {
  const from = lines.findIndex((line) => line.startsWith('| connector |')) + 2;
  return lines.slice(from, lines.indexOf('', from));
};

test('a certificate was made: for whom, what to trust, what is next, and the details', () => {
  expect(summary([fine, soon], { certificate })).toEqual([
    '## A new certificate for API connectors',
    '',
    '🔁 1 connector of 2 due. Tenant the-tenant.',
    '',
    'New certificate <code>DF22BA56B68D6DDD13AF04EE4ED542B23695A213</code>, valid from 2026-02-01T00:00:00Z to 2027-02-01T00:00:00Z. Its key is on this runner only, until the end of the job.',
    '',
    '| connector | authenticates with | days left | finding |',
    '| --- | --- | --- | --- |',
    '| Soon | certificate until 2026-03-20 | 18 | 🔁 due |',
    '| Fine | certificate until 2026-12-01 | 274 | ✅ fine |',
    '',
    '**What the API has to accept from now on** (set these, with those of other connectors that call it, and take all others away)',
    '',
    '| thumbprint (SHA-1) | expires |  |',
    '| --- | --- | --- |',
    '| <code>DF22BA56B68D6DDD13AF04EE4ED542B23695A213</code> | 2027-02-01T00:00:00Z | the new certificate |',
    '',
    '**Next**',
    '',
    '1. Let the API accept these thumbprints: write the output `trusted-thumbprints` (or `certificate`, the PEM) to it.',
    '2. Run the upload step with the outputs `pfx-file` and `password`, and `due-connectors` as its `connector-id`, with `verify-target: true` and a `verify-wait`.',
    '',
    'If the job ends before that, nothing is lost: the next run makes another certificate.',
    '',
    '<details><summary>IDs and certificates</summary>',
    '',
    '**Soon**<br><code>id-Soon</code> api.example',
    '',
    '| thumbprint | valid from | to |  |',
    '| --- | --- | --- | --- |',
    `| **<code>${OLD}</code>** | **2025-06-01T00:00:00Z** | **2026-03-20T00:00:00Z** | **18 days left, active** |`,
    '',
    '**Fine**<br><code>id-Fine</code> api.example',
    '',
    '| thumbprint | valid from | to |  |',
    '| --- | --- | --- | --- |',
    `| **<code>${OLD}</code>** | **2025-06-01T00:00:00Z** | **2026-12-01T00:00:00Z** | **274 days left, active** |`,
    '',
    '</details>',
    '',
  ]);
});

test('a certificate was made, and one in use is not known: the API is changed by hand', () => {
  const lines = summary([soon], { certificate, trust: { ...known, missing: ['A uses another one.'] } });
  expect(lines).toContain('- A uses another one.');
  expect(lines).toContain('1. Let the API accept the new certificate in addition to what it accepts now, by hand.');
  expect(lines.join('\n')).not.toContain('take all others away');
});

test.each<[string, Renewal[]]>([
  ['✅ No connector is due on 2026-03-01.', [fine, basic]],
  ['🔁 2 connectors of 3 due.', [soon, fine, soon]],
  ['❌ 1 connector of 2 could not be judged, 0 due.', [fine, unread]],
  ['❌ 2 connectors of 3 could not be judged, 1 due.', [unread, soon, unread]],
])('%s', (result, renewals) => {
  const lines = summary(renewals);
  expect(lines.slice(2, 5)).toEqual([`${result} Tenant the-tenant.`, '', 'Nothing was made.']);
  expect(lines).not.toContain('**Next**');
});

test('what failed is explained first', () => {
  expect(summary([fine, unread]).slice(6, 12)).toEqual([
    '**THROTTLED** – id-&#60;b&#62; <code>id-&#60;b&#62;</code>',
    '',
    'It was so.',
    '',
    'Do this.',
    '',
  ]);
});

test('in the table: what failed, what is due, what is left out, what is fine; equal ones are one row', () => {
  const renewals = [
    until('Later', '2027-01-01'),
    basic,
    fine,
    on('Empty', connectorWith([])),
    soon,
    until('Gone', '2026-02-01'),
    on('Other', connectorWith([held(OTHER, '2026-03-20')])),
    unread,
  ];
  expect(rows(summary(renewals))).toEqual([
    '| id-&#60;b&#62; | not known |  | ❌ could not be read&#58;<wbr> It was so. |',
    '| Gone | certificate until 2026-02-01 | -29 | 🔁 due&#58;<wbr> has expired |',
    '| 2 connectors:<br>Soon<br>Other | certificate until 2026-03-20 | 18 | 🔁 due |',
    '| Empty | no active certificate |  | 🔁 due&#58;<wbr> has no active certificate&#58;<wbr> its calls are not authenticated with one. |',
    '| Basic | user name and password |  | ⚠️ authenticates with a user name and password, not with a certificate. It is left out&#58;<wbr> to switch it to a certificate, upload one to it once with replace&#58;<wbr> true. |',
    '| Fine | certificate until 2026-12-01 | 274 | ✅ fine |',
    '| Later | certificate until 2027-01-01 | 305 | ✅ fine |',
  ]);
});

test('of very many connectors the most urgent ones', () => {
  const many = Array.from({ length: 500 }, (_, n) => on(`C${n}`, connectorWith([held(OLD, '2027-01-01')])));
  const different = many.map((renewal, n) => ({ ...renewal, daysLeft: n }));
  const lines = summary([...different, soon]);
  expect(rows(lines)).toHaveLength(51);
  expect(rows(lines)[0]).toMatch(/^\| Soon \|/);
  expect(rows(lines)[50]).toMatch(/^\| … and 451 more \|/);
});
