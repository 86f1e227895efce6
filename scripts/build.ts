/**
 * src/ → dist/: tsc takes the types away, ncc puts everything into one file. The same input gives the same bytes.
 * An argument names another folder than dist/.
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const out = process.argv[2] ?? join(root, 'dist');
const lib = join(root, 'lib');
const require = createRequire(import.meta.url);
const node = (...args: string[]): void => {
  execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
};

rmSync(lib, { recursive: true, force: true });
rmSync(out, { recursive: true, force: true });
node(require.resolve('typescript/bin/tsc'), '--project', 'tsconfig.build.json', '--outDir', lib);
node(
  require.resolve('@vercel/ncc/dist/ncc/cli.js'),
  'build',
  join(lib, 'index.js'),
  '--out',
  out,
  '--license',
  'licenses.txt',
  '--quiet',
);

// Some packages come with CRLF. One line ending, whatever wrote them and wherever this runs.
for (const name of readdirSync(out)) {
  const path = join(out, name);
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll('\r\n', '\n'));
}
