/** The subject of a certificate that is made here: RFC 4514, CN and O. */
import { X509Certificate } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { createCertificate } from '../../src/certificate/create.ts';
import { parseSubject } from '../../src/certificate/subject.ts';
import { oid, sequenceOf, setOf, utf8 } from '../../src/pkcs12/asn1/der.ts';
import { OID } from '../../src/pkcs12/asn1/oids.ts';

test.each([
  ['CN=api-connector', 'CN=api-connector'],
  // The text begins with the last part of the name.
  ['CN=api-connector, O=Contoso', 'O=Contoso\nCN=api-connector'],
  [' cn = sign up , o=x ', 'O=x\nCN=sign up'],
  ['O=Contoso\\, Ltd,CN=a\\+b', 'CN=a+b\nO=Contoso\\, Ltd'],
  ['CN=\\C3\\BCber', 'CN=über'],
  ['CN=über', 'CN=über'],
  ['CN=a=b', 'CN=a=b'],
  ['CN=a\\\\,O=b', 'O=b\nCN=a\\\\'],
  [`CN=${'ü'.repeat(64)}`, `CN=${'ü'.repeat(64)}`],
])('%s', async (text, shown) => {
  const parsed = parseSubject(text);
  if (!('der' in parsed)) throw new Error(parsed.problem);
  const { leaf } = await createCertificate({ subject: parsed.der, validDays: 1 }, new Date());
  expect(new X509Certificate(leaf.raw).subject.replaceAll('\\+', '+')).toBe(shown);
  expect(leaf.issuer).toBe(leaf.subject);
  expect(leaf.verify(leaf.publicKey)).toBe(true);
});

test.each([
  ['', /NAME=value/],
  ['contoso', /NAME=value/],
  ['CN=a,', /NAME=value/],
  ['CN=a\\', /NAME=value/],
  ['CN=', /the value of CN is empty/],
  ['CN=a+O=b', /CN .* needs a backslash/],
  ['CN="a"', /CN .* needs a backslash/],
  ['CN=#0c0161', /CN .* needs a backslash/],
  ['CN=\\FF', /CN .* needs a backslash/],
  ['CN=a\\0ab', /CN .* needs a backslash/],
  ['CN=a, CN=b', /CN occurs twice/],
  ['CN=a, OU=b', /the attribute OU is not supported/],
  ['E=a@contoso.com', /the attribute E is not supported/],
  ['2.5.4.3=a', /the attribute 2\.5\.4\.3 is not supported/],
  [`CN=${'x'.repeat(65)}`, /CN is longer than 64/],
  [`${'X'.repeat(41)}=a`, /^the attribute X{40} is not supported/],
])('%s is refused by name', (text, problem) => {
  expect(parseSubject(text)).toEqual({ problem: expect.stringMatching(problem) });
});

test('a byte order mark that is spelled out is part of the value', () => {
  const parsed = parseSubject('CN=\\EF\\BB\\BFa');
  expect(parsed).toEqual({ der: sequenceOf(setOf(sequenceOf(oid(OID.commonName), utf8('\ufeffa')))) });
});

test('after 2049 a date is a GeneralizedTime', async () => {
  const parsed = parseSubject('CN=a');
  if (!('der' in parsed)) throw new Error(parsed.problem);
  const { leaf, notBefore, notAfter } = await createCertificate(
    { subject: parsed.der, validDays: 10 },
    new Date('2049-12-25T00:00:00.500Z'),
  );
  expect([notBefore, notAfter].map((date) => date.toISOString())).toEqual([
    '2049-12-24T23:55:00.000Z',
    '2050-01-04T00:00:00.000Z',
  ]);
  expect(leaf.validToDate).toEqual(notAfter);
});
