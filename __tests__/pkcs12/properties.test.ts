import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { clientCertificate } from '../../emulator/certificates.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import { Failure } from '../../src/failure.ts';
import { openPkcs12 } from '../../src/pkcs12/open.ts';
import { decode } from '../../src/certificate/decode.ts';
import { writePkcs12 } from '../../src/pkcs12/write.ts';
import { anyCharacter } from '../any-character.ts';
import { certificateIn, FIXTURES, openFixture, PASSWORD, readFixture } from './fixtures.ts';

// Fixed, so that a run that fails can be run again.
const RUNS = { seed: 7292, numRuns: 150 };
const KNOWN = new Set(FIXTURES.map(({ thumbprint }) => thumbprint));
const FILES = ['openssl-3des-chain.pfx', 'openssl-default.pfx', 'openssl-legacy.pfx'].map(readFixture);
const anyFile = fc.constantFrom(...FILES);

/** Opens, or fails with a failure that is explained; nothing else, and never with a certificate that nobody put in. */
function holds(bytes: Uint8Array, password = PASSWORD): void {
  try {
    expect(KNOWN).toContain(certificateIn(bytes, password).thumbprint);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    expect(error.code).toMatch(/^PFX_/);
  }
}

/** Succeeds, or fails with a failure that is explained. */
function explained(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

function edited(bytes: Buffer, kind: string, at: number, byte: number, length: number): Buffer {
  const start = at % bytes.length;
  const [before, piece] = [bytes.subarray(0, start), bytes.subarray(start, start + length)];
  const after = bytes.subarray(start + length);
  switch (kind) {
    case 'flip':
      return Buffer.concat([before, piece.map((was) => was ^ byte), after]);
    case 'insert':
      return Buffer.concat([before, Buffer.alloc(length, byte), piece, after]);
    case 'remove':
      return Buffer.concat([before, after]);
    default:
      return Buffer.concat([before, piece, piece, after]);
  }
}

describe('a file that is', () => {
  test('changed in places never opens with another certificate', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(anyFile, changes, (file, at) => {
        const changed = Buffer.from(file);
        for (const [position, mask] of at) changed[position % file.length] = (file[position % file.length] ?? 0) ^ mask;
        holds(changed);
      }),
      RUNS,
    );
  });

  test('changed, and has no MAC that would tell, opens or fails with an explanation', () => {
    const file = readFixture('openssl-no-mac.pfx');
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (position, mask) => {
        const changed = Buffer.from(file);
        changed[position] = (file[position] ?? 0) ^ mask;
        explained(() => openPkcs12(changed, PASSWORD));
      }),
      RUNS,
    );
  });

  test('changed 10,000 times over, with one round of key derivation, never opens with another certificate', async () => {
    // One round, so that each try costs next to nothing.
    const certificate = await clientCertificate();
    const file = pfxOf(certificate, PASSWORD, '3des', 1);
    KNOWN.add(certificate.thumbprint);
    const kinds = fc.constantFrom('flip', 'insert', 'remove', 'repeat');
    const edits = fc.array(fc.tuple(kinds, fc.nat(), fc.nat(255), fc.integer({ min: 1, max: 8 })), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(edits, (changes) => {
        holds(changes.reduce((bytes, [kind, at, byte, length]) => edited(bytes, kind, at, byte, length), file));
      }),
      { ...RUNS, numRuns: 10_000 },
    );
  }, 60_000);

  test('cut anywhere does not open', () => {
    fc.assert(
      fc.property(anyFile, fc.nat(), (file, length) => {
        expect(() => openPkcs12(file.subarray(0, length % file.length), PASSWORD)).toThrow(Failure);
      }),
      RUNS,
    );
  });

  test('spliced from two never opens with a certificate of neither', () => {
    fc.assert(
      fc.property(anyFile, anyFile, fc.nat(), fc.nat(), (one, other, end, start) => {
        holds(Buffer.concat([one.subarray(0, end % one.length), other.subarray(start % other.length)]));
      }),
      RUNS,
    );
  });

  test('made up fails with an explanation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        holds(bytes);
        holds(Buffer.concat([Buffer.of(0x30, 0x80, 0x02, 0x01, 0x03), bytes]));
      }),
      RUNS,
    );
  });
});

test('any text and any bytes are decoded or explained', () => {
  fc.assert(
    fc.property(fc.string({ unit: anyCharacter, maxLength: 300 }), (text) => {
      explained(() => decode(text));
    }),
    RUNS,
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      explained(() => decode(bytes));
    }),
    RUNS,
  );
});

test('what is written with any password opens with it, and with no other', () => {
  const certificate = openFixture('openssl-ec.pfx');
  const password = fc.string({ unit: 'grapheme', maxLength: 40 });
  fc.assert(
    fc.property(password, password, (one, other) => {
      const written = writePkcs12(certificate, one);
      expect(certificateIn(written, one).thumbprint).toBe(certificate.thumbprint);
      fc.pre(one.normalize() !== other.normalize());
      expect(() => openPkcs12(written, other)).toThrow(Failure);
    }),
    { ...RUNS, numRuns: 30 },
  );
});
