/** What keeps this repository's own workflows safe, and what the actions promise the runner and whoever reviews dist/. */
import { describe, expect, test } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'timeout-minutes'?: number;
  readonly if?: string;
  readonly needs?: string | readonly string[];
  readonly environment?: string;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions?: unknown;
  readonly concurrency?: { readonly group?: string; readonly 'cancel-in-progress'?: unknown };
  readonly env?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

interface LockedPackage {
  readonly version: string;
  readonly dev?: boolean;
}

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const FOLDER = '.github/workflows';
const NAMES = readdirSync(join(root, FOLDER));

/** What a job may write. Whoever adds to it has to say so here. */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  'codeql.yml analyze': ['security-events'],
  'dependabot-dist-commit.yml commit': ['contents'],
  'release.yml attest': ['id-token', 'attestations'],
  'release.yml publish': ['contents'],
  'scorecard.yml analyze': ['id-token', 'security-events'],
};

describe.each(NAMES)('%s', (name) => {
  const text = read(`${FOLDER}/${name}`);
  const workflow = parse(text) as Workflow;
  const jobs = Object.entries(workflow.jobs);
  const steps = jobs.flatMap(([, job]) => job.steps);

  test('each action is pinned to a full commit, with its version beside it', () => {
    const lines = text.split('\n').filter((line) => /^\s*(?:- )?uses:/.test(line));
    expect(lines).toHaveLength(steps.filter(({ uses }) => uses !== undefined).length);
    for (const line of lines) {
      expect(line).toMatch(/uses: (?:\.\/[a-z]*|[\w.-]+(?:\/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/);
    }
  });

  test('it may do nothing, and each job as little as it needs', () => {
    expect(workflow.permissions).toEqual({});
    for (const [id, { permissions = {} }] of jobs) {
      expect([id, Object.keys(permissions).length > 0]).toEqual([id, true]);
      const written = Object.keys(permissions).filter((scope) => permissions[scope] !== 'read');
      expect(written).toEqual(WRITES[`${name} ${id}`] ?? []);
    }
  });

  test('each job ends some time, and two runs do not get in each other’s way', () => {
    for (const [id, job] of jobs) {
      const minutes = job['timeout-minutes'] ?? Infinity;
      expect([id, minutes <= 45]).toEqual([id, true]);
    }
    expect(workflow.concurrency).toEqual({
      group: expect.any(String) as unknown,
      'cancel-in-progress': expect.anything() as unknown,
    });
  });

  test('no checkout leaves a token behind', () => {
    for (const step of steps.filter(({ uses }) => uses?.startsWith('actions/checkout@'))) {
      expect(step.with?.['persist-credentials']).toBe(false);
    }
  });

  test('no cache is read or written', () => {
    for (const step of steps.filter(({ uses }) => uses?.startsWith('actions/setup-node@'))) {
      expect(step.with?.['package-manager-cache']).toBe(false);
      expect(step.with).not.toHaveProperty('cache');
    }
  });

  test('nothing is put into the text of a script', () => {
    for (const { run = '' } of steps) expect(run).not.toContain('${{');
  });

  test('no install script of a package runs', () => {
    for (const { run = '' } of steps) {
      expect(run).not.toMatch(/npm (?:cit|i|install|install-test)\b|npm ci(?! --ignore-scripts)/);
    }
  });

  test('a job that may write or sign installs nothing and runs no script of a package', () => {
    for (const [id, { steps: own }] of jobs) {
      if (!(`${name} ${id}` in WRITES)) continue;
      for (const { run = '' } of own) expect(run).not.toMatch(/\b(?:npm|npx|yarn|pnpm|pip|pipx|go)\b/);
    }
  });

  test('no trigger gives a pull request’s code a token that may write', () => {
    expect(Object.keys(workflow.on)).not.toContain('pull_request_target');
    expect(text).not.toContain('secrets.');
    if ('pull_request' in workflow.on) {
      // security-events is the one that GitHub takes from the pull requests of forks by itself.
      const written = jobs.flatMap(([id]) => WRITES[`${name} ${id}`] ?? []);
      expect(written.filter((scope) => scope !== 'security-events')).toEqual([]);
    }
  });
});

test('whoever may write for a pull request of Dependabot’s runs nothing of it', () => {
  const triggered = NAMES.filter((name) => 'workflow_run' in (parse(read(`${FOLDER}/${name}`)) as Workflow).on);
  expect(triggered).toEqual(['dependabot-dist-commit.yml']);
  const { commit } = (parse(read(`${FOLDER}/dependabot-dist-commit.yml`)) as Workflow).jobs;
  const steps = commit?.steps ?? [];
  expect(steps.flatMap(({ uses = [] }) => uses).map((uses) => uses.split('@')[0])).toEqual([
    'actions/download-artifact',
  ]);
  for (const { run = '' } of steps) expect(run).not.toMatch(/\b(?:node|npm|npx|git|bash|sh|source|eval)\b/);
  expect(commit?.if).toContain('github.event.workflow_run.head_repository.full_name == github.repository');
  expect(commit?.if).toContain("startsWith(github.event.workflow_run.head_branch, 'dependabot/npm_and_yarn/')");
});

test('the names that are accepted for a dist/ of Dependabot’s are those of dist/, and no path', () => {
  const { commit } = (parse(read(`${FOLDER}/dependabot-dist-commit.yml`)) as Workflow).jobs;
  const scripts = (commit?.steps ?? []).map(({ run = '' }) => run).join('\n');
  const pattern = /=~ (\^\S+\$) /.exec(scripts)?.[1] ?? '';
  const accepted = (name: string): boolean =>
    spawnSync('bash', ['--norc', '-c', '[[ "$1" =~ $2 ]]', 'bash', name, pattern]).status === 0;
  const names = readdirSync(join(root, 'dist'));
  expect(names.filter(accepted)).toEqual(names);
  expect(['a/main.js', '../main.js', '.js', '-x.js', 'main.js\n', 'action.yml', 'main.sh'].filter(accepted)).toEqual(
    [],
  );
});

describe('release.yml', () => {
  const { check, build, attest, publish } = (parse(read(`${FOLDER}/release.yml`)) as Workflow).jobs;
  const uses = (job: Job | undefined): string[] =>
    (job?.steps ?? []).flatMap(({ uses: action }) => (action === undefined ? [] : [action.split('@')[0] ?? '']));

  test('dist/ is built by it, and compared where no package runs', () => {
    expect(build?.steps.map(({ run }) => run)).toContain('npm run build -- "$RUNNER_TEMP/built"');
    expect(build?.steps.at(-1)?.with).toMatchObject({ name: 'built' });
    expect(check?.permissions).toEqual({ contents: 'read' });
    expect(build?.permissions).toEqual({ contents: 'read' });
    expect(attest?.steps.flatMap(({ run = [] }) => run)).toEqual([
      'node scripts/release.ts "$VERSION" --dry-run --built "$RUNNER_TEMP/built"',
    ]);
  });

  test('everything that runs is attested, once that has been compared', () => {
    const signing = attest?.steps.filter(({ uses: action }) => action?.startsWith('actions/attest@')) ?? [];
    expect(signing.map(({ with: inputs }) => inputs)).toEqual([
      { 'subject-checksums': 'reports/release/files.sha256' },
      { 'subject-checksums': 'reports/release/files.sha256', 'sbom-path': 'reports/release/sbom.cdx.json' },
    ]);
    expect(uses(attest).indexOf('actions/download-artifact')).toBeLessThan(uses(attest).indexOf('actions/attest'));
    expect([attest?.needs, attest?.environment, publish?.needs]).toEqual([['check', 'build'], 'release', 'attest']);
  });
});

test('each script is one that bash can read', () => {
  for (const name of NAMES) {
    for (const { steps } of Object.values((parse(read(`${FOLDER}/${name}`)) as Workflow).jobs)) {
      for (const { run } of steps) {
        if (run === undefined) continue;
        const { status, stderr } = spawnSync('bash', ['-n'], { input: run, encoding: 'utf8' });
        expect([name, status, stderr]).toEqual([name, 0, '']);
      }
    }
  }
});

test('every script that people start has a name in package.json, and CONTRIBUTING.md says what it is for', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const commands = Object.values(scripts).join('\n');
  const files = readdirSync(join(root, 'scripts')).filter((name) => /\.(?:ts|sh)$/.test(name));
  expect(files.filter((name) => !commands.includes(`scripts/${name}`))).toEqual([]);
  const contributing = read('CONTRIBUTING.md');
  const names = Object.keys(scripts).filter((name) => name !== 'test');
  expect(names.filter((name) => !contributing.includes(`npm run ${name}`))).toEqual([]);
});

test('the linters find nothing', () => {
  const printed = execFileSync(process.execPath, ['scripts/lint-workflows.ts'], { cwd: root, encoding: 'utf8' });
  expect(printed).toMatch(/nothing to say/);
});

/** The schema of action files, as GitHub publishes it, has the icons and the colours. */
const { definitions } = JSON.parse(read('node_modules/@actions/workflow-parser/dist/action-v1.0.min.json')) as {
  definitions: Record<'branding-icon' | 'branding-color', { 'allowed-values': string[] }>;
};

test.each(globSync(['action.yml', '*/action.yml'], { cwd: root }))(
  '%s: what the Marketplace and the runner ask for',
  (file) => {
    const action = parse(read(file)) as {
      readonly name: string;
      readonly description: string;
      readonly branding: { readonly icon: string; readonly color: string };
      readonly runs: Readonly<Record<string, string>>;
    };
    expect(definitions['branding-icon']['allowed-values']).toContain(action.branding.icon);
    expect(definitions['branding-color']['allowed-values']).toContain(action.branding.color);
    expect(action.runs['using']).toBe('node24');
    expect(['using', 'main', 'post', 'post-if']).toEqual(expect.arrayContaining(Object.keys(action.runs)));
    expect(action.name.length).toBeGreaterThan(0);
    expect(action.description.length).toBeGreaterThan(0);
  },
);

/**
 * Whose code is in dist/ is read from dist/: a package is there where a line of its code is that no other package has.
 * Packages that nothing of is left of (docs/architecture.md, "What loading costs": Octokit, @actions/http-client and
 * others) need no licence there, though package-lock.json has them.
 */
describe('dist/licenses.txt', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockedPackage> };
  const installed = Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path]) => ({ path, name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length) }));
  const inDist = packagesIn(
    readdirSync(join(root, 'dist'))
      .filter((name) => name.endsWith('.js'))
      .map((name) => read(join('dist', name)))
      .join('\n'),
  );
  /** Name, then licence, then its text. */
  const sections = new Map<string, string>();
  const names = new Set(installed.map(({ name }) => name));
  let current = '';
  for (const line of read('dist/licenses.txt').split('\n')) {
    if (names.has(line)) current = line;
    else if (current !== '') sections.set(current, `${sections.get(current) ?? ''}${line}\n`);
  }

  /** The packages of which a line of their own stands in a text. */
  function packagesIn(text: string): string[] {
    const bundled = new Set(text.split('\n').map((line) => line.trim()));
    const owners = new Map<string, Set<string>>();
    for (const { path, name } of installed) {
      for (const file of readdirSync(join(root, path), { recursive: true }) as string[]) {
        if (!/\.[cm]?js$/.test(file) || file.includes('node_modules')) continue;
        for (const line of read(join(path, file)).split('\n')) {
          const code = line.trim();
          if (code.length < 30 || /^[/*]/.test(code) || !bundled.has(code)) continue;
          owners.set(code, (owners.get(code) ?? new Set()).add(name));
        }
      }
    }
    const own = [...owners.values()].filter(({ size }) => size === 1).flatMap((set) => [...set]);
    return [...new Set(own)].sort();
  }

  test('the direct dependencies are in the bundle', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    expect(inDist).toEqual(expect.arrayContaining(Object.keys(dependencies)));
  });

  test('it has the licence of each package whose code is in the bundle, and of no other', () => {
    expect([...sections.keys()].sort()).toEqual(inDist);
  });

  test.each([...sections])('%s: the licence and its text', (_, section) => {
    expect(section).toMatch(/^(?:MIT|ISC|Apache-2\.0|BSD-3-Clause)\n/);
    expect(section.length).toBeGreaterThan(400);
  });
});
