/**
 * What stands in for the Azure CLI and the GitHub CLI while setup.sh runs: a directory, a few vaults and a repository in
 * memory, and the answers of `az` and `gh` about them.
 *
 * Measured on the real ones (az 2.91, gh 2.23): how values are printed (`--output tsv`, `--jq`), the texts of a missing
 * sign-in, of wrong arguments and of HTTP errors, and that `az ad` and `az rest` have no `--subscription`. Reported by
 * users: the texts of Graph's errors. Assumed: how often something new is not found at first, and what GitHub answers
 * when a plan has no environments.
 */
import { search, type JSONValue } from '@jmespath-community/jmespath';
import { randomUUID } from 'node:crypto';

export interface Application {
  readonly appId: string;
  readonly displayName: string;
  passwordCredentials: object[];
  keyCredentials: object[];
  requiredResourceAccess: { resourceAppId: string; resourceAccess: { id: string; type: string }[] }[];
  readonly credentials: Credential[];
}

export interface Credential {
  readonly name: string;
  readonly issuer: string;
  readonly subject: string;
  readonly audiences: string[];
}

export interface Principal {
  readonly id: string;
  readonly appId: string;
}

export interface Assignment {
  readonly id: string;
  readonly principalId: string;
  readonly resourceId: string;
  readonly appRoleId: string;
}

export interface Vault {
  readonly name: string;
  readonly subscription: string;
  readonly id: string;
  readonly properties: {
    readonly enableRbacAuthorization: boolean | null;
    accessPolicies: { objectId: string; permissions: { secrets: string[] } }[];
  };
  readonly roles: { readonly id: string; readonly principalId: string; readonly role: string }[];
}

/** A tenant, and what the person who runs setup.sh may do in it. */
export class Tenant {
  readonly applications: Application[] = [];
  readonly principals: Principal[] = [];
  readonly assignments: Assignment[] = [];
  readonly vaults: Vault[] = [];
  mayConsent = true;
  mayRegister = true;
  readonly id: string;
  readonly domain: string;
  /** The IDs of its accounts in the Azure CLI: its subscriptions, or its own ID if it has none. */
  readonly accounts: readonly string[];

  constructor(id: string, domain: string, accounts: readonly string[] = [id]) {
    this.id = id;
    this.domain = domain;
    this.accounts = accounts;
  }

  addApplication(displayName: string, more: Partial<Application> = {}): Application {
    const application: Application = {
      appId: randomUUID(),
      displayName,
      passwordCredentials: [],
      keyCredentials: [],
      requiredResourceAccess: [],
      credentials: [],
      ...more,
    };
    this.applications.push(application);
    return application;
  }
}

/** The GitHub repository. */
export interface Repository {
  full_name: string;
  default_branch: string;
  visibility: 'public' | 'private';
  id: number;
  owner: { id: number };
  /** The answer about its subject; undefined is a 404. */
  subject: { use_default: boolean; include_claim_keys?: string[]; sub_claim_prefix?: string } | undefined;
  organisationKeys: string[] | undefined;
  hasEnvironments: boolean;
  /** Variables by place: an environment's name, or '' for the repository's own. */
  readonly variables: Map<string, Map<string, string>>;
}

export interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export const GRAPH_APP_ID = '00000003-0000-0000-c000-000000000000';
export const ROLES: Readonly<Record<string, string>> = {
  'APIConnectors.ReadWrite.All': '1dfe531a-24a6-4f1b-80f4-7a0dc5a0a171',
  'APIConnectors.Read.All': 'b86848a7-d5b1-41eb-a9b4-54a4e6306e97',
};
const GRAPH_PRINCIPAL_ID = '5a1f3bd0-0000-4000-8000-00000000c0de';
const NOT_SIGNED_IN = "ERROR: Please run 'az login' to setup account.\n";

/** An error as a CLI ends with it. */
class Refused extends Error {
  readonly code: number;

  constructor(message: string, code = 1) {
    super(message);
    this.code = code;
  }
}

const graphRefusal = (reason: string, code: string, message: string): Refused =>
  new Refused(`ERROR: ${reason}(${JSON.stringify({ error: { code, message, innerError: {} } })})\n`);

export class Services {
  tenants: Tenant[] = [];
  /** The account that the Azure CLI works with; undefined is: not signed in. */
  account: string | undefined;
  azureCloud = 'AzureCloud';
  githubSignedIn = true;
  mayAdminister = true;
  /** How often something that was just made is not found. */
  delay = 0;
  /** Answers put in place of the usual ones, by what the command line begins with. */
  readonly instead = new Map<string, Answer>();
  /** Every call, in order. */
  readonly calls: string[][] = [];
  readonly repository: Repository;
  private readonly unknownFor = new Map<string, number>();

  constructor(repository: Repository) {
    this.repository = repository;
  }

  answer(call: string[]): Answer {
    this.calls.push(call);
    const [name = '', ...args] = call;
    const line = call.join(' ');
    for (const [start, answer] of this.instead) if (line.startsWith(start)) return answer;
    try {
      if (name === 'sleep') return { code: 0, out: '', err: '' };
      return { code: 0, out: name === 'az' ? this.az(args) : this.gh(args), err: '' };
    } catch (error) {
      // What the stand-ins do not know is a mistake in the script or in them, and seen as one.
      if (!(error instanceof Refused))
        return { code: 70, out: '', err: `ERROR: STAND-IN: ${String(error)}: ${line}\n` };
      // gh prints the body on standard output as well.
      return { code: error.code, out: name === 'gh' ? '{"message":"…"}' : '', err: error.message };
    }
  }

  /** The calls that change something on a server. */
  get changes(): string[] {
    const changing =
      /^(?:az (?:ad \S+ (?:\S+ )?(?:create|add|delete|update)|rest --method (?!get)|role assignment create|keyvault set-policy)|gh api --method (?!GET))/;
    return this.calls.map((call) => call.join(' ')).filter((line) => changing.test(line));
  }

  // --- az ---------------------------------------------------------------------------------------------------------------

  private az(args: string[]): string {
    const first = args.findIndex((arg) => arg.startsWith('--'));
    const command = args.slice(0, first).join(' ');
    const options = optionsOf(args.slice(first));
    const result = this.azResult(command, options);
    return tsv(options['query'] === undefined ? result : search(result, options['query']));
  }

  private azResult(command: string, options: Options): JSONValue {
    if (command === 'cloud show') return { name: this.azureCloud };
    if (command === 'rest' && 'skip-authorization-header' in options) return this.discovery(need(options, 'url'));
    if (this.account === undefined) throw new Refused(NOT_SIGNED_IN);
    if (command === 'account list') {
      return this.tenants.flatMap(({ id: tenantId, accounts }) => accounts.map((id) => ({ id, tenantId })));
    }
    const tenant = this.tenants.find(({ accounts }) => accounts.includes(this.account ?? ''));
    if (!tenant) throw new Error(`no tenant has the account ${this.account}`);
    if (command === 'account show') return { id: this.account, tenantId: tenant.id };
    if (command === 'account set') {
      this.account = need(options, 'subscription');
      return null;
    }
    // As in the real parser.
    if (/^(?:ad|rest)\b/.test(command) && 'subscription' in options) {
      throw new Refused(`ERROR: unrecognized arguments: --subscription ${options['subscription']}\n`, 2);
    }
    const known = this.directory(tenant, command, options);
    return json(known === undefined ? this.vault(tenant, command, options) : known);
  }

  private discovery(url: string): JSONValue {
    const [, domain] = /^https:\/\/[\w.]+\/([^/]+)\/v2\.0\/\.well-known\/openid-configuration$/.exec(url) ?? [];
    const tenant = this.tenants.find((each) => each.domain === domain);
    if (!tenant) {
      throw new Refused(
        `ERROR: Bad Request({"error":"invalid_tenant","error_description":"AADSTS90002: Tenant '${domain}' not found."})\n`,
      );
    }
    return { issuer: `${new URL(url).origin}/${tenant.id}/v2.0` };
  }

  private directory(tenant: Tenant, command: string, options: Options): unknown {
    switch (command) {
      case 'ad app list':
        return tenant.applications.filter((application) => matches(application, need(options, 'filter')));
      case 'ad app show':
        return this.application(tenant, options);
      case 'ad app create':
        if (!tenant.mayRegister) throw new Refused('ERROR: Insufficient privileges to complete the operation.\n');
        return this.fresh(tenant.addApplication(need(options, 'display-name')), 'appId');
      case 'ad app permission add': {
        const [id = '', type = ''] = need(options, 'api-permissions').split('=');
        this.application(tenant, options).requiredResourceAccess.push({
          resourceAppId: need(options, 'api'),
          resourceAccess: [{ id, type }],
        });
        return null;
      }
      case 'ad app federated-credential list':
        return this.application(tenant, options).credentials;
      case 'ad app federated-credential create': {
        const credential = JSON.parse(need(options, 'parameters')) as Credential;
        const { credentials } = this.application(tenant, options);
        if (credentials.some(({ name }) => name === credential.name)) {
          throw new Refused(`ERROR: FederatedIdentityCredential with name ${credential.name} already exists.\n`);
        }
        credentials.push(credential);
        return credential;
      }
      case 'ad sp list':
        return tenant.principals.filter((principal) => matches(principal, need(options, 'filter')));
      case 'ad sp show':
        if (options['id'] !== GRAPH_APP_ID) throw new Error('only Microsoft Graph is shown');
        return { id: GRAPH_PRINCIPAL_ID, appRoles: Object.entries(ROLES).map(([value, id]) => ({ value, id })) };
      case 'ad sp create': {
        const appId = need(options, 'id');
        this.known(
          appId,
          `The appId '${appId}' of the service principal does not reference a valid application object.`,
        );
        if (tenant.principals.some((principal) => principal.appId === appId)) {
          throw new Refused(
            `ERROR: The service principal cannot be created, updated, or restored because the service principal name ${appId} is already in use.\n`,
          );
        }
        const principal = { id: randomUUID(), appId };
        tenant.principals.push(principal);
        return this.fresh(principal, 'id');
      }
      case 'rest':
        return this.assignments(tenant, options);
      default:
        return undefined;
    }
  }

  private assignments(tenant: Tenant, options: Options): unknown {
    const [, id = ''] =
      /^https:\/\/(?:graph\.microsoft\.com|microsoftgraph\.chinacloudapi\.cn)\/v1\.0\/servicePrincipals\/([^/]+)\/appRoleAssignments$/.exec(
        need(options, 'url'),
      ) ?? [];
    if (id === '') throw new Error(`az rest is not used for ${options['url']}`);
    if ((this.unknownFor.get(id) ?? 0) > 0) {
      this.unknownFor.set(id, (this.unknownFor.get(id) ?? 0) - 1);
      throw graphRefusal(
        'Not Found',
        'Request_ResourceNotFound',
        `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
      );
    }
    if (options['method'] === 'get')
      return { value: tenant.assignments.filter(({ principalId }) => principalId === id) };
    if (!tenant.mayConsent) {
      throw graphRefusal(
        'Forbidden',
        'Authorization_RequestDenied',
        'Insufficient privileges to complete the operation.',
      );
    }
    const assignment = { id: randomUUID(), ...(JSON.parse(need(options, 'body')) as Omit<Assignment, 'id'>) };
    if (
      tenant.assignments.some(({ principalId, appRoleId }) => principalId === id && appRoleId === assignment.appRoleId)
    ) {
      throw graphRefusal('Bad Request', 'Request_BadRequest', 'Permission being assigned already exists on the object');
    }
    tenant.assignments.push(assignment);
    return assignment;
  }

  private vault(tenant: Tenant, command: string, options: Options): unknown {
    const vault = tenant.vaults.find(
      ({ name, id, subscription }) =>
        (options['name'] === name || options['scope'] === id) && options['subscription'] === subscription,
    );
    if (!vault) {
      throw new Refused(`ERROR: The Vault '${options['name']}' not found within subscription.\n`, 3);
    }
    switch (command) {
      case 'keyvault show':
        return vault;
      case 'keyvault set-policy': {
        const objectId = need(options, 'object-id');
        const { properties } = vault;
        properties.accessPolicies = properties.accessPolicies.filter((policy) => policy.objectId !== objectId);
        const secrets = need(options, 'secret-permissions').split(' ');
        properties.accessPolicies.push({ objectId, permissions: { secrets } });
        return vault;
      }
      case 'role assignment list':
        return vault.roles.filter(({ role }) => role === options['role']);
      case 'role assignment create': {
        if (options['assignee-principal-type'] !== 'ServicePrincipal') throw new Error('needs the type');
        const role = {
          id: `${vault.id}/providers/Microsoft.Authorization/roleAssignments/${randomUUID()}`,
          principalId: need(options, 'assignee-object-id'),
          role: need(options, 'role'),
        };
        vault.roles.push(role);
        return role;
      }
      default:
        throw new Refused(`ERROR: '${command}' is misspelled or not recognized by the system.\n`, 2);
    }
  }

  private application(tenant: Tenant, options: Options): Application {
    const id = need(options, 'id');
    this.known(id, `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`);
    const application = tenant.applications.find(({ appId }) => appId === id);
    if (!application) throw new Error(`setup.sh asks for an application that there is not: ${id}`);
    return application;
  }

  private fresh<T extends object>(value: T, key: keyof T): T {
    this.unknownFor.set(String(value[key]), this.delay);
    return value;
  }

  private known(id: string, message: string): void {
    const left = this.unknownFor.get(id) ?? 0;
    if (left === 0) return;
    this.unknownFor.set(id, left - 1);
    throw new Refused(`ERROR: ${message}\n`);
  }

  // --- gh ---------------------------------------------------------------------------------------------------------------

  private gh(args: string[]): string {
    if (!this.githubSignedIn) {
      throw new Refused(
        'To get started with GitHub CLI, please run: gh auth login\nAlternatively, populate the GH_TOKEN environment variable with a GitHub API authentication token.\n',
        4,
      );
    }
    const { method = 'GET', fields, path, jq } = ghRequest(args);
    const result = this.github(method, path, fields);
    return jq === undefined ? '' : jqPaths(result, jq);
  }

  private github(method: string, path: string, fields: Readonly<Record<string, string>>): unknown {
    const { repository } = this;
    const own = `repos/${repository.full_name}`;
    const notFound = new Refused('gh: Not Found (HTTP 404)\n');
    if (path.startsWith('orgs/')) {
      if (!repository.organisationKeys) throw notFound;
      return { include_claim_keys: repository.organisationKeys };
    }
    // GitHub finds a repository whatever the case of its name.
    if (path.toLowerCase() === own.toLowerCase()) return repository;
    if (!path.startsWith(`${own}/`)) throw notFound;
    const rest = path.slice(own.length + 1);
    if (rest === 'actions/oidc/customization/sub') {
      if (!repository.subject) throw notFound;
      return repository.subject;
    }
    const [, encoded, variables, variable] =
      /^(?:actions|environments\/([^/]+))(\/variables(?:\/(\w+))?)?$/.exec(rest) ?? [];
    const place = encoded === undefined ? '' : decodeURIComponent(encoded);
    if (method !== 'GET' && !this.mayAdminister)
      throw new Refused('gh: Must have admin rights to Repository. (HTTP 403)\n');
    if (variables === undefined) return this.environment(method, place);
    const values = repository.variables.get(place);
    if (!values) throw notFound;
    if (method === 'POST') {
      values.set(fields['name'] ?? '', fields['value'] ?? '');
      return {};
    }
    const value = values.get(variable ?? '');
    if (value === undefined) throw notFound;
    return { name: variable, value };
  }

  private environment(method: string, name: string): unknown {
    const { variables, hasEnvironments } = this.repository;
    if (method === 'PUT') {
      if (!hasEnvironments) throw new Refused('gh: Not Found (HTTP 404)\n');
      if (variables.has(name)) throw new Error('PUT takes the protection of an environment that is there away');
      variables.set(name, new Map());
    } else if (!variables.has(name)) {
      throw new Refused('gh: Not Found (HTTP 404)\n');
    }
    return { name };
  }
}

type Options = Readonly<Record<string, string | undefined>>;

function need(options: Options, name: string): string {
  const value = options[name];
  if (value === undefined) throw new Error(`setup.sh did not pass --${name}`);
  return value;
}

function optionsOf(args: string[]): Options {
  const options: Record<string, string> = {};
  let name = '';
  for (const arg of args) {
    if (arg.startsWith('--')) {
      name = arg.slice(2);
      options[name] = '';
    } else {
      options[name] = options[name] === '' ? arg : `${options[name]} ${arg}`;
    }
  }
  if (options['output'] !== 'tsv') throw new Error('the answer is read as tsv');
  return options;
}

function ghRequest(args: string[]) {
  const fields: Record<string, string> = {};
  let method: string | undefined;
  let path = '';
  let jq: string | undefined;
  const left = [...args];
  if (left.shift() !== 'api') throw new Error(`gh ${args.join(' ')}`);
  for (let arg = left.shift(); arg !== undefined; arg = left.shift()) {
    if (arg === '--method') method = left.shift();
    else if (arg === '--jq') jq = left.shift();
    else if (arg === '--raw-field') {
      const [name = '', ...value] = (left.shift() ?? '').split('=');
      fields[name] = value.join('=');
    } else if (arg !== '--silent') path = arg;
  }
  return { method, path, jq, fields };
}

/** `x eq 'y'`, the only filter that is used. */
function matches(item: object, filter: string): boolean {
  const [, name = '', value] = /^(\w+) eq '([^']*)'$/.exec(filter) ?? [];
  return (item as Record<string, unknown>)[name] === value;
}

const json = (value: unknown): JSONValue => JSON.parse(JSON.stringify(value ?? null)) as JSONValue;

/** As `az --output tsv` prints it: a list is one row an item, a value in a row that is null is None. */
function tsv(value: JSONValue): string {
  if (value === null) return '';
  const cell = (item: JSONValue): string =>
    item === null ? 'None' : typeof item === 'boolean' ? (item ? 'True' : 'False') : scalar(item);
  const row = (item: JSONValue): string =>
    Array.isArray(item) ? item.map(cell).join('\t') : typeof item === 'boolean' ? String(item) : cell(item);
  return (Array.isArray(value) ? value : [value]).map((item) => `${row(item)}\n`).join('');
}

function scalar(value: JSONValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** As `gh --jq` prints `.a, .b.c`: null is an empty line, a list is JSON. */
function jqPaths(value: unknown, filter: string): string {
  return filter
    .split(', ')
    .map((path) => {
      if (!/^(?:\.\w+)+$/.test(path)) throw new Error(`only plain paths are understood here, not ${path}`);
      let found: unknown = value;
      for (const key of path.slice(1).split('.')) found = (found as Record<string, unknown> | null)?.[key] ?? null;
      return `${found === null ? '' : typeof found === 'string' ? found : JSON.stringify(found)}\n`;
    })
    .join('');
}
