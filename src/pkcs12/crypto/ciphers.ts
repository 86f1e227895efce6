/** The ciphers of PKCS#12 files, by the OIDs of RFC 8018's PBES2 and by name. */
import { createDecipheriv } from 'node:crypto';
import { OID } from '../asn1/oids.ts';
import { rc2CbcDecrypt } from './rc2.ts';
import { rc4 } from './rc4.ts';

/** One cipher with its sizes in bytes. */
export interface Cipher {
  readonly name: string;
  readonly keyLength: number;
  readonly ivLength: number;
  /** What has to be taken off the end of the plaintext: up to so many bytes; 0 for a stream. */
  readonly padding: number;
  /** What the plaintext may be, with its padding: several, if the OID does not say which of several modes it is. */
  readonly decrypt: (key: Buffer, iv: Buffer, ciphertext: Buffer) => readonly Buffer[];
}

function nodeCipher(
  name: string,
  keyLength: number,
  ivLength: number,
  padding: number,
  modes: readonly string[],
): Cipher {
  return {
    name,
    keyLength,
    ivLength,
    padding,
    decrypt: (key, iv, ciphertext) => modes.map((mode) => nodeDecrypt(mode, key, iv, ciphertext)),
  };
}

/** By Node's name of the cipher, with its mode; the padding is left on. */
export function nodeDecrypt(algorithm: string, key: Buffer, iv: Buffer, ciphertext: Buffer): Buffer {
  const decipher = createDecipheriv(algorithm, key, iv.length === 0 ? null : iv).setAutoPadding(false);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
}

/** RC2 with so many effective bits (RFC 2268). */
export function rc2(bits: number, keyLength = bits / 8, name = `RC2-${bits}`): Cipher {
  return {
    name,
    keyLength,
    ivLength: 8,
    padding: 8,
    decrypt: (key, iv, ciphertext) => [rc2CbcDecrypt(key, bits, iv, ciphertext)],
  };
}

/** RC4, for PKCS#12's own schemes. */
export function rc4Cipher(bits: number): Cipher {
  return {
    name: `RC4-${bits}`,
    keyLength: bits / 8,
    ivLength: 0,
    padding: 0,
    decrypt: (key, _iv, ciphertext) => [rc4(key, ciphertext)],
  };
}

/** AES-GCM, which BouncyCastle writes, though RFC 8018 does not know it. `tagLength` in bytes. */
export function aesGcm(bits: 128 | 192 | 256, tagLength: number): Cipher {
  return {
    name: `AES-${bits}-GCM`,
    keyLength: bits / 8,
    ivLength: 12,
    padding: 0,
    decrypt: (key, iv, input) => {
      if (input.length < tagLength || iv.length === 0) return [];
      const decipher = createDecipheriv(`aes-${bits}-gcm`, key, iv, { authTagLength: tagLength });
      decipher.setAuthTag(input.subarray(-tagLength));
      const plaintext = decipher.update(input.subarray(0, -tagLength));
      try {
        decipher.final();
        return [plaintext];
      } catch {
        return [];
      }
    },
  };
}

export const TRIPLE_DES = nodeCipher('TripleDES', 24, 8, 8, ['des-ede3-cbc']);

/** OpenSSL keeps single DES in its legacy provider; three times the same key is the same cipher. */
export const DES: Cipher = {
  ...TRIPLE_DES,
  name: 'DES',
  keyLength: 8,
  decrypt: (key, iv, ciphertext) => TRIPLE_DES.decrypt(Buffer.concat([key, key, key]), iv, ciphertext),
};

/** The third key is the first one again. */
export const TWO_KEY_TRIPLE_DES: Cipher = {
  ...TRIPLE_DES,
  name: 'TripleDES-2KEY',
  keyLength: 16,
  decrypt: (key, iv, ciphertext) => TRIPLE_DES.decrypt(Buffer.concat([key, key.subarray(0, 8)]), iv, ciphertext),
};

/** One cipher of 128-bit blocks in the modes that have an OID. */
function modesOf(name: string, node: string, bits: number, oids: Readonly<Record<string, string>>): [string, Cipher][] {
  return Object.entries(oids).map(([mode, oid]) => {
    // OpenSSL writes the OID of CFB for its forms with shifts of 8 bits and 1 bit, too.
    const modes = mode === 'cfb' ? ['cfb', 'cfb8', 'cfb1'].map((form) => `${node}-${form}`) : [`${node}-${mode}`];
    const [ivLength, padding] = [mode === 'ecb' ? 0 : 16, mode === 'ecb' || mode === 'cbc' ? 16 : 0];
    const shown = mode === 'cbc' ? name : `${name}-${mode.toUpperCase()}`;
    return [oid, nodeCipher(shown, bits / 8, ivLength, padding, modes)];
  });
}

/** Ciphers of PBES2 whose only parameter is the IV. */
export const PBES2_CIPHERS: Readonly<Record<string, Cipher>> = {
  [OID.desEDE3CBC]: TRIPLE_DES,
  [OID.desCBC]: DES,
  ...Object.fromEntries(
    ([128, 192, 256] as const).flatMap((bits) => [
      ...modesOf(`AES-${bits}`, `aes-${bits}`, bits, {
        cbc: OID[`aes${bits}CBC`],
        ecb: OID[`aes${bits}ECB`],
        cfb: OID[`aes${bits}CFB`],
        ofb: OID[`aes${bits}OFB`],
      }),
      ...modesOf(`Camellia-${bits}`, `camellia-${bits}`, bits, {
        cbc: OID[`camellia${bits}CBC`],
        ecb: OID[`camellia${bits}ECB`],
        cfb: OID[`camellia${bits}CFB`],
        ofb: OID[`camellia${bits}OFB`],
        ctr: OID[`camellia${bits}CTR`],
      }),
      ...modesOf(`ARIA-${bits}`, `aria-${bits}`, bits, {
        cbc: OID[`aria${bits}CBC`],
        ecb: OID[`aria${bits}ECB`],
        cfb: OID[`aria${bits}CFB`],
        ofb: OID[`aria${bits}OFB`],
        ctr: OID[`aria${bits}CTR`],
      }),
    ]),
  ),
  [OID.sm4CFB]: nodeCipher('SM4-CFB', 16, 16, 0, ['sm4-cfb']),
  ...Object.fromEntries(
    modesOf('SM4', 'sm4', 128, { cbc: OID.sm4CBC, ecb: OID.sm4ECB, ofb: OID.sm4OFB, ctr: OID.sm4CTR }),
  ),
};

/** AES-GCM's key sizes in bits. */
export const GCM_CIPHERS: Readonly<Record<string, 128 | 192 | 256>> = {
  [OID.aes128GCM]: 128,
  [OID.aes192GCM]: 192,
  [OID.aes256GCM]: 256,
};
