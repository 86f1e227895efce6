/** The job summary of the create step. */
import { expect, test } from '@jest/globals';
import type { Renewal } from '../../src/connectors/renewal.ts';
import { Failure } from '../../src/failure.ts';
import { createSummary, type Created } from '../../src/report/create-summary.ts';
import { connectorWith, newCertificate, NOW, OLD } from '../connectors/samples.ts';

const certificate = newCertificate();
const failure = new Failure('THROTTLED', 'It was so.', 'Do this.');
const renewal = (status: Renewal['status'], displayName: string): Renewal => {
  const common = { id: `id-${displayName}`, connector: connectorWith('none', { displayName }), text: `is ${status}.` };
  return status === 'failing' ? { ...common, status, failure } : { ...common, status };
};
const summary = (changes: Partial<Created>): readonly string[] =>
  createSummary({ renewals: [], certificate: undefined, trust: undefined, now: NOW, ...changes }).split('\n');

test('a certificate was made: for whom, what to trust, and what is next', () => {
  const renewals = (['fine', 'skipped', 'due', 'due'] as const).map((status, n) => renewal(status, 'ABCD'.charAt(n)));
  const certificates = [{ thumbprint: OLD, notAfter: new Date('2026-06-01'), usedBy: [], usedLaterBy: [] }];
  const trust = { certificates, missing: [], unread: 0 };
  expect(summary({ renewals, certificate, trust })).toEqual([
    '## A new certificate for API connectors',
    '',
    '🔁 2 of 4 due. New certificate <code>DF22BA56B68D6DDD13AF04EE4ED542B23695A213</code>, valid from 2026-02-01T00:00:00Z to 2027-02-01T00:00:00Z. Its key is on this runner only, until the end of the job.',
    '',
    '| connector | finding |',
    '| --- | --- |',
    '| C<br><code>id-C</code> | 🔁 due: is due. |',
    '| D<br><code>id-D</code> | 🔁 due: is due. |',
    '| B<br><code>id-B</code> | ⚠️ is skipped. |',
    '| A<br><code>id-A</code> | ✅ is fine. |',
    '',
    '**What the API has to accept from now on** (set these, and take all others away)',
    '',
    '| thumbprint (SHA-1) | expires |  |',
    '| --- | --- | --- |',
    `| <code>${OLD}</code> | 2026-06-01T00:00:00Z |  |`,
    '',
    '**Next**',
    '',
    '1. Let the API accept these thumbprints: write the output `trusted-thumbprints` (or `certificate`, the PEM) to it.',
    '2. Run the upload step with the outputs `pfx-file` and `password`, with `verify-target: true` and a `verify-wait`.',
    '',
    'If the job ends before that, nothing is lost: the next run makes another certificate.',
    '',
  ]);
});

test('none is due: what is in use stays trusted', () => {
  const trust = {
    certificates: [{ thumbprint: OLD, notAfter: NOW, usedBy: [], usedLaterBy: [] }],
    missing: [],
    unread: 0,
  };
  expect(summary({ renewals: [renewal('fine', 'A')], trust })).toEqual([
    '## A new certificate for API connectors',
    '',
    '✅ No connector is due on 2026-03-01. Nothing was made.',
    '',
    '| connector | finding |',
    '| --- | --- |',
    '| A<br><code>id-A</code> | ✅ is fine. |',
    '',
    expect.stringMatching(/^\*\*What the API has to accept/),
    '',
    '| thumbprint (SHA-1) | expires |  |',
    '| --- | --- | --- |',
    `| <code>${OLD}</code> | 2026-03-01T12:00:00Z |  |`,
    '',
  ]);
});

test('one could not be judged: nothing was made', () => {
  const renewals = (['due', 'failing', 'fine'] as const).map((status) => renewal(status, 'A'));
  const lines = summary({ renewals });
  expect(lines[2]).toBe('❌ 1 of 3 could not be judged. Nothing was made.');
  expect(lines.slice(-2)).toEqual(['| A<br><code>id-A</code> | ✅ is fine. |', '']);
});

test('what could not be judged comes first, and nothing foreign is markup', () => {
  const odd = { ...renewal('failing', '<b>'), id: '[x]', text: 'says |.' } as Renewal;
  const lines = summary({ renewals: [renewal('due', 'A'), odd] });
  expect(lines.slice(6, 8)).toEqual([
    '| &#60;b&#62;<br><code>&#91;x&#93;</code> | ❌ says &#124;. |',
    '| A<br><code>id-A</code> | 🔁 due: is due. |',
  ]);
});

test('the new one is marked among those to trust', () => {
  const certificates = [{ ...certificate, usedBy: [], usedLaterBy: [] }];
  const trust = { certificates, missing: [], unread: 0 };
  expect(summary({ renewals: [renewal('due', 'A')], certificate, trust })).toContainEqual(
    expect.stringMatching(/\| the new certificate \|$/),
  );
});
