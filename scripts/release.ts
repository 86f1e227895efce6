/**
 * Releases a version: `npm run release -- 1.2.3`.
 *
 * With --dry-run it checks what can be checked without GitHub, writes the SBOM, the notes and the checksums of all that
 * runs for a user into reports/release/, and shows what it would do. --built DIR compares a dist/ that was built
 * elsewhere with the committed one, byte by byte; --check-dist builds one itself. Without --dry-run it uses the three
 * files of an earlier run, and makes the release and the tags with `gh`. A run that failed can be started again.
 *
 * The SBOM lists what package-lock.json installs to run; the bundle leaves some of that out, dist/licenses.txt has what is
 * in it. Nothing but Node and npm is needed, so that the jobs that may sign or write install nothing.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const folder = join('reports', 'release');
const sbomFile = join(folder, 'sbom.cdx.json');
const notesFile = join(folder, 'notes.md');
const checksumsFile = join(folder, 'files.sha256');

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
  if (section !== sections.find((text) => !text.startsWith('## [Unreleased]'))) {
    throw new Error(`CHANGELOG.md: ${version} is not its newest version.`);
  }
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

/** That every place that has a version has this one. */
export function checkVersions(version: string, found: Readonly<Record<string, string | undefined>>): void {
  const others = Object.entries(found).filter(([, value]) => value !== version);
  if (others.length > 0) {
    throw new Error(others.map(([file, value]) => `${file} has ${value ?? 'no version'}, not ${version}.`).join('\n'));
  }
}

/** That no file that users copy from names the placeholder that stands for the publisher. */
export function checkPublisher(files: ReadonlyMap<string, string>): void {
  const lines = [...files].flatMap(([file, text]) =>
    text
      .split('\n')
      .flatMap((line, index) => (/\b(?:OWNER|PUBLISHER)\/upload-api/.test(line) ? `${file}:${index + 1}` : [])),
  );
  if (lines.length > 0) {
    throw new Error(`Put the publisher's name in the place of the placeholder:\n${lines.join('\n')}`);
  }
}

/** That what each action.yml starts is one of the files that are attested. */
export function checkEntries(files: ReadonlyMap<string, unknown>, actions: ReadonlyMap<string, string>): void {
  for (const [action, text] of actions) {
    const entries = [...text.matchAll(/^ +(?:main|pre|post): *(.+)$/gm)].map(([, value = '']) => value.trim());
    if (entries.length === 0) throw new Error(`${action} starts nothing.`);
    for (const entry of entries) {
      const path = posix.join(posix.dirname(action), entry.replace(/^(['"])(.*)\1$/, '$2'));
      if (!files.has(path)) throw new Error(`${action} starts ${path}, which is not committed.`);
    }
  }
}

/** Whether the version a is lower than b; both are of the form 1.2.3. */
export function isLower(a: string, b: string): boolean {
  return a.localeCompare(b, 'en', { numeric: true }) < 0;
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
    options: {
      'dry-run': { type: 'boolean', default: false },
      'check-dist': { type: 'boolean', default: false },
      built: { type: 'string' },
    },
  });
  const [version = ''] = positionals;
  const tags = tagsOf(version);
  const dirty = run('git', 'status', '--porcelain');
  if (dirty !== '') throw new Error(`There are changes that are not committed:\n${dirty}`);
  const manifest = JSON.parse(read('package.json')) as Manifest;
  checkVersions(version, {
    'package.json': manifest.version,
    'package-lock.json': (JSON.parse(read('package-lock.json')) as Manifest).version,
    'src/version.ts': /^export const VERSION = '(.*)';$/m.exec(read('src/version.ts'))?.[1],
  });
  const notes = changelogSection(read('CHANGELOG.md'), version);
  checkPublisher(copiedByUsers());
  const checksums = checksumsOfWhatRuns();
  const commit = run('git', 'rev-parse', 'HEAD');

  if (!values['dry-run']) {
    checkSbom(read(sbomFile), manifest);
    if (read(notesFile) !== notes) throw new Error(`${notesFile} is not the section of CHANGELOG.md.`);
    if (read(checksumsFile) !== checksums) throw new Error(`${checksumsFile} is not of the files of this commit.`);
    publish(tags, commit);
    return;
  }
  if (values['check-dist']) console.log(run('npm', 'run', '--silent', 'check:dist'));
  if (values.built !== undefined) compareDist(values.built);
  mkdirSync(join(root, folder), { recursive: true });
  const sbom = run('npm', 'sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only');
  const components = checkSbom(sbom, manifest);
  writeFileSync(join(root, sbomFile), `${sbom}\n`);
  writeFileSync(join(root, notesFile), notes);
  writeFileSync(join(root, checksumsFile), checksums);
  console.log(`Would release ${commit}`);
  console.log(`  as ${tags.fixed}, a tag and an immutable release with ${sbomFile} (${components} components),`);
  console.log(`  would lead ${tags.floating} there, and would say:\n\n${notes}`);
  console.log(`What is attested:\n${checksums}`);
}

/** The text of each committed file that a user copies from or follows; tests and scripts are not among them. */
function copiedByUsers(): ReadonlyMap<string, string> {
  const files = run(
    'git',
    'ls-files',
    '-z',
    '--',
    '.',
    ':(exclude)__tests__',
    ':(exclude)scripts',
    ':(exclude)dist',
  ).split('\0');
  return new Map(files.filter((file) => file !== '').map((file) => [file, read(file)]));
}

/** A line for each file that runs for a user, in the form of sha256sum: the actions' metadata and all of dist/. */
function checksumsOfWhatRuns(): string {
  const names = run('git', 'ls-files', '-z', '--', 'action.yml', '*/action.yml', 'dist').split('\0');
  const files = new Map(
    names.filter((name) => name !== '').map((name) => [name, createHash('sha256').update(bytes(name)).digest('hex')]),
  );
  const actions = [...files.keys()].filter((name) => posix.basename(name) === 'action.yml');
  checkEntries(files, new Map(actions.map((name) => [name, read(name)])));
  return [...files].map(([name, digest]) => `${digest}  ${name}\n`).join('');
}

/** That a folder has the files of dist/ and no others, the same to the byte. */
function compareDist(built: string): void {
  const names = [...new Set([...readdirSync(join(root, 'dist')), ...readdirSync(built)])].sort();
  const differing = names.filter((name) => {
    try {
      return !readFileSync(join(built, name)).equals(bytes(join('dist', name)));
    } catch {
      return true;
    }
  });
  if (differing.length > 0) throw new Error(`dist/ is not what was built: ${differing.join(', ')}.`);
  console.log(`dist/ is what was built: ${names.length} files, the same to the byte.`);
}

/**
 * The tag vX.Y.Z comes with the release. vX is moved by one request, last, once vX.Y.Z can no longer change. A failure
 * before it leaves vX where it was. What an earlier run has released of this commit is not released again.
 */
function publish({ fixed, floating }: ReturnType<typeof tagsOf>, commit: string): void {
  const repository = process.env['GH_REPO'];
  if (repository === undefined) throw new Error('GH_REPO has to name the repository.');
  const gh = (...args: string[]): string => run('gh', ...args);
  const refs = `repos/${repository}/git`;
  /** Every tag of this major version, and the commit (or the object of an annotated tag) that it names. */
  const tags = (): ReadonlyMap<string, string> => {
    const jq = '.[] | .ref + " " + .object.sha';
    const lines = gh('api', '--paginate', `${refs}/matching-refs/tags/${floating}`, '--jq', jq).split('\n');
    return new Map(lines.map((line) => line.replace(/^refs\/tags\//, '').split(' ') as [string, string]));
  };

  const before = tags();
  const newer = [...before.keys()].find((tag) => tag.startsWith(`${floating}.`) && isLower(fixed, tag));
  if (newer !== undefined) throw new Error(`${newer} is released: ${floating} would go back to ${fixed}.`);
  const released = before.get(fixed);
  if (released !== undefined && released !== commit) throw new Error(`${fixed} is there already, of ${released}.`);
  if (released === undefined) {
    // A release made with files is a draft until they are all there.
    gh('release', 'create', fixed, sbomFile, '--target', commit, '--title', fixed, '--notes-file', notesFile);
  }
  if (gh('api', `repos/${repository}/releases/tags/${fixed}`, '--jq', '.immutable') !== 'true') {
    throw new Error(
      `${fixed} is released, but can be changed: switch on "Release immutability". ${floating} has not been moved.`,
    );
  }
  if (tags().get(fixed) !== commit) throw new Error(`${fixed} is not ${commit}. ${floating} has not been moved.`);
  if (before.has(floating)) {
    gh('api', '--method', 'PATCH', `${refs}/refs/tags/${floating}`, '-f', `sha=${commit}`, '-F', 'force=true');
  } else {
    gh('api', '--method', 'POST', `${refs}/refs`, '-f', `ref=refs/tags/${floating}`, '-f', `sha=${commit}`);
  }
  const reached = tags().get(floating);
  if (reached !== commit) throw new Error(`${floating} leads to ${reached ?? 'nothing'}, not to ${commit}.`);
  console.log(`${fixed} is released, and ${floating} leads to it: ${commit}`);
}

function bytes(path: string): Buffer {
  return readFileSync(join(root, path));
}

function read(path: string): string {
  return bytes(path).toString();
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }).trim();
}
