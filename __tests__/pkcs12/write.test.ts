import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import forge from 'node-forge';
import { integer, objectIdentifier, parseWhole, TAG, type Element } from '../../src/pkcs12/asn1/ber.ts';
import { WorkBudget } from '../../src/pkcs12/crypto/kdf.ts';
import { PasswordCandidates } from '../../src/pkcs12/crypto/password.ts';
import { decrypt, encryptionScheme } from '../../src/pkcs12/crypto/pbe.ts';
import { readContent } from '../../src/pkcs12/safe-contents.ts';
import { writePkcs12 } from '../../src/pkcs12/write.ts';
import { openFixture, PASSWORD, readFixture } from './fixtures.ts';

// That the files of all makers are written well is in open.test.ts, where they are open: some take a second for it.
test('a file that is written is never the same twice: salts are fresh', () => {
  const certificate = openFixture('openssl-default.pfx');
  expect(writePkcs12(certificate, PASSWORD).equals(writePkcs12(certificate, PASSWORD))).toBe(false);
});

/** The tags and OIDs of a file, with what is inside octets. What is random or a size is left out. */
function treeOf(element: Element): unknown {
  if (element.tag === TAG.context0) return [element.tag, element.children().map(treeInOctets)];
  if (element.constructed) return [element.tag, element.children().map(treeOf)];
  if (element.tag === TAG.oid) return objectIdentifier(element, 'x');
  if (element.tag === TAG.integer) return integer(element, 'x');
  return [element.tag, element.content.length];
}

/**
 * What stands directly in a [0] (RFC 7292 section 4, RFC 2315 section 7): octets there hold an element. Those elsewhere
 * are salts, digests, identifiers or ciphertext, which may begin like an element by chance.
 */
function treeInOctets(element: Element): unknown {
  return element.tag === TAG.octetString ? [element.tag, treeOf(parseWhole(element.content))] : treeOf(element);
}

/** The SafeContents that are encrypted in the first content. */
function certificatesIn(pfx: Buffer, password: string): Element {
  const authSafe = parseWhole(parseWhole(pfx).children()[1]?.children()[1]?.children()[0]?.octets() ?? pfx);
  const content = readContent(authSafe.children()[0]);
  if (!content.encrypted) throw new Error('The certificates are not encrypted.');
  const passwords = new PasswordCandidates(password);
  const plaintext = decrypt(encryptionScheme(content.algorithm), content.ciphertext, passwords, new WorkBudget());
  return parseWhole(plaintext ?? pfx);
}

test('is element for element what openssl pkcs12 -export writes as TripleDES-SHA1', () => {
  const certificate = openFixture('openssl-3des-plain.pfx');
  const written = writePkcs12(certificate, PASSWORD);
  const model = readFixture('openssl-3des-plain.pfx');
  expect(certificate.chain).toHaveLength(1);
  expect(treeOf(parseWhole(written))).toEqual(treeOf(parseWhole(model)));
  expect(treeOf(certificatesIn(written, PASSWORD))).toEqual(treeOf(certificatesIn(model, PASSWORD)));
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
        writeFileSync(file, writePkcs12(openFixture('openssl-chain.pfx'), PASSWORD));
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
    const written = writePkcs12(certificate, PASSWORD).toString('latin1');
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
