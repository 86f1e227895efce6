/**
 * The dist gate: dist/ rebuilt from a clean checkout of HEAD must be the committed one, to the byte. The checkout lies in
 * another folder, and the build runs under another umask, time zone and locale, so that none of them leaves a trace. It
 * needs nothing installed but Node 24, and no install script of a package runs, so that reviewers can run it as it is.
 * `NODE_UNDER_TEST=24.x.y` builds with that version of Node as well, out of the package `node`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const checkout = mkdtempSync(join(tmpdir(), 'check-dist-'));
try {
  const env = { ...process.env, TZ: 'Pacific/Chatham', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' };
  process.umask(0o077);
  const run = (command: string, ...args: string[]): void => {
    execFileSync(command, args, {
      cwd: checkout,
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
      shell: process.platform === 'win32',
    });
  };
  run('git', 'clone', '--quiet', '--no-hardlinks', root, '.');
  const committed = snapshot(join(checkout, 'dist'));
  run('npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error');
  const version = process.env['NODE_UNDER_TEST'];
  if (version !== undefined) run('npm', 'install', '--no-save', '--no-audit', '--loglevel=error', `node@${version}`);
  run('npm', 'run', 'build');
  const rebuilt = snapshot(join(checkout, 'dist'));

  const names = [...new Set([...committed.keys(), ...rebuilt.keys()])].sort();
  const differing = names.filter((name) => !committed.get(name)?.equals(rebuilt.get(name) ?? Buffer.alloc(0)));
  if (differing.length > 0) {
    console.error(`dist/ is not what src/ builds: ${differing.join(', ')}. Run npm run build and commit dist/.`);
    process.exitCode = 1;
  } else {
    console.log(
      `dist/ is what src/ builds${version === undefined ? '' : `, with Node ${version} too`}: ${names.length} files, the same to the byte.`,
    );
  }
} finally {
  rmSync(checkout, { recursive: true, force: true });
}

function snapshot(folder: string): Map<string, Buffer> {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
}
