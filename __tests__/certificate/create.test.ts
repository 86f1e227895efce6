/** The certificate that the create step makes. */
import { createPublicKey } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { ClientCertificate } from '../../src/certificate/client-certificate.ts';
import { createCertificate } from '../../src/certificate/create.ts';
import { parseSubject } from '../../src/certificate/subject.ts';
import { assess } from '../../src/certificate/suitability.ts';

const now = new Date('2026-01-31T12:00:00Z');
const subject = parseSubject('CN=api-connector, O=Contoso');
let made: ClientCertificate;
beforeAll(async () => {
  made = await createCertificate({ subject: 'der' in subject ? subject.der : Buffer.of(), validDays: 180 }, now);
});

describe('a certificate that is made', () => {
  test('is for a key of its own, signs itself, and is no authority', () => {
    const { leaf, privateKey, chain } = made;
    expect(leaf.checkPrivateKey(privateKey)).toBe(true);
    expect(leaf.verify(createPublicKey(privateKey))).toBe(true);
    expect([leaf.subject, leaf.issuer]).toEqual(['O=Contoso\nCN=api-connector', 'O=Contoso\nCN=api-connector']);
    expect(leaf.ca).toBe(false);
    expect(chain).toEqual([]);
  });

  test('is as the service asks for it: nothing is to be said of it', () => {
    expect(made).toMatchObject({ keyType: 'rsa', keyBits: 2048, signatureAlgorithm: 'sha256WithRSAEncryption' });
    expect(made.leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(assess(made, now, 179)).toEqual([]);
  });

  test('is valid from five minutes ago, for the days that were asked for', () => {
    expect(made.notBefore.toISOString()).toBe('2026-01-31T11:55:00.000Z');
    expect(made.notAfter.toISOString()).toBe('2026-07-30T12:00:00.000Z');
  });

  test('has a serial number of 128 bits', () => {
    expect(made.leaf.serialNumber).toMatch(/^[89A-F][0-9A-F]{31}$/);
  });
});
