/**
 * One certificate with its key out of Azure Key Vault: the secret that has the certificate's name.
 * @see https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret
 */
import { randomUUID } from 'node:crypto';
import { info } from '@actions/core';
import type { Http, HttpResponse } from '../http/client.ts';
import { retry } from '../http/retry.ts';
import { TransportError } from '../http/transport-error.ts';
import type { Verdict } from '../http/verdict.ts';
import { vaultIn, type Resource } from '../sign-in/application.ts';
import { requestFirstIdToken, signIn } from '../sign-in/sign-in.ts';
import { clean } from '../text/clean.ts';
import { hide } from '../text/secrets.ts';
import { parseObject, stringOf } from '../text/json.ts';
import type { VaultCertificate, VaultSource } from './address.ts';
import {
  explainSignIn,
  explainVault,
  explainVaultTransport,
  notACertificate,
  withoutTenant,
  type VaultRequest,
} from './refusal.ts';

/** What the vault gave. */
export interface VaultSecret {
  /** A PKCS#12 file without a password, or PEM. Secret. */
  readonly content: Buffer;
  /** The version that was read, 32 hex digits. */
  readonly version: string;
  /** The vault's. */
  readonly tenantId: string;
}

const API_VERSION = '7.4';

/**
 * Reads the certificate with its key: asks the vault for its tenant, signs in there, and gets the secret. The ID token is on
 * its way while the vault is asked, so that this takes as many round trips as a sign-in and one request.
 * @param mask gets the value before anything else is done with the response: it may be any secret of the vault
 * @throws Failure KEY_VAULT_* for each way in which that cannot be done; what a failed sign-in means
 */
export async function readVault(http: Http, source: VaultSource, mask: (value: string) => void): Promise<VaultSecret> {
  const { certificate, application } = source;
  const { cloud, audience } = application;
  const vault = vaultIn(cloud, certificate.vault);
  const { first } = await requestFirstIdToken(http, audience);
  // Of its own: the sign-in to Graph has the other one.
  http.preconnect(cloud.loginOrigin);
  const asked = { vault, source };
  const tenantId = await retried(http, asked, async (n) => tenantIn(await request(http, vault, certificate), asked, n));
  const signedIn = { ...application, tenantId };
  const access = await signIn(http, signedIn, vault, first).catch((error: unknown) => {
    throw explainSignIn(error, signedIn, source);
  });
  const signedInto = { ...asked, tenantId };
  return await retried(http, signedInto, async (n) => {
    const response = await request(http, vault, certificate, access.token);
    const { value } = parseObject(response.body);
    if (typeof value === 'string') mask(value);
    const secret = response.status === 200 ? secretIn(response.body, signedInto) : undefined;
    return secret === undefined ? explainVault(response, signedInto, n) : { done: { ...secret, tenantId } };
  });
}

async function request(
  http: Http,
  vault: Resource,
  { name, version }: VaultCertificate,
  token?: string,
): Promise<HttpResponse> {
  return await http.send({
    method: 'GET',
    url: `${vault.origin}/secrets/${name}${version === undefined ? '' : `/${version}`}?api-version=${API_VERSION}`,
    headers: {
      'x-ms-client-request-id': randomUUID(),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });
}

async function retried<T>(
  http: Http,
  asked: VaultRequest,
  attempt: (n: number) => Promise<{ readonly done: T } | Verdict>,
): Promise<T> {
  const { deadline } = http;
  return await retry({ deadline, service: asked.vault.name, log: info }, async (n) => {
    try {
      return await attempt(n);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      deadline.signal.throwIfAborted();
      return explainVaultTransport(error, asked);
    }
  });
}

/** Longer than any challenge. */
const CHALLENGE_LENGTH = 2_000;
const TENANT =
  /\bBearer\b[^]*?\bauthorization(?:_uri)?="https:\/\/[^/"]+\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/?"/i;

/**
 * The vault's tenant out of its challenge to a request without a token. Its GUID and nothing else: where to sign in is the
 * cloud's to say, and the resource that the token is for too.
 * @see https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses#authentication
 */
function tenantIn(response: HttpResponse, asked: VaultRequest, n: number): { readonly done: string } | Verdict {
  if (response.status !== 401) return explainVault(response, asked, n);
  const challenge = (response.headers['www-authenticate'] ?? '').slice(0, CHALLENGE_LENGTH);
  const [, tenantId] = TENANT.exec(challenge) ?? [];
  return tenantId === undefined ? withoutTenant(response, asked) : { done: tenantId.toLowerCase() };
}

/** @throws Failure KEY_VAULT_NOT_A_CERTIFICATE */
function secretIn(body: string, asked: VaultRequest): Omit<VaultSecret, 'tenantId'> | undefined {
  const { value, contentType, id } = parseObject(body);
  const version = versionIn(stringOf(id));
  if (typeof value !== 'string' || version === undefined) return undefined;
  const type = stringOf(contentType).trim().toLowerCase();
  if (type === 'application/x-pem-file') return { version, content: Buffer.from(value) };
  if (type !== 'application/x-pkcs12') {
    // It may be a password, which is short, and people write anything into a content type.
    hide(value);
    throw notACertificate(asked, version, typeOf(type));
  }
  const base64 = value.replace(/\s/g, '');
  if (!/^[a-z0-9+/]+={0,2}$/i.test(base64)) throw notACertificate(asked, version, 'its value is not base64');
  return { version, content: Buffer.from(base64, 'base64') };
}

/** 32 hex digits, at the end of a secret's identifier. */
function versionIn(id: string): string | undefined {
  return /\/([0-9a-f]{32})$/i.exec(id)?.[1];
}

function typeOf(contentType: string): string {
  return contentType === '' ? 'it has no content type' : `its content type is ${clean(contentType, 80)}`;
}
