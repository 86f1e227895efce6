/** The rooms of src/ and the directions between them: each imports what stands below it, never what stands above. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { expect, test } from '@jest/globals';

const SOURCE = join(import.meta.dirname, '..', 'src');

/** From the ground up. Rooms on one floor may import each other; a room, itself. */
const FLOORS: readonly (readonly string[])[] = [
  ['version.ts', 'text/', 'failure.ts'],
  ['pkcs12/'],
  ['http/'],
  ['sign-in/'],
  ['graph/'],
  ['key-vault/'],
  ['certificate/'],
  ['connectors/'],
  ['masks.ts', 'inputs.ts'],
  ['report/'],
  ['steps/'],
  ['main.ts'],
  ['upload.ts', 'check.ts', 'create.ts', 'create-cleanup.ts'],
];

/** pkcs12/ could be a library of its own: apart from itself it knows failures alone. */
const PKCS12_IMPORTS = /^(pkcs12\/|failure\.ts$)/;
const files = (readdirSync(SOURCE, { recursive: true }) as string[])
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  .sort();
const textOf = (file: string): string => readFileSync(join(SOURCE, file), 'utf8');

/** The files of src/ that this one imports, types and what it loads later included. */
function importsOf(file: string): readonly string[] {
  const specifiers = textOf(file).matchAll(/\b(?:from|import)\s*\(?\s*(?:\/\*.*?\*\/\s*)?'(\.[^']*)'/g);
  return [...specifiers].map((match) => posix.join(dirname(file), match[1] ?? ''));
}

const imports = new Map(files.map((file) => [file, importsOf(file)]));
const edges = [...imports].flatMap(([from, targets]) => targets.map((to) => ({ from, to })));

const floorOf = (file: string): number =>
  FLOORS.findIndex((rooms) => rooms.some((room) => (room.endsWith('/') ? file.startsWith(room) : file === room)));

const shown = (wrong: readonly { from: string; to: string }[]): readonly string[] =>
  wrong.map(({ from, to }) => `${from} imports ${to}`);

test('every file stands in a room, and every import leads to a file', () => {
  expect(files.filter((file) => floorOf(file) === -1)).toEqual([]);
  expect(shown(edges.filter(({ to }) => !imports.has(to)))).toEqual([]);
  // The imports are really found: a file that imports nothing of src/ is the exception.
  expect(edges.length).toBeGreaterThan(files.length);
});

test('nothing is imported from above', () => {
  expect(shown(edges.filter((edge) => floorOf(edge.to) > floorOf(edge.from)))).toEqual([]);
});

test('pkcs12/ imports failures and itself only', () => {
  const wrong = edges.filter(({ from, to }) => from.startsWith('pkcs12/') && !PKCS12_IMPORTS.test(to));
  expect(shown(wrong)).toEqual([]);
});

test('no import comes back to where it began, types included', () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (path.includes(file) || done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});

test('inputs.ts alone reads inputs, and the steps alone import it', () => {
  expect(
    files.filter((file) => /\bget(Multiline|Boolean)?Input\b|\bINPUT_[A-Z]/.test(withoutCodes(textOf(file)))),
  ).toEqual(['inputs.ts']);
  const others = edges.filter(({ from, to }) => to === 'inputs.ts' && !from.startsWith('steps/'));
  expect(shown(others)).toEqual([]);
});

/** The codes of failures begin like the runner's variables. */
function withoutCodes(text: string): string {
  return text.replace(/'INPUT_(MISSING|INVALID)'/g, '');
}
