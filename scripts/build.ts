/**
 * src/ → dist/: tsc takes the types away, ncc puts everything into a few files: the start, and the rest that it reads.
 * The same input gives the same bytes.
 * An argument names another folder than dist/.
 *
 * Loading the bundle is a good part of what the step takes, so what is never used is left out of it: these packages do
 * nothing but declare when they are loaded, and do not say so in their package.json. A copy of each that says so lies
 * where ncc looks first.
 */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const out = process.argv[2] ?? join(root, 'dist');
const lib = join(root, 'lib');
const require = createRequire(import.meta.url);
const DECLARE_ONLY = ['@actions/core', '@actions/github', '@azure/msal-node'];

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
bundle(out);
takeLicences();

// Some packages come with CRLF. One line ending, whatever wrote them and wherever this runs.
for (const name of readdirSync(out)) {
  const path = join(out, name);
  const text = readFileSync(path, 'utf8').replaceAll('\r\n', '\n');
  writeFileSync(path, name.endsWith('.js') ? ascii(oneRequire(text)) : text);
}

function bundle(folder: string): void {
  const ncc = require.resolve('@vercel/ncc/dist/ncc/cli.js');
  node(ncc, 'build', join(lib, 'index.js'), '--out', folder, '--license', 'licenses.txt', '--quiet');
}

/** ncc forgets the licences of all but the first file that it writes: so they come from a bundle that is one file. */
function takeLicences(): void {
  const whole = join(lib, 'whole');
  const start = join(lib, 'index.js');
  writeFileSync(start, readFileSync(start, 'utf8').replace('import(', 'import(/* webpackMode: "eager" */ '));
  bundle(whole);
  cpSync(join(whole, 'licenses.txt'), join(out, 'licenses.txt'));
}

/** ncc makes a `require` of its own for each module of Node's, some forty in all; one does for all of them. */
function oneRequire(text: string): string {
  const [head, call] = [
    'import { createRequire as __WEBPACK_EXTERNAL_createRequire } from "module";\n',
    '__WEBPACK_EXTERNAL_createRequire(import.meta.url)',
  ];
  if (!text.includes(call)) return text;
  if (!text.startsWith(head)) throw new Error('ncc begins the bundle in another way now: look at oneRequire()');
  return `${head}const __builtin = ${call};\n${text.slice(head.length).replaceAll(call, '__builtin')}`;
}

/** Escapes what is beyond ASCII, in strings and comments: V8 reads such a file in half the memory, and sooner. */
function ascii(text: string): string {
  return text.replace(/[^\x00-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
