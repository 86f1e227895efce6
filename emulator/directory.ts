/**
 * The directory's objects in Microsoft Graph that a setup touches: applications, their federated identity credentials,
 * service principals and the application permissions that they are granted.
 *
 * Documented: paths, keys (`applications(uniqueName='…')`, `(appId='…')`), `Prefer: create-if-missing` with 201 and 204,
 * `$filter` and `$select`, at most 20 federated credentials an application and their names unique in it, the permissions.
 * As seen: that an object just made is not found for some seconds, and what `az ad` asks for.
 * Assumed: the words of the refusals. What nobody here needs is not there (owners, secrets, delegated permissions).
 */
import type { JWTPayload } from 'jose';
import { randomUUID } from 'node:crypto';
import { objectIdOf, type App, type FederatedCredential } from './entra.ts';
import { graphError } from './graph-error.ts';
import type { Answer, ReceivedRequest } from './service.ts';

type Body = Record<string, unknown>;

interface Principal {
  readonly id: string;
  readonly appId: string;
  readonly displayName: string;
  readonly assignments: Body[];
  readonly created: number;
}

interface Application {
  readonly id: string;
  readonly appId: string;
  readonly tenantId: string;
  readonly properties: Body;
  readonly credentials: (Body & { id: string; name: string })[];
  readonly created: number;
  principal?: Principal;
}

export interface DirectoryOptions {
  /** The tenants: of each, one domain and its cloud's login host. */
  readonly tenants: () => readonly {
    readonly tenantId: string;
    readonly tenantDomain?: string;
    readonly loginHost: string;
  }[];
  /** The apps that are there without the directory; they have service principals too. */
  readonly apps: () => readonly App[];
  readonly now: () => Date;
}

/** Application permissions of Microsoft Graph: their names and ids. */
export const APP_ROLES: Readonly<Record<string, string>> = {
  'APIConnectors.ReadWrite.All': '1dfe531a-24a6-4f1b-80f4-7a0dc5a0a171',
  'APIConnectors.Read.All': 'b86848a7-d5b1-41eb-a9b4-54a4e6306e97',
  'Application.ReadWrite.All': '1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9',
  'AppRoleAssignment.ReadWrite.All': '06b708a9-e830-4db3-a914-8e69da51d44f',
};
export const GRAPH_APP_ID = '00000003-0000-0000-c000-000000000000';

const MAX_CREDENTIALS = 20;
const SEGMENT = /^([A-Za-z]+)(?:\((\w+)='([^']*)'\))?$/;

export class Directory {
  /** For this many milliseconds, by the services' clock, an object that was just made is not found. */
  lagMs = 0;
  readonly #options: DirectoryOptions;
  readonly #applications: Application[] = [];

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** The applications that were made here and have a service principal: they can sign in. */
  get apps(): App[] {
    return this.#applications.flatMap(({ appId, tenantId, properties, credentials, principal }) => {
      const tenant = this.#options.tenants().find((candidate) => candidate.tenantId === tenantId);
      if (!tenant || !principal) return [];
      return {
        loginHost: tenant.loginHost,
        ...(tenant.tenantDomain === undefined ? {} : { tenantDomain: tenant.tenantDomain }),
        tenantId,
        clientId: appId,
        displayName: String(properties['displayName']),
        objectId: principal.id,
        roles: principal.assignments.map(({ appRoleId }) => roleName(appRoleId)),
        federatedCredentials: credentials.flatMap(federatedCredentials),
      };
    });
  }

  /** The answer; undefined for a path that is none of these objects. */
  answer(request: ReceivedRequest, claims: JWTPayload): Answer | undefined {
    const url = new URL(request.path, `https://${request.host}`);
    const segments = url.pathname
      .split('/')
      .slice(2)
      .filter((segment) => segment !== '')
      .map(decodeURIComponent);
    const collection = SEGMENT.exec(segments[0] ?? '')?.[1]?.toLowerCase();
    const known = collection === 'applications' || collection === 'serviceprincipals' || collection === 'organization';
    if (collection === 'directoryobjects' && segments[1] === 'getByIds') return this.#byIds(request, claims);
    if (!known) return undefined;
    const refusal = notAllowed(request.method, segments, claims);
    if (refusal) return refusal;
    const call: Call = {
      method: request.method,
      url,
      segments,
      tenantId: String(claims['tid']),
      body: bodyOf(request),
      createIfMissing: /create-if-missing/i.test(request.headers['prefer'] ?? ''),
    };
    if (collection === 'organization') return this.#organization(call);
    return collection === 'applications' ? this.#ofApplications(call) : this.#ofPrincipals(call);
  }

  #organization({ url, tenantId }: Call): Answer {
    const tenant = this.#options.tenants().find((candidate) => candidate.tenantId === tenantId);
    const name = tenant?.tenantDomain ?? '';
    const verifiedDomains = [{ name, isDefault: true, isInitial: true, capabilities: 'Email', type: 'Managed' }];
    return page(url, [{ id: tenantId, displayName: 'Contoso', tenantType: 'AAD', verifiedDomains }]);
  }

  #byIds(request: ReceivedRequest, claims: JWTPayload): Answer {
    const { ids } = bodyOf(request) as { ids: readonly string[] };
    const found = this.#principals(String(claims['tid'])).filter(({ id }) => ids.includes(id));
    const value = found.map((principal) => ({
      '@odata.type': '#microsoft.graph.servicePrincipal',
      ...principalBody(principal),
    }));
    return { status: 200, body: { value } };
  }

  // Applications

  #ofApplications(call: Call): Answer {
    const own = this.#visible(this.#applications.filter(({ tenantId }) => tenantId === call.tenantId));
    const { key, rest } = keyed(call.segments);
    if (!key) {
      if (call.method === 'GET') return page(call.url, own.map(applicationBody));
      return call.method === 'POST' ? this.#createApplication(call, {}) : notKnown(call);
    }
    const found = own.find((application) => matches(applicationBody(application), key));
    if (!found) {
      const upsert = call.method === 'PATCH' && rest.length === 0 && call.createIfMissing && key.name !== 'id';
      return upsert ? this.#createApplication(call, { [key.name]: key.value }) : missing(key.value);
    }
    if (rest[0]?.toLowerCase().startsWith('federatedidentitycredentials') === true) {
      return this.#ofCredentials({ ...call, segments: rest }, found);
    }
    if (rest.length > 0) return notKnown(call);
    switch (call.method) {
      case 'GET':
        return { status: 200, body: select(applicationBody(found), call.url) };
      case 'PATCH':
        Object.assign(found.properties, call.body);
        return { status: 204 };
      case 'DELETE':
        this.#applications.splice(this.#applications.indexOf(found), 1);
        return { status: 204 };
      default:
        return notKnown(call);
    }
  }

  #createApplication({ body, tenantId }: Call, key: Body): Answer {
    const properties: Body = { signInAudience: 'AzureADMyOrg', ...body, ...key };
    if (typeof properties['displayName'] !== 'string') {
      return graphError(
        400,
        'Request_BadRequest',
        "A value is required for property 'displayName' of resource 'Application'.",
      );
    }
    const application: Application = {
      id: randomUUID(),
      appId: randomUUID(),
      tenantId,
      properties,
      credentials: [],
      created: this.#milliseconds(),
    };
    this.#applications.push(application);
    return { status: 201, body: applicationBody(application) };
  }

  #ofCredentials(call: Call, application: Application): Answer {
    const { credentials } = application;
    const { key, rest } = keyed(call.segments);
    if (rest.length > 0) return notKnown(call);
    if (!key) {
      if (call.method === 'GET') return page(call.url, credentials);
      return call.method === 'POST' ? this.#createCredential(call.body, credentials) : notKnown(call);
    }
    // A credential may be addressed by its name without saying so.
    const found = credentials.find((candidate) => matches(candidate, key) || candidate.name === key.value);
    if (!found) {
      const upsert = call.method === 'PATCH' && call.createIfMissing && key.name === 'name';
      return upsert ? this.#createCredential({ ...call.body, name: key.value }, credentials) : missing(key.value);
    }
    switch (call.method) {
      case 'GET':
        return { status: 200, body: found };
      case 'PATCH':
        Object.assign(found, call.body);
        return { status: 204 };
      case 'DELETE':
        credentials.splice(credentials.indexOf(found), 1);
        return { status: 204 };
      default:
        return notKnown(call);
    }
  }

  #createCredential(body: Body, credentials: Application['credentials']): Answer {
    const { name, issuer, subject, audiences } = body;
    const bad = (message: string): Answer => graphError(400, 'Request_BadRequest', message);
    if (![name, issuer, subject].every((value) => typeof value === 'string' && value !== '')) {
      return bad('name, issuer and subject are required.');
    }
    if (!Array.isArray(audiences) || audiences.length !== 1) return bad('audiences must hold exactly one value.');
    if (credentials.length >= MAX_CREDENTIALS) {
      return bad(`An application can have no more than ${MAX_CREDENTIALS} federated identity credentials.`);
    }
    if (credentials.some((candidate) => candidate.name === name)) {
      return graphError(
        409,
        'Request_MultipleObjectsWithSameKeyValue',
        `FederatedIdentityCredential with name ${String(name)} already exists.`,
      );
    }
    if (credentials.some((candidate) => candidate['issuer'] === issuer && candidate['subject'] === subject)) {
      return bad('Issuer and subject combination must be unique for this app.');
    }
    const credential = { description: null, ...body, id: randomUUID(), name: String(name) };
    credentials.push(credential);
    return { status: 201, body: credential };
  }

  // Service principals

  #ofPrincipals(call: Call): Answer {
    const principals = this.#principals(call.tenantId);
    const { key, rest } = keyed(call.segments);
    if (!key) {
      if (call.method === 'GET') return page(call.url, principals.map(principalBody));
      return call.method === 'POST' ? this.#createPrincipal(call, String(call.body['appId'])) : notKnown(call);
    }
    const found = principals.find((principal) => matches(principalBody(principal), key));
    if (!found) {
      const upsert = call.method === 'PATCH' && rest.length === 0 && call.createIfMissing && key.name === 'appId';
      return upsert ? this.#createPrincipal(call, key.value) : missing(key.value);
    }
    switch (rest[0]?.toLowerCase()) {
      case undefined:
        if (call.method === 'GET') return { status: 200, body: select(principalBody(found), call.url) };
        return call.method === 'PATCH' ? { status: 204 } : notKnown(call);
      case 'approleassignments':
        return this.#ofAssignments({ ...call, segments: rest }, found.assignments, principals);
      case 'approleassignedto': {
        const all = principals.flatMap(({ assignments }) => assignments);
        return this.#ofAssignments(
          { ...call, segments: rest },
          all.filter(({ resourceId }) => resourceId === found.id),
          principals,
        );
      }
      default:
        return notKnown(call);
    }
  }

  #principals(tenantId: string): Principal[] {
    const made = this.#applications.filter((application) => application.tenantId === tenantId);
    const given = this.#options.apps().filter((app) => app.tenantId === tenantId);
    return [
      graphPrincipal(tenantId),
      ...given.map((app) => ({
        id: objectIdOf(app),
        appId: app.clientId,
        displayName: app.displayName ?? 'emulator',
        assignments: [],
        created: 0,
      })),
      ...this.#visible(made.flatMap(({ principal }) => principal ?? [])),
    ];
  }

  #createPrincipal({ tenantId }: Call, appId: string): Answer {
    const own = this.#visible(this.#applications.filter((application) => application.tenantId === tenantId));
    const application = own.find((candidate) => candidate.appId === appId);
    if (!application) {
      return graphError(
        400,
        'Request_BadRequest',
        `The appId '${appId}' of the service principal does not reference a valid application object.`,
      );
    }
    if (application.principal) {
      return graphError(
        409,
        'Request_MultipleObjectsWithSameKeyValue',
        `The service principal cannot be created, updated, or restored because the service principal name ${appId} is already in use.`,
      );
    }
    const displayName = String(application.properties['displayName']);
    application.principal = { id: randomUUID(), appId, displayName, assignments: [], created: this.#milliseconds() };
    return { status: 201, body: principalBody(application.principal) };
  }

  #ofAssignments(call: Call, shown: readonly Body[], principals: readonly Principal[]): Answer {
    const { key } = keyed(call.segments);
    if (key) {
      const owner = principals.find(({ assignments }) => assignments.some(({ id }) => id === key.value));
      const index = owner?.assignments.findIndex(({ id }) => id === key.value) ?? -1;
      if (!owner || index === -1) return missing(key.value);
      if (call.method !== 'DELETE') return { status: 200, body: owner.assignments[index] ?? {} };
      owner.assignments.splice(index, 1);
      return { status: 204 };
    }
    if (call.method === 'GET') return page(call.url, shown);
    if (call.method !== 'POST') return notKnown(call);
    const { principalId, resourceId, appRoleId } = call.body;
    const principal = principals.find(({ id }) => id === principalId);
    const resource = principals.find(({ id }) => id === resourceId);
    if (!principal || !resource) return missing(String(principal ? resourceId : principalId));
    if (resource.appId !== GRAPH_APP_ID || !Object.values(APP_ROLES).includes(String(appRoleId))) {
      return graphError(400, 'Request_BadRequest', 'Permission being assigned was not found on application.');
    }
    if (principal.assignments.some((assignment) => assignment['appRoleId'] === appRoleId)) {
      return graphError(400, 'Request_BadRequest', 'Permission being assigned already exists on the object');
    }
    const assignment = {
      id: randomUUID().replaceAll('-', ''),
      appRoleId,
      principalId,
      principalType: 'ServicePrincipal',
      principalDisplayName: principal.displayName,
      resourceId,
      resourceDisplayName: resource.displayName,
      createdDateTime: this.#options.now().toISOString(),
    };
    principal.assignments.push(assignment);
    return { status: 201, body: assignment };
  }

  #visible<T extends { readonly created: number }>(objects: readonly T[]): T[] {
    const now = this.#milliseconds();
    return objects.filter(({ created }) => this.lagMs === 0 || now - created >= this.lagMs);
  }

  #milliseconds(): number {
    return this.#options.now().getTime();
  }
}

interface Call {
  readonly method: string;
  readonly url: URL;
  /** From the collection that is asked on. */
  readonly segments: readonly string[];
  readonly tenantId: string;
  readonly body: Body;
  readonly createIfMissing: boolean;
}

interface Key {
  readonly name: string;
  readonly value: string;
}

/** `applications(uniqueName='x')/…` and `applications/ID/…`: the key, and what comes after it. */
function keyed(segments: readonly string[]): { key: Key | undefined; rest: readonly string[] } {
  const [first = '', second, ...others] = segments;
  const [, , name, value] = SEGMENT.exec(first) ?? [];
  if (name !== undefined && value !== undefined) return { key: { name, value }, rest: segments.slice(1) };
  return second === undefined ? { key: undefined, rest: [] } : { key: { name: 'id', value: second }, rest: others };
}

function matches(body: Body, { name, value }: Key): boolean {
  return String(body[name]).toLowerCase() === value.toLowerCase();
}

const ANY_READ = [
  'Application.Read.All',
  'Application.ReadWrite.All',
  'Application.ReadWrite.OwnedBy',
  'Directory.Read.All',
];

function notAllowed(method: string, segments: readonly string[], claims: JWTPayload): Answer | undefined {
  const roles = (claims['roles'] ?? []) as readonly string[];
  const assigns = segments.some((segment) => /^approleassign/i.test(segment));
  const needed =
    method === 'GET'
      ? [...ANY_READ, 'AppRoleAssignment.ReadWrite.All']
      : [assigns ? 'AppRoleAssignment.ReadWrite.All' : 'Application.ReadWrite.All'];
  return needed.some((role) => roles.includes(role))
    ? undefined
    : graphError(403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.');
}

function applicationBody({ id, appId, properties, created }: Application): Body {
  return {
    id,
    appId,
    createdDateTime: new Date(created).toISOString(),
    uniqueName: null,
    keyCredentials: [],
    passwordCredentials: [],
    requiredResourceAccess: [],
    ...properties,
  };
}

function principalBody({ id, appId, displayName }: Principal): Body {
  const graph = appId === GRAPH_APP_ID;
  return {
    id,
    appId,
    displayName,
    servicePrincipalNames: graph ? [appId, 'https://graph.microsoft.com', 'https://graph.microsoft.com/'] : [appId],
    servicePrincipalType: 'Application',
    accountEnabled: true,
    appRoles: graph ? graphAppRoles() : [],
  };
}

function graphAppRoles(): object[] {
  return Object.entries(APP_ROLES).map(([value, id]) => ({
    id,
    value,
    displayName: value,
    description: value,
    allowedMemberTypes: ['Application'],
    isEnabled: true,
    origin: 'Application',
  }));
}

/** Microsoft Graph's own service principal has an id of its own in each tenant. */
function graphPrincipal(tenantId: string): Principal {
  const id = objectIdOf({ tenantId, clientId: GRAPH_APP_ID });
  return { id, appId: GRAPH_APP_ID, displayName: 'Microsoft Graph', assignments: [], created: 0 };
}

function roleName(id: unknown): string {
  return Object.entries(APP_ROLES).find(([, roleId]) => roleId === id)?.[0] ?? String(id);
}

function federatedCredentials(credential: Body): FederatedCredential[] {
  const audiences = credential['audiences'] as readonly string[];
  return audiences.map((audience) => ({
    issuer: String(credential['issuer']),
    subject: String(credential['subject']),
    audience,
  }));
}

function bodyOf(request: ReceivedRequest): Body {
  return request.body === '' ? {} : (JSON.parse(request.body) as Body);
}

function page(url: URL, objects: readonly Body[]): Answer {
  const filter = url.searchParams.get('$filter');
  const value = objects
    .filter((object) => filter === null || passes(object, filter))
    .map((object) => select(object, url));
  return { status: 200, body: { '@odata.context': `${url.origin}/v1.0/$metadata#directoryObjects`, value } };
}

function select(body: Body, url: URL): Body {
  const names = url.searchParams.get('$select')?.split(',');
  return names ? Object.fromEntries(Object.entries(body).filter(([name]) => names.includes(name))) : body;
}

/** `a eq 'x' and startswith(b,'y')`, and `names/any(c:c eq 'x')`; throws for anything else, which must not pass unnoticed. */
function passes(object: Body, filter: string): boolean {
  return filter.split(/ (?:and) /i).every((condition) => {
    const [, name = '', value] = /^\s*(\w+) eq '((?:[^']|'')*)'\s*$/.exec(condition) ?? [];
    if (value !== undefined) return String(object[name]).toLowerCase() === value.replaceAll("''", "'").toLowerCase();
    const [, prefixed = '', prefix] = /^\s*startswith\((\w+),\s*'([^']*)'\)\s*$/i.exec(condition) ?? [];
    if (prefix !== undefined) return String(object[prefixed]).toLowerCase().startsWith(prefix.toLowerCase());
    const [, list = '', member] = /^\s*(\w+)\/any\((?:\w+):\w+ eq '([^']*)'\)\s*$/i.exec(condition) ?? [];
    if (member === undefined) throw new Error(`The emulator cannot read the filter: ${condition}`);
    return (object[list] as readonly unknown[] | undefined)?.includes(member) ?? false;
  });
}

function missing(key: string): Answer {
  return graphError(
    404,
    'Request_ResourceNotFound',
    `Resource '${key}' does not exist or one of its queried reference-property objects are not present.`,
  );
}

function notKnown({ method, url }: Call): Answer {
  return graphError(400, 'BadRequest', `The emulator does not know ${method} ${url.pathname}.`);
}
