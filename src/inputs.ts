/** The inputs of each step, read once, checked, and every secret among them masked. */
import { getInput } from '@actions/core';
import type { CertificateSource } from './certificate/source.ts';
import type { Thresholds } from './connectors/expiry.ts';
import { Failure } from './failure.ts';
import { maskPassword, maskProxyCredentials, maskText } from './masks.ts';
import { cloudByName, type Application } from './sign-in/application.ts';

export interface UploadInputs {
  readonly application: Application;
  /** In the order given, each once, at least one. */
  readonly connectorIds: readonly string[];
  readonly source: CertificateSource;
  readonly minimumDaysLeft: number;
  readonly force: boolean;
  readonly replace: boolean;
  readonly verifyTarget: boolean;
  readonly dryRun: boolean;
}

/** The inputs of the check step, check/action.yml. */
export interface CheckInputs {
  readonly application: Application;
  /** In the order given, each once; 'all' is every connector of the tenant. */
  readonly connectorIds: readonly string[] | 'all';
  readonly thresholds: Thresholds;
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DOMAIN = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/i;
const GUID_EXAMPLE = '00000000-0000-0000-0000-000000000000';

/** A 1 MiB file is 1.4 million characters of base64; wrapped, in UTF-16 or encoded twice it is up to four times that. */
const PFX_TEXT_LIMIT = 6 * 1024 * 1024;
/** What an input may be long on Windows. */
const PASSWORD_LIMIT = 32_768;
/** No path looks like this; a secret handed to `pfx-file` does, quotes and a `data:` prefix included. */
const BASE64_BY_MISTAKE = /^(data:[\w/.+;-]*,)?["']?[A-Za-z0-9+/_=\s-]{400,}["']?$/;

/**
 * Reads the inputs of the upload step. Required ones are checked here, since the runner does not.
 * @throws Failure INPUT_MISSING, INPUT_INVALID, CLOUD_UNKNOWN, CLOUD_UNSUPPORTED, which name the input and show what it should look like
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

  return {
    application: application(),
    connectorIds: connectorIds(getInput('connector-id')),
    source: certificateSource(pfxText, pfxPath, limited('password', password, PASSWORD_LIMIT)),
    minimumDaysLeft: wholeNumber('minimum-days-left', 3650),
    force: flag('force'),
    replace: flag('replace'),
    verifyTarget: flag('verify-target'),
    dryRun: flag('dry-run'),
  };
}

/**
 * Reads the inputs of the check step.
 * @throws Failure as {@link readUploadInputs}
 */
export function readCheckInputs(): CheckInputs {
  maskProxyCredentials(process.env);
  const identity = application();
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
  return {
    application: identity,
    connectorIds: all ? 'all' : connectorIds(ids),
    thresholds: { warnDays, failDays },
  };
}

function application(): Application {
  const cloud = cloudByName(getInput('cloud'));
  return {
    tenantId: tenantId(),
    clientId: clientId(),
    cloud,
    audience: printable('audience', limited('audience', getInput('audience'), 512)) || cloud.audience,
  };
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

function certificateSource(text: string, path: string, password: string): CertificateSource {
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
  if (path !== '') return { kind: 'file', path: printable('pfx-file', limited('pfx-file', path, 4096)), password };
  if (text !== '') return { kind: 'text', text: limited('pfx', text, PFX_TEXT_LIMIT), password };
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
