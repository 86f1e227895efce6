/**
 * A SOCKS5 port that speaks nothing else (RFC 1928): without credentials, CONNECT by host name. Whoever begins with TLS
 * or HTTP is hung up on, as the common servers do.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const VERSION = 5;
const SUCCEEDED = 0;
const HOST_UNREACHABLE = 4;

export class SocksProxy {
  /** The hosts that were asked for in SOCKS; undefined for a client that spoke something else. */
  readonly asked: (string | undefined)[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(route: (host: string) => number | 'unresolved' | undefined) {
    this.#server = createServer((client) => {
      this.#keep(client);
      this.#serve(client, route).catch(() => client.destroy());
    });
  }

  static async start(route: (host: string) => number | 'unresolved' | undefined): Promise<SocksProxy> {
    const proxy = new SocksProxy(route);
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

  async #serve(client: Socket, route: (host: string) => number | 'unresolved' | undefined): Promise<void> {
    const greeting = await message(client);
    if (greeting[0] !== VERSION) {
      this.asked.push(undefined);
      client.destroy();
      return;
    }
    client.write(Buffer.from([VERSION, 0]));
    // VER CMD RSV ATYP=3 LENGTH NAME PORT
    const request = await message(client);
    const host = request.subarray(5, 5 + (request[4] ?? 0)).toString();
    this.asked.push(host);
    const port = route(host);
    const reply = typeof port === 'number' ? SUCCEEDED : HOST_UNREACHABLE;
    client.write(Buffer.from([VERSION, reply, 0, 1, 0, 0, 0, 0, 0, 0]));
    if (typeof port !== 'number') {
      client.end();
      return;
    }
    const upstream = connect(port, '127.0.0.1');
    this.#keep(upstream);
    client.pipe(upstream).pipe(client);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined);
  }
}

/** What the client sends next; a greeting or a request comes in one piece. */
async function message(client: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.once('data', (data) => {
      client.pause();
      resolve(Buffer.isBuffer(data) ? data : Buffer.from(data));
    });
    client.once('close', () => {
      reject(new Error('The client hung up.'));
    });
    client.resume();
  });
}
