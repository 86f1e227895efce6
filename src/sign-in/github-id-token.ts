/** GitHub's ID token: the client assertion of the federated credential. */
import { Failure } from '../failure.ts';
import type { Http } from '../http/client.ts';
import { answeredInstead } from '../http/intercepted.ts';
import { retryAfter, retryForStatus, type Verdict } from '../http/verdict.ts';
import { clean } from '../text/clean.ts';
import { isToken, jwtClaims, parseObject, stringOf, type JsonObject } from '../text/json.ts';
import { hide } from '../text/secrets.ts';
import { workflowRun, type WorkflowRun } from './workflow-run.ts';

/** Who is asked, as a person calls it. */
export const SERVICE = "GitHub's ID token service";

/** What the ID token may take, in milliseconds: its service is next to the runner. */
const TIMEOUT = 15_000;

/** Where the runner gives out ID tokens, and with what. */
export interface IdTokenService {
  readonly url: string;
  readonly token: string;
}

/** A signed JWT, and of its claims those that a federated credential is matched by. */
export interface IdToken {
  readonly jwt: string;
  /** @foreign */
  readonly issuer: string;
  /** @foreign */
  readonly subject: string;
  /** @foreign */
  readonly audience: string;
}

/**
 * The service that this job may ask.
 * @throws Failure ID_TOKEN_UNAVAILABLE if the job has no `permissions: id-token: write`, or if what it has cannot be used
 */
export async function idTokenService(environment: NodeJS.ProcessEnv): Promise<IdTokenService> {
  const url = environment['ACTIONS_ID_TOKEN_REQUEST_URL'];
  const token = environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
  if (url && token) {
    hide(token);
    const why = whyUnusable(url, token);
    if (why === undefined) return { url, token };
    throw new Failure(
      'ID_TOKEN_UNAVAILABLE',
      `The job cannot ask GitHub for an ID token: ${why}.`,
      'The runner sets both variables itself. Check that no step, and no env of the workflow, overwrites them.',
    );
  }
  const run = await workflowRun(environment);
  throw new Failure(
    'ID_TOKEN_UNAVAILABLE',
    `GitHub gives this job no ID token. ${whyNone(run)}`.trim(),
    howToGetOne(run),
  );
}

/** What would not reach the service, or only in clear. */
function whyUnusable(url: string, token: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(token)) return 'ACTIONS_ID_TOKEN_REQUEST_TOKEN holds characters that no header can have';
  // URL itself leaves out tabs and line breaks, wherever they stand.
  if (!/^[\x21-\x7e]+$/.test(url)) return 'ACTIONS_ID_TOKEN_REQUEST_URL holds characters that no URL can have';
  if (!URL.canParse(url)) return 'ACTIONS_ID_TOKEN_REQUEST_URL is not a URL';
  const { protocol, hostname } = new URL(url);
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback)) return undefined;
  return 'ACTIONS_ID_TOKEN_REQUEST_URL is not an https URL, and the request token must not go out in clear';
}

function whyNone(run: WorkflowRun): string {
  if (run.fromFork) return 'The event is a pull request from a fork, and such runs get none.';
  if (run.byDependabot) return 'Dependabot started this run, and such runs get none by default.';
  return '';
}

function howToGetOne(run: WorkflowRun): string {
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
 * @throws TransportError
 * @see https://docs.github.com/actions/reference/security/oidc
 */
export async function requestIdToken(
  http: Http,
  service: IdTokenService,
  audience: string,
): Promise<{ readonly done: IdToken } | Verdict> {
  const response = await http.send({
    method: 'GET',
    url: withAudience(service.url, audience),
    headers: { authorization: `bearer ${service.token}` },
    timeout: TIMEOUT,
  });
  const { status } = response;
  const instead = answeredInstead(response, SERVICE);
  if (instead) return { failure: instead, retry: 'no' };
  const jwt = status === 200 ? parseObject(response.body)['value'] : undefined;
  if (isToken(jwt)) {
    hide(jwt);
    const claims = jwtClaims(jwt);
    if (claims) return { done: { jwt, ...matchedClaims(claims) } };
  }
  const at = clean(response.headers['date']) || new Date().toISOString();
  if (status === 200 || retryForStatus(status) !== 'no') {
    const what = status === 200 ? 'answered without a token' : `answered HTTP ${status}`;
    return {
      failure: new Failure(
        'SERVICE_UNAVAILABLE',
        `${SERVICE} ${what} (${at}).`,
        'Run the job again; see https://www.githubstatus.com.',
      ),
      retry: 'yes',
      retryAfter: retryAfter(response, new Date()),
    };
  }
  return {
    failure: new Failure(
      'ID_TOKEN_REFUSED',
      `${SERVICE} refused: HTTP ${status} (${at}).`,
      'Check that the job has permissions: id-token: write, and run it again. The permission to ask ends with the job.',
    ),
    retry: 'no',
  };
}

/** Next to the parameters that the runner's URL has already. */
function withAudience(url: string, audience: string): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname}${search === '' ? '?' : `${search}&`}audience=${encodeURIComponent(audience)}`;
}

function matchedClaims(claims: JsonObject): Omit<IdToken, 'jwt'> {
  return { issuer: stringOf(claims['iss']), subject: stringOf(claims['sub']), audience: stringOf(claims['aud']) };
}
