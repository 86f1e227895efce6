/** Where the .pfx comes from: the text of an input, or a file on the runner. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Failure } from '../../src/failure.ts';
import { decode, type Decoded } from '../../src/certificate/decode.ts';
import { readSource } from '../../src/certificate/source.ts';
import { failureOf } from '../pkcs12/fixtures.ts';

const MIB = 1024 * 1024;
/** What every PKCS#12 file begins with; zeros after it. */
const START = Buffer.from('3080020103308006092a864886f70d010701', 'hex');
const fileOf = (size: number): Buffer => Buffer.concat([START, Buffer.alloc(size - START.length)]);
const small = fileOf(100);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pfx-source-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function written(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}
const decoded = (source: { kind: 'text'; text: string } | { kind: 'file'; path: string }): Decoded =>
  decode(readSource({ ...source, password: '' }).content);
const bytesOf = (path: string): Buffer => {
  const pfx = decoded({ kind: 'file', path });
  return pfx.kind === 'pkcs12' ? pfx.bytes : Buffer.alloc(0);
};
const refusalOf = (path: string): Failure => failureOf(() => bytesOf(path));

describe('what is read', () => {
  test('the password of the source comes along', () => {
    expect(readSource({ kind: 'text', text: 'any', password: ' a ' })).toEqual({
      content: 'any',
      password: ' a ',
      notes: [],
    });
  });

  test('text is decoded', () => {
    expect(decoded({ kind: 'text', text: small.toString('base64') })).toEqual({
      kind: 'pkcs12',
      bytes: small,
      notes: [],
    });
  });

  test('a file is taken as it is', () => {
    expect(decoded({ kind: 'file', path: written('my cert.pfx', small) })).toEqual({
      kind: 'pkcs12',
      bytes: small,
      notes: [],
    });
  });

  test('a file of base64 text is decoded, with a note', () => {
    const path = written('cert.txt', small.toString('base64'));
    expect(decoded({ kind: 'file', path })).toEqual({
      kind: 'pkcs12',
      bytes: small,
      notes: ['The file holds base64 text; the .pfx in it was decoded.'],
    });
  });

  test('what is no .pfx is refused', () => {
    expect(refusalOf(written('empty.pfx', '')).code).toBe('PFX_EMPTY');
    expect(failureOf(() => decoded({ kind: 'text', text: 'not base64!' })).code).toBe('PFX_NOT_BASE64');
  });
});

describe('its size', () => {
  const tooLarge = (size: number): object => ({
    code: 'PFX_TOO_LARGE',
    message: `The .pfx has ${size} bytes; at most 1048576 are accepted.`,
    remedy: 'Is this the right file? A .pfx is a few kilobytes.',
  });

  test('1 MiB is taken, from either source', () => {
    const largest = fileOf(MIB);
    expect(bytesOf(written('a.pfx', largest)).length).toBe(MIB);
    expect(decoded({ kind: 'text', text: largest.toString('base64') })).toMatchObject({ bytes: { length: MIB } });
  });

  test('one byte more is refused, from either source', () => {
    const larger = fileOf(MIB + 1);
    expect(refusalOf(written('a.pfx', larger))).toMatchObject(tooLarge(MIB + 1));
    expect(failureOf(() => decoded({ kind: 'text', text: larger.toString('base64') }))).toMatchObject(
      tooLarge(MIB + 1),
    );
  });

  test('a file of text may be 4 MiB long, and not one character longer', () => {
    const text = `\ufeff${small.toString('base64')}`;
    const path = written('utf-16.txt', Buffer.from(text.padEnd(2 * MIB, ' '), 'utf16le'));
    expect(bytesOf(path)).toEqual(small);
    expect(readSource({ kind: 'file', path, password: '' }).content).toHaveLength(4 * MIB);
    writeFileSync(path, Buffer.from(text.padEnd(2 * MIB + 1, ' '), 'utf16le'));
    expect(refusalOf(path)).toMatchObject(tooLarge(4 * MIB + 2));
  });

  test('no file is left open, whether it is read or refused', () => {
    const [fine, larger] = [written('a.pfx', small), written('b.pfx', '')];
    truncateSync(larger, 2 ** 40);
    const openFiles = (): number => readdirSync('/proc/self/fd').length;
    const before = openFiles();
    bytesOf(fine);
    refusalOf(larger);
    expect(openFiles()).toBe(before);
  });

  test('a huge file is refused by its size, without being read', () => {
    const path = written('huge.pfx', '');
    truncateSync(path, 2 ** 40);
    expect(refusalOf(path)).toMatchObject(tooLarge(2 ** 40));
  });
});

describe('a file that cannot be read', () => {
  function expectUnreadable(path: string, why: string, cause: unknown): void {
    const failure = refusalOf(path);
    expect(failure).toMatchObject({
      code: 'PFX_FILE_UNREADABLE',
      message: `The input "pfx-file" names ${JSON.stringify(path)}, which ${why}.`,
      remedy: `Give the path of the .pfx itself, relative to ${process.cwd()} or absolute. A step before this one has to write it.`,
    });
    expect(failure.cause).toEqual(cause);
  }

  test('it does not exist', () => {
    expectUnreadable(join(directory, 'a.pfx'), 'does not exist', expect.objectContaining({ code: 'ENOENT' }));
  });

  test('its name is shown as one line, whatever is in it', () => {
    expect(refusalOf('no "such"\n\\file').message).toContain('"no \\"such\\"\\n\\\\file"');
  });

  test.each([
    [260, JSON.stringify('a'.repeat(260))],
    [261, 'a path of 261 characters'],
  ])('a name of %d letters is shown if it may be one', (length, shown) => {
    const { message } = refusalOf('a'.repeat(length));
    expect(message).toBe(`The input "pfx-file" names ${shown}, which could not be read (ENAMETOOLONG).`);
  });

  test('it is a directory', () => {
    const path = join(directory, 'cert.pfx');
    mkdirSync(path);
    expectUnreadable(path, 'is a directory', undefined);
  });

  test('it is below a file', () => {
    const path = join(written('a.pfx', small), 'b.pfx');
    expectUnreadable(path, 'could not be read (ENOTDIR)', expect.objectContaining({ code: 'ENOTDIR' }));
  });

  test('a FIFO is not waited for, a device not read', () => {
    const fifo = join(directory, 'fifo.pfx');
    execFileSync('mkfifo', [fifo]);
    expectUnreadable(fifo, 'is not a regular file', undefined);
    expectUnreadable('/dev/zero', 'is not a regular file', undefined);
  });

  test('a symbolic link to a file is fine, to a device not', () => {
    const link = join(directory, 'link.pfx');
    symlinkSync(written('a.pfx', small), link);
    expect(bytesOf(link)).toEqual(small);
    const device = join(directory, 'device.pfx');
    symlinkSync('/dev/zero', device);
    expectUnreadable(device, 'is not a regular file', undefined);
  });

  test('a file that says that it is empty is read all the same', () => {
    expect(refusalOf('/proc/self/status').code).toBe('PFX_NOT_PKCS12');
  });

  test('the step has no right to read it', () => {
    const path = written('a.pfx', small);
    chmodSync(directory, 0o755);
    chmodSync(path, 0o000);
    // The rights of a file do not bind root.
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.(65_534);
    try {
      expectUnreadable(path, 'may not be read by this step', expect.objectContaining({ code: 'EACCES' }));
    } finally {
      if (root) process.seteuid?.(0);
    }
  });
});
