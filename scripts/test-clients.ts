/**
 * `npm run test:clients`: clients that nobody here wrote sign in to the emulator and work against it, by the services'
 * real URLs. What they show is that the emulator answers as their authors expect; the action is not part of it.
 *
 * Each is installed in its current version, by its own package manager, into a temporary folder; what cannot be
 * installed is skipped and said. Not part of `npm test`: it needs PyPI, npm, Go, Maven, Debian and several minutes.
 *
 *   npm run test:clients -- [--into DIRECTORY] [NAME …]
 *
 * With --into the folder is kept, and what is in it already is not installed again.
 */
import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { access, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { clientCertificate, type ClientCertificate } from '../emulator/certificates.ts';
import { Emulator, GLOBAL, SUBJECT, VAULT } from '../emulator/emulator.ts';
import { pfxOf } from '../emulator/pfx.ts';

const REPOSITORY = resolve(import.meta.dirname, '..');
const CLIENTS = join(import.meta.dirname, 'clients');
const PASSWORD = 'throw-away password';
const CONNECTORS = 'https://graph.microsoft.com/v1.0/identity/apiConnectors';

interface Client {
  readonly name: string;
  /** Installs it into the directory; gives its version. Throws if that cannot be done here. */
  readonly install: (directory: string) => Promise<string>;
  readonly use: (bench: Bench) => Promise<void>;
}

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Failed extends Error {}

/** What a client works with: an emulator of its own, and an environment that leads there. */
class Bench {
  readonly emulator: Emulator;
  readonly directory: string;
  readonly certificate: ClientCertificate;
  /** What was seen to work. */
  readonly shown: string[] = [];
  readonly #home: string;

  private constructor(emulator: Emulator, directory: string, home: string, certificate: ClientCertificate) {
    this.emulator = emulator;
    this.directory = directory;
    this.#home = home;
    this.certificate = certificate;
  }

  static async start(directory: string, home: string): Promise<Bench> {
    const emulator = await Emulator.start();
    const roles = ['APIConnectors.ReadWrite.All', 'Application.ReadWrite.All', 'AppRoleAssignment.ReadWrite.All'];
    emulator.registerApp({ roles });
    const { tenantId, tenantDomain, clientId } = VAULT;
    emulator.registerApp({ tenantId, tenantDomain, clientId, roles });
    await mkdir(home, { recursive: true });
    return new Bench(emulator, directory, home, await clientCertificate());
  }

  async stop(): Promise<void> {
    await this.emulator.stop();
    await rm(this.#home, { recursive: true, force: true });
  }

  file(name: string): string {
    return join(this.#home, name);
  }

  async run(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<Output> {
    const { caFile } = this.emulator;
    const paths = [...PATHS.map((path) => join(this.directory, path)), dirname(process.execPath), process.env['PATH']];
    return execute(command, args, this.directory, {
      PATH: paths.join(delimiter),
      HOME: this.#home,
      ...this.emulator.environment(),
      // Each of them has a way of its own to be told of a proxy and of an authority.
      https_proxy: this.emulator.proxyUrl,
      NODE_USE_ENV_PROXY: '1',
      REQUESTS_CA_BUNDLE: caFile,
      SSL_CERT_FILE: caFile,
      AZURE_CONFIG_DIR: this.file('azure'),
      AZURE_CORE_COLLECT_TELEMETRY: 'false',
      CLIMICROSOFT365_NOUPDATE: '1',
      CLIMICROSOFT365_ENV: 'ci',
      GH_CONFIG_DIR: this.file('gh'),
      GH_TOKEN: this.emulator.gitHubApi.token,
      ...env,
    });
  }

  /** Runs it and expects success; gives what it printed. */
  async succeed(command: string, args: readonly string[], env?: Record<string, string>): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, args, env);
    if (code !== 0) throw new Failed(`${command} ${args.slice(0, 3).join(' ')}: exit code ${code}\n${stdout}${stderr}`);
    return stdout;
  }

  /** The environment of the programs in scripts/clients. */
  async programEnvironment(): Promise<Record<string, string>> {
    const pkcs12 = this.file('connector.p12.base64');
    await writeFile(pkcs12, this.pkcs12Value());
    return {
      TENANT_ID: GLOBAL.tenantId,
      CLIENT_ID: GLOBAL.clientId,
      ID_TOKEN: await this.idToken(),
      CONNECTOR_ID: GLOBAL.connectorId,
      PKCS12_FILE: pkcs12,
      PASSWORD,
    };
  }

  async idToken(subject: string = SUBJECT): Promise<string> {
    return this.emulator.github.sign(GLOBAL.audience, { sub: subject });
  }

  pkcs12Value(): string {
    return pfxOf(this.certificate, PASSWORD).toString('base64');
  }

  shows(what: string, actual: unknown, expected: unknown): void {
    if (!isDeepStrictEqual(actual, expected)) {
      throw new Failed(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
    }
    this.shown.push(what);
  }

  /** The connector holds the certificate, once. */
  holds(what: string): void {
    this.shows(what, this.emulator.certificates(GLOBAL.connectorId), [this.certificate.thumbprint]);
  }
}

/** Where commands are in the directory of all clients. */
const PATHS = ['az/bin', 'm365/node_modules/.bin', 'gh/usr/bin', 'gh/bin'];

async function execute(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Output> {
  return new Promise((done) => {
    execFile(command, args, { cwd, env, maxBuffer: 2 ** 26, timeout: 20 * 60_000 }, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error ? -1 : 0;
      done({ code, stdout, stderr: code === -1 ? `${stderr}${error?.message ?? ''}` : stderr });
    });
  });
}

/** An installer's step; throws with the last words of it. */
async function step(cwd: string, command: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await execute(command, args, cwd);
  if (code === 0) return stdout.trim();
  throw new Error(`${command} ${args[0] ?? ''}: ${(stderr || stdout).trim().split('\n').slice(-2).join(' ')}`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function pip(directory: string, folder: string, ...packages: readonly string[]): Promise<void> {
  const venv = join(directory, folder);
  if (await exists(join(venv, 'installed'))) return;
  await step(directory, 'python3', '-m', 'venv', venv);
  await step(directory, join(venv, 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check', ...packages);
  await writeFile(join(venv, 'installed'), '');
}

async function npm(directory: string, folder: string, ...packages: readonly string[]): Promise<string> {
  const path = join(directory, folder);
  await mkdir(path, { recursive: true });
  if (!(await exists(join(path, 'node_modules')))) {
    await writeFile(join(path, 'package.json'), '{"private":true,"type":"module"}');
    await step(path, 'npm', 'install', '--no-audit', '--no-fund', '--ignore-scripts', ...packages);
  }
  const versions = packages.map(async (name) => {
    const manifest = await readFile(join(path, 'node_modules', name, 'package.json'), 'utf8');
    return `${name} ${(JSON.parse(manifest) as { version: string }).version}`;
  });
  return (await Promise.all(versions)).join(', ');
}

async function installAzureCli(directory: string): Promise<string> {
  await pip(directory, 'az', 'azure-cli');
  const { stdout } = await execute(join(directory, 'az/bin/az'), ['version', '--output', 'json'], directory);
  return `azure-cli ${(JSON.parse(stdout) as Record<string, string>)['azure-cli'] ?? '?'}`;
}

/** The one that is there, or Debian's. */
async function installGitHubCli(directory: string): Promise<string> {
  const folder = join(directory, 'gh');
  await mkdir(folder, { recursive: true });
  const own = join(folder, 'usr/bin/gh');
  const there = await execute('gh', ['--version'], directory);
  if (there.code !== 0 && !(await exists(own))) {
    await step(folder, 'apt-get', 'download', 'gh');
    await step(folder, 'sh', '-c', 'dpkg -x gh_*.deb .');
  }
  const { stdout } = there.code === 0 ? there : await execute(own, ['--version'], directory);
  return stdout.split('\n')[0]?.replace(' version', '').replace(/ \(.*/, '') ?? 'gh';
}

async function signIn(bench: Bench, tenantId: string, clientId: string): Promise<string> {
  const token = await bench.idToken();
  const args = ['--service-principal', '--username', clientId, '--tenant', tenantId, '--federated-token', token];
  return bench.succeed('az', ['login', ...args, '--allow-no-subscriptions', '--output', 'json']);
}

async function useAzureCli(bench: Bench): Promise<void> {
  const { emulator, certificate } = bench;
  emulator.addVaultCertificate('connector', certificate);
  const accounts = JSON.parse(await signIn(bench, VAULT.tenantId, VAULT.clientId)) as { name: string }[];
  bench.shows(
    'az login --service-principal --federated-token',
    accounts.map(({ name }) => name),
    ['Contoso'],
  );
  const vault = ['--vault-name', VAULT.name, '--name', 'connector', '--file'];
  const pfx = bench.file('downloaded.pfx');
  await bench.succeed('az', ['keyvault', 'secret', 'download', ...vault, pfx, '--encoding', 'base64']);
  const kept = emulator.keyVault.vaults[0]?.secrets.get('connector')?.[0]?.value;
  bench.shows('az keyvault secret download', (await readFile(pfx)).toString('base64'), kept);
  const pem = bench.file('downloaded.pem');
  await bench.succeed('az', ['keyvault', 'certificate', 'download', ...vault, pem]);
  const downloaded = new X509Certificate(await readFile(pem));
  const thumbprint = createHash('sha1').update(downloaded.raw).digest('hex').toUpperCase();
  bench.shows('az keyvault certificate download', thumbprint, certificate.thumbprint);

  const tenant = JSON.parse(await signIn(bench, GLOBAL.tenantId, GLOBAL.clientId)) as { tenantId: string }[];
  bench.shows('az login, a tenant without subscriptions', tenant[0]?.tenantId, GLOBAL.tenantId);
  await useAzureRest(bench);

  // In a configuration of its own: the Azure CLI would use the token that it has.
  const token = await bench.idToken('repo:someone/else:ref:refs/heads/main');
  const login = ['login', '--service-principal', '--username', GLOBAL.clientId, '--tenant', GLOBAL.tenantId];
  const other = { AZURE_CONFIG_DIR: bench.file('azure-other') };
  const stranger = await bench.run('az', [...login, '--allow-no-subscriptions', '--federated-token', token], other);
  bench.shows('az login, another subject: AADSTS700213', /AADSTS700213/.test(stranger.stderr), true);
}

async function useAzureRest(bench: Bench): Promise<void> {
  const rest = async (method: string, url: string, body?: object): Promise<unknown> => {
    const file = bench.file('body.json');
    await writeFile(file, JSON.stringify(body ?? {}));
    const args = ['rest', '--method', method, '--url', url, '--output', 'json'];
    const output = await bench.succeed('az', [...args, ...(body ? ['--body', `@${file}`] : [])]);
    return output.trim() === '' ? undefined : JSON.parse(output);
  };
  const connector = `${CONNECTORS}/${GLOBAL.connectorId}`;
  const list = (await rest('get', `${CONNECTORS}?$select=id&$top=1`)) as { value: object[] };
  bench.shows('az rest, list with $select and $top', list.value, [{ id: GLOBAL.connectorId }]);
  await rest('post', `${connector}/uploadClientCertificate`, { pkcs12Value: bench.pkcs12Value(), password: PASSWORD });
  bench.holds('az rest, uploadClientCertificate');
  await rest('patch', connector, { displayName: 'Renamed' });
  const read = (await rest('get', connector)) as { displayName: string };
  bench.shows('az rest, update and get', read.displayName, 'Renamed');
  const basic = { '@odata.type': '#microsoft.graph.basicAuthentication', username: 'u', password: 'throw-away' };
  const made = (await rest('post', CONNECTORS, {
    displayName: 'Made by az',
    targetUrl: 'https://a.example',
    authenticationConfiguration: basic,
  })) as { id: string };
  await rest('delete', `${CONNECTORS}/${made.id}`);
  bench.shows('az rest, create and delete', [...bench.emulator.connectors.keys()].includes(made.id), false);
  const { code, stderr } = await bench.run('az', ['rest', '--url', `${CONNECTORS}/${made.id}`]);
  bench.shows('az rest, a missing connector: Not Found', [code, /does not exist/.test(stderr)], [1, true]);
  bench.emulator.graph.behaviour = { newTokenRefused: Infinity };
  const refused = await bench.run('az', ['rest', '--url', connector]);
  bench.shows('az rest, 401: the code is shown', /InvalidAuthenticationToken/.test(refused.stderr), true);
  bench.emulator.graph.behaviour = {};
}

/** setup/setup.sh with the real az and gh, twice; then with what it made. */
async function useSetup(bench: Bench): Promise<void> {
  const { emulator } = bench;
  emulator.directory.lagMs = 2000;
  emulator.addVaultCertificate('connector', bench.certificate);
  const vault = `https://${VAULT.name}.vault.azure.net/certificates/connector`;
  await signIn(bench, VAULT.tenantId, VAULT.clientId);
  await signIn(bench, GLOBAL.tenantId, GLOBAL.clientId);
  const setup = async (): Promise<string> =>
    bench.succeed('bash', [
      ...[join(REPOSITORY, 'setup/setup.sh'), '--yes', '--tenant', GLOBAL.tenantId, '--repo', 'octo-org/octo-repo'],
      ...['--key-vault', vault, '--vault-tenant', VAULT.tenantId],
    ]);
  const changes = (): number =>
    emulator.requests.filter(
      ({ service, method, path }) => service !== 'entra' && method !== 'GET' && !path.endsWith('/getByIds'),
    ).length;

  await setup();
  const variables = emulator.gitHubApi.repositories[0]?.environments.get('production');
  const clientId = variables?.get('CLIENT_ID') ?? '';
  const vaultClientId = variables?.get('KEY_VAULT_CLIENT_ID') ?? '';
  bench.shows(
    'setup.sh made the variables',
    [variables?.get('TENANT_ID'), clientId === '', vaultClientId === '', variables?.get('KEY_VAULT_CERTIFICATE')],
    [GLOBAL.tenantId, false, false, vault],
  );
  const before = changes();
  await setup();
  bench.shows('setup.sh again changed nothing', changes(), before);

  await signIn(bench, VAULT.tenantId, vaultClientId);
  const pfx = bench.file('by-setup.pfx');
  const secret = ['--vault-name', VAULT.name, '--name', 'connector', '--encoding', 'base64', '--file', pfx];
  await bench.succeed('az', ['keyvault', 'secret', 'download', ...secret]);
  bench.shows('the application it made for the vault reads the secret', await exists(pfx), true);
  await signIn(bench, GLOBAL.tenantId, clientId);
  const body = bench.file('by-setup.json');
  await writeFile(body, JSON.stringify({ pkcs12Value: bench.pkcs12Value(), password: PASSWORD }));
  const url = `${CONNECTORS}/${GLOBAL.connectorId}/uploadClientCertificate`;
  await bench.succeed('az', ['rest', '--method', 'post', '--url', url, '--body', `@${body}`]);
  bench.holds('the application it made uploads');
}

async function useMicrosoft365Cli(bench: Bench): Promise<void> {
  const login = ['login', '--authType', 'federatedIdentity', '--appId', GLOBAL.clientId, '--tenant', GLOBAL.tenantId];
  await bench.succeed('m365', login);
  const status = JSON.parse(await bench.succeed('m365', ['status'])) as { connectedAs: string };
  bench.shows('m365 login --authType federatedIdentity', status.connectedAs, 'emulator');
  const body = bench.file('body.json');
  await writeFile(body, JSON.stringify({ pkcs12Value: bench.pkcs12Value(), password: PASSWORD }));
  const url = `${CONNECTORS}/${GLOBAL.connectorId}`;
  const upload = ['--method', 'post', '--url', `${url}/uploadClientCertificate`, '--body', `@${body}`];
  await bench.succeed('m365', ['request', ...upload, '--content-type', 'application/json']);
  bench.holds('m365 request, uploadClientCertificate');
  const read = await bench.succeed('m365', ['request', '--url', url]);
  bench.shows('m365 request, get', read.includes(bench.certificate.thumbprint), true);
}

/** A program that signs in, uploads, and prints the thumbprints of the answer. */
function program(name: string, command: string, ...args: readonly string[]): Client['use'] {
  return async (bench) => {
    const printed = await bench.succeed(command, args, await bench.programEnvironment());
    bench.shows(`${name}: the answer is read`, printed.trim().split(/\s+/), [bench.certificate.thumbprint]);
    bench.holds(`${name}: the certificate is there`);
  };
}

async function installGo(directory: string): Promise<string> {
  const folder = join(directory, 'go');
  await mkdir(folder, { recursive: true });
  const modules = ['github.com/microsoftgraph/msgraph-sdk-go', 'github.com/Azure/azure-sdk-for-go/sdk/azidentity'];
  if (!(await exists(join(folder, 'graph-sdk')))) {
    await copyFile(join(CLIENTS, 'graph-sdk.go'), join(folder, 'main.go'));
    if (!(await exists(join(folder, 'go.mod')))) await step(folder, 'go', 'mod', 'init', 'clients');
    await step(folder, 'go', 'get', ...modules.map((module) => `${module}@latest`));
    await step(folder, 'go', 'build', '-o', 'graph-sdk', '.');
  }
  const versions = await step(folder, 'go', 'list', '-m', '-f', '{{.Path}} {{.Version}}', ...modules);
  return versions.replaceAll('\n', ', ').replaceAll('github.com/', '');
}

async function installJava(directory: string): Promise<string> {
  const folder = join(directory, 'java');
  const library = join(folder, 'lib');
  await mkdir(folder, { recursive: true });
  await copyFile(join(CLIENTS, 'pom.xml'), join(folder, 'pom.xml'));
  if (!(await exists(library))) {
    await step(folder, 'mvn', '--quiet', '--batch-mode', 'dependency:copy-dependencies', '-DoutputDirectory=lib');
  }
  await step(folder, 'javac', '-cp', 'lib/*', '-d', 'classes', join(CLIENTS, 'GraphSdk.java'));
  const jars = (await readdir(library)).filter((name) => /^(microsoft-graph|azure-identity)-\d/.test(name));
  return jars.map((name) => name.replace(/-(\d.*)\.jar$/, ' $1')).join(', ');
}

/** Java reads a proxy and an authority from properties of its own. */
function useJava(directory: string): Client['use'] {
  return async (bench) => {
    const [store, { hostname, port }] = [bench.file('authority.p12'), new URL(bench.emulator.proxyUrl)];
    const options = ['-importcert', '-noprompt', '-storetype', 'PKCS12', '-storepass', PASSWORD];
    await bench.succeed('keytool', [...options, '-file', bench.emulator.caFile, '-keystore', store]);
    const properties = {
      'https.proxyHost': hostname,
      'https.proxyPort': port,
      'javax.net.ssl.trustStore': store,
      'javax.net.ssl.trustStorePassword': PASSWORD,
    };
    const definitions = Object.entries(properties).map(([name, value]) => `-D${name}=${value}`);
    const path = ['classes', 'lib/*'].map((part) => join(directory, 'java', part)).join(delimiter);
    await program('Java snippet', 'java', ...definitions, '-cp', path, 'GraphSdk')(bench);
  };
}

function clients(directory: string): Client[] {
  const javascript = 'graph-sdk-javascript';
  const python = 'graph-sdk-python';
  return [
    { name: 'azure-cli', install: installAzureCli, use: useAzureCli },
    {
      name: 'setup',
      install: async () => {
        if (!(await exists(join(REPOSITORY, 'setup/setup.sh')))) throw new Error('There is no setup/setup.sh.');
        return `${await installAzureCli(directory)}, ${await installGitHubCli(directory)}`;
      },
      use: useSetup,
    },
    {
      name: 'cli-microsoft365',
      install: () => npm(directory, 'm365', '@pnp/cli-microsoft365'),
      use: useMicrosoft365Cli,
    },
    {
      name: 'msal-node',
      install: async () => {
        const manifest = await readFile(join(REPOSITORY, 'node_modules/@azure/msal-node/package.json'), 'utf8');
        return `@azure/msal-node ${(JSON.parse(manifest) as { version: string }).version}`;
      },
      use: program('msal-node', process.execPath, join(CLIENTS, 'msal-node.mjs')),
    },
    {
      name: javascript,
      install: async () => {
        const version = await npm(directory, javascript, '@microsoft/microsoft-graph-client', '@azure/identity');
        await copyFile(join(CLIENTS, 'graph-sdk.mjs'), join(directory, javascript, 'graph-sdk.mjs'));
        return version;
      },
      use: program('JavaScript snippet', process.execPath, join(directory, javascript, 'graph-sdk.mjs')),
    },
    {
      name: python,
      install: async () => {
        await pip(directory, python, 'msgraph-sdk', 'azure-identity');
        const list = await step(directory, join(directory, python, 'bin/pip'), 'list', '--format', 'freeze');
        const own = list.split('\n').filter((line) => /^(msgraph-sdk|azure-identity)==/.test(line));
        return own.join(', ').replaceAll('==', ' ');
      },
      use: program('Python snippet', join(directory, python, 'bin/python'), join(CLIENTS, 'graph_sdk.py')),
    },
    { name: 'graph-sdk-go', install: installGo, use: program('Go snippet', join(directory, 'go/graph-sdk')) },
    { name: 'graph-sdk-java', install: installJava, use: useJava(directory) },
  ];
}

/** Whether it did not fail; skipped is not failed. */
async function tryOut(client: Client, directory: string): Promise<boolean> {
  let version: string;
  try {
    version = await client.install(directory);
  } catch (error) {
    console.log(`SKIPPED  ${client.name}: ${error instanceof Error ? error.message : String(error)}`);
    return true;
  }
  const bench = await Bench.start(directory, await mkdtemp(join(tmpdir(), 'client-')));
  try {
    await client.use(bench);
    console.log(`passed   ${client.name} (${version})`);
    return true;
  } catch (error) {
    console.log(`FAILED   ${client.name} (${version})\n${error instanceof Failed ? error.message : String(error)}`);
    for (const { method, host, path, status } of bench.emulator.requests.slice(-20)) {
      console.log(`         ${method} https://${host}${path} ${status ?? 'no answer'}`);
    }
    return false;
  } finally {
    for (const what of bench.shown) console.log(`         ${what}`);
    const refused = new Set(bench.emulator.refusedConnects);
    if (refused.size > 0) console.log(`         (it also asked for ${[...refused].join(', ')}, and got no answer)`);
    await bench.stop();
  }
}

const { values, positionals } = parseArgs({ options: { into: { type: 'string' } }, allowPositionals: true });
const directory = resolve(values.into ?? (await mkdtemp(join(tmpdir(), 'clients-'))));
try {
  await mkdir(directory, { recursive: true });
  const chosen = clients(directory).filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const passed: boolean[] = [];
  for (const client of chosen) passed.push(await tryOut(client, directory));
  process.exitCode = passed.every(Boolean) ? 0 : 1;
} finally {
  if (values.into === undefined) await rm(directory, { recursive: true, force: true });
}
