/**
 * Stands in for GitHub's OIDC provider, Microsoft Entra, Microsoft Graph and Azure Key Vault, so that the action runs
 * unchanged: HTTPS_PROXY leads the real URLs here, NODE_EXTRA_CA_CERTS makes their certificates trusted. What the services
 * check is checked, and what is refused is refused in their words; the head of each file says what of it is documented and
 * what is assumed.
 */
import type { JWTPayload } from 'jose';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from './certificates.ts';
import { Directory } from './directory.ts';
import { Entra, type App } from './entra.ts';
import { Faults, type Fault } from './faults.ts';
import { GitHubApi, repository } from './github-api.ts';
import { GitHubOidc, ISSUER } from './github.ts';
import { Graph, type Authentication, type Connector, type ConnectorBehaviour, type GraphBehaviour } from './graph.ts';
import {
  certificateVersion,
  KeyVault,
  type SecretVersion,
  type Vault,
  type VaultCertificate,
  type VaultCertificateOptions,
} from './key-vault.ts';
import { ConnectProxy, type ConnectAttempt } from './proxy.ts';
import { ResourceManager } from './resource-manager.ts';
import { ANY_KEY, CloudServer } from './server.ts';
import type { ReceivedRequest, RequestKind, Service } from './service.ts';
import { SocksProxy } from './socks.ts';

const CLOUDS = {
  global: {
    loginHost: 'login.microsoftonline.com',
    graphHost: 'graph.microsoft.com',
    vaultResource: 'https://vault.azure.net',
    managementHost: 'management.azure.com',
    managementResources: ['https://management.azure.com', 'https://management.core.windows.net'],
  },
  china: {
    loginHost: 'login.partner.microsoftonline.cn',
    graphHost: 'microsoftgraph.chinacloudapi.cn',
    vaultResource: 'https://vault.azure.cn',
    managementHost: 'management.chinacloudapi.cn',
    managementResources: ['https://management.chinacloudapi.cn', 'https://management.core.chinacloudapi.cn'],
  },
};

/** The subject that GitHub presents unless told otherwise, and that the apps below are registered for. */
export const SUBJECT = 'repo:octo-org/octo-repo:environment:production';

/** What is there from the start: in each cloud a tenant, an app that may sign in and write, and a connector without certificates. */
export const GLOBAL = {
  tenantId: '11111111-2222-4333-8444-555555555555',
  tenantDomain: 'contoso.onmicrosoft.com',
  clientId: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
  audience: 'api://AzureADTokenExchange',
  connectorId: '45715bb8-13f9-4bf6-927f-ef96c102d394',
} as const;
export const CHINA = {
  tenantId: '66666666-7777-4888-8999-000000000000',
  tenantDomain: 'contoso.partner.onmschina.cn',
  clientId: 'ffffffff-eeee-4ddd-8ccc-bbbbbbbbbbbb',
  audience: 'api://AzureADTokenExchangeChina',
  connectorId: '9d1f1b0a-6c3e-4f0e-8a57-2b6c5f2f7f11',
} as const;

/** A vault in a tenant of its own, and the app that reads it: the same subject and audience as in {@link GLOBAL}. */
export const VAULT = {
  tenantId: '22222222-3333-4444-8555-666666666666',
  tenantDomain: 'contoso-workforce.onmicrosoft.com',
  clientId: 'bbbbbbbb-cccc-4ddd-8eee-ffffffffffff',
  name: 'contoso-certificates',
  subscriptionId: 'd5a4b1c2-0000-4000-8000-5b1c2d3e4f50',
} as const;

export interface NewVault {
  readonly name: string;
  readonly cloud?: keyof typeof CLOUDS;
  /** The tenant of {@link VAULT} unless given. */
  readonly tenantId?: string;
  /** The client ids that may read; the app of {@link VAULT} unless given. */
  readonly readers?: readonly string[];
}

export interface EmulatorOptions {
  /** The services' clock; the certificates of the TLS connection keep to the real one. */
  readonly now?: () => Date;
  /** `user:password`, if the proxy is to ask for it. */
  readonly proxyCredentials?: string;
  /** Claims of the ID token that replace or join the usual ones. */
  readonly claims?: JWTPayload;
  /** Connectors a page of the list; 100 unless given. */
  readonly pageSize?: number;
  /** What Graph does when its documents say nothing. */
  readonly graph?: GraphBehaviour;
  /** Bits of the services' RSA key; they have one on P-256 unless given. */
  readonly rsaBits?: number;
}

/** Proxies in addition to the usual one; `https-h2` prefers h2 in ALPN. */
export type ProxyKind = 'https' | 'https-h2' | 'socks5';

export interface NewConnector {
  readonly id: string;
  readonly displayName?: string;
  readonly targetUrl?: string;
  /** No certificates unless given. */
  readonly authentication?: Authentication;
  /** The tenant of {@link GLOBAL} unless given. */
  readonly tenantId?: string;
  /** Where this connector differs from the others. */
  readonly behaviour?: ConnectorBehaviour;
}

/** Replaces an app of the same tenant and client id; what is left out is as in {@link GLOBAL}. */
export type NewApp = Partial<Omit<App, 'loginHost'>> & { readonly cloud?: keyof typeof CLOUDS };

/** Asked once: a step that runs in this process changes what is answered. */
const TEMP = tmpdir();

export class Emulator {
  readonly github: GitHubOidc;
  readonly entra: Entra;
  readonly directory: Directory;
  readonly graph: Graph;
  readonly keyVault: KeyVault;
  readonly resourceManager: ResourceManager;
  readonly gitHubApi = new GitHubApi();
  /** The authority that the services' certificates come from. */
  readonly authority: CertificateAuthority;
  readonly #now: () => Date;
  readonly #faults = new Faults();
  readonly #events = new EventEmitter();
  readonly #extraServers: Server[] = [];
  readonly #extraPorts = new Map<string, number>();
  readonly #proxyCredentials: string | undefined;
  readonly #extraProxies: (ConnectProxy | SocksProxy)[] = [];
  #server!: CloudServer;
  #proxy!: ConnectProxy;
  #directory!: string;

  private constructor(authority: CertificateAuthority, options: EmulatorOptions) {
    const { now = () => new Date(), claims = {}, pageSize = 100 } = options;
    const clouds = Object.values(CLOUDS);
    this.authority = authority;
    this.#proxyCredentials = options.proxyCredentials;
    this.github = new GitHubOidc(claims, now);
    this.directory = new Directory({
      tenants: () => this.entra.apps,
      apps: () => this.entra.apps,
      now,
    });
    this.entra = new Entra({
      clouds,
      issuerKey: (issuer) => this.github.publicKey(issuer),
      moreApps: () => this.directory.apps,
      now,
    });
    this.graph = new Graph({
      hosts: clouds.map(({ graphHost }) => graphHost),
      verify: (jwt, audience) => this.entra.verify(jwt, audience),
      directory: this.directory,
      now,
      pageSize,
    });
    this.graph.behaviour = options.graph ?? {};
    this.keyVault = new KeyVault({ clouds, verify: (jwt) => this.entra.verify(jwt), now });
    this.resourceManager = new ResourceManager({
      clouds,
      vaults: () => this.keyVault.vaults,
      verify: (jwt) => this.entra.verify(jwt),
    });
    this.registerApp();
    this.registerApp({
      ...CHINA,
      cloud: 'china',
      federatedCredentials: [{ issuer: ISSUER, subject: SUBJECT, audience: CHINA.audience }],
    });
    this.addConnector({ id: GLOBAL.connectorId, displayName: 'Verify sign-up' });
    this.addConnector({ id: CHINA.connectorId, displayName: 'Verify sign-up', tenantId: CHINA.tenantId });
    const { tenantId, tenantDomain, clientId } = VAULT;
    this.registerApp({ tenantId, tenantDomain, clientId, roles: [] });
    this.gitHubApi.repositories.push(repository('octo-org/octo-repo'));
    this.addVault({ name: VAULT.name });
    this.resourceManager.subscriptions.push({ id: VAULT.subscriptionId, tenantId, displayName: 'Contoso' });
    this.#now = now;
  }

  static async start(options: EmulatorOptions = {}): Promise<Emulator> {
    const emulator = new Emulator(await CertificateAuthority.shared(), options);
    const services = emulator.#services;
    // A vault may be added later: what the TLS certificate names is all of them.
    const vaults = Object.values(CLOUDS).map(({ vaultResource }) => `*.${new URL(vaultResource).host}`);
    emulator.#server = await CloudServer.start({
      services,
      faults: emulator.#faults,
      tls: await emulator.authority.serverCertificate([...emulator.hosts, ...vaults], options.rsaBits),
      now: emulator.#now,
      onRequest: ({ kind }) => emulator.#events.emit(kind),
    });
    emulator.#proxy = await ConnectProxy.start({
      route: (host) => emulator.#route(host),
      faults: emulator.#faults,
      credentials: options.proxyCredentials,
    });
    emulator.#directory = await mkdtemp(join(TEMP, 'emulator-'));
    await writeFile(emulator.caFile, emulator.authority.pem);
    return emulator;
  }

  /** Every request that reached a service, in order of arrival. */
  get requests(): readonly ReceivedRequest[] {
    return this.#server.requests;
  }

  /** Every CONNECT that the usual proxy was asked for. */
  get connects(): readonly ConnectAttempt[] {
    return this.#proxy.connects;
  }

  /** Hosts that somebody tried to reach and that are not emulated. */
  get refusedConnects(): readonly string[] {
    return this.connects.filter(({ status }) => status === 403).map(({ host }) => host);
  }

  /** The names of the services. */
  get hosts(): readonly string[] {
    return this.#services.flatMap(({ hosts }) => hosts);
  }

  /** Where all of them listen on 127.0.0.1, for whoever leads their names there without the proxy. */
  get port(): number {
    return this.#server.port;
  }

  get connectors(): ReadonlyMap<string, Connector> {
    return this.graph.connectors;
  }

  get proxyUrl(): string {
    const [user, password] = this.#proxyCredentials?.split(':').map(encodeURIComponent) ?? [];
    const credentials = user === undefined ? '' : `${user}:${password ?? ''}@`;
    return `http://${credentials}127.0.0.1:${this.#proxy.port}`;
  }

  /** The authority's certificate in PEM, for NODE_EXTRA_CA_CERTS, SSL_CERT_FILE and their like. */
  get caFile(): string {
    return join(this.#directory, 'ca.pem');
  }

  /** What a job gets from its runner, and what leads it here. */
  environment(): Record<string, string> {
    return {
      HTTPS_PROXY: this.proxyUrl,
      NODE_EXTRA_CA_CERTS: this.caFile,
      ACTIONS_ID_TOKEN_REQUEST_URL: this.github.requestUrl,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: this.github.requestToken,
    };
  }

  /** Everything given out so far that must not be seen in a log. */
  secrets(): string[] {
    const proxy = this.#proxyCredentials;
    return [
      this.github.requestToken,
      ...this.github.issued,
      ...this.entra.issued,
      ...this.#server.requests.flatMap(({ body }) => uploadedSecrets(body)),
      ...this.keyVault.vaults.flatMap(({ secrets }) => [...secrets.values()].flat().flatMap(vaultSecrets)),
      ...(proxy === undefined
        ? []
        : [proxy, Buffer.from(proxy).toString('base64'), proxy.slice(proxy.indexOf(':') + 1)]),
    ];
  }

  fault(fault: Fault): void {
    this.#faults.add(fault);
  }

  clearFaults(): void {
    this.#faults.clear();
  }

  /** Settles when the next request of this kind has arrived, before it is answered. */
  async arrival(kind: RequestKind): Promise<void> {
    await once(this.#events, kind);
  }

  /** The certificates of a connector in the order of upload; none where it is on basic authentication. */
  certificates(connectorId: string): readonly string[] {
    const authentication = this.connectors.get(connectorId)?.authentication;
    return authentication?.type === 'certificates'
      ? authentication.certificates.map(({ thumbprint }) => thumbprint)
      : [];
  }

  addConnector(connector: NewConnector): Connector {
    const added: Connector = {
      displayName: 'My API connector',
      targetUrl: 'https://api.contoso.com/endpoint',
      tenantId: GLOBAL.tenantId,
      authentication: { type: 'certificates', certificates: [] },
      ...connector,
    };
    this.graph.connectors.set(added.id, added);
    return added;
  }

  registerApp({ cloud = 'global', ...app }: NewApp = {}): App {
    const added: App = {
      loginHost: CLOUDS[cloud].loginHost,
      tenantId: GLOBAL.tenantId,
      tenantDomain: GLOBAL.tenantDomain,
      clientId: GLOBAL.clientId,
      roles: ['APIConnectors.ReadWrite.All'],
      federatedCredentials: [{ issuer: ISSUER, subject: SUBJECT, audience: GLOBAL.audience }],
      ...app,
    };
    const { apps } = this.entra;
    const same = apps.findIndex(({ tenantId, clientId }) => tenantId === added.tenantId && clientId === added.clientId);
    if (same === -1) apps.push(added);
    else apps[same] = added;
    return added;
  }

  /** The vault, without secrets. */
  addVault({ name, cloud = 'global', tenantId = VAULT.tenantId, readers = [VAULT.clientId] }: NewVault): Vault {
    const host = `${name}.${new URL(CLOUDS[cloud].vaultResource).host}`.toLowerCase();
    const added: Vault = { host, tenantId, readers: new Set(readers), secrets: new Map(), clientAddress: '20.1.2.3' };
    this.keyVault.vaults.push(added);
    return added;
  }

  /** A new version of a certificate; in the vault of {@link VAULT} unless another one is given. */
  addVaultCertificate(
    name: string,
    certificate: VaultCertificate,
    options: VaultCertificateOptions & { readonly vault?: Vault } = {},
  ): SecretVersion {
    const vault = options.vault ?? this.keyVault.vaults[0];
    if (!vault) throw new Error('There is no vault.');
    const version = certificateVersion(certificate, this.#now(), options);
    vault.secrets.set(name, [...(vault.secrets.get(name) ?? []), version]);
    return version;
  }

  /**
   * Another host, such as a connector's target. It asks for a client certificate, and leaves judging it to the listener.
   * With `rsaBits` its key is RSA of that length.
   */
  async addHost(host: string, listener: RequestListener, rsaBits?: number): Promise<void> {
    const tls = await this.authority.serverCertificate([host], rsaBits);
    const server = createServer({ ...tls, ...ANY_KEY, requestCert: true, rejectUnauthorized: false }, listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#extraServers.push(server);
    this.lead(host, (server.address() as AddressInfo).port);
  }

  /** Leads another host to a local port, where somebody else's server listens. */
  lead(host: string, port: number): void {
    this.#extraPorts.set(host, port);
  }

  /** Starts one more proxy, and gives its URL for HTTPS_PROXY. */
  async startProxy(kind: ProxyKind): Promise<string> {
    if (kind === 'socks5') {
      const proxy = await SocksProxy.start((host) => this.#route(host));
      this.#extraProxies.push(proxy);
      return `socks5://127.0.0.1:${proxy.port}`;
    }
    const tls = await this.authority.serverCertificate(['127.0.0.1', 'localhost']);
    const proxy = await ConnectProxy.start({
      route: (host) => this.#route(host),
      faults: this.#faults,
      tls: { ...tls, preferH2: kind === 'https-h2' },
    });
    this.#extraProxies.push(proxy);
    return `https://127.0.0.1:${proxy.port}`;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#proxy, ...this.#extraProxies].map((proxy) => proxy.stop()));
    await this.#server.stop();
    for (const server of this.#extraServers) {
      server.close();
      server.closeAllConnections();
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #services(): readonly Service[] {
    return [this.github, this.entra, this.graph, this.keyVault, this.resourceManager, this.gitHubApi];
  }

  #route(host: string): number | 'unresolved' | undefined {
    if (this.hosts.includes(host)) return this.#server.port;
    return this.#extraPorts.get(host) ?? (this.keyVault.owns(host) ? 'unresolved' : undefined);
  }
}

/** The .pfx in the body of an upload or an update: it may have been written again on the runner, so that nobody else knows it. */
function uploadedSecrets(body: string): string[] {
  return [...body.matchAll(/"pkcs12Value":"([^"]{16,})"/g)].map(([, pkcs12Value = '']) => pkcs12Value);
}

/** What of a secret nobody may see: a .pfx as a whole, each line of a private key in PEM; a certificate is public. */
function vaultSecrets({ value, contentType }: SecretVersion): string[] {
  if (contentType !== 'application/x-pem-file') return [value];
  const [, key = ''] = /-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)-----END/.exec(value) ?? [];
  return key.split('\n').filter((line) => line.length > 16);
}
