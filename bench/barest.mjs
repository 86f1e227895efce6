/* global console, fetch, process, URLSearchParams */
/**
 * What the bundle is measured against: the three requests that an upload cannot do without, one after the other, by
 * Node's own fetch. It checks nothing, and says one word at the end, to show how long Node takes to end after that.
 */
const env = process.env;

async function json(url, options) {
  return (await fetch(url, options)).json();
}

const { value } = await json(
  `${env.ACTIONS_ID_TOKEN_REQUEST_URL}&audience=${encodeURIComponent('api://AzureADTokenExchange')}`,
  { headers: { authorization: `Bearer ${env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` } },
);

const { access_token } = await json(`https://login.microsoftonline.com/${env['INPUT_TENANT-ID']}/oauth2/v2.0/token`, {
  method: 'POST',
  body: new URLSearchParams({
    client_id: env['INPUT_CLIENT-ID'],
    grant_type: 'client_credentials',
    scope: 'https://graph.microsoft.com/.default',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: value,
  }),
});

await json(
  `https://graph.microsoft.com/v1.0/identity/apiConnectors/${env['INPUT_CONNECTOR-ID']}/uploadClientCertificate`,
  {
    method: 'POST',
    headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ pkcs12Value: env.INPUT_PFX, password: env.INPUT_PASSWORD }),
  },
);

console.log('Uploaded');
