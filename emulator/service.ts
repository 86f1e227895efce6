/** What a service of the emulator is: requests of some kinds come in, answers go out. */

/** `challenge` is a request to a vault without a token, `secret` one with it. */
export type RequestKind =
  'id-token' | 'token' | 'list' | 'get' | 'upload' | 'patch' | 'create' | 'delete' | 'challenge' | 'secret' | 'other';

export type ServiceName = 'id-token' | 'entra' | 'graph' | 'key-vault' | 'resource-manager' | 'github-api';

export interface ReceivedRequest {
  readonly service: ServiceName | 'none';
  readonly kind: RequestKind;
  readonly host: string;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly at: Date;
  /** The same for requests that shared a connection. */
  readonly connection: number;
  /** The answer's; undefined while there is none, or where none was given. */
  status: number | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: string | object;
}

export interface Service {
  readonly name: ServiceName;
  readonly hosts: readonly string[];
  kindOf(method: string, path: string, headers: Readonly<Record<string, unknown>>): RequestKind;
  answer(request: ReceivedRequest): Answer | Promise<Answer>;
}
