import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import forge from 'node-forge';
import { openPfx } from '../../src/pkcs12/open.ts';
import { encodeForService, writeTripleDesSha1 } from '../../src/pkcs12/write.ts';
import { HEALTHY, openFixture, PASSWORD, readFixture } from './fixtures.ts';

describe('a file that is written', () => {
  test.each(HEALTHY)('from $file opens with the same key, leaf and chain', ({ file, password }) => {
    const certificate = openFixture(file, password);
    const again = openPfx(writeTripleDesSha1(certificate, password), password);
    expect(again).toMatchObject({ thumbprint: certificate.thumbprint, isTripleDesSha1: true });
    expect(again.privateKey.equals(certificate.privateKey)).toBe(true);
    expect(again.chain.map(({ fingerprint256 }) => fingerprint256)).toEqual(
      certificate.chain.map(({ fingerprint256 }) => fingerprint256),
    );
  });

  test('is never the same twice: salts are fresh', () => {
    const certificate = openFixture('openssl-default.pfx');
    expect(writeTripleDesSha1(certificate, PASSWORD).equals(writeTripleDesSha1(certificate, PASSWORD))).toBe(false);
  });
});

describe('what goes to the service', () => {
  test.each(['openssl-3des.pfx', 'openssl-3des-chain.pfx'])('%s as it is', (file) => {
    const bytes = readFixture(file);
    expect(encodeForService(bytes, openPfx(bytes, PASSWORD), PASSWORD)).toEqual({ bytes });
  });

  test.each([
    ['openssl-default.pfx', 'AES-256'],
    ['openssl-legacy.pfx', 'RC2-40 (certificates) and TripleDES-SHA1 (key)'],
    ['openssl-3des-sha256-mac.pfx', 'TripleDES-SHA1 with HMAC-SHA256'],
  ])('%s anew, from %s', (file, reencodedFrom) => {
    const bytes = readFixture(file);
    const encoded = encodeForService(bytes, openPfx(bytes, PASSWORD), PASSWORD);
    expect(encoded.reencodedFrom).toBe(reencodedFrom);
    expect(encoded.bytes.equals(bytes)).toBe(false);
  });
});

interface Reader {
  readonly tool: string;
  readonly version: readonly string[];
  /** Arguments that make the tool show what is in FILE; the password is a throw-away. */
  readonly read: (file: string, directory: string) => readonly string[];
  readonly shows: RegExp;
}

const READERS: readonly Reader[] = [
  {
    tool: 'openssl',
    version: ['version'],
    read: (file) => ['pkcs12', '-in', file, '-passin', `pass:${PASSWORD}`, '-nodes', '-info'],
    shows:
      /BEGIN PRIVATE KEY[^]*pbeWithSHA1And3-KeyTripleDES-CBC|pbeWithSHA1And3-KeyTripleDES-CBC[^]*BEGIN PRIVATE KEY/,
  },
  {
    tool: 'keytool',
    version: ['-help'],
    read: (file) => ['-list', '-v', '-keystore', file, '-storepass', PASSWORD, '-storetype', 'PKCS12'],
    shows: /PrivateKeyEntry[^]*Certificate chain length: 2/,
  },
  {
    tool: 'certtool',
    version: ['--version'],
    read: (file) => ['--p12-info', '--inder', '--infile', file, '--password', PASSWORD],
    shows: /BEGIN (ENCRYPTED )?PRIVATE KEY|BEGIN RSA PRIVATE KEY|PKCS #8/,
  },
  {
    tool: 'pk12util',
    version: ['-H'],
    read: (file) => ['-l', file, '-W', PASSWORD],
    shows: /Certificate[^]*Key\(shrouded\)/,
  },
];

describe('read back by other tools', () => {
  for (const { tool, version, read, shows } of READERS) {
    const installed = spawnSync(tool, version).error === undefined;
    (installed ? test : test.skip)(`${tool}${installed ? '' : ' is not installed'}`, () => {
      const directory = mkdtempSync(join(tmpdir(), 'pfx-'));
      try {
        const file = join(directory, 'written.pfx');
        writeFileSync(file, writeTripleDesSha1(openFixture('openssl-chain.pfx'), PASSWORD));
        const { status, stdout, stderr } = spawnSync(tool, read(file, directory), { encoding: 'utf8' });
        expect({ status, output: stdout + stderr }).toEqual({
          status: 0,
          output: expect.stringMatching(shows),
        });
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  }

  test('node-forge', () => {
    const certificate = openFixture('openssl-chain.pfx');
    const written = writeTripleDesSha1(certificate, PASSWORD).toString('latin1');
    const p12 = forge.pkcs12.pkcs12FromAsn1(forge.asn1.fromDer(written), true, PASSWORD);
    const { certBag = '', pkcs8ShroudedKeyBag = '' } = forge.pki.oids;
    const certificates = p12.getBags({ bagType: certBag })[certBag] ?? [];
    const [key] = p12.getBags({ bagType: pkcs8ShroudedKeyBag })[pkcs8ShroudedKeyBag] ?? [];
    expect(certificates.map(({ cert }) => cert && forge.pki.certificateToPem(cert).replaceAll('\r', ''))).toEqual(
      [certificate.leaf, ...certificate.chain].map(String),
    );
    expect(key?.key && forge.pki.privateKeyToPem(key.key).replaceAll('\r', '')).toBe(
      certificate.privateKey.export({ type: 'pkcs1', format: 'pem' }),
    );
  });
});
