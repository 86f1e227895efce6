/** From what a source gave to what goes to the service. */
import { setSecret } from '@actions/core';
import { openPkcs12, type Encryption } from '../pkcs12/open.ts';
import { writePkcs12 } from '../pkcs12/write.ts';
import { clean } from '../text/clean.ts';
import { daysUntil, isoSeconds } from '../text/dates.ts';
import { choose } from './choose.ts';
import { describeCertificate, type ClientCertificate } from './client-certificate.ts';
import { decodePfx } from './decode.ts';
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
}

/**
 * Opens what a source gave, chooses the certificate and writes it as the service documents it. What is derived from
 * the secrets is masked here.
 * @throws Failure PFX_* for each way in which that cannot be done
 */
export function openCertificate(source: SourceContent, now: Date): OpenedCertificate {
  const { bytes, notes } = decodePfx(source.content);
  setSecret(bytes.toString('base64'));
  const contents = openPkcs12(bytes, source.password);
  const { leaf, privateKey, chain, note } = choose(contents, now);
  const certificate = describeCertificate(leaf, privateKey, chain);
  const pkcs12Value = writePkcs12(certificate, source.password).toString('base64');
  setSecret(pkcs12Value);
  return {
    upload: { certificate, pkcs12Value, password: source.password },
    notes: [
      found(certificate, now),
      ...source.notes,
      ...notes,
      ...(note === undefined ? [] : [note]),
      `Written again as TripleDES-SHA1, which the service accepts, from ${protection(contents.encryption)}; key, certificate and password are unchanged.`,
    ],
  };
}

function found({ thumbprint, subject, keyType, keyBits, notBefore, notAfter }: ClientCertificate, now: Date): string {
  return `Certificate ${thumbprint}, ${clean(subject)}: ${keyType.toUpperCase()} ${keyBits}, valid from ${isoSeconds(notBefore)} to ${isoSeconds(notAfter)} (${daysUntil(notAfter, now)} days left).`;
}

/** In words, such as `AES-256`, or `RC2-40 (certificates) and TripleDES-SHA1 (key)`. */
function protection({ key, certificates }: Encryption): string {
  return key === certificates ? key : `${certificates} (certificates) and ${key} (key)`;
}
