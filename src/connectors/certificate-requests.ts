/** Whether a server asks for a client certificate in the TLS handshake. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { TLSSocket } from 'node:tls';

const CONNECTED = 'undici:client:connected';

/** What undici publishes of a connection that stands. */
interface Connected {
  /** As in a URL: with the port, if it is not the usual one. */
  readonly connectParams: { readonly host: string };
  readonly socket: unknown;
}

/** Watches the connections to the host of a URL that have a client certificate to present; `using` ends that. */
export class CertificateRequests implements Disposable {
  /** Whether the server asked for it in the last handshake; undefined if none was finished. */
  came: boolean | undefined;
  readonly #host: string;

  constructor(url: string) {
    this.#host = new URL(url).host;
    subscribe(CONNECTED, this.#connected);
  }

  readonly #connected = (message: unknown): void => {
    const { connectParams, socket } = message as Connected;
    if (connectParams.host !== this.#host || !(socket instanceof TLSSocket)) return;
    // Its own: without one, the connection is none of those that present it.
    if (socket.getX509Certificate() === undefined) return;
    // A CertificateRequest names the server's signature algorithms (RFC 5246 7.4.4, RFC 8446 4.3.2). A client learns them in
    // no other way, and Node has no other sign of such a request.
    this.came = socket.getSharedSigalgs().length > 0;
  };

  [Symbol.dispose](): void {
    unsubscribe(CONNECTED, this.#connected);
  }
}
