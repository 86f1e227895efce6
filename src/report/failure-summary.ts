/** A failure as the job summary shows it: cause first, then the fix with its commands ready to be copied. */
import type { Failure } from '../failure.ts';
import { nameOf } from '../graph/connector.ts';
import { markdown } from '../text/clean.ts';
import { fenced, list, type Shown } from './markdown-parts.ts';

/** Longer than any message of this action. */
const LONGEST = 4_000;

/** The cause, the fix, and where to read on. `who` is whom it is about, as Markdown; '' for the step itself. */
export function failureLines({ code, message, remedy }: Failure, who = ''): readonly string[] {
  const link = troubleshootingUrl(code, process.env);
  const title = link === undefined ? code : `<a href="${link}">${code}</a>`;
  return [`**${title}**${who === '' ? '' : ` – ${who}`}`, '', paragraph(message), '', ...remedyLines(remedy)];
}

const SHOWN_FAILURES = 20;

/** Each failure once, with whom it is about: cause, fix, commands. */
export function failures(failed: readonly (Shown & { readonly failure: Failure })[]): readonly string[] {
  const shown = failed.slice(0, SHOWN_FAILURES);
  const lines = shown.flatMap(({ id, connector, failure }) =>
    failureLines(failure, `${markdown(nameOf(id, connector), 80)} <code>${markdown(id, 80)}</code>`),
  );
  const rest = failed.slice(SHOWN_FAILURES);
  return [
    ...lines,
    ...list(
      `${rest.length} more that failed`,
      rest.map(({ id, connector, failure }) => `${markdown(nameOf(id, connector), 80)}: ${failure.code}`),
      200,
    ),
  ];
}

/** The summary of a step that ended before anything else could be reported. */
export function failureSummary(failure: Failure): string {
  return ['## ❌ The step failed', '', ...failureLines(failure)].join('\n');
}

/**
 * The heading of a failure in docs/troubleshooting.md, at the version that runs; undefined if the action comes from no
 * repository of GitHub's (`uses: ./`).
 */
export function troubleshootingUrl(code: string, environment: NodeJS.ProcessEnv): string | undefined {
  const repository = environment['GITHUB_ACTION_REPOSITORY'] ?? '';
  const ref = environment['GITHUB_ACTION_REF'] ?? '';
  const server = environment['GITHUB_SERVER_URL'] ?? 'https://github.com';
  if (!/^[\w.-]+\/[\w.-]+$/.test(repository) || !/^[\w./-]+$/.test(ref)) return undefined;
  if (!/^https:\/\/[\w.-]+$/.test(server)) return undefined;
  return `${server}/${repository}/blob/${ref}/docs/troubleshooting.md#${code.toLowerCase()}`;
}

/** Prose as it is, and what is to be copied or read letter by letter in fenced blocks. */
function remedyLines(remedy: string): readonly string[] {
  const lines: string[] = [];
  let block: string[] = [];
  const close = (): void => {
    if (block.length > 0) lines.push(...fenced(block), '');
    block = [];
  };
  for (const line of remedy.split('\n')) {
    if (isLiteral(line)) block.push(line);
    else {
      close();
      lines.push(paragraph(line), '');
    }
  }
  close();
  return lines;
}

/** A command, YAML, or an indented line. */
function isLiteral(line: string): boolean {
  return /^( {2}|az |gh |openssl |keytool |curl |printf |base64 |bash |[A-Z_]+=|permissions:)/.test(line);
}

function paragraph(text: string): string {
  return markdown(text, LONGEST);
}
