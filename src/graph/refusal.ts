/**
 * What Microsoft Graph and the B2C backend say when they refuse, and what helps.
 * @see https://learn.microsoft.com/graph/errors
 * @see https://learn.microsoft.com/azure/active-directory-b2c/error-codes
 */
import { Failure, type FailureCode } from '../failure.ts';
import type { HttpResponse } from '../http/client.ts';
import { isRedirect, redirected } from '../http/refusal.ts';
import { retryAfter, retryForStatus, type Retry, type Verdict } from '../http/verdict.ts';
import type { Application } from '../sign-in/application.ts';
import { clean } from '../text/clean.ts';
import { isObject, parseObject, type JsonObject } from '../text/json.ts';

interface Said {
  readonly code: string;
  readonly message: string;
  readonly requestId: string;
  readonly date: string;
}

/** What a failure is about, with the values that its commands are filled in with. */
export interface Asked {
  /** Undefined where the request is about none in particular. */
  readonly connectorId: string | undefined;
  /** The application permissions that the access token carries. */
  readonly roles: readonly string[];
  readonly application: Application;
}

interface Refusal {
  readonly code: FailureCode;
  readonly what: string;
  readonly remedy: string;
}

/** The B2C backend's own codes. */
const BACKEND: ReadonlyMap<string, Refusal> = new Map([
  ...entries(['AADB2C90213', 'AADB2C95025'], {
    code: 'UPLOAD_PASSWORD_REFUSED',
    what: 'The service says that the password of the certificate is incorrect',
    remedy:
      'The password opened the file here, and the file went out in TripleDES-SHA1. Characters beyond ASCII in the password are not foreseen by the service: export the certificate again with a password of ASCII letters and digits.',
  }),
  ...entries(['AADB2C90214'], {
    code: 'UPLOAD_EXPIRED_REFUSED',
    what: 'The service says that the certificate has expired',
    remedy: 'Upload a newer certificate; not-after in the outputs tells when this one ends.',
  }),
  ...entries(['AADB2C90215', 'AADB2C90216'], {
    code: 'UPLOAD_FILE_REFUSED',
    what: 'The service cannot use the key in the file',
    remedy: 'Its documents ask for RSA 2048 with the key usage digitalSignature. Make such a certificate.',
  }),
  ...entries(['AADB2C90220'], {
    code: 'UPLOAD_DATES_REFUSED',
    what: 'The service finds no certificate in the file that is valid now',
    remedy: 'Check not-before and not-after in the outputs.',
  }),
  ...entries(['AADB2C95044'], {
    code: 'CONNECTOR_OF_ANOTHER_TENANT',
    what: 'The API connector belongs to another tenant than the one signed in to',
    remedy: 'Set tenant-id to the directory that owns the connector.',
  }),
  ...entries(['AADB2C90229', 'AADB2C90244', 'AADB2C95043', 'AADB2C95053'], {
    code: 'THROTTLED',
    what: 'The service is asked for too much at once',
    remedy: 'Run the job again later, with concurrency in the workflow so that one upload runs at a time.',
  }),
  ...entries(['AADB2C90063'], {
    code: 'SERVICE_UNAVAILABLE',
    what: 'The service has a problem',
    remedy: 'Run the job again; see https://status.cloud.microsoft.',
  }),
]);

/** What a response other than the wanted one means. */
export function explainGraph(response: HttpResponse, asked: Asked): Verdict {
  const { status } = response;
  if (isRedirect(status)) return { failure: redirected('Microsoft Graph', status), retry: 'no' };
  const said = saidBy(response);
  const backend = BACKEND.get(said.code);
  const refusal = backend ?? byStatus(status, asked);
  const details = [`HTTP ${status}`, said.code, said.requestId && `request-id ${said.requestId}`, said.date];
  const message = said.message === '' ? '' : `: ${said.message.replace(/\.$/, '')}`;
  return {
    failure: new Failure(
      refusal.code,
      `${refusal.what}${asked.connectorId === undefined ? '' : ` (API connector ${clean(asked.connectorId)})`}${message} (${details.filter((part) => part !== '').join(', ')}).`,
      refusal.remedy,
    ),
    retry: retryFor(status, backend?.code),
    retryAfter: retryAfter(response, new Date()),
  };
}

/** Whether to send the request again. A 200 that cannot be read says nothing, so only a read can tell. */
function retryFor(status: number, backend: FailureCode | undefined): Retry {
  if (status === 200) return 'after-read';
  if (backend === 'THROTTLED' || status === 503) return 'yes';
  return backend === 'SERVICE_UNAVAILABLE' ? 'after-read' : retryForStatus(status);
}

function byStatus(status: number, { roles, application }: Asked): Refusal {
  const { clientId, cloud } = application;
  const unavailable = 'Run the job again; see https://status.cloud.microsoft.';
  if (status === 200)
    return { code: 'SERVICE_UNAVAILABLE', what: 'The answer of Microsoft Graph cannot be read', remedy: unavailable };
  if (status === 401) {
    return {
      code: 'GRAPH_UNAUTHORIZED',
      what: 'Microsoft Graph does not take the access token',
      remedy: "Check that cloud is the tenant's, and run the job again.",
    };
  }
  if (status === 403) {
    return {
      code: 'GRAPH_FORBIDDEN',
      what: 'Microsoft Graph denies access',
      remedy: `The access token carries ${roles.length === 0 ? 'no application permission' : roles.map((role) => clean(role, 80)).join(', ')}; it needs APIConnectors.ReadWrite.All (the check step: APIConnectors.Read.All), with admin consent. As an administrator of the tenant:
SP=$(az ad sp show --id ${clientId} --query id --output tsv)
MS_GRAPH=$(az ad sp show --id 00000003-0000-0000-c000-000000000000 --query id --output tsv)
ROLE=$(az ad sp show --id $MS_GRAPH --query "appRoles[?value=='APIConnectors.ReadWrite.All'].id" --output tsv)
az rest --method post --url ${cloud.graphOrigin}/v1.0/servicePrincipals/$SP/appRoleAssignments --body "{\\"principalId\\":\\"$SP\\",\\"resourceId\\":\\"$MS_GRAPH\\",\\"appRoleId\\":\\"$ROLE\\"}"`,
    };
  }
  if (status === 404) {
    return {
      code: 'CONNECTOR_NOT_FOUND',
      what: 'The tenant has no such API connector',
      remedy: `List them with: az rest --method get --url ${cloud.graphOrigin}/v1.0/identity/apiConnectors --query "value[].[id,displayName]" --output tsv`,
    };
  }
  if (status === 429)
    return { code: 'THROTTLED', what: 'Microsoft Graph throttles the requests', remedy: 'Run the job again later.' };
  if (retryForStatus(status) !== 'no')
    return { code: 'SERVICE_UNAVAILABLE', what: 'Microsoft Graph could not serve the request', remedy: unavailable };
  return {
    code: 'GRAPH_REFUSED',
    what: 'Microsoft Graph refused the request',
    remedy: "The message above is the service's. With the request-id, Microsoft support can tell more.",
  };
}

function entries(codes: readonly string[], refusal: Refusal): [string, Refusal][] {
  return codes.map((code) => [code, refusal]);
}

/** Code, message and ids out of an error's body, cleaned; each may be ''. */
export function saidBy(response: HttpResponse): Said {
  const body = parseObject(response.body);
  const error = objectOf(body['error']);
  const inner = objectOf(error['innerError'] ?? error['innererror']);
  return {
    code: clean(error['code'], 100),
    message: clean(error['message']),
    requestId: clean(inner['request-id'] ?? response.headers['request-id'], 64),
    date: clean(inner['date'] ?? response.headers['date'], 40) || new Date().toISOString(),
  };
}

function objectOf(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
