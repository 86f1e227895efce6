/** A real nginx in front of an API, as many connectors have it: from PATH, or out of Debian's package, unpacked and not installed. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Nginx {
  readonly port: number;
  stop(): Promise<void>;
}

const UNPACKED = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'nginx');

/** The program, or why there is none. */
export function findNginx(): { readonly path: string } | { readonly missing: string } {
  const unpacked = join(UNPACKED, 'usr', 'sbin', 'nginx');
  for (const path of ['nginx', '/usr/sbin/nginx', unpacked]) if (runs(path)) return { path };
  try {
    mkdirSync(UNPACKED, { recursive: true });
    const quiet = { cwd: UNPACKED, stdio: 'ignore', timeout: 30_000 } as const;
    execFileSync('apt-get', ['download', 'nginx'], quiet);
    const archive = readdirSync(UNPACKED).find((name) => name.endsWith('.deb')) ?? '';
    execFileSync('dpkg-deb', ['--extract', archive, '.'], quiet);
  } catch {
    return { missing: 'nginx is not installed, and apt-get has no package of it' };
  }
  return runs(unpacked) ? { path: unpacked } : { missing: "Debian's nginx does not start here" };
}

function runs(path: string): boolean {
  return spawnSync(path, ['-v'], { stdio: 'ignore' }).status === 0;
}

/** Starts nginx with this TLS certificate, asking each client for one that the given authority vouches for. */
export async function startNginx(
  path: string,
  files: { readonly cert: string; readonly key: string; readonly clientAuthority: string },
): Promise<Nginx> {
  const home = mkdtempSync(join(tmpdir(), 'nginx-'));
  const port = await freePort();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(home, `${name}.pem`), text);
  const directory = (name: string): string => `${name}_temp_path ${join(home, name)};`;
  const configuration = `
    daemon off;
    pid ${join(home, 'pid')};
    error_log ${join(home, 'error.log')};
    events {}
    http {
      access_log off;
      ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(directory).join('\n')}
      server {
        listen 127.0.0.1:${port} ssl;
        ssl_certificate ${join(home, 'cert.pem')};
        ssl_certificate_key ${join(home, 'key.pem')};
        ssl_client_certificate ${join(home, 'clientAuthority.pem')};
        ssl_verify_client on;
        location / { return 405; }
      }
    }`;
  writeFileSync(join(home, 'nginx.conf'), configuration);
  const child = spawn(path, ['-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')], {
    stdio: 'ignore',
  });
  await listening(port);
  return {
    port,
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(port: number): Promise<void> {
  for (let n = 0; n < 100; n++) {
    const socket = connect(port, '127.0.0.1');
    const accepts = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => {
        resolve(true);
      });
      socket.once('error', () => {
        resolve(false);
      });
    });
    socket.destroy();
    if (accepts) return;
    await sleep(50);
  }
  throw new Error('nginx does not listen');
}
