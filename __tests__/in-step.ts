/** Calls something as the runner calls a step: with inputs and variables in the environment; what it prints is kept. */

import { forgetSecrets } from '../src/text/secrets.ts';

export type Changes = Readonly<Record<string, string>>;

export const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

/** Calls `action` with these inputs and variables; gives its result, and the lines it printed. */
export function inStep<T>(inputs: Changes, environment: Changes, action: () => T): { result: T; lines: string[] } {
  forgetSecrets();
  const before = process.env;
  const foreign = (name: string): boolean => name.startsWith('INPUT_') || PROXY_VARIABLES.includes(name);
  process.env = {
    ...Object.fromEntries(Object.entries(before).filter(([name]) => !foreign(name))),
    ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
    ...environment,
  };
  const write = process.stdout.write.bind(process.stdout);
  let printed = '';
  process.stdout.write = (chunk: string | Uint8Array): boolean => {
    printed += chunk.toString();
    return true;
  };
  try {
    const result = action();
    return { result, lines: printed.split('\n').filter((line) => line !== '') };
  } finally {
    process.stdout.write = write;
    process.env = before;
  }
}

/** The values that these lines mask. */
export function masksIn(lines: readonly string[]): string[] {
  return lines
    .filter((line) => line.startsWith('::add-mask::'))
    .map((line) => line.slice('::add-mask::'.length))
    .map((value) => value.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%'));
}
