/** RC4, for files of the 1990s: Node's OpenSSL has it in the legacy provider only, which an action cannot load. */

/** Decrypts (RC4 is its own inverse). */
export function rc4(key: Uint8Array, input: Uint8Array): Buffer {
  const state = Uint8Array.from({ length: 256 }, (_, i) => i);
  const get = (i: number): number => state[i & 0xff] ?? 0;
  const swap = (i: number, j: number): void => {
    const kept = get(i);
    state[i] = get(j);
    state[j] = kept;
  };
  for (let i = 0, j = 0; i < 256; i++) {
    j = (j + get(i) + (key[i % key.length] ?? 0)) & 0xff;
    swap(i, j);
  }
  const output = Buffer.alloc(input.length);
  let i = 0;
  let j = 0;
  for (const [n, byte] of input.entries()) {
    i = (i + 1) & 0xff;
    j = (j + get(i)) & 0xff;
    swap(i, j);
    output[n] = byte ^ get(get(i) + get(j));
  }
  return output;
}
