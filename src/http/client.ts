/**
 * Sends requests: one undici dispatcher with proxy, deadlines and a cap on what is read.
 * No redirect is ever followed: a token must not travel to a host that a server names.
 */
import { PARALLEL } from './concurrency.ts';
import { decodeContent, tooLarge } from './content-coding.ts';
import type { Deadline } from './deadline.ts';
import { httpsProxy, noProxy, proxyInvalid } from './proxy.ts';
import { reason, TransportError } from './transport-error.ts';
import { EnvHttpProxyAgent } from './undici.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For this attempt alone, in milliseconds; {@link REQUEST_TIMEOUT} unless given. */
  readonly timeout?: number;
  /** What is read of the response at the most, in bytes; {@link RESPONSE_LIMIT} unless given. */
  readonly responseLimit?: number;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; of one that came several times all values as a list, or the last if it cannot be one. @foreign */
  readonly headers: Readonly<Record<string, string>>;
  /** @foreign */
  readonly body: string;
}

/** What one request may take, in milliseconds. */
export const REQUEST_TIMEOUT = 30_000;

/** A response with one object is a few kilobytes. Of a body, decoded or not, in bytes. */
export const RESPONSE_LIMIT = 1024 * 1024;
/** Of all headers of one response, in bytes. Node's own limit is 16 KiB, and policies and cookies of what stands between can be more. */
const HEADERS_LIMIT = 128 * 1024;

/** Headers that have one value, in which a comma may stand, and cookies. All others may be lists (RFC 9110, section 5.3). */
const NO_LIST = new Set([
  'age',
  'content-length',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
  'server',
  'set-cookie',
]);

function combined(received: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(received).map(([field, value]) => {
      const name = field.toLowerCase();
      const values = Array.isArray(value) ? value : [value ?? ''];
      return [name, NO_LIST.has(name) ? (values.at(-1) ?? '') : values.join(', ')];
    }),
  );
}

/** A certificate with its chain, and its private key, both PEM. */
export interface PemIdentity {
  readonly cert: string;
  readonly key: string;
}

export interface HttpOptions {
  /** For the user agent. */
  readonly userAgent: string;
  readonly deadline: Deadline;
  /** To present to servers that ask for one. */
  readonly clientCertificate?: PemIdentity | undefined;
}

/** Keep-alive connections; `await using` closes them. */
export class Http implements AsyncDisposable {
  /** When the step has to end; every request ends with it. */
  readonly deadline: Deadline;
  readonly #dispatcher: EnvHttpProxyAgent;
  readonly #userAgent: string;

  /** @throws Failure PROXY_INVALID */
  constructor({ userAgent, deadline, clientCertificate }: HttpOptions) {
    this.#userAgent = userAgent;
    this.deadline = deadline;
    // Said explicitly, NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment has no say in it.
    const tls = { ...clientCertificate, rejectUnauthorized: true, allowH2: false };
    const proxy = httpsProxy(process.env) ?? '';
    try {
      this.#dispatcher = new EnvHttpProxyAgent({
        connections: PARALLEL,
        httpsProxy: proxy,
        httpProxy: '',
        noProxy: noProxy(process.env),
        maxHeaderSize: HEADERS_LIMIT,
        // On every leg: with HTTP/1.1 it is plain to see whether a request was sent.
        allowH2: false,
        connect: tls,
        requestTls: tls,
        proxyTls: { rejectUnauthorized: true, allowH2: false },
      });
    } catch (cause) {
      // All that it reads from outside is the URL of the proxy and NO_PROXY.
      throw proxyInvalid('it is not a URL that can be used', { cause });
    }
  }

  /**
   * Opens a connection to this origin before the first request to it, if there is none. The handshakes then cost nothing
   * while another response is on its way: without it, one upload takes 4 more round trips directly and 6 through a proxy.
   * What goes wrong here happens to that request again. undici has no call for it: a request that refuses to start once its
   * connection stands is not written, and leaves the connection to the next one.
   */
  preconnect(origin: string): void {
    this.#dispatcher.dispatch(
      // With headers, of whatever kind, or a proxy's connection is taken for one to another host.
      { origin, path: '/', method: 'GET', headers: {} },
      {
        onRequestStart() {
          throw new Error('only the connection was wanted');
        },
        onResponseStart: () => undefined,
        onResponseData: () => undefined,
        onResponseEnd: () => undefined,
        onResponseError: () => undefined,
      },
    );
  }

  /**
   * Sends one request once.
   * @throws TransportError if no whole response came back; its `sent` says whether the server may have acted
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { timeout = REQUEST_TIMEOUT, responseLimit = RESPONSE_LIMIT } = request;
    const signal = AbortSignal.any([this.deadline.signal, AbortSignal.timeout(timeout)]);
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
        fail(
          this.deadline.signal.aborted
            ? this.deadline.signal.reason
            : new Error(`no response within ${timeout / 1000} s`),
        );
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
          headers: {
            'user-agent': this.#userAgent,
            accept: 'application/json',
            'accept-encoding': 'identity',
            ...request.headers,
          },
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
            headers = combined(received);
          },
          onResponseData(controller, chunk) {
            size += chunk.length;
            if (size > responseLimit) controller.abort(tooLarge(responseLimit));
            else chunks.push(chunk);
          },
          onResponseEnd() {
            let body: string;
            try {
              body = decodeContent(Buffer.concat(chunks), headers['content-encoding'], responseLimit).toString('utf8');
            } catch (error) {
              fail(error);
              return;
            }
            signal.removeEventListener('abort', onAbort);
            // undici frees the connection in the next turn of the event loop: whoever asks sooner is given another one, and
            // waits for its handshakes (2 round trips more directly, 3 through a proxy).
            setImmediate(() => setImmediate(resolve, { status, headers, body }));
          },
          onResponseError(_controller, error) {
            fail(error);
          },
        },
      );
    });
  }

  /** Closes every connection, idle or not: an open one would hold the step for minutes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispatcher.destroy();
  }
}
