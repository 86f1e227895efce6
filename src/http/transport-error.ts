/** No response to a request. */
import { Failure } from '../failure.ts';

/** No response, or no whole one. */
export class TransportError extends Error {
  /** Whether any part of the request may have reached the server. */
  readonly sent: boolean;

  constructor(message: string, sent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TransportError';
    this.sent = sent;
  }
}

/** The innermost cause that says something: "fetch failed" and its like explain nothing. @foreign */
export function reason(error: unknown): string {
  const messages: string[] = [];
  for (let at: unknown = error, depth = 0; Error.isError(at) && depth < 8; at = at.cause, depth++) {
    // A failure of ours says it all; its code is the title.
    const code = at instanceof Failure ? undefined : (at as NodeJS.ErrnoException).code;
    messages.push(code !== undefined && !at.message.includes(code) ? `${at.message} (${code})` : at.message);
    // Of several addresses that were tried.
    const { errors } = at as Partial<AggregateError>;
    if (Array.isArray(errors)) messages.push(...errors.map(reason));
  }
  return messages.findLast((message) => message !== '') ?? String(error);
}
