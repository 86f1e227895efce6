/** The address of a certificate in a vault: it decides where a token goes. */
import { describe, expect, test } from '@jest/globals';
import { parseAddress } from '../../src/key-vault/address.ts';
import { cloudByName } from '../../src/sign-in/application.ts';

const global = cloudByName('global');
const china = cloudByName('china');
const VERSION = '0123456789abcdef0123456789abcdef';

describe('an address is read', () => {
  test.each([
    ['https://contoso.vault.azure.net/certificates/connector', 'contoso', 'connector', undefined],
    ['https://contoso.vault.azure.net/secrets/connector', 'contoso', 'connector', undefined],
    ['https://contoso.vault.azure.net/certificates/connector/', 'contoso', 'connector', undefined],
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

test.each([
  'http://contoso.vault.azure.net/certificates/connector',
  'contoso.vault.azure.net/certificates/connector',
  'https://contoso.vault.azure.net.evil.example/certificates/connector',
  'https://evil.example/contoso.vault.azure.net/certificates/connector',
  'https://contoso.vault.azure.net@evil.example/certificates/connector',
  'https://evil.example#.vault.azure.net/certificates/connector',
  'https://evil.example\\.vault.azure.net/certificates/connector',
  'https://a.b.vault.azure.net/certificates/connector',
  'https://vault.azure.net/certificates/connector',
  'https://.vault.azure.net/certificates/connector',
  'https://contoso.vault.azure.net:8443/certificates/connector',
  'https://user@contoso.vault.azure.net/certificates/connector',
  'https://contoso.vault.azure.net/certificates/connector?api-version=7.4',
  'https://contoso.vault.azure.net/certificates/connector#x',
  'https://contoso.vault.azure.net/keys/connector',
  'https://contoso.vault.azure.net/certificates/',
  'https://contoso.vault.azure.net/certificates/../secrets/connector',
  'https://contoso.vault.azure.net/certificates/con%2fnector',
  'https://contoso.vault.azure.net/certificates/connector/latest',
  `https://contoso.vault.azure.net/certificates/connector/${VERSION}/x`,
  'https://ab.vault.azure.net/certificates/connector',
  'https://1contoso.vault.azure.net/certificates/connector',
  'https://contosо.vault.azure.net/certificates/connector',
  '',
])('%s is refused, with what is wrong with it', (address) => {
  expect(parseAddress(address, global)).toEqual({ wrong: expect.stringMatching(/\S/) });
});
