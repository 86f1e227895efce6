import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { createCipheriv, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import { thumbprintOf } from '../../src/certificate/client-certificate.ts';
import { parseWhole } from '../../src/pkcs12/asn1/ber.ts';
import { element, explicit, octets, oid, sequenceOf, setOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';
import { HASHES, pkcs12Kdf, PURPOSE } from '../../src/pkcs12/crypto/kdf.ts';
import { bmpString } from '../../src/pkcs12/crypto/password.ts';
import { openPkcs12 } from '../../src/pkcs12/open.ts';
import { writePkcs12 } from '../../src/pkcs12/write.ts';
import { bag, certificateBag, keyBag, localKeyId, pfxOfContents } from './builder.ts';
import { certificateIn, failureOf, FIXTURES, HEALTHY, openFixture, PASSWORD, readFixture } from './fixtures.ts';
import { PBMAC1_BAD, PBMAC1_GOOD } from './rfc9579.ts';

/** What Node's own OpenSSL, with its legacy provider, finds to be the leaf. */
const ORACLE = `
  const { createSecureContext, TLSSocket } = require('node:tls');
  const { Duplex } = require('node:stream');
  const files = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
  console.log(JSON.stringify(files.map(({ pfx, password }) => {
    const secureContext = createSecureContext({ pfx: Buffer.from(pfx, 'base64'), passphrase: password, ciphers: 'DEFAULT@SECLEVEL=0' });
    const socket = new TLSSocket(new Duplex({ read() {}, write() {} }), { isServer: true, secureContext });
    return socket.getX509Certificate().fingerprint.replaceAll(':', '');
  })));
  process.exit(0);
`;

describe('what each maker writes', () => {
  test.each(FIXTURES)('$file of $maker', ({ file, password, thumbprint, failure }) => {
    if (failure === undefined) expect(openFixture(file, password).thumbprint).toBe(thumbprint);
    else expect(failureOf(() => openFixture(file, password)).code).toBe(failure);
  });

  test('opens with the same leaf in OpenSSL, which shares no line with this', () => {
    const input = HEALTHY.map(({ file, password }) => ({ pfx: readFixture(file).toString('base64'), password }));
    const child = spawnSync(process.execPath, ['--openssl-legacy-provider', '-e', ORACLE], {
      input: JSON.stringify(input),
      encoding: 'utf8',
    });
    expect(child.stderr).toBe('');
    expect(JSON.parse(child.stdout)).toEqual(
      HEALTHY.map(({ file, password }) => openFixture(file, password).thumbprint),
    );
  });

  test.each(HEALTHY)('$file, written again, opens with the same key, leaf and chain', ({ file, password }) => {
    const certificate = openFixture(file, password);
    const written = writePkcs12(certificate, password);
    const again = certificateIn(written, password);
    expect(again.thumbprint).toBe(certificate.thumbprint);
    expect(openPkcs12(written, password).encryption).toEqual({
      key: 'TripleDES-SHA1',
      certificates: 'TripleDES-SHA1',
      mac: 'HMAC-SHA1',
    });
    expect(again.privateKey.equals(certificate.privateKey)).toBe(true);
    expect(again.chain.map(({ fingerprint256 }) => fingerprint256)).toEqual(
      certificate.chain.map(({ fingerprint256 }) => fingerprint256),
    );
  });
});

describe('what is told of a certificate', () => {
  test('an RSA key with its chain', () => {
    expect(openFixture('openssl-chain.pfx')).toMatchObject({
      keyType: 'rsa',
      keyBits: 2048,
      signatureAlgorithm: 'sha256WithRSAEncryption',
      subject: 'O=Example, CN=connector.example',
    });
    expect(openFixture('openssl-chain.pfx').chain.map(({ subject }) => subject)).toEqual([
      'O=Example\nCN=Throw-away CA',
    ]);
  });

  test('its dates, beyond 2050 too, are those that Node reads', () => {
    const { leaf, notAfter, notBefore } = openFixture('openssl-default.pfx');
    expect([notBefore, notAfter]).toEqual([leaf.validFromDate, leaf.validToDate]);
    expect(notAfter.getUTCFullYear()).toBeGreaterThan(2050);
  });

  test.each([
    ['openssl-ec.pfx', { keyType: 'ec', keyBits: 256 }],
    ['openssl-ed25519.pfx', { keyType: 'ed25519', keyBits: 256 }],
    ['openssl-small.pfx', { keyType: 'rsa', keyBits: 1024, weakSignatureHash: 'sha1', allowsDigitalSignature: false }],
  ])('%s', (file, facts) => {
    expect(openFixture(file)).toMatchObject(facts);
  });
});

test.each([
  ['openssl-default.pfx', { key: 'AES-256', certificates: 'AES-256', mac: 'HMAC-SHA256' }],
  ['openssl-legacy.pfx', { key: 'TripleDES-SHA1', certificates: 'RC2-40', mac: 'HMAC-SHA1' }],
  ['openssl-3des-no-mac.pfx', { key: 'TripleDES-SHA1', certificates: 'none', mac: 'none' }],
])('how %s is protected', (file, encryption) => {
  expect(openPkcs12(readFixture(file), PASSWORD).encryption).toEqual(encryption);
});

describe('passwords', () => {
  test.each([
    ['wrong', 'openssl-default.pfx', 'Passw0rd', /does not open/],
    ['wrong, without a MAC', 'openssl-no-mac.pfx', 'Passw0rd', /does not open/],
    [
      'with a line break at its end',
      'openssl-default.pfx',
      `${PASSWORD}\n`,
      /without the line break at its end it would/,
    ],
    ['with a blank at its start', 'openssl-3des.pfx', ` ${PASSWORD}`, /without the blanks at its start it would/],
    ['in quotation marks', 'openssl-3des.pfx', `"${PASSWORD}"`, /without the quotation marks/],
    ['where there is none', 'openssl-empty-password.pfx', 'secret', /the file has no password/],
    ['with a byte order mark', 'openssl-3des.pfx', `\ufeff${PASSWORD}`, /without the byte order mark/],
  ])('%s', (_name, file, password, message) => {
    const failure = failureOf(() => openFixture(file, password));
    expect(failure.code).toBe('PFX_WRONG_PASSWORD');
    expect(failure.message).toMatch(message);
  });

  test('blanks at the ends belong to it', () => {
    expect(openFixture('openssl-blank.pfx', ' two blanks ').keyType).toBe('rsa');
    expect(failureOf(() => openFixture('openssl-blank.pfx', 'two blanks')).code).toBe('PFX_WRONG_PASSWORD');
  });

  test.each([
    ['ends in a line break', `${PASSWORD}\n`, /own password ends in a line break, which/],
    ['ends in CR LF', `${PASSWORD}\r\n`, /own password ends in a line break \(CR LF\)/],
    ['begins with a byte order mark', `\ufeff${PASSWORD}`, /own password begins with a byte order mark/],
  ])('the own one of the file %s, and the given one does not', (_name, own, message) => {
    const written = writePkcs12(openFixture('openssl-ec.pfx'), own);
    expect(openPkcs12(written, own).privateKeys).toHaveLength(1);
    const failure = failureOf(() => openPkcs12(written, PASSWORD));
    expect(failure.code).toBe('PFX_WRONG_PASSWORD');
    expect(failure.message).toMatch(message);
  });

  test('of 4,000 characters', () => {
    const long = 'x'.repeat(4000);
    expect(openPkcs12(writePkcs12(openFixture('openssl-ec.pfx'), long), long).privateKeys).toHaveLength(1);
  });

  test('accents typed in the other Unicode form', () => {
    expect(openFixture('openssl-umlaut.pfx', 'pässwörd'.normalize('NFD')).keyType).toBe('rsa');
  });

  test('are in no failure, whatever is printed of it', () => {
    const secret = 'hunter2-hunter2';
    // Two makers ask for more iterations than a test should wait for.
    for (const { file } of FIXTURES.filter(({ maker }) => maker !== 'certtool' && maker !== 'pk12util')) {
      const failure = failureOf(() => openFixture(file, secret));
      expect(inspect(failure, { depth: 9, showHidden: true }) + JSON.stringify(failure)).not.toContain(secret);
    }
  });
});

describe('PBMAC1: the examples of RFC 9579, appendix A', () => {
  test.each(Object.entries(PBMAC1_GOOD))('%s opens', (_name, base64) => {
    expect(openPkcs12(Buffer.from(base64, 'base64'), '1234').encryption.mac).toMatch(/^PBMAC1-SHA/);
  });

  test.each(Object.entries(PBMAC1_BAD))('%s does not', (_name, { base64, code }) => {
    expect(failureOf(() => openPkcs12(Buffer.from(base64, 'base64'), '1234')).code).toBe(code);
  });
});

describe('files that are not as they should be', () => {
  const file = readFixture('openssl-3des.pfx');

  test.each([
    ['cut off', file.subarray(0, -1), 'PFX_TRUNCATED'],
    ['followed by text', Buffer.concat([file, Buffer.from('done')]), 'PFX_TRAILING_DATA'],
    ['of version 2', Buffer.concat([file.subarray(0, 6), Buffer.of(2), file.subarray(7)]), 'PFX_INVALID'],
    [
      'with another MAC',
      Buffer.concat([file.subarray(0, -20), Buffer.of((file.at(-20) ?? 0) ^ 1), file.subarray(-19)]),
      'PFX_DAMAGED',
    ],
  ])('%s', (_name, bytes, code) => {
    expect(failureOf(() => openPkcs12(bytes, PASSWORD)).code).toBe(code);
  });

  test.each(['\n', '\r\n', '\0\0\0'])('followed by %j, which harms nobody', (tail) => {
    expect(openPkcs12(Buffer.concat([file, Buffer.from(tail)]), PASSWORD).certificates).toHaveLength(1);
  });

  test('with a hostile iteration count: refused before it is worked off', () => {
    const data = oid('1.2.840.113549.1.7.1');
    const sha1 = sequenceOf(oid('1.3.14.3.2.26'));
    const mac = sequenceOf(
      sequenceOf(sha1, octets(Buffer.alloc(20))),
      octets(Buffer.alloc(8)),
      unsigned(2_147_483_647),
    );
    const hostile = sequenceOf(unsigned(3), sequenceOf(data, explicit(0, octets(sequenceOf()))), mac);
    const failure = failureOf(() => openPkcs12(hostile, PASSWORD));
    expect(failure.code).toBe('PFX_TOO_MANY_ITERATIONS');
    expect(failure.message).toContain('2,147,483,647');
  });

  test('with a key that belongs to another certificate', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const written = writePkcs12({ ...openFixture('openssl-default.pfx'), privateKey }, PASSWORD);
    const failure = failureOf(() => certificateIn(written));
    expect(failure.code).toBe('PFX_KEY_MISMATCH');
    expect(failure.message).toContain('CN=connector.example');
  });

  test('several keys: says whose', () => {
    expect(failureOf(() => openFixture('java-several-keys.pfx')).message).toMatch(
      /"CN=key1\.example"; "CN=key2\.example"/,
    );
  });
});

describe('structures that are odd, and healthy', () => {
  const { leaf, privateKey } = openFixture('openssl-ec.pfx');
  const [key, certificate] = [keyBag(privateKey), certificateBag(leaf)];
  const nested = (type: (...bags: readonly Buffer[]) => Buffer): Buffer => bag(OID.safeContentsBag, type(certificate));
  const pkcs8V2 = sequenceOf(
    unsigned(1),
    ...parseWhole(privateKey.export({ type: 'pkcs8', format: 'der' }))
      .children()
      .slice(1)
      .map(({ encoding }) => encoding),
    element(0x81, Buffer.of(0), leaf.publicKey.export({ type: 'spki', format: 'der' }).subarray(-65)),
  );
  test.each([
    ['all in one content', pfxOfContents([key, certificate])],
    ['each in its own', pfxOfContents([certificate], [key])],
    ['a content of no octets', pfxOfContents([key], [certificate], Buffer.alloc(0))],
    ['a content without a bag', pfxOfContents([], [key], [certificate])],
    ['SafeContents in SafeContents', pfxOfContents([key, nested(sequenceOf)])],
    ['the same as SET OF, by OpenSSL before 3.0', pfxOfContents([key, nested(setOf)])],
    ['a localKeyId that is an INTEGER', pfxOfContents([keyBag(privateKey, localKeyId(unsigned(1))), certificate])],
    ['an empty localKeyId', pfxOfContents([keyBag(privateKey, sequenceOf(oid(OID.localKeyId), setOf())), certificate])],
    [
      'localKeyId twice',
      pfxOfContents([keyBag(privateKey, localKeyId(), localKeyId(octets(Buffer.of(2)))), certificate]),
    ],
    ['PKCS#8 version 2 with the public key', pfxOfContents([bag(OID.keyBag, pkcs8V2), certificate])],
    [
      'a secret and an unknown bag',
      pfxOfContents([
        key,
        certificate,
        bag(OID.secretBag, sequenceOf(oid('1.2.3'))),
        bag('1.2.3', octets(Buffer.of(1))),
      ]),
    ],
  ])('%s', (_name, file) => {
    expect(certificateIn(file, '').thumbprint).toBe(thumbprintOf(leaf));
    expect(certificateIn(file, '').privateKey.equals(privateKey)).toBe(true);
  });

  test.each([
    ['an INTEGER', localKeyId(unsigned(7))],
    ['an OCTET STRING', localKeyId()],
  ])('a localKeyId that is %s marks all the same', (_name, mark) => {
    const { privateKeys, certificates } = openPkcs12(
      pfxOfContents([keyBag(privateKey, mark), certificateBag(leaf, mark)]),
      '',
    );
    expect(privateKeys[0]?.localKeyId).toMatch(/./);
    expect(certificates[0]?.localKeyId).toBe(privateKeys[0]?.localKeyId);
  });

  describe('with encryption', () => {
    const protection = (): { algorithm: Buffer; cipher: ReturnType<typeof createCipheriv> } => {
      const [salt, secret] = [Buffer.alloc(8, 7), bmpString(PASSWORD)];
      const derive = (purpose: 1 | 2, length: number): Buffer =>
        pkcs12Kdf(HASHES.sha1, salt, 1, purpose, length).derive(secret);
      return {
        algorithm: sequenceOf(oid(OID.pbeWithSHAAnd3KeyTripleDESCBC), sequenceOf(octets(salt), unsigned(1))),
        cipher: createCipheriv('des-ede3-cbc', derive(PURPOSE.key, 24), derive(PURPOSE.iv, 8)),
      };
    };
    const shrouded = (plaintext: Buffer): Buffer => {
      const { algorithm, cipher } = protection();
      const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
      return bag(OID.pkcs8ShroudedKeyBag, sequenceOf(algorithm, octets(ciphertext)));
    };
    const encryptedContent = (...ciphertext: readonly Buffer[]): Buffer => {
      const info = sequenceOf(oid(OID.data), protection().algorithm, ...ciphertext);
      return sequenceOf(oid(OID.encryptedData), explicit(0, sequenceOf(unsigned(0), info)));
    };
    const withContent = (extra: Buffer, ...bags: readonly Buffer[]): Buffer => {
      const plain = sequenceOf(oid(OID.data), explicit(0, octets(sequenceOf(...bags))));
      return sequenceOf(unsigned(3), sequenceOf(oid(OID.data), explicit(0, octets(sequenceOf(extra, plain)))));
    };
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });

    test.each([
      [
        'a content of padding alone',
        withContent(encryptedContent(element(0x80, protection().cipher.final())), key, certificate),
      ],
      ['a content without ciphertext', withContent(encryptedContent(element(0x80)), key, certificate)],
      ['an encrypted content without a content', withContent(encryptedContent(), key, certificate)],
      ['a data content without a content', withContent(sequenceOf(oid(OID.data)), key, certificate)],
      ['zero bytes after the key', pfxOfContents([shrouded(Buffer.concat([pkcs8, Buffer.alloc(3)])), certificate])],
    ])('%s', (_name, file) => {
      expect(certificateIn(file).thumbprint).toBe(thumbprintOf(leaf));
      expect(certificateIn(file).privateKey.equals(privateKey)).toBe(true);
    });

    test('a key that is padding alone is malformed', () => {
      const failure = failureOf(() => openPkcs12(pfxOfContents([shrouded(Buffer.of()), certificate]), PASSWORD));
      expect(failure.message).toMatch(/an encrypted private key is empty/);
    });

    test('a content without ciphertext is no proof of the password', () => {
      const file = withContent(encryptedContent(element(0x80)), shrouded(pkcs8), certificate);
      expect(failureOf(() => openPkcs12(file, `${PASSWORD}\n`)).message).toMatch(/without the line break at its end/);
    });
  });

  test.each([
    ['a bag without a value', sequenceOf(oid(OID.certBag), explicit(0, Buffer.alloc(0)))],
    ['a SET OF at the outermost level', undefined],
  ])('%s is malformed', (_name, odd) => {
    const file = odd ? pfxOfContents([key, odd]) : pfxOfContents(setOf(key, certificate));
    expect(failureOf(() => openPkcs12(file, '')).code).toBe('PFX_INVALID');
  });

  test('protected to users or groups: no password would help, and the message says so', () => {
    const { privateKeys } = openPkcs12(pfxOfContents([key]), '');
    expect(privateKeys).toHaveLength(1);
    const secret = sequenceOf(
      oid(OID.szOID_PKCS_12_PROTECTED_PASSWORD_SECRET_BAG_TYPE_ID),
      explicit(0, octets(Buffer.of(1))),
    );
    const shrouded = parseWhole(writePkcs12({ leaf, chain: [], privateKey }, PASSWORD)).children()[1]?.encoding ?? key;
    const inner = parseWhole(shrouded).children()[1]?.children()[0]?.octets() ?? key;
    const contents = parseWhole(inner)
      .children()
      .map(({ encoding }) => encoding);
    const extra = sequenceOf(oid(OID.data), explicit(0, octets(sequenceOf(bag(OID.secretBag, secret)))));
    const file = sequenceOf(
      unsigned(3),
      sequenceOf(oid(OID.data), explicit(0, octets(sequenceOf(...contents, extra)))),
    );
    const failure = failureOf(() => openPkcs12(file, 'any'));
    expect(failure.code).toBe('PFX_WRONG_PASSWORD');
    expect(failure.message).toMatch(/protected to users or groups of Active Directory/);
    expect(openPkcs12(file, PASSWORD).privateKeys).toHaveLength(1);
  });
});

describe('work is refused by name before it is done', () => {
  const { leaf, privateKey } = openFixture('openssl-ec.pfx');
  const dsa = (primeBytes: number, exponentBytes: number): Buffer => {
    const number = (length: number): Buffer => element(0x02, Buffer.alloc(length, 0x7f));
    const parameters = sequenceOf(number(primeBytes), number(20), number(primeBytes));
    return sequenceOf(unsigned(0), sequenceOf(oid(OID.dsa), parameters), octets(number(exponentBytes)));
  };
  const iterations = (count: number): Buffer => {
    const algorithm = sequenceOf(
      oid(OID.pbeWithSHAAnd3KeyTripleDESCBC),
      sequenceOf(octets(Buffer.alloc(8)), unsigned(count)),
    );
    return bag(OID.pkcs8ShroudedKeyBag, sequenceOf(algorithm, octets(Buffer.alloc(64))));
  };
  test.each<[string, Buffer, string, RegExp]>([
    [
      '201 keys',
      pfxOfContents(Array.from({ length: 201 }, () => keyBag(privateKey))),
      'PFX_TOO_LARGE',
      /201 private keys/,
    ],
    [
      '201 certificates',
      pfxOfContents(Array.from({ length: 201 }, () => certificateBag(leaf))),
      'PFX_TOO_LARGE',
      /201 certificates/,
    ],
    ['a DSA key of 16 kB', pfxOfContents([bag(OID.keyBag, dsa(8000, 20))]), 'PFX_UNSUPPORTED', /64000 bits.*DSA/],
    [
      'a Diffie-Hellman key',
      pfxOfContents([
        bag(OID.keyBag, sequenceOf(unsigned(0), sequenceOf(oid(OID.dhKeyAgreement)), octets(unsigned(1)))),
      ]),
      'PFX_UNSUPPORTED',
      /Diffie-Hellman/,
    ],
    ['a DSA key with a huge exponent', pfxOfContents([bag(OID.keyBag, dsa(256, 16_000))]), 'PFX_INVALID', /DSA/],
    [
      'many iterations, of which no single one is too much',
      pfxOfContents([1, 2, 3, 4].map(() => iterations(1_500_000))),
      'PFX_TOO_MANY_ITERATIONS',
      /in all/,
    ],
    [
      '300 encrypted keys',
      pfxOfContents(Array.from({ length: 300 }, () => iterations(1))),
      'PFX_TOO_LARGE',
      /300 private keys/,
    ],
  ])('%s', (_name, file, code, message) => {
    const failure = failureOf(() => openPkcs12(file, PASSWORD));
    expect(failure.code).toBe(code);
    expect(failure.message).toMatch(message);
  });
});
