/** What one API connector needs, what is asked of Graph for it, and what is said about it. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { ClientCertificate } from '../../src/certificate/client-certificate.ts';
import type { Outcome } from '../../src/connectors/outcome.ts';
import { updateConnector, type UpdateOptions } from '../../src/connectors/update.ts';
import { Failure } from '../../src/failure.ts';
import type { Connector } from '../../src/graph/connector.ts';
import { CANCELLED, cancelled, methods, online } from '../graph/scripted-graph.ts';
import { answer, type Answer } from '../scripted-http.ts';
import { connectorWith, held, heldNew, newCertificate, NOW, OLD, OTHER } from './samples.ts';

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
});
afterEach(() => {
  jest.useRealTimers();
});

const TOMORROW = '2026-03-02T12:00:00Z';
const certificate = newCertificate();
const future = newCertificate(TOMORROW);
/** From now on. */
const valid = newCertificate(NOW.toISOString());
const old = held(OLD, '2026-06-01T00:00:00Z');

interface Case extends Partial<UpdateOptions> {
  readonly certificate?: ClientCertificate;
  readonly answers?: readonly Answer[];
}

/** What becomes of the connector, and the methods of the requests for it. */
async function update(
  before: Connector,
  changes: Case = {},
): Promise<{ outcome: Outcome; requests: readonly string[] }> {
  const { certificate: own = certificate, answers = [], ...options } = changes;
  const { http, connectors } = online(...answers);
  const upload = { certificate: own, pkcs12Value: 'cGZ4', password: 'pass' };
  const all = { force: false, replace: false, dryRun: false, ...options };
  const outcome = await updateConnector(connectors, { id: before.id, connector: before }, upload, all);
  return { outcome, requests: methods(http) };
}

/** The connector as Graph sends it. */
function sent({ authentication, ...rest }: Connector): Answer {
  if (authentication.type !== 'certificate') throw new Error('has no certificates');
  const type = '#microsoft.graph.clientCertificateAuthentication';
  return answer(200, {
    ...rest,
    authenticationConfiguration: { '@odata.type': type, certificateList: authentication.certificates },
  });
}

/** The response to an upload: the connector has these certificates. */
const now = (...certificates: Parameters<typeof heldNew>[1][]): Answer =>
  sent(connectorWith(certificates.map((changes) => heldNew(certificate, changes))));

const CLOCK =
  "and no other one is active. It is valid from 2026-03-01T12:00:00Z, and this runner's clock shows 2026-03-01T12:00:00Z.";

describe('the certificate is uploaded', () => {
  test.each([
    ['next to another one', [old], {}],
    ['to a connector without any', [], {}],
    ['to a connector that authenticates with nothing', 'none', {}],
    ['again, if force says so', [heldNew(certificate)], { force: true }],
  ] as const)('%s', async (_, authentication, options) => {
    const { outcome, requests } = await update(connectorWith(authentication), { ...options, answers: [now({})] });
    expect(requests).toEqual(['POST']);
    expect(outcome).toMatchObject({
      result: 'changed',
      text: 'uploaded; the connector uses this certificate now.',
      warnings: [],
      before: connectorWith(authentication),
      connector: connectorWith([heldNew(certificate)]),
    });
  });

  test('and not used yet, though it is valid', async () => {
    const answers = [sent(connectorWith([old, heldNew(valid, { isActive: false })]))];
    const { outcome } = await update(connectorWith([old]), { certificate: valid, answers });
    expect(outcome).toMatchObject({
      result: 'changed',
      text: 'uploaded, but the service does not use it yet.',
      warnings: [
        "The API connector Sign-up does not use the new certificate yet. It is valid from 2026-03-01T12:00:00Z, and this runner's clock shows 2026-03-01T12:00:00Z: if that clock is ahead, the service uses the certificate once it is valid by its own clock.",
      ],
    });
  });

  test.each([
    ['to a connector that has no active one', false, [held(OLD, '2026-02-01T00:00:00Z', { isActive: false })]],
    ['in place of all others', true, [old]],
  ])('and not used, %s: nothing works, so it fails', async (_, replace, authentication) => {
    const after = connectorWith([heldNew(valid, { isActive: false })]);
    const answers = replace ? [answer(204), sent(after)] : [sent(after)];
    const { outcome } = await update(connectorWith(authentication), { certificate: valid, replace, answers });
    expect(outcome).toMatchObject({
      result: 'failed',
      uploaded: true,
      connector: after,
      failure: {
        code: 'NO_ACTIVE_CERTIFICATE',
        message: `The API connector Sign-up (c-1) has the new certificate now, but does not use it, ${CLOCK}`,
        remedy: expect.stringMatching(/^If that clock is ahead, set it right/),
      },
    });
  });

  test.each([
    ['???', '???'],
    ['', 'no thumbprint'],
  ])('and shown with the thumbprint %j: a warning', async (thumbprint, shown) => {
    const { outcome } = await update(connectorWith([old]), { answers: [now({ thumbprint })] });
    expect(outcome).toMatchObject({
      result: 'changed',
      text: 'uploaded; the connector uses this certificate now.',
      warnings: [
        `The API connector Sign-up shows the new certificate with another thumbprint (${shown}); it was recognised by its two dates.`,
      ],
    });
  });

  test('and the connector is read by a thumbprint of SHA-256 as well', async () => {
    const { outcome } = await update(connectorWith([old]), { answers: [now({ thumbprint: certificate.sha256 })] });
    expect(outcome.warnings).toEqual([]);
  });
});

describe('replace', () => {
  test.each([
    ['takes the place of another certificate', [old, heldNew(certificate)]],
    ['takes the place of a user name and password', 'basic'],
    ['takes the place of what is not understood', 'unknown'],
  ] as const)('%s', async (_, authentication) => {
    const answers = [answer(204), now({})];
    const { outcome, requests } = await update(connectorWith(authentication), { replace: true, answers });
    expect(requests).toEqual(['PATCH', 'GET']);
    const text = 'replaced; the connector uses this certificate now.';
    expect(outcome).toMatchObject({ result: 'changed', text, warnings: [] });
  });
});

describe('nothing is done', () => {
  const IN_USE = 'already uses this certificate; nothing to do.';
  const unused = heldNew(certificate, { isActive: false });
  const FORCE = 'If this one is to be used, set force: true to upload it again.';

  test.each<[string, Connector, Case, string]>([
    ['it is in use', connectorWith([old, heldNew(certificate)]), {}, IN_USE],
    ['it is in use, and there twice', connectorWith([unused, heldNew(certificate)]), {}, IN_USE],
    ['it is in use, and the only one', connectorWith([heldNew(certificate)]), { replace: true }, IN_USE],
    [
      'another one is in use',
      connectorWith([unused, old]),
      {},
      `has this certificate already, but does not use it: another one was uploaded later. ${FORCE}`,
    ],
    [
      'another one is in use, at the second from which it is valid',
      connectorWith([heldNew(valid, { isActive: false }), old]),
      { certificate: valid },
      `has this certificate already, but does not use it: another one was uploaded later. ${FORCE}`,
    ],
    [
      'it is there, and becomes valid tomorrow',
      connectorWith([old, heldNew(future, { isActive: false })]),
      { certificate: future },
      `has this certificate already; the service uses it from ${TOMORROW}, when it becomes valid.`,
    ],
  ])('%s', async (_, before, options, text) => {
    const { outcome, requests } = await update(before, options);
    const warnings = text === IN_USE ? [] : [`The API connector Sign-up ${text}`];
    expect(outcome).toEqual({ id: 'c-1', before, connector: before, result: 'unchanged', text, warnings });
    expect(requests).toEqual([]);
  });

  test.each([
    ['valid', valid, CLOCK],
    ['valid tomorrow', future, `and no other one is active. It becomes valid on ${TOMORROW}.`],
  ])('it is there, %s, and none is in use: that is no success', async (_, own, why) => {
    const before = connectorWith([heldNew(own, { isActive: false })]);
    const { outcome, requests } = await update(before, { certificate: own });
    expect(outcome).toMatchObject({
      result: 'failed',
      failure: {
        code: 'NO_ACTIVE_CERTIFICATE',
        message: `The API connector Sign-up (c-1) has this certificate already, but does not use it, ${why}`,
      },
    });
    expect(requests).toEqual([]);
  });

  test.each([
    [true, 'already uses this certificate; nothing to do.', 0],
    [false, `has this certificate already, but does not use it: another one was uploaded later. ${FORCE}`, 1],
  ])('one without a thumbprint that can be read is taken for it, and that is said; active: %s', async (...row) => {
    const [isActive, text, others] = row;
    const before = connectorWith([{ ...old, isActive: !isActive }, heldNew(certificate, { thumbprint: '', isActive })]);
    const { outcome, requests } = await update(before);
    expect(outcome).toMatchObject({ result: 'unchanged', text });
    expect(outcome.warnings.slice(others)).toEqual([
      'The API connector Sign-up shows no thumbprint that can be read for the certificate that it has: it was taken for this one by its two dates. If it is another one, set force: true to upload this one.',
    ]);
    expect(requests).toEqual([]);
  });

  test.each([
    [false, 'dry run: the certificate would be uploaded.'],
    [true, 'dry run: the certificate would be made the only one.'],
  ])('on a dry run, replace: %s', async (replace, text) => {
    const before = connectorWith([old]);
    const { outcome, requests } = await update(before, { dryRun: true, replace });
    expect(outcome).toEqual({ id: 'c-1', before, connector: before, result: 'would-change', text, warnings: [] });
    expect(requests).toEqual([]);
  });

  test('to a connector that could not be read', async () => {
    const failure = new Failure('GRAPH_FORBIDDEN', 'Microsoft Graph says no.', 'Do this.');
    const { connectors, http } = online();
    const upload = { certificate, pkcs12Value: 'cGZ4', password: 'pass' };
    const options = { force: false, replace: false, dryRun: false };
    const outcome = await updateConnector(connectors, { id: 'c-2', failure }, upload, options);
    expect(outcome).toEqual({
      id: 'c-2',
      before: undefined,
      connector: undefined,
      warnings: [],
      result: 'failed',
      failure,
    });
    expect(http.requests).toEqual([]);
  });
});

describe('what cannot work is refused before any request', () => {
  const VALID_LATER = `The certificate is valid from ${TOMORROW} only, and`;
  const REMEDY = `Upload a certificate that is valid now, or run this again after ${TOMORROW}.`;
  const NOTHING_ACTIVE = `${VALID_LATER} the API connector Sign-up (c-1) has no active certificate until then.`;
  const TAKEN_AWAY = `${VALID_LATER} replace: true would take away what the API connector Sign-up (c-1) authenticates with now.`;
  const [later, replaceLater] = [{ certificate: future }, { certificate: future, replace: true }];
  const expired = held(OLD, '2026-01-01T00:00:00Z', { isActive: false });

  test.each<[string, Connector, Case, string, string, string]>([
    [
      'a user name and password',
      connectorWith('basic'),
      {},
      'CONNECTOR_USES_BASIC_AUTHENTICATION',
      'The API connector Sign-up (c-1) authenticates with a user name and password, not with a certificate.',
      'To switch it to this certificate, set replace: true. The API has to accept the certificate before that: verify-target: true asks it.',
    ],
    [
      'something unknown',
      connectorWith('unknown'),
      {},
      'CONNECTOR_AUTHENTICATION_UNKNOWN',
      'Microsoft Graph describes in a way that is not understood what the API connector Sign-up (c-1) authenticates with.',
      'Look at it in the portal, under API connectors. To overwrite what is there with this certificate, set replace: true.',
    ],
    ['a gap until tomorrow', connectorWith([expired]), later, 'CERTIFICATE_NOT_YET_VALID', NOTHING_ACTIVE, REMEDY],
    ['a gap for nothing', connectorWith('none'), replaceLater, 'CERTIFICATE_NOT_YET_VALID', NOTHING_ACTIVE, REMEDY],
    [
      'a gap, all else gone',
      connectorWith([expired]),
      replaceLater,
      'CERTIFICATE_NOT_YET_VALID',
      NOTHING_ACTIVE,
      REMEDY,
    ],
    ['the one in use gone', connectorWith([old]), replaceLater, 'CERTIFICATE_NOT_YET_VALID', TAKEN_AWAY, REMEDY],
    ['the password gone', connectorWith('basic'), replaceLater, 'CERTIFICATE_NOT_YET_VALID', TAKEN_AWAY, REMEDY],
    ['the unknown gone', connectorWith('unknown'), replaceLater, 'CERTIFICATE_NOT_YET_VALID', TAKEN_AWAY, REMEDY],
  ])('%s', async (_, before, options, code, message, remedy) => {
    const { outcome, requests } = await update(before, options);
    expect(outcome).toMatchObject({
      before,
      connector: before,
      warnings: [],
      result: 'failed',
      failure: { code, message: `${message} Nothing was changed.`, remedy },
    });
    expect(requests).toEqual([]);
  });

  test.each([
    ['without another', 'none'],
    ['next to another', [old]],
  ] as const)('not a certificate that becomes valid at this very second, %s', async (_, authentication) => {
    const { outcome } = await update(connectorWith(authentication), { certificate: valid, dryRun: true });
    expect([outcome.result, outcome.warnings]).toEqual(['would-change', []]);
  });
});

describe('dates that are worth a warning', () => {
  const STARTS = `The API connector Sign-up uses the new certificate from ${TOMORROW} only, when that becomes valid;`;
  const until = (notAfter: string): Connector => connectorWith([held(OLD, notAfter)]);

  test.each<[string, Connector, ClientCertificate, readonly string[]]>([
    [
      'it becomes valid while the other still is',
      until('2026-03-02T12:00:00Z'),
      future,
      [`${STARTS} the one that it uses now expires on 2026-03-02T12:00:00Z.`],
    ],
    [
      'it becomes valid after the other expired',
      until('2026-03-02T11:59:59Z'),
      future,
      [
        `${STARTS} the one that it uses now expires on 2026-03-02T11:59:59Z. From 2026-03-02T11:59:59Z to ${TOMORROW} it has no valid certificate, and sign-ups fail.`,
      ],
    ],
    ['it expires as late as the other', until('2027-02-01T00:00:00Z'), certificate, []],
    [
      'it expires sooner than the last of the others',
      connectorWith([
        held(OLD, '2027-03-01T00:00:00Z'),
        held(OTHER, '2028-01-01T00:00:00Z', { isActive: false }),
        held('C'.repeat(40), 'soon', { isActive: false }),
      ]),
      certificate,
      [
        'The new certificate expires on 2027-02-01T00:00:00Z, sooner than one that the API connector Sign-up has now (2028-01-01T00:00:00Z). Is it the right file?',
      ],
    ],
    ['the other has a date that cannot be read', until('soon'), certificate, []],
    [
      'it becomes valid after the one in use has expired, while another one is valid',
      connectorWith([held(OLD, '2026-03-02T00:00:00Z'), held(OTHER, '2026-03-03T00:00:00Z', { isActive: false })]),
      future,
      [`${STARTS} the one that it uses now expires on 2026-03-02T00:00:00Z.`],
    ],
    [
      'it becomes valid after both have expired',
      connectorWith([
        held(OTHER, '2026-03-02T06:00:00Z', { isActive: false }),
        held(OLD, '2026-03-02T00:00:00Z'),
        held('C'.repeat(40), 'soon', { isActive: false }),
      ]),
      future,
      [
        `${STARTS} the one that it uses now expires on 2026-03-02T00:00:00Z. From 2026-03-02T06:00:00Z to ${TOMORROW} it has no valid certificate, and sign-ups fail.`,
      ],
    ],
    [
      'another one becomes valid before it',
      connectorWith([
        held(OLD, '2026-03-02T00:00:00Z'),
        held(OTHER, '2026-12-01T00:00:00Z', { isActive: false, notBefore: Date.parse('2026-03-02T06:00:00Z') / 1000 }),
      ]),
      future,
      [
        `${STARTS} the one that it uses now expires on 2026-03-02T00:00:00Z. From 2026-03-02T00:00:00Z to 2026-03-02T06:00:00Z it has no valid certificate, and sign-ups fail.`,
      ],
    ],
    [
      'one with its dates and another thumbprint is there',
      connectorWith(['C', 'D', 'E', 'F'].map((digit) => heldNew(certificate, { thumbprint: digit.repeat(40) }))),
      certificate,
      [
        `The API connector Sign-up has a certificate with the same two dates and another thumbprint (${['C', 'D', 'E'].map((digit) => digit.repeat(40)).join(', ')} and 1 more). If that is this one, uploaded before, the service shows a thumbprint that nobody knows, and each run uploads it again.`,
      ],
    ],
  ])('%s', async (_, before, own, warnings) => {
    const { outcome } = await update(before, { certificate: own, dryRun: true });
    expect([outcome.result, outcome.warnings]).toEqual(['would-change', warnings]);
  });

  test('the certificate itself is none of the others', async () => {
    const later = heldNew(certificate, { notAfter: 9e9 });
    expect((await update(connectorWith([later]), { force: true, dryRun: true })).outcome.warnings).toEqual([]);
    const twin = heldNew(certificate, { thumbprint: 'C'.repeat(40) });
    const both = connectorWith([heldNew(certificate), twin]);
    expect((await update(both, { force: true, dryRun: true })).outcome.warnings).toEqual([]);
  });

  test('after the upload: from when on the service uses it', async () => {
    const uploaded = sent(connectorWith([old, heldNew(future, { isActive: false })]));
    const { outcome } = await update(connectorWith([old]), { certificate: future, answers: [uploaded] });
    expect(outcome).toMatchObject({
      text: `uploaded; the service will use it from ${TOMORROW}, when it becomes valid.`,
      warnings: [`${STARTS} the one that it uses now expires on 2026-06-01T00:00:00Z.`],
    });
  });
});

describe('verify-target', () => {
  const asking = (reply: () => string | undefined) => {
    const asked: string[] = [];
    const verifyTarget = async (url: string): Promise<string | undefined> => {
      asked.push(url);
      return Promise.resolve(reply());
    };
    return { asked, verifyTarget };
  };
  const fails = (failure: Failure) => () => {
    throw failure;
  };

  test('the target is asked before the change; its warning stands with the others', async () => {
    const { asked, verifyTarget } = asking(() => 'It does not seem to check.');
    const { outcome, requests } = await update(connectorWith([old]), { verifyTarget, answers: [now({})] });
    expect([asked, requests]).toEqual([['https://api.example/sign-up'], ['POST']]);
    expect(outcome).toMatchObject({ result: 'changed', warnings: ['It does not seem to check.'] });
  });

  test('not if there is nothing to change, or nothing that could work', async () => {
    const { asked, verifyTarget } = asking(() => undefined);
    await update(connectorWith([heldNew(certificate)]), { verifyTarget });
    await update(connectorWith('basic'), { verifyTarget });
    expect(asked).toEqual([]);
  });

  test('a target that rejects the certificate: no request', async () => {
    const failure = new Failure('TARGET_REFUSES_CERTIFICATE', 'It says no.', 'Do this.');
    const { outcome, requests } = await update(connectorWith([old]), asking(fails(failure)));
    expect(outcome).toMatchObject({ result: 'failed', failure });
    expect(requests).toEqual([]);
  });

  test('a job that is cancelled meanwhile: that nothing was being changed', async () => {
    const { outcome } = await update(connectorWith([old]), asking(fails(CANCELLED)));
    expect(outcome).toMatchObject({ failure: { message: 'The job was cancelled. No upload was under way.' } });
  });
});

describe('an upload that fails', () => {
  test('keeps the warnings that there were, and the connector as it was read', async () => {
    const before = connectorWith([held(OLD, '2028-01-01T00:00:00Z')]);
    const { outcome } = await update(before, { answers: [answer(403, { error: { code: 'no', message: 'no' } })] });
    expect(outcome).toMatchObject({ before, connector: before, failure: { code: 'GRAPH_FORBIDDEN' } });
    expect(outcome.warnings).toEqual([expect.stringContaining('Is it the right file?')]);
  });

  test('because the job was cancelled: not that none was under way', async () => {
    const { http, connectors } = online(() => cancelled(http));
    const upload = { certificate, pkcs12Value: 'cGZ4', password: 'pass' };
    const options = { force: false, replace: false, dryRun: false };
    const outcome = await updateConnector(connectors, { id: 'c-1', connector: connectorWith([old]) }, upload, options);
    expect(outcome).toMatchObject({ result: 'failed', failure: { code: 'CANCELLED' } });
    expect(outcome).not.toMatchObject({ failure: { message: expect.stringContaining('No upload was under way') } });
  });
});
