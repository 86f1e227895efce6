/** A run of the step that every scenario starts from, and that is searched for secrets whatever the scenario is about. */
import { expect } from '@jest/globals';
import { GLOBAL, type Emulator } from '../../emulator/emulator.ts';
import { runAction, type RunOptions, type RunResult } from '../../emulator/runner.ts';

export const PASSWORD = 'throw-away password';

/** Runs the committed bundle with the emulator's own ids and what a scenario adds; nothing secret may show. */
export async function runStep(
  emulator: Emulator,
  inputs: Readonly<Record<string, string>>,
  options: Omit<RunOptions, 'with' | 'emulator'> = {},
): Promise<RunResult> {
  const step: Record<string, string> = {
    'tenant-id': GLOBAL.tenantId,
    'client-id': GLOBAL.clientId,
    'connector-id': GLOBAL.connectorId,
    password: PASSWORD,
    ...inputs,
  };
  const result = await runAction({ with: step, emulator, ...options });
  const files = Object.values(options.files ?? {}).map((file) => Buffer.from(file).toString('base64'));
  expectNoLeak(result, [
    ...emulator.secrets(),
    ...files,
    ...lines(step['pfx'], 16),
    // A shorter one is not masked, which the step warns of.
    ...lines(step['password'], 4),
  ]);
  return result;
}

/** A secret and each of its lines, as far as they are long enough to be one. */
function lines(text: string | undefined, shortest: number): readonly string[] {
  if (text === undefined) return [];
  return [text, ...text.split(/\r\n|\r|\n/)].filter((line) => line.length >= shortest && !line.startsWith('-----'));
}

/** Everything that a run leaves behind where somebody could read it. The raw output without its `add-mask` commands: those are how a secret is hidden. */
function visible(result: RunResult): string {
  return [
    result.log,
    result.rawStdout.replace(/^::add-mask::.*$/gm, ''),
    result.stderr,
    result.summary,
    ...[result.outputs, result.state, result.env].map((record) => Object.entries(record).flat().join('\n')),
    JSON.stringify(result.annotations),
    result.filesLeft.join('\n'),
  ].join('\n');
}

/** Fails where any of the secrets shows, raw or JSON-escaped, URL-encoded, in base64 or hex. */
export function expectNoLeak(result: RunResult, secrets: readonly string[]): void {
  const text = visible(result);
  for (const secret of secrets) {
    const forms = [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret.toWellFormed()),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      Buffer.from(secret).toString('hex'),
    ];
    // The number and not the text, so that a red test does not print it either.
    expect(forms.map((form) => text.includes(form))).toEqual(forms.map(() => false));
  }
}
