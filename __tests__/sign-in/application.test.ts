/** The national clouds, and what is said of those that are none. */
import { describe, expect, test } from '@jest/globals';
import { cloudByName, graphIn, vaultIn } from '../../src/sign-in/application.ts';
import { failureOf } from '../pkcs12/fixtures.ts';

function refused(name: string): { code: string; message: string; remedy: string } {
  const { code, message, remedy } = failureOf(() => cloudByName(name));
  return { code, message, remedy };
}

describe('a cloud that has API connectors', () => {
  test('global', () => {
    expect(cloudByName('global')).toEqual({
      name: 'global',
      loginOrigin: 'https://login.microsoftonline.com',
      graphOrigin: 'https://graph.microsoft.com',
      vaultOrigin: 'https://vault.azure.net',
      audience: 'api://AzureADTokenExchange',
      azureCliName: 'AzureCloud',
    });
  });

  test('China', () => {
    expect(cloudByName('china')).toEqual({
      name: 'china',
      loginOrigin: 'https://login.partner.microsoftonline.cn',
      graphOrigin: 'https://microsoftgraph.chinacloudapi.cn',
      vaultOrigin: 'https://vault.azure.cn',
      audience: 'api://AzureADTokenExchangeChina',
      azureCliName: 'AzureChinaCloud',
    });
  });
});

test.each([
  ['us-gov-l4', 'US Government L4'],
  ['us-gov-l5', 'US Government L5 (DoD)'],
])('%s has no API connectors', (name, government) => {
  expect(refused(name)).toEqual({
    code: 'CLOUD_UNSUPPORTED',
    message: `The input "cloud" is "${name}", and Microsoft Graph has no API connectors in ${government}.`,
    remedy:
      'uploadClientCertificate exists in the global cloud and in China (21Vianet) only. Set cloud: global or cloud: china, if the tenant is there.',
  });
});

test.each([
  ['global', 'https://graph.microsoft.com'],
  ['china', 'https://microsoftgraph.chinacloudapi.cn'],
])('Microsoft Graph in %s is both the host and the audience of the token', (name, graph) => {
  expect(graphIn(cloudByName(name))).toEqual({ name: 'Microsoft Graph', origin: graph, audience: graph });
});

test.each([
  ['global', 'https://vault.azure.net', 'https://contoso.vault.azure.net'],
  ['china', 'https://vault.azure.cn', 'https://contoso.vault.azure.cn'],
])('a key vault in %s is a host below the audience of the token', (name, audience, origin) => {
  expect(vaultIn(cloudByName(name), 'contoso')).toEqual({ name: 'Azure Key Vault', audience, origin });
});

describe('a cloud that is not known', () => {
  test.each([
    ['another name', 'mars', '"mars"'],
    ['another letter case', 'Global', '"Global"'],
    ['a name with each sign that is repeated', 'a_b c.d-e', '"a_b c.d-e"'],
    ['40 characters', 'x'.repeat(40), `"${'x'.repeat(40)}"`],
    ['41 characters', 'x'.repeat(41), 'a text of 41 characters'],
    ['a sign at the start', '$throw-away', 'a text of 11 characters'],
    ['a sign at the end', 'throw-away~', 'a text of 11 characters'],
    ['two lines', 'a\nb', 'a text of 3 characters'],
    ['nothing', '', 'empty'],
  ])('%s', (_, name, shown) => {
    expect(refused(name)).toEqual({
      code: 'CLOUD_UNKNOWN',
      message: `The input "cloud" is ${shown}, which is no cloud that this action knows.`,
      remedy: 'Set cloud: global (the default) or cloud: china.',
    });
  });
});
