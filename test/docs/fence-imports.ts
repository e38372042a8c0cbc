import { join } from 'node:path';
import ts from 'typescript';
import { root } from './markdown.js';

/** Statements that import a name, by that name. */
export type Imports = ReadonlyMap<string, string>;

/** Returns every name that these modules export, with the statement that imports it. */
export function importsFrom(modules: readonly string[], options: ts.CompilerOptions, host: ts.CompilerHost): Imports {
  const path = join(root, 'test/docs/every-export.ts');
  const text = modules.map((module, at) => `import * as m${at} from '${module}';`).join('\n');
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const withIt = { ...host, getSourceFile: read } satisfies ts.CompilerHost;
  function read(name: string, ...rest: [ts.ScriptTarget | ts.CreateSourceFileOptions]): ts.SourceFile | undefined {
    return name === path ? source : host.getSourceFile(name, ...rest);
  }
  const checker = ts.createProgram({ rootNames: [path], options, host: withIt }).getTypeChecker();
  const found = new Map<string, string>();
  for (const { moduleSpecifier } of source.statements.filter((statement) => ts.isImportDeclaration(statement))) {
    const module = checker.getSymbolAtLocation(moduleSpecifier);
    for (const symbol of module === undefined ? [] : checker.getExportsOfModule(module)) {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      const type = target.flags & ts.SymbolFlags.Value ? '' : 'type ';
      if (found.has(symbol.name)) continue;
      found.set(symbol.name, `import { ${type}${symbol.name} } from ${moduleSpecifier.getText(source)};`);
    }
  }
  return found;
}

/** Returns imports for the names that a text uses but neither declares nor imports. */
export function lackingImports(text: string, imports: Imports): string {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) (declares(node) ? declared : used).add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('fragment.ts', text, ts.ScriptTarget.Latest, true));
  return [...used]
    .filter((name) => !declared.has(name))
    .flatMap((name) => imports.get(name) ?? [])
    .join(' ');
}

function declares(node: ts.Identifier): boolean {
  const { parent } = node;
  const isDeclaration =
    ts.isVariableDeclaration(parent) ||
    ts.isParameter(parent) ||
    ts.isBindingElement(parent) ||
    ts.isImportSpecifier(parent) ||
    ts.isClassDeclaration(parent) ||
    ts.isFunctionDeclaration(parent) ||
    ts.isInterfaceDeclaration(parent) ||
    ts.isTypeAliasDeclaration(parent);
  return isDeclaration && parent.name === node;
}
