// Generates the API reference from the docstrings of the exports: `npm run docs`. A warning fails it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const library = join(import.meta.dirname, 'libs/xpay-auth');
const { exports } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));

/** The sources of the package's entry points, read from `exports`, so a new entry point needs no change here. */
const entryPoints = Object.values(exports)
  .filter((entry) => entry.types !== undefined)
  .map(({ types }) => join(library, types.replace(/^\.\/dist\//, 'src/').replace(/\.d\.ts$/, '.ts')));

/** @type {import('typedoc').TypeDocOptions} */
export default {
  name: 'nestjs-xpay-auth',
  entryPoints,
  tsconfig: join(library, 'tsconfig.lib.json'),
  out: 'docs/api',
  readme: 'none',
  disableSources: true,
  excludeInternal: true,
  excludePrivate: true,
  excludeProtected: true,
  excludeExternals: true,
  treatWarningsAsErrors: true,
  requiredToBeDocumented: [
    'Class',
    'Constructor',
    'Interface',
    'TypeAlias',
    'Enum',
    'EnumMember',
    'Variable',
    'Function',
    'Property',
    'Method',
    'Accessor',
  ],
  validation: { notExported: true, invalidLink: true, invalidPath: true, notDocumented: true },
};
