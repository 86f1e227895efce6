/** What the workflow run is. It serves hints only, so nothing that is wrong with it stops a step. */
import { isObject, type JsonObject } from '../text/json.ts';
import { PRODUCT } from '../version.ts';

export interface WorkflowRun {
  /** The run's page on GitHub, or undefined outside a run. */
  readonly url: string | undefined;
  /** The event is a pull request from another repository, and one that GitHub gives no ID token. */
  readonly fromFork: boolean;
  /** Dependabot started the run, by an event that GitHub gives no ID token unless the permissions are raised. */
  readonly byDependabot: boolean;
}

/** The events of a fork's pull request that may only read. pull_request_target is none of them: it may get an ID token. */
const FORK_EVENTS = ['pull_request', 'pull_request_review', 'pull_request_review_comment'];
/** @see https://docs.github.com/code-security/dependabot/troubleshooting-dependabot/troubleshooting-dependabot-on-github-actions */
const DEPENDABOT_EVENTS = [...FORK_EVENTS, 'push', 'create', 'deployment', 'deployment_status'];

/** Reads the context that the runner gave. */
export async function workflowRun(environment: NodeJS.ProcessEnv): Promise<WorkflowRun> {
  // The toolkit reads the event's file while it is loaded, and throws if that is not JSON.
  const context = await import(/* webpackMode: "eager", webpackExports: ["context"] */ '@actions/github').then(
    (toolkit) => toolkit.context,
    () => undefined,
  );
  const payload = objectIn(context, 'payload');
  const pullRequest = objectIn(payload, 'pull_request');
  const name = environment['GITHUB_REPOSITORY'] ?? objectIn(payload, 'repository')?.['full_name'];
  const event = environment['GITHUB_EVENT_NAME'] ?? '';
  const known = context !== undefined && !Number.isNaN(context.runId) && typeof name === 'string';
  return {
    url: known ? `${context.serverUrl}/${name}/actions/runs/${context.runId}` : undefined,
    fromFork:
      FORK_EVENTS.includes(event) &&
      pullRequest !== undefined &&
      // The repository of a fork that was deleted since is null.
      objectIn(objectIn(pullRequest, 'head'), 'repo')?.['full_name'] !== name,
    byDependabot: DEPENDABOT_EVENTS.includes(event) && environment['GITHUB_ACTOR'] === 'dependabot[bot]',
  };
}

/** For requests to the tenant's own services: with the run's page, so that a sign-in log leads back to the workflow run. */
export async function userAgent(environment: NodeJS.ProcessEnv): Promise<string> {
  const { url } = await workflowRun(environment);
  // The variables may hold anything; with a line break or the like, the header would be refused, and with it each request.
  return url === undefined ? PRODUCT : `${PRODUCT} (+${url.replace(/[^\x21-\x7e]/g, '')})`;
}

function objectIn(value: object | undefined, name: string): JsonObject | undefined {
  const member = (value as JsonObject | undefined)?.[name];
  return isObject(member) ? member : undefined;
}
