/** What the steps tell: outputs, log lines and annotations. The job summary is in summary.ts. */
import { error as annotateError, info, setOutput, warning } from '@actions/core';
import { clean, cleanUrl } from '../text/clean.ts';
import { Failure } from '../failure.ts';
import type { Connector, ConnectorCertificate } from '../graph/api-connectors.ts';
import type { ClientCertificate } from '../certificate/client-certificate.ts';

/** What became of one connector. */
export interface Outcome {
  readonly id: string;
  /** As it was found; undefined where it could not be read. */
  readonly before: Connector | undefined;
  /** As last seen; undefined where it never was. */
  readonly connector: Connector | undefined;
  readonly result: 'changed' | 'unchanged' | 'would-change' | 'failed';
  /** What was done, or why nothing was; '' where it failed. */
  readonly text: string;
  readonly warnings: readonly string[];
  readonly failure?: Failure;
}

const DAY = 86_400_000;

/** ISO 8601 in UTC, whole seconds: `2022-10-21T11:08:42Z`. */
export function isoSeconds(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** Whole days from `now` to `date`, rounded down; negative in the past. */
export function daysUntil(date: Date, now: Date): number {
  return Math.floor((date.getTime() - now.getTime()) / DAY);
}

/** Nobody reads more, and outputs and summaries have a limit. */
const SHOWN_CERTIFICATES = 50;

/** Oldest first; of very many the active ones and the newest. */
export function byAge(certificates: readonly ConnectorCertificate[]): readonly ConnectorCertificate[] {
  const ascending = (a: ConnectorCertificate, b: ConnectorCertificate): number =>
    a.notBefore - b.notBefore || a.notAfter - b.notAfter;
  const active = certificates.filter((entry) => entry.isActive).slice(0, SHOWN_CERTIFICATES / 2);
  const others = certificates.filter((entry) => !entry.isActive).sort(ascending);
  return [...active, ...others.slice(-(SHOWN_CERTIFICATES - active.length))].sort(ascending);
}

/** Whether the connector authenticates with this certificate now, as far as was seen. */
export function isActive(outcome: Outcome, thumbprint: string): boolean {
  return outcome.connector?.certificates.some((entry) => entry.thumbprint === thumbprint && entry.isActive) ?? false;
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
  setOutput('uploaded', String(outcomes.some((outcome) => outcome.result === 'changed')));
  setOutput('connectors', JSON.stringify(outcomes.map((outcome) => connectorOutput(outcome, certificate))));
}

function connectorOutput(outcome: Outcome, certificate: ClientCertificate): Record<string, unknown> {
  return {
    ...shownConnector(outcome.id, outcome.connector),
    uploaded: outcome.result === 'changed',
    isActive: isActive(outcome, certificate.thumbprint),
    thumbprint: certificate.thumbprint,
    notBefore: certificate.notBefore.getTime() / 1000,
    notAfter: certificate.notAfter.getTime() / 1000,
    certificates: byAge(outcome.connector?.certificates ?? []),
    ...(outcome.failure ? { failure: outcome.failure.code } : {}),
  };
}

/** What every output tells of a connector, cleaned. */
export function shownConnector(id: string, connector: Connector | undefined): Record<string, unknown> {
  return { id, displayName: clean(connector?.displayName), targetUrl: cleanUrl(connector?.targetUrl ?? '', 2000) };
}

/** The connector's name as a person knows it, or its id. */
export function nameOf(id: string, connector: Connector | undefined): string {
  return clean(connector?.displayName, 80) || clean(id, 80);
}

/** One line a connector, with how far the step has come where there are several. */
export function logOutcome(outcome: Outcome, n: number, all: number): void {
  const progress = all > 1 ? `[${n}/${all}] ` : '';
  info(
    `${progress}API connector ${nameOf(outcome.id, outcome.connector)}: ${outcome.failure?.message ?? outcome.text}`,
  );
}

/** Says each of these as an annotation. */
export function warn(messages: readonly string[], title: string): void {
  for (const message of messages) warning(message, { title });
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
