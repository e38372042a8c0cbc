/** @type {import('jest').Config} */
export default {
  roots: ['<rootDir>/libs', '<rootDir>/src', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts', '**/*.e2e-spec.ts'],
  modulePathIgnorePatterns: ['<rootDir>/libs/.*/dist', '<rootDir>/dist'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^nestjs-xpay-auth$': '<rootDir>/libs/xpay-auth/src/index.ts',
    '^nestjs-xpay-auth/redis$': '<rootDir>/libs/xpay-auth/src/redis.ts',
    '^nestjs-xpay-auth/(opentelemetry|terminus)$': '<rootDir>/libs/xpay-auth/src/integrations/$1/index.ts',
    '^nestjs-xpay-auth/testing$': '<rootDir>/libs/xpay-auth/src/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
      },
    ],
  },
  testEnvironment: 'node',
  testTimeout: 15_000,
};
