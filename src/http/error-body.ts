/**
 * The body of an error of Microsoft Graph or of Azure Key Vault, in any shape that it has been seen in.
 * @see https://learn.microsoft.com/graph/errors#json-representation
 * @see https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
 */
import type { HttpResponse } from './client.ts';
import { clean } from '../text/clean.ts';
import { isObject, parseJson, type JsonObject } from '../text/json.ts';

/** What an error says, cleaned. */
export interface ErrorBody {
  /** All codes, the most specific first, each once; none if there is none. {@link shownCodes} are for a message. */
  readonly codes: readonly string[];
  /** The most specific message, or ''. */
  readonly message: string;
  /** `request-id …` and `correlation id …`, what support asks for. */
  readonly ids: readonly string[];
  readonly date: string;
}

/** Deeper than any error that was seen. */
const DEPTH = 8;
/** Nobody reads more. */
const SHOWN_CODES = 3;

/** Reads the body of an error. */
export function saidBy(response: HttpResponse): ErrorBody {
  const levels = levelsOf(parseJson(response.body), 0);
  const inner = levels.toReversed();
  const text = (name: string, longest: number): string =>
    inner.map((level) => clean(level[name], longest)).find((value) => value !== '') ?? '';
  const messages = inner.map((level) => messageOf(level)).filter((message) => message !== '');
  const named = messages.flatMap((message) => /\bAADB2C\d{5}\b/.exec(message)?.[0] ?? []);
  const codes = [...inner.map((level) => clean(level['code'], 100)), ...named].filter((code) => code !== '');
  const requestId = text('request-id', 64) || clean(response.headers['request-id'], 64);
  const correlationId = text('correlationId', 64);
  return {
    codes: [...new Set(codes)],
    message: messages[0] ?? '',
    ids: [requestId && `request-id ${requestId}`, correlationId && `correlation id ${correlationId}`].filter(Boolean),
    date: text('date', 40) || clean(response.headers['date'], 40) || new Date().toISOString(),
  };
}

/** The codes to show: the most specific ones, and the one that decides what the error means. */
export function shownCodes(codes: readonly string[], deciding?: string): readonly string[] {
  const shown = codes.slice(0, SHOWN_CODES);
  return deciding === undefined || shown.includes(deciding) ? shown : [...shown, deciding];
}

/** The error's objects from the outermost to the most specific: `error`, each `innerError`, and an error inside a message. */
function levelsOf(value: unknown, depth: number): readonly JsonObject[] {
  if (!isObject(value) || depth > DEPTH) return [];
  const error = value['error'] ?? value['odata.error'];
  if (error !== undefined) {
    const oauth = { code: error, message: value['error_description'] };
    return isObject(error) ? levelsOf(error, depth + 1) : [oauth];
  }
  const inner = value['innerError'] ?? value['innererror'];
  return [value, ...levelsOf(inner, depth + 1), ...levelsOf(jsonIn(value['message']), depth + 1)];
}

function jsonIn(message: unknown): unknown {
  return typeof message === 'string' && /^\s*\{/.test(message) ? parseJson(message) : undefined;
}

/** A text, or `{ lang, value }` as OData 3 has it; '' for JSON, whose own message counts. */
function messageOf(level: JsonObject): string {
  const message = level['message'];
  const text = isObject(message) ? message['value'] : message;
  return isObject(jsonIn(text)) ? '' : clean(text);
}
