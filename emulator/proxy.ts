/**
 * An HTTP CONNECT proxy. The services' host names lead to the emulator; every other host gets 403 and is remembered, so
 * that a request nobody foresaw makes a test fail instead of leaving the machine.
 *
 * With `tls` it is an https proxy, and the one that prefers h2 in ALPN also speaks it: CONNECT on a stream of its own,
 * as RFC 9113, section 8.5 has it. What a client makes of that is up to the client.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Faults } from './faults.ts';

export interface ConnectAttempt {
  readonly host: string;
  readonly port: number;
  /** 200, 403 (unknown host), 407 (no or wrong credentials), or what a fault answered; undefined where there was no answer. */
  status: number | undefined;
}

export interface ProxyOptions {
  /** The local port that stands for this host; undefined for a host that is not emulated. */
  readonly route: (host: string) => number | 'unresolved' | undefined;
  readonly faults: Faults;
  /** `user:password` that clients must present. */
  readonly credentials?: string | undefined;
  /** An https proxy, and which protocols it offers; plain HTTP without. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly preferH2: boolean };
}

export class ConnectProxy {
  readonly connects: ConnectAttempt[] = [];
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = this.#listener();
    this.#server.on('connection', (socket: Socket) => {
      this.#keep(socket);
    });
    this.#server.on('session', (session: ServerHttp2Session) => {
      session.on('error', () => undefined);
    });
    this.#server.on('connect', (request: IncomingMessage, client: Duplex | Http2ServerResponse) => {
      const stream = 'stream' in client ? client.stream : client;
      this.#keep(stream);
      void this.#connect(request, stream);
    });
  }

  #listener(): Server {
    const { tls } = this.#options;
    const refuse = (request: { url?: string | undefined }, response: ServerResponse | Http2ServerResponse): void => {
      // A plain http:// request: no service has one.
      const { hostname, port } = new URL(request.url ?? '', 'http://unknown.invalid');
      this.connects.push({ host: hostname, port: Number(port || 80), status: 403 });
      response.statusCode = 403;
      response.end();
    };
    if (!tls) return createServer(refuse);
    return tls.preferH2 ? createSecureServer({ ...tls, allowHTTP1: true }, refuse) : createTlsServer(tls, refuse);
  }

  static async start(options: ProxyOptions): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(options);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #connect(request: IncomingMessage, client: Duplex): Promise<void> {
    // Over h2 the target is the authority, and there is no path.
    const authority = request.headers[':authority'] ?? request.url ?? '';
    const { hostname: host, port } = new URL(`https://${String(authority)}`);
    const attempt: ConnectAttempt = { host, port: Number(port || 443), status: undefined };
    this.connects.push(attempt);
    const answer = (status: number, headers: Readonly<Record<string, string>> = {}, body = ''): void => {
      attempt.status = status;
      respond(client, status, headers, body);
    };

    const { route, faults, credentials } = this.#options;
    if (credentials !== undefined && request.headers['proxy-authorization'] !== basic(credentials)) {
      answer(407, { 'Proxy-Authenticate': 'Basic realm="emulator"' });
      return;
    }
    const target = attempt.port === 443 ? route(host) : undefined;
    if (target === 'unresolved') {
      // As seen: a name that does not resolve is 502 or 503 of a proxy, in HTML and with words of its own.
      answer(502, { 'content-type': 'text/html' }, `<h1>Unable to determine IP address from host name ${host}</h1>`);
      return;
    }
    if (target === undefined) {
      answer(403);
      return;
    }
    const action = faults.next('connect', host)?.do;
    if (action?.kind === 'hang') return;
    if (action?.kind === 'reset') {
      client.destroy();
      return;
    }
    if (action?.kind === 'status') {
      answer(
        action.status,
        action.headers,
        typeof action.body === 'object' ? JSON.stringify(action.body) : action.body,
      );
      return;
    }
    if (action?.kind === 'delay') await sleep(action.ms, undefined, { ref: false });
    answer(200);
    this.#join(client, connect(target, '127.0.0.1'));
  }

  #join(client: Duplex, upstream: Socket): void {
    this.#keep(upstream);
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // Whoever hangs up first, the other end notices by `close`.
    socket.on('error', () => undefined);
  }
}

function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

function respond(client: Duplex, status: number, headers: Readonly<Record<string, string>>, body: string): void {
  if ('respond' in client) {
    (client as ServerHttp2Stream).respond({ ':status': status, ...headers });
    if (status !== 200) client.end(body);
    return;
  }
  const all = body === '' ? headers : { ...headers, 'content-length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const reason = status === 200 ? 'Connection established' : 'Refused';
  client.write(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n${body}`);
  if (status !== 200) client.end();
}
