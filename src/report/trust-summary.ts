/** What the API behind the connectors has to accept, and until when, for the job summaries. */
import { isComplete, isTooLong, type Trust, type Trusted } from '../connectors/trust.ts';
import { nameOf, type Connector } from '../graph/connector.ts';
import { markdown } from '../text/clean.ts';
import { isoSeconds } from '../text/dates.ts';
import { list, plural, table } from './markdown-parts.ts';

/** A heading and a table; nothing if there is nothing to trust. `newThumbprint` is marked as the new one. */
export function trustSection(trust: Trust, newThumbprint: string | undefined): readonly string[] {
  const { certificates, missing, unread } = trust;
  const rows = table(
    ['thumbprint (SHA-1)', 'expires', ''],
    certificates.map((certificate) => row(certificate, newThumbprint)),
    certificates.length,
  );
  if (isComplete(trust))
    return headed(
      '**What the API has to accept from now on** (set these, with those of other connectors that call it, and take all others away)',
      rows,
    );
  const notRead =
    unread > 0 ? [`The certificates of ${plural(unread, 'API connector')}, which could not be read.`] : [];
  const why = isTooLong(trust)
    ? `is ${plural(certificates.length, 'certificate')}, more than an output has room for`
    : 'is not known completely';
  return [
    `**What the API has to accept** ${why}, so the output trusted-thumbprints is not set. Take no certificate away there.`,
    '',
    ...list(
      'What is missing',
      [...notRead, ...missing].map((text) => markdown(text, 600)),
    ),
    ...headed('**What is known of it** (add these, and keep all others)', rows),
  ];
}

function headed(title: string, rows: readonly string[]): readonly string[] {
  return rows.length === 0 ? [] : [title, '', ...rows];
}

const SHOWN = 5;

function row(
  { thumbprint, notAfter, usedBy, usedLaterBy }: Trusted,
  newThumbprint: string | undefined,
): readonly string[] {
  const what = [
    thumbprint === newThumbprint ? 'the new certificate' : '',
    usedBy.length === 0 ? '' : `was in use by ${names(usedBy)} when this step began`,
    usedLaterBy.length === 0 ? '' : `will be used by ${names(usedLaterBy)}`,
  ];
  return [`<code>${thumbprint}</code>`, isoSeconds(notAfter), what.filter((part) => part !== '').join(', ')];
}

function names(connectors: readonly Connector[]): string {
  const shown = connectors.slice(0, SHOWN).map((connector) => markdown(nameOf(connector.id, connector), 80));
  return `${shown.join(', ')}${connectors.length > SHOWN ? ` and ${connectors.length - SHOWN} more` : ''}`;
}
