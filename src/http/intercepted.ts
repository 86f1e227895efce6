/** A response of something between the runner and a service: a filter, a portal, a proxy. */
import { Failure } from '../failure.ts';
import { clean } from '../text/clean.ts';
import type { HttpResponse } from './client.ts';
import { HOSTS } from './hosts.ts';

/** The title of a web page, cleaned; '' if it has none. Takes time in proportion to the page, of which only the beginning counts. */
export function pageTitle(body: string): string {
  return clean(/<title[^<>]{0,100}>([^<]{0,1000})/i.exec(body.slice(0, 16_384))?.[1], 100);
}

/**
 * The failure that a web page means: none of these services answers with one, but what stands in between does. Undefined
 * if the response is not a page. `service` is who was asked, as a person calls it.
 */
export function intercepted({ status, headers, body }: HttpResponse, service: string): Failure | undefined {
  if (!/^\ufeff?\s*<[!?a-z]/i.test(body.slice(0, 512))) return undefined;
  const title = pageTitle(body);
  const named = title === '' ? '' : `, titled ${title}`;
  return new Failure(
    'INTERCEPTED',
    `Not ${service} but something on the way to it answered: a web page${named} (HTTP ${status}, ${clean(headers['date'], 40) || new Date().toISOString()}).`,
    `Let the firewall, web filter or proxy of your network pass ${HOSTS} unchanged, without a sign-in page.`,
  );
}
