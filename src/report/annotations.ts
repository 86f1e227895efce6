/** Log lines and annotations. */
import { error as annotateError, info, warning } from '@actions/core';
import type { Outcome } from '../connectors/outcome.ts';
import { asFailure } from '../failure.ts';
import { nameOf } from '../graph/connector.ts';

/** One line a connector, with how far the step has come if there are several. */
export function logOutcome(outcome: Outcome, n: number, all: number): void {
  const progress = all > 1 ? `[${n}/${all}] ` : '';
  const text = outcome.result === 'failed' ? outcome.failure.message : outcome.text;
  info(`${progress}API connector ${nameOf(outcome.id, outcome.connector)}: ${text}`);
}

/** Shows each of these as an annotation. */
export function warn(messages: readonly string[], title: string): void {
  for (const message of messages) warning(message, { title });
}

/** Reports the failure as an annotation whose title is its code, and marks the step as failed. */
export function reportFailure(error: unknown): void {
  const failure = asFailure(error);
  annotateError(`${failure.message}\n${failure.remedy}`, { title: failure.code });
  process.exitCode = 1;
}
