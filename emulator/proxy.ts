/**
 * An HTTP CONNECT proxy. The services' host names lead to the emulator; every other host gets 403 and is remembered, so
 * that a request nobody foresaw makes a test fail instead of leaving the machine.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
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
  /** The local port that stands for this host, undefined for a host that is not emulated. */
  readonly route: (host: string) => number | undefined;
  readonly faults: Faults;
  /** `user:password` that clients must present. */
  readonly credentials?: string | undefined;
}

export class ConnectProxy {
  readonly connects: ConnectAttempt[] = [];
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      // A plain http:// request: nothing of the sort is foreseen.
      const { hostname, port } = new URL(request.url ?? '', 'http://unknown.invalid');
      this.connects.push({ host: hostname, port: Number(port || 80), status: 403 });
      response.writeHead(403).end();
    });
    this.#server.on('connect', (request: IncomingMessage, client: Duplex) => {
      this.#keep(client);
      void this.#connect(request, client);
    });
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
    this.#server.closeAllConnections();
    await closed;
  }

  async #connect(request: IncomingMessage, client: Duplex): Promise<void> {
    const { hostname: host, port } = new URL(`https://${request.url ?? ''}`);
    const attempt: ConnectAttempt = { host, port: Number(port || 443), status: undefined };
    this.connects.push(attempt);
    const answer = (status: number, headers: Readonly<Record<string, string>> = {}): void => {
      attempt.status = status;
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      client.write(
        `HTTP/1.1 ${status} ${status === 200 ? 'Connection established' : 'Refused'}\r\n${lines.join('')}\r\n`,
      );
      if (status !== 200) client.end();
    };

    const { route, faults, credentials } = this.#options;
    if (credentials !== undefined && request.headers['proxy-authorization'] !== basic(credentials)) {
      answer(407, { 'Proxy-Authenticate': 'Basic realm="emulator"' });
      return;
    }
    const target = attempt.port === 443 ? route(host) : undefined;
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
      answer(action.status, action.headers);
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
