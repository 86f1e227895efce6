/**
 * What Microsoft Entra's token endpoint says when it refuses, and what helps.
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
import { createHash } from 'node:crypto';
import { Failure, type FailureCode } from '../failure.ts';
import type { HttpResponse } from '../http/client.ts';
import { answeredInstead } from '../http/intercepted.ts';
import { retryForStatus, type Verdict } from '../http/verdict.ts';
import { clean } from '../text/clean.ts';
import { isObject, parseObject, stringOf } from '../text/json.ts';
import { graphIn, loginCommands, type Application, type Resource } from './application.ts';
import type { IdToken } from './github-id-token.ts';

interface Presented {
  readonly application: Application;
  readonly resource: Resource;
  readonly idToken: IdToken;
}

interface Refusal {
  readonly code: FailureCode;
  readonly what: (presented: Presented) => string;
  readonly remedy: (presented: Presented) => string;
  readonly again?: boolean;
  readonly within?: number;
}

/** A federated credential that was just made takes a while to be known everywhere. */
const SPREADING = 25_000;

const noMatch: Refusal = {
  code: 'FEDERATED_CREDENTIAL_MISMATCH',
  what: ({ application }) => `No federated credential of the application ${application.clientId} fits this job`,
  remedy: (presented) =>
    `${presentedClaims(presented)}\n${subjectForm(presented.idToken.subject)}Register exactly these (upper and lower case count):\n${createCommand(presented)}`,
  again: true,
  within: SPREADING,
};

const wrongAudience: Refusal = {
  ...noMatch,
  remedy: (presented) =>
    `${presentedClaims(presented)}\n${subjectForm(presented.idToken.subject)}If the application has a credential with this issuer and subject, set the input audience to the audience of that credential. Or give that credential the audience that GitHub presented, since there cannot be two:\n${changeAudience(presented)}`,
};

const transient: Refusal = {
  code: 'SERVICE_UNAVAILABLE',
  what: () => 'Microsoft Entra did not issue a token',
  remedy: () => 'Run the job again; see https://status.cloud.microsoft.',
  again: true,
};

const issuerUnreachable: Refusal = {
  code: 'ISSUER_UNREACHABLE',
  what: ({ idToken }) =>
    `Microsoft Entra could not reach the issuer ${clean(idToken.issuer, 1000)} to check the ID token`,
  remedy: ({ idToken }) =>
    `Entra reads ${clean(idToken.issuer, 1000)}/.well-known/openid-configuration over the internet: a GitHub Enterprise Server has to be reachable from there. On github.com, run the job again.`,
  again: true,
};

const unknown: Refusal = {
  code: 'SIGN_IN_REFUSED',
  what: ({ application }) =>
    `Microsoft Entra refused to sign in the application ${application.clientId} in the tenant ${application.tenantId}`,
  remedy: ({ application }) =>
    `Look the code up at ${application.cloud.loginOrigin}/error. Check whether application, tenant and cloud are the right ones.`,
};

const noTenant: Refusal = {
  code: 'TENANT_NOT_FOUND',
  what: ({ application }) => `There is no tenant ${application.tenantId} in the cloud ${application.cloud.name}`,
  remedy: () => 'Check tenant-id, which the overview page of Microsoft Entra ID shows, and cloud: global or china.',
};

const noResource: Refusal = {
  code: 'RESOURCE_NOT_FOUND',
  what: ({ application, resource }) =>
    `The tenant ${application.tenantId} does not know ${resource.name} at ${resource.audience}`,
  remedy: () => 'The cloud is not the tenant’s. Set cloud: global or cloud: china.',
};

/** A proxy adds the header Restrict-Access-To-Tenants to what goes to the sign-in service. */
const tenantRestriction: Refusal = {
  code: 'SIGN_IN_REFUSED',
  what: ({ application }) => `The network of the runner lets nobody sign in to the tenant ${application.tenantId}`,
  remedy: ({ application }) =>
    `A proxy of the network restricts the tenants that may be signed in to (tenant restrictions). Let its administrator add ${application.tenantId} to the allowed tenants, or run on a runner outside of that network.`,
};

const REFUSALS: Readonly<Record<number, Refusal>> = {
  70021: noMatch,
  700211: noMatch,
  700212: wrongAudience,
  700213: noMatch,
  7002138: {
    code: 'FEDERATED_CREDENTIAL_LETTER_CASE',
    what: ({ application }) =>
      `A federated credential of the application ${application.clientId} fits this job but for upper and lower case`,
    remedy: (presented) =>
      `${presentedClaims(presented)}\nCorrect the credential, which is under Certificates & secrets of the app registration, or register another:\n${createCommand(presented)}`,
  },
  7002131: {
    code: 'FEDERATED_CREDENTIAL_EXPRESSION',
    what: ({ application }) =>
      `The flexible expression of a federated credential of the application ${application.clientId} does not match this job`,
    remedy: (presented) =>
      `${presentedClaims(presented)}\nCorrect the credential's claimsMatchingExpression, or register exactly these:\n${createCommand(presented)}`,
  },
  70025: {
    code: 'FEDERATED_CREDENTIAL_MISSING',
    what: ({ application }) => `The application ${application.clientId} has no federated credential`,
    remedy: (presented) =>
      `Check that it is the right application. If so, register this job:\n${createCommand(presented)}`,
    again: true,
    within: SPREADING,
  },
  700016: {
    code: 'APPLICATION_NOT_FOUND',
    what: ({ application }) => `The tenant ${application.tenantId} has no application ${application.clientId}`,
    remedy: ({ application }) =>
      `client-id has to be the application (client) ID, not an object ID, and tenant-id the directory that owns the connectors; are the two swapped? The app must have a service principal there:\n${loginCommands(application.cloud, application.tenantId)}\naz ad sp create --id ${application.clientId}`,
  },
  // There, but without a service principal.
  7000229: {
    code: 'APPLICATION_NOT_FOUND',
    what: ({ application }) =>
      `The application ${application.clientId} has no service principal in the tenant ${application.tenantId}`,
    remedy: ({ application }) =>
      `Make it:\n${loginCommands(application.cloud, application.tenantId)}\naz ad sp create --id ${application.clientId}`,
  },
  90002: noTenant,
  // Neither an ID nor a domain that there is, or nothing that names a tenant.
  900023: noTenant,
  50059: noTenant,
  50128: noTenant,
  // A tenant of another national cloud.
  90038: noTenant,
  900382: noTenant,
  5000225: {
    code: 'SIGN_IN_REFUSED',
    what: ({ application }) => `Microsoft blocked the tenant ${application.tenantId} since nobody used it`,
    remedy: () =>
      'For 20 days, an administrator of the tenant can have Microsoft support open it again; after that it is deleted. See https://aka.ms/TenantLifecycle.',
  },
  500021: tenantRestriction,
  500022: tenantRestriction,
  7000112: {
    code: 'APPLICATION_DISABLED',
    what: ({ application }) =>
      `The application ${application.clientId} is disabled in the tenant ${application.tenantId}`,
    remedy: ({ application }) =>
      `Enable its service principal:\n${loginCommands(application.cloud, application.tenantId)}\naz ad sp update --id ${application.clientId} --set accountEnabled=true`,
  },
  500011: noResource,
  50001: noResource,
  500014: {
    code: 'APPLICATION_DISABLED',
    what: ({ application, resource }) =>
      `The service principal of ${resource.name} is disabled in the tenant ${application.tenantId}`,
    remedy: ({ application, resource }) =>
      `Somebody disabled it, or a subscription of the tenant has lapsed. Enable it:\n${loginCommands(application.cloud, application.tenantId)}\naz ad sp update --id ${resource.audience} --set accountEnabled=true`,
  },
  700024: {
    code: 'ID_TOKEN_OUT_OF_TIME',
    what: () => 'Microsoft Entra found the ID token outside its five minutes',
    remedy: () => 'Run the job again. On a self-hosted runner, check its clock.',
    again: true,
  },
  53003: {
    code: 'CONDITIONAL_ACCESS',
    what: ({ application }) => `A Conditional Access policy blocks the application ${application.clientId}`,
    remedy: () =>
      'Exclude it from the policy for workload identities, or run on a runner whose addresses the policy allows. The sign-in log of the service principal names the policy.',
  },
  7002381: {
    code: 'ENTERPRISE_POLICY',
    what: ({ application }) =>
      `A policy of the tenant ${application.tenantId} accepts only ID tokens of another GitHub enterprise`,
    remedy: () =>
      'The policy checks the claim "enterprise" of the ID token, which jobs of one run have been seen to carry or not: run the job again. If it goes on, ask the administrator of the tenant to accept this enterprise.',
    again: true,
    within: SPREADING,
  },
  50166: issuerUnreachable,
  501661: issuerUnreachable,
  90033: transient,
  90006: transient,
  90012: transient,
  90024: transient,
  90055: transient,
  90090: transient,
};

/** The failure that an answer without a token means. */
export function explainEntra(
  response: HttpResponse,
  application: Application,
  idToken: IdToken,
  resource: Resource = graphIn(application.cloud),
): Verdict {
  const { status } = response;
  const instead = answeredInstead(response, application.cloud.loginOrigin);
  if (instead) return { failure: instead, retry: 'no' };
  const error = errorIn(response);
  const unavailable =
    retryForStatus(status) !== 'no' || (error.code === undefined && (status === 200 || !error.readable));
  const refusal = REFUSALS[Number(error.code)] ?? (unavailable ? transient : unknown);
  const presented = { application, resource, idToken };
  const details = [error.code === undefined ? `HTTP ${status}` : `AADSTS${error.code}`, error.trace, error.at].filter(
    (part) => part !== '',
  );
  const description = error.description === '' ? '' : `: ${error.description.replace(/\.$/, '')}`;
  return {
    failure: new Failure(
      refusal.code,
      `${refusal.what(presented)}${description} (${details.join(', ')}).`,
      refusal.remedy(presented),
    ),
    retry: refusal.again === true ? 'yes' : 'no',
    within: refusal.within,
  };
}

function presentedClaims({ idToken }: Presented): string {
  return `GitHub presented
  issuer:   ${shown(idToken.issuer)}
  subject:  ${shown(idToken.subject)}
  audience: ${shown(idToken.audience)}`;
}

function createCommand(presented: Presented): string {
  const { clientId, cloud, tenantId } = presented.application;
  const parameters = credentialParameters(presented);
  if (parameters === undefined) return NOT_EXACT;
  return `${loginCommands(cloud, tenantId)}
az ad app federated-credential create --id ${clientId} --parameters ${parameters}`;
}

/** For an application that has a credential with this issuer and subject: a second one is refused. */
function changeAudience({ application: { clientId, cloud, tenantId }, idToken }: Presented): string {
  const [issuer, subject, audience] = [exact(idToken.issuer), exact(idToken.subject), exact(idToken.audience)];
  if (issuer === undefined || subject === undefined || audience === undefined) return NOT_EXACT;
  const query = `[?issuer==${jmespathLiteral(issuer)}]|[?subject==${jmespathLiteral(subject)}].name|[0]`;
  return `${loginCommands(cloud, tenantId)}
NAME=$(az ad app federated-credential list --id ${clientId} --query ${shellWord(query)} --output tsv) &&
az ad app federated-credential update --id ${clientId} --federated-credential-id "$NAME" --parameters ${shellWord(JSON.stringify({ audiences: [audience] }))}`;
}

const NOT_EXACT =
  'No command can be shown, since not every character of these can: there are control characters or a secret in them, or they are very long. Give the environment or the branch another name.';

/** JSON as one word for a shell, or undefined if it would not be what GitHub presents: a subject fits letter by letter. */
function credentialParameters({ idToken }: Presented): string | undefined {
  const [issuer, subject, audience] = [exact(idToken.issuer), exact(idToken.subject), exact(idToken.audience)];
  if (issuer === undefined || subject === undefined || audience === undefined) return undefined;
  const parameters = JSON.stringify({ name: credentialName(issuer, subject), issuer, subject, audiences: [audience] });
  return shellWord(parameters);
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** JSON between backticks, as the queries of the Azure CLI have it. */
function jmespathLiteral(text: string): string {
  return `\`${JSON.stringify(text).replaceAll('`', '\\u0060')}\``;
}

/** Longer than any claim that a credential can have. */
const LONGEST_CLAIM = 1000;

/** The text with each of its blanks, or undefined if {@link clean} would change anything else. */
function exact(text: string): string | undefined {
  const words = text.split(' ').map((word) => clean(word, LONGEST_CLAIM));
  // A secret may have a blank in it.
  const whole = clean(text, LONGEST_CLAIM).replaceAll(' ', '');
  return words.join(' ') === text && whole === words.join('') ? words.join(' ') : undefined;
}

/** The text with each of its blanks, if it can be shown so. */
function shown(text: string): string {
  return exact(text) ?? clean(text, LONGEST_CLAIM);
}

/**
 * Another one for each issuer and subject, which is what Entra allows one credential for. What a name may not have in it is
 * replaced, and that alone would give `release/1` the name of `release-1`.
 */
function credentialName(issuer: string, subject: string): string {
  const readable = subject.replace(/[^\w-]+/g, '-').replace(/^[-_]+/, '');
  const digest = createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('hex');
  return `${readable.slice(0, LONGEST_NAME - 9) || 'github-actions'}-${digest.slice(0, 8)}`;
}

const LONGEST_NAME = 120;

/** Repositories created, renamed or transferred since 15 July 2026 present ids beside the names. */
function subjectForm(subject: string): string {
  const ids = /^repo:([^/@:]+)@\d+\/([^/@:]+)@\d+(:.*)$/.exec(subject);
  if (ids) {
    return `This repository presents IDs in addition to its names: a credential for "repo:${clean(ids[1])}/${clean(ids[2])}${shown(ids[3] ?? '')}", without them, does not fit.\n`;
  }
  return subject.startsWith('repo:')
    ? 'This repository presents names without ids: a credential for "repo:OWNER@OWNER_ID/REPO@REPO_ID:…" does not fit.\n'
    : '';
}

interface EntraError {
  /** The digits of AADSTS…, or undefined. */
  readonly code: string | undefined;
  readonly description: string;
  readonly trace: string;
  readonly at: string;
  /** Whether the body is an OAuth error at all. */
  readonly readable: boolean;
}

function errorIn(response: HttpResponse): EntraError {
  // Empty for HTML, or nothing: the status has to do.
  const body = parseObject(response.body);
  // Some gateways write the error as an object, as Graph does.
  const error = isObject(body['error']) ? body['error'] : {};
  const text = stringOf(body['error_description']) || stringOf(error['message']);
  const codes = body['error_codes'];
  const first: unknown = Array.isArray(codes) ? codes[0] : undefined;
  const number = typeof first === 'number' || typeof first === 'string' ? String(first) : '';
  const code = /^\d{1,9}$/.test(number) ? number : /AADSTS(\d{1,9})/.exec(text)?.[1];
  const trace = clean(body['trace_id'], 64);
  return {
    code,
    // The description repeats its code at the start, and the ids at the end.
    description: clean(text.slice(0, 4000).split('Trace ID:')[0]).replace(/^AADSTS\d+:\s*/, ''),
    trace: trace === '' ? '' : `trace ${trace}`,
    at: clean(body['timestamp'], 40) || clean(response.headers['date'], 40) || new Date().toISOString(),
    readable: typeof body['error'] === 'string' || stringOf(error['code']) !== '',
  };
}
