import { describe, expect, test } from '@jest/globals';
import { explainGraph, type Asked } from '../../src/graph/refusal.ts';
import { cloudByName } from '../../src/sign-in/application.ts';
import { answer } from '../scripted-http.ts';

const ASKED: Asked = {
  connectorId: 'c1',
  permission: 'APIConnectors.ReadWrite.All',
  roles: [],
  application: {
    tenantId: 'the-tenant',
    clientId: 'the-client',
    cloud: cloudByName('global'),
    audience: 'api://AzureADTokenExchange',
  },
};
const DATE = '2026-02-03T04:05:06';

/** An error as Graph words it. */
function error(code: unknown, message: unknown = 'Because.'): object {
  return { error: { code, message, innerError: { date: DATE, 'request-id': 'the-request' } } };
}

describe('what a response of the B2C backend means', () => {
  test.each([
    [
      'AADB2C90213',
      'UPLOAD_PASSWORD_REFUSED',
      'The service reports that the password of the certificate is incorrect',
      'The password opened the file here, and the file went out in TripleDES-SHA1. The service does not support characters beyond ASCII in the password: export the certificate again with a password of ASCII letters and digits.',
    ],
    [
      'AADB2C95025',
      'UPLOAD_PASSWORD_REFUSED',
      'The service reports that the password of the certificate is incorrect',
      'The password opened the file here, and the file went out in TripleDES-SHA1. The service does not support characters beyond ASCII in the password: export the certificate again with a password of ASCII letters and digits.',
    ],
    [
      'AADB2C90214',
      'UPLOAD_EXPIRED_REFUSED',
      'The service reports that the certificate has expired',
      'Upload a newer certificate; not-after in the outputs shows when this one expires.',
    ],
    [
      'AADB2C90215',
      'UPLOAD_FILE_REFUSED',
      'The service cannot use the key in the file',
      'Its documents ask for RSA 2048 with the key usage digitalSignature. Make such a certificate.',
    ],
    [
      'AADB2C90216',
      'UPLOAD_FILE_REFUSED',
      'The service cannot use the key in the file',
      'Its documents ask for RSA 2048 with the key usage digitalSignature. Make such a certificate.',
    ],
    [
      'AADB2C90220',
      'UPLOAD_DATES_REFUSED',
      'The service finds no certificate in the file that is valid now',
      'Check not-before and not-after in the outputs.',
    ],
    ...['AADB2C90176', 'AADB2C90178'].map((code) => [
      code,
      'UPLOAD_FILE_REFUSED',
      'The service finds no private key in the file, though there is one',
      'Its documents ask for RSA 2048 with the key usage digitalSignature. Make such a certificate.',
    ]),
    [
      'AADB2C90137',
      'UPLOAD_FILE_REFUSED',
      'The service finds the RSA key too short',
      'Its documents ask for RSA 2048 with the key usage digitalSignature. Make such a certificate.',
    ],
    [
      'AADB2C90179',
      'UPLOAD_FILE_REFUSED',
      'The service finds no valid X.509 certificate in the file',
      'Its documents ask for RSA 2048 with the key usage digitalSignature. Make such a certificate.',
    ],
    [
      'AADB2C95047',
      'UPLOAD_FILE_REFUSED',
      'The service cannot decode the file',
      'The file went out in TripleDES-SHA1 and opens here. If the password has characters beyond ASCII, export the certificate again with a password of ASCII letters and digits.',
    ],
    [
      'AADB2C95048',
      'UPLOAD_FILE_REFUSED',
      'The service does not find a PKCS#12 file in the request',
      'Please report it, with the request-id: the file opens here.',
    ],
    ...['AADB2C90180', 'AADB2C95049'].map((code) => [
      code,
      'UPLOAD_ALREADY_THERE',
      'The service does not accept this certificate a second time',
      'If force is set, leave it out. If the certificate has the key of an earlier one, make one with a new key. The outputs and the summary show which certificates the connector has.',
    ]),
    [
      'AADB2C90245',
      'GRAPH_REFUSED',
      'The service reports that the tenant is disabled',
      'Ask the owner of the tenant: its subscription or its trial may have ended.',
    ],
    [
      'AADB2C95044',
      'CONNECTOR_OF_ANOTHER_TENANT',
      'The API connector belongs to another tenant than the one signed in to',
      'Set tenant-id to the directory that owns the connector.',
    ],
    ...['AADB2C90229', 'AADB2C90244', 'AADB2C95043', 'AADB2C95053'].map((code) => [
      code,
      'THROTTLED',
      'The service is asked for too much at once',
      'Run the job again later, with concurrency in the workflow so that one upload runs at a time.',
    ]),
    [
      'AADB2C90063',
      'SERVICE_UNAVAILABLE',
      'The service has a problem',
      'It often says so of an ID or a value that it does not know: check connector-id and tenant-id. Else: Run the job again; see https://status.cloud.microsoft.',
    ],
  ])('%s is %s', (backendCode = '', code = '', what = '', remedy = '') => {
    // Before the status: HTTP 404 would mean something else.
    expect(explainGraph(answer(404, error(backendCode)), ASKED).failure).toMatchObject({
      code,
      message: `${what} (API connector c1): Because (HTTP 404, ${backendCode}, request-id the-request, ${DATE}).`,
      remedy,
    });
  });

  test('a code that is not known leaves it to the status', () => {
    expect(explainGraph(answer(400, error('AADB2C99999')), ASKED).failure).toMatchObject({
      code: 'GRAPH_REFUSED',
      message: `Microsoft Graph refused the request (API connector c1): Because (HTTP 400, AADB2C99999, request-id the-request, ${DATE}).`,
    });
  });
});

describe('what a status means', () => {
  const AGAIN = 'Run the job again; see https://status.cloud.microsoft.';
  const SUPPORT = "The message above is the service's. With the request-id, Microsoft support can find out more.";
  const COULD_NOT = 'Microsoft Graph could not serve the request';

  test.each([
    [200, 'SERVICE_UNAVAILABLE', 'The response of Microsoft Graph cannot be read', AGAIN],
    [204, 'SERVICE_UNAVAILABLE', 'The response of Microsoft Graph cannot be read', AGAIN],
    [400, 'GRAPH_REFUSED', 'Microsoft Graph refused the request', SUPPORT],
    [
      401,
      'GRAPH_UNAUTHORIZED',
      'Microsoft Graph does not accept the access token',
      "Check that cloud is the tenant's, and run the job again.",
    ],
    [
      404,
      'CONNECTOR_NOT_FOUND',
      'The tenant has no such API connector',
      'The check step with all: true lists the API connectors of the tenant with their IDs.',
    ],
    [408, 'SERVICE_UNAVAILABLE', COULD_NOT, AGAIN],
    [409, 'GRAPH_REFUSED', 'Microsoft Graph refused the request', SUPPORT],
    [429, 'THROTTLED', 'Microsoft Graph throttles the requests', 'Run the job again later.'],
    [499, 'GRAPH_REFUSED', 'Microsoft Graph refused the request', SUPPORT],
    [500, 'SERVICE_UNAVAILABLE', COULD_NOT, AGAIN],
    [503, 'SERVICE_UNAVAILABLE', COULD_NOT, AGAIN],
  ])('HTTP %d is %s', (status, code, what, remedy) => {
    expect(explainGraph(answer(status, error('x')), ASKED).failure).toMatchObject({
      code,
      message: `${what} (API connector c1): Because (HTTP ${status}, x, request-id the-request, ${DATE}).`,
      remedy,
    });
  });

  test.each([300, 302, 307, 399])('HTTP %d is a redirect, which is not followed, whatever its body says', (status) => {
    expect(explainGraph(answer(status, error('AADB2C90213')), ASKED).failure).toMatchObject({
      code: 'REDIRECTED',
      message: expect.stringMatching(
        new RegExp(`^In place of Microsoft Graph a redirect answered \\(HTTP ${status}, `),
      ),
    });
  });
});

describe('access denied', () => {
  const commands = (permission: string, graph = 'https://graph.microsoft.com', cloud = 'AzureCloud'): string =>
    `
az cloud set --name ${cloud} &&
az login --tenant the-tenant --allow-no-subscriptions &&
SP=$(az ad sp show --id the-client --query id --output tsv) &&
MS_GRAPH=$(az ad sp show --id 00000003-0000-0000-c000-000000000000 --query id --output tsv) &&
ROLE=$(az ad sp show --id $MS_GRAPH --query "appRoles[?value=='${permission}'].id" --output tsv) &&
az rest --method post --url ${graph}/v1.0/servicePrincipals/$SP/appRoleAssignments --body "{\\"principalId\\":\\"$SP\\",\\"resourceId\\":\\"$MS_GRAPH\\",\\"appRoleId\\":\\"$ROLE\\"}"`;
  const denied = (asked: Partial<Asked>) => explainGraph(answer(403, error('accessDenied')), { ...ASKED, ...asked });

  test.each([
    ['no permission', [], 'no application permission'],
    ['one permission', ['APIConnectors.Read.All'], 'APIConnectors.Read.All'],
    ['several permissions', ['User.Read.All', 'Group.Read.All'], 'User.Read.All, Group.Read.All'],
    ['what is no permission', [`\u001b[1m${'r'.repeat(90)}`], `${'r'.repeat(80)}…`],
    ['ten', Array.from({ length: 10 }, () => 'R'), Array.from({ length: 10 }, () => 'R').join(', ')],
    [
      'very many',
      Array.from({ length: 120 }, () => 'R'),
      `${Array.from({ length: 10 }, () => 'R').join(', ')} and 110 more`,
    ],
  ])('a token with %s: it is named, with the commands that give the right one', (_what, roles, carries) => {
    const { failure, retry } = denied({ roles });
    expect(retry).toBe('no');
    expect(failure).toMatchObject({
      code: 'GRAPH_FORBIDDEN',
      message: `Microsoft Graph denies access (API connector c1): Because (HTTP 403, accessDenied, request-id the-request, ${DATE}).`,
      remedy: `The access token carries ${carries}. The step needs APIConnectors.ReadWrite.All, with admin consent. As an administrator of the tenant:${commands('APIConnectors.ReadWrite.All')}`,
    });
  });

  test('the check step asks for no more than reading', () => {
    const { failure } = denied({ permission: 'APIConnectors.Read.All' });
    expect(failure.remedy).toContain('The step needs APIConnectors.Read.All, with admin consent.');
    expect(failure.remedy).toContain(commands('APIConnectors.Read.All'));
  });

  test('a token that may read is refused: that the documents name another permission is said', () => {
    const { failure } = denied({ permission: 'APIConnectors.Read.All', roles: ['APIConnectors.Read.All'] });
    expect(failure.remedy).toContain('Microsoft documents only APIConnectors.ReadWrite.All for reading');
    expect(failure.remedy).toContain(commands('APIConnectors.ReadWrite.All'));
  });

  test('a token that may read is asked with again: a consent may not be known everywhere yet', () => {
    const reading = { permission: 'APIConnectors.Read.All', roles: ['APIConnectors.Read.All'] } as const;
    expect(denied(reading)).toMatchObject({ retry: 'yes', within: 10_000 });
    expect(denied({ ...reading, permission: 'APIConnectors.ReadWrite.All' }).retry).toBe('no');
  });

  test.each([
    [['APIConnectors.ReadWrite.All'], 'APIConnectors.ReadWrite.All', 'yes'],
    [['APIConnectors.Read.All'], 'APIConnectors.Read.All', 'yes'],
    [['APIConnectors.Read.All'], 'APIConnectors.ReadWrite.All', 'no'],
    [undefined, 'APIConnectors.ReadWrite.All', 'yes'],
    [[], 'APIConnectors.ReadWrite.All', 'no'],
  ] as const)(
    "the backend's own words for it, with a token that carries %j: to %s is tried again: %s",
    (roles, permission, retry) => {
      const asked = { ...ASKED, roles, permission };
      expect(explainGraph(answer(403, error('AADB2C90205')), asked).retry).toBe(retry);
    },
  );

  test("the backend's own words for it: the permission that the step needs is what it says, with the commands", () => {
    const reading = { ...ASKED, permission: 'APIConnectors.Read.All' } as const;
    const { failure } = explainGraph(answer(400, error('AADB2C90205')), reading);
    expect(failure).toMatchObject({
      code: 'GRAPH_FORBIDDEN',
      message: expect.stringMatching(
        /^Microsoft Graph denies access \(API connector c1\): Because \(HTTP 400, AADB2C90205, /,
      ),
      remedy: `The access token carries no application permission. The step needs APIConnectors.Read.All, with admin consent. As an administrator of the tenant:${commands('APIConnectors.Read.All')}`,
    });
  });

  test('a token whose permissions cannot be read: that is what is said, and it is asked with again', () => {
    const verdict = denied({ roles: undefined });
    expect(verdict).toMatchObject({ retry: 'yes', within: 10_000, failure: { code: 'GRAPH_FORBIDDEN' } });
    expect(verdict.failure.remedy).toBe(
      `Which permissions the access token carries cannot be read. The step needs APIConnectors.ReadWrite.All, with admin consent. As an administrator of the tenant:${commands('APIConnectors.ReadWrite.All')}`,
    );
  });

  test('a token that carries the permission: it may not be known everywhere yet, and no command grants it again', () => {
    const verdict = denied({ roles: ['APIConnectors.ReadWrite.All'] });
    expect(verdict).toMatchObject({ retry: 'yes', within: 10_000 });
    expect(verdict.failure.message).toContain('though the access token carries APIConnectors.ReadWrite.All');
    expect(verdict.failure.remedy).toBe(
      'A new consent takes some minutes to be known everywhere: run the job again. If it goes on, check that tenant-id is the tenant that owns the connector, and that it is a workforce or an Azure AD B2C tenant.',
    );
  });

  test('in China the commands are for the cloud there', () => {
    const application = { ...ASKED.application, cloud: cloudByName('china') };
    expect(denied({ application }).failure.remedy).toContain(
      commands('APIConnectors.ReadWrite.All', 'https://microsoftgraph.chinacloudapi.cn', 'AzureChinaCloud'),
    );
  });

  test('a directory of the wrong kind is not a matter of permissions', () => {
    const said =
      "'' is an Azure AD B2C directory. Access to this Api can only be made for an Azure AD directory (non b2c).";
    const { failure } = explainGraph(answer(403, error('AADB2C', said)), ASKED);
    expect(failure).toMatchObject({
      code: 'TENANT_KIND_UNSUPPORTED',
      message: expect.stringMatching(
        /^The service does not offer this in a tenant of this kind \(API connector c1\): /,
      ),
      remedy:
        'API connectors exist in Microsoft Entra workforce tenants and in Azure AD B2C tenants, not in external tenants. Check that tenant-id is the tenant that owns the connector.',
    });
  });
});

describe('the words of a refusal', () => {
  const message = (body: unknown, headers: Record<string, string> = {}, asked = ASKED): string =>
    explainGraph(answer(400, body, headers), asked).failure.message;

  test('without a connector none is named', () => {
    expect(message(error('x'), {}, { ...ASKED, connectorId: undefined })).toBe(
      `Microsoft Graph refused the request: Because (HTTP 400, x, request-id the-request, ${DATE}).`,
    );
  });

  test('a connector id is shown without control characters', () => {
    expect(message(error('x'), {}, { ...ASKED, connectorId: 'c\u001b[1m1' })).toContain(' (API connector c1): ');
  });

  test.each([
    ['One. Two.', 'One. Two'],
    ['No full stop', 'No full stop'],
    ['\u001b[31mRed\nand two lines.', 'Red and two lines'],
    ['m'.repeat(310), `${'m'.repeat(300)}…`],
  ])('the message %j reads %j', (said, shown) => {
    expect(message(error('x', said))).toContain(`: ${shown} (HTTP 400`);
  });

  test('without a message, code and request id only the rest is shown', () => {
    expect(message({ error: { innerError: { date: DATE } } })).toBe(
      `Microsoft Graph refused the request (API connector c1) (HTTP 400, ${DATE}).`,
    );
  });

  test('the inner error may be spelled in lower case', () => {
    expect(message({ error: { innererror: { date: DATE, 'request-id': 'lower' } } })).toContain(
      `(HTTP 400, request-id lower, ${DATE})`,
    );
  });

  test.each([
    ['nothing', ''],
    ['null', 'null'],
    ['a text', '"no"'],
    ['no error', {}],
    ['an error that is null', { error: null }],
    ['an error without an inner one', { error: {} }],
  ])('if the body is %s, the headers give the request id and the date', (_what, body) => {
    expect(message(body, { 'request-id': 'from-a-header', date: 'Tue, 03 Feb 2026 04:05:06 GMT' })).toBe(
      'Microsoft Graph refused the request (API connector c1) (HTTP 400, request-id from-a-header, Tue, 03 Feb 2026 04:05:06 GMT).',
    );
  });

  test('without any date it is now', () => {
    expect(message('')).toMatch(/\(HTTP 400, \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\)\.$/);
  });

  test('what is no text, or too long, is not shown as it is', () => {
    const long = { 'request-id': 'i'.repeat(70), date: 'd'.repeat(50) };
    expect(message({ error: { code: 5, message: ['a'], innerError: long } })).toBe(
      `Microsoft Graph refused the request (API connector c1) (HTTP 400, request-id ${'i'.repeat(64)}…, ${'d'.repeat(40)}…).`,
    );
    expect(message({ error: { code: 'c'.repeat(110) } })).toContain(`(HTTP 400, ${'c'.repeat(100)}…, `);
  });
});

describe('the body of an error', () => {
  const explained = (body: unknown, status = 400) => explainGraph(answer(status, body), ASKED).failure;
  const ids = { 'request-id': 'the-request', date: DATE };

  test.each<[string, unknown]>([
    ['in innerError', { error: { code: 'BadRequest', message: 'Bad.', innerError: { code: 'AADB2C90213', ...ids } } }],
    ['three deep', { error: { code: 'x', innerError: { code: 'y', innererror: { code: 'AADB2C90213' }, ...ids } } }],
    [
      'in a message that is JSON',
      {
        error: {
          code: 'UnknownError',
          message: JSON.stringify({ error: { code: 'AADB2C90213', message: 'No.' } }),
          innerError: ids,
        },
      },
    ],
    [
      'in the words of the message',
      { error: { code: 'BadRequest', message: 'AADB2C90213: The password is incorrect.', innerError: ids } },
    ],
    ['in an odata.error', { 'odata.error': { code: 'AADB2C90213', message: { lang: 'en', value: 'No.' } } }],
  ])('the telling code is found %s', (_where, body) => {
    expect(explained(body).code).toBe('UPLOAD_PASSWORD_REFUSED');
  });

  test('the message of the error inside is shown, and not its JSON', () => {
    const inside = JSON.stringify({ error: { code: 'AADB2C99999', message: 'What really happened.' } });
    expect(explained({ error: { code: 'UnknownError', message: inside } }).message).toContain(
      ': What really happened (HTTP 400, AADB2C99999, UnknownError, ',
    );
  });

  test('a telling code behind three others counts, and is shown', () => {
    const inside = { code: 'c', innerError: { code: 'b', innerError: { code: 'a' } } };
    const body = { error: { code: 'AADB2C90229', message: 'Busy.', innerError: inside } };
    const { failure, retry } = explainGraph(answer(400, body), ASKED);
    expect({ code: failure.code, retry }).toEqual({ code: 'THROTTLED', retry: 'yes' });
    expect(failure.message).toContain('(HTTP 400, a, b, c, AADB2C90229, ');
  });

  test('of very many codes three are shown', () => {
    const inside = { code: 'd', innerError: { code: 'c', innerError: { code: 'b', innerError: { code: 'a' } } } };
    expect(explained({ error: { code: 'e', message: 'No.', innerError: inside } }).message).toMatch(
      /\(HTTP 400, a, b, c, \d{4}-/,
    );
  });

  test('the correlation id, which support asks for, is shown', () => {
    const body = { error: { code: 'x', innerError: { correlationId: 'the-correlation', ...ids } } };
    expect(explained(body).message).toContain('request-id the-request, correlation id the-correlation, ');
  });

  test.each<[string, unknown, string]>([
    [
      'a text, as in OAuth',
      { error: 'invalid_request', error_description: 'Why.' },
      ': Why (HTTP 400, invalid_request, ',
    ],
    [
      'an object with a message that is one',
      { error: { code: 'c', message: { lang: 'en', value: 'Bad.' } } },
      ': Bad (HTTP 400, c, ',
    ],
  ])('an error that is %s', (_what, body, shown) => {
    expect(explained(body).message).toContain(shown);
  });

  test('a byte order mark before it does not matter', () => {
    expect(explained(`\ufeff${JSON.stringify(error('AADB2C90213'))}`).code).toBe('UPLOAD_PASSWORD_REFUSED');
  });

  test('errors in errors without end are read to an end', () => {
    const body = `{"error":${'{"innerError":'.repeat(5000)}{}${'}'.repeat(5000)}}`;
    expect(explained(body).code).toBe('GRAPH_REFUSED');
  });
});

describe('sending the request again', () => {
  test.each([
    [200, '', 'after-read'],
    [400, '', 'no'],
    [400, 'AADB2C90213', 'no'],
    [400, 'AADB2C90229', 'yes'],
    [400, 'AADB2C90063', 'after-read'],
    [404, '', 'no'],
    [408, '', 'after-read'],
    [401, '', 'yes'],
    [409, '', 'no'],
    [409, 'Directory_ConcurrencyViolation', 'yes'],
    [423, '', 'yes'],
    [425, '', 'yes'],
    [429, '', 'yes'],
    [499, '', 'no'],
    [500, '', 'after-read'],
    [500, 'AADB2C90244', 'after-read'],
    [503, 'AADB2C90229', 'after-read'],
    [504, 'Directory_ConcurrencyViolation', 'after-read'],
    [501, 'AADB2C90229', 'yes'],
    [500, 'AADB2C90213', 'no'],
    [502, '', 'after-read'],
    [503, '', 'after-read'],
    [504, '', 'after-read'],
    [501, '', 'no'],
    [511, '', 'no'],
  ])('HTTP %d %s: %s', (status, code, retry) => {
    expect(explainGraph(answer(status, error(code)), ASKED).retry).toBe(retry);
  });

  test('not if something else answers in place of Graph', () => {
    expect(explainGraph(answer(302, error('AADB2C90229')), ASKED).retry).toBe('no');
  });

  test.each([
    [429, 'THROTTLED', 'yes'],
    [503, 'SERVICE_UNAVAILABLE', 'after-read'],
  ])("a gateway's page with HTTP %d may pass", (status, code, retry) => {
    expect(explainGraph(answer(status, '<html>'), ASKED)).toMatchObject({ failure: { code }, retry });
  });

  test('the sign-in page of a network is no trouble of Graph', () => {
    expect(explainGraph(answer(511, '<html>'), ASKED)).toMatchObject({ failure: { code: 'INTERCEPTED' }, retry: 'no' });
  });

  test('not before the time that the service asks for', () => {
    expect(explainGraph(answer(429, '', { 'retry-after': '7' }), ASKED).retryAfter).toBe(7000);
    expect(explainGraph(answer(429), ASKED).retryAfter).toBeUndefined();
  });
});
