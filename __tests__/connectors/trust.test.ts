/** The set of certificates that the API has to accept: whoever writes it must shut out none that is in use. */
import { expect, test } from '@jest/globals';
import { trustOf, type Trust } from '../../src/connectors/trust.ts';
import type { ConnectorCertificate } from '../../src/graph/connector.ts';
import { connectorWith, held, heldNew, newCertificate, OLD, OTHER } from './samples.ts';

const certificate = newCertificate();
const NEW = certificate.thumbprint;
const [soon, later] = ['2026-06-01T00:00:00Z', '2026-09-01T00:00:00Z'];
const on = (displayName: string, ...certificates: ConnectorCertificate[]) =>
  connectorWith(certificates, { id: `id of ${displayName}`, displayName });
/** Each certificate with its last day, and who uses it. */
const rows = ({ certificates }: Trust): readonly string[] =>
  certificates.map(
    ({ thumbprint, notAfter, usedBy }) =>
      `${thumbprint} ${notAfter.toISOString().slice(0, 10)} ${usedBy.map(({ displayName }) => displayName).join('+')}`,
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
  expect(rows(trust)).toEqual([`${OLD} 2026-06-01 A+B`, `${OTHER} 2026-09-01 C`, `${NEW} 2027-02-01 `]);
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
  expect([rows(trust), trust.unread]).toEqual([[`${OLD} 2026-06-01 A`, `${NEW} 2027-02-01 `], 2]);
});

test.each([
  ['D'.repeat(64), 'D'.repeat(64)],
  ['<b>', '<b>'],
  ['', 'none'],
])('an active certificate shown as %j is missing, and said to be', (thumbprint, shown) => {
  const trust = trustOf([on('A', held(thumbprint, soon), held('', soon, { isActive: false }))], certificate);
  expect(rows(trust)).toEqual([`${NEW} 2027-02-01 `]);
  expect(trust.missing).toEqual([
    `The API connector A uses a certificate whose SHA-1 thumbprint is not known (Microsoft Graph shows ${shown}), so the output trusted-thumbprints is not set. Keep it trusted in the API until the connector uses another one.`,
  ]);
});

test('a thumbprint in base64 is given in hex', () => {
  const base64 = Buffer.from(OLD, 'hex').toString('base64');
  expect(rows(trustOf([on('A', held(base64, soon))], undefined))).toEqual([`${OLD} 2026-06-01 A`]);
});
