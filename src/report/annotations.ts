/** Log lines and annotations. */
import { error as annotateError, info, warning } from '@actions/core';
import type { Outcome } from '../connectors/outcome.ts';
import type { Trust } from '../connectors/trust.ts';
import type { Failure } from '../failure.ts';
import { nameOf } from '../graph/connector.ts';
import { withoutCommands } from '../text/clean.ts';
import { troubleshootingUrl } from './failure-summary.ts';
import { plural } from './markdown-parts.ts';

/** Prints a text with what services sent in it: no line of it becomes a command of the runner, whatever it is. */
function print(text: string): void {
  info(
    text
      .split(/\r\n|[\r\n]/)
      .map(withoutCommands)
      .join('\n'),
  );
}

/** One line a connector, with how far the step has come if there are several. */
export function logOutcome(outcome: Outcome, n: number, all: number): void {
  const progress = all > 1 ? `[${n}/${all}] ` : '';
  const text = outcome.result === 'failed' ? outcome.failure.message : outcome.text;
  print(`${progress}API connector ${nameOf(outcome.id, outcome.connector)}: ${text}`);
}

/** What the API has to trust from now on, and a warning for each certificate that is missing from it. */
export function logTrust({ certificates, missing, unread }: Trust): void {
  if (unread > 0) {
    info(
      `The output trusted-thumbprints is not set: the certificates of ${plural(unread, 'API connector')} could not be read.`,
    );
    return;
  }
  const set = certificates.map(({ thumbprint }) => thumbprint).join(', ');
  print(
    missing.length > 0
      ? `The output trusted-thumbprints is not set: of the certificates in use, ${missing.length === 1 ? 'one is' : `${missing.length} are`} not known by SHA-1. The others: ${set || 'none'}.`
      : `The API has to accept from now on: ${set || 'nothing'}.`,
  );
  warn(missing, 'API connector');
}

/** The runner cuts a message at 4,096 characters, in the log too. */
const LONGEST_ANNOTATION = 4_000;
const MORE_IN_LOG = '\n… (all of it is in the log and in the job summary)';

/** Of what happened, so that there is room for what to do. */
const LONGEST_MESSAGE = 2_500;
/** The end of a message has the ids that support asks for. */
const END_OF_MESSAGE = 500;

/** The runner keeps 10 errors and 10 warnings of a step. */
const SHOWN = 8;

/** Shows each of these as an annotation; of very many the last stands for the rest. */
export function warn(messages: readonly string[], title: string): void {
  for (const message of messages.slice(0, SHOWN)) warning(message, { title });
  const rest = messages.length - SHOWN;
  if (rest > 0) warning(`${plural(rest, 'more warning')}: see the log and the job summary.`, { title });
  for (const message of messages.slice(SHOWN)) print(message);
}

/** Reports the failure as an annotation whose title is its code, and marks the step as failed. */
export function reportFailure({ code, message, remedy }: Failure): void {
  const url = troubleshootingUrl(code, process.env);
  const link = url === undefined ? '' : `\nMore: ${url}`;
  const what = shortened(message);
  const room = LONGEST_ANNOTATION - what.length - link.length;
  const fix = remedy.length <= room ? remedy : `${wholeLines(remedy, room - MORE_IN_LOG.length)}${MORE_IN_LOG}`;
  annotateError(`${what}\n${fix}${link}`, { title: code });
  if (what !== message) print(message);
  if (fix !== remedy) print(remedy);
  process.exitCode = 1;
}

/** Without its middle, if it is too long. */
function shortened(message: string): string {
  if (message.length <= LONGEST_MESSAGE) return message;
  const start = message.slice(0, LONGEST_MESSAGE - END_OF_MESSAGE).toWellFormed();
  return `${start} … ${message.slice(-END_OF_MESSAGE).toWellFormed()}`;
}

function wholeLines(text: string, longest: number): string {
  const cut = text.slice(0, Math.max(0, longest));
  return cut.slice(0, Math.max(0, cut.lastIndexOf('\n')));
}

/** {@link reportFailure} for each; of very many the last stands for the rest. */
export function reportFailures(failures: readonly Failure[]): void {
  failures.slice(0, SHOWN).forEach(reportFailure);
  const rest = failures.slice(SHOWN);
  if (rest.length === 0) return;
  for (const { code, message, remedy } of rest) print(`${code}: ${message}\n${remedy}`);
  const codes = [...new Set(rest.map(({ code }) => code))].join(', ');
  annotateError(`${plural(rest.length, 'more API connector')} failed (${codes}): see the log and the job summary.`, {
    title: 'MORE_FAILURES',
  });
}
