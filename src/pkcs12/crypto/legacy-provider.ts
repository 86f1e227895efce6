/**
 * Ciphers that Node's OpenSSL has in its legacy provider only. That cannot be switched on in a running process, so a
 * second one decrypts, and answers within milliseconds. The key goes in by standard input, never as an argument.
 */
import { spawnSync } from 'node:child_process';

const SCRIPT = `
const { algorithm, key, iv, input } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const bytes = (text) => Buffer.from(text, 'base64');
const decipher = require('node:crypto').createDecipheriv(algorithm, bytes(key), bytes(iv)).setAutoPadding(false);
process.stdout.write(Buffer.concat([decipher.update(bytes(input)), decipher.final()]));
`;

/** Decrypts without taking off the padding; undefined where it could not be done. */
export function decryptInLegacyProvider(algorithm: string, key: Buffer, iv: Buffer, input: Buffer): Buffer | undefined {
  const base64 = (bytes: Buffer): string => bytes.toString('base64');
  const child = spawnSync(process.execPath, ['--openssl-legacy-provider', '-e', SCRIPT], {
    input: JSON.stringify({ algorithm, key: base64(key), iv: base64(iv), input: base64(input) }),
    stdio: ['pipe', 'pipe', 'ignore'],
    // Nothing of the job's environment is needed, and no secret in it has to go along.
    env: {},
    timeout: 2_000,
    maxBuffer: input.length + 1024,
  });
  return child.status === 0 ? child.stdout : undefined;
}
