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
  const listed = new tools.MetadataManager(source).insert(list, entry);
  if (listed === undefined || listed === source) return undefined;
  return withImport(listed, name, from, tools.typescript);
}

/** Adds an import of the name after the last import, unless the name is imported already. */
function withImport(source: string, name: string, from: string, typescript: typeof TypeScript): string {
  const file = typescript.createSourceFile('module.ts', source, typescript.ScriptTarget.Latest);
  const imports = file.statements.filter((statement) => typescript.isImportDeclaration(statement));
  if (imports.some(({ importClause }) => namesOf(importClause?.namedBindings).includes(name))) return source;
  const line = `import { ${name} } from '${from}';`;
  const eol = source.includes('\r\n') ? '\r\n' : '\n';
  const last = imports.at(-1);
  if (last !== undefined) return `${source.slice(0, last.end)}${eol}${line}${source.slice(last.end)}`;
  const start = file.statements[0]?.getStart(file) ?? 0;
  return `${source.slice(0, start)}${line}${eol}${source.slice(start)}`;
}

function namesOf(bindings: TypeScript.NamedImportBindings | undefined): string[] {
  return bindings !== undefined && 'elements' in bindings ? bindings.elements.map(({ name }) => name.text) : [];
}
