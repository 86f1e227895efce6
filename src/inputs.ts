/** The action's inputs, read once, checked, and every secret among them masked. */
import { getInput, setSecret, warning } from '@actions/core';
import { cloudByName, type Cloud } from './sign-in/cloud.ts';
import { Failure } from './failure.ts';

/** What both steps need to sign in. */
interface IdentityInputs {
  readonly tenantId: string;
  readonly clientId: string;
  readonly cloud: Cloud;
  /** The audience of the federated credential. */
  readonly audience: string;
}

export interface Inputs extends IdentityInputs {
  readonly step: 'upload';
  /** In the order given, each once, at least one. */
  readonly connectorIds: readonly string[];
  readonly pfx: PfxSource;
  /** As it was given; '' is both "no password" and "the empty password". */
  readonly password: string;
  readonly minimumDaysLeft: number;
  readonly force: boolean;
  readonly replace: boolean;
  readonly verifyTarget: boolean;
  readonly dryRun: boolean;
}

/** The inputs of the check step, check/action.yml. */
export interface CheckInputs extends IdentityInputs {
  readonly step: 'check';
  /** In the order given, each once; 'all' is every connector of the tenant. */
  readonly connectorIds: readonly string[] | 'all';
  /** Fewer days left than this: a warning. */
  readonly warnDays: number;
  /** Fewer days left than this: a failure. */
  readonly failDays: number;
}

/** Where the PKCS#12 file comes from: the text of the input `pfx`, or the path in `pfx-file`. */
export type PfxSource =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'file'; readonly path: string };

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DOMAIN = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/i;
const GUID_EXAMPLE = '00000000-0000-0000-0000-000000000000';

/** A 1 MiB file is 1.4 million characters of base64; wrapped, in UTF-16 or encoded twice it is up to four times that. */
const PFX_TEXT_LIMIT = 6 * 1024 * 1024;
/** Shorter pieces of a secret are not masked: every such run of letters in the log would become ***. */
const SHORTEST_MASK = 4;
const SHORTEST_MASKED_LINE = 16;
/** No path looks like this; a secret handed to `pfx-file` does, quotes and a `data:` prefix included. */
const BASE64_BY_MISTAKE = /^(data:[\w/.+;-]*,)?["']?[A-Za-z0-9+/_=\s-]{400,}["']?$/;

/**
 * Reads every input. Required ones are checked here, since the runner does not.
 * @throws Failure INPUT_MISSING, INPUT_INVALID, CLOUD_UNKNOWN, CLOUD_UNSUPPORTED, which name the input and show what it should look like
 */
export function readInputs(): Inputs | CheckInputs {
  // The two steps share a bundle; check/action.yml says so by a default.
  return getInput('step') === 'check' ? readCheckInputs() : readUploadInputs();
}

function readUploadInputs(): Inputs {
  // Secrets first: whatever fails afterwards can no longer show them.
  const pfxText = getInput('pfx');
  const pfxPath = getInput('pfx-file');
  maskPfx(pfxText);
  if (BASE64_BY_MISTAKE.test(pfxPath)) maskPfx(pfxPath);
  const password = getInput('password', { trimWhitespace: false });
  maskPassword(password);
  maskProxyCredentials(process.env);

  return {
    step: 'upload',
    ...identityInputs(),
    connectorIds: connectorIds(getInput('connector-id')),
    pfx: pfxSource(pfxText, pfxPath),
    password: limited('password', password, 1024),
    minimumDaysLeft: wholeNumber('minimum-days-left', 3650),
    force: flag('force'),
    replace: flag('replace'),
    verifyTarget: flag('verify-target'),
    dryRun: flag('dry-run'),
  };
}

function readCheckInputs(): CheckInputs {
  maskProxyCredentials(process.env);
  const identity = identityInputs();
  const all = flag('all');
  const ids = getInput('connector-id');
  if (all && ids !== '') {
    throw new Failure(
      'INPUT_INVALID',
      'Both inputs "connector-id" and "all" are set.',
      'Keep one of them: connector-id for those you name, all: true for every one of the tenant.',
    );
  }
  const warnDays = wholeNumber('warn-days', 3650);
  const failDays = wholeNumber('fail-days', 3650);
  if (failDays > warnDays) {
    throw new Failure(
      'INPUT_INVALID',
      `The input "fail-days" is ${failDays}, more than "warn-days", ${warnDays}: the warning would never come.`,
      'Make warn-days the larger one.',
    );
  }
  return { step: 'check', ...identity, connectorIds: all ? 'all' : connectorIds(ids), warnDays, failDays };
}

function identityInputs(): IdentityInputs {
  const cloud = cloudByName(getInput('cloud'));
  return {
    tenantId: tenantId(),
    clientId: clientId(),
    cloud,
    audience: printable('audience', limited('audience', getInput('audience'), 512)) || cloud.audience,
  };
}

function maskPfx(text: string): void {
  // Line by line, as it could be printed. Armour is no secret, and a last line of four letters would blank half the log.
  for (const line of text.split(/\r\n|\r|\n/)) {
    const value = line.trim();
    if (value.length >= SHORTEST_MASKED_LINE && !value.startsWith('-----')) setSecret(value);
  }
}

function maskPassword(password: string): void {
  if (password === '') return;
  const lines = password.split(/\r\n|\r|\n/).filter((line) => line.length >= SHORTEST_MASK);
  for (const line of lines) setSecret(line);
  if (lines.length === 0) {
    warning(
      `The password has fewer than ${SHORTEST_MASK} characters, so it is not masked in the log: every place where these letters occur would read ***. This action never prints it. Choose a longer one.`,
      { title: 'Short password' },
    );
  }
}

/** A proxy's user name and password stand in its URL; undici sends them, percent-decoded, in base64. */
function maskProxyCredentials(environment: NodeJS.ProcessEnv): void {
  for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy']) {
    const value = environment[name];
    if (value === undefined || !URL.canParse(value)) continue;
    const { username, password } = new URL(value);
    if (username === '' && password === '') continue;
    const [user, secret] = [decoded(username), decoded(password)];
    const basic = Buffer.from(`${user}:${secret}`).toString('base64');
    // A name alone is what a token looks like; beside a password it is none.
    const secrets = password === '' ? [username, user] : [`${username}:${password}`, password, secret];
    for (const form of [...secrets, basic]) {
      if (form.length >= SHORTEST_MASK) setSecret(form);
    }
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function tenantId(): string {
  const value = required('tenant-id', `a GUID such as ${GUID_EXAMPLE}, or a domain such as contoso.onmicrosoft.com`);
  if (GUID.test(value) || DOMAIN.test(value)) return value;
  throw invalid(
    'tenant-id',
    value,
    `the directory (tenant) ID: a GUID such as ${GUID_EXAMPLE}, or a domain such as contoso.onmicrosoft.com`,
    'Show it with: az account show --query tenantId --output tsv',
  );
}

function clientId(): string {
  const value = required('client-id', `a GUID such as ${GUID_EXAMPLE}`);
  if (GUID.test(value)) return value;
  throw invalid(
    'client-id',
    value,
    `the application (client) ID of the app registration: a GUID such as ${GUID_EXAMPLE}`,
    'Show it with: az ad app list --display-name NAME --query "[].appId" --output tsv',
  );
}

function connectorIds(text: string): readonly string[] {
  const ids = text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (ids.length === 0) throw missing('connector-id', 'the ID of an API connector, or several, one a line');
  for (const id of ids) {
    // '.' and '..' are the two names that cannot be one segment of a path, however they are encoded.
    if (id.length > 256 || /[\u0000-\u001f\u007f]/.test(id) || !id.isWellFormed() || id === '.' || id === '..') {
      throw invalid(
        'connector-id',
        id,
        `the ID of an API connector, such as ${GUID_EXAMPLE}, or several, one a line`,
        'List them with: az rest --method get --url https://graph.microsoft.com/v1.0/identity/apiConnectors --query "value[].[id,displayName]" --output tsv',
      );
    }
  }
  // Ids are GUIDs, and the same in upper and lower case.
  const folded = ids.map((id) => id.toLowerCase());
  return ids.filter((_, index) => folded.indexOf(folded[index] ?? '') === index);
}

function pfxSource(text: string, path: string): PfxSource {
  if (text !== '' && path !== '') {
    throw new Failure(
      'INPUT_INVALID',
      'Both inputs "pfx" and "pfx-file" are set.',
      'Keep one of them: pfx for base64 text out of a secret, pfx-file for a file on the runner.',
    );
  }
  if (BASE64_BY_MISTAKE.test(path)) {
    throw new Failure(
      'INPUT_INVALID',
      'The input "pfx-file" holds what looks like the content of a file, not its path.',
      'Give base64 text to pfx instead, such as pfx: ${{ secrets.CONNECTOR_PFX }}.',
    );
  }
  if (path !== '') return { kind: 'file', path: printable('pfx-file', limited('pfx-file', path, 4096)) };
  if (text !== '') return { kind: 'text', text: limited('pfx', text, PFX_TEXT_LIMIT) };
  throw new Failure(
    'INPUT_MISSING',
    'Neither of the inputs "pfx" and "pfx-file" is set.',
    'Set pfx to the .pfx as base64 text, such as ${{ secrets.CONNECTOR_PFX }}, or pfx-file to its path on the runner. A secret is empty where it is not defined in this repository or environment, and in workflows that a fork or Dependabot started. Store it with: base64 -w0 cert.pfx | gh secret set CONNECTOR_PFX',
  );
}

function wholeNumber(name: string, most: number): number {
  const value = getInput(name);
  const number = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
  if (number <= most) return number;
  throw invalid(name, value, `a whole number from 0 to ${most}`);
}

/** YAML's words for true and false; an expression that gives nothing (`${{ inputs.force }}` on a push) is false. */
function flag(name: string): boolean {
  const value = getInput(name);
  if (/^true$/i.test(value)) return true;
  if (/^(false)?$/i.test(value)) return false;
  throw invalid(name, value, 'true or false');
}

function required(name: string, looksLike: string): string {
  const value = getInput(name);
  if (value === '') throw missing(name, looksLike);
  return value;
}

function limited(name: string, value: string, most: number): string {
  if (value.length <= most) return value;
  throw new Failure(
    'INPUT_INVALID',
    `The input "${name}" has ${value.length} characters; at most ${most} are taken.`,
    name === 'pfx' ? 'Is this the right file? A .pfx is a few kilobytes.' : `Shorten "${name}".`,
  );
}

function printable(name: string, value: string): string {
  if (!/[\u0000-\u001f\u007f]/.test(value)) return value;
  throw invalid(name, value, 'one line of text, without control characters');
}

function missing(name: string, looksLike: string): Failure {
  return new Failure(
    'INPUT_MISSING',
    `The input "${name}" is required and empty.`,
    `Set ${name} to ${looksLike}. A variable or secret is empty where it is not defined in this repository or environment.`,
  );
}

function invalid(name: string, value: string, looksLike: string, how = ''): Failure {
  return new Failure(
    'INPUT_INVALID',
    `The input "${name}" is ${shown(value)}, which is not what it should be.`,
    `It should be ${looksLike}. ${how}`.trim(),
  );
}

/** A value that was mistaken may be a secret in the wrong place: only what is short and plain is repeated, whole, so that a mask still fits. */
function shown(value: string): string {
  if (value === '') return 'empty';
  return /^[\w .:@/\\-]{1,64}$/.test(value) ? `"${value}"` : `a text of ${value.length} characters`;
}
