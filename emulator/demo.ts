/**
 * `npm run demo`: the committed bundle at work, without a tenant. Starts the emulator, makes a certificate in the kind of
 * file that OpenSSL 3 exports, runs the action as the runner does, and shows what a person would see. With `--key-vault` the
 * certificate is in a key vault, in another tenant than the connectors.
 */
import { parseArgs } from 'node:util';
import { clientCertificate, type ClientCertificate } from './certificates.ts';
import { Emulator, GLOBAL, VAULT } from './emulator.ts';
import { pfxOf } from './pfx.ts';
import { runAction } from './runner.ts';

const SECOND = '0c4d2f86-5a1e-4b7a-9a53-1d2e3f405162';
const PASSWORD = 'throw-away password of the demo';

function section(title: string, text: string): void {
  console.log(`\n── ${title} ${'─'.repeat(Math.max(0, 96 - title.length))}\n${text.trimEnd()}`);
}

function certificatesNow(emulator: Emulator): string {
  const authentication = emulator.connectors.get(GLOBAL.connectorId)?.authentication;
  if (authentication?.type !== 'certificates' || authentication.certificates.length === 0) return '(none)';
  return authentication.certificates
    .map((entry) => `${entry.thumbprint}  until ${new Date(entry.notAfter * 1000).toISOString()}`)
    .join('\n');
}

/** Where the step gets the certificate from. */
function source(certificate: ClientCertificate): Readonly<Record<string, string>> {
  if (!fromVault) return { pfx: pfxOf(certificate, PASSWORD, 'aes256').toString('base64'), password: PASSWORD };
  emulator.addVaultCertificate('api-connector', certificate);
  return {
    'key-vault-certificate': `https://${VAULT.name}.vault.azure.net/certificates/api-connector`,
    'key-vault-client-id': VAULT.clientId,
  };
}

const { 'key-vault': fromVault = false } = parseArgs({ options: { 'key-vault': { type: 'boolean' } } }).values;
const emulator = await Emulator.start();
try {
  const old = await clientCertificate({
    commonName: 'api.contoso.com',
    notBefore: new Date(Date.now() - 356 * 86_400_000),
    notAfter: new Date(Date.now() + 9 * 86_400_000),
  });
  emulator.addConnector({
    id: GLOBAL.connectorId,
    displayName: 'Verify sign-up',
    authentication: {
      type: 'certificates',
      certificates: [
        {
          thumbprint: old.thumbprint,
          notBefore: old.notBefore.getTime() / 1000,
          notAfter: old.notAfter.getTime() / 1000,
        },
      ],
    },
  });
  // A second one, which has no certificate yet.
  emulator.addConnector({ id: SECOND, displayName: 'Enrich the token' });
  const certificate = await clientCertificate({ commonName: 'api.contoso.com' });
  const step = {
    'tenant-id': GLOBAL.tenantId,
    'client-id': GLOBAL.clientId,
    'connector-id': `${GLOBAL.connectorId}\n${SECOND}`,
    ...source(certificate),
  };

  section(
    'The step',
    Object.entries(step)
      .map(
        ([name, value]) =>
          `${name}: ${name === 'connector-id' ? `|\n  ${value.replaceAll('\n', '\n  ')}` : name === 'pfx' || name === 'password' ? `\${{ secrets.${name.toUpperCase()} }}` : value}`,
      )
      .join('\n'),
  );
  section("The connector's certificates before", certificatesNow(emulator));
  const result = await runAction({ with: step, emulator });
  section('The log', result.log);
  section(
    'The outputs',
    Object.entries(result.outputs)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
  );
  section('The job summary (Markdown)', result.summary);
  section("The connector's certificates after", certificatesNow(emulator));
  section(
    'The requests',
    emulator.requests
      .map(
        (request) =>
          `${request.method} https://${request.host}${request.path.split('?')[0] ?? ''} → ${request.status ?? 'no answer'}`,
      )
      .join('\n'),
  );
  console.log(
    `\nThe step ended with exit code ${result.exitCode ?? 'none'} after ${Math.round(result.durationMs)} ms.`,
  );
  process.exitCode = result.exitCode ?? 1;
} finally {
  await emulator.stop();
}
