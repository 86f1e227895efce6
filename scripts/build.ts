/**
 * src/ → dist/: tsc takes the types away, ncc puts everything into one file, main.js, and each step's entry stands next to
 * it. The same input gives the same bytes. An argument names another folder than dist/.
 *
 * Loading the bundle is a good part of what the step takes, so what is never used is left out of it: these packages do
 * nothing but declare when they are loaded, and do not say so in their package.json. A copy of each that says so lies
 * where ncc looks first.
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { copyFileSync, cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const out = process.argv[2] ?? join(root, 'dist');
const lib = join(root, 'lib');
const require = createRequire(import.meta.url);
const DECLARE_ONLY = ['@actions/core', '@actions/github', '@azure/msal-node'];
const ENTRIES = ['upload.js', 'check.js', 'create.js', 'create-cleanup.js'];

const node = (...args: string[]): void => {
  execFileSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
};

rmSync(lib, { recursive: true, force: true });
rmSync(out, { recursive: true, force: true });
node(require.resolve('typescript/bin/tsc'), '--project', 'tsconfig.build.json', '--outDir', lib);
for (const name of DECLARE_ONLY) {
  const copy = join(lib, 'node_modules', name);
  cpSync(join(root, 'node_modules', name), copy, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(copy, 'package.json'), 'utf8')) as object;
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ ...manifest, sideEffects: false }));
}
const ncc = require.resolve('@vercel/ncc/dist/ncc/cli.js');
node(ncc, 'build', join(lib, 'main.js'), '--out', out, '--license', 'licenses.txt', '--quiet');
renameSync(join(out, 'index.js'), join(out, 'main.js'));
for (const entry of ENTRIES) copyFileSync(join(lib, entry), join(out, entry));

// Some packages come with CRLF. One line ending, whatever wrote them and wherever this runs.
for (const name of readdirSync(out)) {
  const path = join(out, name);
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll('\r\n', '\n'));
}
