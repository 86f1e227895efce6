/** action.yml, the code and the README promise the same: inputs, defaults, outputs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { ClientCertificate } from '../src/certificate/client-certificate.ts';
import { readCheckInputs, readCreateInputs, readUploadInputs } from '../src/inputs.ts';
import {
  setCertificateOutputs,
  setCheckOutputs,
  setConnectorOutputs,
  setDueOutputs,
  setHandOverOutputs,
  setTrustOutput,
  setUncheckedOutputs,
} from '../src/report/outputs.ts';
import { VERSION } from '../src/version.ts';
import { inStep } from './in-step.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Action {
  description: string;
  inputs: Record<string, { description: string; required: boolean; default?: string }>;
  outputs: Record<string, { description: string }>;
  runs: { using: string; main: string; post?: string };
}

const readme = read('README.md');
const certificate = {
  thumbprint: 'A'.repeat(40),
  notBefore: new Date(0),
  notAfter: new Date(0),
  leaf: '' as unknown,
  chain: [] as unknown,
} as ClientCertificate;
const trust = { certificates: [], missing: [], unread: 0 };
const ACTIONS = [
  {
    file: 'action.yml',
    inputs: 'Inputs',
    outputs: 'Outputs',
    main: 'dist/upload.js',
    readInputs: readUploadInputs,
    required: { pfx: 'VGhyb3ctYXdheQ==' },
    setOutputs: () => {
      setCertificateOutputs(certificate);
      setTrustOutput(trust);
      setConnectorOutputs([], certificate);
    },
  },
  {
    file: 'create/action.yml',
    inputs: 'Inputs of the create step',
    outputs: 'Outputs of the create step',
    main: '../dist/create.js',
    post: { post: '../dist/create-cleanup.js', 'post-if': 'always()' },
    readInputs: readCreateInputs,
    required: {},
    setOutputs: () => {
      setDueOutputs(['']);
      setTrustOutput(trust);
      setCertificateOutputs(certificate);
      setHandOverOutputs({ path: '', password: '' });
    },
  },
  {
    file: 'check/action.yml',
    inputs: 'Inputs of the check step',
    outputs: 'Outputs of the check step',
    main: '../dist/check.js',
    readInputs: readCheckInputs,
    required: {},
    setOutputs: () => {
      setUncheckedOutputs();
      setCheckOutputs([]);
    },
  },
].map((entry) => ({ post: {}, ...entry, action: parse(read(entry.file)) as Action }));

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

describe.each(ACTIONS)('$file', ({ action, inputs, outputs, main, readInputs, required, setOutputs, post }) => {
  test('the README has each input, in the same order, with the same default', () => {
    expect(table(inputs).map(([name, fallback]) => [name, fallback])).toEqual(
      Object.entries(action.inputs).map(([name, input]) => [
        `\`${name}\``,
        input.default === undefined ? '–' : input.default === '' ? "`''`" : `\`${input.default}\``,
      ]),
    );
  });

  test('each description is one that the Marketplace accepts', () => {
    const described = [action, ...Object.values(action.inputs), ...Object.values(action.outputs)];
    const tooLong = described.map(({ description }) => description).filter((text) => text.length >= 125);
    expect(tooLong).toEqual([]);
  });

  test('each input is described, and only an optional one has a default', () => {
    for (const [name, input] of Object.entries(action.inputs)) {
      expect([name, input.description.length > 20, input.required && input.default !== undefined]).toEqual([
        name,
        true,
        false,
      ]);
    }
  });

  test('the step reads each input, and no other', () => {
    const names = new Set<string>();
    const values: Record<string, string> = {
      ...Object.fromEntries(Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? ''])),
      'tenant-id': 'contoso.onmicrosoft.com',
      'client-id': '00000000-0000-0000-0000-000000000000',
      'connector-id': '00000000-0000-0000-0000-000000000000',
      ...required,
    };
    inStep(values, {}, () => {
      process.env = new Proxy(process.env, {
        get: (environment, name) => {
          if (typeof name === 'string' && name.startsWith('INPUT_'))
            names.add(name.slice('INPUT_'.length).toLowerCase());
          return Reflect.get(environment, name) as unknown;
        },
      });
      return readInputs();
    });
    expect([...names].sort()).toEqual(Object.keys(action.inputs).sort());
  });

  test('the step sets each output, and no other', () => {
    const { lines } = inStep({}, { GITHUB_OUTPUT: '' }, setOutputs);
    const names = lines.map((line) => /^::set-output name=([a-z-]+)::/.exec(line)?.[1]);
    expect([...new Set(names)].sort()).toEqual(Object.keys(action.outputs).sort());
  });

  test('the README has each output, in the same order', () => {
    expect(table(outputs).map(([name]) => name)).toEqual(Object.keys(action.outputs).map((name) => `\`${name}\``));
  });

  test('it runs the committed bundle on node24', () => {
    expect(action.runs).toEqual({ using: 'node24', main, ...post });
  });
});

test('the version in the user agent is that of the package', () => {
  expect(VERSION).toBe((JSON.parse(read('package.json')) as { version: string }).version);
});
