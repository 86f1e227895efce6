import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { describeCertificate } from '../../src/certificate/client-certificate.ts';
import { assess } from '../../src/certificate/suitability.ts';
import { failureOf, openFixture } from '../pkcs12/fixtures.ts';
import { authority, brokenPurposes, made, purposes, type Fields } from './made.ts';

const certificate = openFixture('openssl-default.pfx');
const DAY = 86_400_000;
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};
const during = new Date(certificate.notBefore.getTime() + DAY);

describe('assess', () => {
  test('has nothing to say of RSA 2048', () => {
    expect(assess(certificate, during, 0)).toEqual([]);
  });

  test.each([
    ['openssl-ec.pfx', [/EC.*RSA with 2048/]],
    ['openssl-ed25519.pfx', [/ED25519.*RSA with 2048/]],
    ['openssl-small.pfx', [/1024 bits/, /SHA1/, /digitalSignature/]],
  ])('warns about %s', (file, warnings) => {
    const said = assess(openFixture(file), new Date(during.getTime() + DAY), 0);
    expect(said).toEqual(warnings.map((warning) => expect.stringMatching(warning)));
  });

  test('warns about a purpose that leaves out clients', () => {
    expect(assess({ ...certificate, allowsClientAuth: false }, during, 0)).toEqual([
      expect.stringMatching(/extended key usage without clientAuth: servers on OpenSSL/),
    ]);
  });

  test('warns before the time of a certificate', () => {
    const early = new Date(certificate.notBefore.getTime() - 1);
    expect(assess(certificate, early, 0)).toEqual([
      expect.stringMatching(/not valid yet: its time begins at \d{4}-\d\d-\d\dT[\d:]{8}Z/),
    ]);
  });

  test('refuses an expired one, to the second', () => {
    expect(assess(certificate, certificate.notAfter, 0)).toEqual([]);
    const failure = failureOf(() => assess(certificate, new Date(certificate.notAfter.getTime() + 1000), 0));
    expect(failure.code).toBe('CERTIFICATE_EXPIRED');
  });

  test('refuses one that expires within the days asked for', () => {
    const tenDaysBefore = new Date(certificate.notAfter.getTime() - 10 * DAY);
    expect(assess(certificate, tenDaysBefore, 10)).toEqual([]);
    const failure = failureOf(() => assess(certificate, tenDaysBefore, 11));
    expect(failure.code).toBe('CERTIFICATE_EXPIRES_TOO_SOON');
    expect(failure.message).toContain('in 10 days');
  });
});

describe('the issuers', () => {
  const root = made('Root', { extensions: [authority()] });
  const said = (fields: Fields): readonly string[] => {
    const issuing = made('Issuing', {
      issuer: root,
      ...fields,
      extensions: [authority(), ...(fields.extensions ?? [])],
    });
    const leaf = made('leaf', { issuer: issuing });
    const chain = [issuing.certificate, root.certificate];
    return assess(describeCertificate(leaf.certificate, leaf.privateKey, chain), new Date(), 0);
  };

  test.each<[string, Fields, readonly RegExp[]]>([
    ['nothing odd', {}, []],
    ['expired', { from: -20, to: -10 }, [/issuer "CN=Issuing" expired at \d{4}.*reject the chain/]],
    ['not valid yet', { from: 10 }, [/issuer "CN=Issuing" is not valid before \d{4}/]],
    ['for servers alone', { extensions: [purposes('1.3.6.1.5.5.7.3.1')] }, [/issuer "CN=Issuing".*without clientAuth/]],
    ['for both', { extensions: [purposes('1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2')] }, []],
    ['with purposes that cannot be read', { extensions: [brokenPurposes()] }, []],
  ])('%s', (_name, fields, warnings) => {
    expect(said(fields)).toEqual(warnings.map((warning) => expect.stringMatching(warning)));
  });
});

describe('the extended key usage of a certificate', () => {
  const serverAuth = '1.3.6.1.5.5.7.3.1';
  const clientAuth = '1.3.6.1.5.5.7.3.2';

  test.each([
    ['none', undefined, true],
    ['for servers alone', [serverAuth], false],
    ['for both', [serverAuth, clientAuth], true],
    ['for any purpose', ['2.5.29.37.0'], true],
  ])('%s', async (_, purposes, allowed) => {
    const keys = await crypto.subtle.generateKey(RSA, true, ['sign', 'verify']);
    const made = await x509.X509CertificateGenerator.createSelfSigned({
      name: 'CN=throw-away',
      keys,
      signingAlgorithm: RSA,
      extensions: purposes ? [new x509.ExtendedKeyUsageExtension(purposes)] : [],
    });
    const pem = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
    const leaf = new X509Certificate(made.toString('pem'));
    expect(describeCertificate(leaf, createPrivateKey(pem), []).allowsClientAuth).toBe(allowed);
  });
});
