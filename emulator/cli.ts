/**
 * `npm run emulator`: starts the emulator and prints what to set in a shell, until Ctrl+C.
 * An argument names a file to which the same is appended as NAME=value, such as a workflow step's $GITHUB_OUTPUT.
 */
import { appendFileSync } from 'node:fs';
import { clientCertificate } from './certificates.ts';
import { CHINA, Emulator, GLOBAL, VAULT } from './emulator.ts';

const emulator = await Emulator.start();
const quoted = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;

console.log('# The services are up. In another shell, before you run dist/upload.js:');
for (const [name, value] of Object.entries(emulator.environment())) console.log(`export ${name}=${quoted(value)}`);
const file = process.argv[2];
if (file !== undefined) {
  const lines = Object.entries(emulator.environment()).map(([name, value]) => `${name}=${value}\n`);
  appendFileSync(file, lines.join(''));
}
for (const [cloud, { tenantId, clientId, connectorId }] of Object.entries({ global: GLOBAL, china: CHINA })) {
  console.log(`# cloud: ${cloud}  tenant-id: ${tenantId}  client-id: ${clientId}  connector-id: ${connectorId}`);
}
emulator.addVaultCertificate('connector', await clientCertificate());
const { host } = emulator.keyVault.vaults[0] ?? { host: '' };
console.log(`# a vault: https://${host}/certificates/connector  read as client-id: ${VAULT.clientId}`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void emulator.stop());
