/**
 * The address of a certificate in a vault. It decides where a token goes, so nothing of it is taken on trust: the host is
 * put together here, from a name of the form that vaults have and the suffix of the cloud.
 * @see https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers
 */
import type { Application, Cloud } from '../sign-in/application.ts';

/** A certificate in a vault. */
export interface VaultCertificate {
  /** The name of the vault, in lower case. */
  readonly vault: string;
  readonly name: string;
  /** 32 hex digits in lower case; undefined for the latest. */
  readonly version: string | undefined;
}

/** A certificate in a vault, and the application that reads it; its tenant is the vault's, which the vault names. */
export interface VaultSource {
  readonly kind: 'key-vault';
  readonly certificate: VaultCertificate;
  readonly application: Omit<Application, 'tenantId'>;
  /** Whether it is the application that uploads, too. */
  readonly sameApplication: boolean;
}

/** The certificate and its vault, as a person calls them. */
export function describeSource({ certificate: { vault, name } }: VaultSource): string {
  return `the key vault ${vault}, certificate ${name}`;
}

/** The address, as it is written for the latest version. */
export function addressOf({ certificate: { vault, name }, application: { cloud } }: VaultSource): string {
  return `https://${vault}.${suffixOf(cloud)}/certificates/${name}`;
}

/** What an address looks like, for messages. */
export function addressForm(cloud: Cloud): string {
  return `https://VAULT.${suffixOf(cloud)}/certificates/NAME, with /VERSION behind it for a version other than the latest`;
}

/** 3 to 24 letters, digits and hyphens. */
const VAULT = /^(?=.{3,24}$)[a-z](-?[a-z0-9])+$/i;
const NAME = /^[a-z0-9-]{1,127}$/i;
const VERSION = /^[0-9a-f]{32}$/i;
/** Where the vaults of other clouds are, the retired one of Germany included. */
const SUFFIXES = ['vault.azure.net', 'vault.azure.cn', 'vault.usgovcloudapi.net', 'vault.microsoftazure.de'];

/**
 * The certificate that an address names: `https://VAULT.vault.azure.net/certificates/NAME[/VERSION]`. `/secrets/…` is the
 * same, since a certificate's secret has its name and its versions.
 * @returns what is wrong with the address, as the rest of a sentence, if it is not of that form
 */
export function parseAddress(address: string, cloud: Cloud): VaultCertificate | { readonly wrong: string } {
  // Not by URL: that would correct what it gets, and a corrected host is a host that nobody wrote.
  const [, scheme, authority = '', path = ''] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\\]*)([^]*)$/i.exec(address) ?? [];
  if (scheme?.toLowerCase() !== 'https') return { wrong: 'does not begin with https://' };
  if (authority.includes('@')) return { wrong: 'has a user name in it' };
  if (authority.includes(':')) return { wrong: 'has a port in it' };
  if (/[?#]/.test(path)) return { wrong: 'has a query or a fragment (? or #)' };

  const [vault = '', ...labels] = authority.split('.');
  const suffix = labels.join('.').toLowerCase();
  if (suffix !== suffixOf(cloud)) {
    return {
      wrong: SUFFIXES.includes(suffix)
        ? `names a vault of another cloud than the input "cloud", which is ${cloud.name}`
        : `does not name a vault: its host is not VAULT.${suffixOf(cloud)}`,
    };
  }
  if (!VAULT.test(vault)) return { wrong: 'does not name a vault: its name is not of the form that vaults have' };

  // The portal shows a vault's address with a slash at its end: `${{ vars.VAULT }}/certificates/NAME` has two.
  const [, collection = '', name = '', version, ...rest] = path.replace(/^\/\//, '/').replace(/\/$/, '').split('/');
  if (collection.toLowerCase() === 'keys') return { wrong: 'names a key (/keys/) and not the certificate' };
  if (!/^(certificates|secrets)$/i.test(collection)) return { wrong: 'has no /certificates/ in it' };
  if (name === '') return { wrong: 'has no name of a certificate in it' };
  if (!NAME.test(name)) return { wrong: 'has a name of a certificate that is not of the form that those have' };
  if (rest.length > 0) return { wrong: 'goes on after the version' };
  if (version !== undefined && !VERSION.test(version)) return { wrong: 'has a version that is not 32 hex digits' };
  return { vault: vault.toLowerCase(), name, version: version?.toLowerCase() };
}

function suffixOf(cloud: Cloud): string {
  return new URL(cloud.vaultOrigin).host;
}
