/** Text that a server or a file sent: hostile until it has been through here, and shown in no other way. */
import { withoutSecrets } from './secrets.ts';

const LONGEST = 300;

/** What a terminal takes as a command: CSI sequences, and OSC ones, such as links and titles, up to their end. */
const TERMINAL_SEQUENCE = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\))/g;

/**
 * A line that the runner takes for none of its commands: `::` begins one at the start of a line, blanks not counted, and
 * `##[` wherever it stands. Characters that nobody sees do not count either, since .NET may compare without them.
 * @see https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
 */
export function withoutCommands(line: string): string {
  return line.replace(/^([\p{C}\p{Z}\p{DI}\s]*:\p{DI}*)(?=:)/u, '$1 ').replace(/#(?=\p{DI}*#\p{DI}*\[)/gu, '# ');
}

/**
 * One line without known secrets, control characters, terminal sequences, bidirectional overrides or commands of the runner,
 * at most `longest` characters. Fit for the log, at the start of a line as well; a summary needs {@link markdown} too. In
 * this order: a secret that was cut or changed would not be found any more.
 */
export function clean(text: unknown, longest: number = LONGEST): string {
  if (typeof text !== 'string') return '';
  const line = withoutCommands(
    withoutSecrets(text.replace(TERMINAL_SEQUENCE, ''))
      .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
      .replace(/ {2,}/g, ' ')
      .trim(),
  );
  return line.length > longest ? `${line.slice(0, longest).toWellFormed()}…` : line;
}

/**
 * {@link clean} text that reads the same in GitHub's Markdown: no markup, HTML, mention, link or table cell begins in it.
 * The renderer makes links of e-mail addresses, and mentions, references and emoji, after it has resolved entities: `<wbr>`
 * keeps apart what they are made of.
 */
export function markdown(text: unknown, longest: number = LONGEST): string {
  return (
    clean(text, longest)
      .replace(
        /[^\p{L}\p{N} .,;-]/gu,
        (character) => `&#${character.codePointAt(0)};${'@:#$'.includes(character) ? '<wbr>' : ''}`,
      )
      .replace(/www\./gi, (start) => start.replace('.', '&#46;'))
      .replace(/\bGH-(?=\d)/gi, '$&<wbr>')
      // A list, or a rule.
      .replace(/^-/, '&#45;')
      .replace(/^(\d+)\./, '$1&#46;')
  );
}

/** A URL that may be seen, {@link clean}: user information, query and fragment are left out, since keys stand there (`?code=…`). */
export function cleanUrl(url: string, longest: number): string {
  const seen = URL.canParse(url) ? new URL(url) : undefined;
  const mark = url.includes('?') ? '?…' : '';
  if (seen?.host) return clean(`${seen.protocol}//${seen.host}${seen.pathname}`, longest) + mark;
  const [scheme = ''] = /^(?:[a-z][a-z\d+.-]*:\/\/)?/i.exec(url) ?? [];
  const [place = '', ...rest] = url.slice(scheme.length).split(/[?#]/);
  // Nothing tells an @ in a query from one behind a password with ? or # in it.
  if (rest.some((part) => part.includes('@'))) return `${clean(scheme, longest)}…`;
  // Whatever stands before the last @ may be user information, with any characters in it.
  return clean(scheme + place.slice(place.lastIndexOf('@') + 1), longest) + mark;
}
