/**
 * Requests to Microsoft Graph: authorised, paced, retried, page by page.
 * @see https://learn.microsoft.com/graph/use-the-api
 */
import { randomUUID } from 'node:crypto';
import { Failure } from '../failure.ts';
import type { Http, HttpRequest, HttpResponse } from '../http/client.ts';
import { RateWindow } from '../http/concurrency.ts';
import type { Deadline } from '../http/deadline.ts';
import { retry } from '../http/retry.ts';
import type { Verdict } from '../http/verdict.ts';
import type { Application } from '../sign-in/application.ts';
import type { AccessToken } from '../sign-in/entra.ts';
import { clean } from '../text/clean.ts';
import { explainGraph, type Permission } from './refusal.ts';

export const SERVICE = 'Microsoft Graph';

/** What a request is about, for the explanation of its refusal. */
export interface Subject {
  /** Undefined if the request is about no connector in particular. */
  readonly connectorId: string | undefined;
  /** Whether the connector was read a moment before. */
  readonly wasRead?: boolean;
}

/** One page of a list: its items, and where the next page is. */
export interface ListPage<T> {
  readonly items: readonly T[];
  /** @foreign */
  readonly nextLink: string | undefined;
}

/** A page of 100 connectors with very many certificates has some megabytes. In bytes. */
const PAGE_LIMIT = 8 * 1024 * 1024;

/** What a list may have. A tenant has a handful of API connectors. */
const LIST_LIMITS = { items: 1_000, pages: 100 } as const;

/** The fix if the list cannot be read. */
export const NAME_THEM = 'Name the connectors in connector-id instead of all: true.';

export interface GraphOptions {
  readonly http: Http;
  readonly application: Application;
  readonly access: AccessToken;
  /** What the work needs, for the explanation of a 403. */
  readonly permission: Permission;
  readonly log: (text: string) => void;
}

/** Microsoft Graph, as one access token may use it. */
export class GraphClient {
  readonly log: (text: string) => void;
  readonly #http: Http;
  readonly #application: Application;
  readonly #access: AccessToken;
  readonly #permission: Permission;
  /** The limits of the identity API family are 200 requests a minute for an app in a tenant, 300 for the tenant. */
  readonly #pace = new RateWindow(200, 60_000);

  constructor({ http, application, access, permission, log }: GraphOptions) {
    this.#http = http;
    this.#application = application;
    this.#access = access;
    this.#permission = permission;
    this.log = log;
  }

  get deadline(): Deadline {
    return this.#http.deadline;
  }

  /**
   * Reads something, with retries. `parse` gives undefined for a response that is not it.
   * @param path behind `/v1.0`
   * @param refine has a second look at what a response means
   * @throws Failure what {@link explainGraph} and the lack of a response mean
   */
  async get<T>(
    path: string,
    subject: Subject,
    parse: (body: string) => T | undefined,
    refine?: (verdict: Verdict) => Promise<Verdict>,
  ): Promise<T> {
    return await retry({ deadline: this.deadline, service: SERVICE, log: this.log }, async () => {
      const response = await this.send('GET', path);
      const parsed = response.status === 200 ? parse(response.body) : undefined;
      if (parsed !== undefined) return { done: parsed };
      const verdict = this.explain(response, subject);
      return refine ? await refine(verdict) : verdict;
    });
  }

  /**
   * The items of a list, page by page.
   * @throws Failure as {@link get}; GRAPH_REFUSED if a page leads to another host or resource, or back; LIST_TOO_LONG
   */
  async list<T>(path: string, parse: (body: string) => ListPage<T> | undefined): Promise<readonly T[]> {
    const items: T[] = [];
    const read = new Set<string>();
    for (let next: string | undefined = path; next !== undefined;) {
      if (read.has(next)) throw leadsBack();
      read.add(next);
      const page: ListPage<T> = await this.get(next, { connectorId: undefined }, parse).catch((error: unknown) => {
        throw error instanceof Failure && error.code === 'RESPONSE_TOO_LARGE' ? naming(error) : error;
      });
      const count = items.length + page.items.length;
      if (count > LIST_LIMITS.items || read.size > LIST_LIMITS.pages) throw tooLong(count, read.size);
      items.push(...page.items);
      next = page.nextLink === undefined ? undefined : this.#pathOf(page.nextLink, path);
    }
    return items;
  }

  /**
   * Sends one request once. `goesOut` is called when it does: it may have to wait for its turn before that.
   * @throws TransportError
   */
  async send(
    method: HttpRequest['method'],
    path: string,
    { body, goesOut }: { readonly body?: string; readonly goesOut?: () => void } = {},
  ): Promise<HttpResponse> {
    const pause = this.#pace.reserve(this.deadline.now());
    if (pause > 0) await this.deadline.sleep(pause);
    goesOut?.();
    return await this.#http.send({
      method,
      url: `${this.#root}${path}`,
      headers: {
        authorization: `Bearer ${this.#access.token}`,
        'client-request-id': randomUUID(),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body }),
      ...(method === 'GET' ? { responseLimit: PAGE_LIMIT } : {}),
    });
  }

  /** What a response other than the wanted one means. */
  explain(response: HttpResponse, { connectorId, wasRead = false }: Subject): Verdict {
    return explainGraph(response, {
      connectorId,
      wasRead,
      permission: this.#permission,
      roles: this.#access.roles,
      application: this.#application,
    });
  }

  get #root(): string {
    return `${this.#application.cloud.graphOrigin}/v1.0`;
  }

  /** The path of a next page, which has to be of the same list: the token must not go elsewhere. */
  #pathOf(nextLink: string, path: string): string {
    const list = `${this.#root}${path}`;
    const next = URL.canParse(nextLink, list) ? new URL(nextLink, list) : undefined;
    if (next && withoutQuery(next) === withoutQuery(new URL(list))) return path + next.search;
    throw new Failure(
      'GRAPH_REFUSED',
      `Microsoft Graph's list goes on at ${clean(nextLink)}, which is not ${list}.`,
      NAME_THEM,
    );
  }
}

/** Origin and path, as they are compared. */
function withoutQuery({ origin, pathname }: URL): string {
  return `${origin}${pathname.replace(/\/$/, '')}`.toLowerCase();
}

/** A page has many connectors, so it may be too large where a connector is not. */
function naming({ code, message, remedy, cause }: Failure): Failure {
  return new Failure(code, message, `${remedy} ${NAME_THEM}`, { cause });
}

/** To end there would take a part of the list for all of it. */
function leadsBack(): Failure {
  return new Failure(
    'GRAPH_REFUSED',
    "Microsoft Graph's list leads back to a page that was read already, so connectors may be missing from it.",
    'Run the job again. If it goes on, name the connectors in connector-id instead of all: true.',
  );
}

function tooLong(items: number, pages: number): Failure {
  return new Failure(
    'LIST_TOO_LONG',
    `Microsoft Graph's list goes on after ${items} items on ${pages} pages; at most ${LIST_LIMITS.items} items on ${LIST_LIMITS.pages} pages are read.`,
    NAME_THEM,
  );
}
