/** Parts that the job summaries are made of. Everything foreign in them is escaped. */
import {
  activeCertificate,
  byAge,
  certificatesOf,
  nameOf,
  type Connector,
  type ConnectorCertificate,
} from '../graph/connector.ts';
import { markdown } from '../text/clean.ts';
import { dateFromSeconds, daysUntil, isoSeconds } from '../text/dates.ts';

/** A connector by its id, and as far as it is known. */
export interface Shown {
  readonly id: string;
  readonly connector: Connector | undefined;
}

/** A table; nothing if it has no rows. More rows than `most` are counted. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], most = 50): readonly string[] {
  if (rows.length === 0) return [];
  const rest = rows.length - most;
  const more = rest > 0 ? [row([`… and ${rest} more`, ...head.slice(1).map(() => '')])] : [];
  return [row(head), row(head.map(() => '---')), ...rows.slice(0, most).map(row), ...more, ''];
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** Something that is folded until somebody opens it; nothing if there is nothing in it. */
export function details(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`<details><summary>${title}</summary>`, '', ...lines, '</details>', ''];
}

/** Lines as they are, whatever is in them. */
export function fenced(lines: readonly string[]): readonly string[] {
  const longest = Math.max(
    2,
    ...lines
      .join('\n')
      .split(/[^`]+/)
      .map((run) => run.length),
  );
  const fence = '`'.repeat(longest + 1);
  return [`${fence}text`, ...lines, fence];
}

/** A list; nothing if it is empty. */
export function list(title: string, items: readonly string[], most = 20): readonly string[] {
  if (items.length === 0) return [];
  const more = items.length > most ? [`- … and ${items.length - most} more`] : [];
  return [`**${title}**`, '', ...items.slice(0, most).map((item) => `- ${item}`), ...more, ''];
}

/** Rows of connectors that say the same are one row: `cells` are what they have in common. */
export function folded<T extends Shown>(
  items: readonly T[],
  cells: (item: T) => readonly string[],
): readonly (readonly string[])[] {
  const groups = new Map<string, { readonly items: T[]; readonly cells: readonly string[] }>();
  for (const item of items) {
    const own = cells(item);
    const key = JSON.stringify(own);
    const group = groups.get(key) ?? { items: [], cells: own };
    group.items.push(item);
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => [names(group.items), ...group.cells]);
}

const NAMED = 3;

function names(items: readonly Shown[]): string {
  const shown = items.slice(0, NAMED).map(({ id, connector }) => markdown(nameOf(id, connector), 80));
  const more = items.length > NAMED ? [`… and ${items.length - NAMED} more`] : [];
  return [...(items.length > 1 ? [`${items.length} connectors:`] : []), ...shown, ...more].join('<br>');
}

/** The host of a connector's target. */
export function host(connector: Connector | undefined): string {
  const url = connector?.targetUrl ?? '';
  return URL.canParse(url) ? markdown(new URL(url).host, 100) : '';
}

/** What a connector authenticates with, in a few letters. */
export function authentication(connector: Connector | undefined): string {
  if (connector === undefined) return 'not known';
  const active = activeCertificate(connector);
  if (active) return `certificate until ${day(dateFromSeconds(active.notAfter))}`;
  return {
    basic: 'user name and password',
    certificate: 'no active certificate',
    none: 'nothing',
    unknown: 'something unknown',
  }[connector.authentication.type];
}

/** `364 days left`, `expired`, or '' for a date that cannot be read. */
export function left(date: Date, now: Date): string {
  const days = daysUntil(date, now);
  return Number.isNaN(days) ? '' : days < 0 ? 'expired' : `${plural(days, 'day')} left`;
}

export function day(date: Date): string {
  return isoSeconds(date).replace(/T.*/, '');
}

export function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

const CONNECTORS_IN_DETAIL = 40;

/** IDs, and each certificate from the oldest to the newest; the active one is strong. */
export function connectorDetails(items: readonly Shown[], now: Date): readonly string[] {
  const inDetail = items.slice(0, CONNECTORS_IN_DETAIL);
  const lines = inDetail.flatMap(({ id, connector }) => [
    `**${markdown(nameOf(id, connector), 80)}**<br><code>${markdown(id, 80)}</code> ${host(connector)}`,
    '',
    ...table(
      ['thumbprint', 'valid from', 'to', ''],
      byAge(certificatesOf(connector)).map((entry) => certificateRow(entry, now)),
    ),
  ]);
  const rest = items.length - inDetail.length;
  const more = rest > 0 ? [`… and ${plural(rest, 'more connector')}`, ''] : [];
  return details('IDs and certificates', [...lines, ...more]);
}

function certificateRow(entry: ConnectorCertificate, now: Date): readonly string[] {
  const cells = [
    `<code>${markdown(entry.thumbprint, 64)}</code>`,
    isoSeconds(dateFromSeconds(entry.notBefore)),
    isoSeconds(dateFromSeconds(entry.notAfter)),
    `${left(dateFromSeconds(entry.notAfter), now)}${entry.isActive ? ', active' : ''}`,
  ];
  return entry.isActive ? cells.map((cell) => `**${cell}**`) : cells;
}
