/** Certificate and key as PEM, as tools write them and as people paste them. */
import {
  createCipheriv,
  createPrivateKey,
  generateKeyPairSync,
  getCipherInfo,
  hash,
  pbkdf2Sync,
  X509Certificate,
} from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { decode } from '../../src/certificate/decode.ts';
import { openPem, privateKeyLines } from '../../src/certificate/pem.ts';
import { openCertificate } from '../../src/certificate/upload.ts';
import type { CertificateUpload } from '../../src/certificate/upload.ts';
import { TAG } from '../../src/pkcs12/asn1/ber.ts';
import { element, explicit, octets, oid, sequenceOf, unsigned, utf8 } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';
import { pfxOfContents } from '../pkcs12/builder.ts';
import { failureOf, fixturesIn, PASSWORD, readFixture } from '../pkcs12/fixtures.ts';
import { made, rsaKeys } from './made.ts';

const open = (content: string | Buffer, password = ''): CertificateUpload =>
  openCertificate({ content, password, notes: [] }, new Date()).upload;
const pem = (name: string): string => readFixture(`pem/${name}.pem`).toString();
const blocks = (text: string): string[] => text.match(/-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----\n/g) ?? [];
const block = (label: string, base64 = 'AAAA'): string =>
  `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
const [leaf = '', authority = '', key = ''] = blocks(pem('bag-attributes'));

const whole = `${key}${leaf}${authority}`;
/** The certificate and, after it, that it is trusted for TLS clients. */
const trusted = Buffer.concat([new X509Certificate(leaf).raw, sequenceOf(sequenceOf(oid(OID.clientAuth)))]).toString(
  'base64',
);
const COPY_AGAIN = 'Copy it again, whole: from the line -----BEGIN … to the line -----END … of each block.';

describe('what OpenSSL writes', () => {
  test.each(fixturesIn('pem'))('$file', ({ file, password, thumbprint, failure }) => {
    const opened = (): CertificateUpload => open(readFixture(file), password);
    if (failure === undefined) expect(opened()).toMatchObject({ certificate: { thumbprint }, password });
    else expect(failureOf(opened).code).toBe(failure);
  });

  test('the chain goes along, in order', () => {
    expect(open(`${authority}${key}${leaf}`).certificate.chain).toHaveLength(1);
    expect(open(`${leaf}${key}`).certificate.chain).toEqual([]);
  });
});

describe('a password', () => {
  const encrypted = fixturesIn('pem').filter(({ password, failure }) => password !== '' && failure === undefined);

  test.each(encrypted)('missing for $file', ({ file }) => {
    const failure = failureOf(() => open(readFixture(file)));
    expect(failure.code).toBe('PFX_WRONG_PASSWORD');
    expect(failure.message).toMatch(/is encrypted, and the input "password" is empty/);
    expect(failure.remedy).toMatch(/^Set password to/);
  });

  test.each(encrypted)('wrong for $file', ({ file }) => {
    const failure = failureOf(() => open(readFixture(file), 'another'));
    expect(failure.code).toBe('PFX_WRONG_PASSWORD');
    expect(failure.message).toBe('The password does not open the private key in the PEM text.');
  });

  test.each(encrypted)('with a line break too many for $file', ({ file }) => {
    expect(failureOf(() => open(readFixture(file), `${PASSWORD}\n`)).message).toMatch(/without the line break/);
  });

  test.each(encrypted)('right, and the key in $file damaged', ({ file }) => {
    const text = readFixture(file).toString();
    const end = text.indexOf('-----END');
    const digits = text.slice(0, end).trimEnd();
    const damaged = `${digits.slice(0, -24).replace(/\n$/, '')}AAAA${digits.slice(-20)}\n${text.slice(end)}`;
    expect(failureOf(() => open(damaged, PASSWORD)).code).toMatch(/^PFX_(DAMAGED|INVALID)$/);
  });

  test('is not needed for a key in the clear, and goes along all the same', () => {
    expect(open(`${key}${leaf}`, 'unused')).toMatchObject({ password: 'unused' });
  });
});

describe('as people paste it', () => {
  test.each([
    ['CR LF and a byte order mark', `\ufeff${whole.replaceAll('\n', '\r\n')}`],
    ['indented', whole.replace(/^/gm, '    ')],
    ['line breaks spelled out', whole.replaceAll('\n', '\\n')],
    ['line breaks turned into blanks', whole.replaceAll('\n', ' ')],
    ['no line breaks at all', whole.replaceAll('\n', '')],
    ['in base64', Buffer.from(whole).toString('base64')],
    ['in the JSON of Key Vault', JSON.stringify({ value: whole, contentType: 'application/x-pem-file' })],
    ['as YAML', `data:\n  cert.pem: |\n${whole.replace(/^/gm, '    ')}`],
    ['text between, UTF-8', `Zertifikat für Müller\n${leaf}und der Schlüssel:\n${key}`],
    [
      'a request, parameters, a list and an unknown block between',
      `${block('CERTIFICATE REQUEST')}${block('X9.42 DH PARAMETERS')}${block('X509 CRL')}${block('SOMETHING ELSE')}${whole}`,
    ],
    ['as a trusted certificate', `${key}${leaf.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE')}`],
    ['as a trusted certificate, with what it is trusted for', `${key}${block('TRUSTED CERTIFICATE', trusted)}`],
  ])('%s', (_name, text) => {
    expect(open(text).certificate.subject).toContain('CN=connector.example');
    expect(open(Buffer.from(text)).certificate.subject).toContain('CN=connector.example');
  });

  test('DEK-Info with its line breaks turned into blanks', () => {
    expect(open(pem('dek-info-aes256').replaceAll('\n', ' '), PASSWORD).certificate.keyBits).toBe(2048);
  });

  // What `openssl pkcs12 -nodes` makes of a friendly name, and what editors and people add.
  test.each<[string, Buffer]>([
    ['Cyrillic letters cut to one byte', Buffer.from([0x14, 0x3e, 0x33, 0x3e, 0x32, 0x3e, 0x40])],
    ['Latin-1', Buffer.from('ÀÉÈÙ', 'latin1')],
    ['a dash of Windows-1252', Buffer.from([0x41, 0x96, 0x42])],
    ['a form feed and an escape', Buffer.from('\f\x1b[0m')],
    ['zeros', Buffer.alloc(3)],
  ])('with odd bytes outside of the blocks: %s', (_name, odd) => {
    const file = Buffer.concat([Buffer.from('    friendlyName: '), odd, Buffer.from(`\n${whole}`)]);
    expect(open(file).certificate.subject).toContain('CN=connector.example');
    expect(open(Buffer.concat([odd, file])).certificate.subject).toContain('CN=connector.example');
    expect(open(file.toString('latin1')).certificate.subject).toContain('CN=connector.example');
    expect(open(file.toString('base64')).certificate.subject).toContain('CN=connector.example');
  });

  test('a .pfx with such a text in it stays a .pfx', () => {
    const note = sequenceOf(oid('1.2.3'), explicit(0, utf8(whole)));
    const file = pfxOfContents([note]);
    expect(failureOf(() => open(file)).message).toMatch(/\.pfx opens, and has nothing in it/);
  });

  test('as a file in UTF-16', () => {
    expect(open(Buffer.from(`\ufeff${whole}`, 'utf16le')).certificate.keyBits).toBe(2048);
  });

  const notesOf = (content: string | Buffer): readonly string[] => decode(content).notes;
  const json = JSON.stringify({ value: whole });
  test.each<[string, string | Buffer, RegExp]>([
    ['a byte order mark', `\ufeff${whole}`, /byte order mark/],
    ['UTF-16', Buffer.from(`\ufeff${whole}`, 'utf16le'), /UTF-16/],
    ['UTF-16 without its mark', Buffer.from(whole, 'utf16le'), /UTF-16/],
    ['line breaks spelled out', whole.replaceAll('\n', '\\n'), /escapes/],
    ['JSON', json, /escapes/],
    ['base64', Buffer.from(whole).toString('base64'), /encoded in base64/],
    ['percent signs', encodeURIComponent(whole), /escapes/],
    ['quoted-printable', whole.replaceAll('=', '=3D'), /escapes/],
    ['four dashes', whole.replaceAll('-----', '----'), /damaged/],
    ['long dashes', whole.replaceAll('-----', '—--'), /damaged/],
    ['the first dash lost', whole.slice(1), /damaged/],
    ['the last dash lost', whole.trimEnd().slice(0, -1), /damaged/],
    ['no blanks', whole.replaceAll(' ', ''), /damaged/],
    ['small letters in the armour', whole.replace(/^-.*/gm, (line) => line.toLowerCase()), /damaged/],
    ['blanks for plus signs', whole.replaceAll('+', ' '), /plus signs/],
    ['blanks for plus signs, CR LF', whole.replaceAll('+', ' ').replaceAll('\n', '\r\n'), /plus signs/],
    ['blanks for plus signs, indented', whole.replaceAll('+', ' ').replace(/^/gm, '    '), /plus signs/],
    ['blanks for plus signs and for line breaks', whole.replace(/[+\n]/g, ' '), /plus signs/],
  ])('%s: undone, and said', (_name, given, note) => {
    expect(open(given).certificate.subject).toContain('CN=connector.example');
    expect(notesOf(given)).toEqual([expect.stringMatching(note)]);
  });

  test('below what openssl x509 -text prints', () => {
    const signature = '30818702420102030405060708090a0b0c'.replace(/..(?=.)/g, '$&:');
    const text = `Signature Value:\n        ${signature}\n${whole}`;
    expect(open(text).certificate.subject).toContain('CN=connector.example');
  });

  test('nothing is said of PEM as it should be', () => {
    for (const text of [
      whole,
      whole.replaceAll('\n', '\r\n'),
      whole.replace(/^/gm, '    '),
      whole.replaceAll('\n', ' '),
    ]) {
      expect(notesOf(text)).toEqual([]);
      expect(notesOf(Buffer.from(text))).toEqual([]);
    }
  });

  test('in entities of HTML, with dashes lost', () => {
    const text = whole.replaceAll('+', '&#x2B;').replaceAll('-----', '---').replaceAll('\n', '&#xA;');
    expect(open(text).certificate.subject).toContain('CN=connector.example');
  });
});

describe('the attribute localKeyID above a block', () => {
  const idIn = (above: string): string | undefined => openPem(`${leaf}${above}${key}`, '').privateKeys[0]?.localKeyId;
  const attribute = 'Bag Attributes\n    localKeyID: 01 AB \nKey Attributes: <No Attributes>\n';
  test.each([
    ['in pairs', attribute, '01ab'],
    ['without blanks', attribute.replace('01 AB', '01AB'), '01ab'],
    ['in small letters', attribute.toLowerCase(), '01ab'],
    ['of many digits', `localKeyID: ${'0F '.repeat(63)}1E \n`, `${'0f'.repeat(63)}1e`],
    ['of no digits', 'localKeyID: <Empty Attribute>\n', undefined],
    ['far above it, where it is that of something else', attribute + 'a line of text\n'.repeat(1000), undefined],
    ['above another block', `${attribute}${authority}`, undefined],
    ['that is not there', '', undefined],
  ])('%s', (_name, above, expected) => {
    expect(idIn(above)).toBe(expected);
  });

  test('says which of two certificates of the key is meant', () => {
    const keys = rsaKeys();
    const [one, other] = [made('one', { keys }), made('other', { keys })].map(({ certificate }) =>
      certificate.toString(),
    );
    const mark = (id: string): string => `Bag Attributes\n    localKeyID: ${id} \n`;
    const marked = `${mark('01 02')}${keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()}`;
    expect(open(`${marked}${one}${mark('01 02')}${other}`).certificate.subject).toBe('CN=other');
    expect(open(`${marked}${mark('01 03')}${one}${mark('01 02')}${other}`).certificate.subject).toBe('CN=other');
    expect(open(`${marked}${mark('01 02')}${one}${other}`).certificate.subject).toBe('CN=one');
    expect(open(`${marked}${one}${other}`).certificate.subject).toBe('CN=one');
  });
});

describe('the lines of private keys', () => {
  const lines = key.split('\n').filter((line) => line !== '' && !line.startsWith('-'));
  test.each([
    ['as OpenSSL writes them', whole],
    ['with CR LF', whole.replaceAll('\n', '\r\n')],
    ['indented', whole.replace(/^/gm, '    ')],
    ['under any label', whole.replaceAll('PRIVATE KEY', 'ANY PRIVATE KEY')],
  ])('%s, and of nothing else', (_name, text) => {
    expect(privateKeyLines(text).filter((line) => line !== '')).toEqual(lines);
  });
});

describe('certificates in PKCS#7, as authorities deliver them', () => {
  const signedData = (...certificates: readonly Buffer[]): string =>
    sequenceOf(
      oid(OID.signedData),
      explicit(
        0,
        sequenceOf(
          unsigned(1),
          element(TAG.set),
          sequenceOf(oid(OID.data)),
          element(0xa0, ...certificates),
          element(TAG.set),
        ),
      ),
    ).toString('base64');
  const [leafDer, authorityDer] = [leaf, authority].map((text) => new X509Certificate(text).raw);
  if (!leafDer || !authorityDer) throw new Error('unreachable');

  test.each(['PKCS7', 'CMS', 'PKCS #7 SIGNED DATA', 'CERTIFICATE'])('with a key, under the label %s', (label) => {
    const { certificate } = open(key + block(label, signedData(authorityDer, leafDer)));
    expect(certificate.subject).toContain('CN=connector.example');
    expect(certificate.chain).toHaveLength(1);
  });

  test('are counted, and read if they are of the key', () => {
    expect(failureOf(() => open(key + block('PKCS7', signedData()))).code).toBe('PFX_NO_CERTIFICATE');
    const without = sequenceOf(oid(OID.signedData), explicit(0, sequenceOf(unsigned(1), element(TAG.set))));
    expect(failureOf(() => open(key + block('PKCS7', without.toString('base64')))).code).toBe('PFX_NO_CERTIFICATE');
    expect(failureOf(() => open(key + block('PKCS7'))).message).toMatch(/certificate cannot be read/);
    const many = signedData(...Array.from({ length: 201 }, () => authorityDer));
    expect(failureOf(() => open(key + block('PKCS7', many))).message).toMatch(/201 certificates/);
  });

  test('without a key it is refused as before', () => {
    expect(failureOf(() => open(block('PKCS7', signedData(leafDer)))).code).toBe('PFX_IS_PKCS7');
    expect(failureOf(() => open(block('PKCS #7 SIGNED DATA', signedData(leafDer)))).code).toBe('PFX_IS_PKCS7');
  });
});

interface DekInfoOptions {
  readonly cipher?: string;
  readonly password?: Buffer;
  readonly padding?: boolean;
  /** Bytes behind what is encrypted. */
  readonly more?: Buffer;
}

/** OpenSSL's own encryption of PEM (EVP_BytesToKey: one round of MD5). */
function dekInfo(der: Buffer, options: DekInfoOptions = {}): string {
  const { cipher = 'aes-128-cbc', password = Buffer.from(PASSWORD), padding = true, more = Buffer.alloc(0) } = options;
  const { keyLength = 0, ivLength = 0 } = getCipherInfo(cipher) ?? {};
  const iv = Buffer.alloc(ivLength, 7);
  const md5 = (before: Buffer): Buffer => hash('md5', Buffer.concat([before, password, iv.subarray(0, 8)]), 'buffer');
  const first = md5(Buffer.alloc(0));
  const derived = Buffer.concat([first, md5(first)]).subarray(0, keyLength);
  const encryption = createCipheriv(cipher, derived, iv).setAutoPadding(padding);
  const ciphertext = Buffer.concat([encryption.update(der), encryption.final(), more]).toString('base64');
  return `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${cipher.toUpperCase()},${iv.toString('hex').toUpperCase()}\n\n${ciphertext}`;
}

describe("OpenSSL's own encryption of PEM", () => {
  const der = createPrivateKey(key).export({ type: 'pkcs1', format: 'der' });
  const text = (body: string): string => leaf + block('RSA PRIVATE KEY', body);

  test.each([
    ...['aes-128-cfb', 'aes-256-cfb1', 'aes-192-cfb8', 'aes-256-ofb', 'aes-256-ctr'],
    ...['camellia-256-cfb', 'camellia-128-ctr', 'aria-256-ofb', 'sm4-cfb', 'sm4-ctr'],
    ...['des-ede3-cfb', 'des-ede3-ofb', 'des-ede-cbc'],
  ])('%s', (cipher) => {
    const encrypted = text(dekInfo(der, { cipher }));
    expect(open(encrypted, PASSWORD).certificate.subject).toContain('CN=connector.example');
    expect(failureOf(() => open(encrypted, 'another')).code).toBe('PFX_WRONG_PASSWORD');
  });

  test.each(['CAST5-CBC', 'CHACHA20', 'AES-512-CBC', 'AES-128-WRAP', 'AES-256-GCM', 'TOSTRING', 'X'])(
    '%s is refused by its name, whatever the password is',
    (cipher) => {
      const encrypted = text(dekInfo(der).replace('AES-128-CBC', cipher));
      for (const password of ['', PASSWORD]) {
        const failure = failureOf(() => open(encrypted, password));
        expect(failure.code).toBe('PFX_UNSUPPORTED');
        expect(failure.message).toContain(`encrypted with ${cipher}, which is not supported`);
        expect(failure.remedy).toBe('Convert the key: openssl pkcs8 -topk8 -in key.pem -out new.pem');
      }
    },
  );

  test.each<[string, (body: string) => string]>([
    ['line breaks of Windows', (body) => body.replaceAll('\n', '\r\n')],
    ['no blanks', (body) => body.replaceAll(': ', ':')],
    ['more blanks', (body) => body.replaceAll(': ', ':  ').replaceAll(',', ' , ')],
    ['an empty line before it', (body) => `\n\n${body}`],
    ['a cipher in small letters', (body) => body.replace('AES-128-CBC', 'aes-128-cbc')],
  ])('its head with %s', (_name, change) => {
    const { privateKeys } = openPem(text(change(dekInfo(der))), PASSWORD);
    expect(privateKeys.map((one) => one.key.asymmetricKeyType)).toEqual(['rsa']);
  });

  test('bytes behind its last block are damage, if the password fits', () => {
    const encrypted = text(dekInfo(der, { more: Buffer.alloc(3) }));
    expect(failureOf(() => open(encrypted, PASSWORD)).code).toBe('PFX_DAMAGED');
    expect(failureOf(() => open(encrypted, 'another')).code).toBe('PFX_WRONG_PASSWORD');
  });

  test('an IV that lost its end is damage', () => {
    expect(failureOf(() => open(text(dekInfo(der).replace('07\n', '\n')), PASSWORD)).code).toBe('PFX_DAMAGED');
  });

  test.each([
    ['UTF-8', Buffer.from('pässwort')],
    ['Latin-1', Buffer.from('pässwort', 'latin1')],
    ['UTF-8, decomposed', Buffer.from('pässwort'.normalize('NFD'))],
  ])('with a password in %s', (_name, password) => {
    expect(open(text(dekInfo(der, { password })), 'pässwort').password).toBe('pässwort');
  });
});

describe('an encrypted key whose password is empty', () => {
  const privateKey = createPrivateKey(key);
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der', cipher: 'aes-128-cbc', passphrase: '' });
  const pkcs1 = privateKey.export({ type: 'pkcs1', format: 'der' });
  test.each([
    ['in PKCS#8', block('ENCRYPTED PRIVATE KEY', pkcs8.toString('base64'))],
    ['with DEK-Info', block('RSA PRIVATE KEY', dekInfo(pkcs1, { password: Buffer.alloc(0) }))],
  ])('%s', (_name, encrypted) => {
    expect(open(leaf + encrypted)).toMatchObject({ password: '' });
    expect(failureOf(() => open(leaf + encrypted, PASSWORD)).message).toMatch(
      /private key in the PEM text: .*no password/,
    );
  });
});

describe('a key under the label of another form, which OpenSSL opens', () => {
  const der = createPrivateKey(key);
  const pkcs8 = der.export({ type: 'pkcs8', format: 'der' });
  const pkcs1 = der.export({ type: 'pkcs1', format: 'der' });
  const encrypted = der.export({ type: 'pkcs8', format: 'der', cipher: 'aes-128-cbc', passphrase: PASSWORD });
  test.each<[string, string, string]>([
    ['PKCS#8 as RSA PRIVATE KEY', 'RSA PRIVATE KEY', pkcs8.toString('base64')],
    ['PKCS#1 as PRIVATE KEY', 'PRIVATE KEY', pkcs1.toString('base64')],
    ['PKCS#8 as EC PRIVATE KEY', 'EC PRIVATE KEY', pkcs8.toString('base64')],
    ['PKCS#8 with DEK-Info', 'PRIVATE KEY', dekInfo(pkcs8)],
    ['PKCS#1 with DEK-Info as PRIVATE KEY', 'PRIVATE KEY', dekInfo(pkcs1)],
    ['encrypted PKCS#8 as PRIVATE KEY', 'PRIVATE KEY', encrypted.toString('base64')],
    ['PKCS#8 as ENCRYPTED PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', pkcs8.toString('base64')],
  ])('%s', (_name, label, body) => {
    expect(open(leaf + block(label, body), PASSWORD).certificate.subject).toContain('CN=connector.example');
  });

  test('encrypted, and no password given', () => {
    const failure = failureOf(() => open(leaf + block('PRIVATE KEY', encrypted.toString('base64'))));
    expect(failure.message).toMatch(/is encrypted, and the input "password" is empty/);
  });
});

describe('an EC key that leaves its curve out', () => {
  const [curve, otherCurve] = ['1.2.840.10045.3.1.7', '1.3.132.0.34'].map((name) => oid(name).toString('base64'));
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const number = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  const bare = block('EC PRIVATE KEY', sequenceOf(unsigned(1), octets(number)).toString('base64'));
  const { certificate } = made('ec', { keys: { privateKey: rsaKeys().privateKey, publicKey } });
  const keyIn = (text: string): boolean | undefined => openPem(text, '').privateKeys[0]?.key.equals(privateKey);

  test('has that of EC PARAMETERS, wherever it stands', () => {
    const parameters = block('EC PARAMETERS', curve);
    for (const parts of [
      [parameters, bare, certificate.toString()],
      [certificate.toString(), bare, block('DH PARAMETERS', otherCurve), parameters],
    ])
      expect(keyIn(parts.join(''))).toBe(true);
  });

  test('and keeps its own, if it has one', () => {
    const sec1 = privateKey.export({ type: 'sec1', format: 'pem' }).toString();
    expect(keyIn(block('EC PARAMETERS', otherCurve) + sec1 + certificate.toString())).toBe(true);
  });

  test('cannot be read without it', () => {
    const without = failureOf(() => openPem(bare + certificate.toString(), ''));
    expect([without.code, without.message, without.remedy]).toEqual([
      'PFX_INVALID',
      'The PEM text is malformed: the private key does not name its curve, and there is no block EC PARAMETERS that does.',
      'Put the block -----BEGIN EC PARAMETERS----- into the text, too: OpenSSL writes it above the key.',
    ]);
    const damaged = failureOf(() => openPem(bare + block('EC PARAMETERS', '?') + certificate.toString(), ''));
    expect(damaged.message).toMatch(/BEGIN EC PARAMETERS and its END is not base64\.$/);
  });
});

describe('a beginning without its end', () => {
  test.each([
    ['in a comment', '# paste from -----BEGIN to -----END\n'],
    ['of a certificate, in a comment', '# the certificate (-----BEGIN CERTIFICATE----- …) comes first\n'],
    [
      'with its end, in a comment',
      '# everything from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE----- goes here\n',
    ],
    ['with its end, on two lines of a comment', '# -----BEGIN CERTIFICATE-----\n# -----END CERTIFICATE-----\n'],
    ['of a key, with its end, in a comment', '# then -----BEGIN PRIVATE KEY-----, lines, -----END PRIVATE KEY-----\n'],
    ['of a block that is not used', '-----BEGIN DH PARAMETERS-----\nMIIBCAKCAQEA7Z0OHnz3xdSVYdyPHR\n'],
  ])('%s is passed over', (_name, odd) => {
    for (const text of [odd + key + leaf, key + odd + leaf, key + leaf + odd]) {
      expect(open(text).certificate.subject).toContain('CN=connector.example');
    }
  });

  test.each([
    ['the certificate', key + leaf.slice(0, 200)],
    ['one of two certificates', key + leaf + authority.slice(0, 200)],
    ['one of two certificates, right after its first line', `${key}${leaf}-----BEGIN CERTIFICATE-----\n`],
    ['the first of two certificates', key + authority.slice(0, 200) + leaf],
    ['one of two keys', leaf + key.slice(0, 200) + key],
    ['an encrypted key', `${leaf}${block('RSA PRIVATE KEY', 'Proc-Type: 4,ENCRYPTED').slice(0, -10)}`],
    ['what is needed, after a comment', `# -----BEGIN to\n${leaf}`],
    ['a certificate after both, a few letters long', `${key}${leaf}-----BEGIN CERTIFICATE-----\nMIIDEj`],
    ['the first line of a certificate after both', `${key}${leaf}-----BEGIN CERT`],
    ['the first word of another block after both', `${key}${leaf}-----BEGIN`],
    ['all but a dash of a line after both', `${key}${leaf}-----BEGIN CERTIFICATE----`],
  ])('is a text that is cut off, if it is %s', (_name, text) => {
    expect(failureOf(() => open(text)).code).toBe('PFX_TRUNCATED');
  });
});

test.each([
  ['alone', '-----BEGIN'],
  ['after everything', `${whole}-----BEGIN`],
  ['with a line break behind it', `${whole}-----BEGIN CERT\n`],
])('the start of a first line %s is a text that is cut off', (_name, text) => {
  expect(failureOf(() => openPem(text, ''))).toMatchObject({
    code: 'PFX_TRUNCATED',
    message: 'The PEM text is cut off: it ends in a line -----BEGIN.',
    remedy: COPY_AGAIN,
  });
});

describe('an end without its beginning', () => {
  const body = (text: string): string => text.slice(text.indexOf('\n') + 1);
  test.each([
    ['the certificate', `${body(leaf)}${authority}${key}`],
    ['the key', `${body(key)}${leaf}`],
    ['the last one', `${key}${leaf}${body(authority)}`],
    ['everything', body(key)],
    ['one in the middle', `${key}${body(leaf)}${authority}`],
    ['one near the start', `${'A'.repeat(64)}\n-----END CERTIFICATE-----\n${'# a comment\n'.repeat(20)}${whole}`],
    ['a beginning that is beyond repair', `${leaf.replace('-----BEGIN CERTIFICATE', '# CERT')}${key}`],
    ['armour without dashes', whole.replaceAll('-----', '')],
  ])('is damage: %s', (_name, text) => {
    const failure = failureOf(() => open(text));
    expect(failure.code).toBe('PFX_INVALID');
    expect(failure.message).toMatch(/one of its lines -----BEGIN …----- and -----END …----- is damaged or missing/);
  });

  test('is damage on one line, too', () => {
    for (const text of [`${body(leaf)}${key}`, `${key}${leaf}${body(authority)}`])
      expect(failureOf(() => open(text.replaceAll('\n', ' '))).code).toBe('PFX_INVALID');
  });

  test.each([
    ['a comment', '# --- begin certificate ---\n'],
    ['a comment with an end', '# --- end certificate ---\n'],
    ['a comment with a path', '# paste /etc/letsencrypt/live/contoso/privkey after -END CERTIFICATE-\n'],
    [
      'a comment with a path right before it',
      '# see /etc/letsencrypt/live/contoso/privkey -----END CERTIFICATE-----\n',
    ],
    ['another block', `${'A'.repeat(64)}\n-----END DH PARAMETERS-----\n`],
  ])('is passed over in %s', (_name, odd) => {
    for (const text of [odd + key + leaf, key + odd + leaf, key + leaf + odd])
      expect(open(text).certificate.subject).toContain('CN=connector.example');
  });
});

describe('what cannot be used, by its cause', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
  test.each<[string, string, string, RegExp]>([
    ['certificates only', `${leaf}${authority}`, 'PFX_NO_PRIVATE_KEY', /PEM text has no private key/],
    ['a key only', key, 'PFX_NO_CERTIFICATE', /PEM text has a private key in it, but no certificate/],
    ['two keys', `${key}${other}${leaf}`, 'PFX_SEVERAL_KEYS', /PEM text has several private keys/],
    ['a key of another certificate', `${other}${leaf}`, 'PFX_KEY_MISMATCH', /belongs to none/],
    [
      'nothing that can be used',
      `${block('CERTIFICATE REQUEST')}${block('PUBLIC KEY')}`,
      'PFX_IS_PEM',
      /a certificate request and a public key/,
    ],
    ['a key of OpenSSH', `${leaf}${block('OPENSSH PRIVATE KEY')}`, 'PFX_IS_SSH_KEY', /SSH/],
    ['a key of PGP', block('PGP PRIVATE KEY BLOCK'), 'PFX_IS_PGP_KEY', /PGP/],
    ['PKCS#7', block('PKCS7'), 'PFX_IS_PKCS7', /PKCS#7/],
    ['a key in a TPM', `${leaf}${block('TSS2 PRIVATE KEY')}`, 'PFX_UNSUPPORTED', /TPM/],
    ['age', block('AGE ENCRYPTED FILE'), 'PFX_NOT_PKCS12', /age/],
    ['no end', leaf + key.slice(0, -30), 'PFX_TRUNCATED', /-----BEGIN PRIVATE KEY----- has no -----END/],
    [
      'another block before the end',
      leaf + key.split('\n').slice(0, 5).join('\n') + leaf,
      'PFX_TRUNCATED',
      /PRIVATE KEY/,
    ],
    [
      'blanks that may be plus signs',
      leaf + block('PRIVATE KEY', 'MIIB AAAA BBBBC'),
      'PFX_INVALID',
      /not base64; blanks in it may have been plus signs/,
    ],
    ['letters that are no base64', leaf + key.replace('\nM', '\n!'), 'PFX_INVALID', /not base64/],
    ['a broken key', leaf + block('PRIVATE KEY', 'MAMCAQA='), 'PFX_INVALID', /private key in the PEM text/],
    ['a broken certificate', key + block('CERTIFICATE', 'MAMCAQA='), 'PFX_INVALID', /certificate cannot be read/],
    [
      'a broken certificate after a whole one',
      key + leaf + block('CERTIFICATE', 'MAMCAQA='),
      'PFX_INVALID',
      /certificate 2 of the 2 in it cannot be read/,
    ],
    ['201 certificates', key + leaf.repeat(201), 'PFX_TOO_LARGE', /201 certificates/],
    ['201 keys', key.repeat(201) + leaf, 'PFX_TOO_LARGE', /201 private keys and 1 certificates/],
    ['a long label', leaf + block('X'.repeat(50)), 'PFX_NO_PRIVATE_KEY', /PEM text has no private key/],
  ])('%s', (_name, text, code, message) => {
    const failure = failureOf(() => open(text));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
    expect(failure.message + failure.remedy).not.toContain(key.split('\n')[1]);
  });

  test('200 of a kind are accepted', () => {
    const { privateKeys, certificates } = openPem(key.repeat(200) + leaf + authority.repeat(199), '');
    expect([privateKeys.length, certificates.length]).toEqual([200, 200]);
  });

  test.each([
    ['nothing', ''],
    ['a character that is none of it', 'MAMC!AQA='],
    ['a character too many', 'MAMCAQAAA='],
    ['too many signs of its end', 'MAMCAQA==='],
    ['words', 'this is (as I said) secret'],
  ])('a key that is not base64, and no blanks for plus signs: %s', (_name, body) => {
    const text = `${leaf}-----BEGIN PRIVATE KEY-----${body}-----END PRIVATE KEY-----\n`;
    expect(failureOf(() => openPem(text, ''))).toMatchObject({
      code: 'PFX_INVALID',
      message: 'The PEM text is malformed: what stands between BEGIN PRIVATE KEY and its END is not base64.',
      remedy: COPY_AGAIN,
    });
  });

  const dsa = (second: Buffer): Buffer =>
    sequenceOf(unsigned(0), unsigned(23), second, unsigned(4), unsigned(8), unsigned(3));
  test.each<[string, Buffer, string]>([
    ['a number', unsigned(0), 'the private key is missing or of another type'],
    ['an empty list', sequenceOf(), 'the modulus is missing or of another type'],
    ['a list of one number', sequenceOf(unsigned(0)), 'the modulus is missing or of another type'],
    ['DSA with a text', dsa(utf8('11')), 'a number of the DSA key is missing or of another type'],
  ])('a key that is malformed: %s', (_name, der, what) => {
    const text = leaf + block('PRIVATE KEY', der.toString('base64'));
    expect(failureOf(() => openPem(text, ''))).toMatchObject({
      code: 'PFX_INVALID',
      message: `The private key in the PEM text is malformed: ${what}.`,
      remedy: COPY_AGAIN,
    });
  });

  const convert = 'Convert the key: openssl pkcs8 -topk8 -in key.pem -out new.pem';
  const pbes2 = pem('pbes2-aes-256-cbc');
  const unknown = sequenceOf(unsigned(0), sequenceOf(oid('1.2.3')), octets(octets(Buffer.alloc(32))));
  const costly = sequenceOf(
    sequenceOf(oid(OID.pbeWithSHAAnd3KeyTripleDESCBC), sequenceOf(octets(Buffer.alloc(8)), unsigned(0x7fff_ffff))),
    octets(Buffer.alloc(16)),
  );
  test.each<[string, string, string, string, RegExp, string]>([
    [
      'a key in a TPM',
      leaf + block('TSS2 PRIVATE KEY'),
      '',
      'PFX_UNSUPPORTED',
      /^The private key in the PEM text is held by a TPM/,
      'An API connector needs the private key itself. Issue a certificate for a key that can be exported.',
    ],
    [
      'too many certificates',
      key + leaf.repeat(201),
      '',
      'PFX_TOO_LARGE',
      /^The PEM text has 1 private keys and 201 certificates in it; at most 200 of each are accepted\.$/,
      'Is this the right file? Leave the one certificate that is meant, its issuers and its key.',
    ],
    [
      'a type of key that is not known',
      leaf + block('PRIVATE KEY', unknown.toString('base64')),
      '',
      'PFX_UNSUPPORTED',
      /^The private key in the PEM text .*1\.2\.3/,
      convert,
    ],
    [
      'too many rounds',
      leaf + block('ENCRYPTED PRIVATE KEY', costly.toString('base64')),
      PASSWORD,
      'PFX_TOO_MANY_ITERATIONS',
      /^The private key in the PEM text asks for 2,147,483,647 iterations/,
      convert,
    ],
    [
      'another password',
      pbes2,
      'another',
      'PFX_WRONG_PASSWORD',
      /^The password does not open the private key in the PEM text\.$/,
      'Check it on your machine, where the password is asked for: openssl pkey -in key.pem -noout',
    ],
    [
      'a password with a blank too many',
      pbes2,
      `${PASSWORD} `,
      'PFX_WRONG_PASSWORD',
      /^The password does not open the private key in the PEM text: without the blanks at its end it would\.$/,
      'Store the password again, exactly; gh asks for it:\ngh secret set CONNECTOR_PFX_PASSWORD --env production',
    ],
    [
      'no password',
      pbes2,
      '',
      'PFX_WRONG_PASSWORD',
      /is encrypted, and the input "password" is empty/,
      'Set password to the one that the key was encrypted with, such as ${{ secrets.CONNECTOR_PFX_PASSWORD }}.',
    ],
    [
      'an encrypted key whose end is damaged',
      pbes2.replace(/.{8}(?==\n-----END ENCRYPTED)/, 'AAAAAAAA'),
      PASSWORD,
      'PFX_DAMAGED',
      /^The private key in the PEM text is damaged\.$/,
      COPY_AGAIN,
    ],
    [
      'a key that is cut off',
      leaf + key.slice(0, -30),
      '',
      'PFX_TRUNCATED',
      /^The PEM text is cut off: -----BEGIN PRIVATE KEY----- has no -----END PRIVATE KEY----- after it\.$/,
      COPY_AGAIN,
    ],
  ])('%s, and what to do about it', (_name, text, password, code, message, remedy) => {
    const failure = failureOf(() => openPem(text, password));
    expect(failure).toMatchObject({ code, remedy });
    expect(failure.message).toMatch(message);
  });

  test.each(['pkcs8', 'sec1'])('a key in the clear that was damaged: %s', (name) => {
    const text = pem(name);
    const lines = text.slice(0, text.indexOf('-----END')).trimEnd().split('\n');
    // In an EC key, the private number stands at the start; in an RSA key the end is private.
    const damaged =
      name === 'sec1'
        ? text.replace(/(?<=\n.{20})..../, 'AAAA')
        : text.replace(lines.at(-2) ?? '', `AAAA${lines.at(-2)?.slice(4) ?? ''}`);
    expect(failureOf(() => open(damaged)).code).toBe('PFX_DAMAGED');
  });

  test('a huge RSA key, before OpenSSL looks at it', () => {
    const number = Buffer.concat([Buffer.of(0x02, 0x82, 0x08, 0x02, 0x00), Buffer.alloc(2049, 0xff)]);
    const rsa = Buffer.concat([Buffer.of(0x30, 0x82, 0x08, 0x09, 0x02, 0x01, 0x00), number]);
    const failure = failureOf(() => open(leaf + block('RSA PRIVATE KEY', rsa.toString('base64'))));
    expect(failure.message).toMatch(/16400 bits \(at most 16384/);
  });

  test('DEK-Info whose password fits, and whose end is damaged', () => {
    const der = Buffer.concat([Buffer.of(0x30, 0x82, 0x00, 0x20, 0x02, 0x01, 0x00, 0x02), Buffer.alloc(24)]);
    const text = leaf + block('RSA PRIVATE KEY', dekInfo(der, { padding: false }));
    expect(failureOf(() => open(text, PASSWORD)).code).toBe('PFX_DAMAGED');
    expect(failureOf(() => open(text, 'another')).code).toBe('PFX_WRONG_PASSWORD');
  });
});

test('what all keys together cost is limited', () => {
  const salt = Buffer.alloc(8);
  const pkcs8 = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
  const withRounds = (rounds: number, claimed = rounds): string => {
    const cipher = createCipheriv('aes-128-cbc', pbkdf2Sync(PASSWORD, salt, rounds, 16, 'sha1'), Buffer.alloc(16));
    const scheme = sequenceOf(
      sequenceOf(oid(OID.pbkdf2), sequenceOf(octets(salt), unsigned(claimed))),
      sequenceOf(oid(OID.aes128CBC), octets(Buffer.alloc(16))),
    );
    const data = octets(Buffer.concat([cipher.update(pkcs8), cipher.final()]));
    return block('ENCRYPTED PRIVATE KEY', sequenceOf(sequenceOf(oid(OID.pbes2), scheme), data).toString('base64'));
  };
  const cheap = withRounds(10);
  expect(open(leaf + cheap, PASSWORD).certificate.subject).toContain('CN=connector.example');
  // Alone it would be below the limit. It is refused before it is derived.
  const dear = withRounds(10, 14_999_995);
  expect(failureOf(() => open(leaf + cheap + dear, PASSWORD)).code).toBe('PFX_TOO_MANY_ITERATIONS');
});
