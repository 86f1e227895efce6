/** What the check step says about a connector. */
import { expect, test } from '@jest/globals';
import { judge, unread, type Finding } from '../../src/connectors/expiry.ts';
import { Failure } from '../../src/failure.ts';
import type { Connector } from '../../src/graph/connector.ts';
import { connectorWith, held, NOW, OLD } from './samples.ts';

const judged = (connector: Connector, named = true): Finding =>
  judge(connector, { warnDays: 30, failDays: 7, named }, NOW);
const codeOf = (finding: Finding): string => (finding.status === 'failing' ? finding.failure.code : '');

test.each([
  ['2026-03-31T12:00:00Z', 'ok', 30, 'has 30 days left'],
  ['2026-03-31T11:59:59Z', 'warning', 29, 'has 29 days left'],
  ['2026-03-08T12:00:00Z', 'warning', 7, 'has 7 days left'],
  ['2026-03-08T11:59:59Z', 'failing', 6, 'has 6 days left'],
  ['2026-03-02T12:00:00Z', 'failing', 1, 'has 1 day left'],
  ['2026-03-01T12:00:00Z', 'failing', 0, 'has 0 days left'],
  ['2026-03-01T11:59:59Z', 'failing', -1, 'has expired'],
])('its certificate expires at %s: %s', (notAfter, status, daysLeft, words) => {
  const active = held(OLD, notAfter);
  const finding = judged(connectorWith([held('B'.repeat(40), '2030-01-01T00:00:00Z', { isActive: false }), active]));
  const text = `its active certificate ${words} (${OLD}, until ${notAfter}).`;
  expect(finding).toMatchObject({ id: 'c-1', status, daysLeft, text, active });
  if (finding.status !== 'failing') return;
  expect(finding.failure).toMatchObject({
    code: 'CERTIFICATE_EXPIRES_SOON',
    message: `The API connector Sign-up: ${text}`,
    remedy: 'Upload a newer certificate now: when this one expires, every sign-up that calls the API fails.',
  });
});

test.each([
  ['basic', 'warning', 'ok', 'authenticates with a user name and password, not with a certificate.'],
  ['none', 'warning', 'ok', 'does not authenticate with a certificate.'],
  ['unknown', 'warning', 'warning', 'authenticates in a way that is not understood.'],
] as const)('without certificates (%s): %s if it was named, else %s', (type, ifNamed, ifFound, text) => {
  const connector = connectorWith(type);
  expect(judged(connector, true)).toEqual({ id: 'c-1', connector, status: ifNamed, text });
  expect(judged(connector, false)).toEqual({ id: 'c-1', connector, status: ifFound, text });
});

test.each([
  ['none that is active', [held(OLD, '2030-01-01T00:00:00Z', { isActive: false })]],
  ['none at all', []],
])('certificates, but %s: fails', (_, certificates) => {
  const finding = judged(connectorWith(certificates), false);
  const text = 'has no active certificate: its calls are not authenticated with one.';
  expect([finding.text, codeOf(finding)]).toEqual([text, 'NO_ACTIVE_CERTIFICATE']);
  expect(finding).toMatchObject({
    failure: { message: `The API connector Sign-up ${text}`, remedy: 'Upload a certificate that is valid now.' },
  });
});

test('an expiry date that cannot be read is not fine', () => {
  const finding = judged(connectorWith([held(OLD, 'soon')]));
  const text = `the expiry date of its active certificate (${OLD}) cannot be read.`;
  expect([finding.text, finding.daysLeft, codeOf(finding)]).toEqual([text, undefined, 'EXPIRY_UNREADABLE']);
  expect(finding).toMatchObject({
    failure: {
      message: `The API connector Sign-up: ${text}`,
      remedy: 'Look at the certificate in the portal, under API connectors.',
    },
  });
});

test('a connector that could not be read fails for the reason that it could not', () => {
  const failure = new Failure('GRAPH_FORBIDDEN', 'Microsoft Graph says no.', 'Do this.');
  const text = 'could not be read: Microsoft Graph says no.';
  expect(unread('c-2', failure)).toEqual({ id: 'c-2', connector: undefined, status: 'failing', text, failure });
});
