import { readFileSync } from 'node:fs';
import { EXAMPLE_CLASS, EXAMPLE_FILE, exampleSource, exampleSpec } from './example.js';
import { ignoresEnvironment, withVariables } from './environment-file.js';
import { type ModuleEntry, loadNestTools, withEntry } from './module-source.js';
import { type PackageFile, neededBy, withDependencies } from './package-file.js';
import type { Context, Tree } from './tree.js';

/** Options of `nest add nestjs-xpay-auth`; see `nest-add.schema.json`. */
export interface NestAddOptions {
  readonly sourceRoot?: string;
  readonly module?: string;
  readonly skipExample?: boolean;
  readonly skipInstall?: boolean;
}

const PACKAGE = 'nestjs-xpay-auth';

/**
 * Adds the module to an app, its packages to package.json, its variables to `.env`, and an example. Leaves existing code alone
 * and is idempotent.
 */
export function nestAdd(options: NestAddOptions = {}): (tree: Tree, context: Context) => Promise<void> {
  return async (tree, context) => {
    const { sourceRoot = 'src', module = 'app.module.ts', skipExample = false, skipInstall = false } = options;
    await addModule(tree, context, sourceRoot.replace(/\/+$/, ''), module, !skipExample);
    addVariables(tree, context);
    const addedPackages = addPackages(tree);
    if (addedPackages && !skipInstall) context.addTask({ toConfiguration: () => INSTALL });
  };
}

/** The configuration of the devkit's `NodePackageInstallTask`. */
const INSTALL = { name: 'node-package', options: { command: 'install', quiet: true, hideOutput: true } };

async function addModule(
  tree: Tree,
  context: Context,
  folder: string,
  module: string,
  example: boolean,
): Promise<void> {
  const present = fileWith(tree, folder, /\bXPayAuthModule\s*\.\s*forRoot/);
  if (present !== undefined)
    return context.logger.info(`${present} imports XPayAuthModule already; it stays as it is.`);
  const path = `${folder}/${module}`;
  if (!tree.exists(path)) throw byHand(`There is no ${path}`);
  const suffix = packageFileOf(tree).type === 'module' ? '.js' : '';
  const entries: ModuleEntry[] = [
    { list: 'imports', entry: 'XPayAuthModule.forRoot()', name: 'XPayAuthModule', from: PACKAGE },
  ];
  // ConfigModule loads .env into the environment, from which XPayAuthModule reads its options.
  if (fileWith(tree, folder, /\bConfigModule\s*\.\s*forRoot/) === undefined)
    entries.unshift({ list: 'imports', entry: 'ConfigModule.forRoot()', name: 'ConfigModule', from: '@nestjs/config' });
  if (example)
    entries.push({ list: 'controllers', entry: EXAMPLE_CLASS, name: EXAMPLE_CLASS, from: fromHere(module, suffix) });
  const tools = await loadNestTools(process.cwd());
  const source = entries.reduce((text, entry) => {
    const edited = withEntry(text, entry, tools);
    if (edited === undefined) throw byHand(`${path} has no @Module({ … }) with a list of ${entry.list} in it`);
    return edited;
  }, tree.readText(path));
  tree.overwrite(path, source);
  if (example) addExample(tree, folder, suffix);
}

function addExample(tree: Tree, folder: string, suffix: string): void {
  createMissing(tree, `${folder}/${EXAMPLE_FILE}.ts`, exampleSource('.ts'));
  const { devDependencies = {} } = packageFileOf(tree);
  const has = (name: string): boolean => name in devDependencies;
  if (!has('@nestjs/testing') || !has('supertest') || !(has('vitest') || has('jest'))) return;
  // With jest, Nest's starter has the globals of the runner and their types. With vitest they may be disabled.
  createMissing(tree, `${folder}/${EXAMPLE_FILE}.spec.ts`, exampleSpec(has('vitest') ? 'vitest' : undefined, suffix));
}

function addVariables(tree: Tree, context: Context): void {
  const before = tree.exists('.env') ? tree.readText('.env') : '';
  const after = withVariables(before);
  if (after === before) return;
  if (tree.exists('.env')) tree.overwrite('.env', after);
  else tree.create('.env', after);
  context.logger.info('Write the account of this app into .env, or remove the lines if it only verifies its callers.');
  if (tree.exists('.gitignore') && ignoresEnvironment(tree.readText('.gitignore'))) return;
  context.logger.warn('No line of .gitignore names .env: keep it out of version control.');
}

function addPackages(tree: Tree): boolean {
  const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as PackageFile;
  const before = tree.readText('package.json');
  const after = withDependencies(before, neededBy(PACKAGE, own));
  if (after !== before) tree.overwrite('package.json', after);
  return after !== before;
}

const COMMENT = /\/\*[^]*?\*\/|\/\/.*/g;

/** The path of the first source, except specs, that matches the pattern outside its comments. */
function fileWith(tree: Tree, folder: string, pattern: RegExp): string | undefined {
  const found: string[] = [];
  tree.getDir(folder).visit((path) => {
    if (!/(?<!\.(?:e2e-)?spec|\.d)\.[cm]?ts$/.test(path)) return;
    const text = tree.read(path)?.toString() ?? '';
    if (pattern.test(text.replace(COMMENT, ''))) found.push(path);
  });
  return found.toSorted()[0]?.replace(/^\//, '');
}

function createMissing(tree: Tree, path: string, content: string): void {
  if (!tree.exists(path)) tree.create(path, content);
}

function packageFileOf(tree: Tree): PackageFile {
  return JSON.parse(tree.readText('package.json')) as PackageFile;
}

/** The path by which a module below the source folder imports the example in that folder. */
function fromHere(module: string, suffix: string): string {
  const up = module.split('/').length - 1;
  return `${up === 0 ? './' : '../'.repeat(up)}${EXAMPLE_FILE}${suffix}`;
}

function byHand(why: string): Error {
  return new Error(
    `${why}. Name the file with --module, or add it by hand: import { XPayAuthModule } from '${PACKAGE}', ` +
      'and XPayAuthModule.forRoot() among the imports of the module of your app.',
  );
}
