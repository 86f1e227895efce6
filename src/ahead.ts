/**
 * A connection to GitHub's ID token service, begun before the rest of the bundle is even read: its two handshakes take as
 * long as the reading, and as opening the .pfx. Nothing is asked on it until the file is known to be good.
 */
import { isIP } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';

/** Those that undici heeds; a way through a proxy is undici's to make. */
const PROXIES = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'];

/** A TLS connection that has begun, and to where. It does not keep the process alive, and what goes wrong on it is silent. */
export interface ConnectionAhead {
  readonly origin: string;
  readonly socket: TLSSocket;
  /** Once the connection stands, or has failed: then the socket is destroyed. */
  readonly settled: Promise<unknown>;
}

/** What the name of the service may take to resolve, in milliseconds, before the reading of the bundle blocks everything. */
const LOOKUP = 10;

/** Begins the connection, or undefined where there is nothing to connect to, or a proxy in between. */
export async function connectAhead(environment: NodeJS.ProcessEnv): Promise<ConnectionAhead | undefined> {
  const service = environment['ACTIONS_ID_TOKEN_REQUEST_URL'] ?? '';
  if (!URL.canParse(service) || PROXIES.some((name) => environment[name])) return undefined;
  const { protocol, origin, hostname, port } = new URL(service);
  if (protocol !== 'https:') return undefined;
  const socket = connect({
    host: hostname,
    port: Number(port || 443),
    servername: isIP(hostname) === 0 ? hostname : '',
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: true,
  });
  // Whoever connects there in earnest meets the same again, and says so.
  socket.on('error', () => undefined).unref();
  const settled = new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve));
  await Promise.race([new Promise((resolve) => socket.once('lookup', resolve)), setTimeout(LOOKUP)]);
  return { origin, socket, settled };
}
