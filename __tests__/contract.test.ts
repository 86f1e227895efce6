/** action.yml, the code and the README promise the same: inputs, defaults, outputs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Action {
  inputs: Record<string, { description: string; required: boolean; default?: string }>;
  outputs: Record<string, { description: string }>;
  runs: { using: string; main: string };
}

const action = parse(read('action.yml')) as Action;
const readme = read('README.md');
const source = (readdirSync(join(root, 'src'), { recursive: true }) as string[])
  .filter((name) => name.endsWith('.ts'))
  .map((name) => read(join('src', name)))
  .join('\n');

/** First cells (and second, where asked) of the table under a heading. */
function table(heading: string): string[][] {
  const section = readme.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** What the source says behind these calls: `getInput('name'`. */
function namesIn(pattern: RegExp): string[] {
  return [...new Set([...source.matchAll(pattern)].map((match) => match[1] ?? ''))].sort();
}

describe('inputs', () => {
  const names = Object.keys(action.inputs);

  test('the code reads each one that action.yml has, and no other', () => {
    expect(namesIn(/(?:getInput|required|wholeNumber|flag)\('([a-z-]+)'/g)).toEqual([...names].sort());
  });

  test('the README has each, in the same order, with the same default', () => {
    expect(table('Inputs').map(([name, fallback]) => [name, fallback])).toEqual(
      Object.entries(action.inputs).map(([name, input]) => [
        `\`${name}\``,
        input.default === undefined ? '–' : input.default === '' ? "`''`" : `\`${input.default}\``,
      ]),
    );
  });

  test('each is described, and a default stands in action.yml only where the input may be left out', () => {
    for (const [name, input] of Object.entries(action.inputs)) {
      expect([name, input.description.length > 20, input.required && input.default !== undefined]).toEqual([
        name,
        true,
        false,
      ]);
    }
  });
});

describe('outputs', () => {
  const names = Object.keys(action.outputs);

  test('the code sets each one that action.yml has, and no other', () => {
    expect(namesIn(/setOutput\('([a-z-]+)'/g)).toEqual([...names].sort());
  });

  test('the README has each, in the same order', () => {
    expect(table('Outputs').map(([name]) => name)).toEqual(names.map((name) => `\`${name}\``));
  });
});

test('the action runs the committed bundle on node24', () => {
  expect(action.runs).toEqual({ using: 'node24', main: 'dist/index.js' });
});
