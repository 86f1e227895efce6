/** The job summary: what a person reads in ten seconds. Everything foreign in it is escaped. */
import { appendFileSync } from 'node:fs';
import { info } from '@actions/core';
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import type { Finding } from '../connectors/expiry.ts';
import { failureOf, isActive, type Outcome } from '../connectors/outcome.ts';
import {
  activeCertificate,
  byAge,
  certificatesOf,
  nameOf,
  type Connector,
  type ConnectorCertificate,
} from '../graph/connector.ts';
import { clean, markdown } from '../text/clean.ts';
import { dateFromSeconds, daysUntil, isoSeconds } from '../text/dates.ts';

/** The summary of the upload step. */
export function uploadSummary(outcomes: readonly Outcome[], certificate: ClientCertificate, now: Date): string {
  return [
    '## API connector certificate',
    '',
    uploadResult(outcomes),
    '',
    `New certificate <code>${certificate.thumbprint}</code>, valid from ${day(certificate.notBefore)} to ${day(certificate.notAfter)} (${left(certificate.notAfter, now)}).`,
    '',
    '| connector | target | before → after | active | days left | result |',
    '| --- | --- | --- | --- | --- | --- |',
    ...outcomes.map((outcome) =>
      row([
        `${markdown(nameOf(outcome.id, outcome.connector), 80)}<br><code>${markdown(outcome.id, 80)}</code>`,
        host(outcome.connector),
        outcome.result === 'changed'
          ? `${authentication(outcome.before)} → ${authentication(outcome.connector)}`
          : authentication(outcome.connector),
        isActive(outcome, certificate) ? 'yes' : 'no',
        daysLeft(outcome.connector, now),
        markdown(
          outcome.result === 'failed' ? `${outcome.failure.code}: ${outcome.failure.message}` : outcome.text,
          600,
        ),
      ]),
    ),
    '',
    ...nextSteps(outcomes, certificate, now),
    ...timeline(
      outcomes.map(({ id, connector }) => ({ id, connector })),
      now,
    ),
    ...outcomes.flatMap(({ id, connector }) => certificateTable(id, connector, now)),
  ].join('\n');
}

/** The summary of the check step. */
export function checkSummary(findings: readonly Finding[], now: Date): string {
  const count = (status: Finding['status']): number => findings.filter((finding) => finding.status === status).length;
  const [failing, warning] = [count('failing'), count('warning')];
  return [
    '## API connector certificates',
    '',
    failing > 0
      ? `❌ ${plural(failing, 'connector')} of ${findings.length} failing, ${warning} with a warning.`
      : warning > 0
        ? `⚠️ ${plural(warning, 'connector')} of ${findings.length} with a warning.`
        : `✅ ${plural(findings.length, 'connector')} fine.`,
    '',
    '| connector | target | authenticates with | days left | finding |',
    '| --- | --- | --- | --- | --- |',
    ...findings.map((finding) =>
      row([
        `${markdown(nameOf(finding.id, finding.connector), 80)}<br><code>${markdown(finding.id, 80)}</code>`,
        host(finding.connector),
        authentication(finding.connector),
        finding.daysLeft === undefined ? '' : String(finding.daysLeft),
        `${{ ok: '✅', warning: '⚠️', failing: '❌' }[finding.status]} ${markdown(finding.text, 600)}`,
      ]),
    ),
    '',
    ...timeline(findings, now),
    ...findings.flatMap(({ id, connector }) => certificateTable(id, connector, now)),
  ].join('\n');
}

/** Appends to the job's summary. What was done is done: a summary that cannot be written does not turn the step red. */
export function appendSummary(text: string): void {
  const file = process.env['GITHUB_STEP_SUMMARY'];
  if (!file) return;
  try {
    appendFileSync(file, `${text}\n`);
  } catch (error) {
    info(`The job summary could not be written: ${clean(error instanceof Error ? error.message : '')}`);
  }
}

/** One line that tells how the step ended. */
export function uploadResult(outcomes: readonly Outcome[]): string {
  const count = (result: Outcome['result']): number => outcomes.filter((outcome) => outcome.result === result).length;
  const parts = [
    count('changed') > 0 ? `${plural(count('changed'), 'connector')} updated` : '',
    count('would-change') > 0 ? `${plural(count('would-change'), 'connector')} would be updated (dry run)` : '',
    count('unchanged') > 0 ? `${plural(count('unchanged'), 'connector')} left unchanged` : '',
    count('failed') > 0 ? `${plural(count('failed'), 'connector')} failed` : '',
  ];
  return `${count('failed') > 0 ? '❌' : '✅'} ${parts.filter((part) => part !== '').join(', ')}.`;
}

/** What to do next, if anything. */
function nextSteps(outcomes: readonly Outcome[], certificate: ClientCertificate, now: Date): readonly string[] {
  const steps: string[] = [];
  if (outcomes.some(failureOf))
    steps.push(
      'Mend what failed (the annotations of this run say how) and run the job again: connectors that are done are left alone.',
    );
  if (certificate.notBefore > now)
    steps.push(
      `Let the API accept the new certificate before ${day(certificate.notBefore)}, when the service switches to it.`,
    );
  else if (outcomes.some(({ result }) => result === 'changed'))
    steps.push('Let the API accept the old certificate for a while yet, then take it away there.');
  for (const text of outcomes.flatMap(({ warnings }) => warnings)) steps.push(`⚠️ ${text}`);
  return steps.length === 0 ? [] : ['**Next**', '', ...steps.map((step) => `- ${markdown(step, 600)}`), ''];
}

/** Mermaid's gantt chart: a bar a certificate. Only letters, digits and dates go in, since its grammar has no escapes. */
function timeline(
  items: readonly { readonly id: string; readonly connector: Connector | undefined }[],
  now: Date,
): readonly string[] {
  const charted = items.filter(({ connector }) => certificatesOf(connector).length > 0).slice(0, 10);
  const bars = charted.flatMap(({ id, connector }) => [
    `  section ${
      nameOf(id, connector)
        .replace(/[^\p{L}\p{N} -]/gu, ' ')
        .trim()
        .slice(0, 40) || 'connector'
    }`,
    ...byAge(certificatesOf(connector))
      .slice(-6)
      .flatMap((entry) => bar(entry, now)),
  ]);
  if (bars.length === charted.length) return [];
  return ['```mermaid', 'gantt', '  dateFormat YYYY-MM-DD', '  axisFormat %Y-%m', ...bars, '```', ''];
}

function bar(entry: ConnectorCertificate, now: Date): readonly string[] {
  const [from, to] = [dateFromSeconds(entry.notBefore), dateFromSeconds(entry.notAfter)];
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) return [];
  const state = entry.isActive ? 'active, ' : to < now ? 'done, ' : '';
  return [
    `  ${entry.thumbprint.replace(/[^0-9A-F]/g, '').slice(0, 8)}${entry.isActive ? ' active' : ''} :${state}${day(from)}, ${day(to)}`,
  ];
}

/** Oldest to newest, and which one is active. */
function certificateTable(id: string, connector: Connector | undefined, now: Date): readonly string[] {
  const certificates = certificatesOf(connector);
  if (certificates.length === 0) return [];
  return [
    `<details><summary>Certificates of ${markdown(nameOf(id, connector), 80)}</summary>`,
    '',
    '| thumbprint | valid from | to | | active |',
    '| --- | --- | --- | --- | --- |',
    ...byAge(certificates).map((entry) =>
      row([
        `<code>${markdown(entry.thumbprint, 64)}</code>`,
        isoSeconds(dateFromSeconds(entry.notBefore)),
        isoSeconds(dateFromSeconds(entry.notAfter)),
        left(dateFromSeconds(entry.notAfter), now),
        entry.isActive ? 'yes' : 'no',
      ]),
    ),
    '',
    '</details>',
    '',
  ];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function host(connector: Connector | undefined): string {
  const url = connector?.targetUrl ?? '';
  return URL.canParse(url) ? markdown(new URL(url).host, 100) : '';
}

/** Of the certificate that the connector authenticates with now. */
function daysLeft(connector: Connector | undefined, now: Date): string {
  const active = activeCertificate(connector);
  const days = active ? daysUntil(dateFromSeconds(active.notAfter), now) : Number.NaN;
  return Number.isNaN(days) ? '' : String(days);
}

/** What a connector authenticates with, in a few letters. */
function authentication(connector: Connector | undefined): string {
  if (connector === undefined) return 'not known';
  const active = activeCertificate(connector);
  if (active) {
    return `<code>${markdown(active.thumbprint.slice(0, 8))}</code> until ${day(dateFromSeconds(active.notAfter))}`;
  }
  return {
    basic: 'user name and password',
    certificate: 'no active certificate',
    none: 'nothing',
    unknown: 'something unknown',
  }[connector.authentication.type];
}

function left(date: Date, now: Date): string {
  const days = daysUntil(date, now);
  return Number.isNaN(days) ? '' : days < 0 ? 'expired' : `${plural(days, 'day')} left`;
}

function day(date: Date): string {
  return isoSeconds(date).slice(0, 10);
}

function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
