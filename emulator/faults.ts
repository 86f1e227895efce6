/**
 * What goes wrong on purpose. A fault is data: which requests it meets, and what happens to them instead of, or after,
 * the service's own answer.
 */
import type { Answer, RequestKind } from './service.ts';

export interface Fault {
  /** The kind of request that it meets. `connect` is the proxy's CONNECT, before any TLS: status, reset, hang and delay apply. */
  readonly on: RequestKind | 'connect';
  /** Only requests to this host. */
  readonly host?: string;
  /** Only requests whose path, with the query, matches. */
  readonly path?: RegExp;
  /** So many requests pass untouched first; 0 unless given. */
  readonly skip?: number;
  /** So many requests are met; 1 unless given, Infinity for all. */
  readonly times?: number;
  /** Only for this many milliseconds from the first request that it meets; give `times` as well. */
  readonly forMs?: number;
  readonly do: FaultAction;
  /** The service acts on the request first, and its answer is what is lost. */
  readonly actFirst?: boolean;
}

export type FaultAction =
  /** This answer. Entra's and Graph's own refusals: `refusal()` of entra.ts, `graphError()` of graph.ts. */
  | ({ readonly kind: 'status' } & Answer)
  /** The connection is closed without an answer. */
  | { readonly kind: 'reset' }
  /** No answer, and the connection stays open. */
  | { readonly kind: 'hang' }
  /** The service's answer, later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The service's answer, of which the body stops in the middle. */
  | { readonly kind: 'cut' }
  /** The service's answer, changed. */
  | { readonly kind: 'rewrite'; readonly rewrite: (answer: Answer) => Answer }
  /** The service's answer, compressed although nobody asked for that. */
  | { readonly kind: 'gzip' }
  /** `100 Continue`, for which nobody asked, before the service's answer. */
  | { readonly kind: 'continue' }
  /** A 200 whose JSON body is a string of this many characters. */
  | { readonly kind: 'flood'; readonly bytes: number };

/** The faults still to come, in the order they were asked for. */
export class Faults {
  #pending: { readonly fault: Fault; skip: number; times: number; until: number }[] = [];

  add(fault: Fault): void {
    this.#pending.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1, until: Infinity });
  }

  clear(): void {
    this.#pending = [];
  }

  /** The fault that this request meets; it is used up by that. */
  next(on: Fault['on'], host: string, path = ''): Fault | undefined {
    const now = performance.now();
    for (const entry of this.#pending) {
      const { fault } = entry;
      if (fault.on !== on || (fault.host ?? host) !== host || entry.times === 0) continue;
      if (fault.path?.test(path) === false || now > entry.until) continue;
      if (entry.skip > 0) {
        entry.skip--;
        continue;
      }
      entry.times--;
      if (entry.until === Infinity && fault.forMs !== undefined) entry.until = now + fault.forMs;
      return fault;
    }
    return undefined;
  }
}
