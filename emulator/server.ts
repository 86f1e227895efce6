/**
 * The TLS server behind the proxy. Dispatches by Host to the services, records every request in order of arrival, and
 * lets faults happen to them. HTTP/1.1 with keep-alive; the real services also offer HTTP/2, which no client needs.
 */
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Fault, Faults } from './faults.ts';
import type { Answer, ReceivedRequest, Service } from './service.ts';

/** A server may have a key that its clients find too weak. */
export const ANY_KEY = { ciphers: 'DEFAULT@SECLEVEL=0' };

export interface ServerOptions {
  readonly services: readonly Service[];
  readonly faults: Faults;
  readonly tls: { readonly key: string; readonly cert: string };
  readonly now: () => Date;
  readonly onRequest: (request: ReceivedRequest) => void;
}

export class CloudServer {
  readonly requests: ReceivedRequest[] = [];
  readonly #options: ServerOptions;
  readonly #server: Server;

  private constructor(options: ServerOptions) {
    this.#options = options;
    // Connections are kept for long, as the services do: a client that leaves one open is seen to wait for it.
    this.#server = createServer({ ...options.tls, ...ANY_KEY, keepAliveTimeout: 120_000 }, (request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        // A client that hangs up is no news; anything else must not pass as an answer of the service.
        if (!response.headersSent) response.writeHead(599, 'Emulator failed').end(String(error));
        else response.destroy();
      });
    });
  }

  static async start(options: ServerOptions): Promise<CloudServer> {
    const server = new CloudServer(options);
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const { services, faults, now, onRequest } = this.#options;
    const host = (message.headers.host ?? '').replace(/:443$/, '').toLowerCase();
    const method = message.method ?? '';
    const path = message.url ?? '';
    const service = services.find((candidate) => candidate.hosts.includes(host));
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const request: ReceivedRequest = {
      service: service?.name ?? 'none',
      kind: service?.kindOf(method, path, message.headers) ?? 'other',
      host,
      method,
      path,
      headers: Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)])),
      body: bodyOf(Buffer.concat(chunks), message.headers['content-encoding']),
      at: now(),
      connection: message.socket.remotePort ?? 0,
      status: undefined,
    };
    this.requests.push(request);
    onRequest(request);

    const act = async (): Promise<Answer> => (await service?.answer(request)) ?? { status: 421 };
    const fault = faults.next(request.kind, host, path);
    if (fault) await fail(fault, act, request, response);
    else send(await act(), request, response);
  }
}

/** Microsoft's SDK for Go compresses what it sends, and Graph accepts it. */
function bodyOf(bytes: Buffer, encoding: string | undefined): string {
  return (encoding === 'gzip' ? gunzipSync(bytes) : bytes).toString();
}

async function fail(
  fault: Fault,
  act: () => Promise<Answer>,
  request: ReceivedRequest,
  response: ServerResponse,
): Promise<void> {
  const action = fault.do;
  if (
    fault.actFirst === true &&
    (action.kind === 'status' || action.kind === 'reset' || action.kind === 'hang' || action.kind === 'flood')
  ) {
    await act();
  }
  switch (action.kind) {
    case 'status':
      send(action, request, response);
      return;
    case 'reset':
      response.destroy();
      return;
    case 'hang':
      return;
    case 'delay': {
      if (fault.actFirst !== true) await sleep(action.ms, undefined, { ref: false });
      const answer = await act();
      if (fault.actFirst === true) await sleep(action.ms, undefined, { ref: false });
      send(answer, request, response);
      return;
    }
    case 'cut': {
      const { status, headers, body } = onTheWire(await act());
      request.status = status;
      response.writeHead(status, { ...headers, 'content-length': body.length });
      response.write(body.subarray(0, body.length / 2), () => response.destroy());
      return;
    }
    case 'rewrite':
      send(action.rewrite(await act()), request, response);
      return;
    case 'gzip': {
      const { status, headers, body } = onTheWire(await act());
      sendBytes(
        { status, headers: { ...headers, 'content-encoding': 'gzip' }, body: gzipSync(body) },
        request,
        response,
      );
      return;
    }
    case 'continue':
      response.writeContinue();
      send(await act(), request, response);
      return;
    case 'flood':
      request.status = 200;
      response.writeHead(200, { 'content-type': 'application/json' });
      await pipeline(Readable.from(flood(action.bytes)), response);
      return;
  }
}

function send(answer: Answer, request: ReceivedRequest, response: ServerResponse): void {
  sendBytes(onTheWire(answer), request, response);
}

function sendBytes({ status, headers, body }: Bytes, request: ReceivedRequest, response: ServerResponse): void {
  request.status = status;
  response.writeHead(status, { ...headers, ...(status === 204 ? {} : { 'content-length': body.length }) }).end(body);
}

interface Bytes {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

function onTheWire({ status, headers = {}, body = '' }: Answer): Bytes {
  return typeof body === 'string'
    ? { status, headers, body: Buffer.from(body) }
    : { status, headers: { 'content-type': 'application/json', ...headers }, body: Buffer.from(JSON.stringify(body)) };
}

function* flood(bytes: number): Generator<string> {
  const piece = 'x'.repeat(64 * 1024);
  yield '{"value":"';
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
  yield '"}';
}
