/**
 * Runs an action as GitHub's runner runs it: its file says what to start and which defaults to fill in, the environment
 * holds what a runner gives and nothing of the machine but PATH and HOME, and what it prints is read for commands.
 *
 * As the runner's source has it: input names, the warning for those that the action does not have, the `with:` header, line
 * endings, both styles of commands on both streams, masks line by line and in encoded forms, the limits of annotations and
 * of the summary, file commands (those of Linux).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { parse } from 'yaml';
import type { Emulator } from './emulator.ts';
import { JobLog, type Annotation } from './job-log.ts';

export interface RunOptions {
  /** Path of the action.yml; the one of this repository unless given. */
  readonly actionFile?: string;
  readonly with: Readonly<Record<string, string>>;
  /** Joins or replaces what the runner sets; undefined takes a variable away. `RUNNER_DEBUG: '1'` for a debug run. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Whose proxy, authority and ID tokens the job is to have. Without one there is no network to speak of. */
  readonly emulator?: Emulator;
  /** Files in the workspace, which is the working directory. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /** What the workflow takes from `secrets`: masked before the step begins. None unless given, so that the action's own masks show. */
  readonly secrets?: readonly string[];
  /** The job is cancelled when this settles: SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL. */
  readonly cancel?: Promise<unknown>;
  /** A run that takes longer is killed; 60 000 unless given. */
  readonly timeoutMs?: number;
  /** The runner's temporary directory, if one step is to find what another left there; otherwise each has its own. */
  readonly temp?: string;
  /** Runs what the action's file has for the end of the job, with the state that its step saved. */
  readonly post?: { readonly state: Readonly<Record<string, string>> };
  /** How the step is started; {@link startProcess} unless given. */
  readonly start?: StartStep;
}

export interface RunResult {
  /** null after a signal. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What stands in the job's log before the step starts: its `with`, in which only the workflow's secrets are masked. */
  readonly header: string;
  /** Both streams as a person reads them in the job's log: commands carried out, masks applied. */
  readonly log: string;
  readonly rawStdout: string;
  readonly stderr: string;
  /** Every text that is masked, in the order of registration; its encoded forms are, too. */
  readonly masks: readonly string[];
  readonly annotations: readonly Annotation[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  /** What the step set for later ones. */
  readonly env: Readonly<Record<string, string>>;
  /** As the job's page shows it: masked; empty where it was too large. */
  readonly summary: string;
  /** What the step wrote. */
  readonly rawSummary: string;
  readonly durationMs: number;
  /** What the action left in its workspace and temporary directories, in addition to `files`. */
  readonly filesLeft: readonly string[];
}

export interface Streams {
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

export interface Ended {
  /** null after a signal. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Starts a step, hands over what it prints, and gives how it ended once all of that was read. */
export type StartStep = (
  step: Step,
  streams: Streams,
  options: Pick<RunOptions, 'cancel' | 'timeoutMs'>,
) => Promise<Ended>;

interface ActionFile {
  readonly inputs?: Readonly<Record<string, { readonly default?: string | number | boolean }>>;
  readonly runs: { readonly main: string; readonly post?: string };
}

const REPOSITORY = resolve(import.meta.dirname, '..');
/** Asked once: a step that runs in this process changes what is answered. */
const TEMP = tmpdir();
const SUMMARY_LIMIT = 1024 * 1024;
/** Where a workflow takes the action from. */
const ACTION = { repository: 'octo-org/upload-api-connector-certificate', ref: 'v1' };
const FILE_COMMANDS = ['output', 'state', 'env', 'path', 'step_summary'] as const;

/** What a step is started with. */
export interface Step {
  /** The absolute path of the action's file. */
  readonly actionFile: string;
  /** What that says to run. */
  readonly script: string;
  /** The working directory. */
  readonly workspace: string;
  readonly temp: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The inputs by name, defaults filled in. */
  readonly inputs: Readonly<Record<string, string>>;
  /** The inputs that the action has. */
  readonly known: readonly string[];
}

/** Lays out in the empty directory `home` what a runner has ready for a step. */
export async function prepareStep(
  home: string,
  options: Pick<RunOptions, 'actionFile' | 'with' | 'env' | 'emulator' | 'temp' | 'post'>,
): Promise<Step> {
  const actionFile = resolve(REPOSITORY, options.actionFile ?? 'action.yml');
  const action = parse(await readFile(actionFile, 'utf8')) as ActionFile;
  const directories = { workspace: join(home, 'workspace'), temp: options.temp ?? join(home, 'temp') };
  for (const path of [...Object.values(directories), join(home, 'commands')]) await mkdir(path, { recursive: true });
  for (const command of FILE_COMMANDS) await writeFile(join(home, 'commands', command), '');
  await writeFile(join(home, 'event.json'), JSON.stringify({ repository: { full_name: 'octo-org/octo-repo' } }));
  const defaults = Object.entries(action.inputs ?? {}).map(([name, input]) => [name, String(input.default ?? '')]);
  const inputs = { ...(Object.fromEntries(defaults) as Record<string, string>), ...options.with };
  return {
    ...directories,
    actionFile,
    script: resolve(dirname(actionFile), scriptOf(action, options.post !== undefined)),
    env: {
      ...runnerEnvironment(home, directories),
      ...inputVariables(inputs),
      ...stateVariables(options.post?.state ?? {}),
      ...(options.emulator?.environment() ?? NO_NETWORK),
      ...options.env,
    },
    inputs,
    known: Object.keys(action.inputs ?? {}),
  };
}

function scriptOf({ runs }: ActionFile, post: boolean): string {
  if (!post) return runs.main;
  if (runs.post === undefined) throw new Error('The action has nothing for the end of the job.');
  return runs.post;
}

/** The names keep their letter case. */
function stateVariables(state: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]));
}

/** Nobody listens there. */
const NO_NETWORK = { HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9' };

export async function runAction(options: RunOptions): Promise<RunResult> {
  const home = await mkdtemp(join(TEMP, 'runner-'));
  try {
    const step = await prepareStep(home, options);
    await writeFiles(step.workspace, options.files);
    const log = new JobLog(options.secrets ?? [], options.env?.['RUNNER_DEBUG'] === '1');
    const header = log.masked(headerOf(step));
    warnOfUnknownInputs(log, step, options.with);

    const [stdout, stderr] = [log.reader(), log.reader()];
    const streams: Streams = {
      stdout: (text) => {
        stdout.write(text);
      },
      stderr: (text) => {
        stderr.write(text);
      },
    };
    const started = performance.now();
    const ended = await (options.start ?? startProcess)(step, streams, options);
    const durationMs = performance.now() - started;
    stdout.end();
    stderr.end();

    const written = await readFileCommands(home);
    return {
      ...ended,
      // Reported in the log, so it comes first.
      summary: summaryOf(written.step_summary, log),
      rawSummary: written.step_summary,
      header,
      log: log.text,
      rawStdout: stdout.text,
      stderr: stderr.text,
      masks: log.masks,
      annotations: log.annotations,
      outputs: { ...log.outputs, ...fileCommand(written.output) },
      state: { ...log.state, ...fileCommand(written.state) },
      env: fileCommand(written.env),
      durationMs,
      filesLeft: await filesIn(home, step, Object.keys(options.files ?? {})),
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Starts what the action's file names, in a process of its own. */
export const startProcess: StartStep = async ({ script, workspace, env }, streams, options) => {
  const child = spawn(process.execPath, [script], { cwd: workspace, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const read = async (from: Readable, to: (text: string) => void): Promise<void> => {
    for await (const text of from.setEncoding('utf8') as AsyncIterable<string>) to(text);
  };
  const [ended] = await Promise.all([
    end(child, options),
    read(child.stdout, streams.stdout),
    read(child.stderr, streams.stderr),
  ]);
  return ended;
};

async function writeFiles(workspace: string, files: RunOptions['files'] = {}): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(workspace, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}

/** What a step left in its workspace and temporary directory, without these, which it was given. */
async function filesIn(home: string, { workspace, temp }: Step, given: readonly string[]): Promise<string[]> {
  const entries = await Promise.all(
    [workspace, temp].map((path) => readdir(path, { recursive: true, withFileTypes: true })),
  );
  return entries
    .flat()
    .filter((entry) => entry.isFile())
    .map((entry) => relative(home, join(entry.parentPath, entry.name)))
    .filter((path) => !given.includes(relative('workspace', path)));
}

function headerOf({ actionFile, inputs }: Step): string {
  const path = relative(REPOSITORY, dirname(actionFile));
  const name = [ACTION.repository, path].filter((part) => part !== '').join('/');
  const values = Object.entries(inputs).filter(([, value]) => value !== '');
  return [
    `▼ Run ${path.startsWith('..') ? path : `${name}@${ACTION.ref}`}`,
    ...(values.length === 0 ? [] : ['with:', ...values.map(([name, value]) => `  ${name}: ${value}`)]),
  ].join('\n');
}

function warnOfUnknownInputs(log: JobLog, { known }: Step, given: RunOptions['with']): void {
  const lowerCase = known.map((name) => name.toLowerCase());
  const unknown = Object.keys(given).filter((name) => !lowerCase.includes(name.toLowerCase()));
  if (unknown.length === 0) return;
  log.report('warning', `Unexpected input(s) '${unknown.join("', '")}', valid inputs are ['${known.join("', '")}']`);
}

function summaryOf(written: string, log: JobLog): string {
  const size = Buffer.byteLength(written);
  if (size <= SUMMARY_LIMIT) return log.masked(written);
  log.report(
    'error',
    `$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of ${SUMMARY_LIMIT / 1024}k, got ${Math.floor(size / 1024)}k. For more information see: https://docs.github.com/actions/using-workflows/workflow-commands-for-github-actions#adding-a-markdown-summary`,
  );
  return '';
}

async function readFileCommands(home: string): Promise<Record<(typeof FILE_COMMANDS)[number], string>> {
  const files = FILE_COMMANDS.map(
    async (name) => [name, await readFile(join(home, 'commands', name), 'utf8')] as const,
  );
  return Object.fromEntries(await Promise.all(files)) as Record<(typeof FILE_COMMANDS)[number], string>;
}

function inputVariables(inputs: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`, value]),
  );
}

function runnerEnvironment(home: string, directories: { workspace: string; temp: string }): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return {
    PATH,
    HOME,
    TMPDIR: directories.temp,
    CI: 'true',
    GITHUB_ACTION_REF: ACTION.ref,
    GITHUB_ACTION_REPOSITORY: ACTION.repository,
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTOR: 'octocat',
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_EVENT_NAME: 'workflow_dispatch',
    GITHUB_EVENT_PATH: join(home, 'event.json'),
    GITHUB_JOB: 'rotate',
    GITHUB_REF: 'refs/heads/main',
    GITHUB_REPOSITORY: 'octo-org/octo-repo',
    GITHUB_REPOSITORY_OWNER: 'octo-org',
    GITHUB_RUN_ATTEMPT: '1',
    GITHUB_RUN_ID: '1658821493',
    GITHUB_RUN_NUMBER: '42',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
    GITHUB_WORKFLOW: 'Rotate certificate',
    GITHUB_WORKSPACE: directories.workspace,
    RUNNER_ARCH: 'X64',
    RUNNER_ENVIRONMENT: 'github-hosted',
    RUNNER_OS: 'Linux',
    RUNNER_TEMP: directories.temp,
    ...Object.fromEntries(FILE_COMMANDS.map((name) => [`GITHUB_${name.toUpperCase()}`, join(home, 'commands', name)])),
  };
}

async function end(child: ChildProcess, options: Pick<RunOptions, 'cancel' | 'timeoutMs'>): Promise<Ended> {
  const timers: NodeJS.Timeout[] = [];
  const kill = (signal: NodeJS.Signals, ms: number): void => {
    timers.push(setTimeout(() => child.kill(signal), ms));
  };
  kill('SIGKILL', options.timeoutMs ?? 60_000);
  const cancel = (): void => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGINT');
    kill('SIGTERM', 7_500);
    kill('SIGKILL', 10_000);
  };
  void options.cancel?.then(cancel, cancel);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (exitCode, signal) => {
        resolve({ exitCode, signal });
      });
    });
  } finally {
    timers.forEach(clearTimeout);
  }
}

/** `name=value` and `name<<DELIMITER … DELIMITER`, as in the file behind GITHUB_OUTPUT. */
function fileCommand(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  const lines = text.split('\n');
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    if (line === '') continue;
    const [, name, operator, value] = /^(.*?)(<<|=)(.*)$/s.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`The runner cannot read the line: ${line}`);
    if (operator === '=') {
      values[name] = value;
      continue;
    }
    const end = lines.indexOf(value);
    if (end === -1) throw new Error(`The runner finds no end of the value of ${name}.`);
    values[name] = lines
      .splice(0, end + 1)
      .slice(0, -1)
      .join('\n');
  }
  return values;
}
