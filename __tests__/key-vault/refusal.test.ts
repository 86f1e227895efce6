/** What each refusal of a key vault means, in the words that a user reads, and whether another attempt helps. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Failure, type FailureCode } from '../../src/failure.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import type { VaultSource } from '../../src/key-vault/address.ts';
import {
  explainContent,
  explainGraphSignIn,
  explainSignIn,
  explainVault,
  explainVaultTransport,
  notACertificate,
  withoutTenant,
  type VaultRequest,
} from '../../src/key-vault/refusal.ts';
import { explainEntra } from '../../src/sign-in/entra-refusal.ts';
import { cloudByName, loginCommands, vaultIn } from '../../src/sign-in/application.ts';
import { answer } from '../scripted-http.ts';
import { error, ONE_VERSION, SOURCE, TENANT, VERSION } from './scripted-vault.ts';

const ASKED: VaultRequest = { vault: vaultIn(SOURCE.application.cloud, 'contoso'), source: SOURCE, tenantId: TENANT };
const ASKED_FOR_VERSION: VaultRequest = { ...ASKED, source: ONE_VERSION };
const CLIENT = SOURCE.application.clientId;
const CHINA = cloudByName('china');
const HOST = 'contoso.vault.azure.net';
const OTHER = '99999999-8888-4777-8666-555555555555';
const DATE = 'Tue, 03 Feb 2026 04:05:06 GMT';
const ISO = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;
const HEADERS = { 'x-ms-request-id': 'the-request', date: DATE };
const LOGIN = `${loginCommands(SOURCE.application.cloud, TENANT)}\n`;
const LOGIN_ANYWHERE = `${loginCommands(SOURCE.application.cloud, undefined)}\n`;
const READ_FROM = { source: SOURCE, tenantId: TENANT };
const SHOW_POLICY =
  'az keyvault certificate show --vault-name contoso --name connector --query policy --output json > policy.json';

const explained = (status: number, body: unknown, asked = ASKED) =>
  explainVault(answer(status, body, HEADERS), asked, 1);

/** The message of a refusal with HTTP 403, an inner code and {@link HEADERS}. */
const message = (what: string, code: string, subject = 'key vault contoso, certificate connector'): string =>
  `${what} (${subject}): Because (HTTP 403, ${code}, Outer, x-ms-request-id the-request, ${DATE}).`;

describe('what a code means', () => {
  const NO_ROLE = `The application ${CLIENT} has no role that lets it read this`;
  const roleRemedy = (
    assignee = `--assignee ${CLIENT}`,
    scope = '$(az keyvault show --name contoso --query id --output tsv)',
  ): string =>
    `A role that was just assigned takes some minutes to work: then run the job again. To assign it:\n${LOGIN}az role assignment create --role "Key Vault Secrets User" ${assignee} --scope "${scope}"\nIt reads every secret of the vault: a vault of its own is best.`;
  const NO_POLICY = `No access policy lets the application ${CLIENT} get secrets`;
  const policyRemedy = (who = `--spn ${CLIENT}`): string =>
    `The vault uses access policies, not roles. Reading a certificate with its key needs the secret permission get:\n${LOGIN}az keyvault set-policy --name contoso ${who} --secret-permissions get`;
  const firewallRemedy = (address: string): string =>
    `Runners that GitHub hosts have another address each time: a rule for this one does not last. Run on a runner in a network that the vault lets in (self-hosted, or a larger runner with a static address or in a virtual network of yours). For a runner whose address stays:\n${LOGIN}az keyvault network-rule add --name contoso --ip-address ${address}`;
  const NOT_FOUND = `Check key-vault-certificate. What the vault has, and what was deleted and can be recovered (soft-delete keeps it for 7 to 90 days):\n${LOGIN}az keyvault certificate list --vault-name contoso --query "[].id" --output tsv &&\naz keyvault certificate list-deleted --vault-name contoso --query "[].id" --output tsv\nIf it was deleted, this recovers it:\naz keyvault certificate recover --vault-name contoso --name connector`;
  const disabledRemedy = (version: string): string =>
    `An older version is not taken in its place. Which versions there are, and which of them are enabled:\n${LOGIN}az keyvault certificate list-versions --vault-name contoso --name connector --query "[].{id:id,enabled:attributes.enabled,created:attributes.created}" --output table\nMake a new version, or name another one in key-vault-certificate (/certificates/connector/VERSION). If this one was disabled because its key leaked, leave it disabled. Otherwise this enables it again:\naz keyvault certificate set-attributes --vault-name contoso --name connector${version} --enabled true`;
  const THROTTLED =
    'Run the job again later. If it goes on: other jobs or programs ask the vault contoso too often; give the certificates a vault of their own, and a matrix of jobs max-parallel.';

  test.each([
    ['ForbiddenByRbac', 'KEY_VAULT_ROLE_MISSING', NO_ROLE, roleRemedy()],
    ...['ForbiddenByPolicy', 'AccessDenied'].map((code) => [
      code,
      'KEY_VAULT_ACCESS_POLICY_MISSING',
      NO_POLICY,
      policyRemedy(),
    ]),
    [
      'ForbiddenByFirewall',
      'KEY_VAULT_FIREWALL',
      'The firewall of the key vault does not let this runner in',
      firewallRemedy('ADDRESS'),
    ],
    [
      'ForbiddenByConnection',
      'KEY_VAULT_PUBLIC_ACCESS_OFF',
      'The key vault is closed to public networks',
      `Run on a runner in a network with a private endpoint of the vault. Or open the vault, and let its firewall name who may come in:\n${LOGIN}az keyvault update --name contoso --public-network-access Enabled --default-action Deny`,
    ],
    [
      'SecretDisabled',
      'KEY_VAULT_CERTIFICATE_DISABLED',
      'The latest version of the certificate is disabled',
      disabledRemedy(''),
    ],
    ...['SecretNotFound', 'CertificateNotFound'].map((code) => [
      code,
      'KEY_VAULT_CERTIFICATE_NOT_FOUND',
      'The key vault has no such certificate',
      NOT_FOUND,
    ]),
    ['Throttled', 'THROTTLED', 'The key vault is asked for too much at once', THROTTLED],
    [
      'SomethingNew',
      'KEY_VAULT_REFUSED',
      'The key vault refused',
      `Look the code up at https://learn.microsoft.com/azure/key-vault/general/rest-error-codes. With the x-ms-request-id, Microsoft's support finds the request. Whether somebody else can read it:\n${LOGIN}az keyvault secret show --vault-name contoso --name connector --query contentType`,
    ],
  ])('%s is %s', (inner = '', code = '', what = '', remedy = '') => {
    const { failure, retry, retryAfter } = explained(403, error(inner));
    expect(failure).toMatchObject({ code, message: message(what, inner), remedy });
    expect({ retry, retryAfter }).toEqual({ retry: inner === 'Throttled' ? 'yes' : 'no', retryAfter: undefined });
  });

  test.each([
    ['SecretDisabled', 'This version of the certificate is disabled', disabledRemedy(` --version ${VERSION}`)],
    ['SecretNotFound', 'The key vault has no such certificate, or not this version of it', NOT_FOUND],
  ])('%s of one version names it', (code, what, remedy) => {
    const subject = `key vault contoso, certificate connector, version ${VERSION}`;
    expect(explained(403, error(code), ASKED_FOR_VERSION).failure).toMatchObject({
      message: message(what, code, subject),
      remedy,
    });
  });

  test.each([
    ['is no other', undefined],
    ['is one that is not known', { code: 'Unknown' }],
  ])('the code of the outermost error counts if there %s', (_what, innererror) => {
    const body = { error: { code: 'ForbiddenByPolicy', message: 'x', innererror } };
    expect(explained(403, body).failure.code).toBe('KEY_VAULT_ACCESS_POLICY_MISSING');
  });

  const VAULT = `/subscriptions/${OTHER}/resourceGroups/rg_1.(x)-2/providers/Microsoft.KeyVault/vaults/contoso`;
  const CALLER = `Caller: appid=${CLIENT};oid=${OTHER};iss=https://sts.windows.net/${TENANT}/`;
  const OBJECT = `--assignee-object-id ${OTHER} --assignee-principal-type ServicePrincipal`;

  test.each([
    ['the caller', CALLER, roleRemedy(OBJECT)],
    ['the vault', `Resource: '${VAULT}'`, roleRemedy(undefined, VAULT)],
    ['the vault with a secret', `Resource: ${VAULT}/secrets/connector`, roleRemedy(undefined, VAULT)],
    ['the vault in double quotes', `"${VAULT}"`, roleRemedy(undefined, VAULT)],
    ['the vault before other words', `${VAULT} x`, roleRemedy(undefined, VAULT)],
    ['the vault at the end', VAULT, roleRemedy(undefined, VAULT)],
    ['all of them', `Not authorized.\r\n${CALLER}\r\nResource: '${VAULT}/secrets/x'\r\n`, roleRemedy(OBJECT, VAULT)],
    ['a caller in upper case', `OID=${OTHER}`, roleRemedy(OBJECT)],
    ['another id', `void=${OTHER}`, roleRemedy()],
    ['a caller that goes on', `oid=${OTHER}0`, roleRemedy()],
    ['a vault with what a shell would run', `${VAULT.replace('rg_1', '$(id)')} x`, roleRemedy()],
    ['a vault with what a shell would run behind it', `${VAULT}$(id)`, roleRemedy()],
    ['a vault without a subscription', VAULT.replace(OTHER, 'x'), roleRemedy()],
  ])('the message of a missing role names %s', (_what, said, remedy) => {
    expect(explained(403, error('ForbiddenByRbac', said)).failure.remedy).toBe(remedy);
  });

  test.each([
    ['the caller', CALLER, policyRemedy(`--object-id ${OTHER}`)],
    ['nobody', 'x', policyRemedy()],
  ])('the message of a missing access policy names %s', (_what, said, remedy) => {
    expect(explained(403, error('AccessDenied', said)).failure.remedy).toBe(remedy);
  });

  test.each([
    ['20.1.2.3', '20.1.2.3'],
    ['2001:db8::1', '2001:db8::1'],
    ['20.1.2.3\r\nCaller: x', '20.1.2.3'],
    ['20.1.2.3.', '20.1.2.3'],
    ['20.1.2.3:4711', '20.1.2.3'],
    ['::ffff:20.1.2.3', '20.1.2.3'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['2001:db8::.', '2001:db8::'],
    ['20.1.2', undefined],
    ['$(id)', undefined],
  ])('the firewall names the address %j', (said, address) => {
    const who = address === undefined ? 'this runner' : `the address ${address}`;
    for (const name of ['Client address', 'client address']) {
      const { failure } = explained(403, error('ForbiddenByFirewall', `Not authorized.\r\n${name}: ${said}`));
      expect(failure.message).toMatch(new RegExp(`^The firewall of the key vault does not let ${who} in \\(`));
      expect(failure.remedy).toBe(firewallRemedy(address ?? 'ADDRESS'));
    }
  });

  test.each([
    ['ForbiddenByFirewall', 'KEY_VAULT_FIREWALL', '20.1.2.3'],
    [undefined, 'KEY_VAULT_FIREWALL', '20.1.2.3'],
  ])('it may name the address in brackets, in the sentence itself (inner code %s)', (inner, code, address) => {
    const body = error(inner, `Client address (${address}) is not authorized and caller is not a trusted service`);
    const { failure } = explained(403, body);
    expect(failure.code).toBe(code);
    expect(failure.remedy).toBe(firewallRemedy(address));
  });

  test.each([
    ['Client address is not authorized and caller is not a trusted service.', 'KEY_VAULT_FIREWALL'],
    ['Public network access is disabled and request is not from a trusted service.', 'KEY_VAULT_PUBLIC_ACCESS_OFF'],
    ['Caller is not authorized to perform action on resource.', 'KEY_VAULT_ROLE_MISSING'],
    [
      "The user, group or application 'x' does not have secrets get permission on key vault 'y'",
      'KEY_VAULT_ACCESS_POLICY_MISSING',
    ],
    ['Operation get is not allowed on a disabled secret.', 'KEY_VAULT_CERTIFICATE_DISABLED'],
    ['Something else.', 'KEY_VAULT_REFUSED'],
  ])('without an inner code the message says it: %s', (said, code) => {
    const body = { error: { code: 'Forbidden', message: said } };
    expect(explained(403, body).failure.code).toBe(code);
    expect(explained(400, body).failure.code).toBe('KEY_VAULT_REFUSED');
    expect(explained(403, error('ForbiddenByPolicy', said)).failure.code).toBe('KEY_VAULT_ACCESS_POLICY_MISSING');
  });

  test('what is beyond 4000 characters of a message does not count', () => {
    const remedyFor = (length: number): string =>
      explained(403, error('ForbiddenByRbac', `${' '.repeat(length)}oid=${OTHER}`)).failure.remedy;
    expect(remedyFor(4000 - `oid=${OTHER}`.length)).toBe(roleRemedy(OBJECT));
    expect(remedyFor(4000)).toBe(roleRemedy());
  });

  test('before the tenant is known the sign-in names none', () => {
    const { remedy } = explained(403, error('AccessDenied'), { vault: ASKED.vault, source: SOURCE }).failure;
    expect(remedy).toBe(policyRemedy().replace(LOGIN, LOGIN_ANYWHERE));
  });

  test('in China the commands are for the cloud there', () => {
    const source = { ...SOURCE, application: { ...SOURCE.application, cloud: CHINA } };
    const { remedy } = explained(403, error('AccessDenied'), { ...ASKED, source }).failure;
    expect(remedy).toBe(policyRemedy().replace('AzureCloud', 'AzureChinaCloud'));
  });
});

describe('a vault of another tenant', () => {
  const issuer = (tenant: string): string => `https://sts.windows.net/${tenant}/`;
  const remedy = (login: string): string =>
    `Set key-vault-client-id to an app registration in the vault's tenant. A vault that was moved to another tenant still belongs to the old one until somebody changes it: https://learn.microsoft.com/azure/key-vault/general/move-subscription. This shows which one:\n${login}\naz keyvault show --name contoso --query properties.tenantId --output tsv`;
  const anonymous = remedy(loginCommands(SOURCE.application.cloud, undefined));

  test.each([
    [`AKV10032: Invalid issuer. Expected one of ${issuer(OTHER)}, found ${issuer(TENANT)}.`, true],
    [`Invalid issuer. Expected one of ${issuer(OTHER)}`, true],
    ['AKV10032: No.', false],
    [`AKV10032: expected one of ${issuer('x')}, found ${issuer(OTHER)}`, false],
    [`AKV10032: expected one of ${issuer(`${OTHER}0`)}`, false],
  ])('%s', (said, known) => {
    const { failure, retry } = explained(401, error('Unauthorized', said));
    const owner = known ? `the tenant ${OTHER}` : 'another tenant';
    expect(failure).toMatchObject({
      code: 'KEY_VAULT_OF_ANOTHER_TENANT',
      message: expect.stringContaining(`The key vault belongs to ${owner}, not to ${TENANT} (key vault contoso, `),
      remedy: known ? remedy(LOGIN.replace(TENANT, OTHER).trimEnd()) : anonymous,
    });
    expect(retry).toBe('no');
  });

  test('before the tenant is known none is named', () => {
    const asked = { vault: ASKED.vault, source: SOURCE };
    expect(explained(401, error('Unauthorized', 'AKV10032'), asked).failure.message).toContain(
      'belongs to another tenant, not to the one signed in to (',
    );
  });

  test.each([
    [401, 'AKV10022: Invalid audience.'],
    [403, 'AKV10032: Invalid issuer.'],
  ])('is not what HTTP %d with %j means', (status, said) => {
    expect(explained(status, error('x', said)).failure.code).toBe('KEY_VAULT_REFUSED');
  });
});

describe('what a status means', () => {
  const AGAIN = 'Run the job again; see https://status.cloud.microsoft.';

  test.each([
    [200, 'SERVICE_UNAVAILABLE', 'The key vault answered without the secret', 'yes', AGAIN],
    [204, 'KEY_VAULT_REFUSED', 'The key vault refused', 'no', undefined],
    [400, 'KEY_VAULT_REFUSED', 'The key vault refused', 'no', undefined],
    [401, 'KEY_VAULT_REFUSED', 'The key vault refused', 'no', undefined],
    [403, 'KEY_VAULT_REFUSED', 'The key vault refused', 'no', undefined],
    [404, 'KEY_VAULT_CERTIFICATE_NOT_FOUND', 'The key vault has no such certificate', 'no', undefined],
    [408, 'SERVICE_UNAVAILABLE', 'The key vault could not answer', 'yes', AGAIN],
    [429, 'THROTTLED', 'The key vault is asked for too much at once', 'yes', undefined],
    [500, 'SERVICE_UNAVAILABLE', 'The key vault could not answer', 'yes', AGAIN],
    [503, 'SERVICE_UNAVAILABLE', 'The key vault could not answer', 'yes', AGAIN],
  ])('HTTP %d is %s', (status, code, what, retry, remedy) => {
    const verdict = explained(status, error('x'));
    const said = `${what} (key vault contoso, certificate connector): Because (HTTP ${status}, x, Outer, x-ms-request-id the-request, ${DATE}).`;
    expect(verdict.failure).toMatchObject({ code, message: said, ...(remedy === undefined ? {} : { remedy }) });
    expect(verdict.retry).toBe(retry);
  });

  test.each([
    [1, {}, 1000],
    [4, {}, 8000],
    [1, { 'retry-after': '7' }, 7000],
  ])('HTTP 429 to request %d with the headers %j waits %d ms at least', (n, headers, wait) => {
    expect(explainVault(answer(429, '', headers), ASKED, n).retryAfter).toBe(wait);
  });

  test('HTTP 503 waits as long as it asks for', () => {
    const wait = (headers: Record<string, string>) => explainVault(answer(503, '', headers), ASKED, 4).retryAfter;
    expect([wait({}), wait({ 'retry-after': '7' })]).toEqual([undefined, 7000]);
  });
});

describe('something that answers in place of the vault', () => {
  const PAGE = '<!DOCTYPE html><title>Sign in</title>';

  test('a redirect is not followed, whatever its body says', () => {
    const { failure, retry } = explained(302, error('Throttled'));
    expect(retry).toBe('no');
    expect(failure).toMatchObject({
      code: 'REDIRECTED',
      message: expect.stringContaining(`In place of the key vault ${HOST} a redirect answered (HTTP 302, `),
    });
  });

  test.each([200, 403, 404])('a web page with HTTP %d is named, and what has to let the vault pass', (status) => {
    const { failure, retry } = explained(status, PAGE);
    expect(retry).toBe('no');
    expect(failure).toMatchObject({
      code: 'INTERCEPTED',
      message: `Not the key vault ${HOST} but something on the way to it answered: a web page, titled Sign in (HTTP ${status}, ${DATE}).`,
      remedy: `Let the firewall, web filter or proxy of your network pass ${HOST} unchanged, without a sign-in page.`,
    });
  });

  test.each([
    [429, 'THROTTLED'],
    [503, 'SERVICE_UNAVAILABLE'],
  ])("a gateway's page with HTTP %d may pass", (status, code) => {
    expect(explained(status, PAGE)).toMatchObject({ failure: { code }, retry: 'yes' });
  });

  test('a challenge that was taken away', () => {
    const { failure, retry } = withoutTenant(answer(401, error('x'), HEADERS), ASKED);
    expect(retry).toBe('no');
    expect(failure).toMatchObject({
      code: 'KEY_VAULT_REFUSED',
      message: `The key vault does not say in WWW-Authenticate which tenant it belongs to (key vault contoso, certificate connector): Because (HTTP 401, x, Outer, x-ms-request-id the-request, ${DATE}).`,
      remedy:
        'Something between the runner and the vault may take headers away, such as a proxy that inspects TLS: let the vault pass unchanged.',
    });
  });
});

describe('the words of a refusal', () => {
  const words = (body: unknown, headers: Record<string, string> = {}): string =>
    explainVault(answer(400, body, headers), ASKED, 1).failure.message;
  const REFUSED = 'The key vault refused (key vault contoso, certificate connector)';

  test.each<[string, unknown]>([
    ['nothing', ''],
    ['no JSON', '{"error":'],
    ['null', 'null'],
    ['a list', '[]'],
    ['no error', {}],
    ['an error that is null', { error: null }],
    ['an error without anything', { error: { innererror: null } }],
    ['what is no text', { error: { code: 5, message: ['a'] } }],
  ])('of a body with %s are those of the headers', (_what, body) => {
    expect(words(body, HEADERS)).toBe(`${REFUSED} (HTTP 400, x-ms-request-id the-request, ${DATE}).`);
  });

  test('without any header have the status and the time', () => {
    expect(words('')).toMatch(new RegExp(`certificate connector\\) \\(HTTP 400, ${ISO}\\)\\.$`));
  });

  test.each([
    ['One. Two.', 'One. Two'],
    ['No full stop', 'No full stop'],
    ['\u001b[31mRed\r\nand two lines.', 'Red and two lines'],
    ['m'.repeat(310), `${'m'.repeat(300)}…`],
  ])('of the message %j are %j', (said, shown) => {
    expect(words(error('x', said))).toContain(`connector): ${shown} (HTTP 400, x, Outer, `);
  });

  test('of an id that is long are cut, and other ids are shown too', () => {
    const headers = { ...HEADERS, 'x-ms-request-id': 'i'.repeat(70), 'request-id': 'another' };
    expect(words('', headers)).toBe(
      `${REFUSED} (HTTP 400, x-ms-request-id ${'i'.repeat(64)}…, request-id another, ${DATE}).`,
    );
  });
});

describe('a request without a response', () => {
  const said = (text: string, asked: VaultRequest = ASKED) =>
    explainVaultTransport(new TransportError(text, false), asked);
  /** Before the vault has answered at all. */
  const FIRST: VaultRequest = { vault: ASKED.vault, source: SOURCE };

  const CHECK_NAME = `Check the name of the vault in key-vault-certificate. A deleted vault can be recovered; both lists, in the tenant of the vault:\n${LOGIN_ANYWHERE}az keyvault list --query "[].name" --output tsv &&\naz keyvault list-deleted --resource-type vault --query "[].name" --output tsv`;

  test('a name that does not resolve at first is: no such vault, which is tried for two seconds', () => {
    const why = `getaddrinfo ENOTFOUND ${HOST}`;
    const { failure, ...verdict } = said(why, FIRST);
    expect(verdict).toEqual({ retry: 'yes', within: 2000 });
    expect(failure).toMatchObject({
      code: 'KEY_VAULT_NOT_FOUND',
      remedy: `${CHECK_NAME}\nA vault with a private endpoint only has a name that runners outside of its network cannot resolve.`,
    });
    expect(failure.message.replace(new RegExp(`\\(${ISO}\\)`), '(NOW)')).toBe(
      `There seems to be no key vault ${HOST}: ${why} (NOW).`,
    );
    expect(failure.cause).toBeInstanceOf(TransportError);
  });

  test.each([502, 503, 504])('HTTP %d of a proxy at first: it is busy, or cannot resolve the name', (status) => {
    const { failure, ...verdict } = said(`Proxy response (${status}) !== 200`, FIRST);
    expect(verdict).toEqual({ retry: 'yes' });
    expect(failure).toMatchObject({
      code: 'PROXY_REFUSED',
      message: expect.stringContaining(`The proxy did not open the way to the key vault ${HOST}: HTTP ${status} (`),
      remedy: `Let the proxy pass CONNECT to port 443 of ${HOST}, or list it in NO_PROXY. It may also be that the proxy cannot resolve the name. ${CHECK_NAME}`,
    });
    expect(said(`Proxy response (${status}) !== 200`, ASKED).failure.remedy).not.toContain('resolve');
  });

  test.each<[string, string, VaultRequest, FailureCode]>([
    ['once the vault has answered', `getaddrinfo ENOTFOUND ${HOST}`, ASKED, 'NETWORK_UNREACHABLE'],
    ['once the vault has answered', 'Proxy response (503) !== 200', ASKED, 'PROXY_REFUSED'],
    ['of the proxy', 'getaddrinfo ENOTFOUND proxy.example', FIRST, 'NETWORK_UNREACHABLE'],
    ['that may pass', `getaddrinfo EAI_AGAIN ${HOST}`, FIRST, 'NETWORK_UNREACHABLE'],
    ['with another status', 'Proxy response (500) !== 200', FIRST, 'PROXY_REFUSED'],
  ])('a failure %s is no missing vault: %s', (_what, why, asked, code) => {
    expect(said(why, asked)).toMatchObject({ failure: { code }, retry: 'yes' });
    expect(said(why, asked).within).toBeUndefined();
  });

  test('a proxy that refuses: its remedy names the vault', () => {
    const { failure, retry } = said('Proxy response (403) !== 200');
    expect(retry).toBe('no');
    expect(failure).toMatchObject({
      code: 'PROXY_REFUSED',
      message: expect.stringContaining(`The proxy did not open the way to the key vault ${HOST}: HTTP 403 (`),
      remedy: `Let the proxy pass CONNECT to port 443 of ${HOST}, or list it in NO_PROXY.`,
    });
    expect(failure.cause).toBeInstanceOf(TransportError);
  });

  test('a response that is too large: its remedy is about the vault, not about connectors', () => {
    const { failure, retry } = said('the response is larger than 1000 bytes');
    expect(retry).toBe('no');
    expect(failure).toMatchObject({
      code: 'RESPONSE_TOO_LARGE',
      remedy: `No certificate of a key vault is that large: something in between, such as a web filter or a proxy, answers in its place. Let it pass ${HOST} unchanged.`,
    });
    expect(failure.cause).toBeInstanceOf(TransportError);
  });

  test.each([
    ['other side closed', 'NETWORK_UNREACHABLE', `the key vault ${HOST} did not answer: other side closed (`],
    ['CERT_HAS_EXPIRED', 'TLS_NOT_TRUSTED', `The TLS certificate presented for the key vault ${HOST} is not valid`],
  ])('%s is %s, as for any service', (why, code, words) => {
    const { failure } = said(why);
    expect(failure).toMatchObject({ code, message: expect.stringContaining(words) });
    expect(failure.remedy).not.toContain('CONNECT');
  });
});

describe('a sign-in that fails', () => {
  const ABOUT_APPLICATIONS = [
    70021, 700212, 7002138, 7002131, 70025, 700016, 7000229, 90002, 7000112, 500011, 500014, 53003, 999, 50166, 700024,
    7002381, 90033,
  ];
  const APPLICATION = { ...SOURCE.application, tenantId: TENANT };
  const refusal = (code: FailureCode): Failure => new Failure(code, 'Refused.', 'Do this.');
  const AS = `This was the sign-in to the key vault contoso, in its tenant ${TENANT}, as the application of`;
  const SAME: VaultSource = { ...SOURCE, sameApplication: true };

  test.each<[string, VaultSource, FailureCode, string, string]>([
    [
      'as an application of its own',
      SOURCE,
      'APPLICATION_NOT_FOUND',
      `Refused. ${AS} key-vault-client-id.`,
      `key-vault-client-id has to be the application (client) ID, not an object ID, of an app registration with a service principal in the vault's tenant:\n${LOGIN}az ad sp create --id ${CLIENT}`,
    ],
    [
      'as the application that uploads',
      SAME,
      'KEY_VAULT_OF_ANOTHER_TENANT',
      `Refused. ${AS} client-id, which is to read the vault too.`,
      `The vault is in another tenant than the API connectors, or client-id is wrong. In the vault's tenant it takes an app registration of its own, with a federated credential for this job and the role Key Vault Secrets User on the vault; key-vault-client-id has to be its application (client) ID. setup.sh does all of it (docs/setup.md):\nbash setup.sh --tenant TENANT_ID --repo OWNER/REPO --key-vault https://contoso.vault.azure.net/certificates/connector --vault-tenant ${TENANT}`,
    ],
  ])('%s that is not found', (_what, source, code, words, remedy) => {
    const error = refusal('APPLICATION_NOT_FOUND');
    expect(explainSignIn(error, APPLICATION, source)).toMatchObject({ code, message: words, remedy, cause: error });
  });

  test.each([
    [SOURCE, `${AS} key-vault-client-id.`],
    [SAME, `${AS} client-id, which is to read the vault too.`],
  ])('on account of its credentials: which one it was', (source, which) => {
    expect(explainSignIn(refusal('FEDERATED_CREDENTIAL_MISSING'), APPLICATION, source)).toMatchObject({
      code: 'FEDERATED_CREDENTIAL_MISSING',
      message: `Refused. ${which}`,
      remedy: 'Do this.',
    });
  });

  test.each([...ABOUT_APPLICATIONS])('AADSTS%d: which of the two it was', (aadsts) => {
    const response = answer(400, { error: 'invalid_client', error_codes: [aadsts] });
    const idToken = { jwt: '', issuer: 'https://issuer.example', subject: 'repo:a/b:environment:c', audience: 'x' };
    const { failure } = explainEntra(response, APPLICATION, idToken, ASKED.vault);
    expect((explainSignIn(failure, APPLICATION, SOURCE) as Failure).message).toContain(`${AS} key-vault-client-id.`);
    expect((explainGraphSignIn(failure, APPLICATION) as Failure).message).toContain('as the application of client-id.');
  });

  test.each([...ABOUT_APPLICATIONS])('AADSTS%d: no command stands twice in what helps', (aadsts) => {
    const response = answer(400, { error: 'invalid_client', error_codes: [aadsts] });
    const idToken = { jwt: '', issuer: 'https://issuer.example', subject: 'repo:a/b:environment:c', audience: 'x' };
    const { failure } = explainEntra(response, APPLICATION, idToken, ASKED.vault);
    for (const explained of [
      explainSignIn(failure, APPLICATION, SOURCE),
      explainSignIn(failure, APPLICATION, SAME),
      explainGraphSignIn(failure, APPLICATION),
    ]) {
      const lines = (explained as Failure).remedy.split('\n');
      expect(lines.filter((line, n) => lines.indexOf(line) !== n)).toEqual([]);
      // A line that announces commands has some behind it.
      for (const [n, line] of lines.entries()) if (/[^s]:$/.test(line)) expect(lines[n + 1]).toMatch(/^(az|bash) /);
    }
  });

  test.each([SOURCE, SAME])('an application that lacks only its service principal there gets it', (source) => {
    const response = answer(401, { error: 'invalid_client', error_codes: [7000229] });
    const idToken = { jwt: '', issuer: '', subject: '', audience: '' };
    const { failure } = explainEntra(response, APPLICATION, idToken, ASKED.vault);
    expect(explainSignIn(failure, APPLICATION, source)).toMatchObject({
      code: 'APPLICATION_NOT_FOUND',
      remedy: `Make it:\n${LOGIN}az ad sp create --id ${CLIENT}`,
    });
  });

  test.each([SOURCE, SAME])('in a tenant that there is not: the vault named it, not an input', (source) => {
    const error = refusal('TENANT_NOT_FOUND');
    expect(explainSignIn(error, APPLICATION, source)).toMatchObject({
      code: 'TENANT_NOT_FOUND',
      message: expect.stringMatching(new RegExp(`^Refused. ${AS} `)),
      remedy: `The vault contoso names this tenant itself, so tenant-id has nothing to do with it. Check key-vault-certificate and cloud. The tenant may have been deleted; a vault that was moved to another one has to be changed: https://learn.microsoft.com/azure/key-vault/general/move-subscription. Which one the vault belongs to:\n${LOGIN_ANYWHERE}az keyvault show --name contoso --query properties.tenantId --output tsv`,
      cause: error,
    });
  });

  test('whatever Entra answers about the vault, no remedy has the inputs of the connectors alone', () => {
    for (const aadsts of ABOUT_APPLICATIONS) {
      const response = answer(400, { error: 'invalid_client', error_codes: [aadsts] });
      const idToken = { jwt: '', issuer: '', subject: '', audience: '' };
      const { failure } = explainEntra(response, APPLICATION, idToken, ASKED.vault);
      const { remedy } = explainSignIn(failure, APPLICATION, SOURCE) as Failure;
      expect(remedy).not.toMatch(/(?<![\w-])client-id|[Cc]heck tenant-id/);
    }
  });

  test('to Graph: that it was this one', () => {
    const cloud = { ...APPLICATION, cloud: CHINA };
    expect(explainGraphSignIn(refusal('APPLICATION_NOT_FOUND'), cloud)).toMatchObject({
      code: 'APPLICATION_NOT_FOUND',
      message: `Refused. This was the sign-in to Microsoft Graph in the tenant ${TENANT}, as the application of client-id.`,
      remedy: 'Do this.',
    });
  });

  test.each([
    ['that had no response', refusal('NETWORK_UNREACHABLE')],
    ['by a fault of our own', new RangeError('a fault')],
  ])('%s is left as it is', (_why, error) => {
    expect(explainSignIn(error, APPLICATION, SOURCE)).toBe(error);
    expect(explainGraphSignIn(error, APPLICATION)).toBe(error);
  });
});

describe('a certificate that was read and does not fit', () => {
  const NOT_ONE = `What the key vault contoso has as connector (version ${VERSION}) is not one of its certificates`;
  const IMPORT = `Set key-vault-certificate to a certificate of the vault:\n${LOGIN}az keyvault certificate list --vault-name contoso --query "[].id" --output tsv\nA .pfx that was stored as an ordinary secret has to be imported as a certificate, which needs another name (and --password, if the file has one):\naz keyvault certificate import --vault-name contoso --name NAME --file cert.pfx`;
  const NEITHER = 'it is neither a PKCS#12 file nor PEM with a certificate and its private key';
  const NO_KEY = `The certificate connector in the key vault contoso (version ${VERSION}) comes without its private key: its policy does not let the key out.`;
  const WITH_KEY = `Make a version whose key is exportable. Of a policy that is not, no command changes it; make a new one from this (a key in an HSM cannot be exported, so RSA-HSM becomes RSA):\n${LOGIN}${SHOW_POLICY.replace(' > ', ` | sed 's/"exportable": *false/"exportable": true/; s/"RSA-HSM"/"RSA"/' > `)} &&\naz keyvault certificate create --vault-name contoso --name connector --policy @policy.json`;
  const RENEW = `Let the vault renew it:\n${LOGIN}${SHOW_POLICY} &&\naz keyvault certificate create --vault-name contoso --name connector --policy @policy.json\nThen run this again. So that it renews by itself, its policy needs the lifetime action AutoRenew.`;
  const READ = `Why not. It was read from the key vault contoso: connector, version ${VERSION}.`;

  test.each<[FailureCode, FailureCode, string, string]>([
    ['PFX_NO_PRIVATE_KEY', 'KEY_VAULT_KEY_NOT_EXPORTABLE', NO_KEY, WITH_KEY],
    ['PFX_IS_CERTIFICATE', 'KEY_VAULT_KEY_NOT_EXPORTABLE', NO_KEY, WITH_KEY],
    ['PFX_EMPTY', 'KEY_VAULT_NOT_A_CERTIFICATE', `${NOT_ONE}: it is empty.`, IMPORT],
    ['PFX_NOT_PKCS12', 'KEY_VAULT_NOT_A_CERTIFICATE', `${NOT_ONE}: ${NEITHER}.`, IMPORT],
    ['PFX_TRUNCATED', 'KEY_VAULT_NOT_A_CERTIFICATE', `${NOT_ONE}: it is cut off.`, IMPORT],
    [
      'PFX_WRONG_PASSWORD',
      'KEY_VAULT_NOT_A_CERTIFICATE',
      `${NOT_ONE}: it is encrypted with a password, as no certificate of a vault is.`,
      IMPORT,
    ],
    ...(
      [
        ['PFX_NOT_BASE64', NEITHER],
        ['PFX_IS_PEM', NEITHER],
        ['PFX_IS_PKCS7', 'it is a PKCS#7 file, which has no private key'],
        ['PFX_IS_JKS', 'it is a Java keystore'],
        ['PFX_IS_SSH_KEY', 'it is an SSH key'],
        ['PFX_IS_PGP_KEY', 'it is a PGP key or message'],
        ['PFX_TRAILING_DATA', 'something else stands behind its end'],
        ['PFX_PASSWORD_ENCODING', 'it is encrypted with a password, as no certificate of a vault is'],
        ['PFX_KEY_PASSWORD_DIFFERS', 'it is encrypted with a password, as no certificate of a vault is'],
        ['PFX_NO_CERTIFICATE', 'it has a private key in it, but no certificate'],
        ['PFX_KEY_MISMATCH', 'its private key belongs to none of its certificates'],
        ['PFX_SEVERAL_KEYS', 'it has several private keys in it'],
      ] as const
    ).map(([code, why]): [FailureCode, FailureCode, string, string] => [
      code,
      'KEY_VAULT_NOT_A_CERTIFICATE',
      `${NOT_ONE}: ${why}.`,
      IMPORT,
    ]),
    ['CERTIFICATE_EXPIRED', 'CERTIFICATE_EXPIRED', READ, RENEW],
    ['CERTIFICATE_EXPIRES_TOO_SOON', 'CERTIFICATE_EXPIRES_TOO_SOON', READ, RENEW],
    ['PFX_UNSUPPORTED', 'PFX_UNSUPPORTED', READ, 'Do this.'],
    // Says which certificate it is.
    ['PFX_DAMAGED', 'PFX_DAMAGED', READ, 'Do this.'],
    ['PFX_INVALID', 'PFX_INVALID', READ, 'Do this.'],
  ])('%s is %s', (was, code, words, remedy) => {
    const error = new Failure(was, 'Why not.', 'Do this.');
    expect(explainContent(error, READ_FROM, VERSION)).toMatchObject({ code, message: words, remedy, cause: error });
  });

  test.each<FailureCode>(['CANCELLED', 'STEP_TIMEOUT', 'OUTPUTS_NOT_WRITTEN'])(
    '%s has nothing to do with what was read',
    (code) => {
      const error = new Failure(code, 'Why not.', 'Do this.');
      expect(explainContent(error, READ_FROM, VERSION)).toBe(error);
    },
  );

  // As the Azure CLI prints JSON, and without blanks.
  test.each([
    [2, 'RSA'],
    [0, 'RSA'],
    [2, 'RSA-HSM'],
  ])('the command for an exportable key edits the policy (%d blanks deep, %s)', (indent, keyType) => {
    const policy = {
      keyProperties: { curve: null, exportable: false, keySize: 2048, keyType, reuseKey: false },
      secretProperties: { contentType: 'application/x-pkcs12' },
    };
    const { remedy } = explainContent(new Failure('PFX_NO_PRIVATE_KEY', '', ''), READ_FROM, VERSION) as Failure;
    const directory = mkdtempSync(join(tmpdir(), 'policy-'));
    try {
      const commands = remedy.split('\n').filter((line) => line.startsWith('az '));
      const script = `az() { case $3 in show) printf '%s\\n' "$POLICY";; create) cp policy.json created.json;; esac; }\n${commands.join('\n')}`;
      const { status, stderr } = spawnSync('bash', ['--norc', '-eu', '-c', script], {
        cwd: directory,
        env: { ...process.env, POLICY: JSON.stringify(policy, null, indent) },
        encoding: 'utf8',
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(JSON.parse(readFileSync(join(directory, 'created.json'), 'utf8'))).toEqual({
        ...policy,
        keyProperties: { ...policy.keyProperties, keyType: 'RSA', exportable: true },
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('a fault of our own is left as it is', () => {
    const fault = new RangeError('a fault');
    expect(explainContent(fault, READ_FROM, VERSION)).toBe(fault);
  });

  test('foreign words about it are shown cleaned', () => {
    expect(notACertificate(READ_FROM, VERSION, '\u001b[1mas it\r\nis v1.2').message).toBe(`${NOT_ONE}: as it is v1.2.`);
  });
});
