/** What follows the create step at the end of the job, whatever became of it: the private key leaves the runner's disk. */
import { getState, info } from '@actions/core';
import { removeHandOver } from '../certificate/hand-over.ts';
import { HAND_OVER_STATE } from './create.ts';

/** Removes the file that the create step wrote, or was about to write. */
export function cleanUp(): void {
  const path = getState(HAND_OVER_STATE);
  if (path === '') {
    info('No certificate was made, so there is no file to remove.');
    return;
  }
  removeHandOver(path);
  info('The file with the new certificate and its private key is removed.');
}
