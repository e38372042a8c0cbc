import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as TypeScript from 'typescript';

/** A dependency of @nestjs/schematics. */
const JSON_EDITOR: string = 'jsonc-parser';

/** The tools that edit an app: the editor of `nest generate`, and the TypeScript compiler and the JSON editor that it uses. */
export interface NestTools {
  readonly MetadataManager: new (content: string) => {
    /** The content with one more entry in a list of `@Module({ … })`; `undefined` if there is no such decorator. */
    insert(metadata: string, entry: string): string | undefined;
  };
  readonly typescript: typeof TypeScript;
  /** The package jsonc-parser, which leaves the formatting of the rest of a file as it is. */
  readonly jsonc: {
    parse(text: string): unknown;
    modify(text: string, path: readonly string[], value: unknown, options: object): object[];
    applyEdits(text: string, edits: object[]): string;
  };
}

/**
 * Loads Nest's tools from the app in this folder, or from the running CLI. The tools are not dependencies of this package,
 * because every app that can run `nest add` has them.
 */
export async function loadNestTools(folder: string): Promise<NestTools> {
  const places = [join(folder, 'package.json'), process.argv[1] ?? ''].filter((place) => place !== '');
  let failure: unknown;
  for (const place of places) {
    try {
      const schematics = createRequire(place).resolve('@nestjs/schematics');
      const { MetadataManager } = (await import(pathToFileURL(schematics).href)) as Pick<NestTools, 'MetadataManager'>;
      const require = createRequire(schematics);
      return {
        MetadataManager,
        typescript: require('typescript') as typeof TypeScript,
        jsonc: require(JSON_EDITOR) as NestTools['jsonc'],
      };
    } catch (thrown) {
      // The tools are not installed there. The next folder may have them.
      failure = thrown;
    }
  }
  const why = failure instanceof Error ? failure.message : String(failure);
  const message = `@nestjs/schematics, a development dependency of every Nest app, cannot be loaded here: ${why}`;
  throw new Error(message, { cause: failure });
}

/** One entry of a list of `@Module({ … })`, and the import of its name. */
export interface ModuleEntry {
  readonly list: 'imports' | 'controllers';
  /** The text of the entry, such as `XPayAuthModule.forRoot()`. */
  readonly entry: string;
  /** The name to import. */
  readonly name: string;
  readonly from: string;
}

/** The source of a module with one more entry; `undefined` if its decorator cannot be edited. */
export function withEntry(
  source: string,
  { list, entry, name, from }: ModuleEntry,
  tools: NestTools,
): string | undefined {
  const { isImported, isTaken } = bindingOf(name, from, source, tools.typescript);
  const local = isTaken ? `Nest${name}` : name;
  const listed = new tools.MetadataManager(source).insert(list, entry.replace(name, local));
  if (listed === undefined || listed === source) return undefined;
  if (isImported) return listed;
  return withImport(listed, isTaken ? `${name} as ${local}` : name, from, tools.typescript);
}

/** Whether a source calls a static method such as `XPayAuthModule.forRoot` whose name begins with this prefix. */
export function usesMethod(source: string, owner: string, prefix: string, typescript: typeof TypeScript): boolean {
  if (!source.includes(owner)) return false;
  const isUse = (node: TypeScript.Node): boolean =>
    typescript.isPropertyAccessExpression(node) &&
    typescript.isIdentifier(node.expression) &&
    node.expression.text === owner &&
    node.name.text.startsWith(prefix);
  const search = (node: TypeScript.Node): boolean =>
    isUse(node) || typescript.forEachChild(node, (child) => search(child) || undefined) === true;
  return search(parsed(source, typescript));
}

function parsed(source: string, typescript: typeof TypeScript): TypeScript.SourceFile {
  return typescript.createSourceFile('module.ts', source, typescript.ScriptTarget.Latest);
}

/** Whether the name is imported from the package, and whether the name means something else in this file. */
function bindingOf(
  name: string,
  from: string,
  source: string,
  typescript: typeof TypeScript,
): { readonly isImported: boolean; readonly isTaken: boolean } {
  for (const statement of parsed(source, typescript).statements) {
    if (typescript.isClassDeclaration(statement) && statement.name?.text === name)
      return { isImported: false, isTaken: true };
    if (!typescript.isImportDeclaration(statement)) continue;
    const { importClause: clause, moduleSpecifier } = statement;
    const bindings = clause?.namedBindings;
    const named = bindings !== undefined && 'elements' in bindings ? bindings.elements : [];
    const found = named.find((element) => element.name.text === name);
    const isOfPackage = typescript.isStringLiteral(moduleSpecifier) && moduleSpecifier.text === from;
    if (found !== undefined && isOfPackage && !found.isTypeOnly && clause?.isTypeOnly !== true)
      return { isImported: true, isTaken: false };
    if (found !== undefined || clause?.name?.text === name) return { isImported: false, isTaken: true };
  }
  return { isImported: false, isTaken: false };
}

/** Adds an import after the last import. */
function withImport(source: string, names: string, from: string, typescript: typeof TypeScript): string {
  const file = parsed(source, typescript);
  const line = `import { ${names} } from '${from}';`;
  const eol = source.includes('\r\n') ? '\r\n' : '\n';
  const last = file.statements.findLast((statement) => typescript.isImportDeclaration(statement));
  if (last !== undefined) return `${source.slice(0, last.end)}${eol}${line}${source.slice(last.end)}`;
  const start = file.statements[0]?.getStart(file) ?? 0;
  return `${source.slice(0, start)}${line}${eol}${source.slice(start)}`;
}
