/** Every cipher and hash: by a file of a tool, or, if no tool here writes it, by Node's own primitives. */
import { createCipheriv, createHmac, generateKeyPairSync, pbkdf2Sync, randomBytes, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { explicit, nothing, octets, oid, sequenceOf, unsigned } from '../../../src/pkcs12/asn1/der.ts';
import { OID } from '../../../src/pkcs12/asn1/oids.ts';
import { WorkBudget } from '../../../src/pkcs12/crypto/kdf.ts';
import { openPkcs12 } from '../../../src/pkcs12/open.ts';
import { openEncryptedKey } from '../../../src/pkcs12/private-key.ts';
import { failureOf, fixturesIn, PASSWORD, readFixture } from '../fixtures.ts';

const openKey = (der: Uint8Array, password: string): KeyObject => openEncryptedKey(der, password, new WorkBudget());

describe('what OpenSSL writes', () => {
  test.each(fixturesIn('algorithms'))('$file', ({ file, password, thumbprint, failure }) => {
    const open = (): string | undefined =>
      openPkcs12(readFixture(file), password).certificates[0]?.certificate.fingerprint.replaceAll(':', '');
    if (failure === undefined) expect(open()).toBe(thumbprint);
    else expect(failureOf(open).code).toBe(failure);
  });

  test.each([
    ['refused-bf-cbc.pfx', 'Blowfish'],
    ['refused-cast5-cbc.pfx', 'CAST5'],
    ['refused-seed-cbc.pfx', 'SEED'],
    ['refused-des-cfb.pfx', 'DES or TripleDES in CFB mode'],
    ['refused-rc4.pfx', 'RC4'],
    ['refused-mac-md4.pfx', 'MD4'],
    ['refused-mac-whirlpool.pfx', 'Whirlpool'],
  ])('%s is refused by the name %s', (file, name) => {
    const failure = failureOf(() => openPkcs12(readFixture(`algorithms/${file}`), PASSWORD));
    expect(failure.message).toContain(` ${name} (`);
  });
});

test.each([
  ['seedECB', 'SEED in ECB mode'],
  ['seedCFB', 'SEED in CFB mode'],
  ['seedOFB', 'SEED in OFB mode'],
  ['desEDE', 'TripleDES in ECB mode'],
  ['desOFB', 'DES in OFB mode'],
] as const)('%s is refused by the name %s', (cipher, name) => {
  const scheme = sequenceOf(pbkdf2Of(Buffer.alloc(8), 'hmacWithSHA256', 16), sequenceOf(oid(OID[cipher])));
  const encrypted = sequenceOf(sequenceOf(oid(OID.pbes2), scheme), octets(Buffer.alloc(16)));
  expect(failureOf(() => openKey(encrypted, PASSWORD)).message).toContain(` ${name} (${OID[cipher]})`);
});

const PSEUDO_RANDOM_FUNCTIONS = [
  ['hmacWithSHA3_224', 'sha3-224'],
  ['hmacWithSHA3_256', 'sha3-256'],
  ['hmacWithSHA3_384', 'sha3-384'],
  ['hmacWithSHA3_512', 'sha3-512'],
  ['hmacWithSM3', 'sm3'],
  ['hmacWithSM3ByOpenSSL', 'sm3'],
  ['hmacRIPEMD160', 'ripemd160'],
  ['hmacMD5', 'md5'],
] as const;

const pbkdf2Of = (salt: Buffer, prf: keyof typeof OID, length: number): Buffer =>
  sequenceOf(
    oid(OID.pbkdf2),
    sequenceOf(octets(salt), unsigned(10), unsigned(length), sequenceOf(oid(OID[prf]), nothing())),
  );

describe('PBKDF2', () => {
  test.each(PSEUDO_RANDOM_FUNCTIONS)('with %s', (prf, hash) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [salt, iv] = [randomBytes(16), randomBytes(16)];
    const cipher = createCipheriv('aes-256-cbc', pbkdf2Sync(PASSWORD, salt, 10, 32, hash), iv);
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
    const ciphertext = Buffer.concat([cipher.update(pkcs8), cipher.final()]);
    const scheme = sequenceOf(pbkdf2Of(salt, prf, 32), sequenceOf(oid(OID.aes256CBC), octets(iv)));
    const encrypted = sequenceOf(sequenceOf(oid(OID.pbes2), scheme), octets(ciphertext));
    expect(openKey(encrypted, PASSWORD).equals(privateKey)).toBe(true);
    expect(failureOf(() => openKey(encrypted, `${PASSWORD}\n`)).message).toMatch(/without the line break/);
    const damaged = Buffer.concat([encrypted.subarray(0, -8), Buffer.alloc(8)]);
    expect(failureOf(() => openKey(damaged, PASSWORD)).code).toBe('PFX_DAMAGED');
  });
});

describe('PBMAC1', () => {
  test.each(PSEUDO_RANDOM_FUNCTIONS)('with %s', (prf, hash) => {
    const salt = randomBytes(16);
    const authSafe = sequenceOf();
    const digest = createHmac(hash, pbkdf2Sync(PASSWORD, salt, 10, 32, hash))
      .update(authSafe)
      .digest();
    const algorithm = sequenceOf(
      oid(OID.pbmac1),
      sequenceOf(pbkdf2Of(salt, prf, 32), sequenceOf(oid(OID[prf]), nothing())),
    );
    const mac = sequenceOf(sequenceOf(algorithm, octets(digest)), octets(Buffer.alloc(8)), unsigned(1));
    const pfx = sequenceOf(unsigned(3), sequenceOf(oid(OID.data), explicit(0, octets(authSafe))), mac);
    expect(openPkcs12(pfx, PASSWORD).encryption.mac).toBe(`PBMAC1-${hash.toUpperCase()}`);
    expect(failureOf(() => openPkcs12(pfx, 'another')).code).toBe('PFX_WRONG_PASSWORD');
  });
});
