import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXAMPLE_CLASS, EXAMPLE_FILE, exampleSource, exampleSpec } from './example.js';
import { ignoresEnvironment, withVariables } from './environment-file.js';
import { addTransform } from './jest-config.js';
import { type ModuleEntry, type NestTools, loadNestTools, usesMethod, withEntry } from './module-source.js';
import { type PackageFile, majorOf, neededBy, requiredIn, withDependencies } from './package-file.js';
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
 * Adds the module to an app, its packages to package.json, its variables to `.env`, an example, and the transform of this package
 * to jest if jest needs it. Leaves existing code alone and is idempotent. Logs what it did and what is left to do.
 */
export function nestAdd(options: NestAddOptions = {}): (tree: Tree, context: Context) => Promise<void> {
  return async (tree, context) => {
    const { module = 'app.module.ts', skipExample = false, skipInstall = false } = options;
    const folder = (options.sourceRoot ?? 'src').replace(/\/+$/, '');
    const tools = await loadNestTools(process.cwd());
    const nest = nestMajorOf(tree);
    addModule(tree, context, folder, module, !skipExample, tools);
    addVariables(tree, context);
    addTransform(tree, context, { folder, nest, file: packageFileOf(tree) }, tools);
    const added = addPackages(tree, context, nest);
    if (added && !skipInstall) context.addTask({ toConfiguration: () => installWith(tree) });
    else if (added) context.logger.info('Left to do: install the packages that package.json now requires.');
  };
}

/** The configuration of the devkit's `NodePackageInstallTask`, for the package manager of the app. */
function installWith(tree: Tree): { name: string; options: object } {
  const locks = { 'pnpm-lock.yaml': 'pnpm', 'yarn.lock': 'yarn', 'bun.lock': 'bun', 'bun.lockb': 'bun' };
  // In a workspace the lock file is above the app. Package managers state their name to the programs that they run.
  const running = /^(?:pnpm|yarn|bun)(?=\/)/.exec(process.env['npm_config_user_agent'] ?? '')?.[0];
  const packageManager = Object.entries(locks).find(([lock]) => tree.exists(lock))?.[1] ?? running ?? 'npm';
  return { name: 'node-package', options: { command: 'install', packageManager, quiet: true, hideOutput: true } };
}

/** The major version of Nest that the app requires, or else has installed; `undefined` if neither is known. */
function nestMajorOf(tree: Tree): number | undefined {
  const required = majorOf(requiredIn(packageFileOf(tree), '@nestjs/core'));
  if (required !== undefined) return required;
  try {
    const path = join(process.cwd(), 'node_modules/@nestjs/core/package.json');
    return majorOf((JSON.parse(readFileSync(path, 'utf8')) as PackageFile).version);
  } catch {
    return undefined;
  }
}

function addModule(
  tree: Tree,
  context: Context,
  folder: string,
  module: string,
  example: boolean,
  tools: NestTools,
): void {
  const present = fileUsing(tree, folder, 'XPayAuthModule', tools);
  if (present !== undefined)
    return context.logger.info(`${present} imports XPayAuthModule already; it stays as it is.`);
  const path = `${folder}/${module}`;
  if (!tree.exists(path)) throw byHand(`There is no ${path}`);
  const suffix = packageFileOf(tree).type === 'module' ? '.js' : '';
  const entries: ModuleEntry[] = [
    { list: 'imports', entry: 'XPayAuthModule.forRoot()', name: 'XPayAuthModule', from: PACKAGE },
  ];
  // ConfigModule loads .env into the environment, from which XPayAuthModule reads its options.
  if (fileUsing(tree, folder, 'ConfigModule', tools) === undefined)
    entries.unshift({ list: 'imports', entry: 'ConfigModule.forRoot()', name: 'ConfigModule', from: '@nestjs/config' });
  if (example)
    entries.push({ list: 'controllers', entry: EXAMPLE_CLASS, name: EXAMPLE_CLASS, from: fromHere(module, suffix) });
  const source = entries.reduce((text, entry) => {
    const edited = withEntry(text, entry, tools);
    if (edited === undefined) throw byHand(`${path} has no @Module({ … }) with a list of ${entry.list} in it`);
    return edited;
  }, tree.readText(path));
  tree.overwrite(path, source);
  context.logger.info(`${path} imports ${entries.map(({ name }) => name).join(', ')}.`);
  if (!example) return;
  addExample(tree, folder, suffix);
  context.logger.info(
    'Try the example: curl -u <username>:<secret key> http://127.0.0.1:3000/xpay-example/me (add the global prefix and the version of your app)',
  );
}

function addExample(tree: Tree, folder: string, suffix: string): void {
  createMissing(tree, `${folder}/${EXAMPLE_FILE}.ts`, exampleSource('.ts'));
  const file = packageFileOf(tree);
  const has = (name: string): boolean => requiredIn(file, name) !== undefined;
  if (!has('@nestjs/testing') || !has('supertest') || !(has('vitest') || has('jest'))) return;
  // With jest, Nest's starter has the globals of the runner and their types. With vitest they may be disabled.
  const runner = has('vitest') ? 'vitest' : undefined;
  const fastify = has('@nestjs/platform-fastify') && !has('@nestjs/platform-express');
  createMissing(tree, `${folder}/${EXAMPLE_FILE}.spec.ts`, exampleSpec({ runner, suffix, fastify }));
}

function addVariables(tree: Tree, context: Context): void {
  const before = tree.exists('.env') ? tree.readText('.env') : '';
  const after = withVariables(before);
  if (after === before) return;
  if (tree.exists('.env')) tree.overwrite('.env', after);
  else tree.create('.env', after);
  context.logger.info(
    'Left to do: write the account of this app into .env, or remove the lines if it only verifies its callers.',
  );
  if (tree.exists('.gitignore') && ignoresEnvironment(tree.readText('.gitignore'))) return;
  context.logger.warn('No line of .gitignore names .env: keep it out of version control.');
}

function addPackages(tree: Tree, context: Context, nest: number | undefined): boolean {
  const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as PackageFile;
  const before = tree.readText('package.json');
  const after = withDependencies(before, neededBy(PACKAGE, own, nest));
  if (after === before) return false;
  tree.overwrite('package.json', after);
  context.logger.info(`package.json requires ${PACKAGE} and its peers, for Nest ${nest ?? '11 or 12'}.`);
  return true;
}

/** The path of the first source, except specs, that calls `forRoot` or `forRootAsync` of this class. */
function fileUsing(tree: Tree, folder: string, owner: string, { typescript }: NestTools): string | undefined {
  const found: string[] = [];
  tree.getDir(folder).visit((path) => {
    if (!/(?<!\.(?:e2e-)?spec|\.d)\.[cm]?ts$/.test(path)) return;
    if (usesMethod(tree.read(path)?.toString() ?? '', owner, 'forRoot', typescript)) found.push(path);
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
