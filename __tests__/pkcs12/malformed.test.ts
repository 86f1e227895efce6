/** What is named when a part of a file is not what it has to be: each part in turn, replaced by a NULL. */
import { describe, expect, test } from '@jest/globals';
import { parseWhole } from '../../src/pkcs12/asn1/ber.ts';
import { element, explicit, nothing, octets, oid, sequenceOf, setOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';
import { openPkcs12 } from '../../src/pkcs12/open.ts';
import { bag, keyBag, pfxOfContents } from './builder.ts';
import { failureOf, openFixture } from './fixtures.ts';

const NULL = nothing();
const { privateKey } = openFixture('openssl-ec.pfx');
const key = keyBag(privateKey);

function messageOf(file: Buffer): string {
  return failureOf(() => openPkcs12(file, 'any')).message;
}

const data = (content: Buffer): Buffer => sequenceOf(oid(OID.data), explicit(0, content));
const whole = (contents: Buffer): Buffer => sequenceOf(unsigned(3), data(octets(contents)));
const withContent = (content: Buffer): Buffer => whole(sequenceOf(content));
const encrypted = (content: Buffer): Buffer =>
  withContent(sequenceOf(oid(OID.encryptedData), explicit(0, sequenceOf(unsigned(0), content))));
const withMac = (mac: Buffer): Buffer => sequenceOf(unsigned(3), data(octets(sequenceOf())), mac);
const macBy = (algorithm: Buffer, ...more: readonly Buffer[]): Buffer =>
  withMac(sequenceOf(sequenceOf(algorithm, octets(Buffer.alloc(20))), ...more));
const pbmac1 = (parameters: Buffer): Buffer => macBy(sequenceOf(oid(OID.pbmac1), parameters));
const privateKeyOf = (algorithm: Buffer, ...more: readonly Buffer[]): Buffer =>
  pfxOfContents([bag(OID.keyBag, sequenceOf(unsigned(0), algorithm, ...more))]);
const rsa = (content: Buffer): Buffer => privateKeyOf(sequenceOf(oid(OID.rsaEncryption)), octets(content));
const dsa = (p: Buffer, x: Buffer): Buffer => privateKeyOf(sequenceOf(oid(OID.dsa), sequenceOf(p)), octets(x));
const attributes = (value: Buffer): Buffer =>
  pfxOfContents([sequenceOf(oid(OID.keyBag), explicit(0, privateKey.export({ type: 'pkcs8', format: 'der' })), value)]);
const encryptedBy = (algorithm: Buffer): Buffer =>
  pfxOfContents([bag(OID.pkcs8ShroudedKeyBag, sequenceOf(algorithm, octets(Buffer.alloc(64))))]);
const pbe = (...parameters: readonly Buffer[]): Buffer =>
  encryptedBy(sequenceOf(oid(OID.pbeWithSHAAnd3KeyTripleDESCBC), ...parameters));
const pbes2 = (kdf: Buffer, cipher: Buffer = NULL): Buffer =>
  encryptedBy(sequenceOf(oid(OID.pbes2), sequenceOf(kdf, cipher)));
const salt = octets(Buffer.alloc(8));
const pbkdf2 = (...parameters: readonly Buffer[]): Buffer => sequenceOf(oid(OID.pbkdf2), sequenceOf(...parameters));
const scrypt = (...parameters: readonly Buffer[]): Buffer => sequenceOf(oid(OID.scrypt), sequenceOf(...parameters));
const by = (cipher: string, ...parameters: readonly Buffer[]): Buffer =>
  pbes2(pbkdf2(salt, unsigned(1)), sequenceOf(oid(cipher), ...parameters));
const hmac = sequenceOf(oid(OID.hmacWithSHA256));

describe('missing or of another type', () => {
  test.each<[string, Buffer]>([
    ['the file', NULL],
    ['the version', sequenceOf(NULL)],
    ['the content', sequenceOf(unsigned(3), NULL)],
    ['the content', sequenceOf(unsigned(3))],
    ['the type of the content', sequenceOf(unsigned(3), sequenceOf(NULL))],
    ['a content', sequenceOf(unsigned(3), sequenceOf(oid(OID.data), NULL))],
    ['the data of a content', sequenceOf(unsigned(3), data(NULL))],
    ['the contents', whole(NULL)],
    ['a content', withContent(NULL)],
    ['the type of a content', withContent(sequenceOf(NULL))],
    ['a content', withContent(sequenceOf(oid(OID.encryptedData)))],
    ['an encrypted content', withContent(sequenceOf(oid(OID.encryptedData), explicit(0, NULL)))],
    ['an encrypted content', encrypted(NULL)],
    ['the type of an encrypted content', encrypted(sequenceOf(NULL))],
    ['SafeContents', pfxOfContents(NULL)],
    ['a bag', pfxOfContents([NULL])],
    ['the type of a bag', pfxOfContents([sequenceOf(NULL)])],
    ['the value of a bag', pfxOfContents([sequenceOf(oid(OID.certBag))])],
    ['a secret bag', pfxOfContents([bag(OID.secretBag, NULL)])],
    ['the type of a secret', pfxOfContents([bag(OID.secretBag, sequenceOf(NULL))])],
    ['a certificate bag', pfxOfContents([bag(OID.certBag, NULL)])],
    ['the type of a certificate', pfxOfContents([bag(OID.certBag, sequenceOf(NULL))])],
    ['a certificate', pfxOfContents([bag(OID.certBag, sequenceOf(oid(OID.x509Certificate), NULL))])],
    ['a certificate', pfxOfContents([bag(OID.certBag, sequenceOf(oid(OID.x509Certificate), explicit(0, NULL)))])],
    ['the attributes of a bag', attributes(NULL)],
    ['an attribute of a bag', attributes(setOf(NULL))],
    ['the type of an attribute', attributes(setOf(sequenceOf(NULL)))],
    ['the values of an attribute', attributes(setOf(sequenceOf(oid(OID.localKeyId), NULL)))],
    ['a private key', pfxOfContents([bag(OID.keyBag, NULL)])],
    ['the private key', privateKeyOf(NULL)],
    ['the private key', privateKeyOf(sequenceOf(NULL))],
    ['the private key', privateKeyOf(sequenceOf(oid(OID.ed25519)))],
    ['the RSA key', rsa(NULL)],
    ['the modulus', rsa(sequenceOf(unsigned(0), NULL))],
    ['the prime', dsa(NULL, unsigned(1))],
    ['the private key', dsa(unsigned(1), NULL)],
    ['an encrypted private key', pfxOfContents([bag(OID.pkcs8ShroudedKeyBag, NULL)])],
    ['the encryption of a private key', pfxOfContents([bag(OID.pkcs8ShroudedKeyBag, sequenceOf(NULL))])],
    ['an encrypted private key', pfxOfContents([bag(OID.pkcs8ShroudedKeyBag, sequenceOf(sequenceOf(), NULL))])],
    ['the MAC', withMac(NULL)],
    ['the digest of the MAC', withMac(sequenceOf(NULL))],
    ['the algorithm of the MAC', withMac(sequenceOf(sequenceOf(NULL)))],
    ['the algorithm of the MAC', withMac(sequenceOf(sequenceOf(sequenceOf(NULL))))],
    ['the digest of the MAC', withMac(sequenceOf(sequenceOf(sequenceOf(oid(OID.sha1)), NULL)))],
    ['the salt of the MAC', macBy(sequenceOf(oid(OID.sha1)), NULL)],
    ['the iteration count of the MAC', macBy(sequenceOf(oid(OID.sha1)), salt, NULL)],
    ['the parameters of PBMAC1', pbmac1(NULL)],
    ['the key derivation of PBMAC1', pbmac1(sequenceOf(NULL))],
    ['the message authentication of PBMAC1', pbmac1(sequenceOf(pbkdf2(salt, unsigned(1)), NULL))],
    ['the encryption algorithm', encryptedBy(sequenceOf(NULL))],
    ['the encryption parameters', pbe()],
    ['the encryption parameters', pbe(NULL)],
    ['the salt', pbe(sequenceOf(NULL))],
    ['the iteration count', pbe(sequenceOf(salt, NULL))],
    ['the parameters of PBES2', encryptedBy(sequenceOf(oid(OID.pbes2), NULL))],
    ['the key derivation', pbes2(NULL)],
    ['the cipher', pbes2(pbkdf2(salt, unsigned(1)))],
    ['the parameters of PBKDF2', pbes2(sequenceOf(oid(OID.pbkdf2), NULL))],
    ['the salt of PBKDF2', pbes2(pbkdf2(NULL))],
    ['the iteration count of PBKDF2', pbes2(pbkdf2(salt, NULL))],
    ['the PRF of PBKDF2', pbes2(pbkdf2(salt, unsigned(1), unsigned(16), NULL))],
    ['the PRF of PBKDF2', pbes2(pbkdf2(salt, unsigned(1), NULL))],
    ['the parameters of scrypt', pbes2(sequenceOf(oid(OID.scrypt), NULL))],
    ['the salt of scrypt', pbes2(scrypt(NULL))],
    ['N of scrypt', pbes2(scrypt(salt, NULL))],
    ['r of scrypt', pbes2(scrypt(salt, unsigned(2), NULL))],
    ['p of scrypt', pbes2(scrypt(salt, unsigned(2), unsigned(1), NULL))],
    ['the key length of scrypt', pbes2(scrypt(salt, unsigned(2), unsigned(1), unsigned(1), NULL))],
    ['the IV', by(OID.aes256CBC)],
    ['the IV', by(OID.aes256CBC, NULL)],
    ['the parameters of AES-GCM', by(OID.aes256GCM, NULL)],
    ['the nonce of AES-GCM', by(OID.aes256GCM, sequenceOf(NULL))],
    ['the tag length of AES-GCM', by(OID.aes256GCM, sequenceOf(salt, NULL))],
    ['the parameters of RC2', by(OID.rc2CBC, NULL)],
    ['the RC2 version', by(OID.rc2CBC, sequenceOf(NULL, salt))],
    ['the IV of RC2', by(OID.rc2CBC, sequenceOf(NULL))],
  ])('%s (%#)', (what, file) => {
    expect(messageOf(file)).toBe(`The .pfx is malformed: ${what} is missing or of another type.`);
  });
});

describe('malformed', () => {
  const nested = (depth: number): Buffer =>
    Array.from({ length: depth }).reduce<Buffer>((inner) => bag(OID.safeContentsBag, sequenceOf(inner)), key);
  const deep = Array.from({ length: 40 }).reduce<Buffer>((inner) => element(0x24, inner), octets(NULL));
  test.each<[string, Buffer]>([
    ['its version is 2; only version 3 is known', sequenceOf(unsigned(2), data(octets(NULL)))],
    ['its outermost content is empty', sequenceOf(unsigned(3), data(octets(Buffer.alloc(0))))],
    ['its outermost content is empty', sequenceOf(unsigned(3), sequenceOf(oid(OID.data)))],
    ['an encrypted content is of another type', encrypted(sequenceOf(oid(OID.data)))],
    ['an encrypted content is of another type', encrypted(sequenceOf(oid(OID.data), sequenceOf(), NULL))],
    ['SafeContents are nested more than 8 deep', pfxOfContents([nested(9)])],
    ['a bag is empty', pfxOfContents([sequenceOf(oid(OID.certBag), explicit(0, Buffer.alloc(0)))])],
    ['elements are nested more than 32 deep', sequenceOf(unsigned(3), data(deep))],
    ['a piece of a string is no string', sequenceOf(unsigned(3), data(element(0x24, NULL)))],
    ['bytes follow an element where none may', whole(Buffer.concat([sequenceOf(), NULL]))],
    ['the version is constructed', sequenceOf(element(0x22, unsigned(3)), data(octets(NULL)))],
    ['the version is empty', sequenceOf(element(0x02), data(octets(NULL)))],
    ['the type of the content is no OID', sequenceOf(unsigned(3), sequenceOf(element(0x06)))],
    ['the type of the content is no OID', sequenceOf(unsigned(3), sequenceOf(element(0x06, Buffer.of(0x2a, 0x80))))],
    ['the type of the content is no OID', sequenceOf(unsigned(3), sequenceOf(element(0x06, Buffer.alloc(65, 1))))],
    ['a tag number is above 30', sequenceOf(Buffer.of(0x1f, 0x81, 0x01, 0x00))],
    ['a primitive element has an indefinite length', sequenceOf(Buffer.of(0x04, 0x80, 0x00, 0x00))],
    ['a length takes too many bytes', sequenceOf(Buffer.concat([Buffer.of(0x04, 0x91), Buffer.alloc(17)]))],
    ['a length takes too many bytes', sequenceOf(Buffer.concat([Buffer.of(0x04, 0xff), Buffer.alloc(130)]))],
    [
      'an element is longer than the one that it is in',
      Buffer.concat([Buffer.of(0x30, 0x02, 0x04, 0x01), Buffer.alloc(1)]),
    ],
    ['an encrypted private key is empty', pfxOfContents([bag(OID.pkcs8ShroudedKeyBag, emptyKey())])],
    ['the private key cannot be read', rsa(sequenceOf(unsigned(0), unsigned(1)))],
    ['the DSA key is too large', dsa(unsigned(1), element(0x02, Buffer.alloc(65, 1)))],
    [
      'the private key has 16385 bytes; at most 16384 are accepted',
      privateKeyOf(sequenceOf(oid(OID.ed25519)), octets(Buffer.alloc(16_385))),
    ],
    ['the key of PBMAC1 has no stated number of bytes; RFC 9579 wants 20 to 64', pbmac1(keyLength())],
    ['the key of PBMAC1 has 19 bytes; RFC 9579 wants 20 to 64', pbmac1(keyLength(19))],
    ['the key of PBMAC1 has 65 bytes; RFC 9579 wants 20 to 64', pbmac1(keyLength(65))],
    ['the iteration count is 0', pbe(sequenceOf(salt, unsigned(0)))],
    ['a key length is 0', pbes2(pbkdf2(salt, unsigned(1), unsigned(0)))],
    ['a key length is 1025', pbes2(pbkdf2(salt, unsigned(1), unsigned(1025)))],
    ['a key length is 1025', pbes2(scrypt(salt, unsigned(2), unsigned(1), unsigned(1), unsigned(1025)))],
    [
      'the parameters of scrypt are out of range',
      pbes2(
        scrypt(salt, unsigned(1), unsigned(1), unsigned(1)),
        sequenceOf(oid(OID.aes256CBC), octets(Buffer.alloc(16))),
      ),
    ],
    ['the IV of AES-256 has 8 bytes', by(OID.aes256CBC, salt)],
    ['the IV of RC2-32 has 7 bytes', by(OID.rc2CBC, sequenceOf(octets(Buffer.alloc(7))))],
    ['the tag length of AES-GCM is out of range', by(OID.aes256GCM, sequenceOf(salt, unsigned(17)))],
    ['the RC2 version is unknown', by(OID.rc2CBC, sequenceOf(unsigned(255), salt))],
    ['the RC2 version is unknown', by(OID.rc2CBC, sequenceOf(unsigned(1025), salt))],
  ])('%s (%#)', (what, file) => {
    const { code, message, remedy } = failureOf(() => openPkcs12(file, 'any'));
    expect([code, message]).toEqual(['PFX_INVALID', `The .pfx is malformed: ${what}.`]);
    expect(remedy).toBe('Export the certificate with its private key again. It may have been damaged on its way here.');
  });

  function keyLength(length?: number): Buffer {
    return sequenceOf(pbkdf2(salt, unsigned(1), ...(length === undefined ? [] : [unsigned(length)])), hmac);
  }

  test('nested as deep as is allowed', () => {
    expect(openPkcs12(pfxOfContents([nested(8)]), '').privateKeys).toHaveLength(1);
  });
});

/** EncryptedPrivateKeyInfo without a ciphertext. */
function emptyKey(): Buffer {
  const algorithm = sequenceOf(oid(OID.pbeWithSHAAnd3KeyTripleDESCBC), sequenceOf(salt, unsigned(1)));
  return sequenceOf(algorithm, octets(Buffer.alloc(0)));
}

describe('not supported, by its name', () => {
  test.each<[string, Buffer]>([
    ['the content type 1.2.3', withContent(sequenceOf(oid('1.2.3')))],
    ['the hash MD4 (1.2.840.113549.2.4)', macBy(sequenceOf(oid(OID.md4)), salt)],
    [
      'the message authentication 1.2.3',
      pbmac1(sequenceOf(pbkdf2(salt, unsigned(1), unsigned(32)), sequenceOf(oid('1.2.3')))),
    ],
    ['the key derivation 1.2.3', pbes2(sequenceOf(oid('1.2.3')))],
    ['a salt that is kept elsewhere 1.2.840.113549.1.5.12', pbes2(pbkdf2(sequenceOf()))],
    ['the encryption PBE-MD2-DES (1.2.840.113549.1.5.1)', encryptedBy(sequenceOf(oid(OID.pbeWithMD2AndDESCBC)))],
    ['the cipher 1.2.3', by('1.2.3')],
    [
      'a key of 128 bits with AES-256, in 1.2.840.113549.1.5.13',
      pbes2(pbkdf2(salt, unsigned(1), unsigned(16)), sequenceOf(oid(OID.aes256CBC), octets(Buffer.alloc(16)))),
    ],
    [
      'a private key of the type Diffie-Hellman (1.2.840.113549.1.3.1)',
      privateKeyOf(sequenceOf(oid(OID.dhKeyAgreement)), octets(NULL)),
    ],
    [
      'a private key of the type Diffie-Hellman (X9.42) (1.2.840.10046.2.1)',
      privateKeyOf(sequenceOf(oid(OID.dhPublicNumber)), octets(NULL)),
    ],
    ['a private key of the type 1.2.3', privateKeyOf(sequenceOf(oid('1.2.3')), octets(NULL))],
    [
      'a private key of 16400 bits (at most 16384 are accepted) of the type RSA',
      rsa(sequenceOf(unsigned(0), element(0x02, Buffer.alloc(2050, 1)))),
    ],
    [
      'a private key of 4112 bits (at most 4096 are accepted) of the type DSA',
      dsa(element(0x02, Buffer.alloc(514, 1)), unsigned(1)),
    ],
  ])('%s', (what, file) => {
    const { code, message, remedy } = failureOf(() => openPkcs12(file, 'any'));
    expect([code, message]).toEqual(['PFX_UNSUPPORTED', `The .pfx uses ${what}, which is not supported.`]);
    expect(remedy).toBe(
      'Export the certificate with one of the usual algorithms, such as TripleDES-SHA1 or AES256-SHA256 (what Windows offers), or with: openssl pkcs12 -export',
    );
  });
});

describe('the fix', () => {
  const file = pfxOfContents([key]);
  test.each<[string, Buffer, string]>([
    [
      'The .pfx is cut off: by its own length it is longer than what is here.',
      file.subarray(0, -1),
      'Copy it again, whole, and compare its size or SHA-256 with the original. To store it whole, with the name of your environment:\nbase64 < connector.pfx | gh secret set CONNECTOR_PFX --env production',
    ],
    [
      'After the end of the .pfx come 4 more bytes.',
      Buffer.concat([file, Buffer.from('done')]),
      'Were two files joined, or was a message of a tool written into it? Export or copy the file again.',
    ],
    [
      'The .pfx is signed with a certificate instead of protected by a password.',
      sequenceOf(unsigned(3), sequenceOf(oid(OID.signedData), explicit(0, sequenceOf()))),
      'Export it with a password, such as with: openssl pkcs12 -export',
    ],
    [
      'The .pfx is encrypted for a certificate instead of protected by a password.',
      withContent(sequenceOf(oid(OID.envelopedData), explicit(0, sequenceOf()))),
      'Export it with a password, such as with: openssl pkcs12 -export',
    ],
    [
      'The .pfx has 201 private keys and 0 certificates in it; at most 200 of each are accepted.',
      pfxOfContents(Array.from({ length: 201 }, () => key)),
      'Is this the right file? Export the one certificate that is meant, with its key.',
    ],
    [
      'The .pfx asks for 15,000,001 iterations of key derivation, which is too much work.',
      macBy(sequenceOf(oid(OID.sha1)), salt, unsigned(15_000_001)),
      'Write it again with fewer, and delete cert.pem afterwards:\nopenssl pkcs12 -in connector.pfx -nodes -out cert.pem && openssl pkcs12 -export -in cert.pem -iter 2048 -out new.pfx',
    ],
  ])('%s', (message, pfx, remedy) => {
    expect(failureOf(() => openPkcs12(pfx, 'any'))).toMatchObject({ message, remedy });
  });

  test('certificates that cannot be read are counted from the first', () => {
    const certificate = (der: Buffer): Buffer =>
      bag(OID.certBag, sequenceOf(oid(OID.x509Certificate), explicit(0, octets(der))));
    const { leaf } = openFixture('openssl-ec.pfx');
    const contents = openPkcs12(pfxOfContents([certificate(NULL), certificate(leaf.raw), certificate(NULL)]), '');
    expect(contents.unreadableCertificates).toEqual([1, 3]);
    expect(contents.certificates.map((entry) => entry.certificate.fingerprint256)).toEqual([leaf.fingerprint256]);
    expect(contents.encryption).toEqual({ key: 'none', certificates: 'none', mac: 'none' });
  });

  test('200 keys are accepted', () => {
    expect(openPkcs12(pfxOfContents(Array.from({ length: 200 }, () => key)), '').privateKeys).toHaveLength(200);
  });

  test('an INTEGER that is larger than any number here', () => {
    const version = (content: string): string =>
      messageOf(sequenceOf(element(0x02, Buffer.from(content, 'hex')), data(octets(NULL))));
    expect(version('00000000000003')).toMatch(/contents is missing/);
    expect(version('7fffffffffff')).toMatch(/version is 140737488355327;/);
    expect(version('00ffffffffffff')).toMatch(/version is 281474976710655;/);
    expect(version('01000000000000')).toMatch(/version is 9007199254740991;/);
    expect(version('ff')).toMatch(/version is -1;/);
    expect(version('ff000000000000')).toMatch(/version is -9007199254740991;/);
  });

  test('bytes that follow, and harm nobody', () => {
    expect(parseWhole(file).end).toBe(file.length);
    for (const tail of ['\0', '\t', '\n', '\r', '\x1a', ' ', ' \r\n'])
      expect(openPkcs12(Buffer.concat([file, Buffer.from(tail)]), '').privateKeys).toHaveLength(1);
    expect(messageOf(Buffer.concat([file, Buffer.from('\n\x01')]))).toMatch(/come 2 more bytes/);
  });
});
