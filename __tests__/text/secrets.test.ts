/** A known secret does not show in foreign text, in whatever form a service quotes it. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { clean, markdown } from '../../src/text/clean.ts';
import { decoded } from '../../src/text/decoded.ts';
import { forgetSecrets, hide, hideUrl } from '../../src/text/secrets.ts';

// Made up for this test.
const PASSWORD = `P@ss'w0rd+ <"&%41>\\ é/€😀!`;
const TOKEN = Buffer.from(Array.from({ length: 900 }, (_, n) => (n * 7919 + (n >> 3) * 31) % 251)).toString('base64');

let printed: string[];
beforeEach(() => {
  forgetSecrets();
  printed = [];
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.push(String(text));
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

const utf16 = (text: string, escape: (unit: number) => string): string =>
  Array.from(text.split(''), (unit) => (/[a-z\d ]/i.test(unit) ? unit : escape(unit.charCodeAt(0)))).join('');
const points = (text: string, escape: (point: number) => string): string =>
  Array.from(text, (point) => (/[a-z\d ]/i.test(point) ? point : escape(point.codePointAt(0) ?? 0))).join('');

const html = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[c] ?? c);
const json = (text: string): string => JSON.stringify(text).slice(1, -1);
const dotNet = (text: string): string =>
  utf16(text, (unit) => (unit === 0x5c ? '\\\\' : `\\u${unit.toString(16).toUpperCase().padStart(4, '0')}`));
const wrapped = (text: string, length: number, by: string): string =>
  (text.match(new RegExp(`.{1,${length}}`, 'g')) ?? []).join(by);
const form = (text: string): string => encodeURIComponent(text).replaceAll('%20', '+');

const FORMS: [name: string, quote: (secret: string) => string][] = [
  ['as it is', (secret) => secret],
  ['JSON', json],
  ['JSON as .NET writes it', dotNet],
  ['JSON with lower-case hex', (secret) => utf16(secret, (unit) => `\\u${unit.toString(16).padStart(4, '0')}`)],
  ['JSON in JSON', (secret) => json(json(secret))],
  ['JSON in JSON, as .NET writes it', (secret) => dotNet(dotNet(secret))],
  ['HTML', html],
  ['HTML, é by its name', (secret) => html(secret).replace('é', '&eacute;').replace('€', '&#8364;')],
  [
    'HTML, each character by its name where it has one',
    (secret) =>
      html(secret)
        .replace('@', '&commat;')
        .replace('!', '&excl;')
        .replace('+', '&plus;')
        .replace('%', '&percnt;')
        .replace('\\', '&bsol;')
        .replace('/', '&sol;'),
  ],
  ['HTML in decimal', (secret) => points(secret, (point) => `&#${point};`)],
  ['HTML in hex', (secret) => points(secret, (point) => `&#x${point.toString(16)};`)],
  [
    'HTML in upper-case hex with zeros',
    (secret) => points(secret, (point) => `&#X00${point.toString(16).toUpperCase()};`),
  ],
  ['HTML in HTML', (secret) => html(html(secret))],
  ['HTML in JSON', (secret) => json(html(secret))],
  ['HTML in JSON, as .NET writes it', (secret) => dotNet(html(secret))],
  [
    'HTML in hex, in JSON with all of it escaped',
    (secret) =>
      points(secret, (point) => `&#x${point.toString(16)};`).replace(
        /[&#;]/g,
        (c) => `\\u00${c.charCodeAt(0).toString(16)}`,
      ),
  ],
  ['URL-encoded', encodeURIComponent],
  [
    'URL-encoded with lower-case hex',
    (secret) => encodeURIComponent(secret).replace(/%../g, (escape) => escape.toLowerCase()),
  ],
  ['URL-encoded as a form', form],
  [
    'URL-encoded, each byte',
    (secret) => [...Buffer.from(secret)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  ],
  ['URL-encoded twice', (secret) => encodeURIComponent(encodeURIComponent(secret))],
  ['URL-encoded in HTML in JSON', (secret) => json(html(form(secret)))],
  [
    "by JavaScript's escape",
    (secret) =>
      utf16(secret, (unit) => (unit < 256 ? `%${unit.toString(16).padStart(2, '0')}` : `%u${unit.toString(16)}`)),
  ],
  [
    'escaped by JavaScript',
    (secret) =>
      utf16(secret, (unit) =>
        unit < 256 ? `\\x${unit.toString(16).padStart(2, '0')}` : `\\u${unit.toString(16).padStart(4, '0')}`,
      ),
  ],
  [
    'as bytes of Python',
    (secret) =>
      [...Buffer.from(secret)]
        .map((byte) => (byte < 0x7f ? json(String.fromCharCode(byte)).replace("'", "\\'") : `\\x${byte.toString(16)}`))
        .join(''),
  ],
  ['base64', (secret) => Buffer.from(secret).toString('base64')],
  ['base64 of a user name and it', (secret) => Buffer.from(`ab:${secret}`).toString('base64')],
  ['base64 of a longer user name and it', (secret) => Buffer.from(`abc:${secret}`).toString('base64')],
  ['base64 of UTF-16', (secret) => Buffer.from(secret, 'utf16le').toString('base64')],
  [
    'base64 of UTF-16, in a command, as PowerShell takes it',
    (secret) => Buffer.from(`Login -Password '${secret}'`, 'utf16le').toString('base64'),
  ],
  ['base64url', (secret) => Buffer.from(secret).toString('base64url')],
  [
    'base64 of a user name and it, wrapped',
    (secret) => wrapped(Buffer.from(`somebody:${secret}`).toString('base64'), 12, '\r\n'),
  ],
  ['hex', (secret) => Buffer.from(secret).toString('hex')],
  ['hex in upper case', (secret) => Buffer.from(secret).toString('hex').toUpperCase()],
  ['hex as .NET writes bytes', (secret) => wrapped(Buffer.from(secret).toString('hex').toUpperCase(), 2, '-')],
  ['hex with blanks', (secret) => wrapped(Buffer.from(secret).toString('hex'), 2, ' ')],
  ['hex with colons', (secret) => wrapped(Buffer.from(secret).toString('hex'), 2, ':')],
  ["hex as C's bytes", (secret) => `0x${wrapped(Buffer.from(secret).toString('hex'), 2, ', 0x')}`],
  ['hex of UTF-16', (secret) => Buffer.from(secret, 'utf16le').toString('hex')],
  ['hex of UTF-16, as .NET writes bytes', (secret) => wrapped(Buffer.from(secret, 'utf16le').toString('hex'), 2, '-')],
  ['a literal of OData', (secret) => `'${secret.replaceAll("'", "''")}'`],
  ['a literal of OData in JSON, as .NET writes it', (secret) => dotNet(`'${secret.replaceAll("'", "''")}'`)],
  ['a cell of CSV', (secret) => `"${secret.replaceAll('"', '""')}"`],
  ['a word of a shell', (secret) => `'${secret.replaceAll("'", "'\\''")}'`],
  ['a regular expression', (secret) => secret.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')],
];

/** As a person reads it in a browser, or its source, without blanks; any form that shows a piece of the secret. */
function showing(text: string): string {
  return decoded(text).text.replace(/ /g, '');
}

/** The pieces of a secret, of six characters each. */
function pieces(secret: string): string[] {
  const text = decoded(secret).text.replace(/ /g, '');
  return Array.from({ length: text.length - 5 }, (_, n) => text.slice(n, n + 6));
}

function expectHidden(shown: string, secret: string): void {
  const seen = showing(shown);
  expect(pieces(secret).filter((piece) => seen.includes(piece))).toEqual([]);
}

describe.each(FORMS)('a password quoted: %s', (_, quote) => {
  test.each([
    ['in a sentence', (text: string) => `The password "${text}" is wrong.`],
    ['between quotation marks of JSON', (text: string) => `{\\"password\\":\\"${text}\\"}`],
    ['alone', (text: string) => text],
    ['in a query', (text: string) => `?password=${text}&x=1`],
    ['far back in the text', (text: string) => `${'x'.repeat(290)}${text}`],
    ['behind blanks', (text: string) => `a${' '.repeat(3000)}${text}`],
  ])('%s', (_name, sentence) => {
    hide(PASSWORD);
    const text = sentence(quote(PASSWORD));
    for (const shown of [clean(text), clean(text, 4000), markdown(text)]) expectHidden(shown, PASSWORD);
    expect(clean(text, 4000)).toContain('***');
  });
});

test.each([
  'hunter22',
  'correct horse  battery\tstaple',
  '100%5',
  'a+b=c+d+e',
  'ends with a backslash\\',
  '\\\\share\\user\\new',
  '&amp;&#64;%41\\u0041',
  '"quoted"',
  '  blanks at both ends  ',
  '<script>alert(1)</script>',
  'Größe-ßßß-äöü',
  '日本語のパスワード',
  'emoji😀😀😀😀😀',
  'Pa\\<ssw0rd-1x',
  'Pa\\&ssw0rd-1x',
  'dom\\ünique-pass1',
  "it's-a-secret-77",
  "''it''s'a'''secret",
  'say ""what"" now',
  '0x53656372',
])('the password %p is found in each form', (password) => {
  hide(password);
  for (const [name, quote] of FORMS) {
    const shown = clean(`before ${quote(password)} after`, 4000);
    expect([name, shown]).toEqual([name, expect.stringContaining('***')]);
    if (password.length > 7) expectHidden(shown, password);
  }
});

describe('a text that something misread, or could not write', () => {
  const latin1 = (text: string): string => Buffer.from(text).toString('latin1');
  const windows = (text: string): string => new TextDecoder('windows-1252').decode(Buffer.from(text));

  test.each<[string, string, string]>([
    ['UTF-8 as Latin-1', 'pässword99', latin1('pässword99')],
    ['UTF-8 as Latin-1, in JSON', 'pässßword99', json(latin1('pässßword99'))],
    ['UTF-8 as Windows-1252', 'p€ssßword“99', windows('p€ssßword“99')],
    ['UTF-8 as Latin-1, in HTML', 'pässword99', 'p&Atilde;&curren;ssword99'],
    ['a question mark for a letter', 'pässwörd99', 'p?ssw?rd99'],
    ['one for each byte', 'pässwörd99', 'p??ssw??rd99'],
    ['one for each half of a character', 'pass😀word', 'pass??word'],
    ['one for a character of two halves', 'pass😀word', 'pass?word'],
    ['a replacement character for a letter', 'pässwörd99', 'p\ufffdssw\ufffdrd99'],
    ['one for each byte of it', 'pässwörd99', 'p\ufffd\ufffdssw\ufffd\ufffdrd99'],
    ['letters and accents apart', 'pässwörd99', 'pässwörd99'.normalize('NFD')],
    ['letters and accents together', 'pässwörd99'.normalize('NFD'), 'pässwörd99'.normalize('NFC')],
    ['Latin-1 in base64', 'pässwörd9999', Buffer.from('pässwörd9999', 'latin1').toString('base64')],
    ['Latin-1, percent-encoded', 'pässwörd99', 'p%E4ssw%F6rd99'],
    ['HTML without a semicolon', 'pass/word(99)', 'pass&#x2Fword&#x28;99&#x29'],
    ['HTML without a semicolon, in decimal', 'pass/word(99)', 'pass&#47word&#40;99&#41'],
    ['HTML without a semicolon, before what could be a digit', 'pass/beef', 'pass&#x2Fbeef'],
    ['HTML without a semicolon, before many', 'pass/beefbeefbeef', 'pass&#x2Fbeefbeefbeef'],
    ['HTML without a semicolon, in decimal, before many', 'pass/12345678', 'pass&#4712345678'],
    ['HTML without a semicolon, in decimal, before a letter', 'pass/abc', 'pass&#47abc'],
    ['HTML without a semicolon, in JSON', 'pass/word', 'pass\\u0026#x2fword'],
  ])('%s', (_, password, text) => {
    hide(password);
    expect(clean(`before ${text} after`)).toBe('before *** after');
  });

  test('a secret of question marks hides no others', () => {
    hide('äöüß');
    hide('äöü!');
    expect(clean('What????! Why???!')).toBe('What????! Why???!');
  });
});

test.each([
  ['abcabcabcab', 'abcabcabcabcab', '***'],
  ['abcabcabcab', 'x abcabcabcabcabcabcab y', 'x *** y'],
  ['aaaa', 'baaaaaaab', 'b***b'],
])('%p, which overlaps with itself: %p', (secret, text, shown) => {
  hide(secret);
  expect(clean(text)).toBe(shown);
});

test.each([
  ['its start', 'no match for abcabcabcabcxyzuv…', 'no match for abc***…'],
  ['its end', '…uvxyzabcabcabcabc is no match', '…***abc is no match'],
])('a piece of one that overlaps with itself: %s', (_, text, shown) => {
  hide('abcabcabcxyzuvxyzabcabcabc');
  expect(clean(text)).toBe(shown);
});

test('what stands around a secret stays', () => {
  hide(PASSWORD);
  expect(clean(`The password '${json(PASSWORD)}' is wrong (AADB2C90213).`)).toBe(
    "The password '***' is wrong (AADB2C90213).",
  );
  expect(clean('The password is wrong. 5 &lt; 6, %41 and \\u0041')).toBe(
    'The password is wrong. 5 &lt; 6, %41 and \\u0041',
  );
});

test('blanks that were collapsed, or made lines', () => {
  hide('correct horse  battery staple');
  expect(clean('"correct horse battery staple", "correct\n horse battery  staple"')).toBe('"***", "***"');
});

test('terminal sequences within it', () => {
  hide('correct-horse');
  expect(clean('correct\u001b[31m-horse')).toBe('***');
});

test.each([
  ['its start, at the end of the text', 'no match for correct-horse-bat', 'no match for ***'],
  ['its start, before dots', 'no match for correct-horse-bat... (400)', 'no match for ***... (400)'],
  ['its start, before an ellipsis', 'no match for "correct-horse-bat…" (400)', 'no match for "***…" (400)'],
  ['its end, behind dots', 'no match for ...rse-battery-staple (400)', 'no match for ...*** (400)'],
  ['its end, at the start of the text', '"se-battery-staple" does not match', '"***" does not match'],
])('a piece of a password that was cut: %s', (_, text, shown) => {
  hide('correct-horse-battery-staple');
  expect(clean(text)).toBe(shown);
});

test('a word that a password begins with is no piece of it elsewhere', () => {
  hide('certificate-2031-staple');
  expect(clean('The certificate is not valid.')).toBe('The certificate is not valid.');
});

describe('a long secret', () => {
  test.each([
    ['whole', TOKEN],
    ['a piece', TOKEN.slice(100, 400)],
    ['a short piece', TOKEN.slice(211, 245)],
    ['wrapped', (TOKEN.match(/.{1,64}/g) ?? []).join('\n')],
    ['wrapped, in JSON', json((TOKEN.match(/.{1,76}/g) ?? []).join('\r\n'))],
    ['its start', TOKEN.slice(0, 80)],
    ['URL-encoded', encodeURIComponent(TOKEN)],
    ['as .NET writes it', dotNet(TOKEN)],
    ['url-safe', Buffer.from(TOKEN, 'base64').toString('base64url')],
    ['url-safe, a piece of it', Buffer.from(TOKEN, 'base64').toString('base64url').slice(211, 400)],
    ['its bytes in hex', Buffer.from(TOKEN, 'base64').toString('hex')],
    ['some of its bytes in hex', Buffer.from(TOKEN, 'base64').subarray(101, 140).toString('hex')],
    ['its bytes in hex as .NET writes them', wrapped(Buffer.from(TOKEN, 'base64').toString('hex'), 2, '-')],
    ['its text in hex', Buffer.from(TOKEN.slice(50, 90)).toString('hex')],
    ['its text in base64', Buffer.from(TOKEN.slice(50, 120)).toString('base64')],
  ])('%s', (_, quoted) => {
    hide(TOKEN);
    const shown = clean(`got ${quoted}, which is not it`, 4000);
    expect(shown).toContain('***');
    expect(shown.replace(/\*+ ?/g, '').length).toBeLessThan(45);
  });

  test.each([
    [
      'url-safe, quoted in the other alphabet',
      Buffer.from(TOKEN, 'base64').toString('base64url'),
      TOKEN.slice(300, 420),
    ],
    ['quoted line by line', TOKEN, wrapped(TOKEN, 60, '",\n"')],
  ])('%s', (_, secret, quoted) => {
    hide(secret);
    const shown = clean(`got ${quoted}, which is not it`, 4000);
    expect(shown.replace(/[\s*",]+/g, '').length).toBeLessThan(45);
  });

  test('a digest that a file has in it is no piece of it', () => {
    hide(TOKEN);
    const digest = Buffer.from(TOKEN, 'base64').subarray(100, 132).toString('hex').toUpperCase();
    expect(clean(`certificate ${digest}`)).toBe(`certificate ${digest}`);
  });

  test('its lines', () => {
    hide((TOKEN.match(/.{1,64}/g) ?? []).join('\n'), 16);
    expect(printed.filter((line) => line.includes('add-mask')).length).toBe(Math.ceil(TOKEN.length / 64));
    expect(clean(`x ${TOKEN.slice(64, 128)} y`)).toBe('x *** y');
  });
});

describe('what is too short to be told from other text stays', () => {
  test('a secret of three letters', () => {
    hide('abc');
    expect(printed).toEqual([]);
    expect(clean('abc')).toBe('abc');
  });

  test('a line of a file', () => {
    const [short, long] = ['a!'.repeat(7) + 'a', 'b!'.repeat(8)];
    hide(`${short}\r\n${long}`, 16);
    expect(printed).toEqual([`::add-mask::${long}\n`]);
    expect(clean(`x ${short} y, x ${long} y`)).toBe(`x ${short} y, x *** y`);
  });

  test('the start of a secret before a cut, and its end behind one', () => {
    hide('correct-horse-battery-staple');
    expect(clean('correct- … correct…')).toBe('*** … correct…');
    expect(clean('…-staple and …y-staple')).toBe('…-staple and …***');
  });

  test('a value of a query', () => {
    hideUrl('https://api.contoso.com/?a=1234567&b=x2345678');
    expect(clean('1234567 and x2345678')).toBe('1234567 and ***');
  });

  test('four digits of base64, which may be a word', () => {
    hide('abcd');
    const base64 = Buffer.from('zabcd').toString('base64');
    expect(clean(base64)).toBe(base64);
    expect(clean(Buffer.from('abcd').toString('base64'))).toBe('***A==');
  });
});

test('blanks around a secret do not count', () => {
  hide('  a padded secret ');
  expect(clean('"a padded secret"')).toBe('"***"');
});

test('a file is found with any line breaks', () => {
  hide('first line\r\nsecond line\r\nthird line', 100);
  expect(clean('it is "first line\nsecond line\nthird line"')).toBe('it is "***"');
});

test('it is registered with the runner', () => {
  hide('correct-horse');
  hide('correct-horse');
  expect(printed.join('')).toBe('::add-mask::correct-horse\n');
});

test('the values of a query, and user information', () => {
  hideUrl('https://user-name:s3cret%2Bs3cret@api.contoso.com/a?code=k3y%2Fk3yk3y&v=1');
  expect(clean('GET /a?code=k3y%2Fk3yk3y&v=1')).toBe('GET /a?code=***&v=1');
  expect(clean('k3y/k3yk3y and s3cret+s3cret')).toBe('*** and ***');
  // The runner finds what is written in the same way.
  expect(printed.join('')).toBe(
    ['s3cret%252Bs3cret', 's3cret+s3cret', 'user-name', 'k3y/k3yk3y', 'k3y%252Fk3yk3y']
      .map((value) => `::add-mask::${value}\n`)
      .join(''),
  );
  hideUrl('not a URL?code=anything');
  expect(clean('anything')).toBe('anything');
});

test('what another run hid is forgotten', () => {
  hide('correct-horse');
  forgetSecrets();
  expect(clean('correct-horse')).toBe('correct-horse');
});

test('a text without escapes reads the same in the short way and in the long one', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'B', ' ', '+', '\n', '\u00e9', '\u200b', '\ud83d', '\ude00', '=', '\u0000')),
      (parts) => {
        const plain = parts.join('');
        const [short, long] = [decoded(plain), decoded(`${plain}&`)];
        expect({ text: `${short.text}&`, starts: short.starts, ends: short.ends }).toEqual({
          text: long.text,
          starts: long.starts.slice(0, -1),
          ends: long.ends.slice(0, -1),
        });
      },
    ),
    { numRuns: 500 },
  );
});
