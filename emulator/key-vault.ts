/**
 * Azure Key Vault: one secret or certificate out of a vault, in its latest version or in a named one.
 *
 * Documented: paths, `api-version`, the challenge, the properties of a secret, that the secret of a certificate holds it
 * with its key and without a password, that there is no key in it if the policy says not exportable, that the latest
 * version is not passed over when it is disabled, the codes in `innererror`.
 * As seen in answers: the words of the messages, and that a name which does not exist does not resolve.
 * Assumed: the order of the checks, which versions of the API there are, the words for a token that does not verify.
 */
import { createHash, randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { pfxOf } from './pfx.ts';
import type { Answer, ReceivedRequest, RequestKind, Service } from './service.ts';

export interface SecretVersion {
  /** 32 hex digits. */
  readonly version: string;
  readonly value: string;
  /** `application/x-pkcs12` or `application/x-pem-file` for a certificate; another secret has any or none. */
  readonly contentType?: string;
  readonly created: Date;
  readonly notBefore?: Date;
  readonly expires?: Date;
  /** Of a certificate: `managed`, `kid` and GET /certificates go with it. */
  readonly certificatePem?: string;
  enabled: boolean;
}

/** What is wrong with every request that comes with a good token; the names are the service's own codes. */
export type VaultRefusal =
  | 'ForbiddenByRbac'
  | 'ForbiddenByPolicy'
  | 'AccessDenied'
  | 'ForbiddenByFirewall'
  | 'ForbiddenByConnection'
  | 'Throttled';

export interface AccessPolicy {
  readonly tenantId: string;
  readonly objectId: string;
  readonly permissions: { readonly secrets?: readonly string[] };
}

export interface Vault {
  /** `contoso-certificates.vault.azure.net` */
  readonly host: string;
  readonly tenantId: string;
  /** Who may read secrets and certificates: client ids, or object ids of service principals. */
  readonly readers: Set<string>;
  /** The versions of each secret, the latest at the end. */
  readonly secrets: Map<string, SecretVersion[]>;
  /** A vault with access policies has them here; without, roles decide. What they allow is in {@link readers}. */
  accessPolicies?: readonly AccessPolicy[];
  refuses?: VaultRefusal | undefined;
  /** The client's address in the words of the firewall. */
  clientAddress: string;
  /** Instead of the usual WWW-Authenticate; null for none. */
  challenge?: string | null;
}

export interface VaultCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface VaultCertificateOptions {
  readonly contentType?: 'application/x-pkcs12' | 'application/x-pem-file';
  /** Whether the policy lets the key out; true unless given. */
  readonly exportable?: boolean;
  readonly enabled?: boolean;
  /** PEM of the issuers, which both kinds of value have after the certificate. */
  readonly chainPem?: string;
}

export interface VaultCloud {
  readonly loginHost: string;
  /** What a token for a vault is for, and its suffix: `https://vault.azure.net`. */
  readonly vaultResource: string;
}

export interface KeyVaultOptions {
  readonly clouds: readonly VaultCloud[];
  /** The claims of a valid access token, whatever it is for; throws otherwise. */
  readonly verify: (jwt: string) => Promise<JWTPayload>;
  readonly now: () => Date;
}

const API_VERSIONS = /^(7\.[0-6]|2025-07-01|2016-10-01)$/;
const PATH = /^\/(secrets|certificates)\/([^/?]+)(?:\/([^/?]*))?\/?(?:\?|$)/;
/** Of every vault, in the words of a refusal. */
const SUBSCRIPTION = 'd5a4b1c2-0000-4000-8000-5b1c2d3e4f50';

/** A version of a certificate as the vault keeps it, to be put at the end of its versions. */
export function certificateVersion(
  { certificatePem, keyPem, notBefore, notAfter }: VaultCertificate,
  created: Date,
  options: VaultCertificateOptions = {},
): SecretVersion {
  const { contentType = 'application/x-pkcs12', exportable = true, enabled = true, chainPem = '' } = options;
  const pem = { certificatePem, chainPem, ...(exportable ? { keyPem } : {}) };
  const value =
    contentType === 'application/x-pkcs12'
      ? pfxOf(pem, '').toString('base64')
      : [exportable ? keyPem : '', certificatePem, chainPem]
          .filter((block) => block !== '')
          .map((block) => `${block.trim()}\n`)
          .join('');
  const version = randomBytes(16).toString('hex');
  return { version, value, contentType, created, notBefore, expires: notAfter, certificatePem, enabled };
}

export class KeyVault implements Service {
  readonly name = 'key-vault';
  readonly vaults: Vault[] = [];
  readonly #options: KeyVaultOptions;

  constructor(options: KeyVaultOptions) {
    this.#options = options;
  }

  get hosts(): readonly string[] {
    return this.vaults.map(({ host }) => host);
  }

  /** Whether the host is under a suffix of the vaults, so that it resolves only if there is such a vault. */
  owns(host: string): boolean {
    return this.#cloudOf(host) !== undefined;
  }

  kindOf(_method: string, path: string, headers: Readonly<Record<string, unknown>>): RequestKind {
    if (!PATH.test(path)) return 'other';
    return headers['authorization'] === undefined ? 'challenge' : 'secret';
  }

  async answer(request: ReceivedRequest): Promise<Answer> {
    const vault = this.vaults.find(({ host }) => host === request.host);
    if (!vault) return { status: 421 };
    const answer = await this.#answer(request, vault);
    return {
      ...answer,
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'x-ms-request-id': randomUUID(),
        'x-ms-client-request-id': request.headers['x-ms-client-request-id'] ?? randomUUID(),
        'x-ms-keyvault-region': 'westeurope',
        'x-ms-keyvault-service-version': '1.9.2000.1',
        ...answer.headers,
      },
    };
  }

  async #answer(request: ReceivedRequest, vault: Vault): Promise<Answer> {
    const cloud = this.#cloudOf(vault.host);
    const unauthorized = (message: string): Answer => {
      const usual = `Bearer authorization="https://${cloud?.loginHost ?? ''}/${vault.tenantId}", resource="${cloud?.vaultResource ?? ''}"`;
      const challenge = vault.challenge === undefined ? usual : vault.challenge;
      const headers: Record<string, string> = challenge === null ? {} : { 'www-authenticate': challenge };
      return { ...vaultError(401, 'Unauthorized', message), headers };
    };
    const token = /^bearer (.+)$/i.exec(request.headers['authorization'] ?? '')?.[1];
    if (token === undefined) return unauthorized('AKV10000: Request is missing a Bearer or PoP token.');
    let claims: JWTPayload;
    try {
      claims = await this.#options.verify(token);
    } catch (error) {
      return unauthorized(`Error validating token: ${String(error)}`);
    }
    const audience = String(claims.aud);
    if (audience.replace(/\/$/, '') !== cloud?.vaultResource) {
      return unauthorized(`AKV10022: Invalid audience. Expected ${cloud?.vaultResource ?? ''}, found: ${audience}.`);
    }
    if (claims['tid'] !== vault.tenantId) {
      return unauthorized(
        `AKV10032: Invalid issuer. Expected one of https://sts.windows.net/${vault.tenantId}/, found ${String(claims.iss)}.`,
      );
    }
    return this.#authorized(request, vault, claims);
  }

  #authorized(request: ReceivedRequest, vault: Vault, claims: JWTPayload): Answer {
    const url = new URL(request.path, `https://${request.host}`);
    const version = url.searchParams.get('api-version');
    if (version === null) return vaultError(400, 'BadParameter', 'api-version must be specified');
    if (!API_VERSIONS.test(version)) {
      return vaultError(400, 'BadParameter', `The specified version (${version}) is not recognized.`);
    }
    const [, collection = '', name = '', wanted = ''] = PATH.exec(request.path) ?? [];
    if (request.method !== 'GET' || name === '') {
      return vaultError(404, 'NotFound', `Resource not found: ${url.pathname}`);
    }
    const mayRead = ['appid', 'oid'].some((claim) => vault.readers.has(String(claims[claim])));
    const refusal = vault.refuses ?? (mayRead ? undefined : vault.accessPolicies ? 'AccessDenied' : 'ForbiddenByRbac');
    if (refusal) return refused(refusal, vault, claims, name);
    const versions = [...vault.secrets.entries()].find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1] ?? [];
    const found = wanted === '' ? versions.at(-1) : versions.find((candidate) => candidate.version === wanted);
    if (collection === 'certificates') {
      return found?.certificatePem === undefined
        ? notFound('certificate', name, 'CertificateNotFound')
        : { status: 200, body: certificateBody(vault, name, found, found.certificatePem) };
    }
    if (!found) return notFound('secret', name, 'SecretNotFound');
    return found.enabled
      ? { status: 200, body: secretBody(vault, name, found) }
      : vaultError(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.', 'SecretDisabled');
  }

  #cloudOf(host: string): VaultCloud | undefined {
    return this.#options.clouds.find(({ vaultResource }) => host.endsWith(`.${new URL(vaultResource).host}`));
  }
}

function vaultError(status: number, code: string, message: string, inner?: string): Answer {
  const innererror = inner === undefined ? {} : { innererror: { code: inner } };
  return { status, body: { error: { code, message, ...innererror } } };
}

function refused(refusal: VaultRefusal, vault: Vault, claims: JWTPayload, secret: string): Answer {
  const name = vault.host.split('.')[0] ?? '';
  const caller = `appid=${String(claims['appid'])};oid=${String(claims['oid'])};iss=${String(claims.iss)}`;
  const where = `Vault: ${name};location=westeurope`;
  const forbidden = (message: string): Answer => vaultError(403, 'Forbidden', message, refusal);
  switch (refusal) {
    case 'ForbiddenByRbac':
      return forbidden(
        [
          'Caller is not authorized to perform action on resource.',
          'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
          `Caller: ${caller}`,
          "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'",
          `Resource: '/subscriptions/${SUBSCRIPTION}/resourcegroups/certificates/providers/microsoft.keyvault/vaults/${name}/secrets/${secret}'`,
          'Assignment: (not found)',
          'DenyAssignmentId: null',
          'DecisionReason: null',
          where,
          '',
        ].join('\r\n'),
      );
    case 'ForbiddenByPolicy':
    case 'AccessDenied':
      return forbidden(
        `The user, group or application '${caller}' does not have secrets get permission on key vault '${name};location=westeurope'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`,
      );
    case 'ForbiddenByFirewall':
      return forbidden(
        [
          'Client address is not authorized and caller is not a trusted service.',
          `Client address: ${vault.clientAddress}`,
          `Caller: ${caller}`,
          where,
        ].join('\r\n'),
      );
    case 'ForbiddenByConnection':
      return forbidden(
        [
          'Public network access is disabled and request is not from a trusted service nor via an approved private link.',
          `Caller: ${caller}`,
          where,
        ].join('\r\n'),
      );
    case 'Throttled':
      return vaultError(
        429,
        'Throttled',
        'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
      );
  }
}

function notFound(kind: 'secret' | 'certificate', name: string, code: string): Answer {
  return {
    status: 404,
    body: {
      error: {
        code,
        message: `A ${kind} with (name/id) ${name} was not found in this key vault. If you recently deleted this ${kind} you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
      },
    },
  };
}

function secretBody(vault: Vault, name: string, found: SecretVersion): object {
  const base = `https://${vault.host}`;
  return {
    value: found.value,
    ...(found.contentType === undefined ? {} : { contentType: found.contentType }),
    id: `${base}/secrets/${name}/${found.version}`,
    ...(found.certificatePem === undefined ? {} : { managed: true, kid: `${base}/keys/${name}/${found.version}` }),
    attributes: attributes(found),
    tags: {},
  };
}

function certificateBody(vault: Vault, name: string, found: SecretVersion, pem: string): object {
  const base = `https://${vault.host}`;
  const { raw } = new X509Certificate(pem);
  return {
    id: `${base}/certificates/${name}/${found.version}`,
    kid: `${base}/keys/${name}/${found.version}`,
    sid: `${base}/secrets/${name}/${found.version}`,
    x5t: createHash('sha1').update(raw).digest('base64url'),
    cer: raw.toString('base64'),
    attributes: attributes(found),
    policy: { secret_props: { contentType: found.contentType } },
  };
}

function attributes({ enabled, notBefore, expires, created }: SecretVersion): object {
  const seconds = (date: Date): number => Math.floor(date.getTime() / 1000);
  return {
    enabled,
    ...(notBefore ? { nbf: seconds(notBefore) } : {}),
    ...(expires ? { exp: seconds(expires) } : {}),
    created: seconds(created),
    updated: seconds(created),
    recoveryLevel: 'Recoverable+Purgeable',
    recoverableDays: 90,
  };
}
