/**
 * A hosted runner reaches the services by their names, without a proxy. So that their names lead to this machine and
 * nobody else notices, the bench runs itself again in a mount namespace with a hosts file of its own.
 */
import { spawnSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Of the run inside: its hosts file. */
export const HOSTS_OPTION = 'hosts-file';

/** Runs this process again inside and gives its exit code; undefined where that does not work here. */
export function runAgainInside(): number | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'bench-'));
  const file = join(directory, 'hosts');
  // A namespace of mounts is private to it: the bind mount is gone when the last process in it is.
  const inside = (...command: readonly string[]): readonly string[] => [
    ...['-m', 'bash', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', file],
    ...command,
  ];
  try {
    writeFileSync(file, '');
    if (spawnSync('unshare', inside('true')).status !== 0) return undefined;
    const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1), `--${HOSTS_OPTION}=${file}`];
    return spawnSync('unshare', inside(...again), { stdio: 'inherit' }).status ?? 1;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/**
 * Leads these hosts to 127.0.0.1. Writes to the file behind the mount, never to /etc/hosts: outside of the namespace
 * nothing could happen but that the check fails.
 */
export async function leadHere(file: string, hosts: readonly string[]): Promise<void> {
  writeFileSync(file, `127.0.0.1 localhost\n${hosts.map((host) => `127.0.0.1 ${host}\n`).join('')}`);
  for (const host of hosts) {
    const { address } = await lookup(host);
    if (address !== '127.0.0.1') throw new Error(`${host} leads to ${address}, not to this machine.`);
  }
}
