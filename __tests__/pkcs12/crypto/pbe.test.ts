/** Encryption schemes that no fixture has: encrypted by Node or node-forge, which share nothing with what reads them. */
import {
  createCipheriv,
  generateKeyPairSync,
  pbkdf2Sync,
  randomBytes,
  type CipherGCMTypes,
  type KeyObject,
} from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import forge from 'node-forge';
import { nothing, octets, oid, sequenceOf, unsigned } from '../../../src/pkcs12/asn1/der.ts';
import { OID } from '../../../src/pkcs12/asn1/oids.ts';
import { WorkBudget } from '../../../src/pkcs12/crypto/kdf.ts';
import { openEncryptedKey } from '../../../src/pkcs12/private-key.ts';
import { failureOf, PASSWORD } from '../fixtures.ts';

const openKey = (der: Uint8Array, password: string): KeyObject => openEncryptedKey(der, password, new WorkBudget());

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PKCS8 = privateKey.export({ type: 'pkcs8', format: 'der' });
const SALT = randomBytes(16);
const IV = randomBytes(8);
const NONCE = randomBytes(12);
const ITERATIONS = 10;

function keyOf(length: number): Buffer {
  return pbkdf2Sync(PASSWORD, SALT, ITERATIONS, length, 'sha1');
}

/** EncryptedPrivateKeyInfo with PBES2; `keyLength` as far as PBKDF2 says it. */
function pbes2(cipher: Buffer, ciphertext: Buffer, keyLength?: number): Buffer {
  const length = keyLength === undefined ? [] : [unsigned(keyLength)];
  const kdf = sequenceOf(oid(OID.pbkdf2), sequenceOf(octets(SALT), unsigned(ITERATIONS), ...length));
  return sequenceOf(sequenceOf(oid(OID.pbes2), sequenceOf(kdf, cipher)), octets(ciphertext));
}

describe('AES-GCM', () => {
  function gcm(bits: 128 | 192 | 256, tagLength: number, written: readonly Buffer[] = [unsigned(tagLength)]): Buffer {
    const name: CipherGCMTypes = `aes-${bits}-gcm`;
    const cipher = createCipheriv(name, keyOf(bits / 8), NONCE, { authTagLength: tagLength });
    const ciphertext = Buffer.concat([cipher.update(PKCS8), cipher.final(), cipher.getAuthTag()]);
    return pbes2(sequenceOf(oid(OID[`aes${bits}GCM`]), sequenceOf(octets(NONCE), ...written)), ciphertext);
  }

  test.each([
    [128, 16],
    [192, 14],
    [256, 13],
  ] as const)('of %i bits with a tag of %i bytes', (bits, tagLength) => {
    const encrypted = gcm(bits, tagLength);
    expect(openKey(encrypted, PASSWORD).equals(privateKey)).toBe(true);
    expect(failureOf(() => openKey(encrypted, 'another')).code).toBe('PFX_WRONG_PASSWORD');
  });

  // RFC 5084, section 3.2: aes-ICVlen DEFAULT 12.
  test('has a tag of 12 bytes if the file does not say', () => {
    expect(openKey(gcm(256, 12, []), PASSWORD).equals(privateKey)).toBe(true);
  });

  test('whose ciphertext was changed is not opened, though it begins like a key', () => {
    const encrypted = gcm(256, 16);
    encrypted.writeUInt8((encrypted.at(-1) ?? 0) ^ 1, encrypted.length - 1);
    expect(failureOf(() => openKey(encrypted, PASSWORD)).code).toBe('PFX_WRONG_PASSWORD');
  });

  test.each([11, 17])('with a tag of %i bytes is malformed', (tagLength) => {
    const failure = failureOf(() => openKey(gcm(256, 12, [unsigned(tagLength)]), PASSWORD));
    expect(failure.message).toBe('The .pfx is malformed: the tag length of AES-GCM is out of range.');
  });

  test.each([
    ['without a nonce', Buffer.alloc(0), Buffer.alloc(32)],
    ['shorter than its tag', NONCE, Buffer.alloc(15)],
  ])('%s does not open', (_, nonce, ciphertext) => {
    const cipher = sequenceOf(oid(OID.aes256GCM), sequenceOf(octets(nonce), unsigned(16)));
    expect(failureOf(() => openKey(pbes2(cipher, ciphertext), PASSWORD)).code).toBe('PFX_WRONG_PASSWORD');
  });
});

describe('RC2 in PBES2', () => {
  function rc2(bits: number, keyLength: number, version: readonly Buffer[], iv = IV, writtenLength?: number): Buffer {
    const cipher = forge.rc2.createEncryptionCipher(keyOf(keyLength).toString('binary'), bits);
    cipher.start(IV.toString('binary'));
    cipher.update(forge.util.createBuffer(PKCS8.toString('binary')));
    cipher.finish();
    const ciphertext = Buffer.from(cipher.output.getBytes(), 'binary');
    return pbes2(sequenceOf(oid(OID.rc2CBC), sequenceOf(...version, octets(iv))), ciphertext, writtenLength);
  }

  // RFC 8018, appendix B.2.3.
  test.each([
    [40, 5, [unsigned(160)]],
    [64, 8, [unsigned(120)]],
    [128, 16, [unsigned(58)]],
    [256, 32, [unsigned(256)]],
    [32, 4, []],
  ])('with %i effective bits and a key of %i bytes', (bits, keyLength, version) => {
    expect(openKey(rc2(bits, keyLength, version, IV, keyLength), PASSWORD).equals(privateKey)).toBe(true);
  });

  test('has a key of 16 bytes if the file does not say', () => {
    expect(openKey(rc2(128, 16, [unsigned(58)]), PASSWORD).equals(privateKey)).toBe(true);
  });

  test.each([59, 255, 1025])('of the version %i is malformed', (version) => {
    const failure = failureOf(() => openKey(rc2(128, 16, [unsigned(version)]), PASSWORD));
    expect(failure.message).toBe('The .pfx is malformed: the RC2 version is unknown.');
  });

  test('with an IV of another length is malformed', () => {
    const failure = failureOf(() => openKey(rc2(128, 16, [unsigned(58)], randomBytes(7)), PASSWORD));
    expect(failure.message).toBe('The .pfx is malformed: the IV of RC2-128 has 7 bytes.');
  });
});

describe('PBES2', () => {
  const aes = (iv: Buffer): Buffer => sequenceOf(oid(OID.aes256CBC), octets(iv));

  test('with an IV of another length is malformed', () => {
    const failure = failureOf(() => openKey(pbes2(aes(Buffer.alloc(15)), Buffer.alloc(32)), PASSWORD));
    expect(failure.message).toBe('The .pfx is malformed: the IV of AES-256 has 15 bytes.');
  });

  test('with a key of another length than the cipher’s is refused', () => {
    const failure = failureOf(() => openKey(pbes2(aes(Buffer.alloc(16)), Buffer.alloc(32), 16), PASSWORD));
    expect(failure.code).toBe('PFX_UNSUPPORTED');
    expect(failure.message).toContain('a key of 128 bits with AES-256');
  });

  test('with a cipher that nobody knows is refused by its OID', () => {
    const failure = failureOf(() => openKey(pbes2(sequenceOf(oid('1.2.3.4')), Buffer.alloc(32)), PASSWORD));
    expect(failure.code).toBe('PFX_UNSUPPORTED');
    expect(failure.message).toContain('1.2.3.4');
  });

  test.each([
    ['NULL', [nothing()]],
    ['nothing', []],
  ])('with ECB and %s in place of an IV', (_, iv) => {
    const cipher = createCipheriv('aes-128-ecb', keyOf(16), null);
    const ciphertext = Buffer.concat([cipher.update(PKCS8), cipher.final()]);
    const encrypted = pbes2(sequenceOf(oid(OID.aes128ECB), ...iv), ciphertext);
    expect(openKey(encrypted, PASSWORD).equals(privateKey)).toBe(true);
  });
});

test('two-key Triple DES of PKCS#12 (RFC 7292, appendix C)', () => {
  const derived = (id: number, length: number): Buffer => {
    const salt = forge.util.createBuffer(SALT.toString('binary'));
    return Buffer.from(forge.pkcs12.generateKey(PASSWORD, salt, id, ITERATIONS, length).getBytes(), 'binary');
  };
  const cipher = createCipheriv('des-ede-cbc', derived(1, 16), derived(2, 8));
  const ciphertext = Buffer.concat([cipher.update(PKCS8), cipher.final()]);
  const algorithm = sequenceOf(oid(OID.pbeWithSHAAnd2KeyTripleDESCBC), sequenceOf(octets(SALT), unsigned(ITERATIONS)));
  const encrypted = sequenceOf(algorithm, octets(ciphertext));
  expect(openKey(encrypted, PASSWORD).equals(privateKey)).toBe(true);
});
