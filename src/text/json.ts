/** JSON and JWTs that a server sent: read without an exception, and of any shape. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** The value, or undefined if the text is not JSON. A byte order mark before it is passed over: Graph has sent one. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    return undefined;
  }
}

/** Whether the value is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The JSON object in the text; an empty one if there is none. */
export function parseObject(text: string): JsonObject {
  const value = parseJson(text);
  return isObject(value) ? value : {};
}

/** The value if it is a string, else ''. @foreign */
export function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/**
 * The claims of a JWT, unverified: they only explain, nothing is decided by them. Undefined if there are none.
 * @see https://www.rfc-editor.org/rfc/rfc7519#section-3
 */
export function jwtClaims(jwt: string): JsonObject | undefined {
  const claims = parseJson(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
  return isObject(claims) ? claims : undefined;
}

/** Whether the text can be a bearer token in a header: visible ASCII, and longer than any word. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{16,}$/.test(value);
}
