/** Microsoft Entra's token endpoint, by MSAL: an ID token in, an access token out. */
import { ConfidentialClientApplication, type INetworkModule, type NetworkRequestOptions } from '@azure/msal-node';
import { Failure } from '../failure.ts';
import type { Http, HttpResponse } from '../http/client.ts';
import { explainTransport } from '../http/refusal.ts';
import { reason, TransportError } from '../http/transport-error.ts';
import { retryAfter, type Verdict } from '../http/verdict.ts';
import { clean } from '../text/clean.ts';
import { isToken, jwtClaims, parseObject } from '../text/json.ts';
import { hide } from '../text/secrets.ts';
import type { Application, Cloud, Resource } from './application.ts';
import { explainEntra } from './entra-refusal.ts';
import type { IdToken } from './github-id-token.ts';

/** Between two attempts while a federated credential may just have been made; milliseconds. */
const SPREADING_PAUSE = 5_000;

export interface AccessToken {
  readonly token: string;
  /** The application permissions that it carries; undefined if they cannot be read. @foreign */
  readonly roles: readonly string[] | undefined;
}

/**
 * Exchanges one ID token for an access token, once. A new MSAL client each time: after a 429 or 5xx a client repeats the
 * error for a minute without asking the network.
 * @see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (third case: federated credential)
 */
export async function exchange(
  http: Http,
  application: Application,
  resource: Resource,
  idToken: IdToken,
): Promise<{ readonly done: AccessToken } | Verdict> {
  const { cloud, clientId, tenantId } = application;
  const wire = new Wire(http, cloud);
  try {
    const client = new ConfidentialClientApplication({
      auth: {
        clientId,
        authority: `${cloud.loginOrigin}/${tenantId}`,
        clientAssertion: idToken.jwt,
        // The tenant's own host is given; nothing is to be discovered.
        knownAuthorities: [new URL(cloud.loginOrigin).host],
      },
      system: { networkClient: wire },
    });
    const result = await client.acquireTokenByClientCredential({
      scopes: [`${resource.audience}/.default`],
      // Without this, MSAL_FORCE_REGION in the environment would choose another host.
      azureRegion: 'DisableMsalForceRegion',
    });
    // It becomes a header: whatever else a server sends under this name is no token.
    if (isToken(result?.accessToken)) {
      hide(result.accessToken);
      return { done: { token: result.accessToken, roles: rolesOf(result.accessToken) } };
    }
  } catch (error) {
    // The response itself tells more than what the library makes of it.
    if (wire.response === undefined && wire.error === undefined) throw signInFailed(error);
  }
  http.deadline.signal.throwIfAborted();
  if (wire.error) return explainNoResponse(wire.error, cloud.loginOrigin);
  if (wire.response === undefined) throw signInFailed(undefined);
  const verdict = explainEntra(wire.response, application, idToken, resource);
  const pause = verdict.within === undefined ? undefined : SPREADING_PAUSE;
  return { ...verdict, retryAfter: retryAfter(wire.response, new Date()) ?? pause };
}

/** MSAL's network, on ours: deadline, proxy, and the raw response kept for the explanation. */
class Wire implements INetworkModule {
  response: HttpResponse | undefined;
  error: TransportError | undefined;
  readonly #http: Http;
  readonly #cloud: Cloud;

  constructor(http: Http, cloud: Cloud) {
    this.#http = http;
    this.#cloud = cloud;
  }

  async sendGetRequestAsync(url: string): Promise<never> {
    // With a known authority there is nothing to look up; a request here would go somewhere unknown.
    return await Promise.reject(new Error(`unexpected request to ${new URL(url).origin}`));
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the library's interface has it
  async sendPostRequestAsync<Body>(url: string, options?: NetworkRequestOptions) {
    if (new URL(url).origin !== this.#cloud.loginOrigin)
      throw new Error(`unexpected request to ${new URL(url).origin}`);
    try {
      this.response = await this.#http.send({
        method: 'POST',
        url,
        headers: options?.headers ?? {},
        body: options?.body ?? '',
      });
    } catch (error) {
      if (error instanceof TransportError) this.error = error;
      throw error;
    }
    const { status, headers, body } = this.response;
    return { status, headers: { ...headers }, body: parseObject(body) as Body };
  }
}

/** As for any service, but for what is about the connectors. */
function explainNoResponse(error: TransportError, service: string): Verdict {
  const verdict = explainTransport(error, service);
  const { code, message } = verdict.failure;
  if (code !== 'RESPONSE_TOO_LARGE') return verdict;
  const remedy = `No token is that large: something in between, such as a web filter or a proxy, answers in the place of the service. Let it pass ${service} unchanged.`;
  return { ...verdict, failure: new Failure(code, message, remedy, { cause: error }) };
}

function signInFailed(cause: unknown): Failure {
  return new Failure(
    'SIGN_IN_REFUSED',
    `Signing in failed: ${clean(reason(cause))}.`,
    'Check whether application, tenant and cloud are the right ones.',
    { cause },
  );
}

function rolesOf(accessToken: string): readonly string[] | undefined {
  const claims = jwtClaims(accessToken);
  // Entra leaves the claim out if there are none.
  const roles = claims && (claims['roles'] ?? []);
  return Array.isArray(roles) ? roles.filter((role) => typeof role === 'string') : undefined;
}
