/** Signing in from end to end: which requests, in which order, and what another attempt helps with. */
import { describe, expect, test } from '@jest/globals';
import { Failure } from '../../src/failure.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import { cloudByName, graphIn, vaultIn, type Application } from '../../src/sign-in/application.ts';
import type { AccessToken } from '../../src/sign-in/entra.ts';
// The step loads it when it is needed; here no test of its own should count that as its work.
import '../../src/sign-in/entra.ts';
import { requestFirstIdToken, signIn, whichApplication } from '../../src/sign-in/sign-in.ts';
import { answer, ScriptedHttp } from '../scripted-http.ts';
import { ACCESS, idToken, inJob, issued, refused } from './scripted-sign-in.ts';

const application: Application = {
  tenantId: '11111111-2222-4333-8444-555555555555',
  clientId: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
  cloud: cloudByName('global'),
  audience: 'api://ours',
};
const job = inJob();

async function signedIn(http: ScriptedHttp): Promise<AccessToken> {
  return await signIn(http, application, graphIn(application.cloud));
}

const urls = (http: ScriptedHttp): string[] => http.requests.map(({ url }) => new URL(url).host);

test('an ID token for the audience of the federated credential, and an access token for it', async () => {
  const http = new ScriptedHttp(idToken(), issued);
  expect(await signedIn(http)).toEqual({ token: ACCESS, roles: ['APIConnectors.ReadWrite.All'] });
  expect(urls(http)).toEqual(['run.actions.githubusercontent.com', 'login.microsoftonline.com']);
  expect(new URL(http.requests[0]?.url ?? '').searchParams.get('audience')).toBe('api://ours');
  expect(job.written).toContain(`Signed in to ${application.tenantId} as the application ${application.clientId}.`);
});

test('the connections that are needed next are opened meanwhile', async () => {
  const http = new ScriptedHttp(idToken(), issued);
  await signedIn(http);
  expect(http.preconnected).toEqual(['https://login.microsoftonline.com', 'https://graph.microsoft.com']);
});

test('to another service than Microsoft Graph: the log says to which', async () => {
  await signIn(new ScriptedHttp(idToken(), issued), application, vaultIn(application.cloud, 'contoso'));
  expect(job.written).toContain(`as the application ${application.clientId} for Azure Key Vault.`);
});

describe('an ID token that was asked for before', () => {
  test('is used, once', async () => {
    const http = new ScriptedHttp(idToken(1), answer(503), idToken(2), issued);
    const { first } = await requestFirstIdToken(http, 'api://ours');
    await first;
    await signIn(http, application, graphIn(application.cloud), first);
    expect(urls(http).map((host) => (host.startsWith('login') ? 'Entra' : 'GitHub'))).toEqual([
      'GitHub',
      'Entra',
      'GitHub',
      'Entra',
    ]);
    const assertions = [1, 3].map((n) => new URLSearchParams(http.requests[n]?.body).get('client_assertion'));
    expect(new Set(assertions).size).toBe(2);
  });

  test('that did not come is no failure of its own, if nobody signs in', async () => {
    const failure = new Failure('CANCELLED', 'The job was cancelled (SIGINT).', 'Run the job again.');
    const http: ScriptedHttp = new ScriptedHttp(() => {
      http.scripted.end(failure);
      return new TransportError('aborted', true);
    });
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): number => unhandled.push(reason);
    process.on('unhandledRejection', listen);
    const { first } = await requestFirstIdToken(http, 'api://ours');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
    await expect(first).rejects.toThrow('aborted');
  });
});

describe('which of two applications a failure is about', () => {
  const which = 'This was the sign-in to Microsoft Graph.';
  const failed = (code: Failure['code']): Failure => new Failure(code, 'No.', 'Do this.');

  test.each(['APPLICATION_NOT_FOUND', 'ISSUER_UNREACHABLE', 'SERVICE_UNAVAILABLE', 'ENTERPRISE_POLICY'] as const)(
    '%s: it is said',
    (code) => {
      expect(whichApplication(failed(code), which)).toMatchObject({
        code,
        message: `No. ${which}`,
        remedy: 'Do this.',
      });
    },
  );

  test.each(['ID_TOKEN_UNAVAILABLE', 'NETWORK_UNREACHABLE', 'CANCELLED', 'INTERNAL_ERROR'] as const)(
    '%s: about none of them',
    (code) => {
      const failure = failed(code);
      expect(whichApplication(failure, which)).toBe(failure);
    },
  );

  test('what is no failure is left as it is', () => {
    const error = new Error('odd');
    expect(whichApplication(error, which)).toBe(error);
  });
});

test('without an ID token service nothing is asked, and no connection is opened', async () => {
  delete process.env['ACTIONS_ID_TOKEN_REQUEST_URL'];
  const http = new ScriptedHttp();
  await expect(signedIn(http)).rejects.toMatchObject({ code: 'ID_TOKEN_UNAVAILABLE' });
  expect([http.requests, http.preconnected]).toEqual([[], []]);
});

describe("GitHub's ID token service", () => {
  test('without a response is asked again', async () => {
    const http = new ScriptedHttp(new TransportError('other side closed', true), idToken(), issued);
    expect(await signedIn(http)).toHaveProperty('token', ACCESS);
    expect(http.requests).toHaveLength(3);
    expect(job.written).toMatch(/GitHub's ID token service did not answer: other side closed .*Trying again in /);
  });

  test('that is not trusted ends the step', async () => {
    const http = new ScriptedHttp(new TransportError('no trust (SELF_SIGNED_CERT_IN_CHAIN)', false));
    await expect(signedIn(http)).rejects.toMatchObject({
      code: 'TLS_NOT_TRUSTED',
      message: expect.stringContaining("The TLS certificate of GitHub's ID token service is not trusted"),
    });
    expect(http.requests).toHaveLength(1);
  });

  test('without a response because the step ended: only that is reported', async () => {
    const cancelled = new Failure('CANCELLED', 'The job was cancelled (SIGINT).', 'Run the job again.');
    const http: ScriptedHttp = new ScriptedHttp(() => {
      http.scripted.end(cancelled);
      return new TransportError('The job was cancelled', true);
    });
    await expect(signedIn(http)).rejects.toBe(cancelled);
  });

  test('that refuses ends the step', async () => {
    const http = new ScriptedHttp(answer(403));
    await expect(signedIn(http)).rejects.toMatchObject({ code: 'ID_TOKEN_REFUSED' });
    expect(http.requests).toHaveLength(1);
  });
});

describe('Microsoft Entra', () => {
  test('that is busy is asked again, with a fresh ID token', async () => {
    const http = new ScriptedHttp(idToken(1), answer(503), idToken(2), issued);
    expect(await signedIn(http)).toHaveProperty('token', ACCESS);
    const assertions = [1, 3].map((n) => new URLSearchParams(http.requests[n]?.body).get('client_assertion'));
    expect(new Set(assertions).size).toBe(2);
    expect(job.written).not.toContain('Waiting for the federated credential');
  });

  test('that knows no credential yet is asked again, and a notice reports the wait once', async () => {
    const http = new ScriptedHttp(idToken(), refused(700213), idToken(), refused(700213), idToken(), issued);
    expect(await signedIn(http)).toHaveProperty('token', ACCESS);
    expect(http.waits).toEqual([5000, 5000]);
    expect(job.written.match(/::notice title=Waiting for the federated credential::.*up to 25 s\./g)).toHaveLength(1);
  });

  test.each([700213, 70025])('AADSTS%d may be a credential that was just made', async (code) => {
    await signedIn(new ScriptedHttp(idToken(), refused(code), idToken(), issued));
    expect(job.written).toContain('Waiting for the federated credential');
  });

  test('whose policy may let the next ID token pass is asked again, and no notice talks of a new credential', async () => {
    const http = new ScriptedHttp(idToken(), refused(7002381), idToken(), issued);
    expect(await signedIn(http)).toHaveProperty('token', ACCESS);
    expect(http.waits).toEqual([5000]);
    expect(job.written).not.toContain('federated credential');
  });

  test('that refuses for good ends the step', async () => {
    const http = new ScriptedHttp(idToken(), refused(700016));
    await expect(signedIn(http)).rejects.toMatchObject({ code: 'APPLICATION_NOT_FOUND' });
    expect(http.requests).toHaveLength(2);
  });
});
