/**
 * RC2 in CBC mode (RFC 2268), decryption only. Windows and old OpenSSL encrypt the certificates of a .pfx with its
 * 40-bit form, and Node's OpenSSL has it in the legacy provider only, which an action cannot load.
 */

/** RFC 2268, section 2: the table from the digits of π, in rows of 16. */
const PI_TABLE = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2179a59f587b34f1361456d8d09817d32' +
    'bd8f40eb86b77b0bf09521225c6b4e8254d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626' +
    '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed708e8eade8052eef784aa72ac354d6a2a' +
    '961ad2715a1549744b9fd05e0418a4ecc2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a90d38341bab33ffb0bb480c5fb9b1cd2e' +
    'c5f3db47e5a59c770aa62068fe7fc1ad',
  'hex',
);

/**
 * Decrypts and leaves the padding in place.
 * @param effectiveBits the effective key length (RFC 2268, section 2), 1 to 1024
 */
export function rc2CbcDecrypt(key: Uint8Array, effectiveBits: number, iv: Uint8Array, input: Uint8Array): Buffer {
  const k = expandKey(key, effectiveBits);
  const output = Buffer.from(input);
  for (let offset = 0; offset + 8 <= output.length; offset += 8) decryptBlock(k, output, offset);
  // CBC: each block is XORed with the ciphertext before it, the first one with the IV.
  for (const [i, byte] of output.entries()) output[i] = byte ^ ((i < 8 ? iv[i] : input[i - 8]) ?? 0);
  return output;
}

/** RFC 2268, section 2: 64 words of 16 bits. */
function expandKey(key: Uint8Array, effectiveBits: number): Uint16Array {
  const pi = (i: number): number => PI_TABLE[i & 0xff] ?? 0;
  const bytes = Buffer.alloc(128);
  bytes.set(key.subarray(0, 128));
  const get = (i: number): number => bytes[i] ?? 0;
  for (let i = key.length; i < 128; i++) bytes[i] = pi(get(i - 1) + get(i - key.length));
  const effectiveBytes = Math.ceil(effectiveBits / 8);
  const mask = 0xff >> (8 * effectiveBytes - effectiveBits);
  bytes[128 - effectiveBytes] = pi(get(128 - effectiveBytes) & mask);
  for (let i = 127 - effectiveBytes; i >= 0; i--) bytes[i] = pi(get(i + 1) ^ get(i + effectiveBytes));
  return Uint16Array.from({ length: 64 }, (_, i) => bytes.readUInt16LE(2 * i));
}

/** RFC 2268, section 4: sixteen r-mixing rounds with an r-mashing round after the fifth and the eleventh. */
function decryptBlock(k: Uint16Array, block: Buffer, offset: number): void {
  let r0 = block.readUInt16LE(offset);
  let r1 = block.readUInt16LE(offset + 2);
  let r2 = block.readUInt16LE(offset + 4);
  let r3 = block.readUInt16LE(offset + 6);
  const key = (i: number): number => k[i & 63] ?? 0;
  for (let round = 15; round >= 0; round--) {
    const j = 4 * round;
    r3 = (rotateRight(r3, 5) - key(j + 3) - (r2 & r1) - (~r2 & r0)) & 0xffff;
    r2 = (rotateRight(r2, 3) - key(j + 2) - (r1 & r0) - (~r1 & r3)) & 0xffff;
    r1 = (rotateRight(r1, 2) - key(j + 1) - (r0 & r3) - (~r0 & r2)) & 0xffff;
    r0 = (rotateRight(r0, 1) - key(j) - (r3 & r2) - (~r3 & r1)) & 0xffff;
    if (round === 11 || round === 5) {
      r3 = (r3 - key(r2)) & 0xffff;
      r2 = (r2 - key(r1)) & 0xffff;
      r1 = (r1 - key(r0)) & 0xffff;
      r0 = (r0 - key(r3)) & 0xffff;
    }
  }
  block.writeUInt16LE(r0, offset);
  block.writeUInt16LE(r1, offset + 2);
  block.writeUInt16LE(r2, offset + 4);
  block.writeUInt16LE(r3, offset + 6);
}

function rotateRight(word: number, bits: number): number {
  return ((word >>> bits) | (word << (16 - bits))) & 0xffff;
}
