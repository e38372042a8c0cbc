import { readFileSync } from 'node:fs';

/** The class of the example. */
export const EXAMPLE_CLASS = 'XPayExampleController';

/** Its file, without the suffix. */
export const EXAMPLE_FILE = 'xpay-example.controller';

// These sources are beside collection.json, so that they are compiled, tested and formatted like all others.
const read = (suffix: string): string =>
  readFileSync(new URL(`../../schematics/example/${EXAMPLE_FILE}${suffix}`, import.meta.url), 'utf8');

/** The example controller: the caller, a scope and a call. */
export function exampleController(): string {
  return read('.ts');
}

/**
 * Its spec.
 *
 * @param runner the package that exports `describe` and `it`; `undefined` if they are globals
 * @param suffix of relative imports: `.js` in ES modules
 */
export function exampleSpec(runner: string | undefined, suffix: string): string {
  return read('.spec.ts')
    .replace(/^(import .* from )'@jest\/globals';\n/m, runner === undefined ? '' : `$1'${runner}';\n`)
    .replace(`./${EXAMPLE_FILE}.js`, `./${EXAMPLE_FILE}${suffix}`);
}
