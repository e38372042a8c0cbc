import { availableParallelism } from 'node:os';

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
    '^nestjs-xpay-auth/(dialect|redis|undici)$': '<rootDir>/libs/xpay-auth/src/$1.ts',
    '^nestjs-xpay-auth/(opentelemetry|swagger|terminus)$': '<rootDir>/libs/xpay-auth/src/integrations/$1/index.ts',
    '^nestjs-xpay-auth/testing$': '<rootDir>/libs/xpay-auth/src/testing/index.ts',
    '^fast-check$': '<rootDir>/test/support/fast-check.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': swc({ syntax: 'typescript', decorators: true }, 'es6'),
    // Fastify's inject and @fastify/static require ES modules, which jest rejects before Node 24.9.
    '/(?:cookie/dist|content-disposition)/.+\\.js$': swc({ syntax: 'ecmascript' }, 'commonjs'),
  },
  transformIgnorePatterns: ['/node_modules/(?!(?:light-my-request/node_modules/)?cookie/dist/|content-disposition/)'],
  testEnvironment: '<rootDir>/test/support/jest-environment.mjs',
  // Some tests mostly wait for processes and timers, so three workers keep two cores busy. jest accepts no percentage above 100 %.
  maxWorkers: Math.ceil(availableParallelism() * 1.5),
  // ES modules of finished specs stay in a worker's memory. A worker restarts before it spends most of its time
  // collecting garbage.
  workerIdleMemoryLimit: '800MB',
  testSequencer: '<rootDir>/test/support/longest-first.mjs',
  testTimeout: 120_000,
};
