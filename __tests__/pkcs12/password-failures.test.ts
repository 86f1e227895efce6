/** What is said if a password opens one part of a file and not another. */
import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { parseWhole } from '../../src/pkcs12/asn1/ber.ts';
import { element, explicit, octets, oid, sequenceOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';
import { HASHES, pkcs12Kdf, PURPOSE } from '../../src/pkcs12/crypto/kdf.ts';
import { bmpString } from '../../src/pkcs12/crypto/password.ts';
import { openPkcs12 } from '../../src/pkcs12/open.ts';
import { contentsUnreadable, damaged, damagedKey, quietly, wrongPassword } from '../../src/pkcs12/password-failures.ts';
import { writePkcs12 } from '../../src/pkcs12/write.ts';
import { bag, pfxOfContents } from './builder.ts';
import { failureOf, openFixture, PASSWORD } from './fixtures.ts';

const certificate = openFixture('openssl-ec.pfx');

/** The contents of a file: the encrypted certificates, and the encrypted key. */
function contentsOf(password: string): readonly Buffer[] {
  const [, authSafe] = parseWhole(writePkcs12(certificate, password)).children();
  const [data] = authSafe?.children()[1]?.children() ?? [];
  return parseWhole(data?.octets() ?? Buffer.of())
    .children()
    .map(({ encoding }) => encoding);
}

/** A file of these contents with a MAC by this password, or none. */
function fileOf(contents: readonly Buffer[], password?: string): Buffer {
  const authSafe = sequenceOf(...contents);
  const salt = Buffer.alloc(8, 1);
  const mac = (secret: string): Buffer => {
    const key = pkcs12Kdf(HASHES.sha1, salt, 1, PURPOSE.mac, 20).derive(bmpString(secret));
    const digest = createHmac('sha1', key).update(authSafe).digest();
    return sequenceOf(sequenceOf(sequenceOf(oid(OID.sha1)), octets(digest)), octets(salt), unsigned(1));
  };
  const content = sequenceOf(oid(OID.data), explicit(0, octets(authSafe)));
  return sequenceOf(unsigned(3), content, ...(password === undefined ? [] : [mac(password)]));
}

const domain = sequenceOf(
  oid(OID.szOID_PKCS_12_PROTECTED_PASSWORD_SECRET_BAG_TYPE_ID),
  explicit(0, octets(Buffer.of(1))),
);
const protectedBag = sequenceOf(oid(OID.data), explicit(0, octets(sequenceOf(bag(OID.secretBag, domain)))));

describe('a password that opens a part of the file', () => {
  test.each<[string, Buffer, string, string, RegExp]>([
    [
      'the MAC, and nothing in it',
      fileOf(contentsOf('another'), PASSWORD),
      PASSWORD,
      'PFX_KEY_PASSWORD_DIFFERS',
      /but the key or certificates in it are encrypted with another one/,
    ],
    [
      'the MAC and the certificates, and not the key',
      fileOf([contentsOf(PASSWORD)[0] ?? Buffer.of(), contentsOf('another')[1] ?? Buffer.of()], PASSWORD),
      PASSWORD,
      'PFX_KEY_PASSWORD_DIFFERS',
      /encrypted with another one/,
    ],
    [
      'the MAC, and it has special letters',
      fileOf(contentsOf('another'), 'pässwörd'),
      'pässwörd',
      'PFX_PASSWORD_ENCODING',
      /encoded its special letters in a way of its own/,
    ],
    [
      'the certificates, and not the key, without a MAC',
      fileOf([contentsOf(PASSWORD)[0] ?? Buffer.of(), contentsOf('another')[1] ?? Buffer.of()]),
      PASSWORD,
      'PFX_DAMAGED',
      /opens a part of the \.pfx only/,
    ],
    ['the contents, and not the MAC', fileOf(contentsOf(PASSWORD), 'another'), PASSWORD, 'PFX_DAMAGED', /was changed/],
    [
      'nothing, and the file is protected to a domain',
      fileOf([...contentsOf('another'), protectedBag], 'another'),
      PASSWORD,
      'PFX_WRONG_PASSWORD',
      /protected to users or groups of Active Directory/,
    ],
    [
      'nothing, for it ends in a line break, though the file is protected to a domain as well',
      fileOf([...contentsOf('another'), protectedBag], 'another'),
      'another\n',
      'PFX_WRONG_PASSWORD',
      /without the line break at its end it would/,
    ],
    [
      'nothing, for it is in quotation marks, though the file is protected to a domain as well, without a MAC',
      fileOf([...contentsOf('another'), protectedBag]),
      '"another"',
      'PFX_WRONG_PASSWORD',
      /without the quotation marks/,
    ],
    ['nothing', fileOf(contentsOf('another'), 'another'), PASSWORD, 'PFX_WRONG_PASSWORD', /does not open the \.pfx\.$/],
  ])('%s', (_name, file, password, code, message) => {
    const failure = failureOf(() => openPkcs12(file, password));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
    expect(failure.message + failure.remedy).not.toContain(password);
  });
});

describe('a file that no password protects', () => {
  test.each<[string, Buffer, string, RegExp]>([
    [
      'signed instead',
      sequenceOf(unsigned(3), sequenceOf(oid(OID.signedData), explicit(0, sequenceOf()))),
      'PFX_UNSUPPORTED',
      /signed with a certificate/,
    ],
    [
      'encrypted for somebody',
      sequenceOf(unsigned(3), sequenceOf(oid(OID.envelopedData), explicit(0, sequenceOf()))),
      'PFX_UNSUPPORTED',
      /encrypted for a certificate/,
    ],
    [
      'encrypted as a whole',
      sequenceOf(
        unsigned(3),
        sequenceOf(
          oid(OID.encryptedData),
          explicit(0, sequenceOf(unsigned(0), sequenceOf(oid(OID.data), sequenceOf(), element(0x80, Buffer.of(1))))),
        ),
      ),
      'PFX_INVALID',
      /outermost content is encrypted/,
    ],
  ])('%s', (_name, file, code, message) => {
    const failure = failureOf(() => openPkcs12(file, PASSWORD));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
  });
});

describe('a key that nobody can use', () => {
  const keyOf = (type: string, key: Buffer): Buffer =>
    pfxOfContents([bag(OID.keyBag, sequenceOf(unsigned(0), sequenceOf(oid(type)), octets(key)))]);
  test.each<[string, Buffer, string, RegExp]>([
    ['of an unknown type', keyOf('1.2.3', unsigned(1)), 'PFX_UNSUPPORTED', /a private key of the type 1\.2\.3/],
    ['of GOST', keyOf(OID.gostR3410_2012_256, unsigned(1)), 'PFX_UNSUPPORTED', /GOST R 34\.10-2012/],
    ['of X9.42', keyOf(OID.dhPublicNumber, unsigned(1)), 'PFX_UNSUPPORTED', /Diffie-Hellman \(X9\.42\)/],
    ['that is too large', keyOf('1.2.3', Buffer.alloc(16_385)), 'PFX_INVALID', /has 16385 bytes; at most 16384/],
    ['that is broken', keyOf(OID.ed25519, unsigned(1)), 'PFX_INVALID', /the private key cannot be read/],
  ])('%s', (_name, file, code, message) => {
    const failure = failureOf(() => openPkcs12(file, ''));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
  });
});

describe('a slip in the password', () => {
  const STORE_AGAIN =
    'Store the password again, exactly; gh asks for it:\ngh secret set CONNECTOR_PFX_PASSWORD --env production';
  const VISIBLE = 'Export the .pfx again with a password of visible characters only.';
  test.each([
    ['pass\r\n\n', 'pass', 'without the line break at its end it would', STORE_AGAIN],
    ['\ufeffpass', 'pass', 'without the byte order mark at its start it would', STORE_AGAIN],
    ['pass \t', 'pass', 'without the blanks at its end it would', STORE_AGAIN],
    [' pass', 'pass', 'without the blanks at its start it would', STORE_AGAIN],
    [' pass ', 'pass', 'without the blanks at both ends it would', STORE_AGAIN],
    ['"pass"', 'pass', 'without the quotation marks around it it would', STORE_AGAIN],
    ["'pa'ss'", "pa'ss", 'without the quotation marks around it it would', STORE_AGAIN],
    ['pass', '', 'the file has no password', STORE_AGAIN],
    ['pass', 'pass\n', "the file's own password ends in a line break, which the given one lacks", VISIBLE],
    ['pass', 'pass\r\n', "the file's own password ends in a line break (CR LF), which the given one lacks", VISIBLE],
    ['pass', '\ufeffpass', "the file's own password begins with a byte order mark, which the given one lacks", VISIBLE],
  ])('%j for %j: %s', (given, right, hint, remedy) => {
    const failure = wrongPassword(given, (other) => other === right);
    expect([failure.message, failure.remedy]).toEqual([`The password does not open the .pfx: ${hint}.`, remedy]);
  });

  test('nothing is tried twice, nor what was given', () => {
    const tried: string[] = [];
    wrongPassword('"a', (other) => {
      tried.push(other);
      return false;
    });
    expect(tried).toEqual(['', '"a\n', '"a\r\n', '\ufeff"a']);
  });
});

test.each([
  [
    wrongPassword('a', () => false),
    'PFX_WRONG_PASSWORD',
    'The password does not open the .pfx.',
    'Check it on your machine: openssl pkcs12 -in cert.pfx -noout (add -legacy for older files). In a secret every blank and line break counts; in a workflow quote it, so that YAML leaves it alone.',
  ],
  [
    wrongPassword('a', () => false, true),
    'PFX_WRONG_PASSWORD',
    'The password does not open the .pfx: it is protected to users or groups of Active Directory. Windows made up a password that nobody knows, unless a password was chosen as well.',
    'If there is a password, check it. If not, export it again, and protect it with a password: in the wizard tick "Password", in PowerShell use Export-PfxCertificate -Password instead of -ProtectTo.',
  ],
  [
    damaged(),
    'PFX_DAMAGED',
    'The password is right, but the .pfx was changed after it was made: its MAC does not fit.',
    'Copy or export the file again.',
  ],
  [
    damagedKey(),
    'PFX_DAMAGED',
    'The password opens a part of the .pfx only: another part is damaged, or has another password.',
    'Export the file again, with one password for everything in it.',
  ],
  [
    contentsUnreadable('pässwörd'),
    'PFX_PASSWORD_ENCODING',
    'The password is right, but the tool that made the .pfx encoded its special letters in a way of its own.',
    'Export the file again with a password of plain letters, digits and punctuation (ASCII).',
  ],
  [
    contentsUnreadable('password\x7f'),
    'PFX_KEY_PASSWORD_DIFFERS',
    'The password is that of the .pfx, but the key or certificates in it are encrypted with another one.',
    'Export it again with one password. In Java: keytool -importkeystore -srckeystore old.p12 -destkeystore new.p12 -deststoretype PKCS12, with the same password for store and key.',
  ],
])('%s', (failure, code, message, remedy) => {
  expect([failure.code, failure.message, failure.remedy]).toEqual([code, message, remedy]);
});

test('a question for a hint that fails is answered with no', () => {
  const fails = (): boolean => {
    throw new Error('odd');
  };
  expect([quietly(() => true), quietly(() => false), quietly(fails)]).toEqual([true, false, false]);
});
