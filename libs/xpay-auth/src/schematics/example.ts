import { readFileSync } from 'node:fs';

/** The class of the example. */
export const EXAMPLE_CLASS = 'XPayExampleController';

/** The file of the example, without the suffix. */
export const EXAMPLE_FILE = 'xpay-example.controller';

/**
 * The source of the example with this suffix; `.ts` is the controller: the caller, a scope and a call. The files are beside
 * collection.json, so that they are compiled, tested and formatted like all others.
 */
export function exampleSource(suffix: '.ts' | '.spec.ts'): string {
  return readFileSync(new URL(`../../schematics/example/${EXAMPLE_FILE}${suffix}`, import.meta.url), 'utf8');
}

/**
 * The spec of the example.
 *
 * @param runner the package that exports `describe` and `it`; `undefined` if they are globals
 * @param suffix of relative imports: `.js` in ES modules
 */
export function exampleSpec(runner: string | undefined, suffix: string): string {
  return exampleSource('.spec.ts')
    .replace(/^(import .* from )'@jest\/globals';\n/m, runner === undefined ? '' : `$1'${runner}';\n`)
    .replace(`./${EXAMPLE_FILE}.js`, `./${EXAMPLE_FILE}${suffix}`);
}
