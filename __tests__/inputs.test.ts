/** The inputs as the runner hands them over: what is read, what is refused and how, and what is masked on the way. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { FailureCode } from '../src/failure.ts';
import {
  DEFAULTS,
  readCheckInputs,
  readCreateInputs,
  readUploadInputs,
  type CheckInputs,
  type CreateInputs,
  type UploadInputs,
} from '../src/inputs.ts';
import { parseSubject } from '../src/certificate/subject.ts';
import { cloudByName } from '../src/sign-in/application.ts';
import { inStep, masksIn, type Changes } from './in-step.ts';
import { failureOf } from './pkcs12/fixtures.ts';

const TENANT = '11111111-2222-4333-8444-555555555555';
const CLIENT = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const CONNECTOR = '99999999-8888-4777-8666-555555555555';
const PASSWORD = 'throw-away password';
const PFX = 'VGhyb3ctYXdheSB0ZXh0LCBubyBrZXkgaW4gaXQ=';
const EXAMPLE = '00000000-0000-0000-0000-000000000000';
const define = (variable: string, value: string): string =>
  `A variable is empty if it is not defined in this repository or environment. To define it, with the name of your environment and your value:\ngh variable set ${variable} --env production --body ${value}`;

interface Action {
  inputs: Record<string, { default?: string }>;
}

function defaultsOf(file: string): Record<string, string> {
  const action = parse(readFileSync(join(import.meta.dirname, '..', file), 'utf8')) as Action;
  return Object.fromEntries(Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? '']));
}
const UPLOAD_DEFAULTS = defaultsOf('action.yml');
const CHECK_DEFAULTS = defaultsOf('check/action.yml');
const CREATE_DEFAULTS = defaultsOf('create/action.yml');
const identity = { 'tenant-id': TENANT, 'client-id': CLIENT };

const uploadStep = (changes: Changes): Changes => ({
  ...UPLOAD_DEFAULTS,
  ...identity,
  'connector-id': CONNECTOR,
  pfx: PFX,
  password: PASSWORD,
  ...changes,
});
const checkStep = (changes: Changes): Changes => ({
  ...CHECK_DEFAULTS,
  ...identity,
  'connector-id': CONNECTOR,
  ...changes,
});

interface Read<T> {
  readonly inputs: T;
  readonly masks: string[];
  readonly warnings: string[];
}

function read<T>(inputs: Changes, environment: Changes, reader: () => T): Read<T> {
  const { result, lines } = inStep(inputs, environment, reader);
  const masks = masksIn(lines);
  return { inputs: result, masks, warnings: lines.filter((line) => !line.startsWith('::add-mask::')) };
}

const readUpload = (changes: Changes = {}, environment: Changes = {}): Read<UploadInputs> =>
  read(uploadStep(changes), environment, readUploadInputs);
const readCheck = (changes: Changes = {}, environment: Changes = {}): Read<CheckInputs> =>
  read(checkStep(changes), environment, readCheckInputs);

interface Refused {
  readonly code: FailureCode;
  readonly message: string;
  readonly remedy: string;
}

interface Refusal {
  readonly failure: Refused;
  readonly masks: string[];
}

function refusalOf(inputs: Changes, environment: Changes, reader: () => unknown): Refusal {
  const { result, lines } = inStep(inputs, environment, () => failureOf(reader));
  const { code, message, remedy } = result;
  return { failure: { code, message, remedy }, masks: masksIn(lines) };
}
const refusalOfUpload = (changes: Changes, environment: Changes = {}): Refusal =>
  refusalOf(uploadStep(changes), environment, readUploadInputs);
const refused = (changes: Changes): Refused => refusalOfUpload(changes).failure;
const refusedCheck = (changes: Changes): Refused => refusalOf(checkStep(changes), {}, readCheckInputs).failure;

describe('the inputs of the upload step', () => {
  test('with nothing but what is required, the rest has the defaults of action.yml', () => {
    const { inputs, warnings } = readUpload({ password: '' });
    expect(inputs).toEqual({
      application: {
        tenantId: TENANT,
        clientId: CLIENT,
        cloud: cloudByName('global'),
        audience: 'api://AzureADTokenExchange',
      },
      connectorIds: [CONNECTOR],
      source: { kind: 'text', text: PFX, password: '' },
      minimumDaysLeft: 0,
      force: false,
      replace: false,
      verifyTarget: false,
      verifyWait: 0,
      dryRun: false,
    });
    expect(warnings).toEqual([]);
  });

  test('with everything set', () => {
    const { inputs } = readUpload({
      'tenant-id': 'contoso.onmicrosoft.com',
      'connector-id': `${CONNECTOR}\nsecond`,
      pfx: '',
      'pfx-file': ' certs/my cert.pfx ',
      cloud: 'china',
      audience: 'api://ours',
      'minimum-days-left': '30',
    });
    expect(inputs).toMatchObject({
      application: {
        tenantId: 'contoso.onmicrosoft.com',
        cloud: cloudByName('china'),
        audience: 'api://ours',
      },
      connectorIds: [CONNECTOR, 'second'],
      source: { kind: 'file', path: 'certs/my cert.pfx', password: PASSWORD },
      minimumDaysLeft: 30,
    });
  });

  test('the audience is that of the cloud if none is given', () => {
    expect(readUpload({ cloud: 'china' }).inputs.application.audience).toBe('api://AzureADTokenExchangeChina');
  });

  test('blanks at the ends of the password count', () => {
    expect(readUpload({ password: '  throw-away\t ' }).inputs.source).toMatchObject({ password: '  throw-away\t ' });
  });
});

describe('what is required', () => {
  test.each<[string, Changes, string, string]>([
    [
      'tenant-id',
      { 'tenant-id': ' ' },
      'The input "tenant-id" is required and empty.',
      `Set tenant-id to a GUID such as ${EXAMPLE}, or a domain such as contoso.onmicrosoft.com. ${define('TENANT_ID', 'contoso.onmicrosoft.com')}`,
    ],
    [
      'client-id',
      { 'client-id': '' },
      'The input "client-id" is required and empty.',
      `Set client-id to a GUID such as ${EXAMPLE}. ${define('CLIENT_ID', EXAMPLE)}`,
    ],
    [
      'connector-id',
      { 'connector-id': '' },
      'The input "connector-id" is required and empty.',
      `Set connector-id to the ID of an API connector, or several, one a line. ${define('CONNECTOR_ID', EXAMPLE)}`,
    ],
    [
      'connector-id, of blank lines and comments only',
      { 'connector-id': ' # none yet\r\n \r\n#' },
      'The input "connector-id" is required and empty.',
      `Set connector-id to the ID of an API connector, or several, one a line. ${define('CONNECTOR_ID', EXAMPLE)}`,
    ],
    [
      'one of pfx and pfx-file',
      { pfx: ' ' },
      'None of the inputs "pfx", "pfx-file" and "key-vault-certificate" is set.',
      'Set pfx to the .pfx as base64 text, such as ${{ secrets.CONNECTOR_PFX }}, or pfx-file to its path on the runner, or key-vault-certificate to the address of a certificate in a vault. A secret is empty if it is not defined in this repository or environment, and in workflows that a fork or Dependabot started. To store it, with the name of your environment:\nbase64 < connector.pfx | gh secret set CONNECTOR_PFX --env production',
    ],
  ])('%s', (_, changes, message, remedy) => {
    expect(refused(changes)).toEqual({ code: 'INPUT_MISSING', message, remedy });
  });
});

describe('what an input may be', () => {
  test.each([
    ...[TENANT.toUpperCase(), 'contoso.onmicrosoft.com', 'CONTOSO.com', 'x.co', 'a-b.c-1.example', '1.example'],
    ...['example.xn--p1ai', 'xn--e1afmkfd.xn--p1ai', 'XN--FIQS8S.XN--FIQS8S', 'a.xn--vermgensberatung-pwb'],
  ])('tenant-id %s', (value) => {
    expect(readUpload({ 'tenant-id': value }).inputs.application.tenantId).toBe(value);
  });

  test.each([
    'common',
    'contoso.c',
    'contoso.c0m',
    'contoso.xn--',
    'contoso.xn--a-',
    'contoso.com.',
    '.com',
    'contoso..com',
    '-a.com',
    'a-.com',
    '_contoso.com',
    'contoso.com/x',
    `${TENANT}0`,
    `0${TENANT}`,
    '11111111-2222-4333-8444',
    'g1111111-2222-4333-8444-555555555555',
  ])('tenant-id may not be %s', (value) => {
    expect(refused({ 'tenant-id': value })).toEqual({
      code: 'INPUT_INVALID',
      message: `The input "tenant-id" is "${value}", which is not what it should be.`,
      remedy: `It should be the directory (tenant) ID: a GUID such as ${EXAMPLE}, or a domain such as contoso.onmicrosoft.com. The overview page of Microsoft Entra ID shows it.`,
    });
  });

  test('a part of a domain has 63 characters at most, the whole 253', () => {
    const part = 'a'.repeat(63);
    const longest = `${part}.${part}.${part}.${'b'.repeat(57)}.com`;
    expect(longest).toHaveLength(253);
    expect(readUpload({ 'tenant-id': longest }).inputs.application.tenantId).toBe(longest);
    expect(refused({ 'tenant-id': `${part}.${part}.${part}.${'b'.repeat(58)}.com` }).code).toBe('INPUT_INVALID');
    expect(refused({ 'tenant-id': `a${part}.com` }).code).toBe('INPUT_INVALID');
    expect(readUpload({ 'tenant-id': `a.${part}` }).inputs.application.tenantId).toBe(`a.${part}`);
    expect(refused({ 'tenant-id': `a.${part}a` }).code).toBe('INPUT_INVALID');
    const punycode = `xn--${'a'.repeat(59)}`;
    expect(readUpload({ 'tenant-id': `a.${punycode}` }).inputs.application.tenantId).toBe(`a.${punycode}`);
    expect(refused({ 'tenant-id': `a.${punycode}a` }).code).toBe('INPUT_INVALID');
  });

  test('client-id, in either letter case', () => {
    expect(readUpload({ 'client-id': CLIENT.toUpperCase() }).inputs.application.clientId).toBe(CLIENT.toUpperCase());
  });

  test.each(['my app', 'contoso.com', `${CLIENT}0`, `0${CLIENT}`, CLIENT.replaceAll('-', '')])(
    'client-id may not be %s',
    (value) => {
      expect(refused({ 'client-id': value })).toEqual({
        code: 'INPUT_INVALID',
        message: `The input "client-id" is "${value}", which is not what it should be.`,
        remedy: `It should be the application (client) ID of the app registration: a GUID such as ${EXAMPLE}. The overview page of the app registration shows it.`,
      });
    },
  );

  test.each([
    ['0', 0],
    ['007', 7],
    [' 42 ', 42],
    ['3650', 3650],
    ['003650', 3650],
  ])('minimum-days-left "%s"', (value, days) => {
    expect(readUpload({ 'minimum-days-left': value }).inputs.minimumDaysLeft).toBe(days);
  });

  test.each(['3651', '0000007', '-1', '+5', '5.5', '1e3', '0x10', 'ten', '1 0', '٣'])(
    'minimum-days-left may not be %s',
    (value) => {
      const { code, message, remedy } = refused({ 'minimum-days-left': value });
      expect(code).toBe('INPUT_INVALID');
      expect(message).toContain('The input "minimum-days-left" is ');
      expect(remedy).toBe('It should be a whole number from 0 to 3650.');
    },
  );

  test('everything that is missing or wrong is reported at once', () => {
    const failure = refused({ cloud: 'mars', 'tenant-id': '', 'client-id': 'x', 'connector-id': '', force: 'maybe' });
    expect(failure.code).toBe('INPUT_INVALID');
    expect(failure.message).toMatch(/^5 inputs are missing or wrong\. /);
    for (const name of ['cloud', 'tenant-id', 'client-id', 'connector-id', 'force']) {
      expect(failure.message).toContain(`"${name}"`);
    }
    expect(failure.remedy).toContain('\ngh variable set TENANT_ID --env production --body contoso.onmicrosoft.com\n');
  });

  test('all that is missing: one failure, with a line to paste for each', () => {
    const failure = refused({ 'tenant-id': '', 'client-id': '', 'connector-id': '', pfx: '' });
    expect(failure.code).toBe('INPUT_MISSING');
    expect(failure.remedy.match(/^gh variable set \w+ --env production --body \S+$/gm)).toHaveLength(3);
    expect(failure.remedy).toContain('\nbase64 < connector.pfx | gh secret set CONNECTOR_PFX --env production');
  });

  test.each(Object.keys(DEFAULTS).filter((name) => name in UPLOAD_DEFAULTS))(
    '%s that is given and empty has its default',
    (name) => {
      expect(readUpload({ [name]: '' }).inputs).toEqual(readUpload({}).inputs);
    },
  );

  test.each(Object.keys(DEFAULTS).filter((name) => name in CHECK_DEFAULTS && name !== 'all'))(
    '%s of the check step that is given and empty has its default',
    (name) => {
      expect(readCheck({ [name]: '' }).inputs).toEqual(readCheck({}).inputs);
    },
  );

  test('the defaults are those of the actions, and there are no others', () => {
    expect({ ...UPLOAD_DEFAULTS, ...CHECK_DEFAULTS, ...CREATE_DEFAULTS }).toMatchObject(DEFAULTS);
    const given = Object.entries({ ...UPLOAD_DEFAULTS, ...CHECK_DEFAULTS, ...CREATE_DEFAULTS }).filter(
      ([, value]) => value !== '',
    );
    expect(given.map(([name]) => name).sort()).toEqual(Object.keys(DEFAULTS).sort());
  });

  test('more than 500 API connectors are refused', () => {
    const ids = Array.from({ length: 501 }, (_, n) => `id-${n}`).join('\n');
    expect(refused({ 'connector-id': ids }).message).toContain('at most 500');
  });
});

describe('flags', () => {
  const FLAGS = [
    ['force', 'force'],
    ['replace', 'replace'],
    ['verify-target', 'verifyTarget'],
    ['dry-run', 'dryRun'],
  ] as const;

  test.each(FLAGS)('%s sets that and no other', (name, property) => {
    const { inputs } = readUpload({ [name]: 'true' });
    expect(FLAGS.map(([, each]) => each).filter((each) => inputs[each])).toEqual([property]);
  });

  test.each(['true', 'True', 'TRUE', ' true '])('"%s" is true', (value) => {
    expect(readUpload({ force: value }).inputs.force).toBe(true);
  });

  test.each(['false', 'False', 'FALSE', ' false ', ''])('"%s" is false', (value) => {
    expect(readUpload({ force: value }).inputs.force).toBe(false);
  });

  test.each(['yes', 'on', '1', '0', 'null', 'untrue', 'true-ish', 'xfalse', 'falsely'])('"%s" is neither', (value) => {
    expect(refused({ 'dry-run': value })).toEqual({
      code: 'INPUT_INVALID',
      message: `The input "dry-run" is "${value}", which is not what it should be.`,
      remedy: 'It should be true or false.',
    });
  });
});

describe('verify-wait', () => {
  test('with verify-target it is minutes', () => {
    const { inputs } = readUpload({ 'verify-target': 'true', 'verify-wait': '30' });
    expect(inputs).toMatchObject({ verifyTarget: true, verifyWait: 30 });
  });

  test.each(['false', ''])('without it nothing would be asked: refused, with verify-target "%s"', (value) => {
    expect(refused({ 'verify-target': value, 'verify-wait': '5' })).toEqual({
      code: 'INPUT_INVALID',
      message: 'The input "verify-wait" is 5, and "verify-target" is not true: the API would not be asked at all.',
      remedy: 'Set verify-target: true, or leave verify-wait out.',
    });
  });

  test('0 needs none', () => {
    expect(readUpload({ 'verify-wait': '0' }).inputs).toMatchObject({ verifyTarget: false, verifyWait: 0 });
  });

  test('a verify-target that is neither true nor false is what is wrong', () => {
    expect(refused({ 'verify-target': 'yes', 'verify-wait': '5' }).message).toBe(
      'The input "verify-target" is "yes", which is not what it should be.',
    );
  });
});

describe('key-vault-client-id', () => {
  test.each([
    ['without a vault', {}],
    [
      'with one',
      { pfx: '', password: '', 'key-vault-certificate': 'https://contoso.vault.azure.net/certificates/api' },
    ],
  ])('is a GUID, %s', (_, changes) => {
    expect(refused({ ...changes, 'key-vault-client-id': 'my app' })).toEqual({
      code: 'INPUT_INVALID',
      message: 'The input "key-vault-client-id" is "my app", which is not what it should be.',
      remedy: `It should be the application (client) ID of the app registration that reads the vault: a GUID such as ${EXAMPLE}.`,
    });
  });

  test('it is not used without a vault', () => {
    expect(readUpload({ 'key-vault-client-id': CLIENT }).inputs).toEqual(readUpload({}).inputs);
  });
});

describe('connector ids', () => {
  const ids = (text: string): readonly string[] => readUpload({ 'connector-id': text }).inputs.connectorIds;

  test.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ])('one a line, with %s between them', (_, end) => {
    expect(ids(['one', '  two\t', '', ' ', '# three', '  # four', 'five'].join(end))).toEqual(['one', 'two', 'five']);
  });

  test('a # later in the line is part of the id', () => {
    expect(ids('a#b\nc#')).toEqual(['a#b', 'c#']);
  });

  test('each once, whatever its letter case, at its first place', () => {
    const list = ids(`${CLIENT}\n${CONNECTOR}\n${CLIENT.toUpperCase()}\n${CONNECTOR}`);
    expect(list.map((id) => id.toLowerCase())).toEqual([CLIENT, CONNECTOR]);
  });

  test.each(['...', '.a', 'a.', 'a:b', 'aZ_-09=', 'ä', '~', '😀', 'a'.repeat(256)])('"%s" is one', (id) => {
    expect(ids(id)).toEqual([id]);
  });

  test.each<[string, string, string]>([
    ['one dot', '.', '"."'],
    ['two dots', '..', '".."'],
    ['257 characters', 'a'.repeat(257), 'a text of 257 characters'],
  ])('%s is none', (_, id, shown) => {
    expect(refused({ 'connector-id': `${CONNECTOR}\n${id}` })).toEqual({
      code: 'INPUT_INVALID',
      message: `The input "connector-id" is ${shown}, which is not what it should be.`,
      remedy: `It should be the ID of an API connector, such as ${EXAMPLE}, or several, one a line. The check step with all: true lists the API connectors of the tenant with their IDs.`,
    });
  });
});

describe('what is in no connector id', () => {
  const BY_HAND = 'Type it by hand: what was copied along cannot be seen.';
  const OWN_LINES =
    'Several IDs stand on lines of their own, with nothing between them:\n  connector-id: |\n    ID\n    ANOTHER-ID';

  test.each<[string, string, string, string]>([
    ['a space of zero width', 'a\u200bb', 'a character that nobody sees (U+200B)', BY_HAND],
    ['one at its end', 'ab\u200b', 'a character that nobody sees (U+200B)', BY_HAND],
    ['a byte order mark', 'a\ufeffb', 'a character that nobody sees (U+FEFF)', BY_HAND],
    ['a soft hyphen', 'a\u00adb', 'a character that nobody sees (U+00AD)', BY_HAND],
    ['a variation selector', 'a\ufe0fb', 'a character that nobody sees (U+FE0F)', BY_HAND],
    ['a direction', 'a\u202eb', 'a character that nobody sees (U+202E)', BY_HAND],
    ['a zero byte', 'a\u0000b', 'a character that nobody sees (U+0000)', BY_HAND],
    ['a control character', 'a\u001fb', 'a character that nobody sees (U+001F)', BY_HAND],
    ['a delete character', 'a\u007fb', 'a character that nobody sees (U+007F)', BY_HAND],
    ['a control character of Latin-1', 'a\u0085b', 'a character that nobody sees (U+0085)', BY_HAND],
    ['half a character', 'a\ud83d', 'a character that nobody sees (U+D83D)', BY_HAND],
    ['double quotes', '"ab"', 'a quotation mark', 'Leave quotation marks out.'],
    ['single quotes', "'ab'", 'a quotation mark', 'Leave quotation marks out.'],
    ['quotes of a word processor', '“ab”', 'a quotation mark', 'Leave quotation marks out.'],
    ['a list of JSON', '["a","b"]', 'a quotation mark', 'Leave quotation marks out.'],
    ['a backtick', '`ab`', 'a quotation mark', 'Leave quotation marks out.'],
    ['an apostrophe before it', "'ab", 'a quotation mark', 'Leave quotation marks out.'],
    ['an apostrophe after it', 'ab’', 'a quotation mark', 'Leave quotation marks out.'],
    [
      'a comment',
      `${CLIENT} # ours`,
      'a comment behind an ID',
      'A comment stands on a line of its own, which begins with #.',
    ],
    ['a comma', `${CLIENT},${TENANT}`, 'a comma', OWN_LINES],
    ['a comma and a blank', `${CLIENT}, ${TENANT}`, 'a comma', OWN_LINES],
    ['a semicolon', `${CLIENT};${TENANT}`, 'a semicolon', OWN_LINES],
    ['a blank', `${CLIENT} ${TENANT}`, 'a blank', OWN_LINES],
    ['a tab', `${CLIENT}\t${TENANT}`, 'a blank', OWN_LINES],
    ['a blank that does not break', `${CLIENT}\u00a0${TENANT}`, 'a blank', OWN_LINES],
    ['a name next to it', `${CLIENT} Verify sign-up`, 'a blank', OWN_LINES],
    ['a name before it', `Verify sign-up: ${CLIENT}`, 'a blank', OWN_LINES],
    ['a list of YAML', `- ${CLIENT}`, 'a blank', OWN_LINES],
  ])('%s', (_, id, what, remedy) => {
    expect(refused({ 'connector-id': id })).toEqual({
      code: 'INPUT_INVALID',
      message: `The input "connector-id" has ${what} in it.`,
      remedy,
    });
    expect(refusedCheck({ 'connector-id': `# ours\n\n${CONNECTOR}\n${id}\n` }).message).toBe(
      `The input "connector-id" has ${what} in it (line 4).`,
    );
  });

  test.each(['Verify sign-up', 'Verify, then store', 'a; b', "Bob's API", 'Bob’s API', 'API #1', 'a\u00a0b', 'a  b'])(
    'a display name is read, so that the step can show its ID: %s',
    (name) => {
      expect(readUpload({ 'connector-id': `${CONNECTOR}\n${name}` }).inputs.connectorIds).toEqual([CONNECTOR, name]);
    },
  );

  test.each<[Changes, string]>([
    [{ 'client-id': `${CLIENT}\u200b` }, 'a character that nobody sees (U+200B)'],
    [{ 'tenant-id': `contoso\u00ad.com` }, 'a character that nobody sees (U+00AD)'],
    [{ 'tenant-id': `"${TENANT}"` }, 'a quotation mark'],
    [{ 'key-vault-client-id': `'${CLIENT}'` }, 'a quotation mark'],
  ])('nor in another id, and the message says what it is: %j', (changes, what) => {
    expect(refused(changes).message).toMatch(/^The input "[\w-]+" is a text of \d+ characters, which is not what/);
    expect(refused(changes).message).toContain(` There is ${what} in it.`);
  });

  test.each<[string, string]>([
    ['a character of zero width', 'api://a\u200bb'],
    ['quotation marks around it', '"api://ab"'],
    ['single ones', "'api://ab'"],
  ])('nor in an audience: %s', (_, audience) => {
    expect(refused({ audience })).toMatchObject({
      code: 'INPUT_INVALID',
      remedy: 'It should be one line of text as the federated credential has it, without quotation marks around it.',
    });
  });
});

describe('pfx and pfx-file', () => {
  test('not both', () => {
    expect(refused({ 'pfx-file': 'a.pfx' })).toEqual({
      code: 'INPUT_INVALID',
      message: 'The inputs "pfx" and "pfx-file" are set, and only one of them may be.',
      remedy:
        'Keep one of them: pfx for text out of a secret, pfx-file for a file on the runner, key-vault-certificate for a vault.',
    });
  });

  test.each([
    ['letters', 'A'.repeat(400)],
    ['all digits of base64', 'AZaz09+/'.repeat(50)],
    ['the url-safe ones', 'ab-_'.repeat(100)],
    ['wrapped and padded', `${'A'.repeat(76)}\r\n`.repeat(5) + 'A'.repeat(8) + '=='],
  ])('400 characters of base64 in pfx-file are no path: %s', (_, text) => {
    expect(text).toHaveLength(400);
    expect(refused({ pfx: '', 'pfx-file': text })).toEqual({
      code: 'INPUT_INVALID',
      message: 'The input "pfx-file" holds what looks like the content of a file, not its path.',
      remedy: 'Give base64 text to pfx instead, such as pfx: ${{ secrets.CONNECTOR_PFX }}.',
    });
  });

  test.each([
    ['in double quotes', `"${'A'.repeat(400)}"`],
    ['in single quotes', `'${'A'.repeat(400)}'`],
    ['with its type', `data:application/x-pkcs12;base64,${'A'.repeat(400)}`],
  ])('base64 in pfx-file %s is no path either, and is masked', (_, text) => {
    const { failure, masks } = refusalOfUpload({ pfx: '', 'pfx-file': text });
    expect(failure.message).toBe('The input "pfx-file" holds what looks like the content of a file, not its path.');
    expect(masks).toContain(text);
  });

  test.each([
    ['399 characters', 'A'.repeat(399)],
    ['a name that begins with a dot', `.${'A'.repeat(400)}`],
    ['a name that has an ending', `${'A'.repeat(400)}.pfx`],
    ['4096 characters', `${'A'.repeat(4092)}.pfx`],
  ])('a path: %s', (_, path) => {
    const { inputs, masks } = readUpload({ pfx: '', 'pfx-file': path, password: '' });
    expect(inputs.source).toEqual({ kind: 'file', path, password: '' });
    expect(masks).toEqual([]);
  });

  test('a path has no control characters', () => {
    expect(refused({ pfx: '', 'pfx-file': 'a\nb.pfx' })).toEqual({
      code: 'INPUT_INVALID',
      message: 'The input "pfx-file" is a text of 7 characters, which is not what it should be.',
      remedy: 'It should be one line of text, without control characters.',
    });
  });
});

describe('limits', () => {
  const PFX_LIMIT = 6 * 1024 * 1024;
  const inLines = (length: number): string => 'AAAA\n'.repeat(length / 5) + 'A'.repeat(length % 5);

  test.each<[string, number, (length: number) => Changes]>([
    ['password', 32_768, (length) => ({ password: 'p'.repeat(length) })],
    ['audience', 512, (length) => ({ audience: 'a'.repeat(length) })],
    ['pfx-file', 4096, (length) => ({ pfx: '', 'pfx-file': '.'.repeat(length) })],
  ])('%s: %i characters', (name, most, change) => {
    readUpload(change(most));
    expect(refused(change(most + 1))).toEqual({
      code: 'INPUT_INVALID',
      message: `The input "${name}" has ${most + 1} characters; at most ${most} are accepted.`,
      remedy: `Shorten "${name}".`,
    });
  });

  test('pfx: 6 Mi characters', () => {
    expect(readUpload({ pfx: inLines(PFX_LIMIT) }).inputs.source).toMatchObject({ kind: 'text' });
    expect(refused({ pfx: inLines(PFX_LIMIT + 1) })).toEqual({
      code: 'INPUT_INVALID',
      message: 'The input "pfx" has 6291457 characters; at most 6291456 are accepted.',
      remedy: 'Is this the right file? A .pfx is a few kilobytes.',
    });
  });

  test.each([
    ['a line break', '\n'],
    ['a tab', '\t'],
    ['a zero byte', '\u0000'],
    ['the last control character', '\u001f'],
    ['a delete character', '\u007f'],
  ])('an audience is one line of text, without %s', (_, character) => {
    const { code, message, remedy } = refused({ audience: `api://a${character}b` });
    expect(code).toBe('INPUT_INVALID');
    expect(message).toMatch(/^The input "audience" is a text of 9 characters, which is not what it should be\./);
    expect(remedy).toBe(
      'It should be one line of text as the federated credential has it, without quotation marks around it.',
    );
  });

  test('other characters of an audience are left as they are', () => {
    const audience = `api://Größe "~"'s, !`;
    expect(readUpload({ audience }).inputs.application.audience).toBe(audience);
  });
});

describe('a refused value in the message', () => {
  const message = (value: string): string => refused({ 'client-id': value }).message;

  test('short and plain, it is repeated as it is', () => {
    const plain = 'a B.c:d@e/f\\g-h_9';
    expect(message(plain)).toBe(`The input "client-id" is "${plain}", which is not what it should be.`);
    expect(message('x'.repeat(64))).toContain(`"${'x'.repeat(64)}"`);
  });

  test.each([
    ['long', 'x'.repeat(65)],
    ['with a sign at its end', 'throw-away~'],
    ['with a sign at its start', '$throw-away'],
    ['over two lines', 'throw-away\nthrow-away'],
    ['not in ASCII', 'größe'],
    ['in base64', 'dGhyb3ctYXdheQ=='],
  ])('%s, only its length is shown', (_, value) => {
    expect(message(value)).toBe(
      `The input "client-id" is a text of ${value.length} characters, which is not what it should be.`,
    );
  });

  test.each([
    'tenant-id',
    'client-id',
    'connector-id',
    'cloud',
    'audience',
    'minimum-days-left',
    'force',
    'replace',
    'verify-target',
    'dry-run',
  ])('a secret by mistake in %s is not repeated', (name) => {
    const secret = `throw-away ${'+/'.repeat(300)}`;
    const { message, remedy } = refused({ [name]: secret });
    expect(message).toContain(`"${name}"`);
    expect(message + remedy).not.toContain('throw-away');
    expect(message.length).toBeLessThan(150);
  });
});

describe('masks', () => {
  test('the .pfx and the password, and nothing that is no secret', () => {
    const { masks } = readUpload({ audience: 'api://the audience of ours' });
    expect(masks).toEqual([PFX, PASSWORD]);
  });

  test('they are set before anything is refused', () => {
    const proxy = { HTTPS_PROXY: 'http://user:throw-away@proxy.example:8080' };
    const { failure, masks } = refusalOfUpload({ cloud: 'mars' }, proxy);
    expect(failure.code).toBe('CLOUD_UNKNOWN');
    expect(masks).toEqual(expect.arrayContaining([PFX, PASSWORD, 'user:throw-away', 'throw-away']));
  });

  test('they are set before too long a password is refused', () => {
    const password = 'throw-away '.repeat(3000);
    expect(refusalOfUpload({ password }).masks).toContain(password);
  });

  test('the content of a file, given as its path, is masked line by line', () => {
    const lines = ['A', 'B', 'C', 'D', 'E', 'F'].map((letter) => letter.repeat(76));
    const { failure, masks } = refusalOfUpload({ pfx: '', password: '', 'pfx-file': lines.join('\n') });
    expect(failure.code).toBe('INPUT_INVALID');
    expect(masks).toEqual(lines);
  });

  test('a path is not masked', () => {
    const { masks } = readUpload({ pfx: '', 'pfx-file': 'certificates/production.pfx', password: '' });
    expect(masks).toEqual([]);
  });

  test.each(['p4ss', ' throw-away ', 'throw\r\naway', 'abc', ' ', ''])(
    'the password %j is given on as it is',
    (password) => {
      const step = readUpload({ pfx: '', 'pfx-file': 'a.pfx', password });
      expect(step.inputs.source).toMatchObject({ password });
      expect(step.warnings).toHaveLength(password !== '' && password.length < 4 ? 1 : 0);
    },
  );

  test('those of a proxy are set in the check step as well', () => {
    const { masks } = readCheck({}, { HTTPS_PROXY: 'http://user:throw-away@proxy.example:8080' });
    expect(masks).toEqual(['user:throw-away', 'throw-away', Buffer.from('user:throw-away').toString('base64')]);
  });
});

describe('the inputs of the check step', () => {
  test('with nothing but what is required, the rest has the defaults of check/action.yml', () => {
    const { inputs, masks, warnings } = readCheck();
    expect(inputs).toEqual({
      application: {
        tenantId: TENANT,
        clientId: CLIENT,
        cloud: cloudByName('global'),
        audience: 'api://AzureADTokenExchange',
      },
      connectorIds: [CONNECTOR],
      thresholds: { warnDays: 30, failDays: 7 },
    });
    expect([masks, warnings]).toEqual([[], []]);
  });

  test('every connector of the tenant', () => {
    expect(readCheck({ 'connector-id': '', all: 'True' }).inputs.connectorIds).toBe('all');
  });

  test('several connectors', () => {
    expect(readCheck({ 'connector-id': '# ours\none\r\ntwo\nONE' }).inputs.connectorIds).toHaveLength(2);
  });

  test('neither connector-id nor all', () => {
    expect(refusedCheck({ 'connector-id': '' })).toMatchObject({
      code: 'INPUT_MISSING',
      message: 'The input "connector-id" is required and empty.',
    });
  });

  test('connector-id and all', () => {
    expect(refusedCheck({ all: 'true' })).toEqual({
      code: 'INPUT_INVALID',
      message: 'Both inputs "connector-id" and "all" are set.',
      remedy: 'Keep one of them: connector-id for those you name, all: true for every one of the tenant.',
    });
  });

  test.each([
    ['both 0', '0', '0'],
    ['equal', '14', '14'],
    ['the longest', '3650', '3650'],
    ['apart', '60', '14'],
  ])('warn-days and fail-days: %s', (_, warn, fail) => {
    expect(readCheck({ 'warn-days': warn, 'fail-days': fail }).inputs).toMatchObject({
      thresholds: { warnDays: Number(warn), failDays: Number(fail) },
    });
  });

  test.each([
    [{ 'warn-days': 'x', 'fail-days': '9999' }, ['"warn-days" is "x"', '"fail-days" is "9999"']],
    [{ 'warn-days': 'x', 'fail-days': '40' }, ['"warn-days" is "x"']],
    [{ 'warn-days': '5', 'fail-days': 'x' }, ['"fail-days" is "x"']],
  ])('of %j, each that is wrong is named, and no other', (inputs, named) => {
    const { message } = refusedCheck(inputs);
    expect(message.match(/"(?:warn|fail)-days" is "[^"]*"/g)).toEqual(named);
    expect(message).not.toContain('would never come');
  });

  test('warn-days less than fail-days', () => {
    expect(refusedCheck({ 'warn-days': '6' })).toEqual({
      code: 'INPUT_INVALID',
      message: 'The input "fail-days" is 7, more than "warn-days", 6: the warning would never come.',
      remedy: 'Make warn-days the larger one.',
    });
  });

  test.each(['warn-days', 'fail-days'])('%s is a whole number up to 3650', (name) => {
    expect(refusedCheck({ 'warn-days': '3650', [name]: '3651' })).toEqual({
      code: 'INPUT_INVALID',
      message: `The input "${name}" is "3651", which is not what it should be.`,
      remedy: 'It should be a whole number from 0 to 3650.',
    });
  });

  test('who signs in is checked as in the upload step', () => {
    expect(refusedCheck({ 'tenant-id': '' })).toMatchObject({ code: 'INPUT_MISSING' });
    expect(refusedCheck({ 'client-id': 'my app' })).toMatchObject({ code: 'INPUT_INVALID' });
    expect(refusedCheck({ cloud: 'us-gov-l4' })).toMatchObject({ code: 'CLOUD_UNSUPPORTED' });
    expect(refusedCheck({ audience: 'a'.repeat(513) })).toMatchObject({ code: 'INPUT_INVALID' });
    expect(refusedCheck({ all: 'maybe' }).message).toBe('The input "all" is "maybe", which is not what it should be.');
  });
});

describe('the inputs of the create step', () => {
  const readCreate = (changes: Changes = {}): Read<CreateInputs> =>
    read({ ...CREATE_DEFAULTS, ...identity, 'connector-id': CONNECTOR, ...changes }, {}, readCreateInputs);
  const subject = parseSubject('CN=api-connector');

  test('with nothing but what is required, the rest has the defaults of create/action.yml', () => {
    const { inputs, masks, warnings } = readCreate();
    expect(inputs).toMatchObject({
      connectorIds: [CONNECTOR],
      renewDays: 30,
      request: { subject: 'der' in subject ? subject.der : undefined, validDays: 180 },
    });
    expect([masks, warnings]).toEqual([[], []]);
  });

  test.each([
    [{ 'valid-days': '397', 'renew-days': '396' }, 397, 396],
    [{ 'valid-days': '1', 'renew-days': '0' }, 1, 0],
  ])('%j are the limits of the days', (changes, validDays, renewDays) => {
    expect(readCreate(changes).inputs).toMatchObject({ renewDays, request: { validDays } });
  });

  test.each<[Changes, RegExp]>([
    [{ 'valid-days': '398' }, /"valid-days" is "398"/],
    [{ 'valid-days': '0', 'renew-days': '0' }, /"valid-days" is "0"/],
    [{ 'valid-days': '30' }, /"renew-days" is 30, and "valid-days" is 30/],
    [{ subject: 'CN=a, OU=b' }, /the attribute OU is not supported/],
    [{ 'valid-days': '9999', 'renew-days': 'x' }, /"renew-days" is "x".* "valid-days" is "9999"/],
  ])('%j is refused', (changes, message) => {
    expect(() => readCreate(changes)).toThrow(message);
  });
});
