/** The job summary of the create step: which connectors are due, what was made, and what to set where. */
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import type { Renewal } from '../connectors/renewal.ts';
import type { Trust } from '../connectors/trust.ts';
import { nameOf } from '../graph/connector.ts';
import { markdown } from '../text/clean.ts';
import { isoSeconds } from '../text/dates.ts';
import { day } from './markdown-parts.ts';
import { trustSection } from './trust-summary.ts';

/** What became of the create step. */
export interface Created {
  readonly renewals: readonly Renewal[];
  /** Undefined if none was needed, or the step failed. */
  readonly certificate: ClientCertificate | undefined;
  /** Undefined if the step failed. */
  readonly trust: Trust | undefined;
  readonly now: Date;
}

const MARKS = { due: '🔁 due:', fine: '✅', skipped: '⚠️', failing: '❌' } as const;

function byUrgency(a: Renewal, b: Renewal): number {
  const order = ['failing', 'due', 'skipped', 'fine'];
  return order.indexOf(a.status) - order.indexOf(b.status);
}

/** The summary of the create step. */
export function createSummary({ renewals, certificate, trust, now }: Created): string {
  return [
    '## A new certificate for API connectors',
    '',
    outcome(renewals, certificate, now),
    '',
    '| connector | finding |',
    '| --- | --- |',
    ...renewals
      .toSorted(byUrgency)
      .map(
        ({ id, connector, status, text }) =>
          `| ${markdown(nameOf(id, connector), 80)}<br><code>${markdown(id, 80)}</code> | ${MARKS[status]} ${markdown(text, 600)} |`,
      ),
    '',
    ...(trust ? trustSection(trust, certificate?.thumbprint) : []),
    ...(certificate ? NEXT : []),
  ].join('\n');
}

function outcome(renewals: readonly Renewal[], certificate: ClientCertificate | undefined, now: Date): string {
  const count = (status: Renewal['status']): number => renewals.filter((renewal) => renewal.status === status).length;
  if (count('failing') > 0)
    return `❌ ${count('failing')} of ${renewals.length} could not be judged. Nothing was made.`;
  if (!certificate) return `✅ No connector is due on ${day(now)}. Nothing was made.`;
  return `🔁 ${count('due')} of ${renewals.length} due. New certificate <code>${certificate.thumbprint}</code>, valid from ${isoSeconds(certificate.notBefore)} to ${isoSeconds(certificate.notAfter)}. Its key is on this runner only, until the end of the job.`;
}

const NEXT = [
  '**Next**',
  '',
  '1. Let the API accept these thumbprints: write the output `trusted-thumbprints` (or `certificate`, the PEM) to it.',
  '2. Run the upload step with the outputs `pfx-file` and `password`, with `verify-target: true` and a `verify-wait`.',
  '',
  'If the job ends before that, nothing is lost: the next run makes another certificate.',
  '',
];
