/**
 * Releases a version: `node scripts/release.ts 1.2.3`.
 *
 * With --dry-run it checks what can be checked without GitHub, makes the SBOM and the notes in reports/release/, and says
 * what it would do; with --check-dist, the dist gate as well. Without --dry-run it takes the SBOM and the notes from there,
 * as an earlier run made them, and makes the release and the tags by `gh`.
 *
 * The SBOM lists what package-lock.json installs to run; the bundle leaves some of that out, dist/licenses.txt has what is
 * in it.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const folder = join('reports', 'release');
const sbomFile = join(folder, 'sbom.cdx.json');
const notesFile = join(folder, 'notes.md');

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** What is published under a section's heading of the changelog. */
export function changelogSection(changelog: string, version: string): string {
  const sections = changelog.split(/^(?=## )/m).slice(1);
  const section = sections.find((text) => text.startsWith(`## [${version}]`));
  if (section === undefined) throw new Error(`CHANGELOG.md has no section "## [${version}] - YYYY-MM-DD".`);
  const [heading = '', ...lines] = section.split('\n');
  if (!/\] - \d{4}-\d\d-\d\d$/.test(heading)) throw new Error(`CHANGELOG.md: "${heading}" does not end in a date.`);
  // Links of the form [1.2.3]: https://… stand at the end of the file, and so in its last section.
  const notes = lines.filter((line) => !/^\[[^\]]+\]: /.test(line)).join('\n');
  if (!/^- /m.test(notes)) throw new Error(`CHANGELOG.md: the section of ${version} lists nothing.`);
  return `${notes.trim()}\n`;
}

/** vX.Y.Z, which never changes, and vX, which moves with it. */
export function tagsOf(version: string): { readonly fixed: string; readonly floating: string } {
  const major = /^(0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)$/.exec(version)?.[1];
  if (major === undefined) throw new Error(`"${version}" is no version of the form 1.2.3.`);
  return { fixed: `v${version}`, floating: `v${major}` };
}

/** That the text is a CycloneDX SBOM of this package, with what it depends on at these versions. */
export function checkSbom(text: string, { name, dependencies }: Omit<Manifest, 'version'>): number {
  const sbom = JSON.parse(text) as {
    readonly bomFormat?: unknown;
    readonly metadata?: { readonly component?: { readonly purl?: string } };
    readonly components?: readonly { readonly name: string; readonly version: string; readonly hashes?: unknown[] }[];
  };
  const { components = [] } = sbom;
  if (sbom.bomFormat !== 'CycloneDX') throw new Error('The SBOM is not of CycloneDX.');
  if (sbom.metadata?.component?.purl?.startsWith(`pkg:npm/${name}@`) !== true) {
    throw new Error(`The SBOM is not of ${name}.`);
  }
  for (const [dependency, version] of Object.entries(dependencies)) {
    if (!components.some((component) => component.name === dependency && component.version === version)) {
      throw new Error(`The SBOM lacks ${dependency} ${version}.`);
    }
  }
  return components.length;
}

if (import.meta.main) {
  try {
    main();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'dry-run': { type: 'boolean', default: false }, 'check-dist': { type: 'boolean', default: false } },
  });
  const [version = ''] = positionals;
  const tags = tagsOf(version);
  const manifest = JSON.parse(read('package.json')) as Manifest;
  const locked = (JSON.parse(read('package-lock.json')) as Manifest).version;
  if (manifest.version !== version || locked !== version) {
    throw new Error(`package.json has ${manifest.version} and package-lock.json ${locked}, not ${version}.`);
  }
  const notes = changelogSection(read('CHANGELOG.md'), version);
  const dirty = run('git', 'status', '--porcelain');
  if (dirty !== '') throw new Error(`There are changes that are not committed:\n${dirty}`);
  const commit = run('git', 'rev-parse', 'HEAD');
  if (run('git', 'tag', '--list', tags.fixed) !== '') throw new Error(`${tags.fixed} is there already.`);

  if (!values['dry-run']) {
    checkSbom(read(sbomFile), manifest);
    if (read(notesFile) !== notes) throw new Error(`${notesFile} is not the section of CHANGELOG.md.`);
    publish(tags, commit);
    return;
  }
  if (values['check-dist']) console.log(run('npm', 'run', '--silent', 'check:dist'));
  mkdirSync(join(root, folder), { recursive: true });
  const sbom = run('npm', 'sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only');
  const components = checkSbom(sbom, manifest);
  writeFileSync(join(root, sbomFile), `${sbom}\n`);
  writeFileSync(join(root, notesFile), notes);
  console.log(`Would release ${commit}`);
  console.log(`  as ${tags.fixed}, a tag and an immutable release with ${sbomFile} (${components} components),`);
  console.log(`  would lead ${tags.floating} there, and would say:\n\n${notes}`);
}

/** The tag vX.Y.Z comes with the release. vX is moved only once that can no longer change. */
function publish({ fixed, floating }: ReturnType<typeof tagsOf>, commit: string): void {
  const repository = process.env['GH_REPO'];
  if (repository === undefined) throw new Error('GH_REPO has to name the repository.');
  const gh = (...args: string[]): string => run('gh', ...args);
  const refs = `repos/${repository}/git`;
  const exists = (tag: string): boolean =>
    gh('api', `${refs}/matching-refs/tags/${tag}`, '--jq', '.[].ref').split('\n').includes(`refs/tags/${tag}`);

  if (exists(fixed)) throw new Error(`${fixed} is there already.`);
  // A release made with files is a draft until they are all there.
  gh('release', 'create', fixed, sbomFile, '--target', commit, '--title', fixed, '--notes-file', notesFile);
  const path = `repos/${repository}/releases/tags/${fixed}`;
  if (gh('api', path, '--jq', '.immutable') !== 'true') {
    throw new Error(
      `${fixed} is released, but can be changed: switch on "Release immutability". ${floating} has not been moved.`,
    );
  }
  if (exists(floating)) {
    gh('api', '--method', 'PATCH', `${refs}/refs/tags/${floating}`, '-f', `sha=${commit}`, '-F', 'force=true');
  } else {
    gh('api', '--method', 'POST', `${refs}/refs`, '-f', `ref=refs/tags/${floating}`, '-f', `sha=${commit}`);
  }
  console.log(`${fixed} is released, and ${floating} leads to it: ${commit}`);
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
}
