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

/** The properties of an app that change the spec of the example. */
export interface SpecOptions {
  /** The package that exports `describe` and `it`; `undefined` if they are globals. */
  readonly runner: string | undefined;
  /** The suffix of relative imports: `.js` in ES modules. */
  readonly suffix: string;
  /** Whether the app runs on Fastify. */
  readonly fastify: boolean;
}

/** The spec of the example. */
export function exampleSpec({ runner, suffix, fastify }: SpecOptions): string {
  const spec = exampleSource('.spec.ts')
    .replace(/^(import .* from )'@jest\/globals';\n/m, runner === undefined ? '' : `$1'${runner}';\n`)
    .replace(`./${EXAMPLE_FILE}.js`, `./${EXAMPLE_FILE}${suffix}`);
  if (!fastify) return spec;
  return spec
    .replace(/^(?=import \{ Test \})/m, "import { FastifyAdapter } from '@nestjs/platform-fastify';\n")
    .replace('createNestApplication()', 'createNestApplication(new FastifyAdapter())')
    .replace(/^( *)await app\.init\(\);\n/m, '$&$1await app.getHttpAdapter().getInstance().ready();\n');
}
