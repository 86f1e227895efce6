/** From what a source gave to what goes to the service. */
import { openPkcs12, type Encryption } from '../pkcs12/open.ts';
import { writePkcs12 } from '../pkcs12/write.ts';
import { clean } from '../text/clean.ts';
import { daysUntil, isoSeconds } from '../text/dates.ts';
import { SHORTEST_MASKED_LINE } from '../text/secrets.ts';
import { choose, type Given } from './choose.ts';
import { describeCertificate, type ClientCertificate } from './client-certificate.ts';
import { decode, type Decoded } from './decode.ts';
import { openPem, privateKeyLines } from './pem.ts';
import type { SourceContent } from './source.ts';

/** The certificate as it goes to the service. */
export interface CertificateUpload {
  readonly certificate: ClientCertificate;
  /** A PKCS#12 file with the certificate, its issuers and its private key, in base64. */
  readonly pkcs12Value: string;
  /** The password of that file. */
  readonly password: string;
}

/** A certificate to upload, and what the log says about it. */
export interface OpenedCertificate {
  readonly upload: CertificateUpload;
  /** Sentences: what was found, what was chosen, what was done. */
  readonly notes: readonly string[];
  /** What a person should know of the other certificates that were given, one sentence each. */
  readonly warnings: readonly string[];
  /** What was derived from the secrets, to be masked before anything else happens. */
  readonly secrets: readonly string[];
}

/**
 * Opens what a source gave, chooses the certificate and writes it as the service documents it.
 * @throws Failure PFX_* for each way in which that cannot be done
 */
export function openCertificate(source: SourceContent, now: Date): OpenedCertificate {
  const { password } = source;
  const decoded = decode(source.content);
  const { given, form } = open(decoded, password);
  const { leaf, privateKey, chain, notes, warnings } = choose(given, now);
  const certificate = describeCertificate(leaf, privateKey, chain);
  const pkcs12Value = writePkcs12(certificate, password).toString('base64');
  return {
    upload: { certificate, pkcs12Value, password },
    notes: [
      found(certificate, now),
      ...source.notes,
      ...decoded.notes,
      ...notes,
      `${writtenAgain(form)}; key, certificate and password are unchanged.`,
    ],
    warnings,
    secrets: secretsOf(source, decoded, certificate, pkcs12Value),
  };
}

function open(decoded: Decoded, password: string): { readonly given: Given; readonly form: string } {
  if (decoded.kind === 'pem') return { given: openPem(decoded.text, password), form: 'PEM' };
  const contents = openPkcs12(decoded.bytes, password);
  return { given: { container: '.pfx', ...contents }, form: protection(contents.encryption) };
}

/** The file and the key on one line each, the lines of a private key's PEM, and what is sent. Certificates are public. */
function secretsOf(
  { content }: SourceContent,
  decoded: Decoded,
  certificate: ClientCertificate,
  pkcs12Value: string,
): readonly string[] {
  const [file, lines] =
    decoded.kind === 'pem' ? [Buffer.from(content), privateKeyLines(decoded.text)] : [decoded.bytes, []];
  const secret = [file.toString('base64'), ...withoutPublicLines(lines, certificate), pkcs12Value];
  return [...new Set([...secret, ...privateKeyForms(certificate)])].filter(
    (line) => line.length >= SHORTEST_MASKED_LINE,
  );
}

/** How a private key could be printed: on one line in base64, and the lines of its PEM. */
export function privateKeyForms(certificate: ClientCertificate): readonly string[] {
  const { privateKey } = certificate;
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const key = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
  return [key, ...withoutPublicLines(privateKeyLines(pem), certificate)].filter(
    (line) => line.length >= SHORTEST_MASKED_LINE,
  );
}

/**
 * Both hold the public key, and where it begins at the same place of a line, they have lines in common. Masked, these would
 * keep the runner from passing the certificate on to another job.
 */
function withoutPublicLines(lines: readonly string[], { leaf }: ClientCertificate): readonly string[] {
  const known = new Set(leaf.toString().split('\n'));
  return lines.filter((line) => !known.has(line));
}

function found({ thumbprint, subject, keyType, keyBits, notBefore, notAfter }: ClientCertificate, now: Date): string {
  return `Certificate ${thumbprint}, ${clean(subject)}: ${keyType.toUpperCase()} ${keyBits}, valid from ${isoSeconds(notBefore)} to ${isoSeconds(notAfter)} (${daysUntil(notAfter, now)} days left).`;
}

/** Why what is sent is another file than the one that was given. */
function writtenAgain(form: string): string {
  return form === SENT_AS
    ? `The .pfx is ${SENT_AS} already, which the service accepts. It is written again all the same, so that nothing else in it is sent`
    : `Written again as ${SENT_AS}, which the service accepts (it was ${form})`;
}

/** What {@link writePkcs12} writes, as {@link protection} names it. */
const SENT_AS = 'TripleDES-SHA1';

/** In words, such as `AES-256`, or `RC2-40 (certificates) and TripleDES-SHA1 (key)`. */
function protection({ key, certificates }: Encryption): string {
  return key === certificates ? inWords(key) : `${inWords(certificates)} (certificates) and ${inWords(key)} (key)`;
}

function inWords(scheme: string): string {
  return scheme === 'none' ? 'not encrypted' : scheme;
}
