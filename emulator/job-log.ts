/** What the runner makes of the lines that a step prints: commands carried out, secrets masked, annotations collected. */
import { Masks } from './masks.ts';

export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice';
  /** As it was given: the runner masks the message only. */
  readonly title: string;
  /** Masked, and cut. */
  readonly message: string;
}

/** So many of each level become annotations; the rest stands in the log only. */
const ANNOTATIONS = 10;
const MESSAGE_LIMIT = 4096;
/** All that the runner knows, in both styles; anything else that looks like one is text. */
const COMMANDS = new Set([
  'add-mask',
  'add-matcher',
  'add-path',
  'debug',
  'echo',
  'endgroup',
  'error',
  'group',
  'notice',
  'remove-matcher',
  'save-state',
  'set-env',
  'set-output',
  'stop-commands',
  'warning',
]);

export class JobLog {
  readonly annotations: Annotation[] = [];
  /** By `set-output` and `save-state`, which the runner still obeys. */
  readonly outputs: Record<string, string> = {};
  readonly state: Record<string, string> = {};
  readonly #masks = new Masks();
  readonly #debug: boolean;
  readonly #lines: string[] = [];
  /** While set, commands are text, until this token comes as a command. */
  #stopToken: string | undefined;

  constructor(secrets: readonly string[], debug: boolean) {
    this.#debug = debug;
    for (const secret of secrets) this.#masks.add(secret);
  }

  get text(): string {
    return this.#lines.join('\n');
  }

  get masks(): readonly string[] {
    return this.#masks.values;
  }

  /** Masked line by line, as the runner prints and uploads. */
  masked(text: string): string {
    return text
      .split('\n')
      .map((line) => this.#masks.hide(line))
      .join('\n');
  }

  /** Prints a message of this level, and makes an annotation of it. */
  report(level: Annotation['level'], message: string, title = ''): void {
    const cut = this.#masks.hide(message).slice(0, MESSAGE_LIMIT);
    if (this.annotations.filter((one) => one.level === level).length < ANNOTATIONS) {
      this.annotations.push({ level, title, message: cut });
    }
    this.#print(`${level.replace(/^./, (first) => first.toUpperCase())}: ${cut}`);
  }

  /** Reads one of the step's streams. */
  reader(): LineReader {
    return new LineReader((line) => {
      this.#read(line);
    });
  }

  #read(line: string): void {
    const token = this.#stopToken;
    const command = parseCommand(line, token);
    if (command === undefined || (token !== undefined && command.name !== token)) {
      this.#print(line);
    } else if (token !== undefined) {
      this.#print(line);
      this.#stopToken = undefined;
    } else {
      this.#carryOut(command, line);
    }
  }

  #carryOut({ name, properties, data }: Command, line: string): void {
    switch (name) {
      case 'add-mask':
        if (data.trim() !== '') this.#masks.add(data);
        else this.report('warning', "Can't add secret mask for empty string in ##[add-mask] command.");
        return;
      case 'error':
      case 'warning':
      case 'notice':
        this.report(name, data, properties['title']);
        return;
      case 'debug':
        if (this.#debug) this.#print(`##[debug]${data}`);
        return;
      case 'group':
        this.#print(`▼ ${data}`);
        return;
      case 'set-output':
        this.outputs[properties['name'] ?? ''] = data;
        return;
      case 'save-state':
        this.state[properties['name'] ?? ''] = data;
        return;
      case 'set-env':
      case 'add-path':
        this.report('error', `Unable to process command '${line}' successfully.`);
        this.report('error', `The \`${name}\` command is disabled.`);
        return;
      case 'stop-commands':
        this.#print(line);
        this.#stopToken = data.toLowerCase();
        return;
    }
  }

  #print(text: string): void {
    this.#lines.push(...this.masked(text).split('\n'));
  }
}

/** Cuts what comes in pieces into lines: `\r`, `\n` and `\r\n` end one. */
class LineReader {
  /** All that came. */
  text = '';
  readonly #onLine: (line: string) => void;
  #rest = '';
  #afterReturn = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(text: string): void {
    if (text === '') return;
    this.text += text;
    const piece = this.#afterReturn && text.startsWith('\n') ? text.slice(1) : text;
    this.#afterReturn = piece.endsWith('\r');
    const lines = (this.#rest + piece).split(/\r\n|\r|\n/);
    this.#rest = lines.pop() ?? '';
    lines.forEach(this.#onLine);
  }

  end(): void {
    if (this.#rest !== '') this.#onLine(this.#rest);
    this.#rest = '';
  }
}

interface Command {
  /** In lower case. */
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly data: string;
}

/** `::name key=value,key=value::data` at the start of a line, or the older `##[name key=value;key=value]data` anywhere in it. */
function parseCommand(line: string, token: string | undefined): Command | undefined {
  for (const [pattern, separator, escapes] of [
    [/^\s*::([^\s:]+)(?: (.*?))?::(.*)$/s, ',', { data: DATA, property: PROPERTY }],
    [/##\[([^\s\]]+)(?: ([^\]]*))?\](.*)$/s, ';', { data: OLD, property: OLD }],
  ] as const) {
    const [, word = '', properties = '', data = ''] = pattern.exec(line) ?? [];
    const name = word.toLowerCase();
    if (!COMMANDS.has(name) && (name === '' || name !== token)) continue;
    const pairs = properties.split(separator).map((pair): [string, string] => {
      const [, key = '', value = ''] = /^\s*([^=]*)=?(.*)$/s.exec(pair) ?? [];
      return [key, unescape(value, escapes.property)];
    });
    return { name, properties: Object.fromEntries(pairs), data: unescape(data, escapes.data) };
  }
  return undefined;
}

const DATA: Readonly<Record<string, string>> = { '%25': '%', '%0D': '\r', '%0A': '\n' };
const PROPERTY: Readonly<Record<string, string>> = { ...DATA, '%3A': ':', '%2C': ',' };
const OLD: Readonly<Record<string, string>> = { ...DATA, '%3B': ';', '%5D': ']' };

function unescape(text: string, escapes: Readonly<Record<string, string>>): string {
  return text.replace(/%[0-9A-F]{2}/g, (escape) => escapes[escape] ?? escape);
}
