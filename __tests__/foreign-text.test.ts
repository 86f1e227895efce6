/** The lint rule that finds foreign text on its way round the cleaner. */
import { describe, expect, test } from '@jest/globals';
import { Linter } from 'eslint';
import ts from 'typescript';
import tseslint from 'typescript-eslint';
import { foreignText } from '../scripts/eslint/foreign-text.ts';

const FILE = '/snippet.ts';
const DECLARATIONS = `
interface Response {
  readonly status: number;
  /** @foreign */
  readonly body: string;
  /** @foreign */
  readonly headers: Record<string, string>;
}
interface Certificate {
  readonly thumbprint: string;
  /** On one line. @foreign */
  readonly subject: string;
  /** @foreign */
  readonly names: readonly string[];
}
/** @foreign */
declare function subjectOf(certificate: Certificate): string;
declare function clean(text: unknown, longest?: number): string;
declare function info(text: string): void;
interface Error { readonly message: string }
declare class Failure { readonly message: string; constructor(code: string, message: string, remedy: string) }
declare class TransportError { readonly message: string; constructor(message: string) }
declare const response: Response, certificate: Certificate, failure: Failure, error: Error, transport: TransportError;
`;

/** What the rule finds in a snippet that follows the declarations. */
function found(snippet: string): string[] {
  const code = DECLARATIONS + snippet;
  const host = ts.createCompilerHost({});
  const source = ts.createSourceFile(FILE, code, ts.ScriptTarget.ESNext, true);
  const program = ts.createProgram(
    [FILE],
    { noLib: true, target: ts.ScriptTarget.ESNext },
    {
      ...host,
      getSourceFile: (name) => (name === FILE ? source : undefined),
      fileExists: (name) => name === FILE,
    },
  );
  return new Linter({ cwd: '/' })
    .verify(
      code,
      {
        files: ['**/*.ts'],
        languageOptions: { parser: tseslint.parser, parserOptions: { programs: [program] } },
        plugins: { local: { rules: { 'foreign-text': foreignText } } },
        rules: { 'local/foreign-text': 'error' },
      },
      { filename: FILE },
    )
    .map(({ message }) => /^Foreign text \((.*)\) has to go/.exec(message)?.[1] ?? message);
}

describe('foreign text is found', () => {
  test.each<[string, string, string]>([
    ['a property', 'info(`a ${certificate.subject}`);', 'Certificate.subject'],
    ['a header', "info(`a ${response.headers['date']}`);", 'Response.headers'],
    ['by a sum', "info('a ' + certificate.subject);", 'Certificate.subject'],
    ['by itself', 'info(response.body);', 'Response.body'],
    ['in a failure', "throw new Failure('CODE', 'a', certificate.subject);", 'Certificate.subject'],
    ['a function', "throw new Failure('CODE', `a ${subjectOf(certificate)}`, '');", 'subjectOf()'],
    ['taken apart', 'const { subject } = certificate; info(`a ${subject}`);', 'Certificate.subject'],
    ['taken apart, by another name', 'const { subject: who } = certificate; info(`a ${who}`);', 'Certificate.subject'],
    [
      'taken apart as a parameter',
      'function f({ subject }: Certificate) { info(`a ${subject}`); }',
      'Certificate.subject',
    ],
    ['by a variable', 'const text = response.body; const more = text; info(`a ${more}`);', 'Response.body'],
    ['a part of it', 'info(`a ${response.body.slice(0, 80)}`);', 'Response.body'],
    [
      'what an expression finds in it',
      'const title = /<title>(.*)/.exec(response.body)?.[1]; info(`a ${title}`);',
      'Response.body',
    ],
    ['the first of several', "const [first] = response.body.split(' '); info(`a ${first}`);", 'Response.body'],
    ['each of a list', 'certificate.names.map((name) => `a ${name}`);', 'Certificate.names'],
    ['each of a loop', 'for (const name of certificate.names) info(`a ${name}`);', 'Certificate.names'],
    ['a list in one', "info(`a ${certificate.names.join(', ')}`);", 'Certificate.names'],
    [
      'if there is any',
      "info(`a ${certificate.subject === '' ? 'none' : certificate.subject}`);",
      'Certificate.subject',
    ],
    ['or something else', "info(`a ${certificate.subject || 'none'}`);", 'Certificate.subject'],
    [
      'given to a function that shows it',
      'function f(n: number, text: string) { info(`a ${text}`); } f(1, certificate.subject);',
      'Certificate.subject',
    ],
    [
      'given to a function that gives it to one that shows it',
      'function f(who: string) { info(`a ${who}`); } function g(text: string) { f(text.trim()); } g(response.body);',
      'Response.body',
    ],
    ['what somebody threw', 'info(`a ${error.message}`);', 'Error.message'],
    ['what no response means', 'info(`a ${transport.message}`);', 'TransportError.message'],
  ])('%s', (_, snippet, name) => {
    expect(found(snippet)).toEqual([name]);
  });
});

test.each([
  ['cleaned', 'info(`a ${clean(certificate.subject)}`);'],
  ['cleaned before', 'const subject = clean(certificate.subject, 80); info(`a ${subject}`);'],
  ['cleaned as a part of a text', 'info(clean(`a ${response.body}`));'],
  ['part of an error, whose message is foreign', 'throw new TransportError(`a ${response.body}`);'],
  ['part of what is marked', '/** @foreign */\nfunction f() { return `a ${response.body}`; }'],
  [
    'given to a function that cleans it',
    'function f(text: string) { info(`a ${clean(text)} ${text.length}`); } f(certificate.subject);',
  ],
  ['of our own', 'info(`a ${certificate.thumbprint} ${failure.message}`);'],
  ['a number', 'info(`a ${response.status}`);'],
])('nothing is found in text that is %s', (_, snippet) => {
  expect(found(snippet)).toEqual([]);
});
