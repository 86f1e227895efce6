/**
 * What Microsoft Graph and the B2C backend say when they refuse, and what helps.
 * @see https://learn.microsoft.com/graph/errors
 * @see https://learn.microsoft.com/azure/active-directory-b2c/error-codes
 */
import { Failure, type FailureCode } from '../failure.ts';
import type { HttpResponse } from '../http/client.ts';
import { saidBy, shownCodes } from '../http/error-body.ts';
import { answeredInstead } from '../http/intercepted.ts';
import { retryAfter, retryForStatus, type Retry, type Verdict } from '../http/verdict.ts';
import { loginCommands, type Application } from '../sign-in/application.ts';
import { clean } from '../text/clean.ts';

/** The application permission that a step needs. */
export type Permission = 'APIConnectors.Read.All' | 'APIConnectors.ReadWrite.All';

/** What a failure is about, with the values that its commands are filled in with. */
export interface Asked {
  /** Undefined if the request is about none in particular. */
  readonly connectorId: string | undefined;
  /** Whether the connector was read a moment before. */
  readonly wasRead?: boolean;
  /** What the step needs. */
  readonly permission: Permission;
  /** The application permissions that the access token carries; undefined if they cannot be read. */
  readonly roles: readonly string[] | undefined;
  readonly application: Application;
}

interface Refusal {
  readonly code: FailureCode;
  readonly what: string;
  readonly remedy: string;
  /** `no` unless given. */
  readonly retry?: Retry;
  /** For how long to retry at the most, in milliseconds. */
  readonly within?: number;
}

/** Replicas of the service may take a while to know a token, a consent or a connector. */
const REPLICAS = 10_000;

const STATUS_PAGE = 'Run the job again; see https://status.cloud.microsoft.';
const KEY_ASKED_FOR = 'Its documents ask for RSA 2048 with the key usage digitalSignature. Make such a certificate.';

const PASSWORD_REFUSED: Refusal = {
  code: 'UPLOAD_PASSWORD_REFUSED',
  what: 'The service reports that the password of the certificate is incorrect',
  remedy:
    'The password opened the file here, and the file went out in TripleDES-SHA1. The service does not support characters beyond ASCII in the password: export the certificate again with a password of ASCII letters and digits.',
};
const THROTTLED: Refusal = {
  code: 'THROTTLED',
  what: 'The service is asked for too much at once',
  remedy: 'Run the job again later, with concurrency in the workflow so that one upload runs at a time.',
  retry: 'yes',
};
const ALREADY_THERE: Refusal = {
  code: 'UPLOAD_ALREADY_THERE',
  what: 'The service does not accept this certificate a second time',
  remedy:
    'If force is set, leave it out. If the certificate has the key of an earlier one, make one with a new key. The outputs and the summary show which certificates the connector has.',
};
const NO_KEY: Refusal = {
  code: 'UPLOAD_FILE_REFUSED',
  what: 'The service finds no private key in the file, though there is one',
  remedy: KEY_ASKED_FOR,
};

/** The B2C backend's own codes. */
const BACKEND: Readonly<Record<string, Refusal | ((asked: Asked) => Refusal)>> = {
  AADB2C90213: PASSWORD_REFUSED,
  AADB2C95025: PASSWORD_REFUSED,
  AADB2C90214: {
    code: 'UPLOAD_EXPIRED_REFUSED',
    what: 'The service reports that the certificate has expired',
    remedy: 'Upload a newer certificate; not-after in the outputs shows when this one expires.',
  },
  AADB2C90215: {
    code: 'UPLOAD_FILE_REFUSED',
    what: 'The service cannot use the key in the file',
    remedy: KEY_ASKED_FOR,
  },
  AADB2C90216: {
    code: 'UPLOAD_FILE_REFUSED',
    what: 'The service cannot use the key in the file',
    remedy: KEY_ASKED_FOR,
  },
  AADB2C90137: { code: 'UPLOAD_FILE_REFUSED', what: 'The service finds the RSA key too short', remedy: KEY_ASKED_FOR },
  AADB2C90176: NO_KEY,
  AADB2C90178: NO_KEY,
  AADB2C90179: {
    code: 'UPLOAD_FILE_REFUSED',
    what: 'The service finds no valid X.509 certificate in the file',
    remedy: KEY_ASKED_FOR,
  },
  AADB2C95047: {
    code: 'UPLOAD_FILE_REFUSED',
    what: 'The service cannot decode the file',
    remedy:
      'The file went out in TripleDES-SHA1 and opens here. If the password has characters beyond ASCII, export the certificate again with a password of ASCII letters and digits.',
  },
  AADB2C95048: {
    code: 'UPLOAD_FILE_REFUSED',
    what: 'The service does not find a PKCS#12 file in the request',
    remedy: 'Please report it, with the request-id: the file opens here.',
  },
  AADB2C90180: ALREADY_THERE,
  AADB2C95049: ALREADY_THERE,
  // The application has no permission.
  AADB2C90205: forbidden,
  AADB2C90220: {
    code: 'UPLOAD_DATES_REFUSED',
    what: 'The service finds no certificate in the file that is valid now',
    remedy: 'Check not-before and not-after in the outputs.',
  },
  AADB2C90245: {
    code: 'GRAPH_REFUSED',
    what: 'The service reports that the tenant is disabled',
    remedy: 'Ask the owner of the tenant: its subscription or its trial may have ended.',
  },
  AADB2C95044: {
    code: 'CONNECTOR_OF_ANOTHER_TENANT',
    what: 'The API connector belongs to another tenant than the one signed in to',
    remedy: 'Set tenant-id to the directory that owns the connector.',
  },
  AADB2C90229: THROTTLED,
  AADB2C90244: THROTTLED,
  AADB2C95043: THROTTLED,
  AADB2C95053: THROTTLED,
  Directory_ConcurrencyViolation: THROTTLED,
  AADB2C90063: {
    code: 'SERVICE_UNAVAILABLE',
    what: 'The service has a problem',
    remedy: `It often says so of an ID or a value that it does not know: check connector-id and tenant-id. Else: ${STATUS_PAGE}`,
    retry: 'after-read',
  },
};

const WRONG_DIRECTORY: Refusal = {
  code: 'TENANT_KIND_UNSUPPORTED',
  what: 'The service does not offer this in a tenant of this kind',
  remedy:
    'API connectors exist in Microsoft Entra workforce tenants and in Azure AD B2C tenants, not in external tenants. Check that tenant-id is the tenant that owns the connector.',
};

/** The list of a tenant without connectors is empty; it is never missing. */
const NO_LIST: Refusal = {
  code: WRONG_DIRECTORY.code,
  what: 'Microsoft Graph has no list of API connectors for this tenant',
  remedy: WRONG_DIRECTORY.remedy,
};

const NOT_FOUND_ANY_MORE: Refusal = {
  code: 'CONNECTOR_NOT_FOUND',
  what: 'Microsoft Graph does not find the API connector, which was read a moment before',
  remedy: 'Run the job again. If it goes on, look whether somebody deletes the connector, or makes it again.',
  retry: 'yes',
  within: REPLICAS,
};

/** What a response other than the wanted one means. */
export function explainGraph(response: HttpResponse, asked: Asked): Verdict {
  const { status } = response;
  const instead = answeredInstead(response, 'Microsoft Graph');
  if (instead) return { failure: instead, retry: 'no' };
  const said = saidBy(response);
  const known = said.codes.find((code) => Object.hasOwn(BACKEND, code));
  const backend = known === undefined ? undefined : BACKEND[known];
  const refusal =
    (typeof backend === 'function' ? backend(asked) : backend) ?? byMessage(said.message) ?? byStatus(status, asked);
  const details = [`HTTP ${status}`, ...shownCodes(said.codes, known), ...said.ids, said.date];
  const subject = asked.connectorId === undefined ? '' : ` (API connector ${clean(asked.connectorId)})`;
  const message = said.message === '' ? '' : `: ${said.message.replace(/\.$/, '')}`;
  // A consent that is not known everywhere yet explains a refusal of what was granted.
  const isSpreading = refusal.code === 'GRAPH_FORBIDDEN' && mayBeGranted(asked);
  return {
    failure: new Failure(refusal.code, `${refusal.what}${subject}${message} (${details.join(', ')}).`, refusal.remedy),
    retry: retryFor(status, isSpreading ? 'yes' : refusal.retry),
    within: isSpreading ? REPLICAS : refusal.within,
    retryAfter: retryAfter(response, new Date()),
  };
}

/** A code tells what is the matter, but a status with which the service may have acted still has its say. */
function retryFor(status: number, retry: Retry = 'no'): Retry {
  return retry === 'yes' && retryForStatus(status) === 'after-read' ? 'after-read' : retry;
}

function byMessage(message: string): Refusal | undefined {
  return /is an Azure AD B2C directory|not a B2C tenant/i.test(message) ? WRONG_DIRECTORY : undefined;
}

function byStatus(status: number, asked: Asked): Refusal {
  switch (status) {
    case 401:
      return {
        code: 'GRAPH_UNAUTHORIZED',
        what: 'Microsoft Graph does not accept the access token',
        remedy: "Check that cloud is the tenant's, and run the job again.",
        retry: 'yes',
        within: REPLICAS,
      };
    case 403:
      return forbidden(asked);
    case 404:
      if (asked.connectorId === undefined) return NO_LIST;
      if (asked.wasRead) return NOT_FOUND_ANY_MORE;
      return {
        code: 'CONNECTOR_NOT_FOUND',
        what: 'The tenant has no such API connector',
        remedy: 'The check step with all: true lists the API connectors of the tenant with their IDs.',
      };
    case 429:
      return {
        code: 'THROTTLED',
        what: 'Microsoft Graph throttles the requests',
        remedy: 'Run the job again later.',
        retry: 'yes',
      };
  }
  if (status >= 200 && status < 300) {
    const what = 'The response of Microsoft Graph cannot be read';
    return { code: 'SERVICE_UNAVAILABLE', what, remedy: STATUS_PAGE, retry: 'after-read' };
  }
  const retry = retryForStatus(status);
  if (retry !== 'no') {
    const what = 'Microsoft Graph could not serve the request';
    return { code: 'SERVICE_UNAVAILABLE', what, remedy: STATUS_PAGE, retry };
  }
  return {
    code: 'GRAPH_REFUSED',
    what: 'Microsoft Graph refused the request',
    remedy: "The message above is the service's. With the request-id, Microsoft support can find out more.",
  };
}

const SHOWN_ROLES = 10;

const SPREADING = 'A new consent takes some minutes to be known everywhere: run the job again.';

/** Whether the access token carries a permission that should be enough for the step, or may carry one. */
function mayBeGranted({ roles, permission }: Asked): boolean {
  return roles?.some((role) => role === permission || role === 'APIConnectors.ReadWrite.All') ?? true;
}

function forbidden({ roles, application, permission }: Asked): Refusal {
  const refusal = { code: 'GRAPH_FORBIDDEN', what: 'Microsoft Graph denies access' } as const;
  if (roles?.includes('APIConnectors.ReadWrite.All')) {
    return {
      ...refusal,
      what: 'Microsoft Graph denies access, though the access token carries APIConnectors.ReadWrite.All',
      remedy: `${SPREADING} If it goes on, check that tenant-id is the tenant that owns the connector, and that it is a workforce or an Azure AD B2C tenant.`,
    };
  }
  // Graph's documents name ReadWrite.All for reading as well; that Read.All is enough is likely. With ReadWrite.All: above.
  const readIsNotEnough = roles?.includes(permission) ?? false;
  const needed = readIsNotEnough ? 'APIConnectors.ReadWrite.All' : permission;
  const why = readIsNotEnough
    ? `${SPREADING} Microsoft documents only ${needed} for reading API connectors: if it goes on, this tenant insists on it.`
    : `The step needs ${needed}, with admin consent.`;
  return {
    ...refusal,
    remedy: `${carriedBy(roles)} ${why} As an administrator of the tenant:
${grantCommands(application, needed)}`,
  };
}

/** The permissions of the access token, in a sentence. */
function carriedBy(roles: readonly string[] | undefined): string {
  if (roles === undefined) return 'Which permissions the access token carries cannot be read.';
  const more = roles.length > SHOWN_ROLES ? ` and ${roles.length - SHOWN_ROLES} more` : '';
  const carried = roles.slice(0, SHOWN_ROLES).map((role) => clean(role, 80));
  return `The access token carries ${carried.length === 0 ? 'no application permission' : `${carried.join(', ')}${more}`}.`;
}

/** For a shell of the Azure CLI, ready to be pasted. */
function grantCommands({ tenantId, clientId, cloud }: Application, permission: Permission): string {
  return `${loginCommands(cloud, tenantId)}
SP=$(az ad sp show --id ${clientId} --query id --output tsv) &&
MS_GRAPH=$(az ad sp show --id 00000003-0000-0000-c000-000000000000 --query id --output tsv) &&
ROLE=$(az ad sp show --id $MS_GRAPH --query "appRoles[?value=='${permission}'].id" --output tsv) &&
az rest --method post --url ${cloud.graphOrigin}/v1.0/servicePrincipals/$SP/appRoleAssignments --body "{\\"principalId\\":\\"$SP\\",\\"resourceId\\":\\"$MS_GRAPH\\",\\"appRoleId\\":\\"$ROLE\\"}"`;
}
