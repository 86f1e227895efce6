/** Log lines and annotations. */
import { error as annotateError, info, warning } from '@actions/core';
import type { Outcome } from '../connectors/outcome.ts';
import { asFailure, type Failure } from '../failure.ts';
import { nameOf } from '../graph/connector.ts';

/** One line a connector, with how far the step has come if there are several. */
export function logOutcome(outcome: Outcome, n: number, all: number): void {
  const progress = all > 1 ? `[${n}/${all}] ` : '';
  const text = outcome.result === 'failed' ? outcome.failure.message : outcome.text;
  info(`${progress}API connector ${nameOf(outcome.id, outcome.connector)}: ${text}`);
}

/** The runner keeps 10 errors and 10 warnings of a step. */
const SHOWN = 8;

/** Shows each of these as an annotation; of very many the last stands for the rest. */
export function warn(messages: readonly string[], title: string): void {
  for (const message of messages.slice(0, SHOWN)) warning(message, { title });
  const rest = messages.length - SHOWN;
  if (rest > 0) warning(`${rest} more warnings are in the log and in the job summary.`, { title });
  for (const message of messages.slice(SHOWN)) info(message);
}

/** Reports the failure as an annotation whose title is its code, and marks the step as failed. */
export function reportFailure(error: unknown): void {
  const failure = asFailure(error);
  annotateError(`${failure.message}\n${failure.remedy}`, { title: failure.code });
  process.exitCode = 1;
}

/** {@link reportFailure} for each; of very many the last stands for the rest. */
export function reportFailures(failures: readonly Failure[]): void {
  failures.slice(0, SHOWN).forEach(reportFailure);
  const rest = failures.slice(SHOWN);
  if (rest.length === 0) return;
  for (const { code, message, remedy } of rest) info(`${code}: ${message}\n${remedy}`);
  const codes = [...new Set(rest.map(({ code }) => code))].join(', ');
  annotateError(
    `${rest.length} more API connectors failed (${codes}). The log and the job summary have each of them.`,
    {
      title: 'MORE_FAILURES',
    },
  );
}
