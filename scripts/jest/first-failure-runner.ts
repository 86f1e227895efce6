/** For Jest: files with tests of the wanted names alone, the quickest first, and none after one that failed. */
import { createRequire } from 'node:module';
import type jestRunner from 'jest-runner';
import type { Test, TestRunnerOptions, TestWatcher } from 'jest-runner';

// To TypeScript the default of a CommonJS package is the whole of it, to the package's own `import` it is not.
const { default: TestRunner } = createRequire(import.meta.url)('jest-runner') as typeof jestRunner;

/** The names of each file's tests, as soon as it has been loaded once. */
const names = new Map<string, readonly string[]>();

export default class FirstFailureRunner extends TestRunner {
  override async runTests(tests: Test[], watcher: TestWatcher, options: TestRunnerOptions): Promise<void> {
    const wanted = new RegExp(this._globalConfig.testNamePattern ?? '');
    const forget = this.on('test-file-success', async ([{ path }, { numFailingTests, testExecError, testResults }]) => {
      names.set(
        path,
        testResults.map(({ fullName }) => fullName),
      );
      if (numFailingTests > 0 || testExecError) await watcher.setState({ interrupted: true });
    });
    const chosen = tests.filter(({ path }) => names.get(path)?.some((name) => wanted.test(name)) ?? true);
    await super.runTests(
      chosen.toSorted((a, b) => (a.duration ?? 0) - (b.duration ?? 0)),
      watcher,
      options,
    );
    forget();
  }
}
