/**
 * `npm run test:readers`: readers of PKCS#12 that nobody here wrote open files as the action sends them. Each gives the
 * SHA-1 of the certificate and says whether the key fits; what openssl, Java, BouncyCastle, GnuTLS, NSS, python
 * cryptography, go-pkcs12 and node-forge can read, the service can.
 *
 *   npm run test:readers -- [NAME …]
 *
 * Libraries are installed in their current version, by their own package manager, into a temporary folder; what is not
 * there and cannot be installed is skipped and said. Not part of `npm test`: it needs PyPI, Go, Maven and a minute.
 */
import { execFile } from 'node:child_process';
import { createPublicKey, hash, X509Certificate, type KeyObject } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import forge from 'node-forge';
import { clientCertificate } from '../emulator/certificates.ts';
import { openCertificate } from '../src/certificate/upload.ts';

const READERS_DIRECTORY = join(import.meta.dirname, 'readers');
const FIXTURES = resolve(import.meta.dirname, '../__tests__/fixtures');

/** A file as the action sends it. */
interface Sample {
  readonly name: string;
  readonly path: string;
  readonly password: string;
  readonly thumbprint: string;
  /** The leaf among them. */
  readonly certificates: number;
}

/** What a reader found; `certificates` unless it cannot say. */
interface Found {
  readonly thumbprint: string;
  readonly certificates?: number;
}

interface Reader {
  readonly name: string;
  /** Gives its version. Throws if it is not there and cannot be installed. */
  readonly install: (directory: string) => Promise<string>;
  /** Throws if it does not open the file, or the key does not fit. */
  readonly read: (sample: Sample, directory: string) => Promise<Found>;
  /** Why a file is not tried, if its command line cannot say it. */
  readonly cannot?: (sample: Sample) => string | undefined;
}

async function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
  cwd?: string,
): Promise<string> {
  return new Promise((done, failed) => {
    const options = { env: { ...process.env, ...env }, cwd, timeout: 300_000 };
    const child = execFile(command, [...args], options, (error, stdout, stderr) => {
      if (error === null) done(stdout);
      else
        failed(
          new Error(
            `${error.message.split('\n')[0] ?? ''} ${(stderr + stdout).trim().split('\n').slice(0, 3).join(' | ')}`,
          ),
        );
    });
    child.stdin?.end();
  });
}

const environment = ({ path, password }: Sample): Record<string, string> => ({ FILE: path, PASSWORD: password });

/** What the programs in scripts/readers print: SHA-1 and number of certificates. */
function printed(output: string): Found {
  const [thumbprint = '', certificates = ''] = output.trim().split(' ');
  return { thumbprint: thumbprint.toUpperCase(), certificates: Number(certificates) };
}

/** For readers that give out PEM: the first certificate with this public key. */
function fromPem(pem: string, publicKey: KeyObject): Found {
  const certificates = [...pem.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].map(
    ([text]) => new X509Certificate(text),
  );
  const leaf = certificates.find((certificate) => certificate.publicKey.equals(publicKey));
  if (leaf === undefined) throw new Error('the key does not fit');
  return { thumbprint: hash('sha1', leaf.raw).toUpperCase(), certificates: certificates.length };
}

function privateKeyIn(text: string): string {
  return /-----BEGIN ([A-Z ]*PRIVATE KEY)-----[^-]+-----END \1-----/.exec(text)?.[0] ?? '';
}

function notAscii(password: string): string | undefined {
  if (/^[\x20-\x7e]*$/.test(password)) return undefined;
  return 'the JDK encodes such a password in a way of its own, and does not open the file of openssl either';
}

const BOUNCY_CASTLE = 'org.bouncycastle.jce.provider.BouncyCastleProvider';

const READERS: readonly Reader[] = [
  {
    name: 'openssl',
    install: async () => (await run('openssl', ['version'])).trim(),
    read: async (sample) => {
      const args = ['pkcs12', '-in', sample.path, '-passin', 'env:PASSWORD', '-nodes'];
      const text = await run('openssl', args, environment(sample));
      return fromPem(text, createPublicKey(privateKeyIn(text)));
    },
  },
  {
    name: 'python-cryptography',
    install: async (directory) => {
      await run('python3', ['-m', 'venv', join(directory, 'python')]);
      const pip = join(directory, 'python/bin/pip');
      await run(pip, ['install', '--quiet', '--disable-pip-version-check', 'cryptography']);
      const version = await run(join(directory, 'python/bin/python'), [
        join(READERS_DIRECTORY, 'reader.py'),
        'version',
      ]);
      return version.trim();
    },
    read: async (sample, directory) => {
      const program = join(READERS_DIRECTORY, 'reader.py');
      return printed(await run(join(directory, 'python/bin/python'), [program], environment(sample)));
    },
  },
  {
    name: 'java-keytool',
    install: async () => (await run('java', ['--version'])).split('\n')[0] ?? '',
    cannot: ({ password }) =>
      password.length < 6 ? 'it takes no password of fewer than six characters' : notAscii(password),
    read: async (sample) => {
      const args = [
        '-J-Duser.language=en',
        '-list',
        '-v',
        '-keystore',
        sample.path,
        '-storetype',
        'PKCS12',
        '-storepass:env',
        'PASSWORD',
      ];
      const text = await run('keytool', args, environment(sample));
      // It lists a PrivateKeyEntry only if it could decrypt the key's bag; that the key fits is shown by `java`.
      if (!text.includes('Entry type: PrivateKeyEntry')) throw new Error('no private key');
      const thumbprint = /SHA1: ([0-9A-F:]+)/.exec(text)?.[1]?.replaceAll(':', '') ?? '';
      return { thumbprint, certificates: Number(/chain length: (\d+)/.exec(text)?.[1]) };
    },
  },
  {
    name: 'java',
    install: async () => (await run('java', ['--version'])).split('\n')[0] ?? '',
    cannot: ({ password }) => notAscii(password),
    read: async (sample) => printed(await run('java', [join(READERS_DIRECTORY, 'Reader.java')], environment(sample))),
  },
  {
    name: 'bouncycastle',
    install: async (directory) => {
      const library = join(directory, 'bouncycastle');
      const artifact = '-Dartifact=org.bouncycastle:bcprov-jdk18on:LATEST';
      const args = ['--batch-mode', 'dependency:copy', artifact, `-DoutputDirectory=${library}`];
      const output = await run('mvn', args, {}, directory);
      return `BouncyCastle ${/bcprov-jdk18on-([\d.]+)\.jar|bcprov-jdk18on:jar:([\d.]+)/.exec(output)?.slice(1).join('') ?? '?'}`;
    },
    read: async (sample, directory) => {
      const classPath = join(directory, 'bouncycastle', '*');
      const args = ['-cp', classPath, join(READERS_DIRECTORY, 'Reader.java'), BOUNCY_CASTLE];
      return printed(await run('java', args, environment(sample)));
    },
  },
  {
    name: 'gnutls-certtool',
    install: async () => (await run('certtool', ['--version'])).split('\n')[0] ?? '',
    read: async (sample, directory) => {
      // The passwords here are throw-away: they may be arguments.
      const password = sample.password === '' ? '--empty-password' : `--password=${sample.password}`;
      const info = ['--p12-info', '--inder', '--infile', sample.path, password];
      const text = await run('certtool', info);
      const key = join(directory, 'gnutls.pem');
      await writeFile(key, text, { mode: 0o600 });
      // An EC key that it prints lacks the name of its curve, so it is asked for the public key; but then it does not take
      // the empty password.
      const args =
        sample.password === '' ? ['--key-info', '--pkcs8', '--infile', key] : ['--pubkey-info', '--load-privkey', key];
      const output = await run('certtool', [...args, password]);
      const pem = sample.password === '' ? privateKeyIn(output) : output;
      return fromPem(text, createPublicKey(pem));
    },
  },
  {
    name: 'nss-pk12util',
    install: async (directory) => {
      await run('certutil', ['-N', '--empty-password', '-d', await mkdtemp(join(directory, 'nss-'))]);
      return run('dpkg-query', ['--showformat=NSS ${Version}', '--show', 'libnss3-tools']).catch(
        () => 'NSS of unknown version',
      );
    },
    read: async (sample, directory) => {
      const database = await mkdtemp(join(directory, 'nss-'));
      const password = join(database, 'password');
      await writeFile(password, `${sample.password}\n`);
      await run('certutil', ['-N', '--empty-password', '-d', database]);
      await run('pk12util', ['-i', sample.path, '-w', password, '-d', database]);
      // It stores a key only with a certificate that it fits; `u` marks that certificate.
      const list = (await run('certutil', ['-L', '-d', database])).split('\n');
      const entries = list.filter(
        (line) => /\S\s+[a-zA-Z]*,[a-zA-Z]*,[a-zA-Z]*\s*$/.test(line) && !line.includes('SSL,'),
      );
      const nickname = entries.find((line) => /\su,u,u\s*$/.test(line))?.replace(/\s+u,u,u\s*$/, '');
      if (nickname === undefined) throw new Error('no certificate with its key');
      const pem = await run('certutil', ['-L', '-d', database, '-n', nickname, '-a']);
      return { thumbprint: hash('sha1', new X509Certificate(pem).raw).toUpperCase(), certificates: entries.length };
    },
  },
  {
    name: 'go-pkcs12',
    install: async (directory) => {
      const folder = join(directory, 'go');
      await mkdir(folder);
      await copyFile(join(READERS_DIRECTORY, 'reader.go'), join(folder, 'main.go'));
      await run('go', ['mod', 'init', 'reader'], {}, folder);
      await run('go', ['get', 'software.sslmate.com/src/go-pkcs12@latest'], {}, folder);
      await run('go', ['build', '-o', 'reader', '.'], {}, folder);
      const version = await run('go', ['list', '-m', 'software.sslmate.com/src/go-pkcs12'], {}, folder);
      return `${version.trim().replace(/^.*\//, '')}, ${(await run('go', ['env', 'GOVERSION'])).trim()}`;
    },
    read: async (sample, directory) => printed(await run(join(directory, 'go/reader'), [], environment(sample))),
  },
  {
    name: 'node-forge',
    install: async () => {
      const manifest = await readFile(resolve(import.meta.dirname, '../node_modules/node-forge/package.json'), 'utf8');
      return `node-forge ${(JSON.parse(manifest) as { version: string }).version}`;
    },
    cannot: ({ name }) => (name.startsWith('EC') ? 'it knows no EC keys' : undefined),
    read: async ({ path, password }) => readByForge((await readFile(path)).toString('binary'), password),
  },
];

function readByForge(binary: string, password: string): Found {
  const file = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(binary), password);
  const { certBag = '', pkcs8ShroudedKeyBag = '' } = forge.pki.oids;
  const bags = file.getBags({ bagType: certBag })[certBag] ?? [];
  const key = file.getBags({ bagType: pkcs8ShroudedKeyBag })[pkcs8ShroudedKeyBag]?.[0]?.key;
  if (!key) throw new Error('no private key');
  const pem = bags.flatMap(({ cert }) => (cert ? [forge.pki.certificateToPem(cert)] : []));
  return fromPem(pem.join(''), createPublicKey(forge.pki.privateKeyToPem(key)));
}

/** Writes what the action sends for each kind of source. */
async function writeSamples(directory: string): Promise<Sample[]> {
  const fixture = async (name: string): Promise<Buffer> => readFile(join(FIXTURES, name));
  const { certificatePem, keyPem } = await clientCertificate();
  const sources: readonly (readonly [name: string, content: string | Buffer, password: string])[] = [
    ['RSA, leaf alone', await fixture('openssl-default.pfx'), 'Passw0rd!'],
    ['RSA, with its chain', await fixture('openssl-chain.pfx'), 'Passw0rd!'],
    ['EC P-256', await fixture('openssl-ec.pfx'), 'Passw0rd!'],
    ['RSA, empty password', await fixture('openssl-empty-password.pfx'), ''],
    ['RSA, password with umlauts', await fixture('openssl-umlaut.pfx'), 'pässwörd'],
    ['RSA, from PEM', certificatePem + keyPem, 'a throw-away password'],
    ['RSA, from PEM, empty password', certificatePem + keyPem, ''],
  ];
  return Promise.all(
    sources.map(async ([name, content, password], index) => {
      const { upload } = openCertificate({ content, password, notes: [] }, new Date());
      const path = join(directory, `${index}.pfx`);
      await writeFile(path, Buffer.from(upload.pkcs12Value, 'base64'), { mode: 0o600 });
      const { leaf, chain } = upload.certificate;
      const thumbprint = hash('sha1', leaf.raw).toUpperCase();
      return { name, path, password: upload.password, thumbprint, certificates: 1 + chain.length };
    }),
  );
}

/** Why a sample was not read as it is, or nothing. */
async function problemWith(reader: Reader, sample: Sample, directory: string): Promise<string | undefined> {
  try {
    const { thumbprint, certificates = sample.certificates } = await reader.read(sample, directory);
    if (thumbprint !== sample.thumbprint) return `the certificate is ${thumbprint} instead of ${sample.thumbprint}`;
    if (certificates !== sample.certificates) return `${certificates} certificates instead of ${sample.certificates}`;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

async function tryReader(reader: Reader, samples: readonly Sample[], directory: string): Promise<void> {
  let version: string;
  try {
    version = await reader.install(directory);
  } catch (error) {
    console.log(`SKIPPED  ${reader.name}: ${(error as Error).message}`);
    return;
  }
  console.log(`${reader.name}: ${version}`);
  for (const sample of samples) {
    const reason = reader.cannot?.(sample);
    const problem = reason === undefined ? await problemWith(reader, sample, directory) : undefined;
    if (problem !== undefined) process.exitCode = 1;
    const result = problem !== undefined ? 'FAILED ' : reason !== undefined ? 'skipped' : 'ok     ';
    console.log(
      `  ${result} ${sample.name}${problem === undefined ? '' : `: ${problem}`}${reason === undefined ? '' : `: ${reason}`}`,
    );
  }
}

const { positionals } = parseArgs({ allowPositionals: true });
const directory = await mkdtemp(join(tmpdir(), 'readers-'));
try {
  const samples = await writeSamples(directory);
  for (const reader of READERS) {
    if (positionals.length === 0 || positionals.includes(reader.name)) await tryReader(reader, samples, directory);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}
