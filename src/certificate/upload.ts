/** The certificate as it goes to the service. */
import { info, setSecret } from '@actions/core';
import { openPfx } from '../pkcs12/open.ts';
import { encodeForService } from '../pkcs12/write.ts';
import { clean } from '../text/clean.ts';
import { daysUntil, isoSeconds } from '../text/dates.ts';
import type { ClientCertificate } from './client-certificate.ts';
import { readPfx, type CertificateSource } from './source.ts';

export interface CertificateUpload {
  readonly certificate: ClientCertificate;
  /** The .pfx in base64. */
  readonly pkcs12Value: string;
  /** Of that .pfx. */
  readonly password: string;
}

export function openCertificate(source: CertificateSource): CertificateUpload {
  const now = new Date();
  const pfx = readPfx(source);
  const { password } = source;
  setSecret(pfx.bytes.toString('base64'));
  const certificate = openPfx(pfx.bytes, password);
  info(
    `Certificate ${certificate.thumbprint}, ${clean(certificate.subject)}: ${certificate.keyType.toUpperCase()} ${certificate.keyBits}, valid from ${isoSeconds(certificate.notBefore)} to ${isoSeconds(certificate.notAfter)} (${daysUntil(certificate.notAfter, now)} days left).`,
  );
  if (pfx.note !== undefined) info(pfx.note);
  const encoded = encodeForService(pfx.bytes, certificate, password);
  const pkcs12Value = encoded.bytes.toString('base64');
  setSecret(pkcs12Value);
  if (encoded.reencodedFrom !== undefined) {
    info(
      `Re-encoded from ${encoded.reencodedFrom} to TripleDES-SHA1, which the service takes; key and certificate unchanged.`,
    );
  }
  return { certificate, pkcs12Value, password };
}
