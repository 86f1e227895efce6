/**
 * What a client reads of Entra before it signs in: the discovery documents of a tenant and of the clouds.
 *
 * Documented: the paths and the properties (OpenID Connect Discovery; "instance discovery" of the Microsoft libraries).
 * Assumed: nothing that a client was seen to need; what none of them reads is left out.
 */
import type { Answer } from './service.ts';

export interface DiscoveryTenant {
  readonly tenantId: string;
  readonly loginHost: string;
}

/** The document at this path, undefined for another path. `jwks` are Entra's keys. */
export function discoveryDocument(
  host: string,
  path: string,
  tenants: readonly (DiscoveryTenant & { readonly tenantDomain?: string })[],
  clouds: readonly { readonly loginHost: string; readonly graphHost: string }[],
  jwks: object,
): Answer | undefined {
  const url = new URL(path, `https://${host}`);
  const [tenant = '', ...rest] = url.pathname.split('/').slice(1);
  const version = rest[0] === 'v2.0' ? 'v2.0' : '';
  switch (rest.join('/')) {
    case 'discovery/instance':
      return instanceDiscovery(url, clouds);
    case '.well-known/openid-configuration':
    case 'v2.0/.well-known/openid-configuration': {
      const known = tenants.find(
        ({ tenantId, tenantDomain, loginHost }) =>
          loginHost === host && [tenantId, tenantDomain].includes(tenant.toLowerCase()),
      );
      const graphHost = clouds.find(({ loginHost }) => loginHost === host)?.graphHost ?? '';
      return known || AUTHORITIES.includes(tenant)
        ? { status: 200, body: openIdConfiguration(host, known?.tenantId ?? '{tenantid}', version, graphHost) }
        : {
            status: 400,
            body: { error: 'invalid_tenant', error_description: `AADSTS90002: Tenant '${tenant}' not found.` },
          };
    }
    case 'discovery/keys':
    case 'discovery/v2.0/keys':
      return { status: 200, body: jwks };
    default:
      return undefined;
  }
}

/** They address no tenant. */
const AUTHORITIES: readonly string[] = ['common', 'organizations', 'consumers'];

function openIdConfiguration(host: string, tenant: string, version: string, graphHost: string): object {
  const base = `https://${host}/${tenant}`;
  const oauth2 = version === '' ? `${base}/oauth2` : `${base}/oauth2/${version}`;
  return {
    token_endpoint: `${oauth2}/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: `${base}/discovery/${version === '' ? '' : `${version}/`}keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: version === '' ? `https://sts.windows.net/${tenant}/` : `${base}/${version}`,
    authorization_endpoint: `${oauth2}/authorize`,
    device_authorization_endpoint: `${oauth2}/devicecode`,
    end_session_endpoint: `${oauth2}/logout`,
    tenant_region_scope: 'EU',
    cloud_instance_name: host.replace(/^login\./, ''),
    msgraph_host: graphHost,
  };
}

function instanceDiscovery(url: URL, clouds: readonly { readonly loginHost: string }[]): Answer {
  const authority = url.searchParams.get('authorization_endpoint') ?? `https://${url.host}/common/`;
  const tenant = new URL(authority).pathname.split('/')[1] ?? 'common';
  return {
    status: 200,
    body: {
      tenant_discovery_endpoint: `https://${url.host}/${tenant}/v2.0/.well-known/openid-configuration`,
      'api-version': url.searchParams.get('api-version') ?? '1.1',
      metadata: clouds.map(({ loginHost }) => ({
        preferred_network: loginHost,
        preferred_cache: loginHost,
        aliases: [loginHost],
      })),
    },
  };
}
