/** What is masked, and in which forms. */
import { describe, expect, test } from '@jest/globals';
import { maskPassword, maskProxyCredentials, maskText } from '../src/masks.ts';
import { inStep, masksIn, PROXY_VARIABLES, type Changes } from './in-step.ts';

const printed = (action: () => void, environment: Changes = {}): string[] => inStep({}, environment, action).lines;
const masksOfText = (text: string): string[] =>
  masksIn(
    printed(() => {
      maskText(text);
    }),
  );
const linesOfPassword = (password: string): string[] =>
  printed(() => {
    maskPassword(password);
  });
const masksOfProxy = (environment: Changes): string[] =>
  masksIn(
    printed(() => {
      maskProxyCredentials(process.env);
    }, environment),
  );

describe('masks of a text', () => {
  test.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ])('a .pfx of several lines is masked line by line, with %s between them', (_, end) => {
    const pfx = ['A'.repeat(64), ` ${'B'.repeat(64)}\t`, 'C'.repeat(16), 'D'.repeat(15)].join(end);
    expect(masksOfText(pfx)).toEqual(['A'.repeat(64), 'B'.repeat(64), 'C'.repeat(16)]);
  });

  test('the armour around a .pfx is not masked, even if it is cut', () => {
    const body = `${'A'.repeat(27)}-----`;
    const pfx = ['-----BEGIN CERTIFICATE-----', body, ' -----END CERTIFICATE-----', '-----BEGIN CERTIFICATE'].join(
      '\n',
    );
    expect(masksOfText(pfx)).toEqual([body]);
  });

  test.each([
    ['damaged armour', (line: string) => line.slice(1)],
    ['armour in small letters', (line: string) => line.toLowerCase()],
    ['the entities that .NET writes', (line: string) => line.replaceAll('+', '&#x2B;')],
  ])('of a certificate and a key with %s: those of the key', (_, change) => {
    const [certificate, key] = [`MIIBxTCC${'+C'.repeat(28)}`, `MIIBVAIB${'+K'.repeat(28)}`];
    const lines = ['-----BEGIN CERTIFICATE-----', certificate, '-----END CERTIFICATE-----'];
    const pem = [...lines, '-----BEGIN PRIVATE KEY-----', key, '-----END PRIVATE KEY-----'];
    const masks = masksOfText(
      pem.map((line) => (line.startsWith('M') && !line.startsWith('-') ? line : change(line))).join('\n'),
    );
    expect(masks).toContain(key);
    expect(masks).not.toContain(certificate);
  });
});

describe('masks of a password', () => {
  test.each<[string, string, string[]]>([
    ['four characters', 'p4ss', ['p4ss']],
    ['blanks at its ends', ' throw-away ', [' throw-away ']],
    ['a percent sign', '100% throw-away', ['100% throw-away']],
    ['two lines, LF', 'throw\naway', ['throw', 'away']],
    ['two lines, CRLF', 'throw\r\naway', ['throw', 'away']],
    ['two lines, CR', 'throw\raway', ['throw', 'away']],
    ['a short line among its lines', 'abc\nthrow-away\n', ['throw-away']],
  ])('a password with %s', (_, password, masks) => {
    const lines = linesOfPassword(password);
    expect(masksIn(lines)).toEqual(masks);
    expect(lines).toHaveLength(masks.length);
  });

  test.each([
    ['three characters', 'abc'],
    ['one blank', ' '],
    ['short lines only', 'abc\r\nabc'],
  ])('a password of %s is not masked, and a warning says so without it', (_, password) => {
    expect(linesOfPassword(password)).toEqual([
      '::warning title=Short password::The password has fewer than 4 characters, so it is not masked in the log: every place where these letters occur would read ***. This action never prints it. Choose a longer one.',
    ]);
  });

  test('no password: nothing to mask, nothing to warn of', () => {
    expect(linesOfPassword('')).toEqual([]);
  });
});

describe('masks of a proxy', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  test.each(PROXY_VARIABLES)('the credentials in %s, as they stand there and as they are sent', (name) => {
    expect(masksOfProxy({ [name]: 'http://us%40er:throw%2Faway%25@proxy.example:8080' })).toEqual([
      'us%40er:throw%2Faway%25',
      'throw%2Faway%25',
      'throw/away%',
      base64('us@er:throw/away%'),
    ]);
  });

  test('one that is no percent-encoding is used as it is', () => {
    expect(masksOfProxy({ https_proxy: 'http://us%zzer:throw%away@proxy.example' })).toEqual([
      'us%zzer:throw%away',
      'throw%away',
      base64('us%zzer:throw%away'),
    ]);
  });

  test('a password of four characters is masked, one of three only together with the user name', () => {
    expect(masksOfProxy({ HTTP_PROXY: 'http://user:p4ss@proxy.example' })).toContain('p4ss');
    expect(masksOfProxy({ HTTP_PROXY: 'http://user:abc@proxy.example' })).toEqual(['user:abc', base64('user:abc')]);
  });

  test.each(['http://throw-away-token@proxy.example:8080', 'http://throw-away-token:@proxy.example:8080'])(
    'a user name alone, which may be a token: %s',
    (proxy) => {
      expect(masksOfProxy({ HTTPS_PROXY: proxy })).toEqual(['throw-away-token', base64('throw-away-token:')]);
    },
  );

  test.each([
    ['no credentials', 'http://proxy.example:8080'],
    ['nothing in it', ''],
  ])('nothing is masked if there is %s', (_, proxy) => {
    expect(masksOfProxy({ HTTPS_PROXY: proxy })).toEqual([]);
  });

  test('the credentials of a proxy without a scheme', () => {
    expect(masksOfProxy({ HTTPS_PROXY: 'user:throw-away@proxy.example:8080' })).toEqual([
      'user:throw-away',
      'throw-away',
      base64('user:throw-away'),
    ]);
  });

  test('one variable that is of no use does not hide the next', () => {
    const environment = {
      HTTPS_PROXY: 'not a URL',
      https_proxy: 'http://proxy.example',
      http_proxy: 'http://user:throw-away@proxy.example',
    };
    expect(masksOfProxy(environment)).toContain('throw-away');
  });
});
