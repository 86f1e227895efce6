/** What the workflow run tells about itself, where it helps a person. */
import { context } from '@actions/github';

export interface RunContext {
  /** The run's page on GitHub, or undefined outside a run. */
  readonly url: string | undefined;
  /** The event is a pull request whose code comes from another repository. */
  readonly fromFork: boolean;
  readonly byDependabot: boolean;
}

/** Reads the context that the runner gave. */
export function runContext(environment: NodeJS.ProcessEnv): RunContext {
  const { pull_request: pullRequest, repository } = context.payload;
  const head = (pullRequest?.['head'] as { repo?: { full_name?: string } | null } | undefined)?.repo;
  const name = environment['GITHUB_REPOSITORY'] ?? repository?.full_name;
  return {
    url:
      Number.isNaN(context.runId) || name === undefined
        ? undefined
        : `${context.serverUrl}/${name}/actions/runs/${context.runId}`,
    // A fork that was deleted since is null.
    fromFork: pullRequest !== undefined && head?.full_name !== name,
    byDependabot: context.actor === 'dependabot[bot]',
  };
}
