/** Signing in at Microsoft Entra: GitHub's ID token is the client assertion, an access token for Microsoft Graph comes back. */
import { setSecret } from '@actions/core';
import { ConfidentialClientApplication, type INetworkModule, type NetworkRequestOptions } from '@azure/msal-node';
import { clean } from '../text/clean.ts';
import type { Application, Cloud } from './cloud.ts';
import { explainEntra } from './entra-refusal.ts';
import { Failure } from '../failure.ts';
import {
  RETRY,
  reason,
  retryAfter,
  TransportError,
  type Attempt,
  type Http,
  type HttpResponse,
} from '../http/client.ts';
import type { IdToken } from './github-id-token.ts';
import { explainTransport } from '../http/refusal.ts';

/** Between two looks for a federated credential that may just have been made; milliseconds. */
const SPREADING_PAUSE = 5_000;

export interface AccessToken {
  readonly token: string;
  /** The application permissions that it carries; empty where they cannot be read. */
  readonly roles: readonly string[];
}

/**
 * Exchanges one ID token for an access token, once. A new MSAL client each time: after a 429 or 5xx a client repeats the
 * error for a minute without asking the network.
 * @see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (third case: federated credential)
 */
export async function exchange(http: Http, application: Application, idToken: IdToken): Promise<Attempt<AccessToken>> {
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
      scopes: [`${cloud.graphOrigin}/.default`],
      // Without this, MSAL_FORCE_REGION in the environment would choose another host.
      azureRegion: 'DisableMsalForceRegion',
    });
    // It becomes a header: whatever else a server sends under this name is no token.
    if (typeof result?.accessToken === 'string' && /^[\x21-\x7e]{16,}$/.test(result.accessToken)) {
      setSecret(result.accessToken);
      return { done: { token: result.accessToken, roles: rolesOf(result.accessToken) } };
    }
  } catch (error) {
    // What came over the wire tells more than what the library makes of it.
    if (wire.response === undefined && wire.error === undefined) throw signInFailed(error);
  }
  http.signal.throwIfAborted();
  if (wire.error) {
    const { failure, again } = explainTransport(wire.error, cloud.loginOrigin);
    if (!again) throw failure;
    return { again: failure };
  }
  if (wire.response === undefined) throw signInFailed(undefined);
  const { failure, again, ...limit } = explainEntra(wire.response, application, idToken);
  if (!again) throw failure;
  return {
    again: failure,
    retryAfter: retryAfter(wire.response, new Date()) ?? (limit.within === undefined ? undefined : SPREADING_PAUSE),
    ...limit,
  };
}

/** MSAL's network, on ours: deadline, proxy, and the raw answer kept for the explanation. */
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
    // With a known authority there is nothing to look up; a request here would go somewhere unforeseen.
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
        timeout: RETRY.timeout,
      });
    } catch (error) {
      if (error instanceof TransportError) this.error = error;
      throw error;
    }
    const { status, headers, body } = this.response;
    return { status, headers: { ...headers }, body: parsed(body) as Body };
  }
}

function signInFailed(cause: unknown): Failure {
  return new Failure(
    'SIGN_IN_REFUSED',
    `Signing in failed: ${clean(reason(cause))}.`,
    'Check tenant-id, client-id and cloud.',
    { cause },
  );
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}

function rolesOf(accessToken: string): readonly string[] {
  try {
    const claims = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      roles?: unknown;
    };
    return Array.isArray(claims.roles) ? claims.roles.filter((role) => typeof role === 'string') : [];
  } catch {
    return [];
  }
}
