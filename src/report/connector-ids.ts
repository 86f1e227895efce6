/** The IDs of connectors as the input connector-id accepts them, to be copied from the log or the job summary. */
import { info } from '@actions/core';
import type { Connector } from '../graph/connector.ts';
import { clean } from '../text/clean.ts';
import { fenced, plural, type Shown } from './markdown-parts.ts';

/** As many as connector-id accepts, far below what fits into a summary. */
const SHOWN_IDS = 500;

/** A block with all of them in the job summary; nothing if there are none. */
export function connectorIds(items: readonly Shown[]): readonly string[] {
  const known = items.flatMap(({ connector }) => connector ?? []);
  if (known.length === 0) return [];
  const rest = known.length - SHOWN_IDS;
  const more = rest > 0 ? [`… and ${plural(rest, 'more connector')}: the log has their IDs.`, ''] : [];
  return ['**For the input connector-id**', '', ...fenced(known.slice(0, SHOWN_IDS).flatMap(idLines)), '', ...more];
}

/** All of them in the log. */
export function logConnectorIds(items: readonly Shown[]): void {
  const known = items.flatMap(({ connector }) => connector ?? []);
  if (known.length === 0) return;
  info('For the input connector-id:');
  for (const line of known.flatMap(idLines)) info(line);
}

/** The ID, below a comment with the name. */
function idLines({ id, displayName }: Connector): readonly string[] {
  const name = clean(displayName, 80);
  return [...(name === '' ? [] : [`# ${name}`]), clean(id, 256)];
}
