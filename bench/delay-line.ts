/**
 * A TCP relay that makes loopback as far away as a data centre: connecting costs one round trip, and each byte half of
 * one in each direction. Bandwidth, loss and slow start are left out: they do not tell the two sides of a pair apart.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface DelayLineOptions {
  /** On 127.0.0.1; any free one unless given. */
  readonly port?: number;
  /** On 127.0.0.1, what the line leads to. */
  readonly target: number;
}

export class DelayLine {
  /** In milliseconds, for connections from now on. */
  roundTrip = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(target: number) {
    const options = { noDelay: true, allowHalfOpen: true };
    this.#server = createServer(options, (client) => {
      const server = connect({ ...options, port: target, host: '127.0.0.1' });
      const half = this.roundTrip / 2;
      // The kernel has accepted by now, so what a distant client could not have sent yet is held back. This is the same
      // as a slow handshake for protocols in which the client speaks first, as in TLS and HTTP.
      this.#carry(client, server, half, performance.now() + this.roundTrip);
      this.#carry(server, client, half, 0);
    });
  }

  static async start({ port = 0, target }: DelayLineOptions): Promise<DelayLine> {
    const line = new DelayLine(target);
    await new Promise<void>((resolve, reject) => {
      line.#server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    return line;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** One direction: what `from` says, in order, `delay` later, as if none of it had been said before `opened`. */
  #carry(from: Socket, to: Socket, delay: number, opened: number): void {
    const queue: { readonly due: number; readonly deliver: () => void }[] = [];
    const deliverDue = (): void => {
      // A timer may fire a fraction of a millisecond early.
      while (queue[0] && queue[0].due <= performance.now() + 0.5) queue.shift()?.deliver();
      const next = queue[0];
      if (next) setTimeout(deliverDue, next.due - performance.now());
    };
    const later = (deliver: () => void): void => {
      if (delay === 0) {
        deliver();
        return;
      }
      const now = performance.now();
      queue.push({ due: Math.max(now, opened) + delay, deliver });
      if (queue.length === 1) setTimeout(deliverDue, Math.max(now, opened) + delay - now);
    };

    this.#sockets.add(from);
    from.on('data', (chunk) => {
      later(() => {
        to.write(chunk);
      });
    });
    from.on('end', () => {
      later(() => {
        to.end();
      });
    });
    // A reset ends in `close`, as everything does; the other side hears of it.
    from.on('error', () => undefined);
    from.on('close', () => {
      this.#sockets.delete(from);
      later(() => {
        to.destroySoon();
      });
    });
  }
}
