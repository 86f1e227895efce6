/** Reading a certificate out of a key vault: who is asked what, in which order, and what comes of each response. */
import { describe, expect, test } from '@jest/globals';
import { Failure } from '../../src/failure.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import type { VaultSource } from '../../src/key-vault/address.ts';
import { readVault, type VaultSecret } from '../../src/key-vault/client.ts';
import { cloudByName } from '../../src/sign-in/application.ts';
import { answer, ScriptedHttp, type Answer } from '../scripted-http.ts';
import { ACCESS, idToken, inJob, issued, refused } from '../sign-in/scripted-sign-in.ts';
import { error, ONE_VERSION, ORIGIN, SOURCE, TENANT, VERSION } from './scripted-vault.ts';

const GUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;
const SECRET = {
  value: 'bm90IGEgcmVhbCBmaWxl',
  contentType: 'application/x-pkcs12',
  id: `${ORIGIN}/secrets/connector/${VERSION}`,
};
const READ = { content: Buffer.from('not a real file'), version: VERSION, tenantId: TENANT };
const UNTRUSTED = 'self-signed certificate in certificate chain (SELF_SIGNED_CERT_IN_CHAIN)';
const PAGE = '<!DOCTYPE html><html><head><title>Sign in to the network</title></head></html>';

const job = inJob();

const challenged = (header: string): Answer => answer(401, '', { 'www-authenticate': header });
const bearer = (authorization: string): Answer =>
  challenged(`Bearer authorization="${authorization}", resource="https://vault.azure.net"`);
const CHALLENGE = bearer(`https://login.microsoftonline.com/${TENANT}`);
const times = (count: number, one: Answer): Answer[] => Array.from({ length: count }, () => one);

/** A vault that answers to requests without a token, and with one, as given. */
function online({ first = [CHALLENGE], then = [answer(200, SECRET)] }: { first?: Answer[]; then?: Answer[] } = {}) {
  return new ScriptedHttp(idToken(), ...first, issued, ...then);
}

/** Every outcome of the reading, and the requests to the vault. */
async function outcome(
  http: ScriptedHttp,
  source: VaultSource = SOURCE,
  mask: (value: string) => void = () => undefined,
): Promise<VaultSecret | Failure> {
  return await readVault(http, source, mask).catch((thrown: unknown) => {
    if (thrown instanceof Failure) return thrown;
    throw thrown;
  });
}

const urls = (http: ScriptedHttp): string[] => http.requests.map(({ method, url }) => `${method} ${url}`);
const toVault = (http: ScriptedHttp) => http.requests.filter(({ url }) => url.startsWith(ORIGIN));

describe('a certificate', () => {
  test('is read in four requests, and the token goes to its vault only', async () => {
    const http = online();
    expect(await outcome(http)).toEqual(READ);
    const secret = `GET ${ORIGIN}/secrets/connector?api-version=7.4`;
    expect(urls(http)).toEqual([
      expect.stringContaining('audience=api%3A%2F%2Fours'),
      secret,
      expect.stringContaining(`POST https://login.microsoftonline.com/${TENANT}/`),
      secret,
    ]);
    expect(toVault(http).map(({ headers }) => headers)).toEqual([
      { 'x-ms-client-request-id': expect.stringMatching(GUID) },
      { 'x-ms-client-request-id': expect.stringMatching(GUID), authorization: `Bearer ${ACCESS}` },
    ]);
    expect(new Set(toVault(http).map(({ headers }) => headers['x-ms-client-request-id'])).size).toBe(2);
    const form = Object.fromEntries(new URLSearchParams(http.requests[2]?.body));
    expect(form).toMatchObject({ client_id: SOURCE.application.clientId });
    expect(form['scope']?.split(' ')).toContain('https://vault.azure.net/.default');
    expect(http.waits).toEqual([]);
    expect(job.written).toContain(
      `Signed in to ${TENANT} as the application ${SOURCE.application.clientId} for Azure Key Vault.`,
    );
  });

  test('the connection to sign in over is opened while the vault is asked', async () => {
    const http = online({
      first: [
        () => {
          expect(http.preconnected).toEqual(['https://login.microsoftonline.com']);
          return answer(404);
        },
      ],
    });
    expect(await outcome(http)).toMatchObject({ code: 'KEY_VAULT_CERTIFICATE_NOT_FOUND' });
  });

  test('of one version is asked for by it', async () => {
    const http = online();
    expect(await outcome(http, ONE_VERSION)).toEqual(READ);
    expect(toVault(http).map(({ url }) => url)).toEqual(
      Array.from({ length: 2 }, () => `${ORIGIN}/secrets/connector/${VERSION}?api-version=7.4`),
    );
  });

  test('in China is elsewhere', async () => {
    const application = { ...SOURCE.application, cloud: cloudByName('china') };
    const http = online();
    expect(await outcome(http, { ...SOURCE, application })).toEqual(READ);
    expect(new Set(http.requests.map(({ url }) => new URL(url).host))).toEqual(
      new Set(['run.actions.githubusercontent.com', 'contoso.vault.azure.cn', 'login.partner.microsoftonline.cn']),
    );
    expect(new URLSearchParams(http.requests[2]?.body).get('scope')).toContain('https://vault.azure.cn/.default');
  });

  test('without an ID token service nothing is asked, and no connection is opened', async () => {
    delete process.env['ACTIONS_ID_TOKEN_REQUEST_URL'];
    const http = online();
    expect(await outcome(http)).toMatchObject({ code: 'ID_TOKEN_UNAVAILABLE' });
    expect([http.requests, http.preconnected]).toEqual([[], []]);
  });
});

describe('the tenant of the vault', () => {
  const OTHERS = 'Basic realm="x", ';

  test.each([
    ['as documented', `Bearer authorization="https://login.windows.net/${TENANT}", resource="https://vault.azure.net"`],
    ['under its older name', `Bearer authorization_uri="https://login.windows.net/${TENANT}"`],
    ['with a slash after it', `Bearer authorization="https://login.windows.net/${TENANT}/"`],
    ['in upper case', `BEARER AUTHORIZATION="HTTPS://LOGIN.WINDOWS.NET/${TENANT.toUpperCase()}"`],
    ['after other words', `${OTHERS}Bearer resource="https://vault.azure.net", authorization="https://h/${TENANT}"`],
  ])('is taken from the challenge %s', async (_how, challenge) => {
    const http = online({ first: [challenged(challenge)] });
    expect(await outcome(http)).toEqual(READ);
    expect(http.requests[2]?.url).toContain(`https://login.microsoftonline.com/${TENANT}/`);
  });

  test.each([
    ['there is no header', answer(401)],
    ['there is no tenant', bearer('https://login.microsoftonline.com/')],
    ['it is a name', bearer('https://login.microsoftonline.com/common')],
    ['the GUID has more before it', bearer(`https://login.microsoftonline.com/x${TENANT}`)],
    ['the GUID has more behind it', bearer(`https://login.microsoftonline.com/${TENANT}0`)],
    ['the GUID has a path behind it', bearer(`https://login.microsoftonline.com/${TENANT}/x`)],
    ['the GUID is deeper in a path', bearer(`https://login.microsoftonline.com/x/${TENANT}`)],
    ['it is not over TLS', bearer(`http://login.microsoftonline.com/${TENANT}`)],
    ['it has no host', bearer(`https:///${TENANT}`)],
    ['the scheme is another', challenged(`XBearer authorization="https://h/${TENANT}"`)],
    ['the scheme only begins like it', challenged(`BearerX authorization="https://h/${TENANT}"`)],
    ['the parameter is another', challenged(`Bearer xauthorization="https://h/${TENANT}"`)],
    ['the quotes are missing', challenged(`Bearer authorization=https://h/${TENANT}`)],
    ['it is far behind', challenged(`Bearer ${' '.repeat(2000)}authorization="https://h/${TENANT}"`)],
  ])('is not known if %s: nobody is signed in', async (_what, response) => {
    const http = online({ first: [response] });
    expect(await outcome(http)).toMatchObject({
      code: 'KEY_VAULT_REFUSED',
      message: expect.stringMatching(/^The key vault does not say in WWW-Authenticate which tenant it belongs to /),
    });
    expect(http.requests).toHaveLength(2);
  });

  test('is in a challenge of up to 2000 characters', async () => {
    const rest = `authorization="https://h/${TENANT}"`;
    const http = online({ first: [challenged(`Bearer ${' '.repeat(2000 - 'Bearer '.length - rest.length)}${rest}`)] });
    expect(await outcome(http)).toEqual(READ);
  });

  test('is not asked of a page that asks for a sign-in', async () => {
    const http = online({ first: [answer(401, PAGE, { 'www-authenticate': 'Basic realm="proxy"' })] });
    expect(await outcome(http)).toMatchObject({
      code: 'INTERCEPTED',
      message: expect.stringContaining('a web page, titled Sign in to the network (HTTP 401, '),
    });
    expect(http.requests).toHaveLength(2);
  });

  test('is not taken from another status', async () => {
    const http = online({
      first: [
        answer(403, error('ForbiddenByConnection'), {
          'www-authenticate': `Bearer authorization="https://h/${TENANT}"`,
        }),
      ],
    });
    expect(await outcome(http)).toMatchObject({ code: 'KEY_VAULT_PUBLIC_ACCESS_OFF' });
    expect(http.requests).toHaveLength(2);
  });
});

describe('signing in', () => {
  test('an application that the tenant does not know: that it was the sign-in to the vault', async () => {
    const failure = await outcome(new ScriptedHttp(idToken(), CHALLENGE, refused(700016)));
    expect(failure).toMatchObject({
      code: 'APPLICATION_NOT_FOUND',
      message: expect.stringContaining(`This was the sign-in to the key vault contoso, in its tenant ${TENANT}, `),
    });
  });

  test('the ID token that was asked for first is used once, and then a fresh one', async () => {
    const http = new ScriptedHttp(idToken(1), CHALLENGE, answer(503), idToken(2), issued, answer(200, SECRET));
    expect(await outcome(http)).toEqual(READ);
    const assertions = [2, 4].map((n) => new URLSearchParams(http.requests[n]?.body).get('client_assertion'));
    expect(new Set(assertions).size).toBe(2);
  });

  test('without an ID token at first it is asked for again', async () => {
    const http = new ScriptedHttp(new TransportError('reset', true), CHALLENGE, idToken(), issued, answer(200, SECRET));
    expect(await outcome(http)).toEqual(READ);
    expect(http.requests).toHaveLength(5);
  });
});

/** With the token or without it, a request is sent again for the same reasons. */
describe.each<[string, (...answers: Answer[]) => ScriptedHttp, Answer, number]>([
  ['without a token', (...answers) => online({ first: answers }), CHALLENGE, 1],
  ['with a token', (...answers) => online({ then: answers }), answer(200, SECRET), 3],
])('the request %s', (_which, vaultOf, good, earlier) => {
  test.each([408, 423, 425, 429, 500, 502, 503, 504])('HTTP %d is transient: it is sent again', async (status) => {
    const http = vaultOf(answer(status, error('x', 'Not now.')), good);
    expect(await outcome(http)).toEqual(READ);
    expect(toVault(http)).toHaveLength(3);
    expect(job.written).toMatch(
      /^The key vault .* \(key vault contoso, certificate connector\): Not now .*Trying again in .* \(1 of 5 tries\)\.$/m,
    );
  });

  test('throttled it waits as the vault asks, or longer each time', async () => {
    const http = vaultOf(...times(4, answer(429)), good);
    expect(await outcome(http)).toEqual(READ);
    expect(http.waits).toEqual([1000, 2000, 4000, 8000]);
    const asked = vaultOf(answer(429, '', { 'retry-after': '7' }), good);
    await outcome(asked);
    expect(asked.waits).toEqual([7000]);
  });

  test('it is sent five times at most', async () => {
    const http = vaultOf(...times(5, answer(503)));
    expect(await outcome(http)).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(http.requests).toHaveLength(earlier + 5);
  });

  test.each<[string, Answer, string]>([
    ['a refusal', answer(403, error('ForbiddenByFirewall')), 'KEY_VAULT_FIREWALL'],
    ['a redirect', answer(302, '', { location: 'https://portal.example' }), 'REDIRECTED'],
    ['a web page', answer(200, PAGE), 'INTERCEPTED'],
    ['a certificate that is not trusted', new TransportError(UNTRUSTED, false), 'TLS_NOT_TRUSTED'],
  ])('%s is final', async (_what, response, code) => {
    const http = vaultOf(response);
    expect(await outcome(http)).toMatchObject({ code });
    expect(http.requests).toHaveLength(earlier + 1);
    expect(http.waits).toEqual([]);
  });

  test('a proxy that is busy is asked again, longer than a name that does not resolve', async () => {
    const busy = new TransportError('Proxy response (503) !== 200 when HTTP Tunneling', false);
    const http = vaultOf(...times(4, busy), good);
    expect(await outcome(http)).toEqual(READ);
    expect(http.requests).toHaveLength(earlier + 4 + (earlier === 1 ? 3 : 1));
    expect(await outcome(vaultOf(...times(5, busy)))).toMatchObject({ code: 'PROXY_REFUSED' });
  });

  test('without a response it is sent again', async () => {
    const http = vaultOf(new TransportError('reset', true), good);
    expect(await outcome(http)).toEqual(READ);
    expect(job.written).toMatch(/^The key vault contoso\.vault\.azure\.net did not answer: reset .*Trying again/im);
  });

  test('cancelled meanwhile: the cancellation is what is reported', async () => {
    const cancelled = new Failure('CANCELLED', 'The job was cancelled.', 'Run the job again.');
    const http: ScriptedHttp = vaultOf(() => {
      http.scripted.end(cancelled);
      return new TransportError('aborted', true);
    });
    expect(await outcome(http)).toBe(cancelled);
    expect(http.requests).toHaveLength(earlier + 1);
  });

  test('a fault of our own is no refusal, and not tried again', async () => {
    const http = vaultOf(() => {
      throw new RangeError('a fault');
    });
    await expect(outcome(http)).rejects.toThrow(new RangeError('a fault'));
    expect(http.requests).toHaveLength(earlier + 1);
  });
});

describe('what the vault has under the name', () => {
  const PEM = '-----BEGIN CERTIFICATE-----\nnot a real one\n-----END CERTIFICATE-----\n';

  test.each([
    ['PKCS#12', {}, 'not a real file'],
    ['PKCS#12 with line breaks', { value: 'bm90IGEg\r\ncmVhbCBmaWxl\n' }, 'not a real file'],
    ['PKCS#12 with one sign of padding', { value: 'YWI=' }, 'ab'],
    ['PKCS#12 with two signs of padding', { value: 'YQ==' }, 'a'],
    ['a type in upper case, with blanks', { contentType: ' Application/X-PKCS12 ' }, 'not a real file'],
    ['PEM, as it came', { value: PEM, contentType: 'application/x-pem-file' }, PEM],
  ])('%s', async (_what, changes, content) => {
    const secret = { ...SECRET, ...changes };
    const http = online({ then: [answer(200, secret)] });
    expect(await outcome(http)).toEqual({ ...READ, content: Buffer.from(content) });
  });

  test.each([
    ['a password', { contentType: 'text/plain' }, 'its content type is text/plain'],
    ['no content type', { contentType: undefined }, 'it has no content type'],
    ['an empty content type', { contentType: ' ' }, 'it has no content type'],
    ['a content type that is no text', { contentType: 12 }, 'it has no content type'],
    ['a long content type', { contentType: `\u001b[1m${'t'.repeat(90)}` }, `its content type is ${'t'.repeat(80)}…`],
    ['an empty value', { value: '' }, 'its value is not base64'],
    ['a value with something before it', { value: '!YWI=' }, 'its value is not base64'],
    ['a value with something behind it', { value: 'YWI=!' }, 'its value is not base64'],
    ['a value with too much padding', { value: 'YQ===' }, 'its value is not base64'],
  ])('%s is no certificate, and not asked for again', async (_what, changes, why) => {
    const http = online({ then: [answer(200, { ...SECRET, ...changes })] });
    expect(await outcome(http)).toMatchObject({
      code: 'KEY_VAULT_NOT_A_CERTIFICATE',
      message: `What the key vault contoso has as connector (version ${VERSION}) is not one of its certificates: ${why}.`,
    });
    expect(http.requests).toHaveLength(4);
  });

  test.each([
    ['a password, which its content type repeats', 200, { value: 'hunter2-db', contentType: 'hunter2-db' }],
    ['a password, in a content type of its own', 200, { value: 'hunter2-db', contentType: 'password=hunter2-db;' }],
    ['a certificate', 200, {}],
    ['a secret without an identifier', 200, { id: 'hunter2' }],
    ['a secret with a status that is not believed', 203, {}],
  ])('%s is masked before anything else is done with it', async (_what, status, changes) => {
    const secret = { ...SECRET, ...changes };
    const masked: string[] = [];
    const http = online({ then: times(5, answer(status, secret)) });
    const result = await outcome(http, SOURCE, (value) => masked.push(value));
    expect(new Set(masked)).toEqual(new Set([secret.value]));
    if (result instanceof Failure) expect(result.message).not.toContain('hunter2');
  });

  test.each<[string, unknown]>([
    ['nothing', ''],
    ['no JSON', '{"value":"'],
    ['a list', [SECRET]],
    ['no value', { ...SECRET, value: undefined }],
    ['a value that is no text', { ...SECRET, value: ['bm90'] }],
    ['no identifier', { ...SECRET, id: undefined }],
    ['an identifier without a version', { ...SECRET, id: `${ORIGIN}/secrets/connector` }],
    ['a version that is too long', { ...SECRET, id: `${SECRET.id}0` }],
    ['a version with more behind it', { ...SECRET, id: `${SECRET.id}/x` }],
    ['a version of other signs', { ...SECRET, id: `${ORIGIN}/secrets/connector/${'g'.repeat(32)}` }],
  ])('%s cannot be read, and is asked for again', async (_what, body) => {
    const http = online({ then: [answer(200, body), answer(200, SECRET)] });
    expect(await outcome(http)).toEqual(READ);
    expect(job.written).toMatch(/^The key vault answered without the secret .*Trying again/m);
  });

  test('a secret in a response other than 200 is not believed', async () => {
    const http = online({ then: times(5, answer(203, SECRET)) });
    expect(await outcome(http)).toMatchObject({ code: 'KEY_VAULT_REFUSED' });
  });

  test('the version is read in any letter case', async () => {
    const http = online({ then: [answer(200, { ...SECRET, id: SECRET.id.toUpperCase() })] });
    expect(await outcome(http)).toMatchObject({ version: VERSION.toUpperCase() });
  });

  test('a refusal to the request with the token names the tenant that was signed in to', async () => {
    const http = online({ then: [answer(404, error('SecretNotFound'))] });
    expect(await outcome(http)).toMatchObject({
      code: 'KEY_VAULT_CERTIFICATE_NOT_FOUND',
      remedy: expect.stringContaining(`az login --tenant ${TENANT} --allow-no-subscriptions`),
    });
  });
});
