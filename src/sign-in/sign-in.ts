/** Signing in: GitHub's ID token is the client assertion, an access token for one resource comes back. */
import { info, notice } from '@actions/core';
import type { Http } from '../http/client.ts';
import { retry } from '../http/retry.ts';
import type { Application, Resource } from './application.ts';
import type { AccessToken } from './entra.ts';
import { idTokenService, requestIdToken, SERVICE } from './github-id-token.ts';

/**
 * Signs in as one application to one resource. Each attempt gets a fresh ID token, since that lives for five minutes only.
 * @throws Failure ID_TOKEN_UNAVAILABLE before any connection is opened; what GitHub's and Entra's refusals mean
 */
export async function signIn(http: Http, application: Application, resource: Resource): Promise<AccessToken> {
  const service = await idTokenService(process.env);
  const { deadline } = http;
  let noticed = false;
  const signedIn = retry({ deadline, service: SERVICE, log: info }, async () => {
    // The sign-in library takes longer to start than anything else here: meanwhile the ID token is on its way.
    const [idToken, { exchange }] = await Promise.all([
      requestIdToken(http, service, application.audience),
      import(/* webpackMode: "eager" */ './entra.ts'),
    ]);
    if (!('done' in idToken)) return idToken;
    const outcome = await exchange(http, application, resource, idToken.done);
    if ('retry' in outcome && outcome.within !== undefined && !noticed) {
      noticed = true;
      noticeWaiting(outcome.within);
    }
    return outcome;
  });
  // Needed next: their handshakes cost nothing while the ID token is on its way.
  http.preconnect(application.cloud.loginOrigin);
  http.preconnect(resource.origin);
  const access = await signedIn;
  info(`Signed in to ${application.tenantId} as the application ${application.clientId}.`);
  return access;
}

function noticeWaiting(milliseconds: number): void {
  notice(
    `No federated credential fits yet. One that was just created takes a while to be known everywhere, so the step tries again for up to ${milliseconds / 1000} s.`,
    { title: 'Waiting for the federated credential' },
  );
}
