/** What the workflow run is: hints, which never stop a step. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { WorkflowRun } from '../../src/sign-in/workflow-run.ts';
import { PRODUCT } from '../../src/version.ts';
import { inRun, type RunOf } from './in-run.ts';

beforeEach(() => {
  // The toolkit prints that the file of the event does not exist.
  jest.spyOn(process.stdout, 'write').mockImplementation(() => true);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const runOf = async (run: RunOf): Promise<WorkflowRun> =>
  inRun(run, async () => (await import('../../src/sign-in/workflow-run.ts')).workflowRun(process.env));
const userAgentOf = async (run: RunOf): Promise<string> =>
  inRun(run, async () => (await import('../../src/sign-in/workflow-run.ts')).userAgent(process.env));

const fromRepository = (repo: unknown): object => ({ pull_request: { head: { repo } } });
const PAGE = 'https://github.com/octo/hello/actions/runs/42';

describe('the run', () => {
  test('on a push', async () => {
    expect(await runOf({ event: { ref: 'refs/heads/main' } })).toEqual({
      url: PAGE,
      fromFork: false,
      byDependabot: false,
    });
  });

  test.each<[string, unknown, boolean]>([
    ['its own repository', { full_name: 'octo/hello' }, false],
    ['another repository', { full_name: 'eve/hello' }, true],
    ['a fork that was deleted since', null, true],
  ])('on a pull request from %s', async (_, repo, fromFork) => {
    expect(await runOf({ event: fromRepository(repo), GITHUB_EVENT_NAME: 'pull_request' })).toMatchObject({ fromFork });
  });

  test.each<[string | undefined, boolean, boolean]>([
    ['pull_request', true, true],
    ['pull_request_review', true, true],
    ['pull_request_review_comment', true, true],
    ['push', false, true],
    ['create', false, true],
    ['deployment', false, true],
    ['deployment_status', false, true],
    ['pull_request_target', false, false],
    ['schedule', false, false],
    ['workflow_dispatch', false, false],
    [undefined, false, false],
  ])('the event %s of a fork gets no ID token: %s, that of Dependabot: %s', async (name, fromFork, byDependabot) => {
    const event = fromRepository({ full_name: 'eve/hello' });
    expect(await runOf({ event, GITHUB_EVENT_NAME: name, GITHUB_ACTOR: 'dependabot[bot]' })).toMatchObject({
      fromFork,
      byDependabot,
    });
  });

  test('on GitHub Enterprise Server', async () => {
    expect(await runOf({ event: {}, GITHUB_SERVER_URL: 'https://github.example' })).toMatchObject({
      url: 'https://github.example/octo/hello/actions/runs/42',
    });
  });

  test('whose repository is named by the event alone', async () => {
    const event = { repository: { full_name: 'octo/other' } };
    expect(await runOf({ event, GITHUB_REPOSITORY: undefined })).toMatchObject({
      url: 'https://github.com/octo/other/actions/runs/42',
    });
  });

  test.each<[string, RunOf]>([
    ['without a run id', { event: {}, GITHUB_RUN_ID: '' }],
    ['with a run id that is not a number', { event: {}, GITHUB_RUN_ID: 'forty-two' }],
    ['without a repository', { event: {}, GITHUB_REPOSITORY: undefined }],
  ])('%s has no page', async (_, run) => {
    expect((await runOf(run)).url).toBeUndefined();
  });
});

describe('an event that cannot be used stops nothing', () => {
  test.each<[string, RunOf]>([
    ['a file that is missing', {}],
    ['no file named', { GITHUB_EVENT_PATH: undefined }],
    ['null', { eventText: 'null' }],
    ['a number', { eventText: '5' }],
    ['a text', { eventText: '"push"' }],
    ['a list', { eventText: '[1]' }],
    ['a pull request that is null', { event: { pull_request: null } }],
    ['a pull request that is a number', { event: { pull_request: 5 } }],
  ])('%s', async (_, run) => {
    expect(await runOf({ ...run, GITHUB_EVENT_NAME: 'pull_request' })).toEqual({
      url: PAGE,
      fromFork: false,
      byDependabot: false,
    });
  });

  test.each<[string, RunOf]>([
    ['a file that is not JSON', { eventText: '{"pull_request":' }],
    ['an empty file', { eventText: '' }],
    ['a directory', { GITHUB_EVENT_PATH: import.meta.dirname }],
  ])('%s: not even the page of the run is known', async (_, run) => {
    expect(await runOf(run)).toEqual({ url: undefined, fromFork: false, byDependabot: false });
  });

  test('Dependabot is known all the same', async () => {
    const run = { eventText: 'not JSON', GITHUB_EVENT_NAME: 'push', GITHUB_ACTOR: 'dependabot[bot]' };
    expect(await runOf(run)).toMatchObject({ byDependabot: true });
  });

  test.each<[string, unknown]>([
    ['without a head', {}],
    ['whose head is a text', { head: 'main' }],
    ['whose repository is a text', { head: { repo: 'octo/hello' } }],
  ])('a pull request %s counts as one from a fork', async (_, pullRequest) => {
    const event = { pull_request: pullRequest };
    expect(await runOf({ event, GITHUB_EVENT_NAME: 'pull_request' })).toMatchObject({ fromFork: true });
  });
});

describe('the user agent', () => {
  test('leads back to the run', async () => {
    expect(await userAgentOf({ event: {} })).toBe(`${PRODUCT} (+${PAGE})`);
  });

  test.each([
    ['GITHUB_REPOSITORY', 'octo/hello\n'],
    ['GITHUB_REPOSITORY', 'octo\r\nx-injected: 1/hello'],
    ['GITHUB_REPOSITORY', 'octo/h\u00e9llo\u0000\u2028'],
    ['GITHUB_SERVER_URL', 'https://github.example\n'],
  ])('is a header that can be sent, whatever %s holds: %j', async (name, value) => {
    const agent = await userAgentOf({ event: {}, [name]: value });
    expect(() => new Headers({ 'user-agent': agent })).not.toThrow();
    expect(agent).toMatch(/^[\x21-\x7e]+ \(\+https:[\x21-\x7e]+\/actions\/runs\/42\)$/);
  });

  test('outside a run is the product alone', async () => {
    expect(await userAgentOf({ event: {}, GITHUB_RUN_ID: undefined })).toBe(PRODUCT);
  });
});
