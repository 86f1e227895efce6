/** What is told of a certificate, and which key it belongs to. */
import { createECDH, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import {
  belongsTogether,
  describeCertificate,
  isValid,
  onOneLine,
  validityOf,
  type ClientCertificate,
} from '../../src/certificate/client-certificate.ts';
import { assess } from '../../src/certificate/suitability.ts';
import { openCertificate } from '../../src/certificate/upload.ts';
import { TAG } from '../../src/pkcs12/asn1/ber.ts';
import { element, explicit, octets, oid, sequenceOf, unsigned } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';
import { writePkcs12 } from '../../src/pkcs12/write.ts';
import { failureOf } from '../pkcs12/fixtures.ts';
import { authority, brokenPurposes, made, rsaKeys } from './made.ts';

const keys = rsaKeys();

describe('an odd certificate next to the one of the key', () => {
  test.each([
    ['an extended key usage that is no list of OIDs', brokenPurposes()],
    ['a key usage that is no BIT STRING', sequenceOf(oid('2.5.29.15'), octets(unsigned(1)))],
  ])('does not block the upload: %s', (_name, extension) => {
    const issuer = made('CA', { extensions: [authority(), extension] });
    const { certificate } = made('leaf', { keys, issuer });
    const file = writePkcs12({ leaf: certificate, chain: [issuer.certificate], ...keys }, 'pw');
    const { upload } = openCertificate({ content: file, password: 'pw', notes: [] }, new Date());
    expect(upload.certificate).toMatchObject({ leaf: { raw: certificate.raw }, subject: 'CN=leaf' });
  });

  test('one without a public key that can be read belongs to no key', () => {
    const { certificate } = made('odd', {
      publicKey: sequenceOf(sequenceOf(oid('1.2.3')), Buffer.of(0x03, 0x01, 0x00)),
    });
    expect(belongsTogether(certificate, keys.privateKey)).toBe(false);
  });

  test('one whose public key comes in pieces belongs to no key', () => {
    const pieces = element(0x23, Buffer.of(0x03, 0x02, 0x00, 0x01));
    const { certificate } = made('odd', { keys, publicKey: sequenceOf(sequenceOf(oid('1.2.3')), pieces) });
    expect(belongsTogether(certificate, keys.privateKey)).toBe(false);
  });

  test('an RSA key that is for OAEP by its certificate belongs to it', () => {
    const spki = keys.publicKey.export({ type: 'spki', format: 'der' });
    const bits = spki.subarray(spki.indexOf(Buffer.of(0x03, 0x82)));
    const oaep = sequenceOf(sequenceOf(oid('1.2.840.113549.1.1.7'), sequenceOf()), bits);
    expect(belongsTogether(made('oaep', { keys, publicKey: oaep }).certificate, keys.privateKey)).toBe(true);
    expect(belongsTogether(made('oaep', { keys, publicKey: oaep }).certificate, rsaKeys().privateKey)).toBe(false);
  });

  test('of the leaf itself, it is an error', () => {
    const { certificate } = made('leaf', { keys, extensions: [brokenPurposes()] });
    const file = writePkcs12({ leaf: certificate, chain: [], ...keys }, 'pw');
    const failure = failureOf(() => openCertificate({ content: file, password: 'pw', notes: [] }, new Date()));
    expect(failure.code).toBe('PFX_INVALID');
    expect(failure.message).toMatch(/extended key usage/);
  });
});

describe('the dates of a certificate, as authorities wrote them', () => {
  const utc = (text: string): Buffer => element(TAG.utcTime, Buffer.from(text));
  const generalized = (text: string): Buffer => element(TAG.generalizedTime, Buffer.from(text));
  const describedWith = (from: Buffer, to: Buffer): ClientCertificate =>
    describeCertificate(made('dates', { keys, from, to }).certificate, keys.privateKey, []);

  test.each([
    [utc('500101000000Z'), '1950-01-01T00:00:00.000Z', generalized('99991231235959Z'), '9999-12-31T23:59:59.000Z'],
    [utc('491231235959Z'), '2049-12-31T23:59:59.000Z', generalized('20500101000000Z'), '2050-01-01T00:00:00.000Z'],
    [generalized('19500101000000Z'), '1950-01-01T00:00:00.000Z', utc('280229000000Z'), '2028-02-29T00:00:00.000Z'],
    [utc('240101000000+0100'), '2023-12-31T23:00:00.000Z', utc('280101000000-0500'), '2028-01-01T05:00:00.000Z'],
    [utc('240101000000Z'), '2024-01-01T00:00:00.000Z', generalized('20280101000000.5Z'), '2028-01-01T00:00:00.000Z'],
  ])('%# are read', (from, notBefore, to, notAfter) => {
    const described = describedWith(from, to);
    expect([described.notBefore.toISOString(), described.notAfter.toISOString()]).toEqual([notBefore, notAfter]);
  });

  test('one that does not exist is malformed, and no other day', () => {
    const failure = failureOf(() => describedWith(utc('240101000000Z'), utc('280230000000Z')));
    expect(failure.code).toBe('PFX_INVALID');
    expect(failure.message).toMatch(/a date of the certificate cannot be read/);
  });

  test('one that does not exist is none, whatever Node gives for it', () => {
    const { certificate } = made('dates', { keys, from: utc('280230000000Z'), to: utc('280230000000Z') });
    const { validFrom, validTo } = certificate;
    const random = new Date('2040-01-01');
    const { notBefore, notAfter } = validityOf({ validFrom, validTo, validFromDate: random, validToDate: random });
    expect([notBefore.getTime(), notAfter.getTime()]).toEqual([Number.NaN, Number.NaN]);
  });
});

describe('the time in which a certificate is valid', () => {
  const { certificate } = made('dates', { keys });
  const { notBefore, notAfter } = validityOf(certificate);
  test.each([
    ['before it begins', notBefore.getTime() - 1, false],
    ['when it begins', notBefore.getTime(), true],
    ['when it ends', notAfter.getTime(), true],
    ['after it ends', notAfter.getTime() + 1, false],
  ])('%s', (_name, now, expected) => {
    expect(isValid(certificate, new Date(now))).toBe(expected);
  });
});

describe('what is told of a key', () => {
  /** P-256 with another generator, which no name stands for. */
  function keyOfUnnamedCurve(): KeyObject {
    const [once = Buffer.alloc(0), twice = Buffer.alloc(0)] = [1, 2].map((factor) => {
      const curve = createECDH('prime256v1');
      curve.setPrivateKey(Buffer.from([...Buffer.alloc(31), factor]));
      return curve.getPublicKey();
    });
    const explicitly = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' });
    const der = explicitly.privateKey.export({ type: 'pkcs8', format: 'der' });
    twice.copy(der, der.indexOf(once));
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  }

  test.each<[string, KeyObject, string, number]>([
    ['RSA', keys.privateKey, 'rsa', 2048],
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'ec', 256],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey, 'ec', 521],
    ['a curve without a name', keyOfUnnamedCurve(), 'ec', 256],
    ['Ed25519', generateKeyPairSync('ed25519').privateKey, 'ed25519', 256],
    ['Ed448', generateKeyPairSync('ed448').privateKey, 'ed448', 456],
  ])('%s', (_name, privateKey, keyType, keyBits) => {
    const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    const { certificate } = made('leaf', { keys, publicKey });
    expect(describeCertificate(certificate, privateKey, [])).toMatchObject({ keyType, keyBits });
  });
});

test('what is told of a certificate', () => {
  const { certificate } = made('leaf', { keys });
  expect(describeCertificate(certificate, keys.privateKey, [])).toMatchObject({
    thumbprint: certificate.fingerprint.replaceAll(':', ''),
    sha256: certificate.fingerprint256.replaceAll(':', ''),
    signatureAlgorithm: 'sha256WithRSAEncryption',
    subject: 'CN=leaf',
  });
  expect(onOneLine('O=Contoso\nCN=leaf')).toBe('O=Contoso, CN=leaf');
  expect(onOneLine(undefined)).toBe('');
});

describe('an RSASSA-PSS signature', () => {
  const pss = (...parameters: readonly Buffer[]): Buffer => sequenceOf(oid(OID.rsassaPss), ...parameters);
  const hashed = (id: string): Buffer => sequenceOf(explicit(0, sequenceOf(oid(id))));
  test.each([
    ['with SHA-256', pss(hashed(OID.sha256)), undefined],
    ['with SHA-1, by default', pss(sequenceOf()), 'sha1'],
    ['with SHA-1, named', pss(hashed(OID.sha1)), 'sha1'],
    ['without parameters', pss(), 'sha1'],
  ])('%s', (_name, algorithm, expected) => {
    const { certificate } = made('pss', { keys, algorithm });
    const described = describeCertificate(certificate, keys.privateKey, []);
    expect(described.weakSignatureHash).toBe(expected);
    expect(assess(described, new Date(), 0).some((warning) => warning.includes('signed with SHA1'))).toBe(
      expected === 'sha1',
    );
  });
});
