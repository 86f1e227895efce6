/** Whether a certificate is fit for an API connector, and what is odd about it. */
import type { X509Certificate } from 'node:crypto';
import { Failure } from '../failure.ts';
import { clean } from '../text/clean.ts';
import { DAY, daysUntil, isoSeconds } from '../text/dates.ts';
import { allowsClientAuth, subjectOf, validityOf, type ClientCertificate } from './client-certificate.ts';

/** The service's documents ask for RSA with 2048 bits. */
const RSA_BITS = 2048;

/**
 * What a person should know before this certificate is uploaded, one sentence each.
 * @param minimumDaysLeft refuse what expires within so many days of `now`
 * @throws Failure CERTIFICATE_EXPIRED, CERTIFICATE_EXPIRES_TOO_SOON
 */
export function assess(certificate: ClientCertificate, now: Date, minimumDaysLeft: number): readonly string[] {
  refuseExpired(certificate, now, minimumDaysLeft);
  const { keyType, keyBits } = certificate;
  const warnings: string[] = [];
  if (certificate.notBefore > now) {
    warnings.push(`The certificate is not valid yet: its time begins at ${isoSeconds(certificate.notBefore)}.`);
  }
  if (keyType !== 'rsa') {
    warnings.push(`The key is ${keyType.toUpperCase()}; the service's documents ask for RSA with ${RSA_BITS} bits.`);
  } else if (keyBits < RSA_BITS) {
    warnings.push(
      `The RSA key has ${keyBits} bits; the service's documents ask for ${RSA_BITS}, and fewer are not safe.`,
    );
  }
  if (certificate.weakSignatureHash !== undefined) {
    warnings.push(
      `The certificate is signed with ${certificate.weakSignatureHash.toUpperCase()} (${certificate.signatureAlgorithm}), which is broken; servers may refuse it.`,
    );
  }
  if (!certificate.allowsDigitalSignature) {
    warnings.push('The certificate has a key usage without digitalSignature; servers may refuse it from a client.');
  }
  if (!certificate.allowsClientAuth) {
    warnings.push(
      'The certificate has an extended key usage without clientAuth: servers on OpenSSL, such as nginx and Node, reject it from a client, even if they trust it. Public CAs no longer issue clientAuth; use a private CA, or the create step.',
    );
  }
  return [...warnings, ...certificate.chain.flatMap((issuer) => aboutIssuer(issuer, now))];
}

/** What servers reject a whole chain for, since they look at each certificate of it. */
function aboutIssuer(issuer: X509Certificate, now: Date): readonly string[] {
  const { notBefore, notAfter } = validityOf(issuer);
  const what = `The certificate of the issuer "${clean(subjectOf(issuer), 100)}"`;
  const rejected = 'servers may reject the chain. Ask its authority for the current one';
  return [
    ...(notAfter < now ? [`${what} expired at ${isoSeconds(notAfter)}; ${rejected}.`] : []),
    ...(notBefore > now ? [`${what} is not valid before ${isoSeconds(notBefore)}; ${rejected}.`] : []),
    ...(allowsClientAuth(issuer)
      ? []
      : [
          `${what} has an extended key usage without clientAuth: servers on OpenSSL reject all that it signed for clients.`,
        ]),
  ];
}

function refuseExpired(certificate: ClientCertificate, now: Date, minimumDaysLeft: number): void {
  const { notAfter } = certificate;
  const renew = 'Renew the certificate, store the new .pfx in the secret, and run this again.';
  if (notAfter < now) {
    throw new Failure('CERTIFICATE_EXPIRED', `The certificate expired at ${isoSeconds(notAfter)}.`, renew);
  }
  if (notAfter.getTime() - now.getTime() < minimumDaysLeft * DAY) {
    throw new Failure(
      'CERTIFICATE_EXPIRES_TOO_SOON',
      `The certificate expires at ${isoSeconds(notAfter)}, in ${daysUntil(notAfter, now)} days; minimum-days-left asks for ${minimumDaysLeft}.`,
      renew,
    );
  }
}
