/**
 * Azure Resource Manager, as far as a sign-in and a setup ask for it: the tenants and subscriptions, a vault, who may
 * read it (roles or access policies).
 *
 * Documented: paths and answers; a tenant of Azure AD B2C has no subscription of its own, so its list is empty.
 * As seen: the order in which the Azure CLI asks.
 * Assumed: that whoever has a token may do all of it, and that a role is known at once (it takes minutes in fact).
 */
import type { JWTPayload } from 'jose';
import { randomUUID } from 'node:crypto';
import type { Vault } from './key-vault.ts';
import type { Answer, ReceivedRequest, RequestKind, Service } from './service.ts';

export interface Subscription {
  readonly id: string;
  readonly tenantId: string;
  readonly displayName: string;
}

export interface ResourceManagerOptions {
  readonly clouds: readonly { readonly managementHost: string; readonly managementResources: readonly string[] }[];
  /** All vaults; one is in the first subscription of its tenant. */
  readonly vaults: () => readonly Vault[];
  /** The claims of a valid access token, whatever it is for; throws otherwise. */
  readonly verify: (jwt: string) => Promise<JWTPayload>;
}

interface RoleAssignment {
  readonly id: string;
  readonly scope: string;
  readonly roleDefinitionId: string;
  readonly principalId: string;
  readonly principalType: string;
}

interface Call {
  readonly method: string;
  readonly pathname: string;
  readonly filter: string;
  readonly body: string;
  readonly tenantId: string;
}

/** The roles that let read a secret. */
const READING_ROLES: Readonly<Record<string, string>> = {
  '4633458b-17de-408a-b874-0445c86b69e6': 'Key Vault Secrets User',
  'db79e9a7-68ee-4b58-9aeb-b90e7c24fcba': 'Key Vault Certificate User',
};
const GROUP = 'certificates';
const ROLE_DEFINITIONS = '/providers/Microsoft.Authorization/roleDefinitions';
const ROLE_ASSIGNMENTS = '/providers/Microsoft.Authorization/roleAssignments';

export class ResourceManager implements Service {
  readonly name = 'resource-manager';
  readonly hosts: readonly string[];
  readonly subscriptions: Subscription[] = [];
  readonly #options: ResourceManagerOptions;
  readonly #assignments: RoleAssignment[] = [];

  constructor(options: ResourceManagerOptions) {
    this.#options = options;
    this.hosts = options.clouds.map(({ managementHost }) => managementHost);
  }

  kindOf(): RequestKind {
    return 'other';
  }

  async answer(request: ReceivedRequest): Promise<Answer> {
    const headers = { 'content-type': 'application/json; charset=utf-8', 'x-ms-request-id': randomUUID() };
    const resources = this.#options.clouds.find(({ managementHost }) => managementHost === request.host);
    let claims: JWTPayload;
    try {
      claims = await this.#options.verify(/^bearer (.+)$/i.exec(request.headers['authorization'] ?? '')?.[1] ?? '');
      const audience = String(claims.aud).replace(/\/+$/, '');
      if (!resources?.managementResources.includes(audience)) throw new Error(`The audience is ${audience}.`);
    } catch (error) {
      const refusal = refused(401, 'InvalidAuthenticationToken', `The access token is invalid. ${String(error)}`);
      const challenge =
        'Bearer authorization_uri="https://login.microsoftonline.com/", error="invalid_token", error_description="The access token is invalid."';
      return { ...refusal, headers: { ...headers, 'www-authenticate': challenge } };
    }
    const url = new URL(request.path, `https://${request.host}`);
    const call = {
      method: request.method,
      pathname: url.pathname,
      filter: url.searchParams.get('$filter') ?? '',
      body: request.body,
      tenantId: String(claims['tid']),
    };
    return { headers, ...this.#authorized(call) };
  }

  #authorized(call: Call): Answer {
    const own = this.subscriptions.filter(({ tenantId }) => tenantId === call.tenantId);
    const path = call.pathname.toLowerCase().replace(/\/$/, '');
    if (path === '/subscriptions') return list(own.map(subscriptionBody));
    if (path === '/tenants') {
      const { tenantId } = call;
      return list([{ id: `/tenants/${tenantId}`, tenantId, countryCode: 'NL', displayName: 'Contoso' }]);
    }
    const [, id = '', rest = ''] = /^\/subscriptions\/([^/]+)(\/.*)?$/.exec(path) ?? [];
    const subscription = own.find((candidate) => candidate.id === id);
    if (!subscription) return refused(404, 'SubscriptionNotFound', `The subscription '${id}' could not be found.`);
    if (rest === '') return { status: 200, body: subscriptionBody(subscription) };
    return this.#inSubscription(call, subscription);
  }

  #inSubscription(call: Call, subscription: Subscription): Answer {
    const path = call.pathname.replace(/\/$/, '');
    const vaults = this.#options.vaults().filter(({ tenantId }) => tenantId === subscription.tenantId);
    if (path.includes(ROLE_DEFINITIONS)) return roleDefinitions(call, subscription);
    if (path.includes(ROLE_ASSIGNMENTS)) return this.#ofAssignments(call, path, vaults);
    const bodies = vaults.map((vault) => vaultBody(vault, subscription));
    if (/\/resources$/i.test(path) || /\/providers\/Microsoft\.KeyVault\/vaults$/i.test(path)) return list(bodies);
    const found = vaults.find((vault) => same(path, vaultId(vault, subscription)));
    if (!found) return refused(404, 'ResourceNotFound', `The Resource '${path}' was not found.`);
    if (call.method === 'PUT' || call.method === 'PATCH') setPolicies(found, call.body);
    return { status: 200, body: vaultBody(found, subscription) };
  }

  #ofAssignments(call: Call, path: string, vaults: readonly Vault[]): Answer {
    const [scope = '', name] = path.split(ROLE_ASSIGNMENTS);
    if (call.method === 'GET') {
      const principal = /principalId eq '([^']+)'/i.exec(call.filter)?.[1];
      const found = this.#assignments.filter(
        (assignment) =>
          same(assignment.scope, scope) && (principal ?? assignment.principalId) === assignment.principalId,
      );
      return list(found.map(assignmentBody));
    }
    if (call.method !== 'PUT' || name === undefined)
      return refused(405, 'MethodNotAllowed', `${call.method} is not known here.`);
    const { properties } = JSON.parse(call.body) as { properties: Record<string, string> };
    const { principalId = '', roleDefinitionId = '', principalType = 'ServicePrincipal' } = properties;
    const twin = this.#assignments.some(
      (assignment) =>
        assignment.principalId === principalId &&
        same(assignment.roleDefinitionId, roleDefinitionId) &&
        same(assignment.scope, scope),
    );
    if (twin) return refused(409, 'RoleAssignmentExists', 'The role assignment already exists.');
    const assignment = { id: path, scope, roleDefinitionId, principalId, principalType };
    this.#assignments.push(assignment);
    const vault = vaults.find(({ host }) => scope.toLowerCase().endsWith(`/vaults/${vaultName(host)}`));
    if (vault && (roleDefinitionId.split('/').at(-1) ?? '') in READING_ROLES) vault.readers.add(principalId);
    return { status: 201, body: assignmentBody(assignment) };
  }
}

function list(value: readonly object[]): Answer {
  return { status: 200, body: { value, count: { type: 'Total', value: value.length } } };
}

function subscriptionBody({ id, tenantId, displayName }: Subscription): object {
  return {
    id: `/subscriptions/${id}`,
    authorizationSource: 'RoleBased',
    managedByTenants: [],
    subscriptionId: id,
    tenantId,
    displayName,
    state: 'Enabled',
    subscriptionPolicies: {
      locationPlacementId: 'Public_2014-09-01',
      quotaId: 'PayAsYouGo_2014-09-01',
      spendingLimit: 'Off',
    },
  };
}

function vaultName(host: string): string {
  return host.split('.')[0] ?? '';
}

function vaultId({ host }: Vault, { id }: Subscription): string {
  return `/subscriptions/${id}/resourceGroups/${GROUP}/providers/Microsoft.KeyVault/vaults/${vaultName(host)}`;
}

function vaultBody(vault: Vault, subscription: Subscription): object {
  return {
    id: vaultId(vault, subscription),
    name: vaultName(vault.host),
    type: 'Microsoft.KeyVault/vaults',
    location: 'westeurope',
    tags: {},
    properties: {
      sku: { family: 'A', name: 'standard' },
      tenantId: vault.tenantId,
      accessPolicies: vault.accessPolicies ?? [],
      enabledForDeployment: false,
      enableSoftDelete: true,
      enableRbacAuthorization: vault.accessPolicies === undefined,
      vaultUri: `https://${vault.host}/`,
      provisioningState: 'Succeeded',
      publicNetworkAccess: vault.refuses === 'ForbiddenByConnection' ? 'Disabled' : 'Enabled',
    },
  };
}

function setPolicies(vault: Vault, body: string): void {
  const { properties } = JSON.parse(body) as { properties: { accessPolicies?: NonNullable<Vault['accessPolicies']> } };
  if (!properties.accessPolicies || !vault.accessPolicies) return;
  vault.accessPolicies = properties.accessPolicies;
  for (const { objectId, permissions } of vault.accessPolicies) {
    if (permissions.secrets?.some((permission) => /^(get|all)$/i.test(permission))) vault.readers.add(objectId);
  }
}

function roleDefinitions({ filter, pathname }: Call, { id }: Subscription): Answer {
  const named = /roleName eq '([^']+)'/i.exec(filter)?.[1];
  const definitions = Object.entries(READING_ROLES)
    .filter(
      ([role, roleName]) => (named === undefined || named === roleName) && (filter !== '' || endsIn(pathname, role)),
    )
    .map(([role, roleName]) => ({
      id: `/subscriptions/${id}${ROLE_DEFINITIONS}/${role}`,
      name: role,
      type: 'Microsoft.Authorization/roleDefinitions',
      properties: { roleName, type: 'BuiltInRole', assignableScopes: ['/'], permissions: [] },
    }));
  const [only] = definitions;
  const one = /roleDefinitions\/[^/]+$/i.test(pathname);
  return one && only ? { status: 200, body: only } : list(definitions);
}

function endsIn(pathname: string, role: string): boolean {
  return /roleDefinitions$/i.test(pathname) || pathname.endsWith(role);
}

function assignmentBody({ id, scope, roleDefinitionId, principalId, principalType }: RoleAssignment): object {
  return {
    id,
    name: id.split('/').at(-1),
    type: 'Microsoft.Authorization/roleAssignments',
    properties: { scope, roleDefinitionId, principalId, principalType, condition: null, description: null },
  };
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function refused(status: number, code: string, message: string): Answer {
  return { status, body: { error: { code, message } } };
}
