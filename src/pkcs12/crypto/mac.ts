/** The MAC over a PKCS#12 file: HMAC with PKCS#12's derivation (RFC 7292, appendix A), or PBMAC1 (RFC 9579). */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { integer, malformed, octetString, sequence, type Element } from '../asn1/ber.ts';
import { OID } from '../asn1/oids.ts';
import { algorithmIdentifier, digestAlgorithm, hmacAlgorithm, pkcs5Kdf } from './algorithms.ts';
import { pkcs12Kdf, PURPOSE, type Derivation, type Hash } from './kdf.ts';
import type { PasswordUse } from './password.ts';

/** A MAC with its parameters. */
export interface Mac {
  /** `HMAC-SHA1`, `PBMAC1-SHA256`. */
  readonly name: string;
  readonly use: PasswordUse;
  /** What one verification costs, in rounds of derivation. */
  readonly cost: number;
  /** Whether the MAC over `data` is the one in the file. */
  readonly verify: (data: Buffer, password: Uint8Array) => boolean;
}

/** RFC 9579, section 5: a shorter key can be found by trying. */
const PBMAC1_KEY_LENGTH = { least: 20, most: 64 };

/**
 * Reads MacData ::= SEQUENCE { mac DigestInfo, macSalt OCTET STRING, iterations INTEGER DEFAULT 1 }.
 * @throws Failure PFX_UNSUPPORTED, PFX_INVALID, PFX_TOO_MANY_ITERATIONS
 */
export function readMac(element: Element): Mac {
  const [digestInfo, saltElement, iterationsElement] = sequence(element, 'the MAC');
  const [algorithmElement, digestElement] = sequence(digestInfo, 'the digest of the MAC');
  const algorithm = algorithmIdentifier(algorithmElement, 'the algorithm of the MAC');
  const expected = octetString(digestElement, 'the digest of the MAC');
  if (algorithm.oid === OID.pbmac1) return pbmac1(algorithm.parameters, expected);

  const hash = digestAlgorithm(algorithm);
  const salt = octetString(saltElement, 'the salt of the MAC');
  const iterations = iterationsElement === undefined ? 1 : integer(iterationsElement, 'the iteration count of the MAC');
  return macOf('HMAC', 'pkcs12', hash, pkcs12Kdf(hash, salt, iterations, PURPOSE.mac, hash.length), expected);
}

/** PBMAC1-params ::= SEQUENCE { keyDerivationFunc, messageAuthScheme }; the salt and count next to it are not used. */
function pbmac1(parameters: Element | undefined, expected: Buffer): Mac {
  const [kdfElement, schemeElement] = sequence(parameters, 'the parameters of PBMAC1');
  const kdf = pkcs5Kdf(algorithmIdentifier(kdfElement, 'the key derivation of PBMAC1'));
  const hash = hmacAlgorithm(algorithmIdentifier(schemeElement, 'the message authentication of PBMAC1'));
  const { keyLength } = kdf;
  if (keyLength === undefined || keyLength < PBMAC1_KEY_LENGTH.least || keyLength > PBMAC1_KEY_LENGTH.most) {
    throw malformed(`the key of PBMAC1 has ${keyLength ?? 'no stated number of'} bytes; RFC 9579 wants 20 to 64`);
  }
  return macOf('PBMAC1', 'pkcs5', hash, kdf.derivation(keyLength), expected);
}

function macOf(kind: string, use: PasswordUse, hash: Hash, { cost, derive }: Derivation, expected: Buffer): Mac {
  return {
    name: `${kind}-${hash.name.toUpperCase()}`,
    use,
    cost,
    verify: (data, password) => {
      const actual = createHmac(hash.name, derive(password)).update(data).digest();
      return actual.length === expected.length && timingSafeEqual(actual, expected);
    },
  };
}
