/** verify-target against servers that really ask for client certificates: nginx, and Node's own TLS. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { clientCertificate, type ClientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import type { RunResult } from '../../emulator/runner.ts';
import { findNginx, startNginx } from './nginx.ts';
import { PASSWORD, runStep } from './step.ts';

const HOST = 'api.contoso.com';
const nginx = findNginx();

let emulator: Emulator;
/** Each vouches for itself: a server that trusts the one knows nothing of the other. */
let trusted: ClientCertificate;
let unknown: ClientCertificate;

beforeAll(async () => {
  [trusted, unknown] = await Promise.all([clientCertificate(), clientCertificate()]);
});
beforeEach(async () => {
  emulator = await Emulator.start();
});
afterEach(async () => {
  await emulator.stop();
});

async function run(certificate: ClientCertificate, bundle = false): Promise<RunResult> {
  const pfx = pfxOf(certificate, PASSWORD).toString('base64');
  return await runStep(emulator, { pfx, 'verify-target': 'true' }, { bundle });
}

function expectUploaded(result: RunResult): void {
  expect(result.annotations).toEqual([]);
  expect(emulator.certificates(GLOBAL.connectorId)).toEqual([trusted.thumbprint]);
}

function expectRejected(result: RunResult, why: RegExp): void {
  expect(result.annotations.map(({ title }) => title)).toEqual(['TARGET_REFUSES_CERTIFICATE']);
  expect(result.annotations[0]?.message).toMatch(why);
  expect(emulator.certificates(GLOBAL.connectorId)).toEqual([]);
}

// Not on every machine: the name of the skipped tests says why.
(('missing' in nginx ? describe.skip : describe) as typeof describe)(
  `nginx with ssl_verify_client on${'missing' in nginx ? ` (${nginx.missing})` : ''}`,
  () => {
    async function behindNginx(work: () => Promise<void>): Promise<void> {
      const tls = await emulator.authority.serverCertificate([HOST]);
      const path = 'path' in nginx ? nginx.path : '';
      const server = await startNginx(path, { ...tls, clientAuthority: trusted.certificatePem });
      try {
        emulator.lead(HOST, server.port);
        await work();
      } finally {
        await server.stop();
      }
    }

    test('it trusts the certificate: uploaded', async () => {
      await behindNginx(async () => {
        expectUploaded(await run(trusted, true));
      });
    });

    test('it does not know the certificate: stop, nothing uploaded', async () => {
      await behindNginx(async () => {
        expectRejected(await run(unknown, true), /HTTP 400, 400 The SSL certificate error/);
      });
    });
  },
);

describe.each(['TLSv1.2', 'TLSv1.3'] as const)("Node's TLS server, %s", (maxVersion) => {
  async function strict(): Promise<Server> {
    const tls = await emulator.authority.serverCertificate([HOST]);
    const options = { ...tls, ca: trusted.certificatePem, requestCert: true, rejectUnauthorized: true, maxVersion };
    const server = createServer(options, (_, response) => response.writeHead(405).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    emulator.lead(HOST, (server.address() as AddressInfo).port);
    return server;
  }

  test('it trusts the certificate: uploaded', async () => {
    const server = await strict();
    try {
      expectUploaded(await run(trusted));
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });

  test('it does not know the certificate: stop, nothing uploaded', async () => {
    const server = await strict();
    try {
      expectRejected(await run(unknown), /rejected the new certificate/);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

describe.each(['http', 'https'] as const)(
  'a server that asks for no certificate in the handshake, through an %s proxy',
  (kind) => {
    async function runAgainst(status: number): Promise<RunResult> {
      const tls = await emulator.authority.serverCertificate([HOST]);
      const server = createServer(tls, (_, response) => response.writeHead(status).end());
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      emulator.lead(HOST, (server.address() as AddressInfo).port);
      try {
        const pfx = pfxOf(trusted, PASSWORD).toString('base64');
        const env = kind === 'https' ? { HTTPS_PROXY: await emulator.startProxy('https') } : {};
        return await runStep(emulator, { pfx, 'verify-target': 'true' }, { bundle: true, env });
      } finally {
        server.close();
        server.closeAllConnections();
      }
    }

    test('it rejects the call: stop, nothing uploaded, and the certificate is not blamed', async () => {
      const result = await runAgainst(403);
      expectRejected(result, /HTTP 403, and did not ask for a certificate in the TLS handshake/);
    });

    test('it accepts the call: uploaded, with a warning', async () => {
      const result = await runAgainst(405);
      expect(result.annotations.map(({ message }) => message)).toEqual([
        expect.stringContaining('does not ask for a certificate in the TLS handshake'),
      ]);
      expect(emulator.certificates(GLOBAL.connectorId)).toEqual([trusted.thumbprint]);
    });
  },
);
