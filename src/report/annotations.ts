/** Log lines and annotations. */
import { error as annotateError, info, warning } from '@actions/core';
import type { Outcome } from '../connectors/outcome.ts';
import { isTooLong, type Trust } from '../connectors/trust.ts';
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

/** Nobody reads more thumbprints in a log. */
const SHOWN_THUMBPRINTS = 100;

/** What the API has to trust from now on. What is missing from it are warnings, which stand with the others of the step. */
export function logTrust(trust: Trust): void {
  const { certificates, missing, unread } = trust;
  if (unread > 0) {
    info(
      `The output trusted-thumbprints is not set: the certificates of ${plural(unread, 'API connector')} could not be read.`,
    );
    return;
  }
  const more = certificates.length - SHOWN_THUMBPRINTS;
  const shown = certificates.slice(0, SHOWN_THUMBPRINTS).map(({ thumbprint }) => thumbprint);
  const set = `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  if (isTooLong(trust)) {
    print(`The output trusted-thumbprints is not set: ${certificates.length} thumbprints are too many for it. ${set}.`);
    return;
  }
  print(
    missing.length > 0
      ? `The output trusted-thumbprints is not set: of the certificates in use, ${missing.length === 1 ? 'one is' : `${missing.length} are`} not known by SHA-1. The others: ${set || 'none'}.`
      : `The API has to accept from now on: ${set || 'nothing'}.`,
  );
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

/** Of a step that warns twice, and perhaps of a short password: with a line for the rest of each, these are 10. */
export const SHOWN_OF_TWO = { certificate: 2, connectors: 5 } as const;

/** Shows each of these as an annotation; if there are more than `shown`, the last stands for the rest. */
export function warn(messages: readonly string[], title: string, shown: number = SHOWN): void {
  for (const message of messages.slice(0, shown)) warning(message, { title });
  const rest = messages.length - shown;
  if (rest > 0) warning(`${plural(rest, 'more warning')}: see the log.`, { title });
  for (const message of messages.slice(shown)) print(message);
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
