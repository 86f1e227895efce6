/** What keeps this repository's own workflows safe, and what the two actions promise the runner and whoever reviews dist/. */
import { describe, expect, test } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { changelogSection, checkSbom, tagsOf } from '../scripts/release.ts';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'timeout-minutes'?: number;
  readonly if?: string;
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
  'release.yml publish': ['contents', 'id-token', 'attestations'],
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
      expect(line).toMatch(/uses: (?:\.\/(?:check)?|[\w.-]+(?:\/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/);
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

test('the linters find nothing', () => {
  const printed = execFileSync(process.execPath, ['scripts/lint-workflows.ts'], { cwd: root, encoding: 'utf8' });
  expect(printed).toMatch(/nothing to say/);
});

/** The schema of action files, as GitHub publishes it, has the icons and the colours. */
const { definitions } = JSON.parse(read('node_modules/@actions/workflow-parser/dist/action-v1.0.min.json')) as {
  definitions: Record<'branding-icon' | 'branding-color', { 'allowed-values': string[] }>;
};

test.each(['action.yml', 'check/action.yml'])('%s: what the Marketplace and the runner ask for', (file) => {
  const action = parse(read(file)) as {
    readonly name: string;
    readonly description: string;
    readonly branding: { readonly icon: string; readonly color: string };
    readonly runs: Readonly<Record<string, string>>;
  };
  expect(definitions['branding-icon']['allowed-values']).toContain(action.branding.icon);
  expect(definitions['branding-color']['allowed-values']).toContain(action.branding.color);
  expect(action.runs['using']).toBe('node24');
  expect(Object.keys(action.runs)).toEqual(['using', 'main']);
  expect(action.name.length).toBeGreaterThan(0);
  expect(action.description.length).toBeGreaterThan(0);
});

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

describe('scripts/release.ts', () => {
  const CHANGELOG =
    '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n\n### Added\n\n- This.\n\n## [1.2.2] - 2026-01-01\n\n[1.2.3]: https://example.com\n';

  test('a version has a tag that stays and one that moves', () => {
    expect(tagsOf('1.2.3')).toEqual({ fixed: 'v1.2.3', floating: 'v1' });
  });

  test.each(['', 'v1.2.3', '1.2', '1.2.3-rc.1', '01.2.3', '1.2.3\n', '1.2.3; exit'])('%j is no version', (version) => {
    expect(() => tagsOf(version)).toThrow('is no version of the form 1.2.3');
  });

  test('the notes are the section of the changelog', () => {
    expect(changelogSection(CHANGELOG, '1.2.3')).toBe('### Added\n\n- This.\n');
  });

  test.each([
    ['1.2.4', 'has no section'],
    ['1.2.2', 'lists nothing'],
    ['Unreleased', 'does not end in a date'],
  ])('no notes for %s', (version, message) => {
    expect(() => changelogSection(CHANGELOG, version)).toThrow(message);
  });

  test('CHANGELOG.md says what is not released yet', () => {
    expect(read('CHANGELOG.md')).toContain('\n## [Unreleased]\n');
  });

  const sbom = (component: object): string =>
    JSON.stringify({
      bomFormat: 'CycloneDX',
      metadata: { component: { purl: 'pkg:npm/ours@1.2.3' } },
      components: [component],
    });
  const ours = { name: 'ours', dependencies: { undici: '8.0.0' } };

  test('an SBOM names each dependency at its version', () => {
    expect(checkSbom(sbom({ name: 'undici', version: '8.0.0' }), ours)).toBe(1);
    expect(() => checkSbom(sbom({ name: 'undici', version: '7.0.0' }), ours)).toThrow('lacks undici 8.0.0');
    expect(() => checkSbom(sbom({}), { ...ours, name: 'theirs' })).toThrow('is not of theirs');
    expect(() => checkSbom('{}', ours)).toThrow('not of CycloneDX');
  });
});
