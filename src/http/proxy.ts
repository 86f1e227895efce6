/** The proxy that the environment names, as curl and the Actions toolkit read it. */
import { Failure } from '../failure.ts';
import { percentDecoded } from '../text/secrets.ts';

/** The variables that can hold a proxy's user name and password; the first two are for https, the first of them that is set counts. */
export const PROXY_VARIABLES = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'] as const;

/**
 * The proxy for https requests, or undefined if there is none. `HTTP_PROXY` is for http alone, and nothing here speaks that.
 * A value without a scheme is for http://.
 * @throws Failure PROXY_INVALID
 */
export function httpsProxy(environment: NodeJS.ProcessEnv): string | undefined {
  const value = withScheme(environment['https_proxy']?.trim() || environment['HTTPS_PROXY'] || '');
  if (value === '') return undefined;
  const why = whyUnusable(value);
  if (why !== undefined) throw proxyInvalid(why);
  return value;
}

/** The hosts that are asked directly, separated by commas or blanks. A variable that is set and empty is not set. */
export function noProxy(environment: NodeJS.ProcessEnv): string {
  return environment['no_proxy'] || environment['NO_PROXY'] || '';
}

/** The value with `http://` in front of it if it has no scheme. */
export function withScheme(value: string): string {
  const text = value.trim();
  return text === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
}

/** The proxy cannot be used. `why` says what is wrong with it, and shows nothing of it: there may be a password in it. */
export function proxyInvalid(why: string, options?: ErrorOptions): Failure {
  return new Failure(
    'PROXY_INVALID',
    `The proxy in HTTPS_PROXY cannot be used: ${why}.`,
    'Set it to http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with special characters percent-encoded (% itself is %25).',
    options,
  );
}

function whyUnusable(value: string): string | undefined {
  const scheme = /^[^:]*/.exec(value)?.[0].toLowerCase() ?? '';
  if (scheme.startsWith('socks')) return 'it is a SOCKS proxy, and only HTTP proxies are supported';
  if (scheme !== 'http' && scheme !== 'https')
    return `its scheme is ${scheme}://, and only http:// and https:// are supported`;
  if (!URL.canParse(value)) return 'it is not a URL';
  const { username, password, hostname } = new URL(value);
  // "http://user:12#3@host" is a URL of the host "user".
  if (value.includes('@') && username === '' && password === '') {
    return 'its user name or password holds a character that has a meaning in a URL, such as # or /';
  }
  // Decoding makes a text shorter, unless there is nothing to decode.
  if ([username, password].some((text) => text.includes('%') && percentDecoded(text) === text)) {
    return 'its user name or password holds a % that encodes nothing';
  }
  return hostname === '' ? 'it names no host' : undefined;
}
