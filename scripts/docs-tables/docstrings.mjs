// Reads the docstrings of interfaces and constants from the text of a source file, without a build.
import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** A source file, with methods that return its declarations. */
export class Source {
  constructor(path) {
    this.file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  }

  /** Returns the members of an interface, inherited members first, or `undefined` if the file does not declare it. */
  membersOf(name) {
    const found = this.file.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === name);
    if (found === undefined) return undefined;
    const inherited = (found.heritageClauses ?? [])
      .flatMap(({ types }) => types)
      .flatMap(({ expression }) => this.membersOf(expression.getText()) ?? []);
    return [...inherited, ...found.members];
  }

  /** Returns the entries of a constant that is an object literal. */
  entriesOf(name) {
    const declarations = this.file.statements
      .filter((node) => ts.isVariableStatement(node))
      .flatMap(({ declarationList }) => declarationList.declarations);
    const found = declarations.find((node) => node.name.getText() === name);
    if (found?.initializer === undefined) throw new Error(`${this.file.fileName} does not declare ${name}`);
    return bare(found.initializer).properties.map((entry) => ({
      name: entry.name.getText(),
      value: bare(entry.initializer),
      doc: docOf(entry),
    }));
  }
}

/** Returns an expression without its `as const` and `satisfies …`. */
function bare(node) {
  return ts.isAsExpression(node) || ts.isSatisfiesExpression(node) ? bare(node.expression) : node;
}

/** Returns the docstring of a declaration: its text, its first sentence, and its `@default`. */
export function docOf(node) {
  const source = node.getSourceFile().text;
  const ranges = ts.getLeadingCommentRanges(source, node.getFullStart()) ?? [];
  const last = ranges.map(({ pos, end }) => source.slice(pos, end)).findLast((comment) => comment.startsWith('/**'));
  const text = (last ?? '')
    .replace(/^\/\*\*|\*\/$/g, '')
    .replace(/^\s*\* ?/gm, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const [said = '', ...tags] = text.split(/(?:^|\s)@(?=[a-z]+\b)/);
  const byDefault = tags.find((tag) => tag.startsWith('default '))?.slice('default '.length);
  return { text: said, firstSentence: firstSentence(said), byDefault: byDefault?.trim() };
}

/** Returns the text up to the first full stop that is followed by a space and a capital, a backtick or a bracket. */
function firstSentence(text) {
  const [sentence = ''] = text.split(/(?<=[^.]\.)\s+(?=[A-Z`(])/);
  return sentence.replace(/\.$/, '');
}
