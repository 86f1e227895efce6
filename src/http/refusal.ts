/** What it means that no response came back, by the innermost cause: name resolution, proxy, TLS, time. */
import { Failure } from '../failure.ts';
import { clean } from '../text/clean.ts';
import { reason, type TransportError } from './transport-error.ts';
import type { Verdict } from './verdict.ts';

/** Node's codes for a server certificate that is not trusted. */
const UNTRUSTED =
  /\b(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|ERR_TLS_CERT_ALTNAME_INVALID|CERT_UNTRUSTED|CERT_REVOKED|CERT_REJECTED|CERT_SIGNATURE_FAILURE|CERT_CHAIN_TOO_LONG|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)\b/;

/** The failure that a redirect means: something that is not the service answered in its place. */
export function redirected(service: string, status: number): Failure {
  return new Failure(
    'REDIRECTED',
    `${service} answered with a redirect (HTTP ${status}, ${new Date().toISOString()}), which is not followed: a token must not go elsewhere.`,
    'Something between the runner and the service answers in its place, such as a proxy that asks for a sign-in. Let it pass.',
  );
}

/** Whether this status is a redirect. */
export function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

/** What a request without a response means. `service` is who was asked, as a person calls it. */
export function explainTransport(error: TransportError, service: string): Verdict {
  const why = clean(reason(error));
  const again = error.sent ? 'after-read' : 'yes';
  const failed = (code: ConstructorParameters<typeof Failure>[0], what: string, remedy: string): Failure =>
    new Failure(code, `${what} (${new Date().toISOString()}).`, remedy, { cause: error });

  const proxy = /Proxy response \((\d+)\)/.exec(why)?.[1];
  if (proxy === '407') {
    return {
      retry: 'no',
      failure: failed(
        'PROXY_AUTHENTICATION_REQUIRED',
        `The proxy on the way to ${service} asks for a user name and password, or does not take those it got: HTTP 407`,
        'Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT in the env of the job or of the runner, with special characters percent-encoded, out of a secret.',
      ),
    };
  }
  if (proxy !== undefined) {
    return {
      retry: Number(proxy) >= 500 || proxy === '429' ? again : 'no',
      failure: failed(
        'PROXY_REFUSED',
        `The proxy did not open the way to ${service}: HTTP ${proxy}`,
        'Let the proxy pass CONNECT to port 443 of login.microsoftonline.com, graph.microsoft.com and GitHub’s *.actions.githubusercontent.com, or list them in NO_PROXY.',
      ),
    };
  }
  if (/the response is larger than \d+ bytes/.test(why)) {
    return {
      retry: 'no',
      failure: failed(
        'RESPONSE_TOO_LARGE',
        `${service} sent more than is read: ${why}`,
        'Name the connectors in connector-id instead of all: true, if that is set.',
      ),
    };
  }
  if (UNTRUSTED.test(why)) {
    return {
      retry: 'no',
      failure: failed(
        'TLS_NOT_TRUSTED',
        `The TLS certificate of ${service} is not trusted: ${why}`,
        'Where a proxy of your company inspects TLS, give its root certificate to the step: env: NODE_EXTRA_CA_CERTS: /path/to/root-ca.pem. Verification is never turned off.',
      ),
    };
  }
  if (/\b(ENOTFOUND|EAI_AGAIN)\b/.test(why)) {
    return {
      retry: again,
      failure: failed(
        'NETWORK_UNREACHABLE',
        `The name of ${service} could not be resolved: ${why}`,
        'Check the DNS of the runner, and HTTPS_PROXY where it has to go through a proxy.',
      ),
    };
  }
  return {
    retry: again,
    failure: failed(
      'NETWORK_UNREACHABLE',
      `${service} did not answer: ${why}`,
      'Run the job again. If it goes on, check that the runner may reach it on port 443, and HTTPS_PROXY and NO_PROXY.',
    ),
  };
}
