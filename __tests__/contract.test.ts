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

const readme = read('README.md');
const ACTIONS = [
  { file: 'action.yml', inputs: 'Inputs', outputs: 'Outputs', main: 'dist/index.js', reports: ['src/report.ts'] },
  {
    file: 'check/action.yml',
    inputs: 'Inputs of the check step',
    outputs: 'Outputs of the check step',
    main: '../dist/index.js',
    reports: ['src/check.ts'],
  },
].map((entry) => ({ ...entry, action: parse(read(entry.file)) as Action }));

/** The cells of the table under a heading. */
function table(heading: string): string[][] {
  const section = readme.split(new RegExp(`\n#+ ${heading}\n`))[1]?.split('\n#')[0] ?? '';
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
function namesIn(source: string, pattern: RegExp): string[] {
  return [...new Set([...source.matchAll(pattern)].map((match) => match[1] ?? ''))].sort();
}

describe.each(ACTIONS)('$file', ({ action, inputs, outputs, main, reports }) => {
  test('the README has each input, in the same order, with the same default', () => {
    expect(table(inputs).map(([name, fallback]) => [name, fallback])).toEqual(
      Object.entries(action.inputs).map(([name, input]) => [
        `\`${name}\``,
        input.default === undefined ? '–' : input.default === '' ? "`''`" : `\`${input.default}\``,
      ]),
    );
  });

  test('each input is described, and a default stands where it may be left out only', () => {
    for (const [name, input] of Object.entries(action.inputs)) {
      expect([name, input.description.length > 20, input.required && input.default !== undefined]).toEqual([
        name,
        true,
        false,
      ]);
    }
  });

  test('the code sets each output, and no other', () => {
    const source = reports.map(read).join('\n');
    expect(namesIn(source, /setOutput\('([a-z-]+)'/g)).toEqual(Object.keys(action.outputs).sort());
  });

  test('the README has each output, in the same order', () => {
    expect(table(outputs).map(([name]) => name)).toEqual(Object.keys(action.outputs).map((name) => `\`${name}\``));
  });

  test('it runs the committed bundle on node24', () => {
    expect(action.runs).toEqual({ using: 'node24', main });
  });
});

test('the code reads each input that the two action files have, and no other', () => {
  const names = ACTIONS.flatMap(({ action }) => Object.keys(action.inputs));
  expect(namesIn(read('src/inputs.ts'), /(?:getInput|required|wholeNumber|flag)\('([a-z-]+)'/g)).toEqual(
    [...new Set(names)].sort(),
  );
  const others = (readdirSync(join(root, 'src'), { recursive: true }) as string[]).filter(
    (name) => name.endsWith('.ts') && name !== 'inputs.ts',
  );
  for (const name of others) expect([name, read(join('src', name)).includes('getInput')]).toEqual([name, false]);
});
