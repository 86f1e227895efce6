/** The proxy that the environment names, as curl and the Actions toolkit read it. */
import { Failure } from '../failure.ts';

/** The variables that can hold a proxy's user name and password; the first two are for https, the first of them that is set counts. */
export const PROXY_VARIABLES = ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY'] as const;

/**
 * The proxy for https requests, or undefined if there is none. `HTTP_PROXY` is for http alone, and nothing here speaks that.
 * A value without a scheme is for http://.
 * @throws Failure PROXY_INVALID
 */
export function httpsProxy(environment: NodeJS.ProcessEnv): string | undefined {
  const value = withScheme(environment['https_proxy'] || environment['HTTPS_PROXY'] || '');
  if (value === '') return undefined;
  const scheme = URL.canParse(value) ? new URL(value).protocol : '';
  if (scheme === 'http:' || scheme === 'https:') return value;
  throw new Failure(
    'PROXY_INVALID',
    /^socks/i.test(scheme)
      ? 'HTTPS_PROXY names a SOCKS proxy, which is not supported.'
      : 'The proxy in HTTPS_PROXY is not a URL that can be used.',
    'Set it to http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with special characters percent-encoded (% itself is %25).',
  );
}

/** The value with `http://` in front of it if it has no scheme. */
export function withScheme(value: string): string {
  const text = value.trim();
  return text === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
}
