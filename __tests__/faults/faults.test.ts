/**
 * Each fault on each request, then pairs drawn at random: whatever happens, the step ends knowing what happened, and says it.
 * Writes what it saw to docs/reliability.md. Takes minutes, since hanging requests are waited for: npm run test:faults.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { FAILURE_CODES } from '../../src/failure.ts';
import { expectNoLeak } from '../e2e/step.ts';
import { FAULTS, observe, REQUESTS, type Observed } from './scenarios.ts';

const NAMES = ['refused', ...Object.keys(FAULTS)];
/** Draws the pairs; FAULT_SEED repeats a run. */
const SEED = Number(process.env['FAULT_SEED'] ?? 20_261_124);
const PAIRS = 60;
const AT_A_TIME = 8;

/** What holds after every run. */
function expectToKnow({ result, entries, secrets, strayHosts, sent }: Observed): void {
  expect(result.signal).toBeNull();
  expectNoLeak(result, secrets);
  // A redirect is not followed.
  expect(strayHosts).toEqual([]);
  expect(entries).toBeLessThanOrEqual(1);
  if (result.exitCode === 0) {
    expect(entries).toBe(1);
    expect(result.outputs).toMatchObject({ uploaded: 'true', 'is-active': 'true' });
    return;
  }
  const [error, ...others] = result.annotations.filter(({ level }) => level === 'error');
  expect(others).toEqual([]);
  expect(FAILURE_CODES).toContain(error?.title);
  if (sent.upload > 0) {
    const statement =
      entries === 0
        ? /Nothing was changed|(is not|was not seen) on the connector|could not be found out/
        : /could not be found out/;
    expect(error?.message).toMatch(statement);
  }
}

function describeRun({ result, sent, entries }: Observed): string {
  const requests = REQUESTS.map((kind) => sent[kind]).join(' · ');
  const error = result.annotations.find(({ level }) => level === 'error');
  const end = result.exitCode === 0 ? 'green' : `red, ${error?.title ?? ''}`;
  return `${end} | ${requests} | ${entries}`;
}

/** So many at a time; the faults are mostly waited for. */
async function all<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) results[i] = await run(items[i] as T);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return results;
}

/** Mulberry32: the same pairs for the same seed. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe('faults on the way', () => {
  test('each one, on each of the four requests', async () => {
    const scenarios = REQUESTS.flatMap((on) => NAMES.map((fault) => ({ on, fault })));
    const rows = await all(scenarios, async (scenario) => {
      const observed = await observe([scenario]);
      expectToKnow(observed);
      return `| ${scenario.on} | ${scenario.fault} | ${describeRun(observed)} |`;
    });
    writeTable('single', rows);
  }, 600_000);

  test(`pairs, drawn with the seed ${SEED}`, async () => {
    const random = generator(SEED);
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    // One that hangs takes half a minute and teaches nothing new beside another.
    const quick = NAMES.filter((name) => name !== 'hang');
    const pairs = Array.from({ length: PAIRS }, () => [
      { on: pick(REQUESTS), fault: pick(quick) },
      { on: pick(REQUESTS), fault: pick(quick) },
    ]);
    const rows = await all(pairs, async (pair) => {
      const observed = await observe(pair);
      expectToKnow(observed);
      return `| ${pair.map(({ on, fault }) => `${on}: ${fault}`).join('; ')} | ${describeRun(observed)} |`;
    });
    writeTable('pairs', rows);
  }, 600_000);
});

/** Puts the rows between the markers of their table in docs/reliability.md. */
function writeTable(name: string, rows: readonly string[]): void {
  const path = join(import.meta.dirname, '..', '..', 'docs', 'reliability.md');
  const text = readFileSync(path, 'utf8');
  const [start, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
  const head = text.slice(0, text.indexOf(start) + start.length);
  const header = name === 'single' ? '| request | fault |' : '| faults |';
  const rule = header.replace(/[^|]+/g, ' --- ');
  const table = [`${header} ends | ID token · token · GET · upload | entries |`, `${rule} --- | --- | --- |`, ...rows];
  writeFileSync(path, `${head}\n\n${table.join('\n')}\n\n${text.slice(text.indexOf(end))}`);
}
