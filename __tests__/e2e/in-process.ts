/**
 * A step in this process, from the sources: for the scenario it is as in a process of its own, and takes a tenth of the
 * time. What belongs to the whole process (environment, working directory, streams, exit code, trusted authorities) is the
 * step's while it runs, so one runs after the other.
 */
import { AsyncLocalStorage, createHook } from 'node:async_hooks';
import { Console } from 'node:console';
import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setDefaultCACertificates } from 'node:tls';
import type { Ended, StartStep, Step, Streams } from '../../emulator/runner.ts';
import { run } from '../../src/main.ts';

/** What each action's file starts. */
const ENTRIES: Readonly<Record<string, () => Promise<void>>> = {
  'action.yml': async () => {
    await run();
  },
  'check/action.yml': async () => {
    await run();
  },
};

const REPOSITORY = resolve(import.meta.dirname, '..', '..');
/** Node reads them when it starts. */
const FOR_NODE = /^(NODE_(?!EXTRA_CA_CERTS$)|SSL_|UV_|OPENSSL_)/;
/** What a step may take to close what it had open when it was done. */
const CLOSING = 5_000;

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
  const entry = ENTRIES[relative(REPOSITORY, step.actionFile)];
  if (entry === undefined) throw new Error(`What does ${step.actionFile} start?`);
  const giveBack = takeProcess(step, streams);
  const handles = watchHandles();
  const listeners = signalListeners();
  try {
    await Promise.race([
      handles.during(entry),
      sleep(timeoutMs, undefined, { ref: false }).then(() => {
        throw new Error(`The step still runs after ${timeoutMs} ms.`);
      }),
    ]);
    await handles.closed();
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
  // As Node itself does, but once: these are added to nothing else.
  const authorities = env['NODE_EXTRA_CA_CERTS'];
  setDefaultCACertificates(authorities === undefined ? [] : [readFileSync(authorities, 'utf8')]);
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

/** A socket, a timer, a process: as long as one is open that counts, Node does not end. */
interface Handle {
  hasRef(): boolean;
}

/** Knows what the step itself opens, apart from what the emulator opens for it in the same process. */
function watchHandles() {
  const context = new AsyncLocalStorage<true>();
  const opened = new Map<number, { readonly type: string; readonly handle: Handle }>();
  const hook = createHook({
    init(id, type, _trigger, resource) {
      if (context.getStore() && 'hasRef' in resource) opened.set(id, { type, handle: resource as Handle });
    },
    // A timer that is over says that it counts all the same.
    destroy(id) {
      opened.delete(id);
    },
    trackPromises: false,
  }).enable();
  const open = (): string[] => [...opened.values()].filter(({ handle }) => handle.hasRef()).map(({ type }) => type);
  return {
    during: async (work: () => Promise<void>): Promise<void> => {
      await context.run(true, work);
    },
    /** Waits for them, as the end of a process does; but not for long. */
    closed: async (): Promise<void> => {
      const until = performance.now() + CLOSING;
      while (open().length > 0) {
        if (performance.now() > until) throw new Error(`The step left open: ${open().join(', ')}.`);
        await sleep(5);
      }
    },
    stop: (): void => {
      hook.disable();
    },
  };
}
