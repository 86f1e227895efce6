/** The network of a unit test: answers from a script, no waiting, and everything that was asked or waited for written down. */
import { Http, TransportError, type HttpRequest, type HttpResponse, type Lifetime } from '../src/http/client.ts';

export type Answer = HttpResponse | TransportError | ((request: HttpRequest) => HttpResponse | TransportError);

/** A {@link Lifetime} that a test ends, or shortens, when it likes. */
export class ScriptedLifetime implements Lifetime {
  readonly #controller = new AbortController();
  left = 600_000;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  remaining(): number {
    return this.left;
  }

  end(reason: unknown): void {
    this.#controller.abort(reason);
  }
}

export class ScriptedHttp extends Http {
  readonly requests: HttpRequest[] = [];
  /** Milliseconds, in the order they were asked for. */
  readonly waits: number[] = [];
  readonly lifetime: ScriptedLifetime;
  readonly #answers: Answer[];

  constructor(...answers: readonly Answer[]) {
    const lifetime = new ScriptedLifetime();
    super('unit test', lifetime);
    this.lifetime = lifetime;
    this.#answers = [...answers];
  }

  override async send(request: HttpRequest): Promise<HttpResponse> {
    this.requests.push(request);
    const next = this.#answers.shift();
    if (next === undefined) throw new Error(`not in the script: ${request.method} ${request.url}`);
    const answer = typeof next === 'function' ? next(request) : next;
    if (answer instanceof TransportError) return await Promise.reject(answer);
    return await Promise.resolve(answer);
  }

  override async wait(milliseconds: number): Promise<void> {
    this.waits.push(milliseconds);
    this.signal.throwIfAborted();
    await Promise.resolve();
  }
}

/** An answer with this status; a body that is no text is sent as JSON. */
export function answer(status: number, body: unknown = '', headers: Record<string, string> = {}): HttpResponse {
  return { status, headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
}
