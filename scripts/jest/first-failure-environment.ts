/** For Jest: what Node has, and no test of a file after one that failed. */
import type { Circus } from '@jest/types';
import { TestEnvironment } from 'jest-environment-node';

export default class FirstFailureEnvironment extends TestEnvironment {
  #failed = false;

  handleTestEvent(event: Circus.AsyncEvent | Circus.SyncEvent): void {
    if (event.name === 'test_done' && event.test.errors.length > 0) this.#failed = true;
    if (event.name === 'test_start' && this.#failed) event.test.mode = 'skip';
  }
}
