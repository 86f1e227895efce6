/** Text that a server or a file sent: hostile until it has been through here. */

const LONGEST = 300;

/**
 * One line without control characters, ANSI sequences, bidirectional overrides or the runner's old `##[` command prefix,
 * at most `longest` characters. Fit for the log; a summary needs {@link markdown} too.
 */
export function clean(text: unknown, longest: number = LONGEST): string {
  if (typeof text !== 'string') return '';
  const line = text
    // Far longer than shown, and cut first, so that 10 MB of blanks cost nothing.
    .slice(0, longest * 8)
    .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .replaceAll('##[', '# #[')
    .trim();
  return line.length > longest ? `${line.slice(0, longest).toWellFormed()}…` : line;
}

/** {@link clean} text that reads the same in GitHub's Markdown: no markup, HTML, mention, link or table cell begins in it. */
export function markdown(text: unknown, longest: number = LONGEST): string {
  return clean(text, longest)
    .replace(/[^\p{L}\p{N} .,;-]/gu, (character) => `&#${character.codePointAt(0)};`)
    .replace(/www\./gi, (start) => start.replace('.', '&#46;'));
}

/** A URL that may be seen, {@link clean}: user information, query and fragment are left out, since keys stand there (`?code=…`). */
export function cleanUrl(url: string, longest: number): string {
  const [beforeQuery = ''] = url.split(/[?#]/);
  const mark = url.includes('?') ? '?…' : '';
  if (!URL.canParse(beforeQuery)) return clean(beforeQuery, longest) + mark;
  const seen = new URL(beforeQuery);
  seen.username = '';
  seen.password = '';
  return clean(seen.href, longest) + mark;
}
