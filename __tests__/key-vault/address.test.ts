/** The address of a certificate in a vault: it decides where a token goes. */
import { describe, expect, test } from '@jest/globals';
import { addressForm, describeSource, parseAddress } from '../../src/key-vault/address.ts';
import { cloudByName } from '../../src/sign-in/application.ts';
import { SOURCE, VERSION } from './scripted-vault.ts';

const global = cloudByName('global');
const china = cloudByName('china');

describe('an address is read', () => {
  test.each([
    ['https://contoso.vault.azure.net/certificates/connector', 'contoso', 'connector', undefined],
    ['https://contoso.vault.azure.net/secrets/connector', 'contoso', 'connector', undefined],
    ['https://contoso.vault.azure.net/certificates/connector/', 'contoso', 'connector', undefined],
    ['https://contoso.vault.azure.net//certificates/connector', 'contoso', 'connector', undefined],
    [`https://contoso.vault.azure.net/certificates/connector/${VERSION}`, 'contoso', 'connector', VERSION],
    [`HTTPS://Contoso.Vault.Azure.Net/Certificates/Con-1/${VERSION.toUpperCase()}`, 'contoso', 'Con-1', VERSION],
  ])('%s', (address, vault, name, version) => {
    expect(parseAddress(address, global)).toEqual({ vault, name, version });
  });

  test('in China its suffix is another one', () => {
    expect(parseAddress('https://contoso.vault.azure.cn/certificates/connector', china)).toMatchObject({
      vault: 'contoso',
    });
    expect(parseAddress('https://contoso.vault.azure.net/certificates/connector', china)).toEqual({
      wrong: 'names a vault of another cloud than the input "cloud", which is china',
    });
  });
});

const NOT_A_VAULT = 'does not name a vault: its host is not VAULT.vault.azure.net';
const NO_VAULT_NAME = 'does not name a vault: its name is not of the form that vaults have';
const ANOTHER_CLOUD = 'names a vault of another cloud than the input "cloud", which is global';
const NOT_HTTPS = 'does not begin with https://';
const NO_COLLECTION = 'has no /certificates/ in it';
const NO_NAME = 'has no name of a certificate in it';
const NAME_FORM = 'has a name of a certificate that is not of the form that those have';
const VERSION_FORM = 'has a version that is not 32 hex digits';
const QUERY = 'has a query or a fragment (? or #)';

test.each([
  ['', NOT_HTTPS],
  ['http://contoso.vault.azure.net/certificates/connector', NOT_HTTPS],
  ['contoso.vault.azure.net/certificates/connector', NOT_HTTPS],
  [' https://contoso.vault.azure.net/certificates/connector', NOT_HTTPS],
  ['https:contoso.vault.azure.net/certificates/connector', NOT_HTTPS],
  ['https://', NOT_A_VAULT],
  ['https:///certificates/connector', NOT_A_VAULT],
  ['https://contoso.vault.azure.net.evil.example/certificates/connector', NOT_A_VAULT],
  ['https://evil.example/contoso.vault.azure.net/certificates/connector', NOT_A_VAULT],
  ['https://evil.example#.vault.azure.net/certificates/connector', QUERY],
  ['https://evil.example\\.vault.azure.net/certificates/connector', NOT_A_VAULT],
  ['https://a.b.vault.azure.net/certificates/connector', NOT_A_VAULT],
  ['https://vault.azure.net/certificates/connector', NOT_A_VAULT],
  ['https://contoso.vault.azure.net@evil.example/certificates/connector', 'has a user name in it'],
  ['https://user@contoso.vault.azure.net/certificates/connector', 'has a user name in it'],
  ['https://contoso.vault.azure.net:8443/certificates/connector', 'has a port in it'],
  ...['vault.azure.cn', 'vault.usgovcloudapi.net', 'vault.microsoftazure.de'].map((suffix) => [
    `https://contoso.${suffix}/certificates/connector`,
    ANOTHER_CLOUD,
  ]),
  ...['', 'ab', '1contoso', 'contosо', 'con--toso', 'contoso-', 'con_toso', 'c'.repeat(25)].map((vault) => [
    `https://${vault}.vault.azure.net/certificates/connector`,
    NO_VAULT_NAME,
  ]),
  ...[
    ['?api-version=7.4', QUERY],
    ['/certificates/connector?api-version=7.4', QUERY],
    ['/certificates/connector#x', QUERY],
    ['', NO_COLLECTION],
    ['/', NO_COLLECTION],
    ['///certificates/connector', NO_COLLECTION],
    ['/xcertificates/connector', NO_COLLECTION],
    ['/certificatesx/connector', NO_COLLECTION],
    ['/keys/connector', 'names a key (/keys/) and not the certificate'],
    ['/Keys/connector', 'names a key (/keys/) and not the certificate'],
    ['/certificates', NO_NAME],
    ['/certificates/', NO_NAME],
    ['/certificates/../secrets/connector', NAME_FORM],
    ['/certificates/con%2fnector', NAME_FORM],
    ['/certificates/connector\n', NAME_FORM],
    ['/certificates/.connector', NAME_FORM],
    [`/certificates/${'c'.repeat(128)}`, NAME_FORM],
    ['/certificates/connector/latest', VERSION_FORM],
    ['/certificates/connector//', VERSION_FORM],
    [`/certificates/connector/${VERSION}0`, VERSION_FORM],
    [`/certificates/connector/0${VERSION}`, VERSION_FORM],
    [`/certificates/connector/${VERSION}/x`, 'goes on after the version'],
  ].map(([path = '', wrong = '']) => [`https://contoso.vault.azure.net${path}`, wrong]),
])('%j is refused: it %s', (address, wrong) => {
  expect(parseAddress(address, global)).toEqual({ wrong });
});

test('names of every length that Azure has are read', () => {
  for (const [vault, name] of [
    ['abc', 'a'],
    [`a${'-1'.repeat(11)}b`, `n${'N-1'.repeat(42)}`],
  ] as const)
    expect(parseAddress(`https://${vault}.vault.azure.net/certificates/${name}`, global)).toMatchObject({
      vault,
      name,
    });
});

test('a message names a certificate, and the form of its address, as people do', () => {
  expect(describeSource(SOURCE)).toBe('the key vault contoso, certificate connector');
  expect(addressForm(china)).toBe(
    'https://VAULT.vault.azure.cn/certificates/NAME, with /VERSION behind it for a version other than the latest',
  );
});
