/** The job summary of the create step: which connectors are due, what was made, and what to set where. */
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import type { Renewal } from '../connectors/renewal.ts';
import { isComplete, type Trust } from '../connectors/trust.ts';
import { markdown } from '../text/clean.ts';
import { isoSeconds } from '../text/dates.ts';
import { failures } from './failure-summary.ts';
import { authentication, connectorDetails, day, folded, plural, table } from './markdown-parts.ts';
import { trustSection } from './trust-summary.ts';

/** What became of the create step. */
export interface Created {
  readonly tenantId: string;
  readonly renewals: readonly Renewal[];
  /** Undefined if none was made. */
  readonly certificate: ClientCertificate | undefined;
  readonly trust: Trust;
  readonly now: Date;
}

/** The summary of the create step. */
export function createSummary({ tenantId, renewals, certificate, trust, now }: Created): string {
  const first = renewals.toSorted(
    (a, b) => URGENCY[a.status] - URGENCY[b.status] || (a.daysLeft ?? Infinity) - (b.daysLeft ?? Infinity),
  );
  return [
    '## A new certificate for API connectors',
    '',
    `${found(renewals, now)} Tenant ${markdown(tenantId, 80)}.`,
    '',
    made(certificate),
    '',
    ...failures(first.flatMap((renewal) => (renewal.status === 'failing' ? [renewal] : []))),
    ...table(
      ['connector', 'authenticates with', 'days left', 'finding'],
      folded(first, (renewal) => [
        authentication(renewal.connector),
        renewal.daysLeft === undefined ? '' : String(renewal.daysLeft),
        `${MARKS[renewal.status]} ${markdown(inShort(renewal), 600)}`,
      ]),
    ),
    ...trustSection(trust, certificate?.thumbprint),
    ...(certificate ? next(isComplete(trust)) : []),
    ...connectorDetails(first, now),
  ].join('\n');
}

const URGENCY = { failing: 0, due: 1, skipped: 2, fine: 3 } as const;
const MARKS = { failing: '❌', due: '🔁', skipped: '⚠️', fine: '✅' } as const;

function found(renewals: readonly Renewal[], now: Date): string {
  const count = (status: Renewal['status']): number => renewals.filter((renewal) => renewal.status === status).length;
  const [failing, due] = [count('failing'), count('due')];
  const of = `of ${renewals.length}`;
  if (failing > 0) return `❌ ${plural(failing, 'connector')} ${of} could not be judged, ${due} due.`;
  return due > 0 ? `🔁 ${plural(due, 'connector')} ${of} due.` : `✅ No connector is due on ${day(now)}.`;
}

function made(certificate: ClientCertificate | undefined): string {
  if (!certificate) return 'Nothing was made.';
  const { thumbprint, notBefore, notAfter } = certificate;
  return `New certificate <code>${thumbprint}</code>, valid from ${isoSeconds(notBefore)} to ${isoSeconds(notAfter)}. Its key is on this runner only, until the end of the job.`;
}

/** Without the date and the thumbprint, which stand next to it and below: so equal findings are one row. */
function inShort({ status, daysLeft, text }: Renewal): string {
  if (daysLeft === undefined) return status === 'due' ? `due: ${text}` : text;
  if (status === 'fine') return 'fine';
  return daysLeft < 0 ? 'due: has expired' : 'due';
}

function next(trustIsKnown: boolean): readonly string[] {
  return [
    '**Next**',
    '',
    trustIsKnown
      ? '1. Let the API accept these thumbprints: write the output `trusted-thumbprints` (or `certificate`, the PEM) to it.'
      : '1. Let the API accept the new certificate in addition to what it accepts now, by hand.',
    '2. Run the upload step with the outputs `pfx-file` and `password`, and `due-connectors` as its `connector-id`, with `verify-target: true` and a `verify-wait`.',
    '',
    'If the job ends before that, nothing is lost: the next run makes another certificate.',
    '',
  ];
}
