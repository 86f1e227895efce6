/** Starts a process as the runner would, and measures it from outside. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prepareStep, type RunOptions } from '../emulator/runner.ts';

export interface ChildOptions extends Pick<RunOptions, 'with' | 'env' | 'emulator'> {
  /** Of Node; nothing for what the action's file says. */
  readonly arguments?: readonly string[];
  /** Costs a millisecond or two, so only where it is asked for. */
  readonly memory?: boolean;
}

export interface Measured {
  readonly exitCode: number | null;
  /** From the start to the exit, in milliseconds. */
  readonly wall: number;
  /** From the last byte on stdout to the exit, in milliseconds. */
  readonly tail: number;
  /** The most memory that was resident at a time, in MB; undefined where nobody asked or nothing can tell. */
  readonly peak: number | undefined;
  /** Both streams. */
  readonly output: string;
}

const GNU_TIME = '/usr/bin/time';
/**
 * What the system itself noted of a process when it ended; time(1) starts it from a small process of its own, whose
 * memory does not count. Without it the high-water mark is looked at while the process lives.
 */
export const hasTime = process.platform === 'linux' && existsSync(GNU_TIME);

export async function measure(options: ChildOptions): Promise<Measured> {
  const home = await mkdtemp(join(tmpdir(), 'runner-'));
  try {
    const step = await prepareStep(home, options);
    const node = [process.execPath, ...(options.arguments ?? [step.script])] as const;
    const note = join(home, 'peak');
    const timed = options.memory === true && hasTime;
    const [file, ...rest] = timed ? ([GNU_TIME, '-f', '%M', '-o', note, ...node] as const) : node;

    const started = performance.now();
    const child = spawn(file, rest, {
      cwd: step.workspace,
      env: step.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    });
    let [output, lastOutput, highest] = ['', started, 0];
    child.stdout.on('data', (chunk: Buffer) => {
      lastOutput = performance.now();
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const watch =
      options.memory === true && !timed
        ? setInterval(() => (highest = Math.max(highest, highWater(child.pid))), 5)
        : undefined;
    const [exitCode, ended] = await new Promise<[number | null, number]>((resolve, reject) => {
      let exited = 0;
      child.once('error', reject);
      child.once('exit', () => (exited = performance.now()));
      // After `exit`, when everything written has been read.
      child.once('close', (code) => {
        resolve([code, exited]);
      });
    });
    clearInterval(watch);
    if (timed) highest = Number(readFileSync(note, 'utf8').trim().split('\n').at(-1));
    return {
      exitCode,
      wall: ended - started,
      // What was written just before the end may be read just after it.
      tail: Math.max(0, ended - lastOutput),
      peak: highest > 0 ? highest / 1024 : undefined,
      output,
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** In kB; 0 where there is no such file, or no longer. */
function highWater(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid ?? 0}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
