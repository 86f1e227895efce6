/** The inputs as the runner hands them over: what is read, what is refused and how, and what is masked on the way. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { cloudByName } from '../src/sign-in/cloud.ts';
import type { FailureCode } from '../src/failure.ts';
import { readInputs, type CheckInputs, type Inputs } from '../src/inputs.ts';
import { failureOf } from './pkcs12/fixtures.ts';

const TENANT = '11111111-2222-4333-8444-555555555555';
const CLIENT = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
const CONNECTOR = '99999999-8888-4777-8666-555555555555';
const PASSWORD = 'throw-away password';
const PFX = 'VGhyb3ctYXdheSB0ZXh0LCBubyBrZXkgaW4gaXQ=';
const EXAMPLE = '00000000-0000-0000-0000-000000000000';
const EMPTY_ELSEWHERE = 'A variable or secret is empty where it is not defined in this repository or environment.';
const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'];

type Changes = Readonly<Record<string, string>>;

interface Action {
  inputs: Record<string, { default?: string }>;
}

function defaultsOf(file: string): Record<string, string> {
  const action = parse(readFileSync(join(import.meta.dirname, '..', file), 'utf8')) as Action;
  return Object.fromEntries(Object.entries(action.inputs).map(([name, input]) => [name, input.default ?? '']));
}
const UPLOAD_DEFAULTS = defaultsOf('action.yml');
const CHECK_DEFAULTS = defaultsOf('check/action.yml');
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

/** Calls `action` where these are the inputs and the rest of the environment; gives its result, and the lines it printed. */
function inStep<T>(inputs: Changes, environment: Changes, action: () => T): { result: T; lines: string[] } {
  const before = process.env;
  const foreign = (name: string): boolean => name.startsWith('INPUT_') || PROXY_VARIABLES.includes(name);
  process.env = {
    ...Object.fromEntries(Object.entries(before).filter(([name]) => !foreign(name))),
    ...Object.fromEntries(Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])),
    ...environment,
  };
  const write = process.stdout.write.bind(process.stdout);
  let printed = '';
  process.stdout.write = (chunk: string | Uint8Array): boolean => {
    printed += chunk.toString();
    return true;
  };
  try {
    const result = action();
    return { result, lines: printed.split('\n').filter((line) => line !== '') };
  } finally {
    process.stdout.write = write;
    process.env = before;
  }
}

function masksIn(lines: readonly string[]): string[] {
  return lines
    .filter((line) => line.startsWith('::add-mask::'))
    .map((line) => line.slice('::add-mask::'.length))
    .map((value) => value.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%'));
}

interface Read<T> {
  readonly inputs: T;
  readonly masks: string[];
  readonly warnings: string[];
}

function read(inputs: Changes, environment: Changes = {}): Read<Inputs | CheckInputs> {
  const { result, lines } = inStep(inputs, environment, readInputs);
  const masks = masksIn(lines);
  return { inputs: result, masks, warnings: lines.filter((line) => !line.startsWith('::add-mask::')) };
}

function readUpload(changes: Changes = {}, environment: Changes = {}): Read<Inputs> {
  const { inputs, ...printed } = read(uploadStep(changes), environment);
  if (inputs.step !== 'upload') throw new Error('these are the inputs of another step');
  return { inputs, ...printed };
}

function readCheck(changes: Changes = {}, environment: Changes = {}): Read<CheckInputs> {
  const { inputs, ...printed } = read(checkStep(changes), environment);
  if (inputs.step !== 'check') throw new Error('these are the inputs of another step');
  return { inputs, ...printed };
}

interface Refused {
  readonly code: FailureCode;
  readonly message: string;
  readonly remedy: string;
}

function refusalOf(inputs: Changes, environment: Changes = {}): { failure: Refused; masks: string[] } {
  const { result, lines } = inStep(inputs, environment, () => failureOf(readInputs));
  const { code, message, remedy } = result;
  return { failure: { code, message, remedy }, masks: masksIn(lines) };
}
const refused = (changes: Changes): Refused => refusalOf(uploadStep(changes)).failure;
const refusedCheck = (changes: Changes): Refused => refusalOf(checkStep(changes)).failure;

/** Masks without those of {@link PFX} and {@link PASSWORD}. */
const masksOf = (changes: Changes, environment: Changes = {}): string[] =>
  readUpload({ pfx: '', 'pfx-file': 'a.pfx', password: '', ...changes }, environment).masks;

describe('the inputs of the upload step', () => {
  test('with nothing but what is required, the rest has the defaults of action.yml', () => {
    const { inputs, warnings } = readUpload({ password: '' });
    expect(inputs).toEqual({
      step: 'upload',
      tenantId: TENANT,
      clientId: CLIENT,
      cloud: cloudByName('global'),
      audience: 'api://AzureADTokenExchange',
      connectorIds: [CONNECTOR],
      source: { kind: 'text', text: PFX, password: '' },
      minimumDaysLeft: 0,
      force: false,
      replace: false,
      verifyTarget: false,
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
      tenantId: 'contoso.onmicrosoft.com',
      cloud: cloudByName('china'),
      audience: 'api://ours',
      connectorIds: [CONNECTOR, 'second'],
      source: { kind: 'file', path: 'certs/my cert.pfx', password: PASSWORD },
      minimumDaysLeft: 30,
    });
  });

  test('the audience is that of the cloud, where none is given', () => {
    expect(readUpload({ cloud: 'china' }).inputs.audience).toBe('api://AzureADTokenExchangeChina');
  });

  test('blanks at the ends of the password count', () => {
    expect(readUpload({ password: '  throw-away\t ' }).inputs.source.password).toBe('  throw-away\t ');
  });
});

describe('what is required', () => {
  test.each<[string, Changes, string, string]>([
    [
      'tenant-id',
      { 'tenant-id': ' ' },
      'The input "tenant-id" is required and empty.',
      `Set tenant-id to a GUID such as ${EXAMPLE}, or a domain such as contoso.onmicrosoft.com. ${EMPTY_ELSEWHERE}`,
    ],
    [
      'client-id',
      { 'client-id': '' },
      'The input "client-id" is required and empty.',
      `Set client-id to a GUID such as ${EXAMPLE}. ${EMPTY_ELSEWHERE}`,
    ],
    [
      'connector-id',
      { 'connector-id': '' },
      'The input "connector-id" is required and empty.',
      `Set connector-id to the ID of an API connector, or several, one a line. ${EMPTY_ELSEWHERE}`,
    ],
    [
      'connector-id, of blank lines and comments only',
      { 'connector-id': ' # none yet\r\n \r\n#' },
      'The input "connector-id" is required and empty.',
      `Set connector-id to the ID of an API connector, or several, one a line. ${EMPTY_ELSEWHERE}`,
    ],
    [
      'one of pfx and pfx-file',
      { pfx: ' ' },
      'Neither of the inputs "pfx" and "pfx-file" is set.',
      'Set pfx to the .pfx as base64 text, such as ${{ secrets.CONNECTOR_PFX }}, or pfx-file to its path on the runner. A secret is empty where it is not defined in this repository or environment, and in workflows that a fork or Dependabot started. Store it with: base64 -w0 cert.pfx | gh secret set CONNECTOR_PFX',
    ],
  ])('%s', (_, changes, message, remedy) => {
    expect(refused(changes)).toEqual({ code: 'INPUT_MISSING', message, remedy });
  });
});

describe('what an input may be', () => {
  test.each([TENANT.toUpperCase(), 'contoso.onmicrosoft.com', 'CONTOSO.com', 'x.co', 'a-b.c-1.example', '1.example'])(
    'tenant-id %s',
    (value) => {
      expect(readUpload({ 'tenant-id': value }).inputs.tenantId).toBe(value);
    },
  );

  test.each([
    'common',
    'contoso.c',
    'contoso.c0m',
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
      remedy: `It should be the directory (tenant) ID: a GUID such as ${EXAMPLE}, or a domain such as contoso.onmicrosoft.com. Show it with: az account show --query tenantId --output tsv`,
    });
  });

  test('a part of a domain has 63 characters at most, the whole 253', () => {
    const part = 'a'.repeat(63);
    const longest = `${part}.${part}.${part}.${'b'.repeat(57)}.com`;
    expect(longest).toHaveLength(253);
    expect(readUpload({ 'tenant-id': longest }).inputs.tenantId).toBe(longest);
    expect(refused({ 'tenant-id': `${part}.${part}.${part}.${'b'.repeat(58)}.com` }).code).toBe('INPUT_INVALID');
    expect(refused({ 'tenant-id': `a${part}.com` }).code).toBe('INPUT_INVALID');
    expect(readUpload({ 'tenant-id': `a.${part}` }).inputs.tenantId).toBe(`a.${part}`);
    expect(refused({ 'tenant-id': `a.${part}a` }).code).toBe('INPUT_INVALID');
  });

  test('client-id, in either letter case', () => {
    expect(readUpload({ 'client-id': CLIENT.toUpperCase() }).inputs.clientId).toBe(CLIENT.toUpperCase());
  });

  test.each(['my app', 'contoso.com', `${CLIENT}0`, `0${CLIENT}`, CLIENT.replaceAll('-', '')])(
    'client-id may not be %s',
    (value) => {
      expect(refused({ 'client-id': value })).toEqual({
        code: 'INPUT_INVALID',
        message: `The input "client-id" is "${value}", which is not what it should be.`,
        remedy: `It should be the application (client) ID of the app registration: a GUID such as ${EXAMPLE}. Show it with: az ad app list --display-name NAME --query "[].appId" --output tsv`,
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

  test('minimum-days-left may not be empty', () => {
    expect(refused({ 'minimum-days-left': '' }).message).toBe(
      'The input "minimum-days-left" is empty, which is not what it should be.',
    );
  });

  test('a cloud that is not known comes before everything but the secrets', () => {
    expect(refused({ cloud: 'mars', 'tenant-id': '', 'connector-id': '' }).code).toBe('CLOUD_UNKNOWN');
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

  test('each once, whatever its letter case, where it stood first', () => {
    const list = ids(`${CLIENT}\n${CONNECTOR}\n${CLIENT.toUpperCase()}\n${CONNECTOR}`);
    expect(list.map((id) => id.toLowerCase())).toEqual([CLIENT, CONNECTOR]);
  });

  test.each(['...', '.a', 'a.', 'a b', 'ä', '~', '\u0080', '😀', 'a'.repeat(256)])('"%s" is one', (id) => {
    expect(ids(id)).toEqual([id]);
  });

  test.each<[string, string, string]>([
    ['one dot', '.', '"."'],
    ['two dots', '..', '".."'],
    ['257 characters', 'a'.repeat(257), 'a text of 257 characters'],
    ['a tab inside', 'a\tb', 'a text of 3 characters'],
    ['a zero byte', 'a\u0000b', 'a text of 3 characters'],
    ['the last control character', 'a\u001fb', 'a text of 3 characters'],
    ['a delete character', 'a\u007fb', 'a text of 3 characters'],
    ['half a character', 'a\ud83d', 'a text of 2 characters'],
  ])('%s is none', (_, id, shown) => {
    expect(refused({ 'connector-id': `${CONNECTOR}\n${id}` })).toEqual({
      code: 'INPUT_INVALID',
      message: `The input "connector-id" is ${shown}, which is not what it should be.`,
      remedy: `It should be the ID of an API connector, such as ${EXAMPLE}, or several, one a line. List them with: az rest --method get --url https://graph.microsoft.com/v1.0/identity/apiConnectors --query "value[].[id,displayName]" --output tsv`,
    });
  });
});

describe('pfx and pfx-file', () => {
  test('not both', () => {
    expect(refused({ 'pfx-file': 'a.pfx' })).toEqual({
      code: 'INPUT_INVALID',
      message: 'Both inputs "pfx" and "pfx-file" are set.',
      remedy: 'Keep one of them: pfx for base64 text out of a secret, pfx-file for a file on the runner.',
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

  test.each([`"${'A'.repeat(400)}"`, `'${'A'.repeat(400)}'`, `data:application/x-pkcs12;base64,${'A'.repeat(400)}`])(
    'base64 in pfx-file in quotes, or with its type, is no path either, and is masked: %.12s…',
    (text) => {
      const { failure, masks } = refusalOf(uploadStep({ pfx: '', 'pfx-file': text }));
      expect(failure.message).toBe('The input "pfx-file" holds what looks like the content of a file, not its path.');
      expect(masks).toContain(text);
    },
  );

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
    ['password', 1024, (length) => ({ password: 'p'.repeat(length) })],
    ['audience', 512, (length) => ({ audience: 'a'.repeat(length) })],
    ['pfx-file', 4096, (length) => ({ pfx: '', 'pfx-file': '.'.repeat(length) })],
  ])('%s: %i characters', (name, most, change) => {
    readUpload(change(most));
    expect(refused(change(most + 1))).toEqual({
      code: 'INPUT_INVALID',
      message: `The input "${name}" has ${most + 1} characters; at most ${most} are taken.`,
      remedy: `Shorten "${name}".`,
    });
  });

  test('pfx: 6 Mi characters', () => {
    expect(readUpload({ pfx: inLines(PFX_LIMIT) }).inputs.source).toMatchObject({ kind: 'text' });
    expect(refused({ pfx: inLines(PFX_LIMIT + 1) })).toEqual({
      code: 'INPUT_INVALID',
      message: 'The input "pfx" has 6291457 characters; at most 6291456 are taken.',
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
    expect(refused({ audience: `api://a${character}b` })).toEqual({
      code: 'INPUT_INVALID',
      message: 'The input "audience" is a text of 9 characters, which is not what it should be.',
      remedy: 'It should be one line of text, without control characters.',
    });
  });

  test('other characters of an audience are left as they are', () => {
    const audience = 'api://Größe ~\u0080!';
    expect(readUpload({ audience }).inputs.audience).toBe(audience);
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
  ])('%s, only its length is told', (_, value) => {
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
    const { failure, masks } = refusalOf(uploadStep({ cloud: 'mars' }), proxy);
    expect(failure.code).toBe('CLOUD_UNKNOWN');
    expect(masks).toEqual(expect.arrayContaining([PFX, PASSWORD, 'user:throw-away', 'throw-away']));
  });

  test('they are set before too long a password is refused', () => {
    const password = 'throw-away '.repeat(100);
    expect(refusalOf(uploadStep({ password })).masks).toContain(password);
  });

  test.each([
    ['LF', '\n'],
    ['CRLF', '\r\n'],
    ['CR', '\r'],
  ])('a .pfx of several lines is masked line by line, with %s between them', (_, end) => {
    const pfx = ['A'.repeat(64), ` ${'B'.repeat(64)}\t`, 'C'.repeat(16), 'D'.repeat(15)].join(end);
    expect(masksOf({ pfx, 'pfx-file': '' })).toEqual(['A'.repeat(64), 'B'.repeat(64), 'C'.repeat(16)]);
  });

  test('the armour around a .pfx is not masked, even where it is cut', () => {
    const body = `${'A'.repeat(27)}-----`;
    const pfx = ['-----BEGIN CERTIFICATE-----', body, ' -----END CERTIFICATE-----', '-----BEGIN CERTIFICATE'].join(
      '\n',
    );
    expect(masksOf({ pfx, 'pfx-file': '' })).toEqual([body]);
  });

  test('the content of a file, given as its path, is masked line by line', () => {
    const lines = ['A', 'B', 'C', 'D', 'E', 'F'].map((letter) => letter.repeat(76));
    const { failure, masks } = refusalOf(uploadStep({ pfx: '', password: '', 'pfx-file': lines.join('\n') }));
    expect(failure.code).toBe('INPUT_INVALID');
    expect(masks).toEqual(lines);
  });

  test('a path is not masked', () => {
    expect(masksOf({ 'pfx-file': 'certificates/production.pfx' })).toEqual([]);
  });

  test.each<[string, string, string[]]>([
    ['four characters', 'p4ss', ['p4ss']],
    ['blanks at its ends', ' throw-away ', [' throw-away ']],
    ['a percent sign', '100% throw-away', ['100% throw-away']],
    ['two lines, LF', 'throw\naway', ['throw', 'away']],
    ['two lines, CRLF', 'throw\r\naway', ['throw', 'away']],
    ['two lines, CR', 'throw\raway', ['throw', 'away']],
    ['a short line among its lines', 'abc\nthrow-away\n', ['throw-away']],
  ])('a password with %s', (_, password, masks) => {
    const step = readUpload({ pfx: '', 'pfx-file': 'a.pfx', password });
    expect(step.masks).toEqual(masks);
    expect(step.warnings).toEqual([]);
    expect(step.inputs.source.password).toBe(password);
  });

  test.each([
    ['three characters', 'abc'],
    ['one blank', ' '],
    ['short lines only', 'abc\r\nabc'],
  ])('a password of %s is not masked, and a warning says so without it', (_, password) => {
    const step = readUpload({ pfx: '', 'pfx-file': 'a.pfx', password });
    expect(step.masks).toEqual([]);
    expect(step.warnings).toEqual([
      '::warning title=Short password::The password has fewer than 4 characters, so it is not masked in the log: every place where these letters occur would read ***. This action never prints it. Choose a longer one.',
    ]);
    expect(step.inputs.source.password).toBe(password);
  });

  test('no password: nothing to mask, nothing to warn of', () => {
    const step = readUpload({ pfx: '', 'pfx-file': 'a.pfx', password: '' });
    expect([step.masks, step.warnings]).toEqual([[], []]);
  });
});

describe('masks of a proxy', () => {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');

  test.each(PROXY_VARIABLES)('the credentials in %s, as they stand there and as they are sent', (name) => {
    expect(masksOf({}, { [name]: 'http://us%40er:throw%2Faway%25@proxy.example:8080' })).toEqual([
      'us%40er:throw%2Faway%25',
      'throw%2Faway%25',
      'throw/away%',
      base64('us@er:throw/away%'),
    ]);
  });

  test('those of the check step as well', () => {
    const { masks } = readCheck({}, { HTTPS_PROXY: 'http://user:throw-away@proxy.example:8080' });
    expect(masks).toEqual(['user:throw-away', 'throw-away', 'throw-away', base64('user:throw-away')]);
  });

  test('one that is no percent-encoding is taken as it is', () => {
    expect(masksOf({}, { https_proxy: 'http://us%zzer:throw%away@proxy.example' })).toEqual([
      'us%zzer:throw%away',
      'throw%away',
      'throw%away',
      base64('us%zzer:throw%away'),
    ]);
  });

  test('a password of four characters is masked, one of three only together with the user name', () => {
    expect(masksOf({}, { HTTP_PROXY: 'http://user:p4ss@proxy.example' })).toContain('p4ss');
    expect(masksOf({}, { HTTP_PROXY: 'http://user:abc@proxy.example' })).toEqual(['user:abc', base64('user:abc')]);
  });

  test.each(['http://throw-away-token@proxy.example:8080', 'http://throw-away-token:@proxy.example:8080'])(
    'a user name alone, which may be a token: %s',
    (proxy) => {
      expect(masksOf({}, { HTTPS_PROXY: proxy })).toEqual([
        'throw-away-token',
        'throw-away-token',
        base64('throw-away-token:'),
      ]);
    },
  );

  test.each([
    ['no credentials', 'http://proxy.example:8080'],
    ['nothing in it', ''],
    ['what is no URL', '//user:throw-away@'],
  ])('nothing is masked where there is %s', (_, proxy) => {
    expect(masksOf({}, { HTTPS_PROXY: proxy })).toEqual([]);
  });

  test('one variable that is of no use does not hide the next', () => {
    const environment = {
      HTTPS_PROXY: 'not a URL',
      https_proxy: 'http://proxy.example',
      http_proxy: 'http://user:throw-away@proxy.example',
    };
    expect(masksOf({}, environment)).toContain('throw-away');
  });
});

describe('the inputs of the check step', () => {
  test('with nothing but what is required, the rest has the defaults of check/action.yml', () => {
    const { inputs, masks, warnings } = readCheck();
    expect(inputs).toEqual({
      step: 'check',
      tenantId: TENANT,
      clientId: CLIENT,
      cloud: cloudByName('global'),
      audience: 'api://AzureADTokenExchange',
      connectorIds: [CONNECTOR],
      warnDays: 30,
      failDays: 7,
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
      warnDays: Number(warn),
      failDays: Number(fail),
    });
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
    expect(refusedCheck({ [name]: '' }).message).toContain(`"${name}" is empty`);
  });

  test('who signs in is checked as in the upload step', () => {
    expect(refusedCheck({ 'tenant-id': '' })).toMatchObject({ code: 'INPUT_MISSING' });
    expect(refusedCheck({ 'client-id': 'my app' })).toMatchObject({ code: 'INPUT_INVALID' });
    expect(refusedCheck({ cloud: 'us-gov-l4' })).toMatchObject({ code: 'CLOUD_UNSUPPORTED' });
    expect(refusedCheck({ audience: 'a'.repeat(513) })).toMatchObject({ code: 'INPUT_INVALID' });
    expect(refusedCheck({ all: 'maybe' }).message).toBe('The input "all" is "maybe", which is not what it should be.');
  });
});
