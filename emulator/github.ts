/**
 * GitHub's OIDC provider.
 *
 * Documented: the claims, that the token is RS256 and lives five minutes, the issuer's discovery document and keys, and
 * that without an audience the owner's URL is used.
 * As its client reads it: `GET <request URL>&audience=…` with `Authorization: bearer <request token>` → `{"value": "<jwt>"}`.
 * Assumed: the field `count`, and how a wrong request token is refused.
 */
import { exportJWK, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { randomBytes, randomUUID } from 'node:crypto';
import type { Answer, ReceivedRequest, RequestKind, Service } from './service.ts';
import { signingKeys } from './signing-keys.ts';

export const ISSUER = 'https://token.actions.githubusercontent.com';
const REQUEST_HOST = 'pipelines.actions.githubusercontent.com';
const KEY_ID = 'emulator-github';
const LIFETIME_SECONDS = 5 * 60;

export class GitHubOidc implements Service {
  readonly name = 'id-token';
  readonly hosts = [REQUEST_HOST, new URL(ISSUER).host];
  /** What ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN hold. */
  readonly requestUrl = `https://${REQUEST_HOST}/${randomUUID()}/_apis/distributedtask/hubs/Actions/plans/${randomUUID()}/jobs/${randomUUID()}/idtoken?api-version=2.0`;
  readonly requestToken = randomBytes(48).toString('base64url');
  /** Claims that replace or join the usual ones; the subject of a repository made since July 2026, say. */
  claims: JWTPayload;
  /** Every token given out. */
  readonly issued: string[] = [];
  readonly #keys = signingKeys('github');
  readonly #now: () => Date;

  constructor(claims: JWTPayload, now: () => Date) {
    this.claims = claims;
    this.#now = now;
  }

  /** The key that this issuer's tokens are verified with, undefined for an issuer that cannot be reached. */
  async publicKey(issuer: string): Promise<CryptoKey | undefined> {
    return issuer === this.#issuer ? (await this.#keys).publicKey : undefined;
  }

  kindOf(_method: string, path: string): RequestKind {
    return path.includes('/idtoken') ? 'id-token' : 'other';
  }

  async answer(request: ReceivedRequest): Promise<Answer> {
    const url = new URL(request.path, `https://${request.host}`);
    if (request.kind === 'id-token' && url.host === REQUEST_HOST) return this.#idToken(request, url);
    const publisher = `https://${url.host}`;
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /.well-known/openid-configuration':
        return {
          status: 200,
          body: {
            issuer: this.#issuer,
            jwks_uri: `${publisher}/.well-known/jwks`,
            id_token_signing_alg_values_supported: ['RS256'],
          },
        };
      case 'GET /.well-known/jwks': {
        const key = await exportJWK((await this.#keys).publicKey);
        return { status: 200, body: { keys: [{ ...key, kid: KEY_ID, alg: 'RS256', use: 'sig' }] } };
      }
      default:
        return { status: 404 };
    }
  }

  /** A token as GitHub would sign it now. */
  async sign(audience: string, claims: JWTPayload = {}): Promise<string> {
    const iat = Math.floor(this.#now().getTime() / 1000);
    const [owner, repository] = ['octo-org', 'octo-org/octo-repo'];
    const jwt = await new SignJWT({
      jti: randomUUID(),
      sub: `repo:${repository}:environment:production`,
      aud: audience,
      ref: 'refs/heads/main',
      sha: '0123456789abcdef0123456789abcdef01234567',
      repository,
      repository_owner: owner,
      repository_owner_id: '123',
      repository_id: '456',
      repository_visibility: 'private',
      run_id: '1658821493',
      run_number: '42',
      run_attempt: '1',
      actor: 'octocat',
      actor_id: '583231',
      workflow: 'Rotate certificate',
      workflow_ref: `${repository}/.github/workflows/rotate.yml@refs/heads/main`,
      job_workflow_ref: `${repository}/.github/workflows/rotate.yml@refs/heads/main`,
      event_name: 'workflow_dispatch',
      ref_type: 'branch',
      environment: 'production',
      runner_environment: 'github-hosted',
      iss: ISSUER,
      nbf: iat - LIFETIME_SECONDS,
      exp: iat + LIFETIME_SECONDS,
      iat,
      ...this.claims,
      ...claims,
    })
      .setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid: KEY_ID, x5t: KEY_ID })
      .sign((await this.#keys).privateKey);
    this.issued.push(jwt);
    return jwt;
  }

  get #issuer(): string {
    return this.claims.iss ?? ISSUER;
  }

  async #idToken(request: ReceivedRequest, url: URL): Promise<Answer> {
    const expected = new URL(this.requestUrl);
    if (
      request.method !== 'GET' ||
      url.pathname !== expected.pathname ||
      url.searchParams.get('api-version') !== '2.0'
    ) {
      return { status: 404, body: { message: 'Not Found' } };
    }
    const [scheme, token] = request.headers['authorization']?.split(' ') ?? [];
    if (scheme?.toLowerCase() !== 'bearer' || token !== this.requestToken) {
      return { status: 401, body: { message: 'Unauthorized' } };
    }
    const value = await this.sign(url.searchParams.get('audience') ?? 'https://github.com/octo-org');
    return {
      status: 200,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: { count: value.length, value },
    };
  }
}
