import type { NestTools } from './module-source.js';
import { type PackageFile, requiredIn } from './package-file.js';
import type { Context, Tree } from './tree.js';

/** The parts of a configuration of jest that are read. */
interface JestConfig {
  readonly preset?: string;
  readonly transform?: Readonly<Record<string, string | readonly [string, ...unknown[]]>>;
  readonly transformIgnorePatterns?: readonly string[];
}

/** The files of this package that jest has to transform to CommonJS. */
const TRANSFORMED = 'nestjs-xpay-auth/dist/.+\\.js$';

/** The options with which a transformer of TypeScript compiles these files to CommonJS. */
const TRANSFORMERS: Readonly<Record<string, object>> = {
  'ts-jest': {
    tsconfig: { allowJs: true, module: 'commonjs', target: 'es2023', isolatedModules: true },
    diagnostics: false,
  },
  '@swc/jest': { jsc: { target: 'es2022' }, module: { type: 'commonjs' } },
};

/** The default `transformIgnorePatterns` of jest. */
const DEFAULT_IGNORED = ['/node_modules/', '\\.pnp\\.[^\\/]+$'];

/** The properties of an app that decide whether and where jest needs the transform. */
interface App {
  /** The folder of the sources, such as `apps/api/src`. */
  readonly folder: string;
  /** The major version of Nest, if known. */
  readonly nest: number | undefined;
  readonly file: PackageFile;
}

/**
 * Adds the transform to the configurations of jest: in package.json, in jest.config.json, and for end-to-end tests. Nest 11 is
 * CommonJS, and jest requires this ES module only after transforming it. Apps that are ES modules need no transform. Neither do
 * apps of Nest 12, which consists of ES modules: jest requires them from Node 24.9 on.
 */
export function addTransform(tree: Tree, context: Context, { folder, nest, file }: App, tools: NestTools): void {
  if (requiredIn(file, 'jest') === undefined || file.type === 'module') return;
  if (nest !== undefined && nest > 11)
    return context.logger.info('Left to do: run jest on Node 24.9 or later. Earlier ones cannot require Nest 12.');
  const edited: string[] = [];
  for (const path of configurationsOf(tree, folder, file)) {
    const before = tree.readText(path);
    const at = path === 'package.json' ? ['jest'] : [];
    const other = before.includes('nestjs-xpay-auth') ? before : undefined;
    const after = path.endsWith('.json') ? withTransform(before, at, tools) : other;
    if (after === undefined) {
      context.logger.warn(`Left to do: add the transform in docs/testing.md (section CommonJS) to ${path}.`);
    } else if (after !== before) {
      tree.overwrite(path, after);
      edited.push(path);
    }
  }
  if (edited.length > 0) context.logger.info(`jest transforms nestjs-xpay-auth, an ES module: ${edited.join(', ')}.`);
}

/** The configurations of jest at the root and in the project of this source folder. */
function configurationsOf(tree: Tree, folder: string, file: PackageFile): string[] {
  const projects = new Set(['', folder.replace(/[^/]+$/, '')]);
  const names = ['jest.config.', 'test/jest-e2e.', 'test/jest-e2e.config.'].flatMap((name) =>
    ['json', 'ts', 'js', 'cjs', 'mjs'].map((type) => name + type),
  );
  const paths = [...projects].flatMap((project) => names.map((name) => project + name));
  return [...(file.jest === undefined ? [] : ['package.json']), ...paths.filter((path) => tree.exists(path))];
}

/**
 * Adds the transform of this package to the text of a configuration of jest. `at` is the path of the configuration in the file.
 * A configuration that names this package stays unchanged. `undefined` if its transformer is neither ts-jest nor `@swc/jest`.
 */
function withTransform(text: string, at: readonly string[], { jsonc }: NestTools): string | undefined {
  const config = at.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], jsonc.parse(text));
  if (JSON.stringify(config).includes('nestjs-xpay-auth')) return text;
  const { preset = '', transform = {}, transformIgnorePatterns = DEFAULT_IGNORED } = config as JestConfig;
  const used = [preset, ...Object.values(transform).map((value) => (typeof value === 'string' ? value : value[0]))];
  const found = Object.entries(TRANSFORMERS).find(([name]) => used.some((one) => one.split('/presets/')[0] === name));
  if (found === undefined) return undefined;
  const edits: [string, unknown][] = [
    [TRANSFORMED, found],
    ['transformIgnorePatterns', transformIgnorePatterns.map(exceptThisPackage)],
  ];
  return edits.reduce((before, [key, value]) => {
    const path = key === TRANSFORMED ? [...at, 'transform', key] : [...at, key];
    return jsonc.applyEdits(before, jsonc.modify(before, path, value, optionsFor(before, key)));
  }, text);
}

/** jest uses the first transform whose pattern matches, so the new one has to precede `^.+\\.(t|j)s$`. */
function optionsFor(text: string, key: string): object {
  const indent = /^[ \t]+(?=")/m.exec(text)?.[0] ?? '  ';
  const formattingOptions = {
    insertSpaces: !indent.startsWith('\t'),
    tabSize: indent.startsWith('\t') ? 1 : indent.length,
    eol: text.includes('\r\n') ? '\r\n' : '\n',
  };
  return key === TRANSFORMED ? { formattingOptions, getInsertionIndex: () => 0 } : { formattingOptions };
}

/** The pattern without the files of this package, which are below `node_modules/.pnpm/…/node_modules` with pnpm. */
function exceptThisPackage(pattern: string): string {
  if (!/node_modules/.test(pattern)) return pattern;
  if (/^\/?node_modules\/?$/.test(pattern)) return '/node_modules/(?!.*nestjs-xpay-auth/dist/)';
  return `^(?!.*nestjs-xpay-auth/dist/).*(?:${pattern})`;
}
