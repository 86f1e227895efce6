/**
 * What Azure Key Vault says when it refuses, and what helps.
 * @see https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
 */
import { isIP } from 'node:net';
import { Failure, type FailureCode } from '../failure.ts';
import type { HttpResponse } from '../http/client.ts';
import { saidBy, shownCodes } from '../http/error-body.ts';
import { answeredInstead } from '../http/intercepted.ts';
import { explainTransport } from '../http/refusal.ts';
import { reason, type TransportError } from '../http/transport-error.ts';
import { retryAfter, retryForStatus, type Retry, type Verdict } from '../http/verdict.ts';
import { loginCommands, type Application, type Resource } from '../sign-in/application.ts';
import { whichApplication } from '../sign-in/sign-in.ts';
import { clean } from '../text/clean.ts';
import { isObject, parseObject, stringOf } from '../text/json.ts';
import { addressOf, type VaultSource } from './address.ts';

/** What the vault was asked for: what a failure is about, and the values that its commands are filled in with. */
export interface VaultRequest {
  readonly vault: Resource;
  readonly source: VaultSource;
  /** The vault's; undefined while it is not known. */
  readonly tenantId?: string;
}

/** Where something was read. */
export type ReadFrom = Omit<VaultRequest, 'vault'>;

interface Refusal {
  readonly code: FailureCode;
  readonly what: string;
  readonly remedy: string;
  /** `no` unless given. */
  readonly retry?: Retry;
}

/** A name that does not resolve may be DNS in trouble. In milliseconds. */
const RESOLVING = 2_000;
/** Between two attempts while the vault throttles: 1, 2, 4, 8 seconds, as its documents ask. In milliseconds. */
const THROTTLE_PAUSE = 1_000;

/** What a response other than the wanted one means, to the nth request. */
export function explainVault(response: HttpResponse, asked: VaultRequest, n: number): Verdict {
  const instead = inPlaceOfTheVault(response, asked);
  if (instead) return { failure: instead, retry: 'no' };
  const refusal = refusalFor(response, asked);
  const pause = response.status === 429 ? THROTTLE_PAUSE * 2 ** (n - 1) : undefined;
  return {
    failure: failed(refusal, response, asked),
    retry: refusal.retry ?? 'no',
    retryAfter: retryAfter(response, new Date()) ?? pause,
  };
}

/** The failure of a response that is not the vault's, or undefined if it may be. */
function inPlaceOfTheVault(response: HttpResponse, { vault }: VaultRequest): Failure | undefined {
  const { host } = new URL(vault.origin);
  return answeredInstead(response, `the key vault ${host}`, host);
}

/** What it means that the vault does not say which tenant it is in. */
export function withoutTenant(response: HttpResponse, asked: VaultRequest): Verdict {
  const instead = inPlaceOfTheVault(response, asked);
  if (instead) return { failure: instead, retry: 'no' };
  const refusal: Refusal = {
    code: 'KEY_VAULT_REFUSED',
    what: 'The key vault does not say in WWW-Authenticate which tenant it belongs to',
    remedy:
      'Something between the runner and the vault may take headers away, such as a proxy that inspects TLS: let the vault pass unchanged.',
  };
  return { failure: failed(refusal, response, asked), retry: 'no' };
}

/** What a request without a response means. */
export function explainVaultTransport(error: TransportError, asked: VaultRequest): Verdict {
  const host = new URL(asked.vault.origin).host;
  const verdict = explainTransport(error, `the key vault ${host}`);
  const { failure } = verdict;
  const why = reason(error);
  // A vault that has named its tenant is there.
  const isNew = asked.tenantId === undefined;
  if (isNew && why.includes('ENOTFOUND') && why.includes(host)) {
    return {
      retry: 'yes',
      within: RESOLVING,
      failure: new Failure(
        'KEY_VAULT_NOT_FOUND',
        `There seems to be no key vault ${host}: ${clean(why)} (${new Date().toISOString()}).`,
        `${checkName(asked)}\nA vault with a private endpoint only has a name that runners outside of its network cannot resolve.`,
        { cause: error },
      ),
    };
  }
  if (failure.code === 'RESPONSE_TOO_LARGE') {
    const remedy = `No certificate of a key vault is that large: something in between, such as a web filter or a proxy, answers in its place. Let it pass ${host} unchanged.`;
    return { ...verdict, failure: new Failure(failure.code, failure.message, remedy, { cause: error }) };
  }
  if (failure.code !== 'PROXY_REFUSED') return verdict;
  // It resolves the name itself. With these it reports that it is busy as well, so that this is only a guess.
  const unresolved = isNew && /Proxy response \(50[234]\)/.test(why);
  const remedy = `Let the proxy pass CONNECT to port 443 of ${host}, or list it in NO_PROXY.${unresolved ? ` It may also be that the proxy cannot resolve the name. ${checkName(asked)}` : ''}`;
  return { ...verdict, failure: new Failure(failure.code, failure.message, remedy, { cause: error }) };
}

function checkName({ source }: VaultRequest): string {
  return `Check the name of the vault in key-vault-certificate. A deleted vault can be recovered; both lists, in the tenant of the vault:\n${loginCommands(source.application.cloud, undefined)}\naz keyvault list --query "[].name" --output tsv &&\naz keyvault list-deleted --resource-type vault --query "[].name" --output tsv`;
}

/** What a failed sign-in to the vault means; any other error is left as it is. */
export function explainSignIn(error: unknown, application: Application, source: VaultSource): unknown {
  const { tenantId, clientId, cloud } = application;
  const { vault } = source.certificate;
  const input = source.sameApplication ? 'client-id, which is to read the vault too' : 'key-vault-client-id';
  const which = `This was the sign-in to the key vault ${vault}, in its tenant ${tenantId}, as the application of ${input}.`;
  if (error instanceof Failure && error.code === 'APPLICATION_NOT_FOUND' && !lacksOnlyPrincipal(error)) {
    const remedy = source.sameApplication
      ? `The vault is in another tenant than the API connectors, or client-id is wrong. In the vault's tenant it takes an app registration of its own, with a federated credential for this job and the role Key Vault Secrets User on the vault; key-vault-client-id has to be its application (client) ID. setup.sh does all of it (docs/setup.md):\nbash setup.sh --tenant TENANT_ID --repo OWNER/REPO --key-vault ${addressOf(source)} --vault-tenant ${tenantId}${cloud.name === 'global' ? '' : ` --cloud ${cloud.name}`}`
      : `key-vault-client-id has to be the application (client) ID, not an object ID, of an app registration with a service principal in the vault's tenant:\n${loginCommands(cloud, tenantId)}\naz ad sp create --id ${clientId}`;
    const code = source.sameApplication ? 'KEY_VAULT_OF_ANOTHER_TENANT' : error.code;
    return new Failure(code, `${error.message} ${which}`, remedy, { cause: error });
  }
  if (error instanceof Failure && error.code === 'TENANT_NOT_FOUND') {
    const remedy = `The vault ${vault} names this tenant itself, so tenant-id has nothing to do with it. Check key-vault-certificate and cloud. The tenant may have been deleted; a vault that was moved to another one has to be changed: https://learn.microsoft.com/azure/key-vault/general/move-subscription. Which one the vault belongs to:\n${loginCommands(cloud, undefined)}\naz keyvault show --name ${vault} --query properties.tenantId --output tsv`;
    return new Failure(error.code, `${error.message} ${which}`, remedy, { cause: error });
  }
  return whichApplication(error, which);
}

/** The application is registered there, and its remedy is that of any tenant. */
function lacksOnlyPrincipal({ message }: Failure): boolean {
  return message.includes('(AADSTS7000229,');
}

/** What a failed sign-in to Graph means if the vault is read as another application; any other error is left as it is. */
export function explainGraphSignIn(error: unknown, { tenantId }: Application): unknown {
  const which = `This was the sign-in to Microsoft Graph in the tenant ${tenantId}, as the application of client-id.`;
  return whichApplication(error, which);
}

/** The failure of a secret that is no certificate. `why` is a clause or a sentence; foreign text in it is cleaned here. */
export function notACertificate(asked: ReadFrom, version: string, why: string, cause?: unknown): Failure {
  const { vault, name } = asked.source.certificate;
  return new Failure(
    'KEY_VAULT_NOT_A_CERTIFICATE',
    `What the key vault ${vault} has as ${name} (version ${version}) is not one of its certificates: ${clean(why).replace(/\.$/, '')}.`,
    `Set key-vault-certificate to a certificate of the vault:\n${loginTo(asked)}\naz keyvault certificate list --vault-name ${vault} --query "[].id" --output tsv\nA .pfx that was stored as an ordinary secret has to be imported as a certificate, which needs another name (and --password, if the file has one):\naz keyvault certificate import --vault-name ${vault} --name NAME --file cert.pfx`,
    { cause },
  );
}

/** How to have the vault renew a certificate now, by its own policy. */
function renewCommands(asked: ReadFrom): string {
  const { vault, name } = asked.source.certificate;
  return `Let the vault renew it:\n${loginTo(asked)}\naz keyvault certificate show --vault-name ${vault} --name ${name} --query policy --output json > policy.json &&\naz keyvault certificate create --vault-name ${vault} --name ${name} --policy @policy.json\nThen run this again. So that it renews by itself, its policy needs the lifetime action AutoRenew.`;
}

const NEITHER = 'it is neither a PKCS#12 file nor PEM with a certificate and its private key';
const ENCRYPTED = 'it is encrypted with a password, as no certificate of a vault is';

/** What a file that cannot be used is, in the words of a vault: those of a file talk of how it was exported, and of its password. */
const FORMS: Readonly<Partial<Record<FailureCode, string>>> = {
  PFX_EMPTY: 'it is empty',
  PFX_NOT_BASE64: NEITHER,
  PFX_IS_PEM: NEITHER,
  PFX_IS_PKCS7: 'it is a PKCS#7 file, which has no private key',
  PFX_IS_JKS: 'it is a Java keystore',
  PFX_IS_SSH_KEY: 'it is an SSH key',
  PFX_IS_PGP_KEY: 'it is a PGP key or message',
  PFX_NOT_PKCS12: NEITHER,
  PFX_TRUNCATED: 'it is cut off',
  PFX_TRAILING_DATA: 'something else stands behind its end',
  PFX_WRONG_PASSWORD: ENCRYPTED,
  PFX_PASSWORD_ENCODING: ENCRYPTED,
  PFX_KEY_PASSWORD_DIFFERS: ENCRYPTED,
  PFX_NO_CERTIFICATE: 'it has a private key in it, but no certificate',
  PFX_KEY_MISMATCH: 'its private key belongs to none of its certificates',
  PFX_SEVERAL_KEYS: 'it has several private keys in it',
};

/** The failures of a certificate that was read, in the words of a vault. */
export function explainContent(error: unknown, asked: ReadFrom, version: string): unknown {
  if (!(error instanceof Failure)) return error;
  const { vault, name } = asked.source.certificate;
  const told = `It was read from the key vault ${vault}: ${name}, version ${version}.`;
  const form = FORMS[error.code];
  if (form !== undefined) return notACertificate(asked, version, form, error);
  // Most codes need no words of a vault, so not every one has a case.
  const code: string = error.code;
  switch (code) {
    case 'PFX_NO_PRIVATE_KEY':
    case 'PFX_IS_CERTIFICATE':
      return new Failure(
        'KEY_VAULT_KEY_NOT_EXPORTABLE',
        `The certificate ${name} in the key vault ${vault} (version ${version}) comes without its private key: its policy does not let the key out.`,
        `Make a version whose key is exportable. Of a policy that is not, no command changes it; make a new one from this (a key in an HSM cannot be exported, so RSA-HSM becomes RSA):\n${loginTo(asked)}\naz keyvault certificate show --vault-name ${vault} --name ${name} --query policy --output json | sed 's/"exportable": *false/"exportable": true/; s/"RSA-HSM"/"RSA"/' > policy.json &&\naz keyvault certificate create --vault-name ${vault} --name ${name} --policy @policy.json`,
        { cause: error },
      );
    // The end of the step, or of the runner's files, has nothing to do with what was read.
    case 'CANCELLED':
    case 'STEP_TIMEOUT':
    case 'OUTPUTS_NOT_WRITTEN':
      return error;
    case 'CERTIFICATE_EXPIRED':
    case 'CERTIFICATE_EXPIRES_TOO_SOON':
      return new Failure(error.code, `${error.message} ${told}`, renewCommands(asked), { cause: error });
    default:
      return new Failure(error.code, `${error.message} ${told}`, error.remedy, { cause: error });
  }
}

function failed({ code, what, remedy }: Refusal, response: HttpResponse, asked: VaultRequest): Failure {
  const { vault, name, version } = asked.source.certificate;
  const said = saidBy(response);
  const requestId = clean(response.headers['x-ms-request-id'], 64);
  const details = [
    `HTTP ${response.status}`,
    ...shownCodes(said.codes),
    requestId === '' ? '' : `x-ms-request-id ${requestId}`,
    ...said.ids,
    said.date,
  ].filter((part) => part !== '');
  const subject = `(key vault ${vault}, certificate ${name}${version === undefined ? '' : `, version ${version}`})`;
  const message = said.message === '' ? '' : `: ${said.message.replace(/\.$/, '')}`;
  return new Failure(code, `${what} ${subject}${message} (${details.join(', ')}).`, remedy);
}

function refusalFor(response: HttpResponse, asked: VaultRequest): Refusal {
  const { codes } = saidBy(response);
  const message = messageOf(response);
  const { status } = response;
  const named = status === 403 ? BY_MESSAGE.filter(([words]) => words.test(message)).map(([, code]) => code) : [];
  const known = [...codes, ...named]
    .map((code) => byCode(code, message, asked))
    .find((refusal) => refusal !== undefined);
  if (known) return known;
  if (status === 401 && /AKV10032|invalid issuer/i.test(message)) return otherTenant(message, asked);
  if (status === 404) return notFound(asked);
  if (status === 429) return throttled(asked);
  if (status === 200 || retryForStatus(status) !== 'no') {
    return {
      code: 'SERVICE_UNAVAILABLE',
      what: status === 200 ? 'The key vault answered without the secret' : 'The key vault could not answer',
      remedy: 'Run the job again; see https://status.cloud.microsoft.',
      // Reading changes nothing.
      retry: 'yes',
    };
  }
  return {
    code: 'KEY_VAULT_REFUSED',
    what: 'The key vault refused',
    remedy: `Look the code up at https://learn.microsoft.com/azure/key-vault/general/rest-error-codes. With the x-ms-request-id, Microsoft's support finds the request. Whether somebody else can read it:\n${loginTo(asked)}\naz keyvault secret show --vault-name ${asked.source.certificate.vault} --name ${asked.source.certificate.name} --query contentType`,
  };
}

/** What a message says of itself, if something on the way took the inner code away. */
const BY_MESSAGE: readonly (readonly [words: RegExp, code: string])[] = [
  [/client address\b[^\r\n]{0,80} is not authorized/i, 'ForbiddenByFirewall'],
  [/public network access is disabled/i, 'ForbiddenByConnection'],
  [/not authorized to perform action/i, 'ForbiddenByRbac'],
  [/does not have secrets get permission/i, 'ForbiddenByPolicy'],
  [/disabled secret/i, 'SecretDisabled'],
];

function byCode(code: string, message: string, asked: VaultRequest): Refusal | undefined {
  switch (code) {
    case 'ForbiddenByRbac':
      return roleMissing(message, asked);
    case 'ForbiddenByPolicy':
    case 'AccessDenied':
      return accessPolicyMissing(message, asked);
    case 'ForbiddenByFirewall':
      return firewall(message, asked);
    case 'ForbiddenByConnection':
      return publicAccessOff(asked);
    case 'SecretDisabled':
      return disabled(asked);
    case 'SecretNotFound':
    case 'CertificateNotFound':
      return notFound(asked);
    case 'Throttled':
      return throttled(asked);
    default:
      return undefined;
  }
}

function roleMissing(message: string, asked: VaultRequest): Refusal {
  const { vault } = asked.source.certificate;
  const scope = RESOURCE_ID.exec(message)?.[0] ?? `$(az keyvault show --name ${vault} --query id --output tsv)`;
  return {
    code: 'KEY_VAULT_ROLE_MISSING',
    what: `The application ${asked.source.application.clientId} has no role that lets it read this`,
    remedy: `A role that was just assigned takes some minutes to work: then run the job again. To assign it:\n${loginTo(asked)}\naz role assignment create --role "Key Vault Secrets User" ${assignee(message, asked)} --scope "${scope}"\nIt reads every secret of the vault: a vault of its own is best.`,
  };
}

/** Of a vault, strictly: it stands in a command. A secret's goes on behind it. */
const RESOURCE_ID =
  /\/subscriptions\/[0-9a-f-]{36}\/resourcegroups\/[\w.()-]{1,90}\/providers\/microsoft\.keyvault\/vaults\/[a-z0-9-]{3,24}(?=[/'"\s]|$)/i;
const OBJECT_ID = /\boid=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/i;

function assignee(message: string, { source }: VaultRequest): string {
  const [, objectId] = OBJECT_ID.exec(message) ?? [];
  return objectId === undefined
    ? `--assignee ${source.application.clientId}`
    : `--assignee-object-id ${objectId} --assignee-principal-type ServicePrincipal`;
}

function accessPolicyMissing(message: string, asked: VaultRequest): Refusal {
  const { vault } = asked.source.certificate;
  const [, objectId] = OBJECT_ID.exec(message) ?? [];
  const who = objectId === undefined ? `--spn ${asked.source.application.clientId}` : `--object-id ${objectId}`;
  return {
    code: 'KEY_VAULT_ACCESS_POLICY_MISSING',
    what: `No access policy lets the application ${asked.source.application.clientId} get secrets`,
    remedy: `The vault uses access policies, not roles. Reading a certificate with its key needs the secret permission get:\n${loginTo(asked)}\naz keyvault set-policy --name ${vault} ${who} --secret-permissions get`,
  };
}

function firewall(message: string, asked: VaultRequest): Refusal {
  const { vault } = asked.source.certificate;
  const address = addressIn(message);
  return {
    code: 'KEY_VAULT_FIREWALL',
    what: `The firewall of the key vault does not let ${address === undefined ? 'this runner' : `the address ${address}`} in`,
    remedy: `Runners that GitHub hosts have another address each time: a rule for this one does not last. Run on a runner in a network that the vault lets in (self-hosted, or a larger runner with a static address or in a virtual network of yours). For a runner whose address stays:\n${loginTo(asked)}\naz keyvault network-rule add --name ${vault} --ip-address ${address ?? 'ADDRESS'}`,
  };
}

/** The address that the vault saw; a port, brackets or a full stop may stand around it, and IPv4 may be written as IPv6. */
function addressIn(message: string): string | undefined {
  const [, named = ''] = /\bClient address[: ([]+([0-9a-f.:]{2,64})/i.exec(message) ?? [];
  const address = /(\d{1,3}\.){3}\d{1,3}/.exec(named)?.[0] ?? named.replace(/\.+$/, '');
  return isIP(address) === 0 ? undefined : address;
}

function publicAccessOff(asked: VaultRequest): Refusal {
  const { vault } = asked.source.certificate;
  return {
    code: 'KEY_VAULT_PUBLIC_ACCESS_OFF',
    what: 'The key vault is closed to public networks',
    remedy: `Run on a runner in a network with a private endpoint of the vault. Or open the vault, and let its firewall name who may come in:\n${loginTo(asked)}\naz keyvault update --name ${vault} --public-network-access Enabled --default-action Deny`,
  };
}

function disabled(asked: VaultRequest): Refusal {
  const { vault, name, version } = asked.source.certificate;
  return {
    code: 'KEY_VAULT_CERTIFICATE_DISABLED',
    what: `${version === undefined ? 'The latest version' : 'This version'} of the certificate is disabled`,
    remedy: `An older version is not taken in its place. Which versions there are, and which of them are enabled:\n${loginTo(asked)}\naz keyvault certificate list-versions --vault-name ${vault} --name ${name} --query "[].{id:id,enabled:attributes.enabled,created:attributes.created}" --output table\nMake a new version, or name another one in key-vault-certificate (/certificates/${name}/VERSION). If this one was disabled because its key leaked, leave it disabled. Otherwise this enables it again:\naz keyvault certificate set-attributes --vault-name ${vault} --name ${name}${version === undefined ? '' : ` --version ${version}`} --enabled true`,
  };
}

function notFound(asked: VaultRequest): Refusal {
  const { vault, name, version } = asked.source.certificate;
  return {
    code: 'KEY_VAULT_CERTIFICATE_NOT_FOUND',
    what: `The key vault has no such certificate${version === undefined ? '' : ', or not this version of it'}`,
    remedy: `Check key-vault-certificate. What the vault has, and what was deleted and can be recovered (soft-delete keeps it for 7 to 90 days):\n${loginTo(asked)}\naz keyvault certificate list --vault-name ${vault} --query "[].id" --output tsv &&\naz keyvault certificate list-deleted --vault-name ${vault} --query "[].id" --output tsv\nIf it was deleted, this recovers it:\naz keyvault certificate recover --vault-name ${vault} --name ${name}`,
  };
}

function otherTenant(message: string, asked: VaultRequest): Refusal {
  const [, tenantId] =
    /Expected one of https:\/\/[^/\s]+\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/i.exec(message) ?? [];
  const owner = tenantId === undefined ? 'another tenant' : `the tenant ${tenantId}`;
  return {
    code: 'KEY_VAULT_OF_ANOTHER_TENANT',
    what: `The key vault belongs to ${owner}, not to ${asked.tenantId ?? 'the one signed in to'}`,
    remedy: `Set key-vault-client-id to an app registration in the vault's tenant. A vault that was moved to another tenant still belongs to the old one until somebody changes it: https://learn.microsoft.com/azure/key-vault/general/move-subscription. This shows which one:\n${loginCommands(asked.source.application.cloud, tenantId)}\naz keyvault show --name ${asked.source.certificate.vault} --query properties.tenantId --output tsv`,
  };
}

function throttled({ source }: VaultRequest): Refusal {
  return {
    code: 'THROTTLED',
    what: 'The key vault is asked for too much at once',
    remedy: `Run the job again later. If it goes on: other jobs or programs ask the vault ${source.certificate.vault} too often; give the certificates a vault of their own, and a matrix of jobs max-parallel.`,
    retry: 'yes',
  };
}

function loginTo({ tenantId, source }: ReadFrom): string {
  return loginCommands(source.application.cloud, tenantId);
}

/** The outermost message as it came, for what is read out of it; it is shown only through clean. */
function messageOf(response: HttpResponse): string {
  const { error } = parseObject(response.body);
  return isObject(error) ? stringOf(error['message']).slice(0, 4_000) : '';
}
