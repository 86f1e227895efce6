import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { parseSubject } from '../../src/certificate/subject.ts';
import { parseWhole } from '../../src/pkcs12/asn1/ber.ts';
import { bits, octets, oid, sequenceOf, time, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';
import { decode, type Decoded } from '../../src/certificate/decode.ts';
import { writePkcs12 } from '../../src/pkcs12/write.ts';
import { certificateIn, failureOf, openFixture, PASSWORD, readFixture } from '../pkcs12/fixtures.ts';

const pfx = readFixture('openssl-default.pfx');
/** The bytes, if what was given is a .pfx. */
const bytesOf = (decoded: Decoded): Buffer | undefined => (decoded.kind === 'pkcs12' ? decoded.bytes : undefined);
const base64 = pfx.toString('base64');
const wrapped = (width: number, end: string): string => base64.replace(new RegExp(`.{${width}}`, 'g'), `$&${end}`);
const spread = (text: string): string => Buffer.from(text, 'utf16le').toString('latin1');

const throwAway = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** A certificate in DER that signs itself, as small as one can be. */
function selfSigned(subject: string): Buffer {
  const parsed = parseSubject(subject);
  if (!('der' in parsed)) throw new Error(parsed.problem);
  const algorithm = sequenceOf(oid('1.2.840.10045.4.3.2'));
  const validity = sequenceOf(time(new Date(Date.now() - 86_400_000)), time(new Date(Date.now() + 86_400_000)));
  const publicKey = throwAway.publicKey.export({ type: 'spki', format: 'der' });
  const tbs = sequenceOf(unsigned(1), algorithm, parsed.der, validity, parsed.der, publicKey);
  return sequenceOf(tbs, algorithm, bits(sign('sha256', tbs, throwAway.privateKey)));
}
const shortest = new X509Certificate(selfSigned('CN=a'));

/** A .pfx whose contents are so long. */
function ofLength(least: number, most: number): Buffer {
  for (let issuers = 0; ; issuers++) {
    const chain = Array.from({ length: issuers }, () => shortest);
    const file = writePkcs12({ leaf: shortest, chain, privateKey: throwAway.privateKey }, PASSWORD);
    const length = file.readUInt16BE(2);
    if (length >= least && length <= most) return file;
    if (length > most) throw new Error('none is so long');
  }
}

/** Base64 on lines that became one, of what begins as a .pfx of a length that leaves so many bytes over by threes. */
function withBlanks(over: number): string {
  const content = sequenceOf(oid(OID.data), octets(Buffer.alloc(199 + over)));
  const file = sequenceOf(unsigned(3), content);
  expect(file.length % 3).toBe(over);
  return file.toString('base64').replace(/.{60}/g, '$& ');
}

describe('base64 in its disguises', () => {
  test.each([
    ['plain', base64],
    ['with a line break', `${base64}\n`],
    ['wrapped at 64', wrapped(64, '\n')],
    ['wrapped at 76 by Windows', wrapped(76, '\r\n')],
    ['with blanks', `  ${wrapped(10, ' ')}`],
    ['with a byte order mark', `\ufeff${base64}`],
    ['with a byte order mark misread', `ï»¿${base64}`],
    ['UTF-16 misread', spread(base64)],
    ['UTF-16 with its mark misread', `ÿþ${spread(base64)}`],
    ['url-safe', pfx.toString('base64url')],
    ['without padding', base64.replace(/=+$/, '')],
    ['in double quotation marks', `"${base64}"`],
    ['in single quotation marks', `'${base64}'\n`],
    ['with line breaks spelled out', wrapped(76, '\\n')],
    ['as a data URL', `data:application/x-pkcs12;base64,${base64}`],
    [
      'in the armour of certutil',
      `-----BEGIN CERTIFICATE-----\r\n${wrapped(64, '\r\n')}\r\n-----END CERTIFICATE-----\r\n`,
    ],
    ['twice', Buffer.from(base64).toString('base64')],
    ['twice, wrapped in between', Buffer.from(wrapped(76, '\n')).toString('base64')],
  ])('%s', (_name, text) => {
    expect(bytesOf(decode(text))?.equals(pfx)).toBe(true);
  });

  // What is around a .pfx can be told from it for certain, since a .pfx says how long it is.
  const cut = base64.replace(/=+$/, '');
  const crlf = Buffer.from(pfx.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
  const times = (text: string, n: number): string =>
    n === 0 ? text : times(Buffer.from(text).toString('base64').replace(/.{76}/g, '$&\n'), n - 1);
  test.each([
    ['with the % mark of zsh', `${base64}%`, /the % mark that zsh shows/],
    ['with a prompt, without padding', `${cut}me@mac ~ % `, /a prompt after it/],
    ['with a prompt on the next line', `${base64}\nuser@host:~$ `, /a prompt after it/],
    ['with a semicolon', `${base64};\n`, /a punctuation mark/],
    ['with a name', `PFX_BASE64=${base64}`, /a name before it/],
    ['exported in quotation marks', `export PFX="${base64}"\n`, /a name before it/],
    ['in PowerShell', `$env:PFX = '${base64}'`, /a name before it/],
    ['as YAML', `apiVersion: v1\nkind: Secret\ndata:\n  cert.pfx: |\n    ${wrapped(64, '\n    ')}\n`, /text before it/],
    [
      'in the JSON of Key Vault',
      JSON.stringify({ contentType: 'application/x-pkcs12', value: base64 }, null, 2),
      /JSON/,
    ],
    ['as a MIME part', `Content-Transfer-Encoding: base64\r\n\r\n${wrapped(76, '\r\n')}`, /text before it/],
    ['in typographic quotation marks', `“${base64}”`, /the marks around it/],
    ['in single typographic marks', `‘${base64}’`, /the marks around it/],
    ['in quotation marks with a comma', `"${base64}",`, /around|punctuation/],
    ['too much padding', `${cut}====`, /text after it/],
    ['by uuencode -m', `begin-base64 644 cert.pfx\n${wrapped(60, '\n')}\n====\n`, /text before it/],
    [
      "with JSON's escapes",
      base64.replaceAll('+', '\\u002B').replaceAll('/', '\\/').replaceAll('=', '\\u003d'),
      /escapes/,
    ],
    ['escaped twice', base64.replaceAll('+', '\\\\u002b'), /escapes/],
    ['as a property', `pfx=${base64.replaceAll('=', '\\=')}`, /./],
    ['percent-encoded', encodeURIComponent(base64), /escapes/],
    ['with entities of HTML', base64.replaceAll('+', '&#43;').replaceAll('=', '&#61;'), /escapes/],
    ['with blanks for plus signs', base64.replaceAll('+', ' '), /plus signs/],
    ['with blanks for plus signs, wrapped', wrapped(76, '\n').replaceAll('+', ' '), /plus signs/],
    [
      'in armour with text before',
      `Enter Export Password:\n-----BEGIN PKCS12-----\n${wrapped(64, '\n')}\n-----END PKCS12-----`,
      /armour/,
    ],
    [
      'in armour in quotation marks',
      `"-----BEGIN CERTIFICATE-----\n${wrapped(64, '\n')}\n-----END CERTIFICATE-----"`,
      /armour/,
    ],
    [
      'in armour in JSON',
      `-----BEGIN CERTIFICATE-----\\r\\n${wrapped(64, '\\r\\n')}\\r\\n-----END CERTIFICATE-----`,
      /armour/,
    ],
    [
      'in armour in base64',
      times(`-----BEGIN CERTIFICATE-----\r\n${base64}\r\n-----END CERTIFICATE-----`, 1),
      /armour/,
    ],
    ['three times', times(base64, 2), /more than once/],
    ['UTF-16 in base64', Buffer.from(base64, 'utf16le').toString('base64'), /more than once/],
    ['every LF turned into CR LF', crlf.toString('base64'), /core\.autocrlf/],
  ])('%s: fixed, and said', (_name, text, note) => {
    const decoded = decode(text);
    expect(bytesOf(decoded)?.equals(pfx)).toBe(true);
    expect(decoded.notes).toContainEqual(expect.stringMatching(note));
  });

  test.each([
    ['a byte order mark', `\ufeff${base64}`, /byte order mark/],
    ['a byte order mark misread', `ï»¿${base64}`, /byte order mark/],
    ['UTF-16 misread', `ÿþ${spread(base64)}`, /UTF-16/],
    ['the url-safe alphabet', pfx.toString('base64url'), /url-safe/],
    ['quotation marks', `"${base64}"`, /: quotation marks\.$/],
    ['line breaks spelled out', wrapped(76, '\\n'), /: spelled-out line breaks\.$/],
    ['a data URL in quotation marks', `"data:;base64,${base64}"`, /: quotation marks, the head of a data URL\.$/],
    ['characters of zero width', wrapped(76, '\u200b'), /: invisible characters\.$/],
    ['a data URL', `data:application/x-pkcs12;base64,${base64}`, /: the head of a data URL\.$/],
    ['a byte order mark that could not be read', `\ufffd\ufffd${base64}`, /byte order mark/],
    ['one character that could not be read', `\ufffd${base64}`, /text before it/],
  ])('%s: left out, and said', (_name, text, note) => {
    const decoded = decode(text);
    expect(bytesOf(decoded)?.equals(pfx)).toBe(true);
    expect(decoded.notes).toEqual([expect.stringMatching(note)]);
  });

  // The bytes of a .pfx are found by its length; text in base64 only as a long run, with nothing like it beside it.
  describe.each([
    ['PEM', Buffer.from(readFixture('pem/pkcs8.pem')).toString('base64'), 'pem'],
    ['base64', Buffer.from(base64).toString('base64'), 'pkcs12'],
    ['base64 of PEM', times(readFixture('pem/pkcs8.pem').toString(), 2).replaceAll('\n', ''), 'pem'],
  ])('base64 of %s', (_name, inner, kind) => {
    test.each([
      ['a name', `PFX=${inner}`, /a name before it/],
      ['words that armour has, too', `front-end certificate: ${inner}`, /before it/],
      ['a name and quotation marks', `export PFX='${inner}'\n`, /a name before it/],
      ['YAML', `pfx: |\n  ${inner.replace(/.{60}(?=.)/g, '$&\n  ')}\n`, /a name before it|text before it/],
      ['JSON', JSON.stringify({ value: inner }), /JSON/],
      ['JSON, wrapped', JSON.stringify({ value: inner.replace(/.{76}/g, '$&\n') }), /JSON/],
      ['the % mark of zsh', `${inner}%`, /the % mark/],
      ['a semicolon', `${inner};`, /punctuation mark/],
    ])('with %s', (_around, text, note) => {
      for (const given of [text, Buffer.from(text)]) {
        const decoded = decode(given);
        expect(decoded.kind).toBe(kind);
        expect(decoded.notes).toContainEqual(expect.stringMatching(note));
      }
    });
  });

  test('every LF turned into CR LF, one in its length as well', () => {
    const file = ofLength(0x0a00, 0x0aff);
    const crlf = Buffer.from(file.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
    expect(bytesOf(decode(crlf))?.equals(file)).toBe(true);
  });

  test('a line break behind a whole .pfx with a line break in it harms nothing', () => {
    for (let attempt = 0; attempt < 10_000; attempt++) {
      const file = writePkcs12({ leaf: shortest, chain: [], privateKey: throwAway.privateKey }, PASSWORD);
      if (file.toString('latin1').split('\r\n').length !== 2) continue;
      const given = Buffer.concat([file, Buffer.from('\r\n')]);
      expect(bytesOf(decode(given))?.equals(given)).toBe(true);
      return;
    }
  });

  // Its end is known only from what is in it, so that nothing behind it may be taken for base64.
  describe('of indefinite length', () => {
    const indefinite = (remainder: number): Buffer => {
      for (let subject = 'CN=a'; ; subject += 'a') {
        const leaf = new X509Certificate(selfSigned(subject));
        const definite = parseWhole(writePkcs12({ leaf, chain: [], privateKey: throwAway.privateKey }, PASSWORD));
        const file = Buffer.concat([Buffer.of(0x30, 0x80), definite.content, Buffer.alloc(2)]);
        if (file.length % 3 === remainder) return file;
      }
    };
    test.each([0, 1, 2])('its length is a multiple of 3, and %i', (remainder) => {
      const file = indefinite(remainder);
      const text = file.toString('base64');
      const lines = text.replace(/.{64}/g, '$&\n');
      for (const given of [
        text,
        text.replace(/.{60}/g, '$& '),
        Buffer.from(text).toString('base64'),
        `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
        `-----BEGIN PKCS12-----\n${lines}-----END PKCS12-----\n${openFixture('openssl-ec.pfx').leaf.toString()}`,
        `CONNECTOR_PFX=${text}\nPASSWORD=abc`,
        `${text.replace(/=+$/, '')} user@host $`,
      ]) {
        expect({ given, found: bytesOf(decode(given))?.toString('hex') }).toEqual({
          given,
          found: file.toString('hex'),
        });
      }
    });
    test('cut off', () => {
      const text = indefinite(0).toString('base64').slice(0, 1000);
      const armour = `-----BEGIN PKCS12-----\n${text}\n-----END PKCS12-----`;
      expect(bytesOf(decode(text))?.length).toBe(750);
      expect(decode(armour).kind).toBe('pem');
    });
  });

  describe('two different .pfx in one text: neither is guessed', () => {
    const other = readFixture('openssl-3des.pfx').toString('base64');
    const [cut, cutOther] = [base64, other].map((text) => text.slice(0, 1000));
    const armour = (text: string): string => `-----BEGIN PKCS12-----\n${text}\n-----END PKCS12-----\n`;
    const texts: readonly (readonly [string, (one: string, two: string) => string])[] = [
      ['with names', (one, two) => `one: ${one}\ntwo: ${two}`],
      ['in JSON', (one, two) => JSON.stringify({ one, two })],
      ['in JSON, one of them wrapped', (one, two) => JSON.stringify({ one: one.replace(/.{64}/g, '$&\n'), two })],
      ['appended', (one, two) => `${one}\n${two}\n`],
      ['appended without a line break', (one, two) => `${one}${two}`],
      ['in armour', (one, two) => armour(one) + armour(two)],
      ['in base64 again', (one, two) => Buffer.from(`${one}\n${two}`).toString('base64')],
    ];
    test.each(texts)('%s', (_name, join) => {
      for (const text of [join(base64, other), join(other, base64)]) {
        for (const given of [text, Buffer.from(text)]) {
          const failure = failureOf(() => decode(given));
          expect(failure.code).toBe('PFX_NOT_BASE64');
          expect(failure.message).toMatch(/several texts that were joined/);
        }
      }
    });

    test.each([
      ['one of them cut off at its end', `one: ${cut ?? ''}\ntwo: ${other}`],
      ['one of them cut off, with a line break', `${base64}\n${cutOther ?? ''}`],
      ['one of them cut off, in armour', armour(base64) + armour(cutOther ?? '')],
      ['one with something else behind it', `pfx=${base64}\n${Buffer.alloc(60, 1).toString('base64')}`],
      ['many', `${base64};`.repeat(21)],
    ])('%s', (_name, text) => {
      expect(failureOf(() => decode(text)).message).toMatch(/several texts that were joined/);
    });

    test.each([
      ['the same one twice', `one: ${base64}\ntwo: ${base64}`],
      ['the same one appended', `${base64}\n${base64}`],
      ['its beginning in a comment', `# ${base64.slice(0, 40)}…\nPFX=${base64}`],
    ])('%s is one', (_name, text) => {
      expect(bytesOf(decode(text))?.equals(pfx)).toBe(true);
    });
  });

  test('says what was unusual', () => {
    expect(decode(base64).notes).toEqual([]);
    expect(decode(Buffer.from(base64).toString('base64')).notes).toEqual([expect.stringMatching(/more than once/)]);
  });

  test.each([
    ['short', 'MAA='],
    ['with few zeros', 'MAA=\0\0'],
    ['wrapped with blanks, of a length that needs no padding', withBlanks(0)],
    ['wrapped with blanks, with padding', withBlanks(1)],
  ])('says nothing of what is %s', (_name, text) => {
    expect(decode(text).notes).toEqual([]);
  });

  test('six times is the most', () => {
    expect(bytesOf(decode(times(base64, 5)))?.equals(pfx)).toBe(true);
    expect(failureOf(() => decode(times(base64, 6))).code).toBe('PFX_NOT_PKCS12');
  });

  test('padding of every length', () => {
    const certificate = openFixture('openssl-ec.pfx');
    const file = writePkcs12(certificate, PASSWORD);
    for (const tail of [0, 1, 2]) {
      const text = Buffer.concat([file, Buffer.alloc(tail)]).toString('base64');
      expect(certificateIn(bytesOf(decode(text)) ?? Buffer.alloc(0)).thumbprint).toBe(certificate.thumbprint);
    }
  });
});

describe('text that is no .pfx', () => {
  const of = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
  const der = openFixture('openssl-default.pfx').leaf.raw;
  test.each([
    ['nothing', '', 'PFX_EMPTY', /^The input "pfx" is empty\.$/],
    ['blanks', ' \r\n\t', 'PFX_EMPTY', /^The input "pfx" is empty\.$/],
    ['quotation marks', '""', 'PFX_EMPTY', /^The input "pfx" is empty\.$/],
    ['words', 'this is not base64!', 'PFX_NOT_BASE64', /: the character at position 16 \(U\+0021\) does not/],
    ['a path', './certs/my.pfx', 'PFX_NOT_BASE64', /pfx-file/],
    ['a Windows path', 'C:\\certs\\my.pfx', 'PFX_NOT_BASE64', /pfx-file/],
    ['a mask', '***', 'PFX_NOT_BASE64', /mask/],
    ['an expression', '${{ secrets.PFX }}', 'PFX_NOT_BASE64', /expression/],
    ['one character more', `${base64.replace(/=+$/, '').slice(0, 1000)}A`, 'PFX_NOT_BASE64', /missing/],
    [
      'padding in the middle',
      `${base64.slice(0, 100)}==${base64.slice(100)}`,
      'PFX_NOT_BASE64',
      /padding \("="\) stands in the middle, at position 101: several texts were joined/,
    ],
    ['an equals sign near the start', `PFX=${Buffer.alloc(99, 0xaa).toString('base64')}`, 'PFX_NOT_BASE64', /U\+003D/],
    [
      'two values in base64',
      JSON.stringify({ one: Buffer.from(wrapped(76, '\n')).toString('base64'), two: 'QUJD'.repeat(20) }),
      'PFX_NOT_BASE64',
      /it is JSON/,
    ],
    ['an SSH public key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me', 'PFX_IS_SSH_KEY', /SSH/],
    ['a DER certificate', der.toString('base64'), 'PFX_IS_CERTIFICATE', /certificate/],
    ['PKCS#7', of('300b06092a864886f70d010702'), 'PFX_IS_PKCS7', /PKCS#7/],
    ['a Java keystore', of('feedfeed0000000200000000'), 'PFX_IS_JKS', /Java/],
    ['a ZIP archive', of('504b030414000000'), 'PFX_NOT_PKCS12', /ZIP/],
    [
      'a Git LFS pointer',
      'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n',
      'PFX_NOT_PKCS12',
      /Git LFS/,
    ],
    ['Ansible Vault', '$ANSIBLE_VAULT;1.1;AES256\n3132\n', 'PFX_NOT_PKCS12', /Ansible Vault/],
    [
      'Ansible Vault, as encrypt_string prints it',
      'pfx: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          3132\n',
      'PFX_NOT_PKCS12',
      /Ansible Vault/,
    ],
    ['age', Buffer.from('age-encryption.org/v1\n-> X25519 x\n').toString('base64'), 'PFX_NOT_PKCS12', /age/],
    ['openssl enc', Buffer.from('Salted__\x01\x02\x03').toString('base64'), 'PFX_NOT_PKCS12', /openssl enc/],
    ['gpg', of('85010c03aaaaaaaa'), 'PFX_IS_PGP_KEY', /gpg/],
    ['gpg with a passphrase', of('8c0d040903021111'), 'PFX_IS_PGP_KEY', /gpg/],
    ['binary read as text', `0\ufffd\u0004\ufffd`, 'PFX_NOT_PKCS12', /read as text/],
    [
      'binary read as text, in base64',
      Buffer.from(pfx.toString('utf8')).toString('base64'),
      'PFX_NOT_PKCS12',
      /read as text/,
    ],
    [
      'Latin-1 written as UTF-8',
      Buffer.from(pfx.toString('latin1')).toString('base64'),
      'PFX_NOT_PKCS12',
      /read as text/,
    ],
    ['uuencoded', 'begin 644 cert.pfx\nM,((&', 'PFX_NOT_PKCS12', /uuencoded/],
    ['a SecureString', '01000000d08c9ddf0115d1118c7a00c0', 'PFX_NOT_PKCS12', /SecureString/],
    ['JSON without a .pfx', '{"value": "x"}', 'PFX_NOT_BASE64', /JSON/],
    ['YAML without a .pfx', 'apiVersion: v1\nkind: Secret\n', 'PFX_NOT_BASE64', /YAML/],
  ])('%s', (_name, text, code, message) => {
    const failure = failureOf(() => decode(text));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
    expect(failure.remedy).not.toBe('');
  });
});

describe('why text is no base64', () => {
  test.each([
    ['a path by its extension', 'my.p12', /a path/],
    ['a path upwards', '../certs/my.bin', /a path/],
    ['a path from the root', '/certs/my.bin', /a path/],
    ['a path from home', '~/certs/my.bin', /a path/],
    ['a path of Windows', 'C:\\certs\\my.bin', /a path/],
    ['what only ends as a path', 'x!/y.bin', /position 2 \(U\+0021\)/],
    ['what only begins as a path', './my.bin!', /position 1 \(U\+002E\)/],
    ['lines, the last of them a path', 'a!\nmy.pfx', /position 2 \(U\+0021\)/],
    ['what is too long for a path', `${'!'.repeat(1020)}.pfx`, /position 1 \(U\+0021\)/],
    ['a mask with something behind it', '***QUJD', /position 1 \(U\+002A\)/],
    ['a mask with something before it', 'QUJD***', /position 5 \(U\+002A\)/],
    ['a variable', '$PFX', /expression or variable that was not filled in/],
    ['a brace that begins no JSON', 'QUJD{', /position 5 \(U\+007B\)/],
    ['YAML further down', 'x:\n  kind: Secret', /it is YAML/],
    ['a word that ends as one of YAML', 'mydata: none', /position 7 \(U\+003A\)/],
    ['a percent sign', 'QUJD%', /: it is percent-encoded, or ends in the % mark that zsh shows\.$/],
    ['quotation marks around its end only', 'QUJD"QUJD"', /position 5 \(U\+0022\)/],
    ['quotation marks around its beginning only', '"QUJD"QUJD', /position 1 \(U\+0022\)/],
    ['the head of a data URL in the middle', 'QUJDdata:;base64,QUJD', /position 9 \(U\+003A\)/],
  ])('%s', (_name, text, message) => {
    const failure = failureOf(() => decode(text));
    expect(failure.code).toBe('PFX_NOT_BASE64');
    expect(failure.message).toMatch(message);
  });
});

describe('bytes that were written as numbers', () => {
  const hex = pfx.toString('hex');
  const numbers = (write: (byte: number) => string, between: string): string => [...pfx].map(write).join(between);
  const octets = (prefix: string, between: string): string => hex.replace(/../g, `${prefix}$&${between}`);
  const words = (radix: number): string =>
    Array.from({ length: 8 }, (_, at) =>
      pfx
        .readUInt16LE(2 * at)
        .toString(radix)
        .padStart(radix === 8 ? 6 : 4, '0'),
    ).join(' ');
  test.each([
    ['hex', hex],
    ['hex in capitals', `0X${hex.toUpperCase()}`],
    ['hex in quotation marks', `"${hex}"`],
    ['hex in SQL', `X'${hex}'`],
    ['hex with a name', `PFX=${hex}`],
    ['hex with blanks', octets('', ' ')],
    ['hex with colons', octets('', ':')],
    ['escapes of hex', octets('\\x', '')],
    ['an array in C, as xxd -i writes it', `unsigned char leaf_pfx[] = {\n  ${octets('0x', ', ')}};`],
    ['an array in C#', `new byte[] { ${octets('0x', ', ')} }`],
    ['an array in Java', `new byte[] { ${octets('(byte) 0x', ', ')} }`],
    ['signed bytes of Java', `[${numbers((byte) => String(byte > 127 ? byte - 256 : byte), ', ')}]`],
    ['decimal', numbers(String, ' ')],
    ['decimal in JSON', JSON.stringify([...pfx])],
    ['a Buffer in JSON', JSON.stringify(pfx)],
    ['a Buffer in the log of Node', `<Buffer ${octets('', ' ').slice(0, 149)} ... 3000 more bytes>`],
    ['xxd', `00000000: 3082 ${pfx.toString('hex', 2, 16).replace(/..../g, '$& ')}  0...`],
    ['hexdump -C', `00000000  ${octets('', ' ').slice(0, 23)}  ${octets('', ' ').slice(24, 47)}  |0...|`],
    ['hexdump', `0000000 ${words(16)}`],
    ['od', `0000000 ${words(8)}`],
    ['od -b', `0000000 ${numbers((byte) => byte.toString(8).padStart(3, '0'), ' ')}`],
    ['Format-Hex', `   Label: String\n\n          Offset Bytes\n0000000000000000 ${octets('', ' ').slice(0, 47)}`],
    ['a certificate in hex', openFixture('openssl-ec.pfx').leaf.raw.toString('hex')],
  ])('%s', (_name, text) => {
    const given = [text, Buffer.from(text), Buffer.from(text).toString('base64')];
    for (const failure of given.map((content) => failureOf(() => decode(content)))) {
      expect(failure.code).toBe('PFX_NOT_PKCS12');
      expect(failure.message).toMatch(/written as numbers \(hexadecimal, decimal or octal\)/);
    }
  });
});

describe('a binary file that was read as text', () => {
  const latin1 = pfx.toString('latin1');
  const windows = new TextDecoder('windows-1252').decode(pfx);
  const letters = (of: (byte: number) => string): string =>
    [...pfx].map((byte) => (byte < 0x80 ? String.fromCharCode(byte) : of(byte))).join('');
  const utf16 = (text: string): Buffer => Buffer.from(`\ufeff${text}`, 'utf16le');
  test.each<[string, string | Buffer]>([
    ['UTF-8', pfx.toString()],
    ['UTF-8, written as UTF-16', utf16(pfx.toString())],
    ['Latin-1', latin1],
    ['Latin-1, written as UTF-8', Buffer.from(latin1)],
    ['Latin-1, written as UTF-16 by PowerShell 5', utf16(latin1)],
    ['Windows-1252', windows],
    ['Windows-1252, written as UTF-8', Buffer.from(windows)],
    ['Windows-1252, written as UTF-16', utf16(windows)],
    ['code page 437, written as UTF-8', Buffer.from(letters((byte) => (byte === 0x82 ? 'é' : 'Ç')))],
    ['MacRoman, written as UTF-8', Buffer.from(letters((byte) => (byte === 0x82 ? 'Ç' : 'ü')))],
    ['ASCII, with question marks', Buffer.from(letters(() => '?'))],
    ['ASCII, cut to seven bits', Buffer.from(letters((byte) => String.fromCharCode(byte & 0x7f)))],
  ])('%s', (_name, given) => {
    const failure = failureOf(() => decode(given));
    expect(failure.code).toBe('PFX_NOT_PKCS12');
    expect(failure.message).toMatch(/read as text/);
  });

  test('of another kind, with a dollar sign in it', () => {
    const text = Buffer.from('feedfeed0000000224414243', 'hex').toString('latin1');
    expect(failureOf(() => decode(text)).message).toMatch(/a binary file that was read as text/);
  });
});

describe('a .pfx next to PEM', () => {
  const armour = `-----BEGIN PKCS12-----\n${wrapped(64, '\n')}\n-----END PKCS12-----\n`;
  test.each(['pem/pkcs8.pem', 'pem/dek-info-aes256.pem', 'pem/sec1.pem'])('with a private key: %s', (file) => {
    const pem = readFixture(file).toString();
    for (const text of [pem + armour, armour + pem, `${base64}\n${pem}`, JSON.stringify({ pem, armour })]) {
      const failure = failureOf(() => decode(text));
      expect(failure.code).toBe('PFX_NOT_BASE64');
      expect(failure.message).toMatch(/a \.pfx and a private key in PEM/);
      expect(failure.remedy).toBe(
        'Give one of them only: the .pfx, or the PEM text with the certificate and its private key.',
      );
    }
  });

  test.each([
    ['certificates', openFixture('openssl-ec.pfx').leaf.toString() + armour],
    ['nothing: it is in the armour of a key itself', armour.replaceAll('PKCS12', 'PRIVATE KEY')],
  ])('with %s', (_name, text) => {
    expect(bytesOf(decode(text))?.equals(pfx)).toBe(true);
  });
});

describe('files', () => {
  test('a .pfx as it is', () => {
    expect(decode(pfx)).toEqual({ kind: 'pkcs12', bytes: pfx, notes: [] });
  });

  test.each([
    ['base64', Buffer.from(wrapped(76, '\n'))],
    ['base64 in UTF-16', Buffer.from(`\ufeff${base64}`, 'utf16le')],
    ['base64 with a byte order mark', Buffer.from(`\ufeff${base64}`)],
    ['base64 in UTF-16 without its mark', Buffer.from(base64, 'utf16le')],
    ['base64 in UTF-32', Buffer.from([...Buffer.from(base64)].flatMap((digit) => [0, 0, 0, digit]))],
    [
      'base64 in UTF-32 with its mark',
      Buffer.from([0xff, 0xfe, 0, 0, ...[...Buffer.from(base64)].flatMap((digit) => [digit, 0, 0, 0])]),
    ],
  ])('%s is decoded, and said', (_name, file) => {
    const decoded = decode(file);
    expect(bytesOf(decoded)?.equals(pfx)).toBe(true);
    expect(decoded.notes).toEqual([expect.stringMatching(/base64/)]);
  });

  test.each([
    ['words', 'hello world', 'PFX_NOT_PKCS12'],
    ['a web page', '<!DOCTYPE html><title>Sign in</title>', 'PFX_NOT_PKCS12'],
    ['nothing', '', 'PFX_EMPTY'],
    ['prose with a word like base64', 'MIT License, MIIR', 'PFX_NOT_PKCS12'],
  ])('%s', (_name, text, code) => {
    expect(failureOf(() => decode(Buffer.from(text))).code).toBe(code);
  });

  const cyrillic = `пароль: нет\nPFX: ${base64}`;
  test.each([
    ['UTF-8', Buffer.from(cyrillic)],
    ['UTF-16', Buffer.from(`\ufeff${cyrillic}`, 'utf16le')],
    ['UTF-16 of the other byte order', Buffer.from(`\ufeff${cyrillic}`, 'utf16le').swap16()],
    ...['aÿ', 'þa', 'ÿa', 'aþ'].map((start): [string, Buffer] => [
      `Latin-1, beginning with ${start}`,
      Buffer.from(`${start}: ${base64}`, 'latin1'),
    ]),
  ])('base64 in a text in %s', (_name, file) => {
    const decoded = decode(file);
    expect(bytesOf(decoded)?.equals(pfx)).toBe(true);
    expect(decoded.notes).toContainEqual(expect.stringMatching(/text before it/));
  });

  test('PEM keeps what is no mark at its beginning', () => {
    const text = `# ÿþ ï»¿\n${readFixture('pem/pkcs8.pem').toString().trim()}`;
    expect(decode(Buffer.from(`\n${text}\n`, 'latin1'))).toEqual({ kind: 'pem', text, notes: [] });
  });

  test.each(['feff41', 'fe4142', '41ff42'])('half a character behind what may be a byte order mark: %s', (hex) => {
    expect(failureOf(() => decode(Buffer.from(hex, 'hex'))).code).toBe('PFX_NOT_PKCS12');
  });

  test('line breaks in what is cut off are left as they are', () => {
    const content = sequenceOf(oid(OID.data), octets(Buffer.from('\r\n'.repeat(100))));
    const file = sequenceOf(unsigned(3), content).subarray(0, 120);
    expect(decode(file)).toEqual({ kind: 'pkcs12', bytes: file, notes: [] });
  });
});
