/**
 * One undici dispatcher for all three services: proxy, deadlines, a cap on what is read, and the retry policy.
 * No redirect is ever followed: a token must not travel to a host that a server names.
 */
import type { ConnectionAhead } from '../ahead.ts';
import { buildConnector, EnvHttpProxyAgent } from './undici.ts';
import { Failure, withSentence } from '../failure.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For this attempt alone, in milliseconds. */
  readonly timeout: number;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; the last value where one came several times. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** No answer, or no whole one. */
export class TransportError extends Error {
  /** Whether any part of the request may have reached the server. */
  readonly sent: boolean;

  constructor(message: string, sent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransportError';
    this.sent = sent;
  }
}

/** The retry policy, as data. Times in milliseconds. */
export const RETRY = {
  /** Tries in all, the first one included. */
  attempts: 5,
  firstWait: 500,
  longestWait: 20_000,
  /** What one attempt may take: the ID token is a small service next to the runner. */
  idTokenTimeout: 15_000,
  timeout: 30_000,
  /** What the whole step may take. */
  stepTimeout: 600_000,
} as const;

/** To one host; as many as connectors are worked on at a time. */
const CONNECTIONS = 4;

const RESPONSE_LIMIT = 1024 * 1024;

/** When and why the step has to end, though it is not done. */
export interface Lifetime {
  /** Aborted, with a Failure as its reason, when the step's time is over or the job is cancelled. */
  readonly signal: AbortSignal;
  /** Milliseconds that the step may still take. */
  remaining(): number;
}

/** A certificate with its chain, and its key, both PEM. */
export interface PemIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface HttpOptions {
  /** To present to servers that ask for one. */
  readonly clientCertificate?: PemIdentity | undefined;
  /** A connection that has begun already, for the first request to its origin. */
  readonly ahead?: ConnectionAhead | undefined;
}

export class Http {
  readonly #dispatcher: EnvHttpProxyAgent;
  readonly #userAgent: string;
  readonly #lifetime: Lifetime;

  /** @throws Failure PROXY_INVALID */
  constructor(userAgent: string, lifetime: Lifetime, { clientCertificate, ahead }: HttpOptions = {}) {
    this.#userAgent = userAgent;
    this.#lifetime = lifetime;
    // Said explicitly, NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment has no say in it.
    const tls = { ...clientCertificate, rejectUnauthorized: true };
    try {
      this.#dispatcher = new EnvHttpProxyAgent({
        connections: CONNECTIONS,
        // What the emulator, and so every test, speaks; and whether a request was sent is plain to see.
        allowH2: false,
        connect: ahead ? startingWith(ahead, buildConnector({ ...tls, allowH2: false })) : tls,
        requestTls: tls,
        proxyTls: { rejectUnauthorized: true },
      });
    } catch (cause) {
      // All that it takes from outside are the URLs of proxies.
      throw new Failure(
        'PROXY_INVALID',
        'The proxy in HTTPS_PROXY or HTTP_PROXY is no URL that can be used.',
        'Set it to http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with special characters percent-encoded (% itself is %25).',
        { cause },
      );
    }
  }

  /**
   * Opens a connection ahead of the first request to this origin, where there is none; what goes wrong, that request meets
   * again. undici has no call for it: a request that refuses to start once its connection stands is not written, and leaves
   * the connection to the next one.
   */
  connect(origin: string): void {
    this.#dispatcher.dispatch(
      // With headers, of whatever kind, or a proxy's connection is taken for one to another host.
      { origin, path: '/', method: 'GET', headers: {} },
      {
        onRequestStart() {
          throw new Error('the connection was all that was wanted');
        },
        onResponseStart: () => undefined,
        onResponseData: () => undefined,
        onResponseEnd: () => undefined,
        onResponseError: () => undefined,
      },
    );
  }

  /** {@link Lifetime.signal} */
  get signal(): AbortSignal {
    return this.#lifetime.signal;
  }

  /** {@link Lifetime.remaining} */
  remaining(): number {
    return this.#lifetime.remaining();
  }

  /**
   * Sends one request once.
   * @throws TransportError where no whole answer came back; its `sent` says whether the server may have acted
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const signal = AbortSignal.any([this.signal, AbortSignal.timeout(request.timeout)]);
    return await new Promise<HttpResponse>((resolve, reject) => {
      const { origin, pathname, search } = new URL(request.url);
      const chunks: Buffer[] = [];
      let size = 0;
      let sent = false;
      let abort = (): void => undefined;
      let status = 0;
      let headers: Record<string, string> = {};

      const fail = (cause: unknown): void => {
        signal.removeEventListener('abort', onAbort);
        reject(new TransportError(`${request.method} ${origin}: ${reason(cause)}`, sent, { cause }));
      };
      // Rejecting at once, rather than when undici notices: it does not look at a request that still waits for a connection.
      const onAbort = (): void => {
        // The reason first: what undici says of an aborted request is only that.
        fail(this.signal.aborted ? this.signal.reason : new Error(`no answer within ${request.timeout / 1000} s`));
        abort();
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });

      this.#dispatcher.dispatch(
        {
          origin,
          path: pathname + search,
          method: request.method,
          headers: { 'user-agent': this.#userAgent, accept: 'application/json', ...request.headers },
          body: request.body ?? null,
        },
        {
          onRequestStart(controller) {
            abort = () => {
              controller.abort(new Error('aborted'));
            };
            if (signal.aborted) abort();
            else sent = true;
          },
          onResponseStart(_controller, statusCode, received) {
            status = statusCode;
            headers = Object.fromEntries(
              Object.entries(received).map(([name, value]) => [
                name.toLowerCase(),
                Array.isArray(value) ? (value.at(-1) ?? '') : (value ?? ''),
              ]),
            );
          },
          onResponseData(controller, chunk) {
            size += chunk.length;
            if (size > RESPONSE_LIMIT) controller.abort(new Error(`the answer is larger than ${RESPONSE_LIMIT} bytes`));
            else chunks.push(chunk);
          },
          onResponseEnd() {
            signal.removeEventListener('abort', onAbort);
            const response = { status, headers, body: Buffer.concat(chunks).toString('utf8') };
            // undici frees the connection in the next turn of the event loop: whoever asks sooner is given another one, and
            // waits for its handshakes.
            setImmediate(() => setImmediate(resolve, response));
          },
          onResponseError(_controller, error) {
            fail(error);
          },
        },
      );
    });
  }

  /** Waits this long, in milliseconds, or until the step is over. */
  async wait(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(this.signal.reason as Error);
      };
      if (this.signal.aborted) {
        reject(this.signal.reason as Error);
        return;
      }
      const timer = setTimeout(() => {
        this.signal.removeEventListener('abort', onAbort);
        resolve();
      }, milliseconds);
      this.signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Closes every connection, idle or not: an open one would hold the step for minutes. */
  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }
}

/** Hands out the connection that has begun, once; where there is none, or it failed, `connect` makes one. */
function startingWith(ahead: ConnectionAhead, connect: buildConnector.connector): buildConnector.connector {
  let next: ConnectionAhead | undefined = ahead;
  return (options, callback) => {
    const wanted = new URL(`${options.protocol}//${options.host ?? options.hostname}`).origin;
    if (next?.origin !== wanted) {
      connect(options, callback);
      return;
    }
    const { socket, settled } = next;
    next = undefined;
    socket.ref();
    void settled.then(() => {
      if (socket.destroyed) connect(options, callback);
      else callback(null, socket);
    });
  };
}

/** What {@link retry} is to do after an attempt: take this result, or try again. Times in milliseconds. */
export type Attempt<T> =
  | { readonly done: T }
  | {
      readonly again: Failure;
      /** Not before so much later: what the service asked for. */
      readonly retryAfter?: number | undefined;
      /** Not once so much has passed since the first attempt. */
      readonly within?: number;
    };

/**
 * Tries until an attempt is done, with growing, jittered waits.
 * @throws the failure of the last attempt, once there are no more tries or no time for one
 */
export async function retry<T>(
  http: Http,
  attempt: (n: number) => Promise<Attempt<T>>,
  log: (text: string) => void,
): Promise<T> {
  const started = performance.now();
  for (let n = 1; ; n++) {
    const outcome = await attempt(n);
    if ('done' in outcome) return outcome.done;
    const { again, retryAfter = 0, within = Infinity } = outcome;
    if (n === RETRY.attempts) throw again;
    const backoff = Math.min(RETRY.longestWait, RETRY.firstWait * 2 ** (n - 1)) * (0.5 + Math.random() / 2);
    const wait = Math.max(backoff, retryAfter);
    if (performance.now() - started + wait > within) throw again;
    if (wait >= http.remaining()) {
      throw withSentence(
        again,
        `The next try would have to wait ${Math.ceil(wait / 1000)} s, and the step has only ${Math.floor(http.remaining() / 1000)} s left.`,
      );
    }
    log(`${again.message} Trying again in ${(wait / 1000).toFixed(1)} s (${n} of ${RETRY.attempts} tries).`);
    await http.wait(wait);
  }
}

/** `Retry-After` in milliseconds from now (RFC 9110 section 10.2.3: seconds, or a date), or undefined. */
export function retryAfter(response: HttpResponse, now: Date): number | undefined {
  const value = response.headers['retry-after']?.trim();
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}

/** The innermost cause that says something: "fetch failed" and its like explain nothing. */
export function reason(error: unknown): string {
  const messages: string[] = [];
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    // A failure of ours says it all; its code is the title.
    const code = at instanceof Failure ? undefined : (at as NodeJS.ErrnoException).code;
    messages.push(code !== undefined && !at.message.includes(code) ? `${at.message} (${code})` : at.message);
    if (at instanceof AggregateError) messages.push(...at.errors.map(reason));
  }
  return messages.findLast((message) => message !== '') ?? String(error);
}
