/**
 * Microsoft Graph: who may call, and what all its answers have in common. The objects are next door.
 *
 * Documented: the permissions, the ids of a request, the shape of errors, that a replica may not know a new thing yet.
 * Assumed: that APIConnectors.Read.All is enough to read (only ReadWrite.All is named), how long a new token is refused,
 * and the words of a 401.
 */
import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import {
  ApiConnectors,
  connectorRequestKind,
  type Connector,
  type ConnectorBehaviour,
  type ListBehaviour,
} from './api-connectors.ts';
import type { Directory } from './directory.ts';
import { graphError, withIds } from './graph-error.ts';
import type { Answer, ReceivedRequest, RequestKind, Service } from './service.ts';
import { errorIn, type ErrorShape } from './shapes.ts';

export type { Authentication, Connector, ConnectorBehaviour } from './api-connectors.ts';
export { graphError } from './graph-error.ts';

export interface GraphOptions {
  readonly hosts: readonly string[];
  /** The claims of a valid access token for this audience; throws otherwise. */
  readonly verify: (jwt: string, audience: string) => Promise<JWTPayload>;
  readonly directory: Directory;
  readonly now: () => Date;
  readonly pageSize: number;
}

/** What the documents leave open, for all connectors. Nothing set: what most would expect. */
export interface GraphBehaviour extends ConnectorBehaviour {
  readonly list?: ListBehaviour;
  readonly errors?: ErrorShape;
  /** Whether APIConnectors.Read.All may read; true unless given. */
  readonly readAllSuffices?: boolean;
  /** The first N requests with a token are refused with 401. */
  readonly newTokenRefused?: number;
}

const WRITE = 'APIConnectors.ReadWrite.All';
const READ = 'APIConnectors.Read.All';
const READING: readonly RequestKind[] = ['get', 'list'];

export class Graph implements Service {
  readonly name = 'graph';
  readonly hosts: readonly string[];
  readonly #options: GraphOptions;
  readonly #apiConnectors: ApiConnectors;
  readonly #uses = new Map<string, number>();
  #behaviour: GraphBehaviour = {};

  constructor(options: GraphOptions) {
    this.#options = options;
    this.#apiConnectors = new ApiConnectors(options);
    this.hosts = options.hosts;
  }

  get connectors(): Map<string, Connector> {
    return this.#apiConnectors.connectors;
  }

  /** Replaces all of the behaviour; a connector may have one of its own in addition. */
  set behaviour(behaviour: GraphBehaviour) {
    this.#behaviour = behaviour;
    this.#apiConnectors.behaviour = behaviour;
    this.#apiConnectors.list = behaviour.list ?? {};
  }

  get behaviour(): GraphBehaviour {
    return this.#behaviour;
  }

  kindOf(method: string, path: string): RequestKind {
    return connectorRequestKind(method, path) ?? 'other';
  }

  async answer(request: ReceivedRequest): Promise<Answer> {
    const ids = {
      'request-id': randomUUID(),
      'client-request-id': request.headers['client-request-id'] ?? randomUUID(),
    };
    const answer = withIds(await this.#answer(request), ids, this.#options.now());
    return errorIn(this.#behaviour.errors ?? 'plain', answer);
  }

  async #answer(request: ReceivedRequest): Promise<Answer> {
    const token = /^bearer (.+)$/i.exec(request.headers['authorization'] ?? '')?.[1] ?? '';
    let claims: JWTPayload;
    try {
      claims = await this.#options.verify(token, `https://${request.host}`);
      const uses = (this.#uses.get(token) ?? 0) + 1;
      this.#uses.set(token, uses);
      if (uses <= (this.#behaviour.newTokenRefused ?? 0)) throw new Error('The token is not known here yet.');
    } catch (error) {
      return graphError(401, 'InvalidAuthenticationToken', `Access token validation failure. ${String(error)}`, {
        'www-authenticate': `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`,
      });
    }
    if (request.kind === 'other') {
      const unknown = graphError(400, 'BadRequest', `Resource not found for the segment '${request.path}'.`);
      return this.#options.directory.answer(request, claims) ?? unknown;
    }
    const roles = (claims['roles'] ?? []) as readonly string[];
    const readAll = READING.includes(request.kind) && (this.#behaviour.readAllSuffices ?? true);
    if (!roles.includes(WRITE) && !(readAll && roles.includes(READ))) {
      return graphError(403, 'Authorization_RequestDenied', 'User Authorization: Access is denied.');
    }
    return this.#apiConnectors.answer(request, claims['tid'] as string);
  }
}
