/** docs/troubleshooting.md explains every code that a failed step can carry, and no code is dead. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { FAILURE_CODES } from '../src/failure.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Each code with its text; what stands before the first heading is left out. */
const [, ...sections] = read('docs/troubleshooting.md').split(/^## /m);
const source = (readdirSync(join(root, 'src'), { recursive: true }) as string[])
  .filter((name) => name.endsWith('.ts'))
  // The list of codes itself is no use of them.
  .map((name) => read(join('src', name)).replace(/FAILURE_CODES = \[.*?\]/s, ''))
  .join('\n');

test('the headings are the codes, in their order', () => {
  expect(sections.map((section) => section.split('\n')[0])).toEqual([...FAILURE_CODES]);
});

test.each(FAILURE_CODES)('%s is explained', (code) => {
  const text = sections.find((section) => section.startsWith(`${code}\n`))?.slice(code.length) ?? '';
  expect(text.trim().length).toBeGreaterThanOrEqual(80);
});

test.each(FAILURE_CODES)('%s occurs in the source', (code) => {
  expect(source.includes(`'${code}'`)).toBe(true);
});
