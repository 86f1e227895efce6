/**
 * What a release checks, and that it is all or nothing: scripts/release.ts and the commands of SECURITY.md run in a small
 * repository, with a stand-in for `gh` that keeps tags and releases as files and can fail at any call.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import {
  changelogSection,
  checkEntries,
  checkPublisher,
  checkSbom,
  checkVersions,
  isLower,
  tagsOf,
} from '../scripts/release.ts';

const root = join(import.meta.dirname, '..');
const CHANGELOG =
  '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-01-02\n\n### Added\n\n- This.\n\n## [1.2.2] - 2026-01-01\n\n- That.\n\n[1.2.3]: https://example.com\n';

describe('the rules of a release', () => {
  test('a version has a tag that stays and one that moves', () => {
    expect(tagsOf('1.2.3')).toEqual({ fixed: 'v1.2.3', floating: 'v1' });
  });

  test.each(['', 'v1.2.3', '1.2', '1.2.3-rc.1', '01.2.3', '1.2.3\n', '1.2.3; exit'])('%j is no version', (version) => {
    expect(() => tagsOf(version)).toThrow('is no version of the form 1.2.3');
  });

  test('versions are compared as numbers', () => {
    expect(isLower('v1.9.9', 'v1.10.0')).toBe(true);
    expect(isLower('v1.10.0', 'v1.9.9')).toBe(false);
    expect(isLower('v1.2.3', 'v1.2.3')).toBe(false);
  });

  test('every place that has a version has this one', () => {
    expect(() => {
      checkVersions('1.2.3', { 'package.json': '1.2.3', 'src/version.ts': '1.2.3' });
    }).not.toThrow();
    expect(() => {
      checkVersions('1.2.3', { 'package.json': '1.2.2', 'src/version.ts': undefined });
    }).toThrow('package.json has 1.2.2, not 1.2.3.\nsrc/version.ts has no version, not 1.2.3.');
  });

  test('the notes are the section of the changelog', () => {
    expect(changelogSection(CHANGELOG, '1.2.3')).toBe('### Added\n\n- This.\n');
  });

  test.each([
    [CHANGELOG, '1.2.4', 'has no section'],
    [CHANGELOG, '1.2.2', 'is not its newest version'],
    [CHANGELOG.replace('- This.', 'This.'), '1.2.3', 'lists nothing'],
    [CHANGELOG.replace(' - 2026-01-02', ''), '1.2.3', 'does not end in a date'],
  ])('no notes: %#', (changelog, version, message) => {
    expect(() => changelogSection(changelog, version)).toThrow(message);
  });

  test('CHANGELOG.md says what is not released yet', () => {
    expect(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')).toContain('\n## [Unreleased]\n');
  });

  test.each(['OWNER', 'PUBLISHER'])('no release while %s stands for the publisher', (placeholder) => {
    const action = (publisher: string): ReadonlyMap<string, string> =>
      new Map([['README.md', `# Title\n\nuses: ${publisher}/upload-api-connector-certificate/check@v1\n`]]);
    expect(() => {
      checkPublisher(action(placeholder));
    }).toThrow('README.md:3');
    expect(() => {
      checkPublisher(action('octo-org'));
    }).not.toThrow();
  });

  test.each([
    ['action.yml', 'dist/upload.js', true],
    ['check/action.yml', '../dist/upload.js', true],
    ['check/action.yml', "'../dist/upload.js'", true],
    ['check/action.yml', 'dist/upload.js', false],
    ['action.yml', 'lib/upload.js', false],
  ])('%s may start %s: %s', (action, main, accepted) => {
    const check = (): void => {
      checkEntries(new Map([['dist/upload.js', '']]), new Map([[action, `runs:\n  using: node24\n  main: ${main}\n`]]));
    };
    if (accepted) expect(check).not.toThrow();
    else expect(check).toThrow('which is not committed');
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

/** Keeps a tag as a file with its commit, and answers as `gh` does with the `--jq` that is asked for. */
const GH = `#!/usr/bin/env bash
set -eu
cd "$GH_STATE"
echo "$*" >> calls
number=$(wc -l < calls)
if [ "$number" = "\${FAIL_BEFORE:-}" ]; then echo 'gh: HTTP 502' >&2; exit 1; fi
value() { for arg in "$@"; do case "$arg" in "$key="*) echo "\${arg#"$key="}" ;; esac; done; }
case "$*" in
  'api --paginate repos/octo-org/action/git/matching-refs/tags/'*)
    prefix=\${3##*/}
    for tag in tags/"$prefix"*; do if [ -f "$tag" ]; then echo "refs/$tag $(cat "$tag")"; fi; done ;;
  'release create '*)
    if [ -f "tags/$3" ]; then echo 'a release with the same tag name already exists' >&2; exit 1; fi
    if [ ! -f "$REPOSITORY/$4" ]; then exit 1; fi
    echo "$6" > "tags/$3"; echo "$3" >> releases ;;
  'api repos/octo-org/action/releases/tags/'*) grep -qx "\${2##*/}" releases; echo "\${IMMUTABLE:-true}" ;;
  'api --method PATCH '*) tag=tags/\${4##*/}; [ -f "$tag" ]; key=sha
    if [ -z "\${STUCK:-}" ]; then value "$@" > "$tag"; fi ;;
  'api --method POST '*) key=ref; ref=$(value "$@"); key=sha; value "$@" > "tags/\${ref##*/}" ;;
  'attestation verify action.yml '*) cat attested ;;
  *) echo "gh: unknown command $*" >&2; exit 1 ;;
esac
if [ "$number" = "\${FAIL_AFTER:-}" ]; then echo 'gh: connection reset' >&2; exit 1; fi
`;

const onPosix = process.platform === 'win32' ? describe.skip : describe;

onPosix('scripts/release.ts, with a stand-in for gh', () => {
  const sandbox = mkdtempSync(join(tmpdir(), 'release-'));
  const repository = join(sandbox, 'repository');
  const state = join(sandbox, 'state');
  const OLD = '0'.repeat(40);
  let commit = '';
  let dryRun: ReturnType<typeof spawnSync>;

  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args], {
      cwd: repository,
      encoding: 'utf8',
    }).trim();
  const env = (more: Record<string, string>): NodeJS.ProcessEnv => ({
    ...process.env,
    PATH: [join(sandbox, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter),
    // Taking the types away takes longer than all the rest of a run.
    NODE_COMPILE_CACHE: join(sandbox, 'compiled'),
    GH_STATE: state,
    GH_REPO: 'octo-org/action',
    REPOSITORY: repository,
    ...more,
  });
  const release = (args: readonly string[], more: Record<string, string> = {}): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, ['scripts/release.ts', ...args], {
      cwd: repository,
      env: env(more),
      encoding: 'utf8',
    });
  const tags = (): Record<string, string> =>
    Object.fromEntries(
      readdirSync(join(state, 'tags')).map((name) => [name, readFileSync(join(state, 'tags', name), 'utf8').trim()]),
    );
  const tag = (name: string, to: string): void => {
    writeFileSync(join(state, 'tags', name), `${to}\n`);
  };
  const calls = (): string[] => readFileSync(join(state, 'calls'), 'utf8').trim().split('\n');
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(repository, path)), { recursive: true });
    writeFileSync(join(repository, path), text);
  };

  beforeAll(() => {
    const manifest = { name: 'ours', version: '1.2.3', type: 'module', dependencies: {} };
    put('package.json', JSON.stringify(manifest));
    put('package-lock.json', JSON.stringify({ ...manifest, lockfileVersion: 3, packages: { '': manifest } }));
    put('src/version.ts', "export const VERSION = '1.2.3';\n");
    put('CHANGELOG.md', CHANGELOG);
    put('README.md', 'uses: octo-org/upload-api-connector-certificate@v1\n');
    put('action.yml', 'runs:\n  using: node24\n  main: dist/upload.js\n');
    put('check/action.yml', 'runs:\n  using: node24\n  main: ../dist/check.js\n');
    put('.gitignore', 'reports/\n');
    for (const name of ['main.js', 'upload.js', 'check.js', 'package.json']) put(`dist/${name}`, `// ${name}\n`);
    cpSync(join(root, 'scripts/release.ts'), join(repository, 'scripts/release.ts'));
    mkdirSync(join(sandbox, 'bin'));
    writeFileSync(join(sandbox, 'bin', 'gh'), GH, { mode: 0o755 });
    git('init', '--quiet');
    git('add', '--all');
    git('commit', '--quiet', '--message', 'Release');
    commit = git('rev-parse', 'HEAD');
    // Writes what every release after it needs.
    mkdirSync(join(sandbox, 'dry-run'));
    dryRun = release(['1.2.3', '--dry-run'], { GH_STATE: join(sandbox, 'dry-run') });
    expect([dryRun.status, dryRun.stderr]).toEqual([0, '']);
  });

  beforeEach(() => {
    rmSync(state, { recursive: true, force: true });
    mkdirSync(join(state, 'tags'), { recursive: true });
    git('reset', '--quiet', '--hard', commit);
    git('clean', '--quiet', '--force', '-d');
  });

  afterAll(() => {
    rmSync(sandbox, { recursive: true, force: true });
  });

  test('a dry run lists the metadata of each action and all of dist/, with their checksums, and asks GitHub nothing', () => {
    const lines = ['action.yml', 'check/action.yml', 'dist/check.js', 'dist/main.js', 'dist/package.json'];
    const checksums = readFileSync(join(repository, 'reports/release/files.sha256'), 'utf8');
    expect(checksums.split('\n').map((line) => line.slice(66))).toEqual([...lines, 'dist/upload.js', '']);
    const digest = createHash('sha256').update('// main.js\n').digest('hex');
    expect(checksums).toContain(`${digest}  dist/main.js\n`);
    expect(dryRun.stdout).toContain(`Would release ${commit}`);
    expect(readdirSync(join(sandbox, 'dry-run'))).toEqual([]);
  });

  test('a release makes the fixed tag first and moves the floating one last', () => {
    tag('v1', OLD);
    tag('v1.2.2', OLD);
    tag('v10.0.0', OLD);
    const { status, stdout } = release(['1.2.3']);
    expect([status, stdout]).toEqual([0, `v1.2.3 is released, and v1 leads to it: ${commit}\n`]);
    expect(tags()).toEqual({ v1: commit, 'v1.2.2': OLD, 'v1.2.3': commit, 'v10.0.0': OLD });
    const order = calls().map((call) => /release create|PATCH|POST/.exec(call)?.[0] ?? 'read');
    expect(order).toEqual(['read', 'release create', 'read', 'read', 'PATCH', 'read']);
  });

  // A call that fails before it takes effect, each in turn; a change whose answer is lost; the first release, where vX is made.
  const CASES: readonly (readonly [string, number, string])[] = [
    ...[1, 2, 3, 4, 5, 6].map((call) => ['FAIL_BEFORE', call, OLD] as const),
    ['FAIL_AFTER', 2, OLD],
    ['FAIL_AFTER', 5, OLD],
    ['FAIL_BEFORE', 5, ''],
    ['FAIL_AFTER', 5, ''],
  ];

  test.each(CASES)(
    '%s call %i, v1 at "%s": red, nothing half made, and the next run finishes it',
    (when, call, before) => {
      if (before !== '') tag('v1', before);
      const failed = release(['1.2.3'], { [when]: String(call) });
      expect(failed.status).not.toBe(0);
      expect(failed.stdout).toBe('');
      // The floating tag is where it was, unless the failed call itself or one before it has moved it, as a whole.
      const moved = when === 'FAIL_AFTER' ? call >= 5 : call > 5;
      expect(tags()['v1']).toBe(moved ? commit : before === '' ? undefined : before);
      if (tags()['v1'] === commit) expect(tags()['v1.2.3']).toBe(commit);

      expect(release(['1.2.3']).status).toBe(0);
      expect(tags()).toEqual({ v1: commit, 'v1.2.3': commit });
      expect(readFileSync(join(state, 'releases'), 'utf8')).toBe('v1.2.3\n');
    },
  );

  test('a release that can be changed does not move the floating tag', () => {
    tag('v1', OLD);
    const { status, stderr } = release(['1.2.3'], { IMMUTABLE: 'false' });
    expect([status, tags()['v1']]).toEqual([1, OLD]);
    expect(stderr).toContain('switch on "Release immutability". v1 has not been moved.');
  });

  test('a floating tag that did not move, though that was answered well, is red', () => {
    tag('v1', OLD);
    const { status, stdout, stderr } = release(['1.2.3'], { STUCK: 'true' });
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`v1 leads to ${OLD}, not to ${commit}.`);
  });

  test.each([
    ['v1.2.3', 'v1.2.3 is there already'],
    ['v1.10.0', 'v1.10.0 is released: v1 would go back to v1.2.3'],
  ])('with %s of another commit, nothing is released', (name, message) => {
    tag(name, OLD);
    const { status, stderr } = release(['1.2.3']);
    expect([status, tags()]).toEqual([1, { [name]: OLD }]);
    expect(stderr).toContain(message);
  });

  test('what is not committed is not released', () => {
    put('README.md', 'Changed\n');
    expect(release(['1.2.3']).stderr).toContain('changes that are not committed');
    expect(existsSync(join(state, 'calls'))).toBe(false);
  });

  const MISTAKES: readonly (readonly [string, string, string, string])[] = [
    [
      'a placeholder in the README',
      'README.md',
      'uses: PUBLISHER/upload-api-connector-certificate@v1\n',
      'README.md:1',
    ],
    ['a placeholder in an example', 'examples/a.yml', 'uses: OWNER/upload-api-connector-certificate@v1\n', 'a.yml:1'],
    ['another version in src/', 'src/version.ts', "export const VERSION = '1.2.4';\n", 'src/version.ts has 1.2.4'],
    ['another main in an action', 'check/action.yml', 'runs:\n  main: ../dist/evil.js\n', 'starts dist/evil.js'],
    ['an action after the checksums', 'action.yml', 'runs:\n  main: dist/check.js\n', 'is not of the files of this'],
    [
      'an entry after the checksums',
      'dist/upload.js',
      "import 'https://example.com';\n",
      'is not of the files of this',
    ],
    ['notes after the check', 'CHANGELOG.md', CHANGELOG.replace('- This.', '- Other.'), 'is not the section'],
  ];

  test.each(MISTAKES)('%s: nothing is asked of GitHub', (_, path, text, message) => {
    put(path, text);
    git('add', '--all');
    git('commit', '--quiet', '--message', 'Change');
    const { status, stderr } = release(['1.2.3']);
    expect([status, existsSync(join(state, 'calls'))]).toEqual([1, false]);
    expect(stderr).toContain(message);
  });

  test('a dist/ that was built elsewhere has to be the committed one, to the byte', () => {
    const built = join(sandbox, 'built');
    cpSync(join(repository, 'dist'), built, { recursive: true });
    expect(release(['1.2.3', '--dry-run', '--built', built]).stdout).toContain('4 files, the same to the byte');
    writeFileSync(join(built, 'main.js'), '// main.js \n');
    writeFileSync(join(built, 'more.js'), '');
    const { status, stderr } = release(['1.2.3', '--dry-run', '--built', built]);
    expect([status, stderr]).toEqual([1, 'dist/ is not what was built: main.js, more.js.\n']);
  });

  describe('the commands of SECURITY.md that verify a release', () => {
    const block =
      /```bash\n(\(\n {2}set -euo pipefail\n[^]*?\n\)\n)```/.exec(
        readFileSync(join(root, 'SECURITY.md'), 'utf8'),
      )?.[1] ?? 'exit 99';
    const verify = (more: Record<string, string> = {}): ReturnType<typeof spawnSync> =>
      spawnSync('bash', ['--norc', '-c', block], { cwd: repository, env: env(more), encoding: 'utf8' });
    const attested = (): string => readFileSync(join(repository, 'reports/release/files.sha256'), 'utf8');

    test('they end well for what was attested', () => {
      writeFileSync(join(state, 'attested'), attested());
      const { status, stdout } = verify();
      expect([status, stdout]).toEqual([0, `${commit} is as it was released\n`]);
      expect(calls()[0]).toContain(`--source-digest ${commit}`);
      expect(calls()[0]).toContain('/.github/workflows/release.yml');
    });

    test.each([
      ['gh fails', (text: string) => text, { FAIL_BEFORE: '1' }],
      ['gh prints the list and fails', (text: string) => text, { FAIL_AFTER: '1' }],
      ['nothing is attested', () => '', {}],
      ['an entry is not attested', (text: string) => text.replace(/^.* {2}dist\/upload\.js\n/m, ''), {}],
      ['another check/action.yml is attested', (text: string) => text.replace(/^.{8}(?=.* {2}check)/m, '00000000'), {}],
      ['names are exchanged', (text: string) => text.replace('check/action.yml', 'action.yml'), {}],
    ] as const)('%s: they fail', (_, change, more) => {
      writeFileSync(join(state, 'attested'), change(attested()));
      const { status, stdout } = verify(more);
      expect(status).not.toBe(0);
      expect(stdout).not.toContain('is as it was released');
    });

    test('a file that was changed after cloning: they fail', () => {
      writeFileSync(join(state, 'attested'), attested());
      put('check/action.yml', 'runs:\n  using: node24\n  main: ../dist/upload.js\n');
      expect(verify().status).not.toBe(0);
    });
  });
});
