/**
 * Every command that a message or a document offers works as pasted: it signs in first, names the environment, uses
 * nothing that is not defined, and is bash.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { Failure } from '../src/failure.ts';
import { failureLines } from '../src/report/failure-summary.ts';
import { explainEntra } from '../src/sign-in/entra-refusal.ts';
import { cloudByName } from '../src/sign-in/application.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const filesIn = (folder: string, ending: string): readonly string[] =>
  (readdirSync(join(root, folder), { recursive: true }) as string[])
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name).replaceAll('\\', '/'))
    .sort();

/** Commands that are pasted together, a line each. */
interface Block {
  /** `file:line`. */
  readonly where: string;
  readonly commands: readonly string[];
  /** Commands that come before it under the same heading. */
  readonly before: readonly string[];
  /** Whether the commands are complete lines: in a sentence, where a command ends is not known. */
  readonly complete: boolean;
}

const PROGRAMS =
  'az|gh|openssl|keytool|curl|printf|base64|bash|cat|rm|ls|read|umask|git|gpg|ssh-keygen|sha256sum|npm|npx|node|less|sed';
const WHOLE_LINE = new RegExp(String.raw`^\s*((${PROGRAMS}) |[A-Z][A-Z0-9_]*=)`);
/** The commands that the rules below are about, wherever in a sentence they stand. */
const IN_SENTENCE =
  /(?<![\w./"'-])((printf|base64|cat) [^|\n]*\| gh |az (ad|rest|login|account) |gh (secret|variable) (set|list|delete)).*/g;

/** The blocks in a text: lines that are commands, and commands in sentences. */
function blocksIn(text: string, where: string): readonly Block[] {
  const blocks: Block[] = [];
  let before: string[] = [];
  let commands: string[] = [];
  const close = (): void => {
    if (commands.length > 0) blocks.push({ where, commands, before, complete: true });
    before = [...before, ...commands];
    commands = [];
  };
  for (const line of text.split('\n')) {
    if (WHOLE_LINE.test(line)) {
      commands.push(line);
      continue;
    }
    close();
    for (const [command] of line.matchAll(IN_SENTENCE))
      blocks.push({ where, commands: [command], before: [], complete: false });
  }
  close();
  return blocks;
}

/** The fenced blocks of bash in a document, and the commands that stand in its sentences. */
function documentBlocks(file: string): readonly Block[] {
  const blocks: Block[] = [];
  let before: string[] = [];
  let fence: { language: string; line: number; lines: string[] } | undefined;
  for (const [index, line] of read(file).split('\n').entries()) {
    const [, ticks, language = ''] = /^\s*(```+)(\w*)/.exec(line) ?? [];
    if (fence && ticks !== undefined) {
      if (fence.language === 'bash') {
        blocks.push({ where: `${file}:${fence.line}`, commands: fence.lines, before, complete: true });
        before = [...before, ...fence.lines];
      }
      fence = undefined;
    } else if (ticks !== undefined) {
      fence = { language, line: index + 2, lines: [] };
    } else if (fence) {
      fence.lines.push(line.trimStart());
    } else if (/^#+ /.test(line)) {
      before = [];
    } else {
      // What has no option is the name of a command.
      for (const [, span = ''] of line.matchAll(/`([^`]+ --?[a-z][^`]*)`/g))
        for (const block of blocksIn(span, `${file}:${index + 1}`)) blocks.push({ ...block, before });
    }
  }
  return blocks;
}

/** The commands in the comments at the head of an example. */
function exampleBlocks(file: string): readonly Block[] {
  const head = /^(?:#.*\n)+/.exec(read(file))?.[0] ?? '';
  return blocksIn(head.replace(/^# ?/gm, ''), file);
}

/** The expressions of which one is returned. */
function returnedTexts(node: ts.Expression | undefined): readonly ts.Node[] {
  if (node === undefined) return [];
  return ts.isConditionalExpression(node) ? [node.whenTrue, node.whenFalse] : [node];
}

/** Its texts are put in wherever they are inserted. */
const SHARED = 'src/sign-in/application.ts';

/** The commands in the texts of a source file. What a text inserts is put in, if it is a text of the same file or {@link SHARED}. */
function sourceBlocks(file: string): readonly Block[] {
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
  const named = new Map<string, ts.Expression>();
  const returned = new Set<ts.Node>();
  const blocks: Block[] = [];

  const collect = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && node.initializer)
      named.set(node.name.text, node.initializer);
    if (ts.isFunctionDeclaration(node) && node.name && node.body) {
      const text = node.body.statements.findLast(ts.isReturnStatement)?.expression;
      if (text) named.set(node.name.text, text);
    }
    if (ts.isReturnStatement(node)) returnedTexts(node.expression).forEach((text) => returned.add(text));
    ts.forEachChild(node, collect);
  };
  const textOf = (node: ts.Expression, depth = 0): string => {
    if (ts.isStringLiteralLike(node)) return node.text;
    if (ts.isTemplateExpression(node))
      return (
        node.head.text + node.templateSpans.map((span) => textOf(span.expression, depth) + span.literal.text).join('')
      );
    if (ts.isConditionalExpression(node)) return textOf(node.whenTrue, depth) || textOf(node.whenFalse, depth);
    const name = ts.isCallExpression(node) ? node.expression : node;
    const value = ts.isIdentifier(name) && depth < 5 ? named.get(name.text) : undefined;
    return value ? textOf(value, depth + 1) : 'VALUE';
  };
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      const text = textOf(node);
      // The start of a list of commands, which is checked as a part of the texts that it is inserted into.
      const isStart = text.trimEnd().endsWith('&&') && returned.has(node);
      if (!isStart) blocks.push(...blocksIn(text, `${file}:${line + 1}`));
    }
    ts.forEachChild(node, visit);
  };
  collect(ts.createSourceFile(SHARED, read(SHARED), ts.ScriptTarget.Latest, true));
  collect(source);
  visit(source);
  return blocks;
}

const documents = [...filesIn('docs', '.md'), 'README.md', 'SECURITY.md', 'CONTRIBUTING.md'];
const blocks = [
  ...documents.flatMap(documentBlocks),
  ...filesIn('examples', '.yml').flatMap(exampleBlocks),
  ...filesIn('src', '.ts').flatMap(sourceBlocks),
];

/** The places at which a rule is broken, with the command. */
const broken = (rule: (block: Block) => readonly string[]): readonly string[] =>
  blocks.flatMap((block) => rule(block).map((command) => `${block.where}: ${command.trim()}`));

/** Variables that bash, or the runner, defines. */
const GIVEN = /^(HOME|PWD|RANDOM|RUNNER_\w+|GITHUB_\w+)$/;

function withoutEnvironment({ commands }: Block): readonly string[] {
  return commands.filter(
    (command) => /\bgh (secret|variable) (set|list|delete)\b/.test(command) && !/--env |# repository/.test(command),
  );
}

function undefinedVariables({ commands }: Block): readonly string[] {
  const defined = new Set<string>();
  return commands.flatMap((command) => {
    // Within single quotes bash replaces nothing.
    const used = [
      ...command
        .replace(/\\\$/g, '')
        .replace(/'[^']*'/g, "''")
        // ${NAME:?} stops by itself if there is no such variable.
        .replace(/\$\{\w+:\?[^}]*\}/g, '')
        .matchAll(/\$\{?([A-Za-z_]\w*)/g),
    ];
    const definitions = command.matchAll(/(?:^|[;&| ])([A-Za-z_]\w*)=|\b(?:read (?:-\w+ )*|for )(\w+)/g);
    for (const [, assigned = '', other = ''] of definitions) defined.add(assigned || other);
    return used.some(([, name = '']) => !defined.has(name) && !GIVEN.test(name)) ? [command] : [];
  });
}

/** Whether the next line belongs to the same list of commands. */
const goesOn = (command: string): boolean => /(&&( #.*)?|\\)$/.test(command) || /^\s*#/.test(command);

describe('every command in messages and documents', () => {
  test('there are some, of every kind', () => {
    const all = blocks.map(({ where, commands }) => `${where} ${commands.join('\n')}`).join('\n');
    for (const some of [
      /^src\/.*\naz login/m,
      /^docs\/setup\.md.*az login/m,
      /^README.*gh variable set/m,
      /^examples\/.*gh /m,
    ])
      expect(all).toMatch(some);
  });

  test('the Azure CLI, which may not read API connectors, is not offered for them', () => {
    const texts = [...documents, ...filesIn('src', '.ts'), ...filesIn('examples', '.yml')];
    expect(texts.filter((file) => /az rest.*apiConnectors/i.test(read(file)))).toEqual([]);
  });

  test('a sign-in to the tenant comes before what is done in it', () => {
    const unsigned = broken(({ where, commands, before }) =>
      commands.filter(
        (command, n) =>
          (where.startsWith('src/') ? /\baz (?!login |cloud |account )/ : /\baz (ad|rest) /).test(command) &&
          ![...before, ...commands.slice(0, n)].some((earlier) =>
            /\baz login --tenant \S+ --allow-no-subscriptions/.test(earlier),
          ),
      ),
    );
    expect(unsigned).toEqual([]);
  });

  test('a sign-in does not ask for a subscription, which a B2C tenant lacks', () => {
    expect(
      broken(({ commands }) => commands.filter((command) => /\baz login(?! .*--allow-no-subscriptions)/.test(command))),
    ).toEqual([]);
  });

  test('a secret or variable names its environment, or says that it is of the repository', () => {
    const unscoped = broken(withoutEnvironment);
    expect(unscoped).toEqual([]);
  });

  test('no variable is used that is not defined before', () => {
    expect(broken(undefinedVariables)).toEqual([]);
  });

  // A shell reads a list of commands to its end before it runs the first of them, so that nothing is left for one to read.
  test('of what is pasted together, nothing is the answer to a command before it', () => {
    const asks =
      /^\s*(az login|gh auth login|gh secret set \S+( --(env|repo) \S+)*\s*$|bash setup\.sh(?! .*--what-if)|read |less |openssl pkcs12 (?!.*-pass(in|out))|keytool -importkeystore)/;
    const answers = broken(({ commands, complete }) => {
      const first = commands.findIndex((command) => asks.test(command));
      return complete && first >= 0 ? commands.slice(first, -1).filter((command) => !goesOn(command)) : [];
    });
    expect(answers).toEqual([]);
  });

  test('nothing is done in a tenant if the sign-in to it failed', () => {
    const regardless = broken(({ commands, complete }) =>
      complete && commands.some((command) => /\baz login\b/.test(command))
        ? commands.slice(0, -1).filter((command) => !goesOn(command))
        : [],
    );
    expect(regardless).toEqual([]);
  });

  test('a command of a message is one in the job summary too, and no sentence', () => {
    const sentences = blocks
      .filter(({ where, complete }) => where.startsWith('src/') && complete)
      .flatMap(({ where, commands }) => commands.map((command) => `${where}: ${command}`))
      .filter(
        (line) => !failureLines(new Failure('INTERNAL_ERROR', '', line.replace(/^\S+: /, ''))).includes('```text'),
      );
    expect(sentences).toEqual([]);
  });

  test('each block is bash', () => {
    const wrong = blocks
      .filter(({ complete }) => complete)
      .flatMap(({ where, commands }) => {
        const { status, stderr } = spawnSync('bash', ['-n'], { input: `${commands.join('\n')}\n`, encoding: 'utf8' });
        return status === 0 ? [] : [`${where}: ${stderr.trim()}`];
      });
    expect(wrong).toEqual([]);
  });

  test('a federated credential is named after its subject, so that a second one has another name', () => {
    const names = broken(({ commands }) =>
      commands.filter((command) => {
        if (!command.includes('federated-credential create')) return false;
        const [, name] = /"name":"([^"]*)"/.exec(command) ?? [];
        const [, subject = ''] = /"subject":"([^"]*)"/.exec(command) ?? [];
        if (name === '%s') return !command.includes('"$SUBJECT" | tr -c');
        return name !== undefined && name !== subject.replace(/[^A-Za-z0-9_-]+/g, '-');
      }),
    );
    expect(names).toEqual([]);
  });

  test.each(['repo:octo/flows:environment:production', 'repo:octo@1/flows@2:ref:refs/heads/main'])(
    'so is the one that a failure offers for %s',
    (subject) => {
      const application = {
        tenantId: 'contoso.onmicrosoft.com',
        clientId: '00000000-0000-0000-0000-000000000000',
        cloud: cloudByName('global'),
        audience: 'api://AzureADTokenExchange',
      };
      const response = { status: 400, headers: {}, body: '{"error":"invalid_client","error_codes":[700213]}' };
      const idToken = { jwt: '', issuer: 'https://token.actions.githubusercontent.com', subject, audience: 'x' };
      const { remedy } = explainEntra(response, application, idToken).failure;
      const { name } = JSON.parse(/--parameters '(.*)'$/m.exec(remedy)?.[1] ?? '{}') as { name?: string };
      // And more, or release/1 would be release-1.
      expect(name?.replace(/-[0-9a-f]{8}$/, '')).toBe(subject.replace(/[^A-Za-z0-9_-]+/g, '-'));
    },
  );
});
