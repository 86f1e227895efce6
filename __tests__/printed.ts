/** What a test prints, kept from the test's own output. */
import { afterEach, beforeEach, jest } from '@jest/globals';

/** Keeps, in each test of this file, what goes to stdout; gives what came so far. */
export function keepPrinted(): () => string {
  let printed = '';
  beforeEach(() => {
    printed = '';
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    });
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  return () => printed;
}
