/**
 * Runs an action as GitHub's runner runs it: its file says what to start and which defaults to fill in, the environment
 * holds what a runner gives and nothing of the machine but PATH and HOME, and what it prints is read for commands.
 *
 * As the runner's source has it: input names, escapes, masks line by line, commands on both streams, file commands.
 * Left out: the runner also masks encoded forms of a secret (base64, URI, JSON …), so a log here shows more than there.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { parse } from 'yaml';
import type { Emulator } from './emulator.ts';

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
}

export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice';
  readonly title: string;
  readonly message: string;
}

export interface RunResult {
  /** null after a signal. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Both streams as a person reads them in the job's log: commands carried out, masks applied. */
  readonly log: string;
  readonly rawStdout: string;
  readonly stderr: string;
  /** Every text that is masked, in the order of registration. */
  readonly masks: readonly string[];
  /** Masked, as the log is. */
  readonly annotations: readonly Annotation[];
  readonly outputs: Readonly<Record<string, string>>;
  readonly state: Readonly<Record<string, string>>;
  /** What the step set for later ones. */
  readonly env: Readonly<Record<string, string>>;
  readonly summary: string;
  readonly durationMs: number;
  /** What the action left in its workspace and temporary directories, beside `files`. */
  readonly filesLeft: readonly string[];
}

interface ActionFile {
  readonly inputs?: Readonly<Record<string, { readonly default?: string | number | boolean }>>;
  readonly runs: { readonly main: string };
}

const REPOSITORY = resolve(import.meta.dirname, '..');
const FILE_COMMANDS = ['output', 'state', 'env', 'path', 'step_summary'] as const;

/** What the process of a step is started with. */
export interface Step {
  /** What the action's file says to run. */
  readonly script: string;
  /** The working directory. */
  readonly workspace: string;
  readonly temp: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Lays out in the empty directory `home` what a runner has ready for a step. */
export async function prepareStep(
  home: string,
  options: Pick<RunOptions, 'actionFile' | 'with' | 'env' | 'emulator'>,
): Promise<Step> {
  const actionFile = resolve(REPOSITORY, options.actionFile ?? 'action.yml');
  const action = parse(await readFile(actionFile, 'utf8')) as ActionFile;
  const directories = { workspace: join(home, 'workspace'), temp: join(home, 'temp') };
  for (const path of [...Object.values(directories), join(home, 'commands')]) await mkdir(path);
  for (const command of FILE_COMMANDS) await writeFile(join(home, 'commands', command), '');
  await writeFile(join(home, 'event.json'), JSON.stringify({ repository: { full_name: 'octo-org/octo-repo' } }));
  return {
    ...directories,
    script: resolve(dirname(actionFile), action.runs.main),
    env: {
      ...runnerEnvironment(home, directories),
      ...inputs(action, options.with),
      ...options.emulator?.environment(),
      ...options.env,
    },
  };
}

export async function runAction(options: RunOptions): Promise<RunResult> {
  const home = await mkdtemp(join(tmpdir(), 'runner-'));
  try {
    const { script, workspace, temp, env } = await prepareStep(home, options);
    for (const [name, content] of Object.entries(options.files ?? {})) {
      const path = join(workspace, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    }

    const log = new JobLog(options.secrets ?? [], options.env?.['RUNNER_DEBUG'] === '1');
    const started = performance.now();
    const child = spawn(process.execPath, [script], { cwd: workspace, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [rawStdout, stderr, ended] = await Promise.all([
      readLines(child.stdout, (line) => {
        log.read(line);
      }),
      readLines(child.stderr, (line) => {
        log.read(line);
      }),
      end(child, options),
    ]);
    const durationMs = performance.now() - started;

    const written = Object.fromEntries(
      await Promise.all(
        FILE_COMMANDS.map(async (name) => [name, await readFile(join(home, 'commands', name), 'utf8')] as const),
      ),
    ) as Record<(typeof FILE_COMMANDS)[number], string>;
    const left = await Promise.all(
      [workspace, temp].map((path) => readdir(path, { recursive: true, withFileTypes: true })),
    );
    return {
      ...ended,
      log: log.text,
      rawStdout,
      stderr,
      masks: log.masks,
      annotations: log.annotations,
      outputs: fileCommand(written.output),
      state: fileCommand(written.state),
      env: fileCommand(written.env),
      summary: written.step_summary,
      durationMs,
      filesLeft: left
        .flat()
        .filter((entry) => entry.isFile())
        .map((entry) => relative(home, join(entry.parentPath, entry.name)))
        .filter((path) => !Object.keys(options.files ?? {}).includes(relative('workspace', path))),
    };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function inputs(action: ActionFile, given: Readonly<Record<string, string>>): Record<string, string> {
  const defaults = Object.entries(action.inputs ?? {}).map(
    ([name, input]) => [name, String(input.default ?? '')] as const,
  );
  const all = { ...Object.fromEntries(defaults), ...given };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`, value]),
  );
}

function runnerEnvironment(home: string, directories: { workspace: string; temp: string }): Record<string, string> {
  const { PATH = '', HOME = '' } = process.env;
  return {
    PATH,
    HOME,
    TMPDIR: directories.temp,
    CI: 'true',
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

async function end(
  child: ChildProcess,
  options: RunOptions,
): Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }> {
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

/** All of a stream's text, and each line as it comes. */
async function readLines(stream: Readable, onLine: (line: string) => void): Promise<string> {
  let [all, rest] = ['', ''];
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    all += chunk;
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? '';
    lines.forEach(onLine);
  }
  if (rest !== '') onLine(rest);
  return all;
}

/** `name=value` and `name<<DELIMITER … DELIMITER`, as in the file behind GITHUB_OUTPUT. */
function fileCommand(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  const lines = text.split(/\r?\n/);
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    if (line === '') continue;
    const [, name, operator, value] = /^(.*?)(<<|=)(.*)$/.exec(line) ?? [];
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

/** What the runner makes of the lines that an action prints. */
class JobLog {
  readonly masks: string[] = [];
  readonly annotations: Annotation[] = [];
  readonly #debug: boolean;
  #lines: string[] = [];
  /** While set, commands are text, until this token comes as a command. */
  #stopToken: string | undefined;

  constructor(secrets: readonly string[], debug: boolean) {
    this.#debug = debug;
    secrets.forEach((secret) => {
      this.#mask(secret);
    });
  }

  get text(): string {
    return this.#lines.join('\n');
  }

  read(line: string): void {
    const command = parseCommand(line);
    if (this.#stopToken !== undefined) {
      if (command?.name === this.#stopToken) this.#stopToken = undefined;
      else this.#print(line);
      return;
    }
    if (!command) {
      this.#print(line);
      return;
    }
    switch (command.name) {
      case 'add-mask':
        this.#mask(command.data);
        return;
      case 'error':
      case 'warning':
      case 'notice': {
        const { data, properties } = command;
        const level = command.name;
        this.annotations.push({ level, title: this.#masked(properties['title'] ?? ''), message: this.#masked(data) });
        this.#print(`${level.replace(/^./, (first) => first.toUpperCase())}: ${data}`);
        return;
      }
      case 'debug':
        if (this.#debug) this.#print(`##[debug]${command.data}`);
        return;
      case 'group':
        this.#print(`▼ ${command.data}`);
        return;
      case 'endgroup':
        return;
      case 'stop-commands':
        this.#stopToken = command.data;
        return;
      default:
        this.#print(line);
    }
  }

  /** The whole text and each line of it. */
  #mask(secret: string): void {
    if (secret.trim() === '') return;
    this.masks.push(...new Set([secret, ...secret.split(/[\r\n]+/).filter((line) => line !== '')]));
  }

  #masked(text: string): string {
    const longestFirst = this.masks.toSorted((a, b) => b.length - a.length);
    return longestFirst.reduce((masked, secret) => masked.replaceAll(secret, '***'), text);
  }

  #print(text: string): void {
    this.#lines.push(...this.#masked(text).split('\n'));
  }
}

interface Command {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly data: string;
}

/** `::name key=value,key=value::data` */
function parseCommand(line: string): Command | undefined {
  const [, name, properties = '', data = ''] = /^\s*::([^\s:]+)(?: (.*?))?::(.*)$/.exec(line) ?? [];
  if (name === undefined) return undefined;
  const pairs = properties.split(',').map((pair): [string, string] => {
    const [, key = '', value = ''] = /^\s*([^=]*)=?(.*)$/.exec(pair) ?? [];
    return [key, unescape(value)];
  });
  return { name: name.toLowerCase(), properties: Object.fromEntries(pairs), data: unescape(data) };
}

function unescape(text: string): string {
  const characters: Readonly<Record<string, string>> = { '%25': '%', '%0D': '\r', '%0A': '\n', '%3A': ':', '%2C': ',' };
  return text.replace(/%(?:25|0D|0A|3A|2C)/g, (escape) => characters[escape] ?? escape);
}
