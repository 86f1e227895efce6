/** What NODE_EXTRA_CA_CERTS names, when a server is not trusted: Node passes over a file that it cannot use without a word that anybody reads. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { clean } from '../text/clean.ts';

/** The roots of a whole company are far less; a larger file is not read here. */
const LARGEST_MIB = 4;
const OWN_LINE = 'Each -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- has to be a line of its own.';
const TO_PEM = 'Convert it with: openssl x509 -inform DER -in FILE -out root-ca.pem';

/** A sentence about the certificates that were added to Node's own, and what to do: the cause if they were not loaded. */
export function adviseExtraCa(environment: NodeJS.ProcessEnv): string {
  const path = environment['NODE_EXTRA_CA_CERTS'];
  if (!path) {
    return 'If a proxy of your company inspects TLS, give its root certificate to the step: env: NODE_EXTRA_CA_CERTS: /path/to/root-ca.pem.';
  }
  return `NODE_EXTRA_CA_CERTS names ${clean(path, 260)}, which ${whatIsIn(path)}`;
}

/** Why Node did not load the file, and the fix; its certificates if it did. */
function whatIsIn(path: string): string {
  let content: Buffer;
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return `is ${stat.isDirectory() ? 'a directory' : 'not a file'}. Name a file in PEM.`;
    if (stat.size === 0) return 'is empty. Write the root certificate into it, in PEM.';
    if (stat.size > LARGEST_MIB * 1024 * 1024) {
      return `is larger than ${LARGEST_MIB} MiB. Name a file with the root certificate of whatever inspects TLS, and little else.`;
    }
    content = readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT')
      return `could not be read (${code ?? 'unknown error'}). Let the user that runs the step read it.`;
    const absolute = resolve(path);
    return `does not exist${absolute === path ? '' : ` (${clean(absolute, 260)})`}. Correct the path; a step before this one has to write the file.`;
  }
  if (content[0] === 0x30) return `is DER, not PEM, so it was not loaded. ${TO_PEM}`;
  if (content.subarray(0, 2).equals(Buffer.of(0xff, 0xfe)) || content.subarray(0, 2).equals(Buffer.of(0xfe, 0xff))) {
    return 'is UTF-16, so it was not loaded. Save it as ASCII.';
  }
  const text = content.toString('latin1');
  const blocks = certificatesIn(text);
  const inLines = (text.match(/-----BEGIN (?:X509 )?CERTIFICATE-----/g) ?? []).length;
  if (blocks.length === 0) {
    if (inLines > 0) return `holds a certificate, but nothing was loaded. ${OWN_LINE}`;
    const type = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text.slice(0, 65_536))?.[1];
    return `holds no certificate in PEM${type === undefined ? '' : ` but a ${type}`}, so nothing was loaded. It has to hold -----BEGIN CERTIFICATE----- and what follows.`;
  }
  const certificates = blocks.map(parsed);
  const damaged = certificates.indexOf(undefined);
  if (damaged >= 0) {
    return `has a certificate that cannot be read (the ${damaged + 1}. of ${inLines}), so it and those behind it were not loaded. Export it again. ${OWN_LINE}`;
  }
  const others = inLines > blocks.length ? ` What else is in it was not loaded. ${OWN_LINE}` : '';
  return `holds ${names(certificates)}.${others} None of them issued the certificate of the server: add the root certificate of whatever inspects TLS.`;
}

/** The subjects, in a few words. */
function names(certificates: readonly (X509Certificate | undefined)[]): string {
  const subjects = certificates.map((certificate) => clean(certificate?.subject.replaceAll('\n', ', '), 100));
  const more = subjects.length > 3 ? ` and ${subjects.length - 3} more` : '';
  return `${subjects.length} certificate${subjects.length === 1 ? '' : 's'} (${subjects.slice(0, 3).join('; ')}${more})`;
}

/** As OpenSSL finds them, which Node uses: a byte order mark may stand before the first line, and blanks behind one. */
const BEGIN = /(?:^|\n)-----BEGIN (?:X509 )?CERTIFICATE-----[ \t\r]*(?=\n)/;
const END = /\n-----END (?:X509 )?CERTIFICATE-----[ \t\r]*(?:\n|$)/;

/** What stands behind each line that begins a certificate. */
function certificatesIn(text: string): readonly string[] {
  return text
    .replace(/^\xef\xbb\xbf/, '')
    .split(BEGIN)
    .slice(1, 1001);
}

function parsed(block: string): X509Certificate | undefined {
  const [body = '', end] = block.split(END, 2);
  if (end === undefined) return undefined;
  try {
    return new X509Certificate(`-----BEGIN CERTIFICATE-----${body}\n-----END CERTIFICATE-----\n`);
  } catch {
    return undefined;
  }
}
