const swc = (parser, type) => [
  '@swc/jest',
  {
    jsc: {
      target: 'es2022',
      parser,
      transform: { legacyDecorator: true, decoratorMetadata: true },
      keepClassNames: true,
    },
    module: { type },
  },
];

/** @type {import('jest').Config} */
export default {
  roots: ['<rootDir>/libs', '<rootDir>/src', '<rootDir>/test', '<rootDir>/examples'],
  testMatch: ['**/*.spec.ts', '**/*.e2e-spec.ts'],
  modulePathIgnorePatterns: ['<rootDir>/libs/.*/dist', '<rootDir>/dist'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^nestjs-xpay-auth$': '<rootDir>/libs/xpay-auth/src/index.ts',
    '^nestjs-xpay-auth/testing$': '<rootDir>/libs/xpay-auth/src/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': swc({ syntax: 'typescript', decorators: true }, 'es6'),
    // Fastify's inject requires an ES module, which jest refuses before Node 24.9.
    '/cookie/dist/.+\\.js$': swc({ syntax: 'ecmascript' }, 'commonjs'),
  },
  transformIgnorePatterns: ['/node_modules/(?!(?:light-my-request/node_modules/)?cookie/dist/)'],
  testEnvironment: 'node',
  testTimeout: 15_000,
};
