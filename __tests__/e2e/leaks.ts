import { expect } from '@jest/globals';
import type { RunResult } from '../../emulator/runner.ts';

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
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      Buffer.from(secret).toString('hex'),
    ];
    // The number and not the text, so that a red test does not print it either.
    expect(forms.map((form) => text.includes(form))).toEqual(forms.map(() => false));
  }
}
