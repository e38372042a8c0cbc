import type * as TypeScript from 'typescript';
import type { NestTools } from './nest-tools.js';

/** One entry of a list of `@Module({ … })`, and where its name comes from. */
export interface ModuleEntry {
  readonly list: 'imports' | 'controllers';
  /** What stands in the list, such as `XPayAuthModule.forRoot()`. */
  readonly entry: string;
  /** The name to import. */
  readonly name: string;
  readonly from: string;
}

/** The source of a module with one more entry; `undefined` where its decorator is none that can be edited. */
export function withEntry(
  source: string,
  { list, entry, name, from }: ModuleEntry,
  tools: NestTools,
): string | undefined {
  const listed = new tools.MetadataManager(source).insert(list, entry);
  if (listed === undefined || listed === source) return undefined;
  return withImport(listed, name, from, tools.typescript);
}

/** With an import of the name, after the last one, unless it is imported already. */
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
