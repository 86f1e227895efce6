/** msal-node with its own HTTP client, discovery included; then a plain request to Graph. */
import { ConfidentialClientApplication } from '@azure/msal-node';
import { readFileSync } from 'node:fs';

const { TENANT_ID, CLIENT_ID, ID_TOKEN, CONNECTOR_ID, PKCS12_FILE, PASSWORD } = process.env;
const client = new ConfidentialClientApplication({
  auth: {
    clientId: CLIENT_ID,
    authority: `https://login.microsoftonline.com/${TENANT_ID}`,
    clientAssertion: async () => ID_TOKEN,
  },
});
const { accessToken } = await client.acquireTokenByClientCredential({
  scopes: ['https://graph.microsoft.com/.default'],
});
const response = await fetch(
  `https://graph.microsoft.com/v1.0/identity/apiConnectors/${CONNECTOR_ID}/uploadClientCertificate`,
  {
    method: 'POST',
    headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ pkcs12Value: readFileSync(PKCS12_FILE, 'utf8'), password: PASSWORD }),
  },
);
const uploaded = await response.json();
if (!response.ok) throw new Error(JSON.stringify(uploaded));
for (const { thumbprint } of uploaded.authenticationConfiguration.certificateList) console.log(thumbprint);
