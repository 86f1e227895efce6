/**
 * What Microsoft Graph and the B2C backend say when they refuse, and what helps.
 * @see https://learn.microsoft.com/graph/errors
 * @see https://learn.microsoft.com/azure/active-directory-b2c/error-codes
 */
import { clean } from './clean.ts';
import type { Cloud } from './cloud.ts';
import { Failure, type FailureCode } from './failure.ts';
import type { HttpResponse } from './http.ts';

interface Said {
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  readonly date: string;
}

/** The failure that an answer other than the wanted one means. */
export function explainGraph(
  response: HttpResponse,
  connectorId: string,
  roles: readonly string[],
  cloud: Cloud,
): Failure {
  const said = saidBy(response);
  const id = clean(connectorId);
  const details = [`HTTP ${response.status}`, said.code, said.requestId && `request-id ${said.requestId}`, said.date]
    .filter((part) => part !== '')
    .join(', ');
  const because = `${said.message === '' ? '' : `: ${said.message.replace(/\.$/, '')}`} (${details}).`;
  const failure = (code: FailureCode, what: string, remedy: string) => new Failure(code, `${what}${because}`, remedy);

  if (response.status === 404) {
    return failure(
      'CONNECTOR_NOT_FOUND',
      `The tenant has no API connector ${id}`,
      `List them with: az rest --method get --url ${cloud.graphOrigin}/v1.0/identity/apiConnectors --query "value[].[id,displayName]" --output tsv`,
    );
  }
  if (response.status === 401) {
    return failure(
      'GRAPH_UNAUTHORIZED',
      'Microsoft Graph did not take the access token',
      "Check that cloud is the tenant's, and run the job again.",
    );
  }
  if (response.status === 403) {
    return failure(
      'GRAPH_FORBIDDEN',
      'Microsoft Graph denied access',
      `The access token carries ${roles.length === 0 ? 'no application permission' : roles.map((role) => clean(role)).join(', ')}; it needs APIConnectors.ReadWrite.All, with admin consent.`,
    );
  }
  if (response.status === 408 || response.status === 429 || response.status >= 500) {
    return failure(
      'SERVICE_UNAVAILABLE',
      `Microsoft Graph could not serve the request for the API connector ${id}`,
      'Run the job again; see https://status.cloud.microsoft.',
    );
  }
  if (response.status === 200) {
    return failure(
      'SERVICE_UNAVAILABLE',
      `Microsoft Graph's answer for the API connector ${id} could not be read`,
      'Run the job again.',
    );
  }
  return failure(
    'GRAPH_REFUSED',
    `Microsoft Graph refused the request for the API connector ${id}`,
    'See the message of the service.',
  );
}

/** Code, message and ids out of an error's body, cleaned; each may be ''. */
export function saidBy(response: HttpResponse): Said {
  let error: Record<string, unknown> = {};
  try {
    const body = JSON.parse(response.body) as { error?: unknown } | null;
    if (typeof body?.error === 'object' && body.error !== null) error = body.error as Record<string, unknown>;
  } catch {
    // HTML, or nothing: the status and the headers have to do.
  }
  const inner = (error['innerError'] ?? error['innererror'] ?? {}) as Record<string, unknown>;
  return {
    code: clean(error['code'], 100),
    message: clean(error['message']),
    requestId: clean(inner['request-id'] ?? response.headers['request-id'], 64),
    date: clean(inner['date'] ?? response.headers['date'], 40),
  };
}
