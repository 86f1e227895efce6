/**
 * Runs directories of .pfx files, pasted texts and PEM, each with a manifest.json, through everything that happens to a
 * certificate before the network: `npm run test:corpus -- DIRECTORY…`. What would be sent is opened again by the OpenSSL
 * CLI: leaf, key, issuers and password. Exits with 1 if anything is not as the manifest says.
 *
 * A manifest is a list of entries as {@link Entry} describes them.
 */
import { spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSource, type SourceContent } from '../src/certificate/source.ts';
import { assess } from '../src/certificate/suitability.ts';
import { openCertificate, type CertificateUpload } from '../src/certificate/upload.ts';
import { Failure, type FailureCode } from '../src/failure.ts';

interface Facts {
  readonly thumbprint?: string;
  readonly sha256?: string;
  /** Seconds since 1970. */
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly keyType?: string;
  readonly keyBits?: number;
  readonly curve?: string;
  /** The certificate may have expired: what is checked is how it opens. */
  readonly validity?: string;
}

interface Entry {
  readonly file: string;
  readonly password: string | null;
  /** `text`: the text of the input; `path`: the file as it is; else the bytes of a .pfx. */
  readonly form?: string;
  /** SHA-1 of the issuers: with the leaf, exactly what goes out. */
  readonly issuers?: readonly string[];
  /** Certificates of the same key that stay behind. */
  readonly others?: readonly { readonly thumbprint: string }[];
  readonly expected: Facts & {
    readonly error?: string;
    readonly also?: readonly string[];
    readonly orOk?: Facts;
  };
}

/** The manifests' kinds of error, and the codes that say the same. */
const CODES: Readonly<Record<string, readonly FailureCode[]>> = {
  'empty-file': ['PFX_EMPTY'],
  'not-base64': ['PFX_NOT_BASE64', 'PFX_NOT_PKCS12'],
  'not-pfx': ['PFX_NOT_PKCS12', 'PFX_IS_CERTIFICATE', 'PFX_IS_PKCS7', 'PFX_IS_SSH_KEY', 'PFX_IS_PGP_KEY'],
  'is-pem': ['PFX_IS_PEM', 'PFX_NO_PRIVATE_KEY'],
  'is-jks': ['PFX_IS_JKS'],
  'is-certificate': ['PFX_IS_CERTIFICATE'],
  'is-pkcs7': ['PFX_IS_PKCS7'],
  truncated: ['PFX_TRUNCATED'],
  'trailing-data': ['PFX_TRAILING_DATA'],
  invalid: ['PFX_INVALID'],
  unsupported: ['PFX_UNSUPPORTED'],
  empty: ['PFX_NO_PRIVATE_KEY'],
  'no-private-key': ['PFX_NO_PRIVATE_KEY'],
  'no-certificate': ['PFX_NO_CERTIFICATE'],
  'key-mismatch': ['PFX_KEY_MISMATCH'],
  'no-matching-certificate': ['PFX_KEY_MISMATCH'],
  'several-keys': ['PFX_SEVERAL_KEYS'],
  'key-password-differs': ['PFX_KEY_PASSWORD_DIFFERS', 'PFX_PASSWORD_ENCODING'],
  'wrong-password': ['PFX_WRONG_PASSWORD'],
  'wrong-password-or-corrupt': ['PFX_WRONG_PASSWORD', 'PFX_DAMAGED'],
  'iteration-limit': ['PFX_TOO_MANY_ITERATIONS'],
  expired: ['CERTIFICATE_EXPIRED'],
};

/** Kinds of error that have a message of their own under a code that they share. */
const MESSAGES: Readonly<Record<string, RegExp>> = {
  'protected-to-principals': /protected to users or groups/,
  'git-lfs-pointer': /Git LFS/,
  gpg: /gpg/,
  'ansible-vault': /Ansible Vault/,
  'read-as-text': /read as text/,
  hex: /hexadecimal/,
  'decimal-bytes': /decimal/,
};

/** Where this project and the manifest differ on purpose. */
const BY_DESIGN: Readonly<Record<string, string>> = {
  'base64/quoted.txt': 'quotation marks around the base64 are taken off, not refused',
};

interface Verdict {
  readonly right: boolean;
  readonly said: string;
}

function judge(directory: string, entry: Entry): Verdict {
  const { expected } = entry;
  const now = new Date();
  const facts = expected.error === undefined ? expected : expected.orOk;
  try {
    const { upload, notes } = openCertificate(sourceOf(directory, entry), now);
    // Of the older corpus half has expired, which is not what it is about.
    if (expected.validity === undefined && expected.error === 'expired') assess(upload.certificate, now, 0);
    if (!facts) return { right: false, said: `opened, instead of ${expected.error ?? 'failing'}` };
    const wrong = [...differences(upload, facts), ...choiceSaid(entry, notes), ...sent(upload, entry)];
    return { right: wrong.length === 0, said: wrong.join(', ') };
  } catch (error) {
    if (!(error instanceof Failure)) return { right: false, said: `threw ${String(error)}` };
    const kinds = [...(expected.error === undefined ? [] : [expected.error]), ...(expected.also ?? [])];
    const right = kinds.some(
      (kind) => CODES[kind]?.includes(error.code) === true || MESSAGES[kind]?.test(error.message) === true,
    );
    return { right, said: `${error.code} instead of ${kinds.join(' or ') || 'opening'}: ${error.message}` };
  }
}

function sourceOf(directory: string, { file, form, password }: Entry): SourceContent {
  const path = join(directory, file);
  if (form === 'text') return { content: readFileSync(path, 'utf8'), password: password ?? '', notes: [] };
  return readSource({ kind: 'file', path, password: password ?? '' });
}

function differences({ certificate }: CertificateUpload, facts: Facts): string[] {
  const actual: Facts = {
    ...certificate,
    curve: certificate.privateKey.asymmetricKeyDetails?.namedCurve ?? '',
    notBefore: certificate.notBefore.getTime() / 1000,
    notAfter: certificate.notAfter.getTime() / 1000,
  };
  return (['thumbprint', 'sha256', 'notBefore', 'notAfter', 'keyType', 'keyBits', 'curve'] as const)
    .filter((name) => (facts[name] ?? null) !== null && facts[name] !== actual[name])
    .map((name) => `${name} is ${String(actual[name])}, not ${String(facts[name])}`);
}

function choiceSaid({ others = [] }: Entry, notes: readonly string[]): string[] {
  return others
    .filter(({ thumbprint }) => !notes.some((note) => note.includes(thumbprint)))
    .map(({ thumbprint }) => `${thumbprint} is not named`);
}

/** What would be sent, by OpenSSL: nothing but the leaf, its issuers and the key, with the password that goes along. */
function sent({ certificate, pkcs12Value, password }: CertificateUpload, { issuers }: Entry): string[] {
  const options = ['pkcs12', '-nodes', '-passin', 'env:PFX_PASSWORD'];
  const { status, stdout, stderr } = spawnSync('openssl', options, {
    input: Buffer.from(pkcs12Value, 'base64'),
    env: { ...process.env, PFX_PASSWORD: password },
    encoding: 'utf8',
  });
  // The CLI reads passwords of up to 1,023 bytes.
  if (password.length > 1023) return [];
  if (status !== 0)
    return POST_QUANTUM.test(certificate.keyType) ? [] : [`openssl does not open what is sent: ${stderr}`];
  const blocks = stdout.match(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g) ?? [];
  const certificates = blocks
    .filter((block) => block.includes('BEGIN CERTIFICATE'))
    .map((pem) => new X509Certificate(pem));
  const [key, ...moreKeys] = blocks.filter((block) => block.includes('PRIVATE KEY'));
  const thumbprints = certificates.map(({ fingerprint }) => fingerprint.replaceAll(':', ''));
  const chain = certificate.chain.map(({ fingerprint }) => fingerprint.replaceAll(':', ''));
  return [
    thumbprints[0] === certificate.thumbprint
      ? ''
      : `the first certificate that is sent is ${thumbprints[0] ?? 'none'}`,
    thumbprints.slice(1).join() === chain.join() ? '' : `the chain that is sent is ${thumbprints.slice(1).join()}`,
    issuers === undefined || [...issuers].sort().join() === chain.toSorted().join()
      ? ''
      : `issuers ${chain.join()}, not ${issuers.join()}`,
    key !== undefined && moreKeys.length === 0 && samePublicKey(key, certificate.privateKey)
      ? ''
      : 'another key is sent',
  ].filter((text) => text !== '');
}

/** OpenSSL 3.0 does not know them. */
const POST_QUANTUM = /^(ml-dsa|ml-kem|slh-dsa)/;

function samePublicKey(pem: string, privateKey: KeyObject): boolean {
  return createPublicKey(createPrivateKey(pem)).equals(createPublicKey(privateKey));
}

/** Where the corpora lie beside this repository, if they are there. */
const DEFAULT_DIRECTORIES = ['../shared/pfx-corpus', '../shared/pfx-reports'];

const directories = process.argv.length > 2 ? process.argv.slice(2) : DEFAULT_DIRECTORIES.filter(existsSync);
if (directories.length === 0) {
  console.error('Usage: npm run test:corpus -- DIRECTORY… (each with a manifest.json)');
  process.exit(2);
}
const rows = new Map<string, { right: number; wrong: number; byDesign: number; slowest: number }>();
const notes: string[] = [];
for (const directory of directories) {
  const entries = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as Entry[];
  for (const entry of entries) {
    const start = performance.now();
    const { right, said } = judge(directory, entry);
    const took = performance.now() - start;
    const kind = entry.expected.error ?? 'opens';
    const row = rows.get(kind) ?? { right: 0, wrong: 0, byDesign: 0, slowest: 0 };
    rows.set(kind, row);
    row.slowest = Math.max(row.slowest, Math.round(took));
    const design = BY_DESIGN[entry.file];
    if (right) row.right++;
    else if (design !== undefined) {
      row.byDesign++;
      notes.push(`by design  ${entry.file}: ${design}`);
    } else {
      row.wrong++;
      notes.push(`WRONG      ${entry.file}: ${said}`);
    }
  }
}
console.table(Object.fromEntries([...rows].sort(([a], [b]) => a.localeCompare(b))));
for (const note of notes) console.log(note);
const sum = (column: 'right' | 'wrong' | 'byDesign'): number =>
  [...rows.values()].reduce((total, row) => total + row[column], 0);
console.log(`${sum('right')} right, ${sum('wrong')} wrong, ${sum('byDesign')} by design`);
process.exitCode = sum('wrong') === 0 ? 0 : 1;
