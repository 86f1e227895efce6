/** What it means that no response came back, by the innermost cause: name resolution, proxy, TLS, time. */
import { Failure, type FailureCode } from '../failure.ts';
import { clean } from '../text/clean.ts';
import { adviseExtraCa } from './extra-ca.ts';
import { HOSTS } from './hosts.ts';
import { httpsProxy } from './proxy.ts';
import { reason, type TransportError } from './transport-error.ts';
import { retryForStatus, type Verdict } from './verdict.ts';

/** Each TLS certificate or connection that is refused, by Node's or OpenSSL's codes and texts, with the cause and the fix. The first that fits counts. */
const TLS_REFUSALS: readonly {
  readonly by: RegExp;
  readonly what: (service: string) => string;
  readonly remedy: () => string;
}[] = [
  {
    // All that Node has no code of its own for is UNSPECIFIED.
    by: /too weak|too small/i,
    what: (service) => `The TLS certificate or key presented for ${service} is too weak`,
    remedy: () =>
      'Microsoft and GitHub present none like this: it comes from something in between, such as a proxy that inspects TLS. It has to present RSA keys of at least 2048 bits, signed with SHA-256.',
  },
  {
    by: /\b(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)\b/,
    what: (service) =>
      `The TLS certificate presented for ${service} is not valid at this time (${new Date().toISOString()} by the clock of the runner)`,
    remedy: () =>
      'Check the clock of the runner. If it is right, the certificate comes from something in between, such as a proxy that inspects TLS: renew it there.',
  },
  {
    by: /\b(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)\b/,
    what: (service) => `The TLS certificate presented for ${service} is for another name`,
    remedy: () =>
      'Something else answers in its place, such as a proxy or a sign-in page of the network: let the connection pass. Check DNS and HTTPS_PROXY.',
  },
  {
    by: /\b(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_UNTRUSTED|CERT_REVOKED|CERT_REJECTED|CERT_SIGNATURE_FAILURE|CERT_CHAIN_TOO_LONG|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|UNABLE_TO_\w+|CRL_\w+|ERROR_IN_CERT_\w+|UNSPECIFIED)\b/,
    what: (service) => `The TLS certificate of ${service} is not trusted`,
    remedy: () => `${adviseExtraCa(process.env)} Verification is never turned off.`,
  },
  {
    by: /wrong version number|packet length too long|http request|WRONG_VERSION_NUMBER/i,
    what: (service) => `What answered for ${service} does not speak TLS`,
    remedy: () =>
      'If HTTPS_PROXY begins with https://, and the proxy itself is plain HTTP, let it begin with http://. Otherwise something in between answers on port 443: let the connection pass.',
  },
  {
    by: /unsupported protocol|alert protocol version|handshake failure|no ciphers|no shared cipher|unsafe legacy renegotiation|wrong signature type|wrong curve/i,
    what: (service) => `No TLS connection with ${service} can be agreed upon`,
    remedy: () =>
      'Microsoft and GitHub speak TLS 1.2 and 1.3: something in between, such as a proxy that inspects TLS, speaks only what is out of date. Update it, or let the connection pass.',
  },
];

/** The failure that a redirect means: something that is not the service answered in its place. */
export function redirected(service: string, status: number): Failure {
  return new Failure(
    'REDIRECTED',
    `In place of ${service} a redirect answered (HTTP ${status}, ${new Date().toISOString()}), which is not followed: a token must not go elsewhere.`,
    'Something between the runner and the service answers in its place, such as a proxy that asks for a sign-in. Let it pass.',
  );
}

/** Whether this status is a redirect. */
export function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

/**
 * Whether it was the proxy that could not be reached, and not the service. Node and undici write the name that did not
 * resolve, or the address with its port; of port 443, it cannot be known.
 */
function isAboutTheProxy(why: string): boolean {
  const proxy = httpsProxy(process.env);
  if (proxy === undefined) return false;
  const { hostname, port, protocol } = new URL(proxy);
  const unresolved = /\b(?:ENOTFOUND|EAI_AGAIN) (\S+)/.exec(why)?.[1];
  if (unresolved !== undefined) return unresolved.toLowerCase() === hostname.toLowerCase();
  const unreached = /\b(?:connect E[A-Z]+|attempted address(?:es)?:) [^\s,]+:(\d+)/.exec(why)?.[1];
  return unreached !== '443' && unreached === (port || (protocol === 'https:' ? '443' : '80'));
}

/** What a request without a response can mean. */
interface Cause {
  /** By the text of the innermost error. */
  readonly fits: (why: string) => boolean;
  readonly code: FailureCode;
  readonly what: (service: string, why: string) => string;
  readonly remedy: () => string;
  /** Whether it does not pass by itself. */
  readonly isFinal?: boolean;
}

/** The HTTP status of a proxy that did not open the way. */
function proxyStatus(why: string): number {
  return Number(/Proxy response \((\d+)\)/.exec(why)?.[1]);
}

function isUnresolved(why: string): boolean {
  return /\b(ENOTFOUND|EAI_AGAIN)\b/.test(why);
}

const PROXY_REFUSED = {
  code: 'PROXY_REFUSED',
  what: (service, why) => `The proxy did not open the way to ${service}: HTTP ${proxyStatus(why)}`,
  remedy: () => `Let the proxy pass CONNECT to port 443 of ${HOSTS}, or list them in NO_PROXY.`,
} as const satisfies Omit<Cause, 'fits'>;

/** The first that fits counts. */
const CAUSES: readonly Cause[] = [
  {
    fits: (why) => proxyStatus(why) === 407,
    code: 'PROXY_AUTHENTICATION_REQUIRED',
    what: (service) =>
      `The proxy on the way to ${service} asks for a user name and password, or rejects those that it got: HTTP 407`,
    remedy: () =>
      'Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT in the env of the job or of the runner, with special characters percent-encoded, out of a secret.',
    isFinal: true,
  },
  { fits: (why) => retryForStatus(proxyStatus(why)) !== 'no', ...PROXY_REFUSED },
  { fits: (why) => !Number.isNaN(proxyStatus(why)), ...PROXY_REFUSED, isFinal: true },
  {
    fits: (why) => /the response is larger than \d+ bytes/.test(why),
    code: 'RESPONSE_TOO_LARGE',
    what: (service, why) => `${service} sent more than is read: ${why}`,
    remedy: () =>
      'No response of this service is that large. Something on the way to it may answer in its place, such as a proxy: let the connection pass unchanged.',
    isFinal: true,
  },
  ...TLS_REFUSALS.map(({ by, what, remedy }): Cause => ({
    fits: (why) => by.test(why),
    code: 'TLS_NOT_TRUSTED',
    what: (service, why) => `${what(service)}: ${why}`,
    remedy,
    isFinal: true,
  })),
  {
    fits: (why) => isUnresolved(why) && isAboutTheProxy(why),
    code: 'PROXY_INVALID',
    what: (service, why) => `The name of the proxy on the way to ${service} could not be resolved: ${why}`,
    remedy: () => 'Check the name in HTTPS_PROXY, and the DNS of the runner.',
  },
  {
    fits: isUnresolved,
    code: 'NETWORK_UNREACHABLE',
    what: (service, why) => `The name of ${service} could not be resolved: ${why}`,
    remedy: () => 'Check the DNS of the runner, and HTTPS_PROXY if it has to go through a proxy.',
  },
  {
    fits: isAboutTheProxy,
    code: 'NETWORK_UNREACHABLE',
    what: (service, why) => `The proxy on the way to ${service} did not answer: ${why}`,
    remedy: () =>
      'Run the job again. If it goes on, check host and port in HTTPS_PROXY, and that the runner may reach them.',
  },
];

/** All else: the connection was not made, or broke. */
const NO_ANSWER: Omit<Cause, 'fits'> = {
  code: 'NETWORK_UNREACHABLE',
  what: (service, why) => `${service} did not answer: ${why}`,
  remedy: () =>
    'Run the job again. If it goes on, check that the runner may reach it on port 443, and HTTPS_PROXY and NO_PROXY.',
};

/** What a request without a response means. `service` is who was asked, as a person calls it. */
export function explainTransport(error: TransportError, service: string): Verdict {
  const why = clean(reason(error));
  const { code, what, remedy, isFinal = false } = CAUSES.find(({ fits }) => fits(why)) ?? NO_ANSWER;
  return {
    retry: isFinal ? 'no' : error.sent ? 'after-read' : 'yes',
    failure: new Failure(code, `${what(service, why)} (${new Date().toISOString()}).`, remedy(), { cause: error }),
  };
}
