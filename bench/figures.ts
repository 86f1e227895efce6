/** What becomes of many measurements: minimum, median and maximum, ratios, and whether an aim is met. */

export interface Figures {
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly n: number;
}

export function figures(values: readonly number[]): Figures {
  return { min: Math.min(...values), median: median(values), max: Math.max(...values), n: values.length };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new RangeError('No values, no median.');
  return (low + high) / 2;
}

/** `median (min–max)` */
export function spread({ min, median: middle, max }: Figures): string {
  return `${number(middle)} (${number(min)}–${number(max)})`;
}

/** As many digits as mean something in measurements like these. */
export function number(value: number): string {
  return value.toFixed(Math.abs(value) < 100 ? 1 : 0);
}

export function times(ratio: number): string {
  return `${ratio.toFixed(2)} ×`;
}

/** The aim and whether the figure keeps it; a dash where nothing was aimed at. */
export function verdict(value: number, limit: number | undefined, unit: string): string {
  return limit === undefined ? '–' : `≤ ${limit} ${unit}: ${value <= limit ? 'met' : '**missed**'}`;
}

/** In Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
