/** The connectors that were named, as they are before anything is changed. */
import { asFailure, type Failure } from '../failure.ts';
import { ConnectorAbsent, type ApiConnectors } from '../graph/api-connectors.ts';
import type { Connector } from '../graph/connector.ts';
import { mapInParallel } from '../http/concurrency.ts';
import { GUID } from '../text/guid.ts';
import { beforeChange } from './outcome.ts';

/** A connector, or why it could not be read. */
export type Reading =
  | { readonly id: string; readonly connector: Connector }
  | { readonly id: string; readonly connector?: undefined; readonly failure: Failure };

/** Reads each of these; one that cannot be read does not stop the others. */
export async function readConnectors(connectors: ApiConnectors, ids: readonly string[]): Promise<readonly Reading[]> {
  return await mapInParallel(ids, async (id) => {
    try {
      return { id, connector: await connectors.get(id) };
    } catch (error) {
      return { id, failure: asFailure(beforeChange(error)) };
    }
  });
}

/**
 * The connectors, undefined for one that could not be read. One that the tenant does not have is left out: no certificate of it
 * is in use.
 */
export function known(readings: readonly Reading[]): readonly (Connector | undefined)[] {
  return readings.filter((reading) => !isGone(reading)).map(({ connector }) => connector);
}

/** Only an ID counts: other text may be the display name of a connector that there is. */
function isGone({ id, ...reading }: Reading): boolean {
  return 'failure' in reading && reading.failure instanceof ConnectorAbsent && GUID.test(id);
}
