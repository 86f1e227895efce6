/**
 * The JavaScript snippet of Microsoft's page about uploadClientCertificate, with what it leaves to the reader: the
 * sign-in.
 * @see https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate
 */
import { ClientAssertionCredential } from '@azure/identity';
import { Client } from '@microsoft/microsoft-graph-client';
import { TokenCredentialAuthenticationProvider } from '@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js';
import { readFileSync } from 'node:fs';

const { TENANT_ID, CLIENT_ID, ID_TOKEN, CONNECTOR_ID, PKCS12_FILE, PASSWORD } = process.env;
const credential = new ClientAssertionCredential(TENANT_ID, CLIENT_ID, async () => ID_TOKEN);
const authProvider = new TokenCredentialAuthenticationProvider(credential, {
  scopes: ['https://graph.microsoft.com/.default'],
});

const options = {
  authProvider,
};

const client = Client.initWithMiddleware(options);

const identityApiConnector = {
  pkcs12Value: readFileSync(PKCS12_FILE, 'utf8'),
  password: PASSWORD,
};

const uploaded = await client
  .api(`/identity/apiconnectors/${CONNECTOR_ID}/uploadClientCertificate`)
  .post(identityApiConnector);

for (const { thumbprint } of uploaded.authenticationConfiguration.certificateList) console.log(thumbprint);
