/**
 * `npm run mutate [-- ROOM …]`: changes the code of each room of src/, one place at a time, and counts how many of the
 * changes the room's own tests notice. Prints those that nobody noticed, and writes each room's row of the table in
 * docs/reliability.md.
 */
import { Stryker } from '@stryker-mutator/core';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { format } from 'prettier';

interface Room {
  readonly mutate: readonly string[];
  /** Those beside the room; for what only puts rooms together the runs in process, end to end. */
  readonly tests: string;
}

const room = (name: string): [string, Room] => [
  name,
  { mutate: [`src/${name}/**/*.ts`], tests: `__tests__/${name}/**/*.test.ts` },
];
const HASH_CHAIN = 'src/pkcs12/crypto/hash-chain.ts';
const ROOMS = new Map<string, Room>([
  ['inputs', { mutate: ['src/{inputs,failure,masks}.ts'], tests: '__tests__/{inputs,failure,masks}*.test.ts' }],
  room('text'),
  room('http'),
  room('sign-in'),
  room('graph'),
  room('key-vault'),
  room('certificate'),
  [
    'pkcs12',
    // Counting what runs makes the rounds of key derivation a hundred times slower: they are a room of their own.
    { mutate: ['src/pkcs12/**/*.ts', `!${HASH_CHAIN}`], tests: '__tests__/pkcs12/**/*.test.ts' },
  ],
  ['hash-chain', { mutate: [HASH_CHAIN], tests: '__tests__/pkcs12/crypto/primitives.test.ts' }],
  room('connectors'),
  room('report'),
  [
    'steps',
    {
      mutate: ['src/{steps/*,main,version}.ts'],
      tests: '__tests__/e2e/{check,create,key-vault,log,outputs,rotation,upload}.test.ts',
    },
  ],
]);
const ROOT = join(import.meta.dirname, '..');
const RELIABILITY = join(ROOT, 'docs', 'reliability.md');

/** For tests that run ten thousand times: Jest loads CommonJS in half the time of ES modules, and one failure is enough. */
const QUICK = {
  extensionsToTreatAsEsm: [],
  transform: {
    '\\.(ts|js|mjs)$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'commonjs' } },
    ],
  },
  transformIgnorePatterns: [],
  resolver: '<rootDir>/scripts/jest/commonjs-resolver.ts',
  runner: join(ROOT, 'scripts/jest/first-failure-runner.ts'),
  testEnvironment: join(ROOT, 'scripts/jest/first-failure-environment.ts'),
};

interface Count {
  noticed: number;
  all: number;
}

/** Runs a room's tests against each change of its code; what became of them, by file. */
async function mutate({ mutate, tests }: Room): Promise<ReadonlyMap<string, Count>> {
  const results = await new Stryker({
    mutate: [...mutate],
    // Long texts and many rounds take too long with every change counted.
    jest: {
      config: { ...QUICK, testMatch: [`<rootDir>/${tests}`], testPathIgnorePatterns: ['linear-time', 'many-rounds'] },
    },
    // A process does not let go of everything that a run of the tests loaded.
    maxTestRunnerReuse: 60,
  }).runMutationTest();
  const files = new Map<string, Count>();
  for (const { status, fileName } of results) {
    const noticed = status === 'Killed' || status === 'Timeout';
    if (!noticed && status !== 'Survived' && status !== 'NoCoverage') continue;
    const name = relative(join(ROOT, 'src'), fileName);
    const count = files.get(name) ?? { noticed: 0, all: 0 };
    files.set(name, { noticed: count.noticed + (noticed ? 1 : 0), all: count.all + 1 });
  }
  return files;
}

function score({ noticed, all }: Count): string {
  return `${((100 * noticed) / all).toFixed(1)} %`;
}

function row(name: string, files: ReadonlyMap<string, Count>): string {
  const sum = [...files.values()].reduce((a, b) => ({ noticed: a.noticed + b.noticed, all: a.all + b.all }));
  const [least] = [...files].sort(([, a], [, b]) => a.noticed / a.all - b.noticed / b.all);
  const lowest = least ? `\`${least[0]}\` ${score(least[1])}` : '';
  return `| ${name} | ${score(sum)} | ${sum.all} | ${sum.all - sum.noticed} | ${lowest} |`;
}

/** At once, so that the rooms before are kept when a run is cut off. */
async function writeRow(room: string, written: string): Promise<void> {
  const [begin, end] = ['<!-- mutants: begin -->', '<!-- mutants: end -->'];
  const [before = '', table = '', after = ''] = readFileSync(RELIABILITY, 'utf8').split(new RegExp(`${begin}|${end}`));
  const rowOf = (name: string): string | undefined =>
    name === room ? written : table.split('\n').find((line) => line.startsWith(`| ${name} `));
  const rows = [
    '| room | noticed | changes | not noticed | lowest file |',
    '| --- | --- | --- | --- | --- |',
    ...[...ROOMS.keys()].flatMap((name) => rowOf(name) ?? []),
  ];
  const text = `${before}${begin}\n\n${rows.join('\n')}\n\n${end}${after}`;
  writeFileSync(RELIABILITY, await format(text, { parser: 'markdown' }));
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !ROOMS.has(name));
if (unknown.length > 0) throw new Error(`No room: ${unknown.join(', ')}. Rooms: ${[...ROOMS.keys()].join(', ')}.`);

for (const [name, of] of ROOMS) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const files = await mutate(of);
  for (const [file, count] of files) console.log(`${file}: ${score(count)} of ${count.all}`);
  await writeRow(name, row(name, files));
}
