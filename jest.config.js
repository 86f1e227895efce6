/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // Many tests wait: for a process of their own, or between two tries.
  maxWorkers: '100%',
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
  collectCoverageFrom: ['src/**/*.ts'],
};
