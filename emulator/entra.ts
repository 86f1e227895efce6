/**
 * Microsoft Entra's token endpoint for a client credentials grant with a federated credential.
 *
 * Documented: the form's parameters, the refusal's shape, what each AADSTS code means, and that issuer, subject and
 * audience are compared exactly, letter case included.
 * As seen in answers: the wording of the descriptions with Trace ID, Correlation ID and Timestamp at the end.
 * Assumed: the order of the checks, some of the `error` words, and 700027 for a signature that does not verify.
 */
import { decodeJwt, exportJWK, jwtVerify, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { createHash, randomUUID } from 'node:crypto';
import { discoveryDocument } from './entra-discovery.ts';
import type { Answer, ReceivedRequest, RequestKind, Service } from './service.ts';
import { signingKeys } from './signing-keys.ts';

export interface EntraCloud {
  readonly loginHost: string;
  readonly graphHost: string;
  /** What a token for a vault is for. */
  readonly vaultResource: string;
  /** What a token for Azure Resource Manager is for, in its two spellings. */
  readonly managementResources: readonly string[];
}

export interface FederatedCredential {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

export interface App {
  readonly loginHost: string;
  readonly tenantId: string;
  /** A verified domain of the tenant, which addresses it as its id does. */
  readonly tenantDomain?: string;
  readonly clientId: string;
  readonly displayName?: string;
  /** Application permissions with admin consent. */
  readonly roles: readonly string[];
  readonly federatedCredentials: readonly FederatedCredential[];
  readonly disabled?: boolean;
  /** The id of its service principal; made from the client id unless given. */
  readonly objectId?: string;
}

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const KEY_ID = 'emulator-entra';
const LIFETIME_SECONDS = 3599;
/** The `error` of a refusal and its status, where they are not those of a request that is wrong in itself. */
const INVALID_CLIENT = { status: 401, error: 'invalid_client' };
const ERRORS: Readonly<Record<number, { status: number; error: string }>> = {
  70021: INVALID_CLIENT,
  70025: INVALID_CLIENT,
  700211: INVALID_CLIENT,
  700212: INVALID_CLIENT,
  700213: INVALID_CLIENT,
  700024: INVALID_CLIENT,
  700027: INVALID_CLIENT,
  7002131: INVALID_CLIENT,
  7002138: INVALID_CLIENT,
  50027: INVALID_CLIENT,
  50166: INVALID_CLIENT,
  700016: { status: 400, error: 'unauthorized_client' },
  7000112: { status: 401, error: 'unauthorized_client' },
  500011: { status: 400, error: 'invalid_resource' },
  1002012: { status: 400, error: 'invalid_scope' },
  70003: { status: 400, error: 'unsupported_grant_type' },
  53003: { status: 400, error: 'access_denied' },
  90033: { status: 503, error: 'temporarily_unavailable' },
};

/** Entra's answer for this AADSTS code; a test may force any. */
export function refusal(code: number, description = 'Forced by the test.', at = new Date()): Answer {
  const [trace, correlation] = [randomUUID(), randomUUID()];
  const timestamp = utc(at);
  const { status, error } = ERRORS[code] ?? { status: 400, error: 'invalid_request' };
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store, no-cache',
      'x-ms-request-id': trace,
    },
    body: {
      error,
      error_description: `AADSTS${code}: ${description} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
      error_codes: [code],
      timestamp,
      trace_id: trace,
      correlation_id: correlation,
      error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    },
  };
}

export interface EntraOptions {
  readonly clouds: readonly EntraCloud[];
  /** The key of an assertion's issuer, undefined where it cannot be reached. */
  readonly issuerKey: (issuer: string) => Promise<CryptoKey | undefined>;
  /** Apps in addition to {@link Entra.apps}: those that were made in the directory. */
  readonly moreApps?: () => readonly App[];
  readonly now: () => Date;
}

export class Entra implements Service {
  readonly name = 'entra';
  readonly hosts: readonly string[];
  readonly apps: App[] = [];
  /** Every access token given out. */
  readonly issued: string[] = [];
  readonly #keys = signingKeys('entra');
  readonly #options: EntraOptions;

  constructor(options: EntraOptions) {
    this.#options = options;
    this.hosts = options.clouds.map(({ loginHost }) => loginHost);
  }

  kindOf(method: string, path: string): RequestKind {
    return method === 'POST' && /\/oauth2\/v2\.0\/token(\?|$)/.test(path) ? 'token' : 'other';
  }

  async answer(request: ReceivedRequest): Promise<Answer> {
    if (request.kind !== 'token') return this.#discover(request);
    const form = new URLSearchParams(request.body);
    const tenant = decodeURIComponent(request.path.split('/')[1] ?? '').toLowerCase();
    const checked = await this.#check(request.host, tenant, form);
    if (!('app' in checked)) return refusal(checked.code, checked.description, this.#options.now());
    const { app, resource } = checked;
    // Roles are those of one resource, and the ones known here are Graph's.
    const roles = resource.includes('graph') ? app.roles : undefined;
    const access_token = await this.sign(app, resource, { roles });
    return {
      status: 200,
      headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store, no-cache' },
      body: { token_type: 'Bearer', expires_in: LIFETIME_SECONDS, ext_expires_in: LIFETIME_SECONDS, access_token },
    };
  }

  async #discover(request: ReceivedRequest): Promise<Answer> {
    if (request.method !== 'GET') return { status: 404 };
    const key = { ...(await exportJWK((await this.#keys).publicKey)), kid: KEY_ID, use: 'sig' };
    const { clouds } = this.#options;
    return discoveryDocument(request.host, request.path, this.apps, clouds, { keys: [key] }) ?? { status: 404 };
  }

  /** An access token as Entra would sign it now. */
  async sign(app: App, audience: string, claims: JWTPayload = {}): Promise<string> {
    const iat = this.#seconds();
    const jwt = await new SignJWT({
      aud: audience,
      iss: `https://sts.windows.net/${app.tenantId}/`,
      iat,
      nbf: iat,
      exp: iat + LIFETIME_SECONDS,
      appid: app.clientId,
      app_displayname: app.displayName ?? 'emulator',
      appidacr: '2',
      idtyp: 'app',
      oid: objectIdOf(app),
      roles: app.roles,
      tid: app.tenantId,
      uti: randomUUID(),
      ver: '1.0',
      ...claims,
    })
      .setProtectedHeader({ typ: 'JWT', alg: 'RS256', kid: KEY_ID })
      .sign((await this.#keys).privateKey);
    this.issued.push(jwt);
    return jwt;
  }

  /**
   * The claims of an access token that Entra signed and that is valid now; for this audience, if one is given.
   * @throws JOSEError otherwise
   */
  async verify(jwt: string, audience?: string): Promise<JWTPayload> {
    const { payload } = await jwtVerify(jwt, (await this.#keys).publicKey, {
      // A client that asked for `https://resource//.default` has a slash at the end of it.
      ...(audience === undefined ? {} : { audience: [audience, `${audience}/`] }),
      currentDate: this.#options.now(),
    });
    return payload;
  }

  async #check(
    host: string,
    tenant: string,
    form: URLSearchParams,
  ): Promise<{ app: App; resource: string } | { code: number; description: string }> {
    const no = (code: number, description: string) => ({ code, description });
    for (const name of ['grant_type', 'client_id', 'scope', 'client_assertion_type', 'client_assertion']) {
      if (!form.get(name)) return no(900144, `The request body must contain the following parameter: '${name}'.`);
    }
    const [grant, clientId, scope, type, assertion] = [
      'grant_type',
      'client_id',
      'scope',
      'client_assertion_type',
      'client_assertion',
    ].map((name) => form.get(name) ?? '') as [string, string, string, string, string];
    if (grant !== 'client_credentials') return no(70003, `The app requested an unsupported grant type '${grant}'.`);
    if (type !== ASSERTION_TYPE) return no(50027, `Invalid client assertion type '${type}'.`);

    const inTenant = [...this.apps, ...(this.#options.moreApps?.() ?? [])].filter(
      ({ loginHost, tenantId, tenantDomain }) => loginHost === host && (tenantId === tenant || tenantDomain === tenant),
    );
    if (inTenant.length === 0) {
      return no(
        90002,
        `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.`,
      );
    }
    const app = inTenant.find((candidate) => candidate.clientId === clientId.toLowerCase());
    if (!app) {
      return no(
        700016,
        `Application with identifier '${clientId}' was not found in the directory '${tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`,
      );
    }

    const problem = await this.#checkAssertion(app, assertion);
    if (problem) return problem;
    if (app.disabled === true) return no(7000112, `Application '${clientId}'(emulator) is disabled.`);

    const resource = /^(.+)\/\.default$/.exec(scope.split(' ').find((part) => part.endsWith('/.default')) ?? '')?.[1];
    if (resource === undefined) {
      return no(
        1002012,
        `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
      );
    }
    const cloud = this.#options.clouds.find(({ loginHost }) => loginHost === host);
    const known = cloud ? [`https://${cloud.graphHost}`, cloud.vaultResource, ...cloud.managementResources] : [];
    if (!known.includes(resource.replace(/\/$/, ''))) {
      return no(500011, `The resource principal named ${resource} was not found in the tenant named ${tenant}.`);
    }
    return { app, resource };
  }

  async #checkAssertion(app: App, assertion: string): Promise<{ code: number; description: string } | undefined> {
    let claims: JWTPayload;
    try {
      claims = decodeJwt(assertion);
    } catch {
      return { code: 50027, description: 'JWT token is invalid or malformed.' };
    }
    const [issuer, subject, audience] = [claims.iss ?? '', claims.sub ?? '', String(claims.aud)];
    const registered = app.federatedCredentials;
    if (registered.length === 0) {
      return {
        code: 70025,
        description: `The client '${app.clientId}'(emulator) has no configured federated identity credentials.`,
      };
    }
    const mismatch = (code: number, claim: string, value: string) => ({
      code,
      description: `No matching federated identity record found for presented assertion ${claim} '${value}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation`,
    });
    const ofIssuer = registered.filter((credential) => credential.issuer === issuer);
    if (ofIssuer.length === 0) return mismatch(700211, 'issuer', issuer);
    const ofSubject = ofIssuer.filter((credential) => credential.subject === subject);
    if (ofSubject.length === 0) {
      return ofIssuer.some((credential) => credential.subject.toLowerCase() === subject.toLowerCase())
        ? {
            code: 7002138,
            description: `No matching federated identity record found for presented assertion subject '${subject}'. The subject matches a record except for letter case, and the comparison is case-sensitive.`,
          }
        : mismatch(700213, 'subject', subject);
    }
    if (!ofSubject.some((credential) => credential.audience === audience))
      return mismatch(700212, 'audience', audience);

    const key = await this.#options.issuerKey(issuer);
    if (!key) return { code: 50166, description: `Request to External OIDC endpoint failed.` };
    try {
      // Its dates are judged below, with a description of their own.
      await jwtVerify(assertion, key, { algorithms: ['RS256'], currentDate: new Date((claims.nbf ?? 0) * 1000) });
    } catch {
      return { code: 700027, description: 'Client assertion failed signature validation.' };
    }
    const now = this.#seconds();
    if ((claims.exp ?? 0) <= now || (claims.nbf ?? now) > now) {
      const [current, from, until] = [now, claims.nbf ?? 0, claims.exp ?? 0].map((seconds) =>
        new Date(seconds * 1000).toISOString(),
      );
      return {
        code: 700024,
        description: `Client assertion is not within its valid time range. Current time: ${String(current)}, assertion valid from ${String(from)}, expiry time of assertion ${String(until)}.`,
      };
    }
    return undefined;
  }

  #seconds(): number {
    return Math.floor(this.#options.now().getTime() / 1000);
  }
}

/** The id of the app's service principal. */
export function objectIdOf({ clientId, tenantId, objectId }: Pick<App, 'clientId' | 'tenantId' | 'objectId'>): string {
  if (objectId !== undefined) return objectId;
  const hex = createHash('sha256').update(`${tenantId} ${clientId}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

/** `2026-11-23 08:15:30Z` */
function utc(date: Date): string {
  return date.toISOString().replace('T', ' ').replace(/\.\d+/, '');
}
