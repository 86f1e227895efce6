/** A response of something between the runner and a service: a filter, a portal, a proxy. */
import { Failure } from '../failure.ts';
import { clean } from '../text/clean.ts';
import type { HttpResponse } from './client.ts';
import { HOSTS } from './hosts.ts';
import { isRedirect, redirected } from './refusal.ts';
import { retryForStatus } from './verdict.ts';

/** The title of a web page, cleaned; '' if it has none. Takes time in proportion to the page, of which only the beginning counts. */
export function pageTitle(body: string): string {
  return clean(/<title[^<>]{0,100}>([^<]{0,1000})/i.exec(body.trimStart().slice(0, 16_384))?.[1], 100);
}

/** A network asks for a sign-in; a service itself must not send it (RFC 6585, section 6). */
const NETWORK_AUTHENTICATION_REQUIRED = 511;

/**
 * The failure that a web page means: none of these services answers with one, but what stands in between does. Undefined
 * if the response is not a page, and not that of a network that wants a sign-in. `service` is who was asked, as a person
 * calls it; `hosts`, which hosts the network has to let through.
 */
export function intercepted(
  { status, headers, body }: HttpResponse,
  service: string,
  hosts: string = HOSTS,
): Failure | undefined {
  // A byte order mark is a blank too.
  const isPage = /^<[!?a-z]/i.test(body.trimStart().slice(0, 2));
  if (!isPage && status !== NETWORK_AUTHENTICATION_REQUIRED) return undefined;
  const title = pageTitle(body);
  const named = title === '' ? '' : `, titled ${title}`;
  const what = isPage ? `a web page${named}` : 'the sign-in of a network';
  return new Failure(
    'INTERCEPTED',
    `Not ${service} but something on the way to it answered: ${what} (HTTP ${status}, ${clean(headers['date'], 40) || new Date().toISOString()}).`,
    `Let the firewall, web filter or proxy of your network pass ${hosts} unchanged, without a sign-in page.`,
  );
}

/**
 * The failure of a response that something else sent in the place of the service: a redirect, or a web page. Undefined if it
 * may be the service's own. A gateway's page with a status that may pass means that status, and the service may have acted.
 */
export function answeredInstead(response: HttpResponse, service: string, hosts?: string): Failure | undefined {
  const { status } = response;
  if (isRedirect(status)) return redirected(service, status);
  return retryForStatus(status) === 'no' ? intercepted(response, service, hosts) : undefined;
}
