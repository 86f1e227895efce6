/** What comes in from outside and is secret: masked for the runner, and taken out of foreign text. */
import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { maskPassword, maskProxyCredentials, maskText } from '../src/masks.ts';
import { clean } from '../src/text/clean.ts';
import { forgetSecrets } from '../src/text/secrets.ts';
import { keepPrinted } from './printed.ts';

const printed = keepPrinted();
beforeEach(forgetSecrets);

const masks = (): string[] =>
  [...printed().matchAll(/^::add-mask::(.*)$/gm)].map((match) => (match[1] ?? '').replaceAll('%25', '%'));

describe('the credentials of a proxy', () => {
  test.each([
    ['as they should be', 'http://proxy-user:throw-away@proxy.example:3128', 'throw-away'],
    ['without a scheme', 'proxy-user:throw-away@proxy.example:3128', 'throw-away'],
    ['percent-encoded', 'http://proxy-user:throw%2Daway@proxy.example:3128', 'throw-away'],
    [
      'with a # in the password, which makes it no URL',
      'http://proxy-user:throw#away@proxy.example:3128',
      'throw#away',
    ],
    ['with a # behind digits, which makes it another URL', 'http://proxy-user:123#away@proxy.example', '123#away'],
    ['with a / behind digits', 'http://proxy-user:123/away@proxy.example', '123/away'],
    ['with an @ in the password', 'http://proxy-user:throw@away@proxy.example', 'throw@away'],
    ['with a bad port', 'http://proxy-user:throw-away@proxy.example:port', 'throw-away'],
    ['with a % that encodes nothing', 'http://proxy-user:throw%away@proxy.example', 'throw%away'],
    ['of a SOCKS proxy', 'socks5://proxy-user:throw-away@proxy.example:1080', 'throw-away'],
  ])('%s', (_, url, password) => {
    maskProxyCredentials({ HTTPS_PROXY: url });
    expect(masks()).toContain(password);
    const basic = Buffer.from(`proxy-user:${password}`).toString('base64');
    expect(clean(`a ${password} b ${encodeURIComponent(password)} c ${basic} d`)).toBe('a *** b *** c *** d');
  });

  test('none are none', () => {
    maskProxyCredentials({ HTTPS_PROXY: 'http://proxy.example:3128', http_proxy: '' });
    expect(masks()).toEqual([]);
  });
});

describe('PEM text', () => {
  // Neither of them is a key or a certificate of anybody: only their first bytes are right.
  const block = (type: string, first: readonly number[]): string => {
    const bytes = Buffer.concat([
      Buffer.from(first),
      createHash('shake256', { outputLength: 250 }).update(type).digest(),
    ]);
    const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
    return [`-----BEGIN ${type}-----`, ...lines, `-----END ${type}-----`, ''].join('\r\n');
  };
  const certificate = block('CERTIFICATE', [0x30, 0x82, 0x01, 0x00, 0x30, 0x82, 0x00, 0xf0]);
  const key = block('PRIVATE KEY', [0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x00]);

  const lines = (pem: string): string[] =>
    pem.split('\r\n').filter((line) => line.length > 16 && !line.startsWith('---'));

  test('its key is masked, its certificates are not', () => {
    maskText(certificate + key + certificate);
    expect(masks()).toEqual(lines(key));
  });

  test.each(['X509 CERTIFICATE', 'TRUSTED CERTIFICATE'])('nor are those that OpenSSL calls %s', (label) => {
    maskText(block(label, [0x30, 0x82, 0x01, 0x00, 0x30, 0x82, 0x00, 0xf0]) + key);
    expect(masks()).toEqual(lines(key));
  });

  test('nor is a line that the key has in common with its certificate', () => {
    const [shared = '', ...own] = lines(key);
    maskText(certificate.replace(lines(certificate)[1] ?? '', shared) + key);
    expect(masks()).toEqual([...new Set(own)].filter((line) => line !== shared));
  });

  test('a PKCS#12 file in the armour of a certificate is masked', () => {
    const armoured = block('CERTIFICATE', [0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x03, 0x30]);
    maskText(armoured);
    expect(masks()).toEqual(lines(armoured));
  });

  const oneLine = (between: string): string => (certificate + key + certificate).trim().replaceAll('\r\n', between);

  test.each<[string, string]>([
    ['with blanks instead of line breaks', oneLine(' ')],
    ['with tabs', oneLine('\t')],
    ['with line breaks spelled out', oneLine('\\n')],
    ['with those of Windows', oneLine('\\r\\n')],
    ['with line breaks spelled out twice', oneLine('\\\\n')],
    ['as JSON', JSON.stringify({ pem: certificate + key })],
    ['as JSON that writes no control character', oneLine('\\u000a')],
    ['percent-encoded', encodeURIComponent(certificate + key)],
    ['in HTML', oneLine('&#10;')],
    ['with characters of zero width in it', (certificate + key).replaceAll('M', 'M\u200b')],
    ['in UTF-16 that was read as something else', (certificate + key).replace(/(?!^)/g, '\0')],
  ])('on one line, %s: each line of the key is masked, the certificates are not', (_, pem) => {
    maskText(pem);
    expect(masks()).toEqual(expect.arrayContaining(lines(key)));
    const shown = certificate.replaceAll('\r\n', '\n');
    expect(masks().filter((mask) => shown.includes(mask))).toEqual([]);
    expect(masks().filter((mask) => '-----BEGIN PRIVATE KEY-----'.includes(mask))).toEqual([]);
    for (const line of lines(key)) expect(clean(`x ${line} y`)).toBe('x *** y');
  });

  test('on one line, and its base64 without any break', () => {
    const body = lines(key).join('');
    maskText(`-----BEGIN PRIVATE KEY-----${body}-----END PRIVATE KEY-----`);
    expect(masks()).toEqual([body]);
  });

  describe('what OpenSSL and people write above a block is public', () => {
    const thumbprint = createHash('sha1').update('a certificate').digest('hex').toUpperCase();
    const subject = 'O = Contoso, CN = connector.contoso.com';
    const attributes = [
      'Bag Attributes',
      '    friendlyName: the certificate of the connector',
      `    localKeyID: ${thumbprint.replace(/../g, '$& ')}`,
      `subject=${subject}`,
      `issuer=${subject}`,
      '',
    ].join('\n');
    const withAttributes = `${attributes}${certificate}${attributes.replace('Bag', 'Key')}${key}`;
    const damaged = withAttributes.replace(/-----(BEGIN|END) PRIVATE KEY-----\r\n/g, '');

    test.each<[string, string]>([
      ['as OpenSSL writes it', withAttributes],
      ['with CR LF', withAttributes.replace(/\r?\n/g, '\r\n')],
      ['as JSON', JSON.stringify({ pem: withAttributes })],
      ['with blanks instead of line breaks', withAttributes.replace(/\r?\n/g, ' ')],
      ['with the armour of the key damaged', withAttributes.replaceAll('PRIVATE KEY-----', 'PRIVATE KEY')],
      ['with the armour of the key lost', damaged],
      ['with the armour of the key lost, on one line', damaged.replace(/\r?\n/g, ' ')],
      ['a comment', `# thumbprint: ${thumbprint} of ${subject}\n${key}`],
      ['as openssl x509 -text prints it', `        Issuer: ${subject}\n        Subject: ${subject}\n${key}`],
      ['without a colon', `Key attributes ${thumbprint}\n${key}`],
    ])('%s', (_, pem) => {
      maskText(pem);
      expect(masks()).toEqual(expect.arrayContaining(lines(key)));
      const seen = `Certificate ${thumbprint}, ${subject}, ${subject.replaceAll(' = ', '=')}`;
      expect(clean(seen)).toBe(seen);
      expect(masks().filter((mask) => seen.includes(mask))).toEqual([]);
    });
  });

  test.each([
    ['a dash lost', '----BEGIN CERTIFICATE-----', '-----END CERTIFICATE----'],
    ['all of them lost', 'BEGIN CERTIFICATE', 'END CERTIFICATE'],
    ['blanks and dashes lost', '---BEGIN CERTIFICATE---', '-----ENDCERTIFICATE-----'],
    ['its end cut', '-----BEGIN CERTIFICATE', '-----END CERTIFICATE'],
  ])('armour with %s is not masked: an output has the right one', (_, begin, end) => {
    const change = (pem: string): string =>
      pem.replace(/-----BEGIN CERTIFICATE-----/g, begin).replace(/-----END CERTIFICATE-----/g, end);
    for (const pem of [certificate + key, certificate.replaceAll('CERT', 'X509 CERT') + key]) {
      maskText(change(pem));
      expect(masks().filter((mask) => certificate.includes(mask) && !lines(certificate).includes(mask))).toEqual([]);
      maskText(change(key.replaceAll('PRIVATE KEY', 'CERTIFICATE')).replaceAll('CERTIFICATE', 'PRIVATE KEY'));
      expect(masks().filter((mask) => /BEGIN|END/.test(mask))).toEqual([]);
      expect(masks()).toEqual(expect.arrayContaining(lines(key)));
    }
  });

  test('one that is cut is masked', () => {
    maskText(certificate.slice(0, 200));
    expect(masks()).toEqual(lines(certificate.slice(0, 200)));
  });
});

test('each line of a password is masked, and found by itself', () => {
  maskPassword('throw-away one\nthrow-away two');
  expect(masks()).toEqual(['throw-away one', 'throw-away two']);
  expect(clean('a throw-away two b')).toBe('a *** b');
});

test.each([
  ['between dashes', '-----throw-away-----'],
  ['that looks like armour', '-----BEGIN THROW AWAY-----'],
  ['that is half of it', '-----BEGIN'],
])('a password %s is masked', (_, password) => {
  maskPassword(password);
  expect(masks()).toEqual([password]);
  expect(clean(`a ${password} b`)).toBe('a *** b');
});

describe('base64 of a .pfx, which is no PEM', () => {
  const digits = Buffer.from(Array.from({ length: 240 }, (_, n) => (n * 7919 + (n >> 3) * 31) % 251)).toString(
    'base64',
  );
  const wrapped = digits.match(/.{1,64}/g) ?? [];

  test.each<[string, string]>([
    ['with blanks instead of line breaks', wrapped.join(' ')],
    ['with line breaks spelled out', wrapped.join('\\n')],
    ['in quotation marks', `"${wrapped.join('\\r\\n')}"`],
    ['with a byte order mark', `\ufeff${wrapped.join('\r\n')}`],
  ])('%s: each line is masked', (_, text) => {
    maskText(text);
    expect(masks().filter((mask) => !mask.includes(' '))).toEqual(expect.arrayContaining(wrapped));
  });

  test.each<[string, string]>([
    ['in quotation marks', `"${digits}"`],
    ['as a data URL', `data:application/x-pkcs12;base64,${digits}`],
    ['with a name before it', `CONNECTOR_PFX=${digits}`],
    ['as a value of JSON, its slashes escaped', JSON.stringify({ pfx: digits }).replaceAll('/', '\\/')],
  ])('%s: also alone', (_, text) => {
    maskText(text);
    expect(masks()).toContain(digits);
  });
});
