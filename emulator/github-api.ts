/**
 * api.github.com, as far as a setup asks for it: a repository, its environments and variables, and how it presents itself.
 *
 * Documented: paths, answers and statuses; that creating an environment which is there replaces its protection rules.
 * Assumed: the words of errors.
 */
import { randomBytes } from 'node:crypto';
import type { Answer, ReceivedRequest, RequestKind, Service } from './service.ts';

export interface Repository {
  /** `octo-org/octo-repo`, in GitHub's own letter case. */
  readonly name: string;
  readonly visibility: 'public' | 'private';
  /** Private repositories of GitHub Free have no environments. */
  readonly hasEnvironments: boolean;
  /** The variables of each environment. */
  readonly environments: Map<string, Map<string, string>>;
  readonly variables: Map<string, string>;
  /** How its subject begins; `repo:OWNER@ID/NAME@ID` for one that was made since July 2026. */
  subjectPrefix: string;
}

export function repository(name: string, options: Partial<Repository> = {}): Repository {
  return {
    name,
    visibility: 'private',
    hasEnvironments: true,
    environments: new Map(),
    variables: new Map(),
    subjectPrefix: `repo:${name}`,
    ...options,
  };
}

export class GitHubApi implements Service {
  readonly name = 'github-api';
  readonly hosts = ['api.github.com'];
  readonly repositories: Repository[] = [];
  /** What GH_TOKEN holds. */
  readonly token = `ghp_${randomBytes(27).toString('base64url').replace(/[-_]/g, '0')}`;

  kindOf(): RequestKind {
    return 'other';
  }

  answer(request: ReceivedRequest): Answer {
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'x-github-request-id': randomBytes(8).toString('hex'),
      'x-oauth-scopes': 'repo, workflow',
    };
    const token = /^(?:bearer|token) (.+)$/i.exec(request.headers['authorization'] ?? '')?.[1];
    if (token !== this.token) return { status: 401, headers, body: { message: 'Bad credentials' } };
    const url = new URL(request.path, `https://${request.host}`);
    const [, owner = '', name = '', rest = ''] = /^\/repos\/([^/]+)\/([^/]+)(\/.*)?$/.exec(url.pathname) ?? [];
    const found = this.repositories.find((it) => it.name.toLowerCase() === `${owner}/${name}`.toLowerCase());
    return { headers, ...(found ? repositoryAnswer(request, found, rest) : notFound()) };
  }
}

function repositoryAnswer(request: ReceivedRequest, repository: Repository, path: string): Answer {
  if (path === '') return { status: 200, body: repositoryBody(repository) };
  if (path === '/actions/oidc/customization/sub') {
    const [use_default, use_immutable_subject] = [true, repository.subjectPrefix.includes('@')];
    return { status: 200, body: { use_default, use_immutable_subject, sub_claim_prefix: repository.subjectPrefix } };
  }
  const [, environment, variable] =
    /^\/environments\/([^/]+)(?:\/variables(?:\/([^/]+))?)?$/.exec(path)?.map(decodeURIComponentOf) ?? [];
  if (environment !== undefined) {
    const isVariable = path.includes('/variables');
    if (!isVariable) return environmentAnswer(request, repository, environment);
    const variables = repository.environments.get(environment);
    return variables ? variableAnswer(request, variables, variable) : notFound();
  }
  const [matched, name] = /^\/actions\/variables(?:\/([^/]+))?$/.exec(path) ?? [];
  return matched === undefined ? notFound() : variableAnswer(request, repository.variables, name);
}

function environmentAnswer({ method }: ReceivedRequest, repository: Repository, name: string): Answer {
  if (method === 'PUT') {
    if (!repository.hasEnvironments) {
      return { status: 404, body: { message: 'Not Found', documentation_url: 'https://docs.github.com/rest' } };
    }
    if (!repository.environments.has(name)) repository.environments.set(name, new Map());
  }
  return repository.environments.has(name) ? { status: 200, body: { id: 1, name, protection_rules: [] } } : notFound();
}

function variableAnswer({ method, body }: ReceivedRequest, variables: Map<string, string>, name?: string): Answer {
  if (method === 'GET' && name === undefined) {
    const all = [...variables].map(([key, value]) => ({ name: key, value }));
    return { status: 200, body: { total_count: all.length, variables: all } };
  }
  if (method === 'POST' && name === undefined) {
    const { name: key, value } = JSON.parse(body) as { name: string; value: string };
    if (variables.has(key.toUpperCase()))
      return { status: 409, body: { message: `Already exists - Variable already exists` } };
    variables.set(key.toUpperCase(), value);
    return { status: 201, body: {} };
  }
  const key = name?.toUpperCase() ?? '';
  const value = variables.get(key);
  if (value === undefined) return notFound();
  switch (method) {
    case 'GET':
      return { status: 200, body: { name: key, value } };
    case 'PATCH':
      variables.set(key, (JSON.parse(body) as { value: string }).value);
      return { status: 204 };
    case 'DELETE':
      variables.delete(key);
      return { status: 204 };
    default:
      return notFound();
  }
}

function repositoryBody({ name, visibility }: Repository): object {
  const [login, short] = name.split('/');
  return {
    id: 456,
    name: short,
    full_name: name,
    owner: { login, id: 123, type: 'Organization' },
    visibility,
    private: visibility === 'private',
    default_branch: 'main',
    permissions: { admin: true, maintain: true, push: true, triage: true, pull: true },
  };
}

function decodeURIComponentOf(text: string | undefined): string | undefined {
  return text === undefined ? undefined : decodeURIComponent(text);
}

function notFound(): Answer {
  return { status: 404, body: { message: 'Not Found', documentation_url: 'https://docs.github.com/rest' } };
}
