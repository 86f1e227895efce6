/** The job summary: what a person reads in ten seconds. What failed and what is urgent comes first. */
import { appendFileSync } from 'node:fs';
import { info } from '@actions/core';
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import type { Finding } from '../connectors/expiry.ts';
import { failureOf, type Outcome } from '../connectors/outcome.ts';
import type { Trust } from '../connectors/trust.ts';
import { activeCertificate, entriesOf } from '../graph/connector.ts';
import { reason } from '../http/transport-error.ts';
import { clean, markdown } from '../text/clean.ts';
import { connectorIds } from './connector-ids.ts';
import { failures } from './failure-summary.ts';
import { authentication, connectorDetails, day, folded, left, list, plural, table } from './markdown-parts.ts';
import { timeline } from './timeline.ts';
import { trustSection } from './trust-summary.ts';

/** What a summary is about, next to the connectors. */
export interface SummaryContext {
  readonly tenantId: string;
  readonly now: Date;
}

/** The same for the upload step. */
export interface UploadContext extends SummaryContext {
  /** As it was before the first change. */
  readonly trust: Trust;
  /** Where the certificate was read, if that is worth saying. */
  readonly origin?: string | undefined;
}

/** The summary of the upload step. */
export function uploadSummary(
  outcomes: readonly Outcome[],
  certificate: ClientCertificate,
  { tenantId, trust, origin, now }: UploadContext,
): string {
  const worked = outcomes.filter((outcome) => outcome.result !== 'failed');
  const planned = (outcome: Outcome) => (outcome.result === 'would-change' ? certificate : undefined);
  return [
    '## API connector certificate',
    '',
    `${uploadResult(outcomes)} Tenant ${markdown(tenantId, 80)}.`,
    '',
    `The certificate is valid from ${day(certificate.notBefore)} to ${day(certificate.notAfter)} (${left(certificate.notAfter, now)}): <code>${certificate.thumbprint}</code>${origin === undefined ? '' : `<br>Read from ${markdown(origin, 300)}`}`,
    '',
    ...failures(
      outcomes.flatMap((outcome) => {
        const failure = failureOf(outcome);
        return failure ? [{ ...outcome, failure }] : [];
      }),
    ),
    ...table(
      ['connector', 'before → now', 'result'],
      folded(worked, (outcome) => [
        outcome.result === 'changed'
          ? `${authentication(outcome.before)} → ${authentication(outcome.connector)}`
          : authentication(outcome.connector),
        markdown(outcome.text, 600),
      ]),
    ),
    ...trustSection(trust, certificate.thumbprint),
    ...list('Next', nextSteps(outcomes, certificate, now)),
    ...timeline(outcomes.map((outcome) => ({ ...outcome, planned: planned(outcome) }))),
    ...connectorDetails(outcomes, now),
  ].join('\n');
}

/** The same for the check step. */
export interface CheckContext extends SummaryContext {
  /** Whether every connector of the tenant was asked for: who does not name them may need their IDs. */
  readonly all: boolean;
}

/** The summary of the check step. */
export function checkSummary(findings: readonly Finding[], { tenantId, all, now }: CheckContext): string {
  const count = (status: Finding['status']): number => findings.filter((finding) => finding.status === status).length;
  const [failing, warning] = [count('failing'), count('warning')];
  const urgency = { failing: 0, warning: 1, ok: 2 } as const;
  const first = findings.toSorted(
    (a, b) => urgency[a.status] - urgency[b.status] || (a.daysLeft ?? Infinity) - (b.daysLeft ?? Infinity),
  );
  return [
    '## API connector certificates',
    '',
    `${
      failing > 0
        ? `❌ ${plural(failing, 'connector')} of ${findings.length} failing, ${warning} with a warning.`
        : warning > 0
          ? `⚠️ ${plural(warning, 'connector')} of ${findings.length} with a warning.`
          : `✅ ${plural(findings.length, 'connector')} fine.`
    } Tenant ${markdown(tenantId, 80)}.`,
    '',
    ...failures(first.flatMap((finding) => (finding.status === 'failing' ? [finding] : []))),
    ...table(
      ['connector', 'authenticates with', 'days left', 'finding'],
      folded(first, (finding) => [
        authentication(finding.connector),
        finding.daysLeft === undefined ? '' : String(finding.daysLeft),
        `${{ ok: '✅', warning: '⚠️', failing: '❌' }[finding.status]} ${markdown(findingInShort(finding), 600)}`,
      ]),
    ),
    ...timeline(first),
    ...(all ? connectorIds(first) : []),
    ...connectorDetails(first, now),
  ].join('\n');
}

/** Without the date and the thumbprint, which stand next to it and below: so equal findings are one row. */
function findingInShort({ status, daysLeft, text }: Finding): string {
  if (daysLeft === undefined) return text;
  if (status === 'ok') return 'fine';
  return daysLeft < 0 ? 'has expired' : 'expires soon';
}

/** Appends to the job's summary. What was done is done: a summary that cannot be written does not turn the step red. */
export function appendSummary(text: string): void {
  const file = process.env['GITHUB_STEP_SUMMARY'];
  if (!file) return;
  try {
    appendFileSync(file, `${fitting(text)}\n`);
  } catch (error) {
    info(`The job summary could not be written: ${clean(reason(error))}`);
  }
}

/** In bytes: GitHub shows nothing of a summary of more than 1 MiB. */
const LARGEST_SUMMARY = 1_000_000;

function fitting(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= LARGEST_SUMMARY) return text;
  const whole = bytes.subarray(0, bytes.lastIndexOf('\n', LARGEST_SUMMARY));
  return `${whole.toString()}\n\n… The rest is left out: GitHub shows no more than 1 MiB.\n`;
}

/** One line about how the step ended. */
export function uploadResult(outcomes: readonly Outcome[]): string {
  const count = (result: Outcome['result']): number => outcomes.filter((outcome) => outcome.result === result).length;
  const parts = [
    count('failed') > 0 ? `${plural(count('failed'), 'connector')} failed` : '',
    count('changed') > 0 ? `${plural(count('changed'), 'connector')} updated` : '',
    count('would-change') > 0 ? `${plural(count('would-change'), 'connector')} would be updated (dry run)` : '',
    count('unchanged') > 0 ? `${plural(count('unchanged'), 'connector')} left unchanged` : '',
  ];
  return `${count('failed') > 0 ? '❌' : '✅'} ${parts.filter((part) => part !== '').join(', ')}.`;
}

/** What to do next, if anything. */
function nextSteps(outcomes: readonly Outcome[], certificate: ClientCertificate, now: Date): readonly string[] {
  const steps: string[] = [];
  if (outcomes.some(failureOf))
    steps.push('Fix what failed, as above, and run the job again: connectors that are done are left alone.');
  if (certificate.notBefore > now)
    steps.push(
      `Let the API accept the new certificate before ${day(certificate.notBefore)}, when the service switches to it.`,
    );
  else if (outcomes.some((outcome) => replacesAnother(outcome, certificate)))
    steps.push('Let the API accept the old certificate for a while, then remove it there.');
  const basic = outcomes.filter(
    ({ result, before }) => result === 'changed' && before?.authentication.type === 'basic',
  );
  if (basic.length > 0)
    steps.push(
      `${basic.length === 1 ? 'The connector no longer sends' : `${basic.length} connectors no longer send`} a user name and password: take them away from the API.`,
    );
  const warnings = outcomes.flatMap((outcome) => outcome.warnings).map((text) => `⚠️ ${text}`);
  return [...steps, ...warnings].map((step) => markdown(step, 600));
}

/** Whether the connector used another certificate before. */
function replacesAnother({ result, before }: Outcome, certificate: ClientCertificate): boolean {
  const active = activeCertificate(before);
  return result === 'changed' && active !== undefined && !entriesOf(before, certificate).includes(active);
}
