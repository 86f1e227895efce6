/** A certificate in a vault, and what the vault behind a script is asked for. */
import type { VaultSource } from '../../src/key-vault/address.ts';
import { cloudByName } from '../../src/sign-in/application.ts';

export const TENANT = 'abcdef11-2222-4333-8444-555555555555';
export const VERSION = '0123456789abcdef0123456789abcdef';
export const ORIGIN = 'https://contoso.vault.azure.net';
/** The latest version of a certificate, read as an application of its own. */
export const SOURCE: VaultSource = {
  kind: 'key-vault',
  certificate: { vault: 'contoso', name: 'connector', version: undefined },
  application: {
    clientId: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
    cloud: cloudByName('global'),
    audience: 'api://ours',
  },
  sameApplication: false,
};
/** The same, of one version. */
export const ONE_VERSION: VaultSource = { ...SOURCE, certificate: { ...SOURCE.certificate, version: VERSION } };

/** An error as a vault words it. */
export function error(code: unknown, message: unknown = 'Because.'): object {
  return { error: { code: 'Outer', message, innererror: { code } } };
}
