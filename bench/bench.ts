/**
 * `npm run bench [-- --quick]`: compares the committed bundle with the barest script that does the same upload, in one
 * run and in interleaved pairs, so that whatever else the machine does falls on both. Writes bench/results.md.
 */
import { createHash, randomUUID } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem, type } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import { clientCertificate } from '../emulator/certificates.ts';
import { Emulator, GLOBAL, VAULT } from '../emulator/emulator.ts';
import { pfxOf, USUAL_ITERATIONS } from '../emulator/pfx.ts';
import { openPkcs12 } from '../src/pkcs12/open.ts';
import { hasTime, measure, type Measured } from './child.ts';
import { DelayLine } from './delay-line.ts';
import { figures, median, number, spread, table, times, verdict } from './figures.ts';
import { HOSTS_OPTION, leadHere, runAgainInside } from './private-hosts.ts';

/** What is asked of the medians, and of the ratios of medians. */
const AIMS = {
  /** Times the barest script's time, by round trip in milliseconds. */
  directly: new Map([[20, 1.1]]),
  proxy: new Map([[20, 1.1]]),
  /** In all, at {@link FAR} milliseconds each, where noise does not count; by row of the table. */
  roundTrips: new Map([
    ['directly', 6],
    ['proxy', 7],
    ['directly, key vault', 7],
  ]),
  /** Milliseconds more than `node -e 0`. */
  loading: 100,
  /** MB. */
  bundle: 2.5,
  /** Times the barest script's. */
  memory: 1.3,
  /** 100 connectors, times the time of one. */
  hundred: 8,
  /** Milliseconds from the last output to the end. */
  tail: 50,
};
const ROUND_TRIPS = [0, 20, 60, 150];
const FAR = 1000;
const CONNECTORS = [1, 10, 100];

const BAREST = join(import.meta.dirname, 'barest.mjs');
const RESULTS = join(import.meta.dirname, 'results.md');
const PASSWORD = 'throw-away password of the bench';
const NOT_DIRECTLY =
  '**Without the proxy nothing was measured:** that takes Linux, root and `unshare -m`, for a hosts file of its own.';

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, [HOSTS_OPTION]: { type: 'string' } },
});
const hostsFile = options[HOSTS_OPTION];
/** How many runs of each, where so many are usual. */
const runs = (usual: number): number => (options.quick ? 3 : usual);

/** How the children reach the services, and how far away those are. */
interface Way {
  readonly name: 'directly' | 'proxy';
  readonly title: string;
  readonly line: DelayLine;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The bundle with a .pfx, the bundle with a certificate in a key vault, or the barest script, which has a .pfx. */
type Program = 'bundle' | 'vault' | 'barest';
type Upload = Measured & { readonly requests: number };

/** A copy of dist/, so that it is one bundle from the first run to the last, whoever builds meanwhile. */
const COPY = join(tmpdir(), `bench-dist-${randomUUID()}`);
const BUNDLE = join(COPY, 'upload.js');
const bundleFiles = (): readonly string[] =>
  readdirSync(COPY)
    .filter((name) => name.endsWith('.js'))
    .sort()
    .map((name) => join(COPY, name));

const again = hostsFile === undefined ? runAgainInside() : undefined;
if (again === undefined) {
  try {
    cpSync(resolve(import.meta.dirname, '../dist'), COPY, { recursive: true });
    await bench();
  } finally {
    rmSync(COPY, { recursive: true, force: true });
  }
} else {
  process.exitCode = again;
}

async function bench(): Promise<void> {
  const emulator = await Emulator.start();
  const certificate = await clientCertificate();
  emulator.addVaultCertificate('api-connector', certificate);
  const file = { pfx: pfxOf(certificate, PASSWORD, '3des', USUAL_ITERATIONS).toString('base64'), password: PASSWORD };
  const vault = {
    'key-vault-certificate': `https://${VAULT.name}.vault.azure.net/certificates/api-connector`,
    'key-vault-client-id': VAULT.clientId,
  };

  /** One upload to connectors that have no certificate yet; throws unless all of them have it afterwards. */
  async function upload(program: Program, way: Way, count: number, memory: boolean): Promise<Upload> {
    const ids = Array.from({ length: count }, () => randomUUID());
    emulator.graph.connectors.clear();
    for (const id of ids) emulator.addConnector({ id });
    const before = { requests: emulator.requests.length, connects: emulator.connects.length };
    const measured = await measure({
      emulator,
      memory,
      with: {
        'tenant-id': GLOBAL.tenantId,
        'client-id': GLOBAL.clientId,
        'connector-id': ids.join('\n'),
        ...(program === 'vault' ? vault : file),
      },
      // Node's fetch looks at HTTPS_PROXY only where it is told to.
      env: { ...way.env, ...(program === 'barest' && way.name === 'proxy' ? { NODE_USE_ENV_PROXY: '1' } : {}) },
      arguments: [program === 'barest' ? BAREST : BUNDLE],
    });
    const landed = ids.every((id) => emulator.certificates(id).join() === certificate.thumbprint);
    if (measured.exitCode !== 0 || !landed) {
      const what = `exit code ${measured.exitCode ?? 'none'}, certificate ${landed ? 'uploaded' : 'not uploaded'}`;
      throw new Error(`${program}, ${way.title}: ${what}\n${measured.output}`);
    }
    if (emulator.connects.length > before.connects !== (way.name === 'proxy')) {
      throw new Error(`${program}, ${way.title}: it went another way.`);
    }
    return { ...measured, requests: emulator.requests.length - before.requests };
  }

  const ways: Way[] = [];
  try {
    ways.push(...(await waysTo(emulator)));
    const sections = [
      heading(),
      ...(hostsFile === undefined ? [NOT_DIRECTLY] : []),
      await uploads(ways, upload),
      await roundTrips(ways, upload),
      await loading(),
      await connectors(ways, upload),
      await opening(),
    ];
    const text = await format(sections.join('\n\n'), { parser: 'markdown' });
    writeFileSync(RESULTS, text);
    console.log(`\n${text}`);
  } finally {
    for (const { line } of ways) await line.stop();
    await emulator.stop();
  }
}

async function waysTo(emulator: Emulator): Promise<Way[]> {
  const proxy = await DelayLine.start({ target: Number(new URL(emulator.proxyUrl).port) });
  const throughProxy: Way = {
    name: 'proxy',
    title: 'Through a proxy, as behind a company’s',
    line: proxy,
    env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` },
  };
  if (hostsFile === undefined) {
    console.log(NOT_DIRECTLY);
    return [throughProxy];
  }
  await leadHere(hostsFile, emulator.hosts);
  return [
    {
      name: 'directly',
      title: 'Directly, as on a hosted runner',
      line: await DelayLine.start({ port: 443, target: emulator.port }),
      env: { HTTPS_PROXY: undefined },
    },
    throughProxy,
  ];
}

function heading(): string {
  const { model = 'unknown' } = cpus()[0] ?? {};
  const memory = (totalmem() / 2 ** 30).toFixed(1);
  const digest = createHash('sha256');
  for (const file of bundleFiles()) digest.update(readFileSync(file));
  return `# The bundle beside the bare minimum

Written by \`npm run bench${options.quick ? ' -- --quick' : ''}\` on ${new Date().toISOString().slice(0, 10)}${options.quick ? '. **A quick run: three of each, good for a first look only**' : ''}.

- Machine: ${model}, ${cpus().length} cores, ${memory} GiB, ${type()} ${release()}, Node ${process.version}
- Bundle: \`node dist/upload.js\`; SHA-256 of \`cat dist/*.js\`: \`${digest.digest('hex')}\`
- Beside it: \`node bench/barest.mjs\`, the three requests of an upload one after the other by Node’s own fetch, nothing checked; through a proxy with \`NODE_USE_ENV_PROXY=1\`. \`node -e 0\` where it is about loading.
- Both get a runner’s environment, and talk TLS to the emulator on this machine over a delay line: connecting costs one round trip, each byte half of one in each direction. Bandwidth, loss and the lookup of names cost nothing.
- Every run uploads a certificate that was not there before (the bundle looks before), and counts only if it landed.
- Times are from the start of the process to its end, as median (minimum–maximum). Runs alternate, after one of each that is not counted. “Ratio” is of the medians, and the one that the aim is about; “of pairs” is the median of the ratios of neighbours.`;
}

/** A and B in turn, `n` times after one pair that is not counted. */
async function pairs<T>(n: number, a: () => Promise<T>, b: () => Promise<T>): Promise<{ a: T[]; b: T[] }> {
  await a();
  await b();
  const results = { a: [] as T[], b: [] as T[] };
  for (let i = 0; i < n; i++) {
    results.a.push(await a());
    results.b.push(await b());
  }
  return results;
}

type Uploader = (program: Program, way: Way, count: number, memory: boolean) => Promise<Upload>;

async function uploads(ways: readonly Way[], upload: Uploader): Promise<string> {
  const texts: string[] = [];
  const tails: string[][] = [];
  for (const way of ways) {
    const rows: string[][] = [];
    for (const roundTrip of ROUND_TRIPS) {
      progress(`${way.title}, ${roundTrip} ms`);
      way.line.roundTrip = roundTrip;
      const { a, b } = await pairs(
        runs(roundTrip > 100 ? 9 : 15),
        () => upload('bundle', way, 1, false),
        () => upload('barest', way, 1, false),
      );
      const [bundle, barest] = [figures(a.map(({ wall }) => wall)), figures(b.map(({ wall }) => wall))];
      const ratio = bundle.median / barest.median;
      rows.push([
        `${roundTrip} ms`,
        `${bundle.n}`,
        spread(bundle),
        spread(barest),
        times(ratio),
        times(median(a.map(({ wall }, i) => wall / (b[i]?.wall ?? NaN)))),
        verdict(ratio, AIMS[way.name].get(roundTrip), '×'),
      ]);
      const tail = figures(a.map((run) => run.tail));
      const bare = figures(b.map((run) => run.tail));
      tails.push([
        `${way.name}, ${roundTrip} ms`,
        `${tail.n}`,
        spread(tail),
        spread(bare),
        verdict(tail.median, AIMS.tail, 'ms'),
      ]);
    }
    const head = ['round trip', 'n', 'bundle, ms', 'barest, ms', 'ratio', 'of pairs', 'aim'];
    texts.push(`## ${way.title}\n\n${table(head, rows)}`);
  }
  return [
    ...texts,
    '## From the last output to the end\n\nFrom the last byte on stdout to the exit, in the runs above. What the barest script takes is Node’s own.',
    table(['way, round trip', 'n', 'bundle, ms', 'barest, ms', 'aim'], tails),
  ].join('\n\n');
}

async function roundTrips(ways: readonly Way[], upload: Uploader): Promise<string> {
  const rows: string[][] = [];
  for (const way of ways) {
    progress(`${way.title}, ${FAR} ms`);
    const bundle = await waitsFor(way, upload, 'bundle');
    const barest = await waitsFor(way, upload, 'barest');
    const vault = await waitsFor(way, upload, 'vault');
    rows.push(roundTripsRow(way.name, bundle, barest.toFixed(1)));
    rows.push(roundTripsRow(`${way.name}, key vault`, vault, '–'));
  }
  return [
    '## Round trips',
    `What one upload takes at ${FAR} ms a round trip more than at 0 ms, in round trips; two runs of each. “Key vault”: the certificate is in one, in a tenant of its own, and another application reads it.`,
    table(['way', 'bundle', 'barest', 'aim'], rows),
  ].join('\n\n');
}

/** How many round trips one upload waits for: what it takes more when each takes a second more. */
async function waitsFor(way: Way, upload: Uploader, program: Program): Promise<number> {
  const walls: number[] = [];
  for (const roundTrip of [0, FAR]) {
    way.line.roundTrip = roundTrip;
    const results = [await upload(program, way, 1, false), await upload(program, way, 1, false)];
    walls.push(median(results.map(({ wall }) => wall)));
  }
  return ((walls[1] ?? NaN) - (walls[0] ?? NaN)) / FAR;
}

function roundTripsRow(name: string, bundle: number, barest: string): string[] {
  return [name, bundle.toFixed(1), barest, verdict(Math.round(bundle), AIMS.roundTrips.get(name), 'round trips')];
}

async function loading(): Promise<string> {
  progress('Loading');
  const { a, b } = await pairs(
    runs(15),
    async () => {
      const measured = await measure({ with: {}, arguments: [BUNDLE] });
      if (measured.exitCode !== 1 || !measured.output.includes('INPUT_MISSING')) {
        throw new Error(`Without inputs the bundle does not say INPUT_MISSING:\n${measured.output}`);
      }
      return measured.wall;
    },
    async () => {
      const measured = await measure({ with: {}, arguments: ['-e', '0'] });
      if (measured.exitCode !== 0) throw new Error(`node -e 0 fails:\n${measured.output}`);
      return measured.wall;
    },
  );
  const [bundle, bare] = [figures(a), figures(b)];
  const more = bundle.median - bare.median;
  const size = bundleFiles().reduce((sum, file) => sum + readFileSync(file).length, 0) / 1e6;
  return [
    '## Loading\n\nThe bundle without inputs, which ends with `INPUT_MISSING`, beside `node -e 0`.',
    table(
      ['n', 'bundle, ms', '`node -e 0`, ms', 'difference of medians, ms', 'of pairs, ms', 'ratio', 'aim'],
      [
        [
          `${bundle.n}`,
          spread(bundle),
          spread(bare),
          number(more),
          number(median(a.map((time, i) => time - (b[i] ?? NaN)))),
          times(bundle.median / bare.median),
          verdict(more, AIMS.loading, 'ms'),
        ],
      ],
    ),
    `The size of \`dist/*.js\` is ${size.toFixed(2)} MB (aim ${verdict(size, AIMS.bundle, 'MB')}).`,
  ].join('\n\n');
}

async function connectors(ways: readonly Way[], upload: Uploader): Promise<string> {
  const title = '## Many connectors, and memory';
  const way = ways.find(({ name }) => name === 'directly');
  if (!way) return `${title}\n\n${NOT_DIRECTLY}`;
  const rows: string[][] = [];
  for (const roundTrip of [60, 0]) {
    progress(`Many connectors, ${roundTrip} ms`);
    way.line.roundTrip = roundTrip;
    const barest: Upload[] = [];
    const bundle = CONNECTORS.map((count) => ({ count, results: [] as Upload[] }));
    for (let round = 0; round <= runs(9); round++) {
      for (const { count, results } of bundle) results.push(await upload('bundle', way, count, true));
      barest.push(await upload('barest', way, 1, true));
    }
    const all = [...bundle.map(({ results }) => results), barest];
    for (const results of all) results.shift();

    const [one = NaN] = bundle.map(({ results }) => median(results.map(({ wall }) => wall)));
    const peaks = (results: readonly Upload[]): number[] => results.flatMap(({ peak }) => peak ?? []);
    const bare = peaks(barest);
    for (const { count, results } of [...bundle, { count: 'barest, 1', results: barest }]) {
      const wall = figures(results.map((result) => result.wall));
      const requests = figures(results.map((result) => result.requests));
      const measured = peaks(results);
      const memory = measured.length > 0 && bare.length > 0 ? median(measured) / median(bare) : undefined;
      const ofBundle = results !== barest;
      rows.push([
        `${roundTrip} ms`,
        `${count}`,
        `${wall.n}`,
        spread(wall),
        ofBundle ? times(wall.median / one) : '–',
        verdict(wall.median / one, count === 100 && roundTrip === 60 ? AIMS.hundred : undefined, '×'),
        requests.min === requests.max ? `${requests.min}` : `${requests.min}–${requests.max}`,
        measured.length > 0 ? spread(figures(measured)) : '–',
        memory !== undefined && ofBundle ? times(memory) : '–',
        memory !== undefined && ofBundle ? verdict(memory, AIMS.memory, '×') : '–',
      ]);
    }
  }
  const how = hasTime ? 'as `/usr/bin/time -f %M` tells it' : 'the highest `VmHWM`, looked at every 5 ms';
  const head = [
    ...['round trip', 'connectors', 'n', 'ms', 'of one', 'aim', 'requests'],
    ...['peak memory, MiB', 'of the barest', 'aim'],
  ];
  return `${title}\n\nDirectly. Peak memory is the most that was resident at a time, ${how}.\n\n${table(head, rows)}`;
}

async function opening(): Promise<string> {
  const certificate = await clientCertificate();
  const rows = (
    [
      ['3DES', '3des', 2048],
      ['AES-256', 'aes256', 2048],
      ['AES-256', 'aes256', 600_000],
    ] as const
  ).map(([name, kind, iterations]) => {
    progress(`Opening ${name}, ${iterations} iterations`);
    const file = pfxOf(certificate, PASSWORD, kind, iterations);
    const [first = NaN, ...warm] = Array.from({ length: 1 + runs(5) }, () => {
      const started = performance.now();
      const [opened] = openPkcs12(file, PASSWORD).certificates;
      const took = performance.now() - started;
      if (opened?.certificate.fingerprint.replaceAll(':', '') !== certificate.thumbprint)
        throw new Error(`${name} opens to another certificate.`);
      return took;
    });
    return [name, `${iterations}`, number(first), `${warm.length}`, spread(figures(warm))];
  });
  const text = 'In one process, with the sources. The first opening is what a step pays; the others follow it.';
  return `## Opening a .pfx\n\n${text}\n\n${table(['encryption', 'iterations', 'first, ms', 'n', 'ms'], rows)}`;
}

function progress(text: string): void {
  console.log(`${text} …`);
}
