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
  /** So many requests pass untouched first; 0 unless given. */
  readonly skip?: number;
  /** So many requests are met; 1 unless given, Infinity for all. */
  readonly times?: number;
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
  /** A 200 whose JSON body is a string of this many characters. */
  | { readonly kind: 'flood'; readonly bytes: number };

/** The faults still to come, in the order they were asked for. */
export class Faults {
  #pending: { fault: Fault; skip: number; times: number }[] = [];

  add(fault: Fault): void {
    this.#pending.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 });
  }

  clear(): void {
    this.#pending = [];
  }

  /** The fault that this request meets; it is used up by that. */
  next(on: Fault['on'], host: string): Fault | undefined {
    for (const entry of this.#pending) {
      if (entry.fault.on !== on || (entry.fault.host ?? host) !== host || entry.times === 0) continue;
      if (entry.skip > 0) {
        entry.skip--;
        continue;
      }
      entry.times--;
      return entry.fault;
    }
    return undefined;
  }
}
