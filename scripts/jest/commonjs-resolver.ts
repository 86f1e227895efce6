/** For Jest: resolves as usual, and packages that are there for `import` only by that. */
import type { ResolverOptions } from 'jest-resolve';

export function sync(path: string, options: ResolverOptions): string {
  try {
    return options.defaultResolver(path, options);
  } catch {
    return options.defaultResolver(path, { ...options, conditions: ['node', 'import', 'default'] });
  }
}
