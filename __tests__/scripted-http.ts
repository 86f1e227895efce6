/** The network of a unit test: responses from a script, no waiting, and everything that was asked or waited for written down. */
import { Http, type HttpRequest, type HttpResponse } from '../src/http/client.ts';
import type { Deadline } from '../src/http/deadline.ts';
import { TransportError } from '../src/http/transport-error.ts';

export type Answer = HttpResponse | TransportError | ((request: HttpRequest) => HttpResponse | TransportError);

/** A {@link Deadline} with a clock that only sleeping moves, and that a test ends, or shortens, when it likes. */
export class ScriptedDeadline implements Deadline {
  readonly #controller = new AbortController();
  /** Milliseconds, in the order they were asked for. */
  readonly sleeps: number[] = [];
  left = 600_000;
  time = 0;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  now(): number {
    return this.time;
  }

  remaining(): number {
    return this.left;
  }

  async sleep(milliseconds: number): Promise<void> {
    this.sleeps.push(milliseconds);
    this.signal.throwIfAborted();
    this.time += milliseconds;
    this.left -= milliseconds;
    await Promise.resolve();
  }

  end(reason: unknown): void {
    this.#controller.abort(reason);
  }
}

export class ScriptedHttp extends Http {
  readonly requests: HttpRequest[] = [];
  /** Origins, in the order that connections to them were opened. */
  readonly preconnected: string[] = [];
  readonly scripted: ScriptedDeadline;
  /** What answers when the script is over. */
  otherwise: ((request: HttpRequest) => HttpResponse | TransportError) | undefined;
  readonly #answers: Answer[];

  constructor(...answers: readonly Answer[]) {
    const deadline = new ScriptedDeadline();
    super({ userAgent: 'unit test', deadline });
    this.scripted = deadline;
    this.#answers = [...answers];
  }

  /** Milliseconds, in the order they were asked for. */
  get waits(): readonly number[] {
    return this.scripted.sleeps;
  }

  override preconnect(origin: string): void {
    this.preconnected.push(origin);
  }

  override async send(request: HttpRequest): Promise<HttpResponse> {
    this.requests.push(request);
    const next = this.#answers.shift() ?? this.otherwise;
    if (next === undefined) throw new Error(`not in the script: ${request.method} ${request.url}`);
    const answer = typeof next === 'function' ? next(request) : next;
    if (answer instanceof TransportError) return await Promise.reject(answer);
    return await Promise.resolve(answer);
  }
}

/** A response with this status; a body that is no text is sent as JSON. */
export function answer(status: number, body: unknown = '', headers: Record<string, string> = {}): HttpResponse {
  return { status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
}
