/** What Microsoft Entra's refusals mean, and what helps. */
import { spawnSync } from 'node:child_process';
import { search } from '@jmespath-community/jmespath';
import { describe, expect, test } from '@jest/globals';
import { cloudByName, type Application } from '../../src/sign-in/application.ts';
import { explainEntra } from '../../src/sign-in/entra-refusal.ts';
import type { HttpResponse } from '../../src/http/client.ts';
import type { IdToken } from '../../src/sign-in/github-id-token.ts';
import { hide } from '../../src/text/secrets.ts';
import { answer } from '../scripted-http.ts';
import { keepPrinted } from '../printed.ts';

const application: Application = {
  tenantId: 'the-tenant',
  clientId: 'the-client',
  cloud: cloudByName('global'),
  audience: 'api://AzureADTokenExchange',
};
const idToken: IdToken = {
  jwt: 'header.claims.signature',
  issuer: 'https://token.actions.githubusercontent.com',
  subject: 'repo:octo/hello:ref:refs/heads/main',
  audience: 'api://AzureADTokenExchange',
};
const TIME = '2026-11-23 08:15:30Z';
const DATE = 'Mon, 23 Nov 2026 08:15:30 GMT';

keepPrinted();

/** Entra's answer with this code. */
function refusal(code: number, more: object = {}, status = 401): HttpResponse {
  const body = {
    error: 'invalid_client',
    error_description: `AADSTS${code}: Because. Trace ID: t-1 Correlation ID: c-1 Timestamp: ${TIME}`,
    error_codes: [code],
    timestamp: TIME,
    trace_id: 't-1',
    ...more,
  };
  return answer(status, body);
}

/** What a person sees of an answer, and what the step does next. */
function explained(response: HttpResponse, token: IdToken = idToken) {
  const { failure, ...next } = explainEntra(response, application, token);
  return { code: failure.code, message: failure.message, remedy: failure.remedy, ...next };
}

const PRESENTED = `GitHub presented
  issuer:   https://token.actions.githubusercontent.com
  subject:  repo:octo/hello:ref:refs/heads/main
  audience: api://AzureADTokenExchange`;
const LOGIN = 'az cloud set --name AzureCloud &&\naz login --tenant the-tenant --allow-no-subscriptions &&';
const CREATE = `${LOGIN}
az ad app federated-credential create --id the-client --parameters '{"name":"repo-octo-hello-ref-refs-heads-main-a1111509","issuer":"https://token.actions.githubusercontent.com","subject":"repo:octo/hello:ref:refs/heads/main","audiences":["api://AzureADTokenExchange"]}'`;
const WITHOUT_IDS =
  'This repository presents names without ids: a credential for "repo:OWNER@OWNER_ID/REPO@REPO_ID:…" does not fit.\n';

const TRANSIENT = {
  code: 'SERVICE_UNAVAILABLE',
  remedy: 'Run the job again; see https://status.cloud.microsoft.',
  retry: 'yes',
};

describe('a refusal that is known', () => {
  test.each([70021, 700211, 700213])('AADSTS%d: no federated credential fits', (code) => {
    expect(explained(refusal(code))).toEqual({
      code: 'FEDERATED_CREDENTIAL_MISMATCH',
      message: `No federated credential of the application the-client fits this job: Because (AADSTS${code}, trace t-1, ${TIME}).`,
      remedy: `${PRESENTED}\n${WITHOUT_IDS}Register exactly these (upper and lower case count):\n${CREATE}`,
      retry: 'yes',
      within: 25_000,
    });
  });

  test.each([
    [
      7002138,
      'FEDERATED_CREDENTIAL_LETTER_CASE',
      'A federated credential of the application the-client fits this job but for upper and lower case',
      `${PRESENTED}\nCorrect the credential, which is under Certificates & secrets of the app registration, or register another:\n${CREATE}`,
    ],
    [
      7002131,
      'FEDERATED_CREDENTIAL_EXPRESSION',
      'The flexible expression of a federated credential of the application the-client does not match this job',
      `${PRESENTED}\nCorrect the credential's claimsMatchingExpression, or register exactly these:\n${CREATE}`,
    ],
    [
      700016,
      'APPLICATION_NOT_FOUND',
      'The tenant the-tenant has no application the-client',
      `client-id has to be the application (client) ID, not an object ID, and tenant-id the directory that owns the connectors; are the two swapped? The app must have a service principal there:\n${LOGIN}\naz ad sp create --id the-client`,
    ],
    [
      7000229,
      'APPLICATION_NOT_FOUND',
      'The application the-client has no service principal in the tenant the-tenant',
      `Make it:\n${LOGIN}\naz ad sp create --id the-client`,
    ],
    ...[90002, 900023, 50059, 50128, 90038, 900382].map((code): [number, string, string, string] => [
      code,
      'TENANT_NOT_FOUND',
      'There is no tenant the-tenant in the cloud global',
      'Check tenant-id, which the overview page of Microsoft Entra ID shows, and cloud: global or china.',
    ]),
    [
      5000225,
      'SIGN_IN_REFUSED',
      'Microsoft blocked the tenant the-tenant since nobody used it',
      'For 20 days, an administrator of the tenant can have Microsoft support open it again; after that it is deleted. See https://aka.ms/TenantLifecycle.',
    ],
    ...[500021, 500022].map((code): [number, string, string, string] => [
      code,
      'SIGN_IN_REFUSED',
      'The network of the runner lets nobody sign in to the tenant the-tenant',
      'A proxy of the network restricts the tenants that may be signed in to (tenant restrictions). Let its administrator add the-tenant to the allowed tenants, or run on a runner outside of that network.',
    ]),
    [
      7000112,
      'APPLICATION_DISABLED',
      'The application the-client is disabled in the tenant the-tenant',
      `Enable its service principal:\n${LOGIN}\naz ad sp update --id the-client --set accountEnabled=true`,
    ],
    ...[500011, 50001].map((code): [number, string, string, string] => [
      code,
      'RESOURCE_NOT_FOUND',
      'The tenant the-tenant does not know Microsoft Graph at https://graph.microsoft.com',
      'The cloud is not the tenant’s. Set cloud: global or cloud: china.',
    ]),
    [
      500014,
      'APPLICATION_DISABLED',
      'The service principal of Microsoft Graph is disabled in the tenant the-tenant',
      `Somebody disabled it, or a subscription of the tenant has lapsed. Enable it:\n${LOGIN}\naz ad sp update --id https://graph.microsoft.com --set accountEnabled=true`,
    ],
    [
      53003,
      'CONDITIONAL_ACCESS',
      'A Conditional Access policy blocks the application the-client',
      'Exclude it from the policy for workload identities, or run on a runner whose addresses the policy allows. The sign-in log of the service principal names the policy.',
    ],
  ])('AADSTS%d: %s, for good', (code, failure, what, remedy) => {
    expect(explained(refusal(code))).toEqual({
      code: failure,
      message: `${what}: Because (AADSTS${code}, trace t-1, ${TIME}).`,
      remedy,
      retry: 'no',
    });
  });

  test('AADSTS700212: one with another audience is changed, since two cannot have the same subject', () => {
    expect(explained(refusal(700212))).toEqual({
      code: 'FEDERATED_CREDENTIAL_MISMATCH',
      message: `No federated credential of the application the-client fits this job: Because (AADSTS700212, trace t-1, ${TIME}).`,
      remedy: `${PRESENTED}\n${WITHOUT_IDS}If the application has a credential with this issuer and subject, set the input audience to the audience of that credential. Or give that credential the audience that GitHub presented, since there cannot be two:
${LOGIN}
NAME=$(az ad app federated-credential list --id the-client --query '[?issuer==\`"https://token.actions.githubusercontent.com"\`]|[?subject==\`"repo:octo/hello:ref:refs/heads/main"\`].name|[0]' --output tsv) &&
az ad app federated-credential update --id the-client --federated-credential-id "$NAME" --parameters '{"audiences":["api://AzureADTokenExchange"]}'`,
      retry: 'yes',
      within: 25_000,
    });
  });

  test('AADSTS70025: no federated credential at all, or one that was just made', () => {
    expect(explained(refusal(70025))).toEqual({
      code: 'FEDERATED_CREDENTIAL_MISSING',
      message: `The application the-client has no federated credential: Because (AADSTS70025, trace t-1, ${TIME}).`,
      remedy: `Check that it is the right application. If so, register this job:\n${CREATE}`,
      retry: 'yes',
      within: 25_000,
    });
  });

  test('AADSTS700024: a fresh ID token may do', () => {
    expect(explained(refusal(700024))).toEqual({
      code: 'ID_TOKEN_OUT_OF_TIME',
      message: `Microsoft Entra found the ID token outside its five minutes: Because (AADSTS700024, trace t-1, ${TIME}).`,
      remedy: 'Run the job again. On a self-hosted runner, check its clock.',
      retry: 'yes',
    });
  });

  test.each([50166, 501661])('AADSTS%d: the issuer cannot be reached', (code) => {
    expect(explained(refusal(code))).toEqual({
      code: 'ISSUER_UNREACHABLE',
      message: `Microsoft Entra could not reach the issuer https://token.actions.githubusercontent.com to check the ID token: Because (AADSTS${code}, trace t-1, ${TIME}).`,
      remedy:
        'Entra reads https://token.actions.githubusercontent.com/.well-known/openid-configuration over the internet: a GitHub Enterprise Server has to be reachable from there. On github.com, run the job again.',
      retry: 'yes',
    });
  });

  test.each([90033, 90006, 90012, 90024, 90055, 90090])('AADSTS%d is transient, whatever its status', (code) => {
    expect(explained(refusal(code, {}, 400))).toEqual({
      ...TRANSIENT,
      message: `Microsoft Entra did not issue a token: Because (AADSTS${code}, trace t-1, ${TIME}).`,
    });
  });
});

describe('a refusal that is not known', () => {
  test.each([400, 401, 403, 200])('with HTTP %d is for good', (status) => {
    expect(explained(refusal(7000215, {}, status))).toEqual({
      code: 'SIGN_IN_REFUSED',
      message: `Microsoft Entra refused to sign in the application the-client in the tenant the-tenant: Because (AADSTS7000215, trace t-1, ${TIME}).`,
      remedy:
        'Look the code up at https://login.microsoftonline.com/error. Check whether application, tenant and cloud are the right ones.',
      retry: 'no',
    });
  });

  test('is looked up where its cloud explains it', () => {
    const { failure } = explainEntra(refusal(999), { ...application, cloud: cloudByName('china') }, idToken);
    expect(failure.remedy).toMatch(/^Look the code up at https:\/\/login\.partner\.microsoftonline\.cn\/error\. /);
  });

  test.each([408, 423, 425, 429, 500, 503])('with HTTP %d is transient', (status) => {
    expect(explained(refusal(7000215, {}, status))).toEqual({
      ...TRANSIENT,
      message: `Microsoft Entra did not issue a token: Because (AADSTS7000215, trace t-1, ${TIME}).`,
    });
  });

  test('that is for good stays so with HTTP 503', () => {
    expect(explained(refusal(700016, {}, 503))).toMatchObject({ code: 'APPLICATION_NOT_FOUND', retry: 'no' });
  });

  test('without a code is for good, if it is an OAuth error', () => {
    expect(explained(answer(400, { error: 'invalid_request' }, { date: DATE }))).toMatchObject({
      code: 'SIGN_IN_REFUSED',
      message: `Microsoft Entra refused to sign in the application the-client in the tenant the-tenant (HTTP 400, ${DATE}).`,
    });
  });

  test('that stands in an object, as Graph writes it, is read all the same', () => {
    const error = { code: 'invalid_client', message: 'AADSTS700016: No such application.' };
    expect(explained(answer(400, { error }))).toMatchObject({
      code: 'APPLICATION_NOT_FOUND',
      retry: 'no',
      message: expect.stringMatching(/: No such application \(AADSTS700016, /),
    });
    expect(explained(answer(400, { error: { code: 'invalid_request' } }))).toMatchObject({ code: 'SIGN_IN_REFUSED' });
  });

  test.each<[string, unknown]>([
    ['nothing', ''],
    ['null', 'null'],
    ['a number', '5'],
    ['a text', '"error"'],
    ['an error that is no text', { error: 1 }],
    ['an empty object', {}],
  ])('with %s in place of an OAuth error is transient', (_name, body) => {
    for (const status of [200, 400, 404]) {
      expect(explained(answer(status, body, { date: DATE }))).toEqual({
        ...TRANSIENT,
        message: `Microsoft Entra did not issue a token (HTTP ${status}, ${DATE}).`,
      });
    }
  });

  test('with HTTP 200 and an error without a code is transient', () => {
    expect(explained(answer(200, { error: 'server_error' }))).toMatchObject(TRANSIENT);
  });

  test('that is a redirect says so', () => {
    const { code, message, retry } = explained(answer(302, refusal(700016).body));
    expect({ code, retry }).toEqual({ code: 'REDIRECTED', retry: 'no' });
    expect(message).toMatch(/^In place of https:\/\/login\.microsoftonline\.com a redirect answered \(HTTP 302, /);
  });
});

describe('what Entra wrote', () => {
  const said = (more: object, headers: Record<string, string> = {}): string =>
    explained({ ...refusal(53003, more), headers }).message.replace(/^.*the application the-client/, '');

  test.each([
    ['a text', ['53003'], 'AADSTS1: x', '53003'],
    ['a number', [53003], 'AADSTS1: x', '53003'],
    ['the first of several', [53003, 1], 'AADSTS1: x', '53003'],
    ['in the description alone', undefined, 'AADSTS53003: x', '53003'],
    ['in the description where the list is empty', [], 'AADSTS53003: x', '53003'],
    ['in the description where the list is none', '53003x', 'AADSTS53003: x', '53003'],
    ['in the description where the list holds no number', ['x53003'], 'AADSTS53003: x', '53003'],
    ['in the description where the list holds a longer text', ['53003 x'], 'AADSTS53003: x', '53003'],
    ['in the description where the list holds an object', [{}], 'AADSTS53003: x', '53003'],
  ])('the code may be %s', (_name, codes, description, code) => {
    const { message } = explained(refusal(1, { error_codes: codes, error_description: description }));
    expect(message).toContain(`(AADSTS${code}, trace t-1, ${TIME}).`);
    expect(explained(refusal(1, { error_codes: codes, error_description: description })).code).toBe(
      'CONDITIONAL_ACCESS',
    );
  });

  test.each([
    ['AADSTS53003: Not from here. Trace ID: a Correlation ID: b', ': Not from here (AADSTS53003,'],
    ['AADSTS53003: Not from here! Ask AADSTS1: x.', ': Not from here! Ask AADSTS1: x (AADSTS53003,'],
    ['See AADSTS53003: there', ': See AADSTS53003: there (AADSTS53003,'],
    ['Dr. No. \r\nTrace ID: a', ': Dr. No (AADSTS53003,'],
    ['a\n::error::b\u001b[31m', ': a ::error::b (AADSTS53003,'],
    ['', ' (AADSTS53003,'],
  ])('%j is shown without ids, on one line', (description, shown) => {
    expect(said({ error_description: description })).toContain(shown);
  });

  test.each([undefined, 5, ['a']])('a description that is no text (%j) is left out', (description) => {
    expect(said({ error_description: description })).toBe(` (AADSTS53003, trace t-1, ${TIME}).`);
  });

  test('a long description is cut', () => {
    expect(said({ error_description: 'x'.repeat(5000) })).toContain(`: ${'x'.repeat(300)}… (`);
  });

  test('the time is that of the body, of the response, or of this machine', () => {
    expect(said({}, { date: DATE })).toBe(`: Because (AADSTS53003, trace t-1, ${TIME}).`);
    expect(said({ timestamp: undefined }, { date: DATE })).toBe(`: Because (AADSTS53003, trace t-1, ${DATE}).`);
    expect(said({ timestamp: 5 })).toMatch(/, trace t-1, \d{4}-\d\d-\d\dT[\d:.]+Z\)\.$/);
  });

  test('a trace that is missing is not mentioned', () => {
    expect(said({ trace_id: undefined })).toBe(`: Because (AADSTS53003, ${TIME}).`);
  });
});

describe('the credential that helps', () => {
  const remedyFor = (more: Partial<IdToken>): string => explained(refusal(700213), { ...idToken, ...more }).remedy;

  test('shows a subject with ids, and that one without them does not fit', () => {
    const remedy = remedyFor({ subject: 'repo:octo@123/hello@4567:environment:prod' });
    expect(remedy).toContain('\n  subject:  repo:octo@123/hello@4567:environment:prod\n');
    expect(remedy).toContain(
      '\nThis repository presents IDs in addition to its names: a credential for "repo:octo/hello:environment:prod", without them, does not fit.\nRegister',
    );
    expect(remedy).toContain('"subject":"repo:octo@123/hello@4567:environment:prod"');
  });

  test.each([
    'repo:octo@x/hello@4567:environment:prod',
    'repo:octo@123/hello@x:environment:prod',
    'repo:octo@123/hello@4567',
    'repo:octo/hello:pull_request',
  ])('%s is a subject without ids', (subject) => {
    expect(remedyFor({ subject })).toContain(`\n${WITHOUT_IDS}Register`);
  });

  test.each(['repository_owner:octo:ref:x', 'x:repo:octo@123/hello@4567:ref:x', ''])(
    'of the subject %j, an organization’s own, nothing more is known',
    (subject) => {
      const remedy = remedyFor({ subject });
      expect(remedy).not.toContain('This repository presents');
      expect(remedy).toContain('api://AzureADTokenExchange\nRegister exactly these');
    },
  );

  test('is a command that a shell accepts as it is, quotes included', () => {
    const remedy = remedyFor({ subject: "repo:octo/hello:environment:Bob's 'prod'" });
    expect(remedy).toContain(String.raw`"subject":"repo:octo/hello:environment:Bob'\''s '\''prod'\''"`);
  });

  /** The credential as a shell passes it on. */
  const credential = (more: Partial<IdToken>): { name: string; subject: string; issuer: string } => {
    const { remedy } = explained(refusal(700213), { ...idToken, ...more });
    const command = remedy.split('\n').find((line) => line.includes('federated-credential create')) ?? '';
    const { stdout } = spawnSync('bash', ['--norc', '-c', `az() { printf %s "\${@: -1}"; }; ${command}`], {
      encoding: 'utf8',
    });
    return JSON.parse(stdout) as { name: string; subject: string; issuer: string };
  };

  const SUBJECTS = [
    'repo:octo/hello:environment:my  env',
    'repo:octo/hello:environment: my   env ',
    'repo:octo/hello:environment:"quoted" \\ $HOME `id`',
    "repo:octo/hello:environment:Bob's !1",
    'repo:octo/hello:environment:Gr\u00fc\u00dfe \u{1f680}',
    "repo:octo/hello:environment:a`b'`]|[0]",
  ];

  test.each(SUBJECTS)('has the subject letter by letter: %j', (subject) => {
    expect(credential({ subject })).toMatchObject({ subject });
    expect(remedyFor({ subject })).toContain(`\n  subject:  ${subject}\n`);
    const ids = subject.replace('repo:octo/hello:', 'repo:octo@1/hello@2:');
    expect(remedyFor({ subject: ids })).toContain(`a credential for "${subject}", without them,`);
  });

  const SECRET = 'a secret  with blanks';
  test.each<[string, Partial<IdToken>]>([
    ['a control character', { subject: 'repo:octo/hello:environment:a\u0007b' }],
    ['what a terminal would do', { subject: 'repo:octo/hello:environment:a\u001b[1mb' }],
    ['what cannot be seen', { subject: 'repo:octo/hello:environment:a\u200bb' }],
    ['a line break', { issuer: 'https://a\n::error::' }],
    ['a secret', { subject: `repo:octo/hello:environment:${SECRET}` }],
    ['a secret alone', { audience: SECRET }],
    ['more than there can be', { subject: `repo:octo/hello:environment:${'e'.repeat(1000)}` }],
  ])('is no command if it has %s in it: it would be a wrong one', (_what, more) => {
    hide(SECRET);
    for (const code of [700213, 700212, 7002138, 7002131, 70025]) {
      const { remedy } = explained(refusal(code), { ...idToken, ...more });
      expect(remedy).not.toContain('federated-credential');
      expect(remedy).toContain('\nNo command can be shown, since not every character of these can: ');
      expect(remedy).not.toMatch(/[^\n\P{C}]/u);
      expect(remedy).not.toContain(SECRET);
    }
  });

  test('has a name of its own for each subject and issuer', () => {
    const environment = 'repo:octo/hello:environment:';
    const subjects = ['release/1', 'release-1', 'release 1', 'e'.repeat(130), 'e'.repeat(131), '\u00fc', '\u00e4'];
    const names = [...subjects.map((name) => `${environment}${name}`), '\u00fc', ''].map(
      (subject) => credential({ subject }).name,
    );
    names.push(credential({ subject: `${environment}release-1`, issuer: 'https://a.example' }).name);
    expect(new Set(names).size).toBe(subjects.length + 3);
    // What Entra allows.
    for (const name of names) expect(name).toMatch(/^[a-z0-9][\w-]{2,119}$/i);
    expect(names[1]).toMatch(/^repo-octo-hello-environment-release-1-[0-9a-f]{8}$/);
    expect(names.at(-2)).toMatch(/^github-actions-[0-9a-f]{8}$/);
    expect(credential({ subject: `${environment}release/1` }).name).toBe(names[0]);
  });

  test.each(SUBJECTS)('is found by its issuer and subject to get another audience: %j', (subject) => {
    const audience = "api://it's";
    const { issuer } = idToken;
    const credentials = [
      { name: 'not-this', issuer: 'https://a.example', subject },
      { name: 'nor-this', issuer, subject: `${subject}x` },
      { name: 'this', issuer, subject },
    ];
    const { remedy } = explained(refusal(700212), { ...idToken, subject, audience });
    // Each call of az on a line of its own, its arguments in the form of JSON; the list answers as if it had found it.
    const az = `az() { node -e 'console.error(JSON.stringify(process.argv.slice(1)))' -- "$@"; case $3 in federated*) [ "$4" = update ] || echo this; esac; }`;
    const pasted = remedy.slice(remedy.indexOf('az cloud set'));
    const { status, stderr } = spawnSync('bash', ['--norc', '-c', `${az}\n${pasted}`], { encoding: 'utf8' });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const calls = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as string[]);
    const query = calls[2]?.[calls[2].indexOf('--query') + 1] ?? '';
    expect(search(credentials, query)).toBe('this');
    expect(calls[3]).toEqual([
      ...['ad', 'app', 'federated-credential', 'update', '--id', 'the-client', '--federated-credential-id', 'this'],
      ...['--parameters', JSON.stringify({ audiences: [audience] })],
    ]);
  });

  test('shows no control characters', () => {
    expect(remedyFor({ issuer: 'https://a\n::error::', audience: 'b\u001b[0m' })).toContain(
      'issuer:   https://a ::error::\n',
    );
  });
});

test('a policy on the enterprise may let the next job pass: it is tried again for a while', () => {
  const body = { error: 'invalid_client', error_description: 'AADSTS7002381: Policy.', error_codes: [7002381] };
  expect(explainEntra(answer(401, body), application, idToken)).toMatchObject({
    failure: { code: 'ENTERPRISE_POLICY' },
    retry: 'yes',
    within: 25_000,
  });
});

test.each([200, 401, 403])('a web page with HTTP %d is not Entra', (status) => {
  expect(
    explainEntra(answer(status, '<html><title>Sign in to the network</title>'), application, idToken),
  ).toMatchObject({
    failure: { code: 'INTERCEPTED', message: expect.stringContaining('titled Sign in to the network') },
    retry: 'no',
  });
});
