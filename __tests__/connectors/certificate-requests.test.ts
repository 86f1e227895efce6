/** Whether a server asks for a client certificate, by the connections that are made to it. */
import { beforeAll, expect, test } from '@jest/globals';
import { hasSubscribers } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createTlsServer, type SecureVersion } from 'node:tls';
import { Agent, request } from 'undici';
import { CertificateAuthority, clientCertificate } from '../../emulator/certificates.ts';
import { CertificateRequests } from '../../src/connectors/certificate-requests.ts';

let authority: CertificateAuthority;
let identity: Awaited<ReturnType<CertificateAuthority['serverCertificate']>>;
let presented: object;
beforeAll(async () => {
  authority = await CertificateAuthority.create();
  identity = await authority.serverCertificate(['localhost']);
  const own = await clientCertificate();
  presented = { cert: own.certificatePem, key: own.keyPem };
});

interface Case {
  readonly requestCert: boolean;
  readonly version?: SecureVersion;
  /** What the connection has to present. */
  readonly client?: object;
  /** The host that is watched; the server's own by default. */
  readonly watched?: string;
}

/** What is seen of one connection to a server. */
async function seen({ requestCert, version = 'TLSv1.3', client = presented, watched }: Case): Promise<unknown> {
  const server: Server = createTlsServer(
    { ...identity, requestCert, rejectUnauthorized: false, maxVersion: version },
    (socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'),
  );
  server.listen(0, 'localhost');
  await once(server, 'listening');
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  const dispatcher = new Agent({ connect: { ...client, ca: authority.pem } });
  try {
    using requests = new CertificateRequests(watched ?? url);
    expect(requests.came).toBeUndefined();
    await request(url, { dispatcher, method: 'HEAD' });
    return requests.came;
  } finally {
    await dispatcher.destroy();
    server.close();
  }
}

test.each<SecureVersion>(['TLSv1.2', 'TLSv1.3'])('%s: a server that asks, and one that does not', async (version) => {
  expect(await seen({ requestCert: true, version })).toBe(true);
  expect(await seen({ requestCert: false, version })).toBe(false);
});

test('a connection without a certificate is none that presents it', async () => {
  expect(await seen({ requestCert: true, client: {} })).toBeUndefined();
});

test('a connection to another host, or another port, is not looked at', async () => {
  expect(await seen({ requestCert: true, watched: 'https://localhost:1/' })).toBeUndefined();
  expect(await seen({ requestCert: true, watched: 'https://localhost/' })).toBeUndefined();
});

test('after the end nobody listens', () => {
  const requests = new CertificateRequests('https://localhost/');
  expect(hasSubscribers('undici:client:connected')).toBe(true);
  requests[Symbol.dispose]();
  expect(hasSubscribers('undici:client:connected')).toBe(false);
});

test('a connection without TLS is not looked at', async () => {
  const server = createServer((socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
  server.listen(0, 'localhost');
  await once(server, 'listening');
  const url = `http://localhost:${(server.address() as AddressInfo).port}/`;
  const dispatcher = new Agent();
  using requests = new CertificateRequests(url);
  await request(url, { dispatcher, method: 'HEAD' });
  expect(requests.came).toBeUndefined();
  await dispatcher.destroy();
  server.close();
});
