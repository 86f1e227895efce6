/**
 * Runs a directory of .pfx files with a manifest.json through the opener and the writer:
 * `npm run test:corpus -- DIR`. Exits with 1 if any file does not do what the manifest says of it.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure, type FailureCode } from '../src/failure.ts';
import { choose } from '../src/certificate/choose.ts';
import { decodePfxFile, decodePfxText } from '../src/certificate/decode.ts';
import { openPkcs12 } from '../src/pkcs12/open.ts';
import { writePkcs12 } from '../src/pkcs12/write.ts';
import { describeCertificate, type ClientCertificate } from '../src/certificate/client-certificate.ts';

interface Facts {
  readonly thumbprint?: string;
  readonly sha256?: string;
  /** Seconds since 1970. */
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly keyType?: string;
  readonly keyBits?: number;
  readonly curve?: string;
}

interface Entry {
  readonly file: string;
  readonly password: string | null;
  /** `text`: the input itself, base64; else the bytes of a file. */
  readonly form?: string;
  readonly expected: Facts & {
    readonly ok?: boolean;
    readonly error?: string;
    readonly also?: readonly string[];
    readonly orOk?: Facts;
  };
}

/** The manifest's kinds of error, and the codes that say the same. */
const CODES: Readonly<Record<string, readonly FailureCode[]>> = {
  'empty-file': ['PFX_EMPTY'],
  'not-base64': ['PFX_NOT_BASE64'],
  'not-pfx': ['PFX_NOT_PKCS12', 'PFX_IS_CERTIFICATE', 'PFX_IS_PKCS7', 'PFX_IS_SSH_KEY', 'PFX_IS_PGP_KEY'],
  'is-pem': ['PFX_IS_PEM'],
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
  'several-keys': ['PFX_SEVERAL_KEYS'],
  'key-password-differs': ['PFX_KEY_PASSWORD_DIFFERS', 'PFX_PASSWORD_ENCODING'],
  'wrong-password': ['PFX_WRONG_PASSWORD'],
  'wrong-password-or-corrupt': ['PFX_WRONG_PASSWORD', 'PFX_DAMAGED'],
  'iteration-limit': ['PFX_TOO_MANY_ITERATIONS'],
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
  try {
    const content = readFileSync(join(directory, entry.file));
    const { bytes } = entry.form === 'text' ? decodePfxText(content.toString('utf8')) : decodePfxFile(content);
    const password = entry.password ?? '';
    const certificate = opened(bytes, password);
    const facts = expected.ok === true ? expected : expected.orOk;
    if (!facts) return { right: false, said: `opened, instead of ${expected.error ?? 'failing'}` };
    const wrong = [...differences(certificate, facts), ...rewriting(certificate, password)];
    return { right: wrong.length === 0, said: wrong.join(', ') };
  } catch (error) {
    if (!(error instanceof Failure)) return { right: false, said: `threw ${String(error)}` };
    if (expected.ok === true) return { right: false, said: `${error.code}: ${error.message}` };
    const kinds = [expected.error ?? '', ...(expected.also ?? [])];
    const right = kinds.some((kind) => CODES[kind]?.includes(error.code) === true);
    return { right, said: `${error.code} instead of ${kinds.join(' or ')}: ${error.message}` };
  }
}

function opened(bytes: Buffer, password: string): ClientCertificate {
  const { leaf, privateKey, chain } = choose(openPkcs12(bytes, password), new Date());
  return describeCertificate(leaf, privateKey, chain);
}

function differences(certificate: ClientCertificate, facts: Facts): string[] {
  const actual: Required<Facts> = {
    ...certificate,
    curve: certificate.privateKey.asymmetricKeyDetails?.namedCurve ?? '',
    notBefore: certificate.notBefore.getTime() / 1000,
    notAfter: certificate.notAfter.getTime() / 1000,
  };
  return (['thumbprint', 'sha256', 'notBefore', 'notAfter', 'keyType', 'keyBits', 'curve'] as const)
    .filter((name) => (facts[name] ?? null) !== null && facts[name] !== actual[name])
    .map((name) => `${name} is ${actual[name]}, not ${String(facts[name])}`);
}

/** What is written has the same certificate, key and chain. */
function rewriting(certificate: ClientCertificate, password: string): string[] {
  const again = opened(writePkcs12(certificate, password), password);
  const chain = (of: ClientCertificate): string => of.chain.map(({ fingerprint256 }) => fingerprint256).join();
  return [
    again.thumbprint === certificate.thumbprint ? '' : 'another leaf after writing',
    again.privateKey.equals(certificate.privateKey) ? '' : 'another key after writing',
    chain(again) === chain(certificate) ? '' : 'another chain after writing',
  ].filter((text) => text !== '');
}

const [directory] = process.argv.slice(2);
if (directory === undefined) {
  console.error('Usage: npm run test:corpus -- DIRECTORY (with a manifest.json)');
  process.exit(2);
}
const entries = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as Entry[];
const rows = new Map<string, { right: number; wrong: number; byDesign: number; slowest: number }>();
const notes: string[] = [];
for (const entry of entries) {
  const start = performance.now();
  const { right, said } = judge(directory, entry);
  const took = performance.now() - start;
  const kind = entry.expected.ok === true ? 'opens' : (entry.expected.error ?? '?');
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
console.table(Object.fromEntries([...rows].sort(([a], [b]) => a.localeCompare(b))));
for (const note of notes) console.log(note);
const total = [...rows.values()].reduce(
  (sum, row) => ({ right: sum.right + row.right, wrong: sum.wrong + row.wrong }),
  { right: 0, wrong: 0 },
);
console.log(
  `${entries.length} files: ${total.right} right, ${total.wrong} wrong, ${entries.length - total.right - total.wrong} by design`,
);
process.exitCode = total.wrong === 0 ? 0 : 1;
