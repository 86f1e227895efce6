/**
 * Mermaid's gantt chart: a bar a certificate. Only letters with their marks, digits and dates go in, since its grammar has
 * no escapes.
 */
import { byAge, certificatesOf, nameOf, type ConnectorCertificate } from '../graph/connector.ts';
import { dateFromSeconds } from '../text/dates.ts';
import { day, plural, type Shown } from './markdown-parts.ts';

const CHARTED_CONNECTORS = 10;
const CHARTED_CERTIFICATES = 6;

/** A certificate that a dry run would upload. */
export interface Planned {
  readonly thumbprint: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** A section a connector: what is superseded is grey, the active certificate strong, a planned one pale. */
export function timeline(items: readonly (Shown & { readonly planned?: Planned | undefined })[]): readonly string[] {
  const charted = items.filter(({ connector, planned }) => planned ?? certificatesOf(connector).length > 0);
  const shown = charted.slice(0, CHARTED_CONNECTORS);
  const sections = shown.flatMap(({ id, connector, planned }) => {
    const bars = byAge(certificatesOf(connector)).slice(-CHARTED_CERTIFICATES).flatMap(bar);
    const all = planned ? [...bars, plannedBar(planned)] : bars;
    return all.length === 0 ? [] : [`  section ${plain(nameOf(id, connector))}`, ...all];
  });
  if (sections.length === 0) return [];
  const rest = charted.length - shown.length;
  const more = rest > 0 ? [`… and ${plural(rest, 'more connector')}`, ''] : [];
  return ['```mermaid', 'gantt', '  dateFormat YYYY-MM-DD', '  axisFormat %Y-%m', ...sections, '```', '', ...more];
}

function plain(name: string): string {
  const letters = name.replace(/[^\p{L}\p{M}\p{N} -]/gu, ' ').trim();
  return Array.from(letters).slice(0, 40).join('') || 'connector';
}

function bar(entry: ConnectorCertificate): readonly string[] {
  const dates = [entry.notBefore, entry.notAfter].map((date) => day(dateFromSeconds(date)));
  // One that cannot be read, or would stretch the axis over thousands of years.
  if (!dates.every((date) => /^\d{4}-/.test(date))) return [];
  const name = shortThumbprint(entry.thumbprint);
  return [`  ${name}${entry.isActive ? ' active' : ''} :${entry.isActive ? '' : 'done, '}${dates.join(', ')}`];
}

function plannedBar({ thumbprint, notBefore, notAfter }: Planned): string {
  return `  ${shortThumbprint(thumbprint)} new :active, ${day(notBefore)}, ${day(notAfter)}`;
}

/** Never empty, nor a word of the grammar: one line with such a name, and there is no chart. */
function shortThumbprint(thumbprint: string): string {
  return /^[\da-f]{8}/i.exec(thumbprint)?.[0] ?? 'certificate';
}
