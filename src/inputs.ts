/** The inputs of each step, read once, checked, and every secret among them masked. */
import { getInput } from '@actions/core';
import type { CertificateRequest } from './certificate/create.ts';
import type { CertificateSource } from './certificate/source.ts';
import { parseSubject } from './certificate/subject.ts';
import type { Thresholds } from './connectors/expiry.ts';
import { Failure } from './failure.ts';
import { addressForm, parseAddress, type VaultSource } from './key-vault/address.ts';
import { maskPassword, maskProxyCredentials, maskText } from './masks.ts';
import { cloudByName, type Application } from './sign-in/application.ts';
import { GUID, GUID_WITHIN } from './text/guid.ts';

export interface UploadInputs {
  readonly application: Application;
  /** In the order given, each once, at least one. */
  readonly connectorIds: readonly string[];
  readonly source: CertificateSource | VaultSource;
  readonly minimumDaysLeft: number;
  readonly force: boolean;
  readonly replace: boolean;
  readonly verifyTarget: boolean;
  /** For how many minutes a target that rejects the certificate is asked again. */
  readonly verifyWait: number;
  readonly dryRun: boolean;
}

/** The inputs of the check step, check/action.yml. */
export interface CheckInputs {
  readonly application: Application;
  /** In the order given, each once; 'all' is every connector of the tenant. */
  readonly connectorIds: readonly string[] | 'all';
  readonly thresholds: Thresholds;
}

/** The inputs of the create step, create/action.yml. */
export interface CreateInputs {
  readonly application: Application;
  /** In the order given, each once, at least one. */
  readonly connectorIds: readonly string[];
  /** A connector is due when its active certificate has fewer days left than this. */
  readonly renewDays: number;
  readonly request: CertificateRequest;
}

/** The last label has letters only, or is one of another script, as DNS has it (`xn--p1ai`). */
const DOMAIN = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+([a-z]{2,63}|xn--[a-z0-9-]{0,58}[a-z0-9])$/i;
const GUID_EXAMPLE = '00000000-0000-0000-0000-000000000000';

/** A 1 MiB file is 1.4 million characters of base64; wrapped, in UTF-16 or encoded twice it is up to four times that. */
const PFX_TEXT_LIMIT = 6 * 1024 * 1024;
/** What an input may be long on Windows. */
const PASSWORD_LIMIT = 32_768;
/** Each is read and changed with a request of its own, and 200 a minute are served. */
const MOST_CONNECTORS = 500;
/** No path looks like this; a secret handed to `pfx-file` does, quotes and a `data:` prefix included. */
const BASE64_BY_MISTAKE = /^(data:[\w/.+;-]*,)?["']?[A-Za-z0-9+/_=\s-]{400,}["']?$/;

/**
 * The defaults of the inputs. They are those of the action's files, which a test holds these to: an input that is given and
 * empty, as an expression without a value is, would have none otherwise.
 */
export const DEFAULTS: Readonly<Record<string, string>> = {
  cloud: 'global',
  'minimum-days-left': '0',
  force: 'false',
  replace: 'false',
  'verify-target': 'false',
  'dry-run': 'false',
  all: 'false',
  'warn-days': '30',
  'fail-days': '7',
  'verify-wait': '0',
  'renew-days': '30',
  'valid-days': '180',
  subject: 'CN=api-connector',
};

/** The input, or its default if it is empty. */
function input(name: string): string {
  return getInput(name) || (DEFAULTS[name] ?? '');
}

/** What is wrong with inputs, kept until all of them have been read. */
class Problems {
  readonly #failures: Failure[] = [];

  /** What `read` gives; if that fails, something to go on with. */
  catch<T>(read: () => T, otherwise: T): T {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#failures.push(error);
      return otherwise;
    }
  }

  /** @throws Failure that holds all of them, if there are any */
  throwAll(): void {
    const [first, ...others] = this.#failures;
    if (first === undefined) return;
    if (others.length === 0) throw first;
    const all = this.#failures;
    throw new Failure(
      all.every(({ code }) => code === 'INPUT_MISSING') ? 'INPUT_MISSING' : 'INPUT_INVALID',
      `${all.length} inputs are missing or wrong. ${all.map(({ message }) => message).join(' ')}`,
      [...new Set(all.flatMap(({ remedy }) => remedy.split('\n')))].join('\n'),
      { cause: new AggregateError(all) },
    );
  }
}

/**
 * Reads the inputs of the upload step. Required ones are checked here, since the runner does not.
 * @throws Failure INPUT_MISSING, INPUT_INVALID, CLOUD_UNKNOWN, CLOUD_UNSUPPORTED, which name each input that is wrong and show
 *   what it should look like
 */
export function readUploadInputs(): UploadInputs {
  // Secrets first: whatever fails afterwards can no longer show them.
  const pfxText = getInput('pfx');
  const pfxPath = getInput('pfx-file');
  const password = getInput('password', { trimWhitespace: false });
  maskText(pfxText);
  if (BASE64_BY_MISTAKE.test(pfxPath)) maskText(pfxPath);
  maskPassword(password);
  maskProxyCredentials(process.env);

  const problems = new Problems();
  const signsInAs = application(problems);
  const reader = problems.catch(vaultReader, '');
  // One that is neither true nor false is what is wrong, and not the wait.
  const verifyTarget = problems.catch(() => flag('verify-target'), true);
  const inputs: UploadInputs = {
    application: signsInAs,
    connectorIds: problems.catch(() => connectorIds(getInput('connector-id')), []),
    source: problems.catch(
      () =>
        certificateSource(
          { pfxText, pfxPath, reader, password: limited('password', password, PASSWORD_LIMIT) },
          signsInAs,
        ),
      { kind: 'text', text: '', password: '' },
    ),
    minimumDaysLeft: problems.catch(() => wholeNumber('minimum-days-left', 3650), 0),
    force: problems.catch(() => flag('force'), false),
    replace: problems.catch(() => flag('replace'), false),
    verifyTarget,
    verifyWait: problems.catch(() => verifyWait(verifyTarget), 0),
    dryRun: problems.catch(() => flag('dry-run'), false),
  };
  problems.throwAll();
  return inputs;
}

/** Whoever waits for the API to accept the certificate believes that it is asked. */
function verifyWait(verifyTarget: boolean): number {
  const minutes = wholeNumber('verify-wait', 30);
  if (minutes === 0 || verifyTarget) return minutes;
  throw new Failure(
    'INPUT_INVALID',
    `The input "verify-wait" is ${minutes}, and "verify-target" is not true: the API would not be asked at all.`,
    'Set verify-target: true, or leave verify-wait out.',
  );
}

/**
 * Reads the inputs of the check step.
 * @throws Failure as {@link readUploadInputs}
 */
export function readCheckInputs(): CheckInputs {
  maskProxyCredentials(process.env);
  const problems = new Problems();
  const inputs: CheckInputs = {
    application: application(problems),
    connectorIds: problems.catch(checkedConnectors, []),
    thresholds: thresholds(problems),
  };
  problems.throwAll();
  return inputs;
}

function checkedConnectors(): readonly string[] | 'all' {
  const all = flag('all');
  const ids = getInput('connector-id');
  if (!all) return connectorIds(ids);
  if (ids === '') return 'all';
  throw new Failure(
    'INPUT_INVALID',
    'Both inputs "connector-id" and "all" are set.',
    'Keep one of them: connector-id for those you name, all: true for every one of the tenant.',
  );
}

function thresholds(problems: Problems): Thresholds {
  // One that is wrong is not compared with the other.
  const warnDays = problems.catch(() => wholeNumber('warn-days', 3650), Infinity);
  const failDays = problems.catch(() => wholeNumber('fail-days', 3650), 0);
  problems.catch(() => {
    if (failDays <= warnDays) return;
    throw new Failure(
      'INPUT_INVALID',
      `The input "fail-days" is ${failDays}, more than "warn-days", ${warnDays}: the warning would never come.`,
      'Make warn-days the larger one.',
    );
  }, undefined);
  return { warnDays, failDays };
}

/**
 * Reads the inputs of the create step.
 * @throws Failure as {@link readUploadInputs}
 */
export function readCreateInputs(): CreateInputs {
  maskProxyCredentials(process.env);
  const problems = new Problems();
  const days = renewal(problems);
  const inputs: CreateInputs = {
    application: application(problems),
    connectorIds: problems.catch(() => connectorIds(getInput('connector-id')), []),
    renewDays: days.renewDays,
    request: { subject: problems.catch(subject, new Uint8Array()), validDays: days.validDays },
  };
  problems.throwAll();
  return inputs;
}

function renewal(problems: Problems): { readonly renewDays: number; readonly validDays: number } {
  const renewDays = problems.catch(() => wholeNumber('renew-days', 396), 0);
  const validDays = problems.catch(() => wholeNumber('valid-days', 397, 1), Infinity);
  problems.catch(() => {
    if (renewDays < validDays) return;
    throw new Failure(
      'INPUT_INVALID',
      `The input "renew-days" is ${renewDays}, and "valid-days" is ${validDays}: each certificate would be due as soon as it is made.`,
      'Make valid-days the larger one.',
    );
  }, undefined);
  return { renewDays, validDays };
}

function subject(): Uint8Array {
  const value = limited('subject', input('subject'), 512);
  const parsed = parseSubject(value);
  if ('der' in parsed) return parsed.der;
  throw new Failure(
    'INPUT_INVALID',
    `The input "subject" is ${shown(value)}, which is not what it should be: ${parsed.problem}.`,
    'It should be such as CN=api-connector or CN=api-connector, O=Contoso; the characters , + " \\ < > ; are written with a backslash before them.',
  );
}

function application(problems: Problems): Application {
  const cloud = problems.catch(() => cloudByName(input('cloud')), cloudByName('global'));
  const audience = problems.catch(audienceGiven, '');
  return {
    tenantId: problems.catch(tenantId, ''),
    clientId: problems.catch(clientId, ''),
    cloud,
    audience: audience || cloud.audience,
  };
}

function audienceGiven(): string {
  const value = limited('audience', getInput('audience'), 512);
  if (!UNSEEN.test(value) && !/[\t\r\n]|^(["'`]).*\1$/.test(value)) return value;
  throw invalid(
    'audience',
    value,
    'one line of text as the federated credential has it, without quotation marks around it',
  );
}

function tenantId(): string {
  const value = required('tenant-id', `a GUID such as ${GUID_EXAMPLE}, or a domain such as contoso.onmicrosoft.com`);
  if (GUID.test(value) || DOMAIN.test(value)) return value;
  throw invalid(
    'tenant-id',
    value,
    `the directory (tenant) ID: a GUID such as ${GUID_EXAMPLE}, or a domain such as contoso.onmicrosoft.com`,
    'The overview page of Microsoft Entra ID shows it.',
  );
}

function clientId(): string {
  const value = required('client-id', `a GUID such as ${GUID_EXAMPLE}`);
  if (GUID.test(value)) return value;
  throw invalid(
    'client-id',
    value,
    `the application (client) ID of the app registration: a GUID such as ${GUID_EXAMPLE}`,
    'The overview page of the app registration shows it.',
  );
}

const OWN_LINES =
  'Several IDs stand on lines of their own, with nothing between them:\n  connector-id: |\n    ID\n    ANOTHER-ID';

/** Control and format characters, and others without a shape; but those that end a line or a cell. */
const UNSEEN = /(?![\t\r\n])[\p{C}\p{DI}]/u;
const QUOTATION_MARK = /["'`\p{Pi}\p{Pf}‚„]/u;

/** What should not be in a text, what it is called, and what to do about it. */
type Strange = readonly [found: RegExp, what: string, how: string];

/** What neither an ID nor, most likely, a name has in it. An apostrophe within a name is none of these. */
const IN_NO_ID: readonly Strange[] = [
  [UNSEEN, '', 'Type it by hand: what was copied along cannot be seen.'],
  [/(?!['’])(?:[\p{Pi}\p{Pf}"`‚„])|^['’]|['’]$/u, 'a quotation mark', 'Leave quotation marks out.'],
];

/** What a line with an ID has in addition to it. Without an ID, it may be a name, which is recognised later. */
const NEXT_TO_AN_ID: readonly Strange[] = [
  [/\s#/, 'a comment behind an ID', 'A comment stands on a line of its own, which begins with #.'],
  [/,/, 'a comma', OWN_LINES],
  [/;/, 'a semicolon', OWN_LINES],
  [/\s/, 'a blank', OWN_LINES],
];

/** What does not show, or not as a part of the value, in words; undefined if there is nothing of that kind. */
function strange(value: string): string | undefined {
  const [unseen] = UNSEEN.exec(value) ?? [];
  if (unseen === undefined) return QUOTATION_MARK.test(value) ? 'a quotation mark' : undefined;
  const codePoint = unseen.codePointAt(0) ?? 0;
  return `a character that nobody sees (U+${codePoint.toString(16).toUpperCase().padStart(4, '0')})`;
}

function connectorIds(text: string): readonly string[] {
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trim());
  const ids = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (ids.length === 0) throw missing('connector-id', 'the ID of an API connector, or several, one a line');
  if (ids.length > MOST_CONNECTORS) {
    throw new Failure(
      'INPUT_INVALID',
      `The input "connector-id" names ${ids.length} API connectors; at most ${MOST_CONNECTORS} are accepted.`,
      'Split them between several jobs.',
    );
  }
  for (const id of ids) {
    // '.' and '..' are the two names that cannot be one segment of a path, however they are encoded.
    if (id.length > 256 || id === '.' || id === '..') {
      throw invalid(
        'connector-id',
        id,
        `the ID of an API connector, such as ${GUID_EXAMPLE}, or several, one a line`,
        'The check step with all: true lists the API connectors of the tenant with their IDs.',
      );
    }
    for (const [found, what, how] of GUID_WITHIN.test(id) ? [...IN_NO_ID, ...NEXT_TO_AN_ID] : IN_NO_ID) {
      if (!found.test(id)) continue;
      const where = lines.length === 1 ? '' : ` (line ${lines.indexOf(id) + 1})`;
      throw new Failure('INPUT_INVALID', `The input "connector-id" has ${what || strange(id)} in it${where}.`, how);
    }
  }
  // Ids are GUIDs, and the same in upper and lower case.
  const folded = ids.map((id) => id.toLowerCase());
  return ids.filter((_, index) => folded.indexOf(folded[index] ?? '') === index);
}

/** Without a vault it is not used; a mistake in it is one all the same. */
function vaultReader(): string {
  const value = getInput('key-vault-client-id');
  if (value === '' || GUID.test(value)) return value;
  throw invalid(
    'key-vault-client-id',
    value,
    `the application (client) ID of the app registration that reads the vault: a GUID such as ${GUID_EXAMPLE}`,
  );
}

interface Given {
  readonly pfxText: string;
  readonly pfxPath: string;
  /** The client ID to read a vault as, or ''. */
  readonly reader: string;
  readonly password: string;
}

function certificateSource(
  { pfxText, pfxPath, reader, password }: Given,
  application: Application,
): CertificateSource | VaultSource {
  const address = getInput('key-vault-certificate');
  const given = Object.entries({ pfx: pfxText, 'pfx-file': pfxPath, 'key-vault-certificate': address }).filter(
    ([, value]) => value !== '',
  );
  if (given.length > 1) {
    throw new Failure(
      'INPUT_INVALID',
      `The inputs ${given.map(([name]) => `"${name}"`).join(' and ')} are set, and only one of them may be.`,
      'Keep one of them: pfx for text out of a secret, pfx-file for a file on the runner, key-vault-certificate for a vault.',
    );
  }
  if (BASE64_BY_MISTAKE.test(pfxPath)) {
    throw new Failure(
      'INPUT_INVALID',
      'The input "pfx-file" holds what looks like the content of a file, not its path.',
      'Give base64 text to pfx instead, such as pfx: ${{ secrets.CONNECTOR_PFX }}.',
    );
  }
  if (address !== '') return vaultSource(address, reader, password, application);
  if (pfxPath !== '')
    return { kind: 'file', path: printable('pfx-file', limited('pfx-file', pfxPath, 4096)), password };
  if (pfxText !== '') return { kind: 'text', text: limited('pfx', pfxText, PFX_TEXT_LIMIT), password };
  throw new Failure(
    'INPUT_MISSING',
    'None of the inputs "pfx", "pfx-file" and "key-vault-certificate" is set.',
    'Set pfx to the .pfx as base64 text, such as ${{ secrets.CONNECTOR_PFX }}, or pfx-file to its path on the runner, or key-vault-certificate to the address of a certificate in a vault. A secret is empty if it is not defined in this repository or environment, and in workflows that a fork or Dependabot started. To store it, with the name of your environment:\nbase64 < connector.pfx | gh secret set CONNECTOR_PFX --env production',
  );
}

function vaultSource(
  address: string,
  reader: string,
  password: string,
  { cloud, clientId: own, audience }: Application,
): VaultSource {
  const certificate = parseAddress(address, cloud);
  if ('wrong' in certificate) {
    throw new Failure(
      'INPUT_INVALID',
      `The input "key-vault-certificate" ${certificate.wrong}.`,
      `It should be ${addressForm(cloud)}.`,
    );
  }
  if (password !== '') {
    throw new Failure(
      'INPUT_INVALID',
      'The input "password" is set, and a certificate in a key vault has none.',
      'Leave password out with key-vault-certificate.',
    );
  }
  const sameApplication = reader === '' || reader.toLowerCase() === own.toLowerCase();
  return {
    kind: 'key-vault',
    certificate,
    application: { clientId: reader || own, cloud, audience },
    sameApplication,
  };
}

function wholeNumber(name: string, most: number, least = 0): number {
  const value = input(name);
  const number = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw invalid(name, value, `a whole number from ${least} to ${most}`);
}

/** YAML's words for true and false. */
function flag(name: string): boolean {
  const value = input(name);
  if (/^true$/i.test(value)) return true;
  if (/^false$/i.test(value)) return false;
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
    `The input "${name}" has ${value.length} characters; at most ${most} are accepted.`,
    name === 'pfx' ? 'Is this the right file? A .pfx is a few kilobytes.' : `Shorten "${name}".`,
  );
}

function printable(name: string, value: string): string {
  if (!/[\u0000-\u001f\u007f]/.test(value)) return value;
  throw invalid(name, value, 'one line of text, without control characters');
}

/** What the commands that define a variable are shown with. */
const EXAMPLE_VALUES: Readonly<Record<string, string>> = { 'tenant-id': 'contoso.onmicrosoft.com' };

function missing(name: string, looksLike: string): Failure {
  return new Failure(
    'INPUT_MISSING',
    `The input "${name}" is required and empty.`,
    `Set ${name} to ${looksLike}. A variable is empty if it is not defined in this repository or environment. To define it, with the name of your environment and your value:\ngh variable set ${name.replaceAll('-', '_').toUpperCase()} --env production --body ${EXAMPLE_VALUES[name] ?? GUID_EXAMPLE}`,
  );
}

function invalid(name: string, value: string, looksLike: string, how = ''): Failure {
  const what = strange(value);
  return new Failure(
    'INPUT_INVALID',
    `The input "${name}" is ${shown(value)}, which is not what it should be.${what === undefined ? '' : ` There is ${what} in it.`}`,
    `It should be ${looksLike}. ${how}`.trim(),
  );
}

/** A value that was mistaken may be a secret in the wrong place: only what is short and plain is repeated, whole, so that a mask still fits. */
function shown(value: string): string {
  if (value === '') return 'empty';
  return /^[\w .:@/\\-]{1,64}$/.test(value) ? `"${value}"` : `a text of ${value.length} characters`;
}
