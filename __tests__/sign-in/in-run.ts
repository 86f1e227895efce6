/** A workflow run for what reads it out of the environment while it is loaded: each run loads it again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';

/** The variables of the run; its event as JSON, or as a text of any kind. */
export type RunOf = Readonly<Record<string, unknown>> & { readonly event?: unknown; readonly eventText?: string };

/** Calls `action` in this run. What it imports is loaded again, so classes are others than those of the test. */
export async function inRun<T>({ event, eventText, ...variables }: RunOf, action: () => Promise<T>): Promise<T> {
  const before = process.env;
  const directory = mkdtempSync(join(tmpdir(), 'workflow-run-'));
  const path = join(directory, 'event.json');
  const text = event === undefined ? eventText : JSON.stringify(event);
  if (text !== undefined) writeFileSync(path, text);
  const others = Object.entries(before).filter(([name]) => !/^(GITHUB|ACTIONS|RUNNER)_/.test(name));
  process.env = {
    ...Object.fromEntries(others),
    GITHUB_EVENT_PATH: path,
    GITHUB_REPOSITORY: 'octo/hello',
    GITHUB_ACTOR: 'octocat',
    GITHUB_RUN_ID: '42',
    GITHUB_SERVER_URL: 'https://github.com',
    ...(variables as Record<string, string>),
  };
  jest.resetModules();
  try {
    return await action();
  } finally {
    process.env = before;
    rmSync(directory, { recursive: true });
    jest.resetModules();
  }
}
