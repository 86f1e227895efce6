/** Signing in: GitHub's ID token is the client assertion, an access token for one resource comes back. */
import { info, notice } from '@actions/core';
import { Failure, withSentence, type FailureCode } from '../failure.ts';
import type { Http } from '../http/client.ts';
import { retry } from '../http/retry.ts';
import type { Verdict } from '../http/verdict.ts';
import { graphIn, type Application, type Resource } from './application.ts';
import type { AccessToken } from './entra.ts';
import { idTokenService, requestIdToken, SERVICE, type IdToken } from './github-id-token.ts';

/** An ID token that was asked for, or why there is none. */
export type FirstIdToken = Promise<{ readonly done: IdToken } | Verdict>;

/**
 * Asks for an ID token before it is known which tenant it is for, which saves a round trip.
 * @throws Failure ID_TOKEN_UNAVAILABLE before any connection is opened
 */
export async function requestFirstIdToken(http: Http, audience: string): Promise<{ readonly first: FirstIdToken }> {
  const first = requestIdToken(http, await idTokenService(process.env), audience);
  // If nobody signs in with it after all, nobody wants to know why it did not come.
  first.catch(() => undefined);
  return { first };
}

/**
 * Signs in as one application to one resource. Each attempt gets a fresh ID token, since that lives for five minutes only.
 * @param first of {@link requestFirstIdToken}, for the first attempt
 * @throws Failure ID_TOKEN_UNAVAILABLE before any connection is opened; what GitHub's and Entra's refusals mean
 */
export async function signIn(
  http: Http,
  application: Application,
  resource: Resource,
  first?: FirstIdToken,
): Promise<AccessToken> {
  const service = await idTokenService(process.env);
  const { deadline } = http;
  let noticed = false;
  const signedIn = retry({ deadline, service: SERVICE, log: info }, async (n) => {
    // The sign-in library takes longer to start than anything else here: meanwhile the ID token is on its way.
    const [idToken, { exchange }] = await Promise.all([
      n === 1 && first ? first : requestIdToken(http, service, application.audience),
      import(/* webpackMode: "eager" */ './entra.ts'),
    ]);
    if (!('done' in idToken)) return idToken;
    const outcome = await exchange(http, application, resource, idToken.done);
    if ('retry' in outcome && outcome.within !== undefined && !noticed && MAY_BE_NEW.includes(outcome.failure.code)) {
      noticed = true;
      noticeWaiting(outcome.within);
    }
    return outcome;
  });
  // Needed next: their handshakes cost nothing while the ID token is on its way.
  http.preconnect(application.cloud.loginOrigin);
  http.preconnect(resource.origin);
  const access = await signedIn;
  const to = resource.origin === graphIn(application.cloud).origin ? '' : ` for ${resource.name}`;
  info(`Signed in to ${application.tenantId} as the application ${application.clientId}${to}.`);
  return access;
}

/** What Entra also answers while it does not know a new federated credential everywhere. */
const MAY_BE_NEW: readonly FailureCode[] = ['FEDERATED_CREDENTIAL_MISMATCH', 'FEDERATED_CREDENTIAL_MISSING'];

/** What has nothing to do with an application: the way to the services, GitHub's ID token, and the end of the step. */
const NOT_ABOUT_AN_APPLICATION: readonly FailureCode[] = [
  'ID_TOKEN_UNAVAILABLE',
  'ID_TOKEN_REFUSED',
  'RESPONSE_TOO_LARGE',
  'INTERCEPTED',
  'REDIRECTED',
  'NETWORK_UNREACHABLE',
  'PROXY_INVALID',
  'PROXY_AUTHENTICATION_REQUIRED',
  'PROXY_REFUSED',
  'TLS_NOT_TRUSTED',
  'STEP_TIMEOUT',
  'CANCELLED',
  'INTERNAL_ERROR',
];

/**
 * What a failed sign-in says if the step signs in as two applications; any other error is left as it is.
 * The commands of its remedy sign in to the tenant of that application themselves.
 * @param which which of the two it was, a sentence
 */
export function whichApplication(error: unknown, which: string): unknown {
  if (!(error instanceof Failure) || NOT_ABOUT_AN_APPLICATION.includes(error.code)) return error;
  return withSentence(error, which);
}

function noticeWaiting(milliseconds: number): void {
  notice(
    `No federated credential fits yet. One that was just created takes a while to be known everywhere, so the step tries again for up to ${milliseconds / 1000} s.`,
    { title: 'Waiting for the federated credential' },
  );
}
