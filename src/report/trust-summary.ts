/** What the API behind the connectors has to accept, and until when, for the job summaries. */
import type { Trust } from '../connectors/trust.ts';
import { nameOf } from '../graph/connector.ts';
import { markdown } from '../text/clean.ts';
import { isoSeconds } from '../text/dates.ts';

/** A heading and a table; nothing if there is nothing to trust. `newThumbprint` is marked as the new one. */
export function trustSection(
  { certificates, missing, unread }: Trust,
  newThumbprint: string | undefined,
): readonly string[] {
  if (unread > 0) {
    return [
      '**What the API has to accept** is not known completely: a connector could not be read. Take no certificate away there.',
      '',
    ];
  }
  if (certificates.length === 0) return [];
  return [
    '**What the API has to accept from now on** (set these, and take all others away)',
    '',
    '| thumbprint (SHA-1) | expires | |',
    '| --- | --- | --- |',
    ...certificates.map(({ thumbprint, notAfter, usedBy }) => {
      const users = usedBy.slice(0, SHOWN).map((connector) => markdown(nameOf(connector.id, connector), 80));
      const more = usedBy.length > SHOWN ? ` and ${usedBy.length - SHOWN} more` : '';
      const used = users.length === 0 ? '' : `was in use by ${users.join(', ')}${more} when this step began`;
      const what = [thumbprint === newThumbprint ? 'the new certificate' : '', used].filter((part) => part !== '');
      return `| <code>${thumbprint}</code> | ${isoSeconds(notAfter)} | ${what.join(', ')} |`;
    }),
    '',
    ...missing.flatMap((text) => [`⚠️ ${markdown(text, 600)}`, '']),
  ];
}

const SHOWN = 5;
