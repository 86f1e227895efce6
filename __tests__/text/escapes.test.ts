/** What is undone before PEM and base64 are read, and before they are masked. */
import { describe, expect, test } from '@jest/globals';
import { repairedArmour, unescaped } from '../../src/text/escapes.ts';

const base64 = 'MIIB+/==';

describe('escapes', () => {
  const escapedAs = (plus: string, slash: string, equals: string): string =>
    base64.replaceAll('=', equals).replaceAll('+', plus).replaceAll('/', slash);
  test.each([
    ['JSON', escapedAs('\\u002b', '\\/', '\\u003D')],
    ['JSON, twice', escapedAs('\\\\u002B', '\\\\/', '\\\\u003d')],
    ['JavaScript', escapedAs('\\x2b', '\\x2F', '\\x3D')],
    ['URLs', escapedAs('%2B', '%2f', '%3D')],
    ['URLs, twice', escapedAs('%252B', '%252f', '%253D')],
    ['HTML in decimal', escapedAs('&#43;', '&#047;', '&#61;')],
    ['HTML in hexadecimal, as .NET writes it', escapedAs('&#x2B;', '&#x2F;', '&#x3D;')],
    ['HTML by name', escapedAs('&plus;', '&sol;', '&equals;')],
    ['HTML, twice', escapedAs('&amp;#x2B;', '&amp;sol;', '&amp;#61;')],
    ['quoted-printable', escapedAs('+', '/', '=3D')],
    ['what nobody sees', '\ufeffMI\u200bIB\u00ad+/=\0='],
  ])('%s', (_name, text) => {
    expect(unescaped(text)).toBe(base64);
  });

  test('line breaks, spelled out, as entities, or behind a backslash', () => {
    expect(unescaped('a\\nb\\\\nc&#xA;d&#10;e&NewLine;f%0Ag\\\nh')).toBe('a\nb\nc\nd\ne\nf\ng\nh');
  });

  test('soft line breaks of quoted-printable, but not padding at the end of a line', () => {
    const line = 'A'.repeat(75);
    expect(unescaped(`${line}=\r\n${line}=\nQ=3D=3D`)).toBe(`${line}${line}Q==`);
    for (const text of ['QUJD=\nQUJD', `${line}==\n-----END`, `${line}=\n-----END`]) expect(unescaped(text)).toBe(text);
  });

  test('other text stays as it is', () => {
    const text = 'C:\\certs & Söhne; 100 % &lt;b&gt; &#8364; &#x20AC; %41 a=b';
    expect(unescaped(text)).toBe(text);
  });
});

describe('armour', () => {
  const pem = `-----BEGIN CERTIFICATE-----\nMIIB${base64}\n-----END CERTIFICATE-----\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n-----END RSA PRIVATE KEY-----`;
  const blocksIn = (text: string): string[] => text.match(/-----BEGIN ([A-Z ]+)-----[^]*?-----END \1-----/g) ?? [];
  const lines = (change: (line: string) => string): string => pem.replace(/^-----.*/gm, change);
  test.each([
    ['four dashes', pem.replaceAll('-----', '----')],
    ['six dashes', pem.replaceAll('-----', '------')],
    ['the first dash lost', pem.slice(1)],
    ['the last dash lost', pem.slice(0, -1)],
    ['long dashes', pem.replaceAll('-----', '—–-')],
    ['blanks added', lines((line) => line.replaceAll(/(?<=-)(?=\w)|(?<=\w)(?=-)/g, ' '))],
    ['two blanks for one', lines((line) => line.replaceAll(' ', '  '))],
    ['other blanks', lines((line) => line.replaceAll(' ', '\u00a0'))],
    ['plus signs for blanks', lines((line) => line.replaceAll(' ', '+'))],
    ['blanks lost', lines((line) => line.replaceAll(' ', ''))],
    ['small letters', lines((line) => line.toLowerCase())],
    ['nothing', pem],
  ])('%s', (_name, text) => {
    expect(blocksIn(repairedArmour(text))).toEqual(blocksIn(pem));
  });

  test.each(['----', '-----', '------'])('without line breaks, of %s', (dashes) => {
    const damaged = pem.replaceAll('-----', dashes).replace(/\n(?!P)|(?<=ENCRYPTED)\n/g, '');
    expect(blocksIn(repairedArmour(damaged))).toHaveLength(2);
  });

  test.each([
    '# --- begin certificate ---\n-----BEGIN CERTIFICATE-----',
    '-----BEGIN to -----END',
    '-- begin private key handling --',
    '-----BEGIN PGP PRIVATE KEY BLOCK-----',
    '----BEGIN CERTIFICATE----- comes first',
  ])('what is only spoken of stays as it is: %s', (text) => {
    expect(repairedArmour(text)).toBe(text);
  });
});
