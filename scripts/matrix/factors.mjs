// The factors of the matrix, and the combinations that cannot work.

/** Every value of every factor. Two values of different factors are in at least one combination, unless they are forbidden. */
export const FACTORS = {
  nest: ['11 CommonJS', '12 ES modules'],
  manager: ['npm', 'pnpm 10', 'pnpm 12'],
  runner: ['jest', 'vitest'],
  builder: ['tsc', 'SWC', 'webpack', 'webpack, externals: []', 'rspack'],
  typescript: ['5.4', '5.7', '5.9', '6.0'],
  resolution: ['node10', 'node16', 'nodenext', 'bundler'],
  platform: ['Express', 'Fastify'],
  node: ['20', '22', '24', '26'],
};

/** Combinations of values that fail without this library too, with the error of the tool that refuses them. */
export const FORBIDDEN = [
  {
    values: { nest: ['12 ES modules'], builder: ['webpack', 'webpack, externals: []'] },
    tool: 'Nest CLI 12',
    error: 'The webpack compiler does not support ESM projects ("type": "module" in package.json).',
  },
  {
    values: { nest: ['11 CommonJS'], builder: ['rspack'] },
    tool: 'Nest CLI 11',
    error: 'It has no builder "rspack". `nest build` writes no files and exits with 0.',
  },
  {
    values: { nest: ['12 ES modules'], typescript: ['5.4'] },
    tool: '@nestjs/schematics 12, which `nest generate` and `nest add` load',
    error:
      "SyntaxError: Named export 'SyntaxKind' not found. The requested module 'typescript' is a CommonJS module, " +
      'which may not support all module.exports as named exports.',
  },
  {
    values: { nest: ['12 ES modules'], manager: ['npm'], typescript: ['5.7', '5.9'] },
    tool: 'npm, because the starter requires @nestjs/schematics 12',
    error: 'ERESOLVE unable to resolve dependency tree: peer typescript@">=6.0.0" from @nestjs/schematics@12.0.6.',
  },
  {
    values: {
      nest: ['11 CommonJS'],
      builder: ['tsc'],
      resolution: ['bundler'],
      typescript: ['5.4', '5.7', '5.9'],
    },
    tool: 'TypeScript',
    error: "TS5095: Option 'bundler' can only be used when 'module' is set to 'preserve' or to 'es2015' or later.",
  },
  {
    values: { builder: ['webpack, externals: []'], platform: ['Fastify'] },
    tool: 'webpack, about files of Nest',
    error: "Module not found: Error: Can't resolve '@fastify/static' in '@nestjs/platform-fastify/adapters'.",
  },
];

/** Apps with another layout, which are tested beside the combinations. */
export const LAYOUTS = [
  ['11 CommonJS', 'jest', 'tsc', 'npm'],
  ['12 ES modules', 'vitest', 'tsc', 'pnpm 10'],
].flatMap(([nest, runner, builder, manager]) => {
  const usual = { nest, manager, runner, builder, typescript: nest.startsWith('11') ? '5.9' : '6.0', node: '24' };
  return ['monorepo', 'path aliases'].map((layout) => ({
    ...usual,
    resolution: 'nodenext',
    platform: 'Express',
    layout,
  }));
});

export function isForbidden(combination) {
  return FORBIDDEN.some(({ values }) =>
    Object.entries(values).every(([factor, forbidden]) => forbidden.includes(combination[factor])),
  );
}
