/**
 * A rule for ESLint: foreign text is shown through the cleaner only. What is foreign is marked where it is declared, by the tag
 * `@foreign` on a property or a function. The rule follows it through variables, destructuring, the methods of strings and
 * lists, and the parameters of functions, to the places where messages are made: template literals, sums of strings,
 * failures and the lines of the log.
 */
import type { Rule } from 'eslint';
import ts from 'typescript';

/** What takes known secrets out of a text, and makes one line of it that commands nothing. */
const CLEANERS: ReadonlySet<string> = new Set(['clean', 'cleanUrl', 'markdown', 'encodeURIComponent']);
/** What shows its arguments. */
const SHOWING: ReadonlySet<string> = new Set(
  'Failure info notice warning annotateError warn log withSentence setOutput'.split(' '),
);
/** What a library or Node declares. */
const FOREIGN_ELSEWHERE: ReadonlySet<string> = new Set([
  'X509Certificate.subject',
  'X509Certificate.issuer',
  'X509Certificate.subjectAltName',
]);
/** Far more than any real chain of variables; it ends one that leads to itself. */
const DEEPEST = 20;
/** How far text is followed from function to function. */
const DEEPEST_CALLS = 3;

export const foreignText: Rule.RuleModule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      foreign: 'Foreign text ({{name}}) has to go through clean(), cleanUrl() or markdown() before it is shown.',
    },
  },
  create(context) {
    const services = context.sourceCode.parserServices as {
      readonly program: ts.Program;
      readonly tsNodeToESTreeNodeMap: { get(node: ts.Node): Rule.Node };
      readonly esTreeNodeToTSNodeMap: { get(node: object): ts.Node };
    };
    return {
      Program(program) {
        const trail = new Trail(services.program.getTypeChecker());
        for (const [node, name] of trail.shown(services.esTreeNodeToTSNodeMap.get(program))) {
          context.report({ node: services.tsNodeToESTreeNodeMap.get(node), messageId: 'foreign', data: { name } });
        }
      },
    };
  },
};

/** Looks for something foreign in expressions; what it is called, or undefined. */
type Search = (...nodes: readonly (ts.Node | undefined)[]) => string | undefined;

/** Where text comes from, and where it goes. */
class Trail {
  readonly #checker: ts.TypeChecker;
  /** A parameter that was given foreign text. */
  readonly #given: ts.Node | undefined;
  readonly #calls: number;

  constructor(checker: ts.TypeChecker, given?: ts.Node, calls = 0) {
    this.#checker = checker;
    this.#given = given;
    this.#calls = calls;
  }

  /** The foreign expressions below this node that become a part of what is shown, and what makes each of them foreign. */
  *shown(root: ts.Node): Generator<readonly [node: ts.Node, name: string]> {
    for (const node of below(root)) {
      for (const part of partsOfMessages(node)) {
        const name = staysForeign(part) ? undefined : this.#foreign(part);
        if (name !== undefined) yield [part, name];
      }
      if (ts.isCallExpression(node)) yield* this.#passedOn(node);
    }
  }

  /** Foreign arguments of a function that shows them. */
  *#passedOn(call: ts.CallExpression): Generator<readonly [node: ts.Node, name: string]> {
    if (this.#calls === DEEPEST_CALLS || CLEANERS.has(nameOfCalled(call))) return;
    const declaration = this.#checker.getResolvedSignature(call)?.declaration;
    if (!declaration || !('body' in declaration) || !declaration.body || isMarked(declaration)) return;
    for (const [n, argument] of call.arguments.entries()) {
      const parameter = declaration.parameters[n];
      const name = parameter && !staysForeign(argument) ? this.#foreign(argument) : undefined;
      if (name === undefined) continue;
      const inside = new Trail(this.#checker, parameter, this.#calls + 1);
      if ([...inside.shown(declaration.body)].some(([, what]) => what === GIVEN)) yield [argument, name];
    }
  }

  /** What makes this expression foreign, by name; undefined if nothing does. */
  #foreign(node: ts.Node, depth = 0): string | undefined {
    if (depth > DEEPEST || !this.#mayBeText(node)) return undefined;
    const search: Search = (...nodes) => {
      for (const next of nodes) {
        const found = next && this.#foreign(next, depth + 1);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    if (ts.isCallExpression(node)) return this.#called(node, search);
    if (ts.isPropertyAccessExpression(node)) {
      const owner = this.#checker.getTypeAtLocation(node.expression);
      return this.#property(this.#checker.getSymbolAtLocation(node.name), owner);
    }
    if (ts.isElementAccessExpression(node)) return search(node.expression);
    if (ts.isIdentifier(node)) return this.#declared(this.#checker.getSymbolAtLocation(node)?.valueDeclaration, search);
    if (ts.isConditionalExpression(node)) return search(node.whenTrue, node.whenFalse);
    // A sum has been looked at where it stands.
    if (ts.isBinaryExpression(node)) return isSum(node) ? undefined : search(node.left, node.right);
    if (ts.isArrayLiteralExpression(node)) return search(...node.elements);
    return isWrapped(node) ? search(node.expression) : undefined;
  }

  /** Numbers and the like show nothing; what has no type may be anything. */
  #mayBeText(node: ts.Node): boolean {
    const type = this.#checker.getTypeAtLocation(node);
    const { NumberLike, BooleanLike, BigIntLike, StringLiteral, Null, Undefined } = ts.TypeFlags;
    const other = NumberLike | BooleanLike | BigIntLike | StringLiteral | Null | Undefined;
    return (type.isUnion() ? type.types : [type]).some((part) => (part.flags & other) === 0);
  }

  #called(node: ts.CallExpression, search: Search): string | undefined {
    const { expression } = node;
    if (ts.isIdentifier(expression)) {
      if (CLEANERS.has(expression.text)) return undefined;
      const declaration = this.#checker.getResolvedSignature(node)?.declaration;
      if (declaration && isMarked(declaration)) return `${expression.text}()`;
      return expression.text === 'String' ? search(...node.arguments) : undefined;
    }
    if (!ts.isPropertyAccessExpression(expression)) return undefined;
    // `text.slice(1)`, `list.join()`, `/…/.exec(text)`, `JSON.stringify(text)`, and so is what comes out of them.
    return search(expression.expression, ...node.arguments.filter((argument) => !ts.isArrowFunction(argument)));
  }

  #declared(declaration: ts.Declaration | undefined, search: Search): string | undefined {
    if (!declaration) return undefined;
    if (declaration === this.#given) return GIVEN;
    if (ts.isVariableDeclaration(declaration)) {
      const { parent } = declaration.parent;
      return search(declaration.initializer, ts.isForOfStatement(parent) ? parent.expression : undefined);
    }
    if (ts.isBindingElement(declaration)) return this.#bound(declaration, search);
    if (!ts.isParameter(declaration) || !ts.isArrowFunction(declaration.parent)) return undefined;
    // Of a function that is called with each item of a list.
    const call = declaration.parent.parent;
    const ofList = ts.isCallExpression(call) && ts.isPropertyAccessExpression(call.expression);
    return ofList ? search(call.expression.expression) : undefined;
  }

  /** By a pattern: `const { subject } = certificate`, `const [first] = text.split(' ')`, and in parameters. */
  #bound(element: ts.BindingElement, search: Search): string | undefined {
    const pattern = element.parent;
    if (ts.isArrayBindingPattern(pattern)) return this.#declared(pattern.parent, search);
    const name = element.propertyName ?? element.name;
    const owner = this.#checker.getTypeAtLocation(pattern);
    return ts.isIdentifier(name) ? this.#property(owner.getProperty(name.text), owner) : undefined;
  }

  #property(property: ts.Symbol | undefined, owner: ts.Type): string | undefined {
    if (!property) return undefined;
    const ownerName = owner.getSymbol()?.name ?? '';
    const name = `${ownerName}.${property.name}`;
    if (property.getDeclarations()?.some(isMarked) === true || FOREIGN_ELSEWHERE.has(name)) return name;
    // Whoever threw it wrote its message; a failure's was written here.
    return property.name === 'message' && ownerName.endsWith('Error') ? name : undefined;
  }
}

/** What {@link Trail} calls text that comes in by the parameter that it follows. */
const GIVEN = 'parameter';

function* below(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  node.forEachChild((child) => void children.push(child));
  for (const child of children) yield* below(child);
}

/** The expressions of which this one makes a message. */
function partsOfMessages(node: ts.Node): readonly ts.Node[] {
  if (ts.isTemplateExpression(node)) return node.templateSpans.map(({ expression }) => expression);
  if (ts.isBinaryExpression(node)) return isSum(node) ? [node.left, node.right] : [];
  const shows = (ts.isCallExpression(node) || ts.isNewExpression(node)) && SHOWING.has(nameOfCalled(node));
  return shows ? (node.arguments ?? []) : [];
}

function nameOfCalled({ expression }: ts.CallExpression | ts.NewExpression): string {
  if (ts.isIdentifier(expression)) return expression.text;
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : '';
}

/** Whether what this becomes a part of is cleaned, or foreign itself: marked so, or the message of an error. */
function staysForeign(node: ts.Node): boolean {
  for (let at = node.parent; !ts.isSourceFile(at); at = at.parent) {
    if (ts.isCallExpression(at) && CLEANERS.has(nameOfCalled(at))) return true;
    if (ts.isNewExpression(at) && nameOfCalled(at).endsWith('Error')) return true;
    if (isMarked(at)) return true;
  }
  return false;
}

function isMarked(declaration: ts.Node): boolean {
  return ts.getJSDocTags(declaration).some((tag) => tag.tagName.text === 'foreign');
}

function isSum(node: ts.BinaryExpression): boolean {
  return node.operatorToken.kind === ts.SyntaxKind.PlusToken;
}

function isWrapped(node: ts.Node): node is ts.Node & { readonly expression: ts.Expression } {
  return (
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isNonNullExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isAwaitExpression(node) ||
    ts.isSpreadElement(node)
  );
}
