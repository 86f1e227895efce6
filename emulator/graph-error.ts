/**
 * Graph's errors. A test may force any of them on a request.
 *
 * Documented: the shape, and that `code` may be any text. As seen in answers: the words of most messages.
 */
import { randomUUID } from 'node:crypto';
import type { Answer } from './service.ts';

const CONTENT_TYPE =
  'application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8';

/** Graph's error; it has ids of its own until it answers a request. */
export function graphError(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Answer {
  const ids = { 'request-id': randomUUID(), 'client-request-id': randomUUID() };
  return withIds({ status, headers, body: { error: { code, message } } }, ids, new Date());
}

/** Another write to the same object is under way. */
export function concurrencyViolation(): Answer {
  return graphError(
    409,
    'Directory_ConcurrencyViolation',
    'Unable to complete the request due to data concurrency violations.',
  );
}

export function locked(): Answer {
  return graphError(423, 'Locked', 'The resource that is being accessed is locked.');
}

/** The answer with the ids of its request in the headers, and in the body if that is an error. */
export function withIds({ status, headers, body }: Answer, ids: Record<string, string>, now: Date): Answer {
  const innerError = { date: now.toISOString().slice(0, 19), ...ids };
  const error = typeof body === 'object' && 'error' in body ? (body.error as object) : undefined;
  return {
    status,
    headers: { 'content-type': CONTENT_TYPE, ...headers, ...ids },
    ...(body === undefined ? {} : { body: error ? { error: { ...error, innerError } } : body }),
  };
}
