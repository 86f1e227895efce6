/** The set of certificates that the API has to accept: whoever writes it must shut out none that is in use. */
import { describe, expect, test } from '@jest/globals';
import { isComplete, isTooLong, trustOf as trustAt, type Trust } from '../../src/connectors/trust.ts';
import type { CertificateIdentity, Connector, ConnectorCertificate } from '../../src/graph/connector.ts';
import { connectorWith, held, heldNew, newCertificate, NOW, OLD, OTHER } from './samples.ts';

const certificate = newCertificate();
const NEW = certificate.thumbprint;
const [soon, later] = ['2026-06-01T00:00:00Z', '2026-09-01T00:00:00Z'];
const trustOf = (connectors: readonly (Connector | undefined)[], own: CertificateIdentity | undefined): Trust =>
  trustAt(connectors, own, NOW);
const on = (displayName: string, ...certificates: ConnectorCertificate[]) =>
  connectorWith(certificates, { id: `id of ${displayName}`, displayName });
const names = (connectors: readonly Connector[]): string => connectors.map(({ displayName }) => displayName).join('+');
/** Each certificate with its last day, who uses it, and who will. */
const rows = ({ certificates }: Trust): readonly string[] =>
  certificates.map(({ thumbprint, notAfter, usedBy, usedLaterBy }) =>
    [thumbprint, notAfter.toISOString().slice(0, 10), names(usedBy), names(usedLaterBy)].join(' ').trimEnd(),
  );

test('the new certificate, and each that is active, once, sorted by thumbprint', () => {
  const trust = trustOf(
    [
      on('A', held(OLD, soon), held('E'.repeat(40), soon, { isActive: false })),
      on('C', held(OTHER, later)),
      on('B', held(OLD, soon)),
    ],
    certificate,
  );
  expect(rows(trust)).toEqual([`${OLD} 2026-06-01 A+B`, `${OTHER} 2026-09-01 C`, `${NEW} 2027-02-01`]);
  expect([trust.missing, trust.unread]).toEqual([[], 0]);
});

test('only those in use if there is no new one', () => {
  expect(rows(trustOf([on('A', held(OLD, soon)), connectorWith('basic')], undefined))).toEqual([`${OLD} 2026-06-01 A`]);
});

test.each([
  ['by its SHA-1', NEW],
  ['by its SHA-256', certificate.sha256],
  ['by its dates, if the thumbprint is none', '?'],
])('the new certificate, in use already, is known %s', (_, thumbprint) => {
  expect(rows(trustOf([on('A', heldNew(certificate, { thumbprint }))], certificate))).toEqual([`${NEW} 2027-02-01 A`]);
});

test('a connector that could not be read is counted', () => {
  const trust = trustOf([undefined, on('A', held(OLD, soon)), undefined], certificate);
  expect([rows(trust), trust.unread]).toEqual([[`${OLD} 2026-06-01 A`, `${NEW} 2027-02-01`], 2]);
});

test.each([
  ['D'.repeat(64), 'D'.repeat(64)],
  ['<b>', '<b>'],
  ['', 'none'],
])('an active certificate shown as %j is missing, and said to be', (thumbprint, shown) => {
  const trust = trustOf([on('A', held(thumbprint, soon), held('', soon, { isActive: false }))], certificate);
  expect(rows(trust)).toEqual([`${NEW} 2027-02-01`]);
  expect(trust.missing).toEqual([
    `The API connector A uses a certificate whose SHA-1 thumbprint is not known (Microsoft Graph shows ${shown}), so the output trusted-thumbprints is not set. Keep it trusted in the API until the connector uses another one.`,
  ]);
});

test('a thumbprint in base64 is given in hex', () => {
  const base64 = Buffer.from(OLD, 'hex').toString('base64');
  expect(rows(trustOf([on('A', held(base64, soon))], undefined))).toEqual([`${OLD} 2026-06-01 A`]);
});

describe('the set may be written to the API as it is', () => {
  const [entry] = trustOf([], certificate).certificates;
  if (entry === undefined) throw new Error('The new certificate is not in the set.');
  const whole: Trust = { certificates: [entry], missing: [], unread: 0 };
  test.each<[string, Partial<Trust>, boolean]>([
    ['if it is whole', {}, true],
    ['not if a thumbprint is missing', { missing: ['One is.'] }, false],
    ['not if a connector could not be read', { unread: 1 }, false],
    ['with 12,000, which an output has room for', { certificates: Array.from({ length: 12_000 }, () => entry) }, true],
    ['not with more', { certificates: Array.from({ length: 12_001 }, () => entry) }, false],
  ])('%s', (_, changes, expected) => {
    const trust = { ...whole, ...changes };
    expect(isComplete(trust)).toBe(expected);
    expect(isTooLong(trust)).toBe(trust.certificates.length > 12_000);
  });
});

describe('a certificate that is on a connector and not valid yet', () => {
  const seconds = (date: string): number => Date.parse(date) / 1000;
  const waiting = (thumbprint: string, changes: Partial<ConnectorCertificate> = {}): ConnectorCertificate =>
    held(thumbprint, later, { isActive: false, notBefore: seconds('2026-03-01T12:00:01Z'), ...changes });

  test('is in the set: the service switches to it when it becomes valid', () => {
    expect(rows(trustOf([on('A', held(OLD, soon), waiting(OTHER)), on('B', waiting(OTHER))], undefined))).toEqual([
      `${OLD} 2026-06-01 A`,
      `${OTHER} 2026-09-01  A+B`,
    ]);
  });

  test.each([
    ['valid since now', { notBefore: seconds('2026-03-01T12:00:00Z') }],
    ['never valid', { notAfter: seconds('2026-03-01T12:00:01Z') }],
    ['without a date that can be read', { notBefore: Number.NaN }],
  ])('but not one that is not in use and %s', (_, changes) => {
    expect(rows(trustOf([on('A', waiting(OTHER, changes))], undefined))).toEqual([]);
  });

  test('is missing if its SHA-1 thumbprint is not known', () => {
    expect(trustOf([on('A', waiting('D'.repeat(64)))], undefined).missing).toEqual([
      expect.stringMatching(/^The API connector A will use a certificate whose SHA-1 thumbprint is not known/),
    ]);
  });

  test('may be the new one', () => {
    const own = newCertificate('2026-04-01T00:00:00Z');
    const trust = trustOf([on('A', heldNew(own, { isActive: false, thumbprint: own.sha256 }))], own);
    expect(rows(trust)).toEqual([`${NEW} 2027-02-01  A`]);
  });
});
