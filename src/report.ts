/** What the step tells: its outputs, the job summary, annotations. */
import { error as annotateError, info, setOutput, summary, warning } from '@actions/core';
import { clean, markdown } from './clean.ts';
import { Failure } from './failure.ts';
import type { Connector, ConnectorCertificate } from './graph.ts';
import type { ClientCertificate } from './pkcs12/certificate.ts';

/** What became of one connector. */
export interface Outcome {
  readonly id: string;
  /** As last seen; undefined where it never was. */
  readonly connector: Connector | undefined;
  readonly uploaded: boolean;
  /** One line: what was done, or why nothing was. */
  readonly text: string;
  readonly failure?: Failure;
}

const DAY = 86_400_000;

/** ISO 8601 in UTC, whole seconds: `2022-10-21T11:08:42Z`. */
export function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** Whole days from `now` to `date`, rounded down; negative in the past. */
export function daysUntil(date: Date, now: Date): number {
  return Math.floor((date.getTime() - now.getTime()) / DAY);
}

/** The certificate's own outputs; set as soon as it is known, so that they are there after a failure too. */
export function setCertificateOutputs(certificate: ClientCertificate): void {
  setOutput('thumbprint', certificate.thumbprint);
  setOutput('not-after', isoSeconds(certificate.notAfter));
  setOutput('not-before', isoSeconds(certificate.notBefore));
}

/** The outputs that tell what became of the connectors. */
export function setConnectorOutputs(outcomes: readonly Outcome[], certificate: ClientCertificate): void {
  setOutput('is-active', String(outcomes.every((outcome) => isActive(outcome, certificate.thumbprint))));
  setOutput('uploaded', String(outcomes.some((outcome) => outcome.uploaded)));
  setOutput('connectors', JSON.stringify(outcomes.map((outcome) => connectorOutput(outcome, certificate))));
}

function connectorOutput(outcome: Outcome, certificate: ClientCertificate): Record<string, unknown> {
  const { connector } = outcome;
  return {
    id: outcome.id,
    displayName: clean(connector?.displayName),
    targetUrl: clean(connector?.targetUrl, 2000),
    uploaded: outcome.uploaded,
    isActive: isActive(outcome, certificate.thumbprint),
    thumbprint: certificate.thumbprint,
    notBefore: certificate.notBefore.getTime() / 1000,
    notAfter: certificate.notAfter.getTime() / 1000,
    certificates: byAge(connector?.certificates ?? []),
    ...(outcome.failure ? { failure: outcome.failure.code } : {}),
  };
}

/** Whether the connector authenticates with this certificate now, as far as was seen. */
export function isActive(outcome: Outcome, thumbprint: string): boolean {
  return outcome.connector?.certificates.some((entry) => entry.thumbprint === thumbprint && entry.isActive) ?? false;
}

function byAge(certificates: readonly ConnectorCertificate[]): readonly ConnectorCertificate[] {
  return [...certificates].sort((a, b) => a.notBefore - b.notBefore || a.notAfter - b.notAfter);
}

/** A summary that is read in ten seconds: the result, a row a connector, the certificates each holds. */
export async function writeSummary(
  outcomes: readonly Outcome[],
  certificate: ClientCertificate,
  now: Date,
): Promise<void> {
  const failed = outcomes.filter((outcome) => outcome.failure !== undefined).length;
  const uploaded = outcomes.filter((outcome) => outcome.uploaded).length;
  const lines = [
    '## API connector certificate',
    '',
    failed === 0
      ? `✅ ${count(uploaded, 'connector')} updated, ${outcomes.length - uploaded} left as they were.`
      : `❌ ${failed} of ${count(outcomes.length, 'connector')} failed.`,
    '',
    `Certificate <code>${certificate.thumbprint}</code>, valid from ${isoSeconds(certificate.notBefore)} to ${isoSeconds(certificate.notAfter)} (${count(daysUntil(certificate.notAfter, now), 'day')} left).`,
    '',
    '| connector | target | result | active |',
    '| --- | --- | --- | --- |',
    ...outcomes.map((outcome) =>
      [
        '',
        outcome.connector
          ? `${markdown(outcome.connector.displayName)}<br><code>${markdown(outcome.id)}</code>`
          : `<code>${markdown(outcome.id)}</code>`,
        markdown(hostOf(outcome.connector?.targetUrl)),
        markdown(outcome.failure ? `${outcome.failure.code}: ${outcome.failure.message}` : outcome.text, 600),
        isActive(outcome, certificate.thumbprint) ? 'yes' : 'no',
        '',
      ]
        .join(' | ')
        .trim(),
    ),
    '',
    ...outcomes.flatMap((outcome) => certificateTable(outcome)),
  ];
  await appendSummary(`${lines.join('\n')}\n`);
}

function certificateTable(outcome: Outcome): readonly string[] {
  if (!outcome.connector || outcome.connector.certificates.length === 0) return [];
  return [
    `<details><summary>Certificates of ${markdown(outcome.connector.displayName)}</summary>`,
    '',
    '| thumbprint | valid from | to | active |',
    '| --- | --- | --- | --- |',
    ...byAge(outcome.connector.certificates).map(
      (entry) =>
        `| <code>${markdown(entry.thumbprint)}</code> | ${fromSeconds(entry.notBefore)} | ${fromSeconds(entry.notAfter)} | ${entry.isActive ? 'yes' : 'no'} |`,
    ),
    '',
    '</details>',
    '',
  ];
}

/** Reports the failure as an annotation whose title is its code, and marks the step as failed. */
export function reportFailure(error: unknown): void {
  const failure = asFailure(error);
  annotateError(`${failure.message}\n${failure.remedy}`, { title: failure.code });
  process.exitCode = 1;
}

/** Anything that was thrown, explained as far as it can be. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(
    'INTERNAL_ERROR',
    `Something went wrong that this action does not know: ${clean(error instanceof Error ? `${error.name}: ${error.message}` : String(error))}`,
    'Please report it, with this message and the version of the action.',
    { cause: error },
  );
}

/** Says each of these as a line of the log and as an annotation. */
export function warn(messages: readonly string[], title: string): void {
  for (const message of messages) warning(message, { title });
}

async function appendSummary(text: string): Promise<void> {
  if (!process.env['GITHUB_STEP_SUMMARY']) return;
  try {
    await summary.addRaw(text).write();
  } catch (error) {
    // What was done is done; a summary that cannot be written must not turn it red.
    info(`The job summary could not be written: ${clean(error instanceof Error ? error.message : '')}`);
  }
}

function hostOf(url: string | undefined): string {
  return url !== undefined && URL.canParse(url) ? new URL(url).host : '';
}

function fromSeconds(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? 'unknown' : isoSeconds(date);
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
