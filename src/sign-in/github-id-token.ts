/** GitHub's ID token: the client assertion of the federated credential. */
import { setSecret } from '@actions/core';
import { clean } from '../text/clean.ts';
import { Failure } from '../failure.ts';
import type { RunContext } from './workflow-run.ts';
import { RETRY, retryAfter, TransportError, type Attempt, type Http, type HttpResponse } from '../http/client.ts';
import { explainTransport, isRedirect, redirected } from '../http/refusal.ts';

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
export function idTokenService(environment: NodeJS.ProcessEnv, run: RunContext): IdTokenService {
  const url = environment['ACTIONS_ID_TOKEN_REQUEST_URL'];
  const token = environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
  if (url && token && URL.canParse(url)) {
    setSecret(token);
    return { url, token };
  }
  throw new Failure(
    'ID_TOKEN_UNAVAILABLE',
    `GitHub gives this job no ID token. ${whyNone(run)}`.trim(),
    howToGetOne(run),
  );
}

function whyNone(run: RunContext): string {
  if (run.fromFork) return 'The event is a pull request from a fork, and such runs get none.';
  if (run.byDependabot) return 'Dependabot started this run, and such runs get none.';
  return '';
}

function howToGetOne(run: RunContext): string {
  if (run.fromFork || run.byDependabot) {
    return 'Run this workflow on push, schedule or workflow_dispatch instead: whoever can change the code of a pull request must not reach the certificate.';
  }
  return `Add to the job (in a reusable workflow, to the job that calls it as well: the caller can only take away):
permissions:
  id-token: write
  contents: read`;
}

/**
 * Asks once for a fresh ID token; it lives five minutes.
 * @throws Failure ID_TOKEN_REFUSED, or one of the network, where asking again will not help
 * @see https://docs.github.com/actions/reference/security/oidc
 */
export async function requestIdToken(http: Http, service: IdTokenService, audience: string): Promise<Attempt<IdToken>> {
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
    http.signal.throwIfAborted();
    const { failure, again } = explainTransport(error, "GitHub's ID token service");
    if (!again) throw failure;
    return { again: failure };
  }
  const { status } = response;
  if (isRedirect(status)) throw redirected("GitHub's ID token service", status);
  const jwt = status === 200 ? tokenIn(response.body) : undefined;
  if (jwt !== undefined) {
    setSecret(jwt);
    const claims = claimsOf(jwt);
    if (claims) return { done: { jwt, ...claims } };
  }
  const at = clean(response.headers['date']) || new Date().toISOString();
  if (status === 200 || status === 408 || status === 429 || status >= 500) {
    const what = status === 200 ? 'answered without a token' : `answered HTTP ${status}`;
    return {
      again: new Failure(
        'SERVICE_UNAVAILABLE',
        `GitHub's ID token service ${what} (${at}).`,
        'Run the job again; see https://www.githubstatus.com.',
      ),
      retryAfter: retryAfter(response, new Date()),
    };
  }
  throw new Failure(
    'ID_TOKEN_REFUSED',
    `GitHub's ID token service refused: HTTP ${status} (${at}).`,
    'Check that the job has permissions: id-token: write, and run it again. The permission to ask ends with the job.',
  );
}

function tokenIn(body: string): string | undefined {
  try {
    const { value } = JSON.parse(body) as { value?: unknown };
    // It is masked before anything else, so a short word that is no token must not get that far.
    return typeof value === 'string' && /^[\x21-\x7e]{16,}$/.test(value) ? value : undefined;
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
    return { issuer: text(claims['iss']), subject: text(claims['sub']), audience: text(claims['aud']) };
  } catch {
    return undefined;
  }
}

function text(claim: unknown): string {
  return typeof claim === 'string' ? claim : '';
}
