/** Which connectors the create step makes a certificate for. */
import { expect, test } from '@jest/globals';
import { renewalOf } from '../../src/connectors/renewal.ts';
import { Failure } from '../../src/failure.ts';
import { connectorWith, held, NOW, OLD } from './samples.ts';

const expires = (notAfter: string) => [held(OLD, notAfter)];
const LEFT_OUT = 'It is left out: to switch it to a certificate, upload one to it once with replace: true.';

test.each([
  [
    'fine',
    'as many days left as asked for',
    expires('2026-03-31T12:00:00Z'),
    'its active certificate has 30 days left',
  ],
  ['due', 'a day less', expires('2026-03-31T11:59:59Z'), 'its active certificate has 29 days left'],
  ['due', 'an expired certificate', expires('2026-02-01T00:00:00Z'), 'its active certificate has expired'],
  ['due', 'no active certificate', [], 'has no active certificate: its calls are not authenticated with one.'],
  ['due', 'no authentication', 'none', 'does not authenticate with a certificate.'],
  [
    'skipped',
    'a user name and password',
    'basic',
    `authenticates with a user name and password, not with a certificate. ${LEFT_OUT}`,
  ],
  ['skipped', 'something unknown', 'unknown', `authenticates in a way that is not understood. ${LEFT_OUT}`],
  [
    'failing',
    'an expiry date that cannot be read',
    expires('soon'),
    `the expiry date of its active certificate (${OLD}) cannot be read.`,
  ],
] as const)('%s: %s', (status, _, authentication, text) => {
  const connector = connectorWith(authentication);
  const renewal = renewalOf({ id: 'c-1', connector }, 30, NOW);
  expect(renewal).toMatchObject({ id: 'c-1', connector, status, text: expect.stringContaining(text) });
  expect(renewal.status === 'failing' ? renewal.failure.code : '').toBe(
    status === 'failing' ? 'EXPIRY_UNREADABLE' : '',
  );
});

test('failing: it could not be read', () => {
  const failure = new Failure('GRAPH_FORBIDDEN', 'Microsoft Graph says no.', 'Do this.');
  expect(renewalOf({ id: 'c-2', failure }, 30, NOW)).toEqual({
    id: 'c-2',
    connector: undefined,
    status: 'failing',
    text: 'could not be read: Microsoft Graph says no.',
    failure,
  });
});
