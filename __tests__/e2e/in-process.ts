/**
 * A step in this process, from the sources: for the scenario it is as in a process of its own, and takes a tenth of the
 * time. What belongs to the whole process (environment, working directory, streams, exit code, trusted authorities) is the
 * step's while it runs, so one runs after the other.
 */
import { Console } from 'node:console';
import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll } from '@jest/globals';
import type { Ended, StartStep, Step, Streams } from '../../emulator/runner.ts';
import { run, type StepName } from '../../src/main.ts';
import { watchHandles } from './handles.ts';

/** What each script of an action's file starts. */
const ENTRIES: Readonly<Record<string, StepName>> = {
  'dist/upload.js': 'upload',
  'dist/check.js': 'check',
  'dist/create.js': 'create',
  'dist/create-cleanup.js': 'create-cleanup',
};

const REPOSITORY = resolve(import.meta.dirname, '..', '..');
/** Node reads them when it starts. */
const FOR_NODE = /^(NODE_(?!EXTRA_CA_CERTS$)|SSL_|UV_|OPENSSL_)/;
/** What a step may take to close what it had open when it was done, in milliseconds. */
const CLOSING = 5_000;

/** Restored when the file's tests are over: for each run it would take longer than the run. */
const authorities = getCACertificates('default');
afterAll(() => {
  setDefaultCACertificates(authorities);
});

let last: Promise<unknown> = Promise.resolve();

export const startInProcess: StartStep = async (step, streams, { cancel, timeoutMs = 60_000 }) => {
  const reason = cancel ? 'signals are for it alone' : needsProcess(step.env);
  if (reason !== undefined) throw new Error(`This scenario needs the bundle in a process of its own: ${reason}.`);
  const own = last.then(async () => await runStep(step, streams, timeoutMs));
  last = own.catch(() => undefined);
  return await own;
};

/** Why this environment cannot be had in this process. */
function needsProcess(env: Step['env']): string | undefined {
  const variable = Object.keys(env).find((name) => FOR_NODE.test(name) && env[name] !== undefined);
  if (variable !== undefined) return `Node reads ${variable} when it starts`;
  // The proxy is what keeps every request on this machine.
  if (env['HTTPS_PROXY'] === undefined || env['NO_PROXY'] !== undefined || env['no_proxy'] !== undefined) {
    return 'it goes round the proxy';
  }
  return undefined;
}

async function runStep(step: Step, streams: Streams, timeoutMs: number): Promise<Ended> {
  const entry = ENTRIES[relative(REPOSITORY, step.script)];
  if (entry === undefined) throw new Error(`What does ${step.script} start?`);
  const giveBack = takeProcess(step, streams);
  const handles = watchHandles();
  const listeners = signalListeners();
  try {
    await Promise.race([
      handles.during(async () => {
        await run(entry);
      }),
      sleep(timeoutMs, undefined, { ref: false }).then(() => {
        throw new Error(`The step still runs after ${timeoutMs} ms.`);
      }),
    ]);
    await handles.closed(CLOSING);
    if (signalListeners() !== listeners) throw new Error('The step still listens for signals after its end.');
    return { exitCode: Number(process.exitCode ?? 0), signal: null };
  } finally {
    handles.stop();
    giveBack();
  }
}

/** Makes this process the step's; what is returned makes it again what it was. */
function takeProcess({ env, workspace }: Step, streams: Streams): () => void {
  const { stdout, stderr } = process;
  const before = {
    env: process.env,
    directory: process.cwd(),
    exitCode: process.exitCode,
    stdout: stdout.write.bind(stdout),
    stderr: stderr.write.bind(stderr),
    console: globalThis.console,
    lookup: dns.lookup,
  };
  process.env = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
  process.chdir(workspace);
  process.exitCode = undefined;
  stdout.write = writer(streams.stdout);
  stderr.write = writer(streams.stderr);
  globalThis.console = new Console({ stdout, stderr });
  // No name leads anywhere, so that nothing leaves the machine, whatever the step does about the proxy.
  dns.lookup = noNames as unknown as typeof dns.lookup;
  // What Node does when it starts, without its own authorities, which nobody here has a certificate of.
  const extra = env['NODE_EXTRA_CA_CERTS'];
  setDefaultCACertificates(extra === undefined ? [] : [readFileSync(extra, 'utf8')]);
  return () => {
    process.env = before.env;
    process.chdir(before.directory);
    process.exitCode = before.exitCode;
    stdout.write = before.stdout;
    stderr.write = before.stderr;
    globalThis.console = before.console;
    dns.lookup = before.lookup;
  };
}

function writer(to: (text: string) => void): typeof process.stdout.write {
  return (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    to(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    const done = rest.find((argument) => typeof argument === 'function') as (() => void) | undefined;
    if (done) process.nextTick(done);
    return true;
  };
}

function noNames(name: string, ...rest: unknown[]): void {
  const done = rest.at(-1) as (error: Error) => void;
  process.nextTick(
    done,
    Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND', hostname: name }),
  );
}

function signalListeners(): number {
  return (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).reduce((sum, signal) => sum + process.listenerCount(signal), 0);
}
