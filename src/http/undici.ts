/**
 * undici without what is not used here. Its index loads fetch, mocks, caches and a database besides, which is 764 kB
 * of the bundle and a good part of its start; so this does for one class what the index does for all.
 */
import { subscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';
import connect from 'undici/lib/api/api-connect.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import EnvHttpProxyAgent from 'undici/lib/dispatcher/env-http-proxy-agent.js';

// The way through a proxy begins with CONNECT.
Object.assign(Dispatcher.prototype, { connect });

// undici hangs up at a `100 Continue`. Servers, and what stands between, may send one unasked, and a client has to read on
// (RFC 9110, section 15.2). Other interim responses it passes over by itself.
subscribe('undici:client:sendHeaders', (message) => {
  skipContinue((message as { readonly socket: Socket }).socket);
});

const CONTINUE = 'HTTP/1.1 100';
const LONGEST_CONTINUE = 16 * 1024;

/** Takes each `100 Continue` out of what is read from this socket, until another response begins. */
function skipContinue(socket: Socket): void {
  let held = Buffer.alloc(0);
  socket.read = (size?: number): Buffer | null => {
    const chunk: unknown = Socket.prototype.read.call(socket, size);
    if (!Buffer.isBuffer(chunk)) return null;
    held = Buffer.concat([held, chunk]);
    for (;;) {
      const start = held.toString('latin1', 0, CONTINUE.length);
      if (!CONTINUE.startsWith(start) || held.length > LONGEST_CONTINUE) break;
      const end = held.indexOf('\r\n\r\n');
      if (end < 0) return null;
      held = held.subarray(end + 4);
    }
    // This one and the next go to the parser as they are.
    socket.read = Socket.prototype.read.bind(socket);
    return held;
  };
}

export { EnvHttpProxyAgent };
