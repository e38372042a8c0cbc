import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { type Imports, importsFrom, lackingImports } from './fence-imports.js';
import { type Fence, root } from './markdown.js';

/** A fence as the compiler reads it. */
interface CompiledFence {
  readonly fence: Fence;
  readonly text: string;
  /** Line of the text on which the fence begins, counted from 0. */
  readonly firstLine: number;
}

/** Packages, besides this one, whose exports a fragment need not import. */
const FRAMEWORK = ['@nestjs/common', '@nestjs/core'];
/** The line of a prelude that a fence replaces. */
const HOLE = /^ *\/\/ …\n/m;

/**
 * Type-checks fences in one program against the published names. Returns the compiler errors of each fence.
 *
 * - A fence with an import is a whole file. If it begins with `// name.ts`, the fences of its document can import it by that
 *   name. The fences of every document can import those of the README.
 * - A fence without an import is a fragment: names of the package and of Nest's core need no import.
 * - After `<!-- prelude: name -->`, the fence replaces `// …` in `preludes/name.ts`.
 */
export function complaintsOf(fences: readonly Fence[]): Map<Fence, string[]> {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile.bind(ts.sys)).config as object;
  const parsed = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, root);
  const options = { ...parsed.options, allowJs: true, checkJs: true };
  const files = new Map<string, CompiledFence>();
  const host = hostOf(files, options);
  const imports = importsFrom([...Object.keys(options.paths ?? {}), ...FRAMEWORK], options, host);
  const roots = new Map(fences.map((fence) => [pathOf(fence), compiled(fence, imports)]));
  for (const { document } of fences) {
    for (const file of roots.values()) {
      if (file.fence.document === 'README.md') files.set(pathOf({ ...file.fence, document }), file);
    }
  }
  for (const [path, file] of roots) files.set(path, file);
  const program = ts.createProgram({ rootNames: [...roots.keys()], options, host });
  return new Map(
    [...roots].map(([path, file]) => {
      const source = program.getSourceFile(path);
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return [file.fence, found.map((diagnostic) => complaint(diagnostic, file))];
    }),
  );
}

function pathOf({ document, line, code, language }: Fence): string {
  const [, name] = /^\/\/ ([\w.-]+\.m?[jt]s)\n/.exec(code) ?? [];
  return join(folderOf(document), name ?? `line-${line}.${language === 'js' ? 'mjs' : 'ts'}`);
}

/** Returns a virtual folder per document, at the depth of `preludes`, so that relative imports of preludes resolve. */
function folderOf(document: string): string {
  return join(root, 'test/docs', document.replaceAll('/', '-'));
}

function compiled(fence: Fence, imports: Imports): CompiledFence {
  const prelude = fence.note?.[0] === 'prelude' ? preludeOf(fence.note[1]) : '// …\n';
  const [before = '', after = ''] = prelude.split(HOLE);
  const isWhole = /^import\b/m.test(fence.code);
  const above = `${isWhole ? '' : lackingImports(before + fence.code + after, imports)}\n${before}`;
  // Without an import or export, the fence would share the global scope with all others.
  return { fence, text: `${above}${fence.code}${after}\nexport {};\n`, firstLine: above.split('\n').length - 1 };
}

function preludeOf(name: string): string {
  const text = readFileSync(join(root, 'test/docs/preludes', `${name}.ts`), 'utf8');
  if (HOLE.test(text)) return text;
  throw new Error(`preludes/${name}.ts has no line "// …". Add one where the fence belongs`);
}

/** Returns a compiler host for the real file system plus the fences. It parses each file once. */
function hostOf(files: ReadonlyMap<string, CompiledFence>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const parsed = new Map<string, ts.SourceFile | undefined>();
  const fileExists = (path: string): boolean => files.has(path) || host.fileExists(path);
  return {
    ...host,
    fileExists,
    // The compiler looks for files only in folders that exist.
    directoryExists: (path) => path.startsWith(folderOf('')) || ts.sys.directoryExists(path),
    readFile: (path) => files.get(path)?.text ?? host.readFile(path),
    getSourceFile(path, ...rest) {
      if (parsed.has(path)) return parsed.get(path);
      const text = files.get(path)?.text;
      const file = text === undefined ? host.getSourceFile(path, ...rest) : ts.createSourceFile(path, text, rest[0]);
      parsed.set(path, file);
      return file;
    },
  };
}

/** Returns the error with its line in the document. */
function complaint(diagnostic: ts.Diagnostic, { fence, text, firstLine }: CompiledFence): string {
  const before = text.slice(0, diagnostic.start).split('\n').length - 1;
  const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
  return `${fence.document}:${fence.line + before - firstLine}: ${message}`;
}
