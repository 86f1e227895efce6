/**
 * The application to sign in as, and its national cloud: where to sign in, where Microsoft Graph is, and which audience a
 * federated credential has there.
 * @see https://learn.microsoft.com/graph/deployments
 */
import { Failure } from '../failure.ts';

export interface Cloud {
  readonly name: 'global' | 'china';
  /** Origin of the sign-in service, without a path. */
  readonly loginOrigin: string;
  /** Origin of Microsoft Graph; the scope is this with `/.default`, the access token's audience is this. */
  readonly graphOrigin: string;
  /** What an access token for a key vault is for here; the vaults' hosts are one label below it: `https://vault.azure.net`. */
  readonly vaultOrigin: string;
  /** The audience that a federated credential has here unless its owner chose another. */
  readonly audience: string;
  /** What the Azure CLI calls this cloud: `az cloud set --name …`. */
  readonly azureCliName: string;
}

/** An app registration in one tenant, as a federated credential signs it in. */
export interface Application {
  /** A GUID, or a domain of the tenant. */
  readonly tenantId: string;
  readonly clientId: string;
  readonly cloud: Cloud;
  /** The audience of the federated credential. */
  readonly audience: string;
}

/** What an access token is for. */
export interface Resource {
  /** As a person calls it. */
  readonly name: string;
  /** The token's audience: `https://graph.microsoft.com`. The scope is this with `/.default`. */
  readonly audience: string;
  /** The host that is asked with the token. */
  readonly origin: string;
}

const CLOUDS: readonly Cloud[] = [
  {
    name: 'global',
    loginOrigin: 'https://login.microsoftonline.com',
    graphOrigin: 'https://graph.microsoft.com',
    vaultOrigin: 'https://vault.azure.net',
    audience: 'api://AzureADTokenExchange',
    azureCliName: 'AzureCloud',
  },
  {
    name: 'china',
    loginOrigin: 'https://login.partner.microsoftonline.cn',
    graphOrigin: 'https://microsoftgraph.chinacloudapi.cn',
    vaultOrigin: 'https://vault.azure.cn',
    audience: 'api://AzureADTokenExchangeChina',
    azureCliName: 'AzureChinaCloud',
  },
];

/** Microsoft Graph in this cloud. */
export function graphIn(cloud: Cloud): Resource {
  return { name: 'Microsoft Graph', audience: cloud.graphOrigin, origin: cloud.graphOrigin };
}

/** A key vault in this cloud. `vault` is its name, one label of a host name. */
export function vaultIn(cloud: Cloud, vault: string): Resource {
  const suffix = new URL(cloud.vaultOrigin).host;
  return { name: 'Azure Key Vault', audience: cloud.vaultOrigin, origin: `https://${vault}.${suffix}` };
}

/**
 * Signs the Azure CLI in, in this cloud: what comes before any command of a remedy, ready to be pasted. A tenant without a
 * subscription, as that of Azure AD B2C, cannot be signed in to otherwise. `az login` ends by asking which subscription to
 * use, and would read the next pasted line as the answer; so this is the start of a list, which a shell reads to its end
 * first: of the commands after it, each but the last ends in ` &&` too.
 * @param tenantId undefined if it is not known
 */
export function loginCommands({ azureCliName }: Cloud, tenantId: string | undefined): string {
  const tenant = tenantId ? ` --tenant ${tenantId}` : '';
  return `az cloud set --name ${azureCliName} &&\naz login${tenant} --allow-no-subscriptions &&`;
}

const WITHOUT_API_CONNECTORS = new Map([
  ['us-gov-l4', 'US Government L4'],
  ['us-gov-l5', 'US Government L5 (DoD)'],
]);

/**
 * The cloud of this name.
 * @throws Failure CLOUD_UNSUPPORTED if Microsoft Graph has no API connectors there, CLOUD_UNKNOWN for any other name
 * @see https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate ("national cloud deployments")
 */
export function cloudByName(name: string): Cloud {
  const cloud = CLOUDS.find((known) => known.name === name);
  if (cloud) return cloud;
  const government = WITHOUT_API_CONNECTORS.get(name);
  if (government !== undefined) {
    throw new Failure(
      'CLOUD_UNSUPPORTED',
      `The input "cloud" is "${name}", and Microsoft Graph has no API connectors in ${government}.`,
      'uploadClientCertificate exists in the global cloud and in China (21Vianet) only. Set cloud: global or cloud: china, if the tenant is there.',
    );
  }
  throw new Failure(
    'CLOUD_UNKNOWN',
    `The input "cloud" is ${/^[\w .-]{1,40}$/.test(name) ? `"${name}"` : name === '' ? 'empty' : `a text of ${name.length} characters`}, which is no cloud that this action knows.`,
    'Set cloud: global (the default) or cloud: china.',
  );
}
