// Bundles the sources of the library into one JavaScript file per entry point. Code that several entry points use is in shared
// files, so each class and each injection token exists once. `npm run build` runs tsc first, which writes the declarations.
// For `require`, each entry point gets a CommonJS file, which only loads the ES module, and separate declarations.
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { rolldown } from 'rolldown';

const library = resolve(import.meta.dirname, '../libs/xpay-auth');
const manifest = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
const { factory } = JSON.parse(readFileSync(join(library, 'schematics/collection.json'), 'utf8')).schematics[
  'nest-add'
];

/** Paths below `dist` and `src`, without their extension. */
const entries = [
  ...Object.values(manifest.exports).flatMap((entry) => entry.default ?? []),
  ...Object.values(manifest.bin),
  factory.replace(/#.*$/, ''),
].map((path) => path.replace(/^\.{1,2}\/dist\/(.+)\.js$/, '$1'));

/** The path in `from './x.js'`, `import './x.js'` and `import('./x.js')`. */
const RELATIVE_IMPORT = /(\b(?:from |import |import\()')(\.{1,2}\/[^']+)\.js'/g;

const bundle = await rolldown({
  cwd: library,
  input: Object.fromEntries(entries.map((path) => [path, `src/${path}.ts`])),
  platform: 'node',
  tsconfig: 'tsconfig.lib.json',
  transform: { target: 'es2023' },
  resolve: { extensionAlias: { '.js': ['.ts'] } },
  // Packages stay imports. The helpers for decorators are part of the bundle, and so is semver, which only `doctor` uses.
  external: (id) => /^[^.\0]/.test(id) && !isAbsolute(id) && !/^(@oxc-project\/runtime|semver)\//.test(id),
});
const { output } = await bundle.write({
  dir: 'dist',
  format: 'esm',
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: 'shared/[name]-[hash].js',
});
// The licences of the bundled code require their notice in every copy: semver (ISC), and the helpers of rolldown and oxc for modules
// and decorators (MIT, both of VoidZero).
for (const [name, folder] of [
  ['semver', 'cli'],
  ['rolldown', 'shared'],
]) {
  const path = createRequire(import.meta.url).resolve(`${name}/package.json`);
  copyFileSync(join(dirname(path), 'LICENSE'), join(library, 'dist', folder, `LICENSE.${name}`));
}
const commonJs = Object.values(manifest.exports).flatMap((entry) => entry.require?.default ?? []);
removeOutdated(
  new Set([
    ...output.map(({ fileName }) => fileName),
    ...commonJs.flatMap((path) => writeCommonJs(path.replace(/^\.\/dist\/(.+)\.cjs$/, '$1'))),
  ]),
);

/**
 * Writes the CommonJS file of an entry point, and its declarations as `.d.cts`. TypeScript takes a `.d.ts` of this package for the
 * declarations of an ES module, which it does not allow a CommonJS file to import with `node16`, or before TypeScript 5.8.
 */
function writeCommonJs(entry) {
  writeFileSync(join(library, 'dist', `${entry}.cjs`), `module.exports = require('./${basename(entry)}.js');\n`);
  const declarations = new Set();
  const copy = (path) => {
    if (declarations.has(path)) return;
    declarations.add(path);
    const text = readFileSync(join(library, 'dist', `${path}.d.ts`), 'utf8');
    const copied = text.replace(RELATIVE_IMPORT, (_, before, imported) => {
      copy(join(dirname(path), imported).replaceAll('\\', '/'));
      return `${before}${imported}.cjs'`;
    });
    writeFileSync(join(library, 'dist', `${path}.d.cts`), copied);
  };
  copy(entry);
  return [`${entry}.cjs`, ...[...declarations].map((path) => `${path}.d.cts`)];
}

/** Removes the files of earlier builds that this build has not written. Runs last, because running programs may load them. */
function removeOutdated(written) {
  const dist = join(library, 'dist');
  for (const name of readdirSync(dist, { recursive: true }).map((path) => path.replaceAll('\\', '/'))) {
    const source = /^(.+)\.d\.ts$/.exec(name)?.[1];
    const isOutdated =
      source === undefined ? /\.(c?js|js\.map|d\.cts)$/.test(name) : !existsSync(join(library, `src/${source}.ts`));
    if (isOutdated && !written.has(name)) rmSync(join(dist, name));
  }
}
