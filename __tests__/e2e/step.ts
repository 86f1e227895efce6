/** A run of a step that every scenario starts from, and that is searched for secrets whatever the scenario is about. */
import { GLOBAL, type Emulator } from '../../emulator/emulator.ts';
import { runAction, type RunOptions, type RunResult } from '../../emulator/runner.ts';
import { startInProcess } from './in-process.ts';
import { expectNoLeak } from './leak.ts';

export { expectNoLeak } from './leak.ts';

export const PASSWORD = 'throw-away password';

export interface StepOptions extends Omit<RunOptions, 'with' | 'emulator' | 'start'> {
  /** The committed bundle in a process of its own, as the runner starts it, and not the sources in this one. */
  readonly bundle?: boolean;
}

/** Runs a step, the upload unless `actionFile` says otherwise, with the emulator's own ids and what a scenario adds; nothing secret may show. */
export async function runStep(
  emulator: Emulator,
  inputs: Readonly<Record<string, string>>,
  { bundle = false, ...options }: StepOptions = {},
): Promise<RunResult> {
  const step: Record<string, string> = {
    'tenant-id': GLOBAL.tenantId,
    'client-id': GLOBAL.clientId,
    ...((options.actionFile ?? 'action.yml') === 'action.yml'
      ? { 'connector-id': GLOBAL.connectorId, password: PASSWORD }
      : {}),
    ...inputs,
  };
  const result = await runAction({ with: step, emulator, ...options, ...(bundle ? {} : { start: startInProcess }) });
  const files = Object.values(options.files ?? {}).map((file) => Buffer.from(file).toString('base64'));
  expectNoLeak(result, [
    ...emulator.secrets(),
    ...files,
    ...lines(withoutCertificates(step['pfx']), 16),
    // A shorter one is not masked, which the step warns of.
    ...lines(step['password'], 4),
  ]);
  return result;
}

/** A connector with one active certificate. @returns when that expires */
export function addExpiring(emulator: Emulator, id: string, daysLeft: number, thumbprint: string): Date {
  const now = Math.floor(Date.now() / 1000);
  // Half a day more, so that the clock does not decide.
  const notAfter = now + Math.floor((daysLeft + 0.5) * 86_400);
  emulator.addConnector({
    id,
    displayName: `Connector ${id}`,
    authentication: { type: 'certificates', certificates: [{ thumbprint, notBefore: now - 1000, notAfter }] },
  });
  return new Date(notAfter * 1000);
}

/** The annotations, without their messages. */
export function titles({ annotations }: RunResult): string[] {
  return annotations.map(({ level, title }) => `${level} ${title}`);
}

/** As the steps show a date. */
export function iso(date: Date): string {
  return date.toISOString().replace('.000Z', 'Z');
}

/** Certificates are public, and the output `certificate` shows them. */
function withoutCertificates(text: string | undefined): string | undefined {
  return text?.replace(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g, '');
}

/** A secret and each of its lines, as far as they are long enough to be one. */
function lines(text: string | undefined, shortest: number): readonly string[] {
  if (text === undefined) return [];
  return [text, ...text.split(/\r\n|\r|\n/)].filter(
    (line) => line.length >= shortest && !/^-----[^-]+-----$/.test(line),
  );
}
