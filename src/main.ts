/** Runs one step to its end. The only place that decides whether it is green or red. */
import { info } from '@actions/core';
import { asFailure } from './failure.ts';
import { StepDeadline } from './http/deadline.ts';
import { reportFailure } from './report/annotations.ts';
import { failureSummary } from './report/failure-summary.ts';
import { appendSummary } from './report/summary.ts';
import { forgetSecrets } from './text/secrets.ts';
import { PRODUCT } from './version.ts';

/** The steps, each loaded only if it is the one that runs. */
const STEPS = {
  upload: async () => (await import(/* webpackMode: "eager" */ './steps/upload.ts')).upload,
  create: async () => (await import(/* webpackMode: "eager" */ './steps/create.ts')).create,
  'create-cleanup': async () => (await import(/* webpackMode: "eager" */ './steps/create-cleanup.ts')).cleanUp,
  check: async () => (await import(/* webpackMode: "eager" */ './steps/check.ts')).check,
} as const;

export type StepName = keyof typeof STEPS;

/** Runs the step; whatever happens is reported here, and nowhere else. */
export async function run(name: StepName): Promise<void> {
  const deadline = new StepDeadline();
  try {
    forgetSecrets();
    info(PRODUCT.replace('/', ' '));
    const step = await STEPS[name]();
    await step(deadline);
  } catch (error) {
    const failure = asFailure(error);
    reportFailure(failure);
    appendSummary(failureSummary(failure));
  } finally {
    deadline.end();
  }
}
