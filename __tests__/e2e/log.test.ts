/** The whole log of each step, as a person reads it. */
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clientCertificate, type ClientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL, VAULT } from '../../emulator/emulator.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { PRODUCT } from '../../src/version.ts';
import { addExpiring, iso, PASSWORD, runStep, titles } from './step.ts';

const DAY = 86_400;
const HEADING = PRODUCT.replace('/', ' ');
const SIGN_IN = `Signed in to ${GLOBAL.tenantId} as the application ${GLOBAL.clientId}.`;
const OLD = 'A'.repeat(40);

let emulator: Emulator;
let certificate: ClientCertificate;
let temp: string;
beforeAll(async () => {
  certificate = await clientCertificate();
});
beforeEach(async () => {
  emulator = await Emulator.start();
  temp = mkdtempSync(join(tmpdir(), 'log-'));
});
afterEach(async () => {
  await emulator.stop();
  rmSync(temp, { recursive: true });
});

/** When its only certificate expires. */
function add(id: string, daysLeft: number): string {
  return iso(addExpiring(emulator, id, daysLeft, OLD));
}

function expectLog({ log, exitCode }: RunResult, ...lines: readonly string[]): void {
  expect(log.trimEnd().split(/\r?\n/)).toEqual([HEADING, ...lines]);
  expect(exitCode).toBe(0);
}

const described = (): string =>
  `Certificate ${certificate.thumbprint}, CN=api-connector: RSA 2048, valid from ${iso(certificate.notBefore)} to ${iso(certificate.notAfter)} (364 days left).`;
const trusts = (...thumbprints: readonly string[]): string =>
  `The API has to accept from now on: ${thumbprints.toSorted().join(', ')}.`;

test('upload', async () => {
  add('a1', 20);
  add('a2', 20);
  const pfx = pfxOf(certificate, PASSWORD, 'aes256').toString('base64');
  expectLog(
    await runStep(emulator, { pfx, 'connector-id': 'a1\na2' }),
    '▼ Certificate',
    described(),
    'Written again as TripleDES-SHA1, which the service accepts (it was AES-256); key, certificate and password are unchanged.',
    '▼ Sign-in',
    SIGN_IN,
    trusts(OLD, certificate.thumbprint),
    '[1/2] API connector Connector a1: uploaded; the connector uses this certificate now.',
    '[2/2] API connector Connector a2: uploaded; the connector uses this certificate now.',
    '✅ 2 connectors updated.',
  );
});

test('what is odd about a certificate, and about a connector, has a heading of its own', async () => {
  add('a1', 800);
  const future = await clientCertificate({ notBefore: new Date(Date.now() + 9 * DAY * 1000) });
  const pfx = pfxOf(future, PASSWORD).toString('base64');
  const result = await runStep(emulator, { pfx, 'connector-id': 'a1' });
  expect(new Set(titles(result))).toEqual(new Set(['warning Certificate', 'warning API connector']));
});

test('upload out of a vault', async () => {
  const { version } = emulator.addVaultCertificate('connector', certificate);
  const result = await runStep(emulator, {
    'key-vault-certificate': `https://${VAULT.name}.vault.azure.net/certificates/connector`,
    'key-vault-client-id': VAULT.clientId,
    password: '',
  });
  // Which of the two sign-ins is over first is not certain.
  const signIns = [
    SIGN_IN,
    `Signed in to ${VAULT.tenantId} as the application ${VAULT.clientId} for Azure Key Vault.`,
  ].sort((a, b) => result.log.indexOf(a) - result.log.indexOf(b));
  expectLog(
    result,
    '▼ Key vault and sign-in',
    ...signIns,
    '▼ Certificate',
    described(),
    `Read from the key vault ${VAULT.name}, certificate connector, version ${version}.`,
    'The .pfx is TripleDES-SHA1 already, which the service accepts. It is written again all the same, so that nothing else in it is sent; key, certificate and password are unchanged.',
    trusts(certificate.thumbprint),
    'API connector Verify sign-up: uploaded; the connector uses this certificate now.',
    '✅ 1 connector updated.',
  );
});

test('check', async () => {
  const [first, second] = [add('a1', 200), add('a2', 20)];
  const result = await runStep(emulator, { 'connector-id': 'a1\na2' }, { actionFile: 'check/action.yml' });
  const warning = `API connector Connector a2: its active certificate has 20 days left (${OLD}, until ${second}).`;
  expectLog(
    result,
    '▼ Sign-in',
    SIGN_IN,
    `API connector Connector a1: its active certificate has 200 days left (${OLD}, until ${first}).`,
    warning,
    `Warning: ${warning}`,
  );
  expect(titles(result)).toEqual(['warning API connector']);
});

test('create, and what follows it at the end of the job', async () => {
  const [first, second] = [add('a1', 200), add('a2', 20)];
  const options = { actionFile: 'create/action.yml', temp };
  const result = await runStep(emulator, { 'connector-id': 'a1\na2' }, options);
  const { thumbprint = '', 'not-before': notBefore = '', 'not-after': notAfter = '' } = result.outputs;
  expectLog(
    result,
    '▼ Sign-in',
    SIGN_IN,
    `API connector Connector a1: its active certificate has 200 days left (${OLD}, until ${first}).`,
    `API connector Connector a2: its active certificate has 20 days left (${OLD}, until ${second}). A new one is due.`,
    `New certificate ${thumbprint}: RSA 2048, valid from ${notBefore} to ${notAfter}.`,
    trusts(OLD, thumbprint),
  );
  expectLog(
    await runStep(emulator, {}, { ...options, post: { state: result.state } }),
    'The file with the new certificate and its private key is removed.',
  );
});

test('create where nothing is due, and what follows it', async () => {
  const until = add('a1', 200);
  const options = { actionFile: 'create/action.yml', temp };
  const result = await runStep(emulator, { 'connector-id': 'a1' }, options);
  expectLog(
    result,
    '▼ Sign-in',
    SIGN_IN,
    `API connector Connector a1: its active certificate has 200 days left (${OLD}, until ${until}).`,
    trusts(OLD),
  );
  expectLog(
    await runStep(emulator, {}, { ...options, post: { state: result.state } }),
    'No certificate was made, so there is no file to remove.',
  );
});

test.each(['check', 'create'])('%s without a permission: the one it needs is the one to read', async (step) => {
  emulator.registerApp({ roles: [] });
  const { log } = await runStep(emulator, { 'connector-id': 'a1' }, { actionFile: `${step}/action.yml`, temp });
  expect(log).toContain('APIConnectors.Read.All');
  expect(log).not.toContain('APIConnectors.ReadWrite.All');
});
