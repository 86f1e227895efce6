/**
 * `npm run test:act`: nektos/act, a workflow engine that nobody here wrote, runs every workflow in examples/ and one that
 * uses the actions of this repository by path, on this machine, against the emulator. Each has to succeed, to change what it
 * is for, and to leave no secret in the log.
 *
 *   npm run test:act -- [--show] [NAME …]
 *
 * act is taken from the variable ACT or from PATH (`go install github.com/nektos/act@latest`); without it this says so and
 * does nothing. Needs git, bash, curl and jq. Not part of `npm test`. With --show the log is printed as act writes it.
 *
 * act knows no environments of a repository: variables and secrets are the same in all jobs, which run one after the other
 * because they share a connector, and the subject of the ID token is the emulator's. What an example calls besides curl and jq is stood in for: {@link COMMANDS}.
 */
import { execFile, execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { TLSSocket } from 'node:tls';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { clientCertificate, type ClientCertificate } from '../emulator/certificates.ts';
import { CHINA, Emulator, GLOBAL, VAULT } from '../emulator/emulator.ts';
import { pfxOf } from '../emulator/pfx.ts';

const REPOSITORY = resolve(import.meta.dirname, '..');
const PASSWORD = 'throw-away password';
const NAME = 'upload-api-connector-certificate';

/** How the examples name this repository's actions. */
const OURS = ['PUBLISHER', 'OWNER'].map((owner) => `${owner}/${NAME}`);

/** What many-tenants.yml reads from its repository. */
const TENANTS = ['connector', 'fabrikam'].map((name, index) => ({
  name,
  'tenant-id': GLOBAL.tenantId,
  'client-id': GLOBAL.clientId,
  'connector-id': index === 0 ? GLOBAL.connectorId : 'e3f1c1d2-8a94-4d0e-9f3d-6f6f0a0c5b11',
}));

/** act does this one itself: it copies the repository. */
const CHECKOUT = 'actions/checkout@';

class Failed extends Error {}

interface Example {
  /** What the variables are, besides {@link variablesFor}. */
  readonly cloud?: typeof CHINA;
  readonly prepare?: (emulator: Emulator) => Promise<void> | void;
  /** What it is for; the certificate of the secrets is on the connector unless given. */
  readonly expect?: (run: Run) => void;
  /** Commands that have to have been called. */
  readonly calls?: readonly string[];
}

interface Run {
  readonly emulator: Emulator;
  readonly certificate: ClientCertificate;
  readonly records: readonly LogRecord[];
  /** What the log shows, line by line. */
  readonly log: string;
}

/** A line of act's log (--json), as far as it is read here. */
interface LogRecord {
  readonly job?: string;
  readonly msg: string;
  readonly step?: string;
  readonly stage?: string;
  readonly stepResult?: string;
  readonly jobResult?: string;
  readonly command?: string;
  readonly raw_output?: boolean;
}

/** Examples that need more than an upload does. One that is not here is run all the same. */
const EXAMPLES: Readonly<Record<string, Example>> = {
  china: { cloud: CHINA },
  'many-tenants': {
    prepare: (emulator) => {
      for (const tenant of TENANTS) emulator.addConnector({ id: tenant['connector-id'] });
    },
  },
  'private-ca': {
    prepare: async (emulator) => {
      await emulator.addHost('vault.contoso.com', privateCa(await clientCertificate()));
    },
    expect: ({ emulator }) => {
      holdsOne(emulator);
    },
  },
  'scheduled-check': {
    prepare: (emulator) => {
      const now = Math.floor(Date.now() / 1000);
      const certificates = [{ thumbprint: 'A1'.repeat(20), notBefore: now - 1000, notAfter: now + 14.5 * 86_400 }];
      emulator.addConnector({ id: GLOBAL.connectorId, authentication: { type: 'certificates', certificates } });
    },
    expect: ({ emulator }) => {
      same('connector unchanged', emulator.certificates(GLOBAL.connectorId), ['A1'.repeat(20)]);
    },
    calls: ['gh issue list', 'gh issue create'],
  },
  unattended: {
    expect: ({ emulator }) => {
      holdsOne(emulator);
    },
    calls: ['az login', 'az functionapp config appsettings set'],
  },
  'unattended-nginx': {
    expect: ({ emulator }) => {
      holdsOne(emulator);
    },
    calls: ['kubectl create configmap', 'kubectl apply', 'kubectl rollout'],
  },
};

/** What an example calls, in bash; each call is recorded. What the real az and gh do there: `npm run test:clients`. */
const COMMANDS: Readonly<Record<string, string>> = {
  az: ':',
  gh: ':',
  kubectl: `if [ "$1" = apply ]; then cat > /dev/null; fi`,
};

/** The three actions by path, a second upload, an input that does not exist, and a step that fails. */
const BY_PATH = `
on: workflow_dispatch
jobs:
  by-path:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
      - uses: ./create
        id: create
        with:
          tenant-id: \${{ vars.TENANT_ID }}
          client-id: \${{ vars.CLIENT_ID }}
          connector-id: \${{ vars.CONNECTOR_ID }}
      - uses: ./
        id: upload
        with:
          tenant-id: \${{ vars.TENANT_ID }}
          client-id: \${{ vars.CLIENT_ID }}
          connector-id: \${{ steps.create.outputs.due-connectors }}
          pfx-file: \${{ steps.create.outputs.pfx-file }}
          password: \${{ steps.create.outputs.password }}
          no-such-input: 1
      - uses: ./check
        id: check
        with:
          tenant-id: \${{ vars.TENANT_ID }}
          client-id: \${{ vars.CLIENT_ID }}
          connector-id: \${{ vars.CONNECTOR_ID }}
      - uses: ./
        id: again
        with:
          tenant-id: \${{ vars.TENANT_ID }}
          client-id: \${{ vars.CLIENT_ID }}
          connector-id: \${{ vars.CONNECTOR_ID }}
          pfx-file: \${{ steps.create.outputs.pfx-file }}
          password: \${{ steps.create.outputs.password }}
      - uses: ./
        id: refused
        continue-on-error: true
        with:
          tenant-id: \${{ vars.TENANT_ID }}
          client-id: \${{ vars.CLIENT_ID }}
          connector-id: \${{ vars.CONNECTOR_ID }}
          pfx: \${{ secrets.CONNECTOR_PFX }}
          password: wrong
      - name: outputs
        shell: bash
        env:
          CREATED: \${{ steps.create.outputs.thumbprint }}
          UPLOADED: \${{ steps.upload.outputs.thumbprint }}
          FILE: \${{ steps.create.outputs.pfx-file }}
          SECRET: \${{ steps.create.outputs.password }}
        run: |
          [ -n "$CREATED" ] && [ "$CREATED" = "$UPLOADED" ] && [ -s "$FILE" ]
          echo "file=$FILE"
          echo "password=[$SECRET]"
          echo 'seen=\${{ steps.create.outputs.needed }} \${{ steps.upload.outputs.uploaded }} \${{ steps.check.outputs.status }} \${{ steps.again.outputs.uploaded }} \${{ steps.refused.outcome }}'
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { show: { type: 'boolean', default: false } },
});
const act = process.env['ACT'] ?? 'act';
const version = await execute(act, ['--version'], process.env);
if (version.code !== 0) {
  console.log('SKIPPED: act is not there. Set ACT to its path, or: go install github.com/nektos/act@latest');
} else {
  console.log(`${version.output.trim()}, Node.js ${process.version}`);
  const directory = await mkdtemp(join(tmpdir(), 'act-'));
  try {
    await runAll(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runAll(directory: string): Promise<void> {
  const repository = await layOutRepository(join(directory, 'repository'));
  const names = (await readdir(join(REPOSITORY, 'examples'))).map((file) => file.replace(/\.yml$/, ''));
  for (const name of [...names, 'by-path']) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const started = performance.now();
    try {
      const shown = await runOne(name, repository, await mkdtemp(join(directory, `${name}-`)));
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      console.log(`ok       ${name} (${seconds} s): ${shown}`);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      console.log(`FAILED   ${name}: ${error.message}`);
      process.exitCode = 1;
    }
  }
}

/** What a release holds, in a repository of its own, so that what is not committed here is run as well. */
async function layOutRepository(directory: string): Promise<string> {
  await mkdir(directory);
  for (const path of ['action.yml', 'check', 'create', 'dist']) {
    await cp(join(REPOSITORY, path), join(directory, path), { recursive: true });
  }
  const git = (...args: string[]): void => {
    execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], { cwd: directory });
  };
  await writeFile(join(directory, 'tenants.json'), JSON.stringify(TENANTS));
  git('init', '--quiet', '--initial-branch=main');
  git('remote', 'add', 'origin', 'https://github.com/octo-org/octo-repo');
  git('add', '--all');
  git('commit', '--quiet', '--message=Release');
  return directory;
}

/** Runs it and gives what was seen. */
async function runOne(name: string, repository: string, home: string): Promise<string> {
  const example = EXAMPLES[name] ?? {};
  const file = join(name === 'by-path' ? home : join(REPOSITORY, 'examples'), `${name}.yml`);
  if (name === 'by-path') await writeFile(file, BY_PATH);
  const text = await readFile(file, 'utf8');
  const foreign = [...text.matchAll(/uses: ([^\s#]+)/g)].flatMap(([, uses = '']) =>
    [...OURS, './', CHECKOUT].some((known) => uses.startsWith(known)) ? [] : [uses],
  );
  if (foreign.length > 0) throw new Failed(`it uses ${foreign.join(', ')}, which would be downloaded`);

  const certificate = await clientCertificate();
  const emulator = await Emulator.start();
  try {
    await addServices(emulator, certificate);
    await example.prepare?.(emulator);
    const options = { file, repository, home, emulator, certificate };
    const { code, output } = await startAct({ ...options, target: example.cloud ?? GLOBAL, text });
    const run = readLog(output, emulator, certificate);
    if (values.show) console.log(run.log);
    if (code !== 0) throw new Failed(`exit code ${code}\n${run.log}`);
    const calls = (await readFile(join(home, 'calls'), 'utf8')).split('\n');
    for (const call of example.calls ?? []) {
      if (!calls.some((line) => line.startsWith(call)))
        throw new Failed(`${call} was not called:\n${calls.join('\n')}`);
    }
    if (name === 'by-path') expectByPath(run);
    else if (example.expect) example.expect(run);
    else holdsGiven(run, (example.cloud ?? GLOBAL).connectorId);
    expectNoSecrets(run);
    expectOwnHostsOnly(emulator);
    return summaryOf(run);
  } finally {
    await emulator.stop();
  }
}

/** The connectors' API, which accepts any client certificate, and a vault with the certificate. */
async function addServices(emulator: Emulator, certificate: ClientCertificate): Promise<void> {
  await emulator.addHost('api.contoso.com', ({ socket }, response) => {
    const presented = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    response.writeHead(presented === undefined ? 401 : 204).end();
  });
  for (const { name } of TENANTS) emulator.addVaultCertificate(name, certificate);
}

/** The PKI of HashiCorp Vault, as far as private-ca.yml asks it: every login is accepted, one certificate is issued. */
function privateCa({ certificatePem, keyPem }: ClientCertificate): RequestListener {
  return (request: IncomingMessage, response) => {
    request.resume().on('end', () => {
      const login = request.url === '/v1/auth/jwt/login';
      const data = { private_key: keyPem.trim(), certificate: certificatePem.trim(), ca_chain: [] };
      response.end(JSON.stringify(login ? { auth: { client_token: 'throw-away-vault-token' } } : { data }));
    });
  };
}

function variablesFor({ tenantId, clientId, connectorId }: typeof GLOBAL | typeof CHINA): Record<string, string> {
  return {
    TENANT_ID: tenantId,
    CLIENT_ID: clientId,
    CHECK_CLIENT_ID: clientId,
    CONNECTOR_ID: connectorId,
    KEY_VAULT_CERTIFICATE: `https://${VAULT.name}.vault.azure.net/certificates/connector`,
    KEY_VAULT_CLIENT_ID: VAULT.clientId,
    KEY_VAULT: `https://${VAULT.name}.vault.azure.net`,
    VAULT_ADDR: 'https://vault.contoso.com',
    AZURE_TENANT_ID: VAULT.tenantId,
    AZURE_CLIENT_ID: VAULT.clientId,
    AZURE_SUBSCRIPTION_ID: VAULT.subscriptionId,
    RESOURCE_GROUP: 'contoso',
    APP_NAME: 'contoso-api',
    NAMESPACE: 'contoso',
    CONFIG_MAP: 'client-thumbprints',
    DEPLOYMENT: 'nginx',
  };
}

interface Start {
  readonly file: string;
  readonly text: string;
  readonly repository: string;
  readonly home: string;
  readonly emulator: Emulator;
  readonly certificate: ClientCertificate;
  readonly target: typeof GLOBAL | typeof CHINA;
}

async function startAct(start: Start): Promise<{ code: number; output: string }> {
  const { file, repository, home, emulator, certificate } = start;
  const pfx = pfxOf(certificate, PASSWORD).toString('base64');
  const variables = variablesFor(start.target);
  for (const [, name = ''] of start.text.matchAll(/\bvars\.(\w+)/g)) {
    if (!(name in variables)) throw new Failed(`scripts/test-act.ts has no value for the variable ${name}`);
  }
  const commands = join(home, 'commands');
  await mkdir(commands);
  for (const [name, script] of Object.entries(COMMANDS)) {
    const record = `echo "${name} $*" >> "$STAND_INS/calls"`;
    await writeFile(join(commands, name), `#!/usr/bin/env bash\n${record}\n${script}\n`, { mode: 0o755 });
  }
  const write = async (name: string, content: string | Record<string, string>): Promise<string> => {
    const lines =
      typeof content === 'string'
        ? content
        : Object.entries(content)
            .map(([key, value]) => `${key}=${value}\n`)
            .join('');
    await writeFile(join(home, name), lines, { mode: 0o600 });
    return join(home, name);
  };
  await write('calls', '');
  // In files, so that no secret is in a list of processes.
  const environment = { ...emulator.environment(), CURL_CA_BUNDLE: emulator.caFile, STAND_INS: home };
  const args = [
    ...['workflow_dispatch', '--workflows', file, '--directory', repository, '--json'],
    ...[
      '--platform',
      'ubuntu-latest=-self-hosted',
      '--platform',
      'self-hosted=-self-hosted',
      '--platform',
      'linux=-self-hosted',
    ],
    ...[
      '--pull=false',
      '--action-offline-mode',
      '--no-cache-server',
      '--concurrent-jobs',
      '1',
      '--action-cache-path',
      join(home, 'cache'),
    ],
    ...OURS.flatMap((ours) => ['--local-repository', `${ours}@v1=${repository}`]),
    ...['--env-file', await write('env', environment)],
    ...['--var-file', await write('vars', variables)],
    ...[
      '--secret-file',
      await write('secrets', {
        CONNECTOR_PFX: pfx,
        CONNECTOR_PFX_PASSWORD: PASSWORD,
        GITHUB_TOKEN: 'throw-away-github-token',
      }),
    ],
  ];
  const path = [commands, dirname(process.execPath), process.env['PATH']].join(delimiter);
  return execute(act, args, { PATH: path, HOME: home });
}

async function execute(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number; output: string }> {
  return new Promise((done) => {
    const options = { env, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 };
    execFile(command, [...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      done({ code, output: stdout + stderr });
    });
  });
}

function readLog(output: string, emulator: Emulator, certificate: ClientCertificate): Run {
  const records = output.split('\n').flatMap((line) => {
    if (line === '') return [];
    // What act says before its log is set up is no JSON.
    return [line.startsWith('{') ? (JSON.parse(line) as LogRecord) : { msg: line }];
  });
  const log = records.map(({ job = '', msg }) => `${job} | ${msg.trimEnd()}`).join('\n');
  return { emulator, certificate, records, log };
}

function expectByPath({ emulator, records, log }: Run): void {
  holdsOne(emulator);
  for (const line of ['seen=true true ok false failure', 'password=[***]']) {
    if (!records.some(({ msg }) => msg.trim() === line)) throw new Failed(`no line ${line}:\n${log}`);
  }
  const posts = records.filter(({ stage, stepResult }) => stage === 'Post' && stepResult !== undefined);
  same(
    'post step',
    posts.map(({ step, stepResult }) => `${step ?? ''} ${stepResult ?? ''}`),
    ['./create success'],
  );
}

function holdsGiven({ emulator, certificate }: Run, connectorId: string): void {
  same('certificates of the connector', emulator.certificates(connectorId), [certificate.thumbprint]);
}

function holdsOne(emulator: Emulator): void {
  same('number of certificates', emulator.certificates(GLOBAL.connectorId).length, 1);
}

function expectNoSecrets({ emulator, certificate, log }: Run): void {
  const keyLines = certificate.keyPem.split('\n').filter((line) => line.length > 16 && !line.startsWith('-----'));
  const secrets = [...emulator.secrets(), ...keyLines, PASSWORD, pfxOf(certificate, PASSWORD).toString('base64')];
  const seen = secrets.filter((secret) => log.includes(secret));
  if (seen.length > 0) throw new Failed(`${seen.length} secrets in the log:\n${log}`);
}

function expectOwnHostsOnly(emulator: Emulator): void {
  same('hosts that are not emulated', emulator.refusedConnects, []);
}

function same(what: string, actual: unknown, expected: unknown): void {
  if (isDeepStrictEqual(actual, expected)) return;
  throw new Failed(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
}

function summaryOf({ records, emulator }: Run): string {
  const of = (stage: string): number =>
    records.filter((record) => record.stage === stage && record.stepResult === 'success').length;
  const jobs = records.filter(({ jobResult }) => jobResult === 'success').length;
  const requests = emulator.requests.length;
  return `${jobs} job(s), ${of('Main')} step(s), ${of('Post')} post step(s) succeeded, ${requests} requests`;
}
