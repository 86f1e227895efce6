/** `npm run emulator`: starts the emulator and prints what to set in a shell, until Ctrl+C. */
import { CHINA, Emulator, GLOBAL } from './emulator.ts';

const emulator = await Emulator.start();
const quoted = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;

console.log('# The services are up. In another shell, before you run dist/index.js:');
for (const [name, value] of Object.entries(emulator.environment())) console.log(`export ${name}=${quoted(value)}`);
for (const [cloud, { tenantId, clientId, connectorId }] of Object.entries({ global: GLOBAL, china: CHINA })) {
  console.log(`# cloud: ${cloud}  tenant-id: ${tenantId}  client-id: ${clientId}  connector-id: ${connectorId}`);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void emulator.stop());
