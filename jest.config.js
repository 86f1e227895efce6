import { availableParallelism } from 'node:os';

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // Many tests wait: for a process of their own, or between two tries. Others use the processor meanwhile.
  maxWorkers: 2 * availableParallelism(),
  // For a machine that is busy with other things, too: what hangs is found by its own deadline.
  testTimeout: 60_000,
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  // They wait for what hangs, for minutes: npm run test:faults.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/__tests__/faults/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' } }],
  },
  // The bundle carries a package.json of its own; it is no module of the tests.
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.stryker-tmp'],
  // What runs in this process, from the sources; the bundle in processes of its own does not count. Files that no test
  // loads are there as well, with nothing covered.
  collectCoverageFrom: ['src/**/*.ts'],
  // Not v8: that counts comments and types as lines, and no branches of what was never called.
  coverageProvider: 'babel',
};
