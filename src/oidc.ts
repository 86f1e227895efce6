/** GitHub's ID token: the client assertion of the federated credential. */
import { setSecret } from '@actions/core';
import { Failure } from './failure.ts';
import { RETRY, reason, TransportError, type Http, type HttpResponse } from './http.ts';

/** Where the runner gives out ID tokens, and with what. */
export interface IdTokenService {
  readonly url: string;
  readonly token: string;
}

/** A signed JWT, and of its claims those that a federated credential is matched by. */
export interface IdToken {
  readonly jwt: string;
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

/**
 * The service that this job may ask.
 * @throws Failure ID_TOKEN_UNAVAILABLE where the job has no `permissions: id-token: write`
 */
export function idTokenService(environment: NodeJS.ProcessEnv): IdTokenService {
  const url = environment['ACTIONS_ID_TOKEN_REQUEST_URL'];
  const token = environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
  if (url && token && URL.canParse(url)) {
    setSecret(token);
    return { url, token };
  }
  throw new Failure(
    'ID_TOKEN_UNAVAILABLE',
    'GitHub gives this job no ID token.',
    `Add to the job (and, where it is a reusable workflow, to the job that calls it):
permissions:
  id-token: write
  contents: read`,
  );
}

/**
 * Asks once for a fresh ID token; it lives five minutes.
 * @throws Failure SERVICE_UNAVAILABLE where asking again may help, ID_TOKEN_REFUSED where it will not
 * @see https://docs.github.com/actions/reference/security/oidc
 */
export async function requestIdToken(http: Http, service: IdTokenService, audience: string): Promise<IdToken> {
  let response: HttpResponse;
  try {
    response = await http.send({
      method: 'GET',
      url: `${service.url}&audience=${encodeURIComponent(audience)}`,
      headers: { authorization: `bearer ${service.token}` },
      timeout: RETRY.idTokenTimeout,
    });
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    throw new Failure(
      'SERVICE_UNAVAILABLE',
      `GitHub's ID token service did not answer: ${reason(error)}.`,
      'Run the job again.',
      { cause: error },
    );
  }
  const jwt = tokenIn(response.body);
  if (response.status === 200 && jwt !== undefined) {
    setSecret(jwt);
    const claims = claimsOf(jwt);
    if (claims) return { jwt, ...claims };
  }
  const passing =
    response.status === 200 || response.status === 408 || response.status === 429 || response.status >= 500;
  throw new Failure(
    passing ? 'SERVICE_UNAVAILABLE' : 'ID_TOKEN_REFUSED',
    response.status === 200
      ? "GitHub's ID token service answered without a token."
      : `GitHub's ID token service answered ${response.status}.`,
    passing
      ? 'Run the job again; see https://www.githubstatus.com.'
      : 'Check that the job has permissions: id-token: write, and run it again.',
  );
}

function tokenIn(body: string): string | undefined {
  try {
    const { value } = JSON.parse(body) as { value?: unknown };
    return typeof value === 'string' && value !== '' ? value : undefined;
  } catch {
    return undefined;
  }
}

function claimsOf(jwt: string): Omit<IdToken, 'jwt'> | undefined {
  try {
    const claims = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8')) as Record<
      string,
      unknown
    >;
    return { issuer: String(claims['iss']), subject: String(claims['sub']), audience: String(claims['aud']) };
  } catch {
    return undefined;
  }
}
