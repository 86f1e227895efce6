/** Foreign text, made fit for the log and for a summary. */
import { describe, expect, test } from '@jest/globals';
import { clean, cleanUrl, markdown } from '../../src/text/clean.ts';

describe('clean', () => {
  test.each<[string, string, string]>([
    ['plain text stays', 'Größe: 4 < 5, [a] (b) `c`', 'Größe: 4 < 5, [a] (b) `c`'],
    ['blanks at the ends go', '  a ', 'a'],
    ['several blanks become one', 'a  b   c d', 'a b c d'],
    ['line breaks become blanks', 'a\r\nb\nc', 'a b c'],
    ['line and paragraph separators become blanks', 'a\u2028b\u2029c', 'a b c'],
    ['control characters become blanks', 'a\u0000b\u0007c\u007fd\u0085e', 'a b c d e'],
    ['bidirectional overrides become blanks', 'a\u202eb\u2066c', 'a b c'],
    ['characters of zero width become blanks', 'a\u200bb\ufeffc', 'a b c'],
    ['half a character becomes a blank', 'a\ud83db', 'a b'],
    ['a command of the runner on a line of its own is none', 'a\n::error::b', 'a ::error::b'],
    ['the old command prefix is broken up, wherever it stands', '##[error]a ##[debug]b', '# #[error]a # #[debug]b'],
    ['a command of the runner at the start is broken up', '::add-mask::x', ': :add-mask::x'],
    ['behind blanks, which the runner does not count', ' \u00a0\t\u2028::add-mask::x', ': :add-mask::x'],
    ['behind what was taken out', '\u001b[0m\u0000::add-mask::x', ': :add-mask::x'],
    ['put together of what stood around it', ':\u001b[0m:add-mask::x', ': :add-mask::x'],
    ['of more colons', ':::add-mask::x', ': ::add-mask::x'],
    ['with characters that nobody sees', '\ufe0f:\u034f:add-mask::x', '\ufe0f:\u034f :add-mask::x'],
    ['the old one, too', '#\ufe0f#[error]a', '# \ufe0f#[error]a'],
    ['colons elsewhere stay', 'std::string::x, :tada:', 'std::string::x, :tada:'],
    ['nothing is left of blanks', ' \t\n ', ''],
  ])('%s', (_, text, line) => {
    expect(clean(text)).toBe(line);
  });

  test.each([
    ['a color', 'a\u001b[31mb'],
    ['several attributes', 'a\u001b[1;31;40mb'],
    ['no parameter', 'a\u001b[mb'],
    ['a private mode', 'a\u001b[?25hb'],
    ['an intermediate character', 'a\u001b[4 qb'],
    ['several intermediate characters', 'a\u001b[4 !/qb'],
    ['the first final character', 'a\u001b[4@b'],
    ['the last final character', 'a\u001b[4~b'],
    ['one right after the other', 'a\u001b[0m\u001b[31mb'],
  ])('an ANSI sequence goes without a trace: %s', (_, text) => {
    expect(clean(text)).toBe('ab');
  });

  test.each([
    ['a link', 'a\u001b]8;;https://example.com\u001b\\b'],
    ['a title', 'a\u001b]0;title\u0007b'],
  ])('a command to the terminal goes without a trace: %s', (_, text) => {
    expect(clean(text)).toBe('ab');
  });

  test('an escape that begins no sequence becomes a blank', () => {
    expect(clean('a\u001b]b\u001b[31')).toBe('a ]b [31');
  });

  test.each([[undefined], [null], [7], [{}], [['a']]])('%p is no text', (value) => {
    expect(clean(value)).toBe('');
  });

  test('300 characters are shown, of 301 the first 300', () => {
    expect(clean('x'.repeat(300))).toBe('x'.repeat(300));
    expect(clean('x'.repeat(301))).toBe(`${'x'.repeat(300)}…`);
  });

  test('or as many as are asked for', () => {
    expect(clean('abcd', 4)).toBe('abcd');
    expect(clean('abcde', 4)).toBe('abcd…');
  });

  test('what is cut begins no command either', () => {
    for (let longest = 1; longest < 8; longest++) expect(clean('::a::b', longest)).not.toMatch(/^\s*::/);
  });

  test('a character that would be cut in half is not left as a half', () => {
    expect(clean('ab😀cd', 3)).toBe('ab\ufffd…');
  });

  test('what comes after 16,384 characters is not looked at', () => {
    expect(clean(`${' '.repeat(16_383)}x`, 10)).toBe('x');
    expect(clean(`${' '.repeat(16_384)}x`, 10)).toBe('');
  });
});

describe('markdown', () => {
  test('letters, digits and plain punctuation stay', () => {
    expect(markdown('Größe 4, 中文; a-b. Ⅳ')).toBe('Größe 4, 中文; a-b. Ⅳ');
  });

  test('every other character is a reference to itself', () => {
    expect(markdown('<b>|`@[x](y)')).toBe('&#60;b&#62;&#124;&#96;&#64;<wbr>&#91;x&#93;&#40;y&#41;');
    expect(markdown('a & b')).toBe('a &#38; b');
    expect(markdown('😀')).toBe('&#128512;');
  });

  test('no link begins in it', () => {
    expect(markdown('https://www.example.com')).toBe('https&#58;<wbr>&#47;&#47;www&#46;example.com');
    expect(markdown('WWW.a.b and www.c')).toBe('WWW&#46;a.b and www&#46;c');
    expect(markdown('wwwx')).toBe('wwwx');
    expect(markdown('a.b@example.com')).toBe('a.b&#64;<wbr>example.com');
    expect(markdown('mailto:a@b.c')).toBe('mailto&#58;<wbr>a&#64;<wbr>b.c');
  });

  test('no mention, reference, emoji or formula begins in it', () => {
    expect(markdown('@octocat')).toBe('&#64;<wbr>octocat');
    expect(markdown('octo/repo#1 and GH-1')).toBe('octo&#47;repo&#35;<wbr>1 and GH-<wbr>1');
    expect(markdown(':tada:')).toBe('&#58;<wbr>tada&#58;<wbr>');
    expect(markdown('$x$')).toBe('&#36;<wbr>x&#36;<wbr>');
  });

  test('what was broken up for the log stays so', () => {
    expect(markdown('::x ##[y')).toBe('&#58;<wbr> &#58;<wbr>x &#35;<wbr> &#35;<wbr>&#91;y');
  });

  test('no list and no rule begins in it', () => {
    expect(markdown('- x')).toBe('&#45; x');
    expect(markdown('---')).toBe('&#45;--');
    expect(markdown('12. x')).toBe('12&#46; x');
    expect(markdown('a 12. b - c')).toBe('a 12. b - c');
  });

  test('it is cleaned before, and cut at the same length', () => {
    expect(markdown(' a\nb ')).toBe('a b');
    expect(markdown('x'.repeat(301))).toBe(`${'x'.repeat(300)}&#8230;`);
    expect(markdown('<<<<', 2)).toBe('&#60;&#60;&#8230;');
    expect(markdown(undefined)).toBe('');
  });
});

describe('a URL', () => {
  test.each<[string, string, string]>([
    ['is shown with host, port and path', 'https://api.contoso.com:8443/a/b', 'https://api.contoso.com:8443/a/b'],
    ['has no user name and no password', 'https://user:throw-away@api.contoso.com/a', 'https://api.contoso.com/a'],
    ['has no query, only a sign of it', 'https://api.contoso.com/a?code=throw-away', 'https://api.contoso.com/a?…'],
    ['has no fragment', 'https://api.contoso.com/a#throw-away', 'https://api.contoso.com/a'],
    ['has neither', 'https://api.contoso.com/a?code=throw-away#more', 'https://api.contoso.com/a?…'],
    ['that is none is cleaned', ' not\na URL ', 'not a URL'],
    ['that is none has no query either', 'api.contoso.com/a?code=throw-away', 'api.contoso.com/a?…'],
    ['of nothing is nothing', '', ''],
    [
      'with a port that is none has no user information',
      'https://user:s3cretpw@host:99999/x?code=abc',
      'https://host:99999/x?…',
    ],
    ['with # in its password', 'https://user:se#cret@host/x', 'https://…'],
    ['with ? and @ in its password', 'https://user:p?w@h@ost/', 'https://…'],
    ['with / in its password, and a blank in its host', 'https://user:p/w@ho st/x', 'https://ho st/x'],
    ['without a scheme', '//user:password@host/x#secret', 'host/x'],
    ['without //', 'user:password@host', 'host'],
    ['with one slash', 'https:/user:password@host/x', 'https://host/x'],
    ['with @ in its query', 'https://api contoso.com/x?code=abc@throw-away', 'https://…'],
    ['with @ in its query, without a scheme', 'api.contoso.com/x?code=abc@throw-away', '…'],
    ['with @ in its fragment', 'https://host:port/x?a#b@throw-away', 'https://…'],
    ['with @ in its query, which can be parsed', 'https://host/x?code=abc@throw-away', 'https://host/x?…'],
  ])('%s', (_, url, shown) => {
    expect(cleanUrl(url, 100)).toBe(shown);
  });

  test('is cut at the length that is asked for', () => {
    expect(cleanUrl('https://api.contoso.com/abc', 24)).toBe('https://api.contoso.com/…');
    expect(cleanUrl('not a URL?x', 3)).toBe('not…?…');
  });
});
