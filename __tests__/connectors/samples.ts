/** API connectors as they are on one day, and a certificate for them. */
import type { ClientCertificate } from '../../src/certificate/client-certificate.ts';
import type { Authentication, Connector, ConnectorCertificate } from '../../src/graph/connector.ts';
import { openFixture } from '../pkcs12/fixtures.ts';

export const NOW = new Date('2026-03-01T12:00:00Z');
export const OLD = 'A'.repeat(40);
export const OTHER = 'B'.repeat(40);

/** The new certificate, with these dates. */
export function newCertificate(
  notBefore = '2026-02-01T00:00:00Z',
  notAfter = '2027-02-01T00:00:00Z',
): ClientCertificate {
  return { ...openFixture('openssl-default.pfx'), notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
}

/** A certificate that a connector holds; one that authenticates it, unless it is said not to. */
export function held(
  thumbprint: string,
  notAfter: string,
  changes: Partial<ConnectorCertificate> = {},
): ConnectorCertificate {
  const notBefore = Date.parse('2025-06-01T00:00:00Z') / 1000;
  return { thumbprint, notBefore, notAfter: Date.parse(notAfter) / 1000, isActive: true, ...changes };
}

/** The new certificate as a connector holds it. */
export function heldNew(
  certificate: ClientCertificate,
  changes: Partial<ConnectorCertificate> = {},
): ConnectorCertificate {
  const notBefore = certificate.notBefore.getTime() / 1000;
  return held(certificate.thumbprint, certificate.notAfter.toISOString(), { notBefore, ...changes });
}

/** A connector with these certificates, or one that authenticates in another way. */
export function connectorWith(
  authentication: Exclude<Authentication['type'], 'certificate'> | readonly ConnectorCertificate[],
  changes: Partial<Connector> = {},
): Connector {
  return {
    id: 'c-1',
    displayName: 'Sign-up',
    targetUrl: 'https://api.example/sign-up',
    authentication:
      typeof authentication === 'string'
        ? { type: authentication }
        : { type: 'certificate', certificates: authentication },
    ...changes,
  };
}
