/** A private key in PKCS#8 (RFC 5958), as a key that Node works with. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { malformed, sequence, type Element } from './asn1/ber.ts';
import { OID } from './asn1/oids.ts';
import { algorithmIdentifier, unsupported } from './crypto/algorithms.ts';

/**
 * Reads PrivateKeyInfo ::= SEQUENCE { version, privateKeyAlgorithm, privateKey, … }.
 * @throws Failure PFX_UNSUPPORTED for a type of key that Node does not know, PFX_INVALID for a broken key
 */
export function readPrivateKey(pkcs8: Element): KeyObject {
  const [, algorithm] = sequence(pkcs8, 'the private key');
  const { oid } = algorithmIdentifier(algorithm, 'the private key');
  try {
    return createPrivateKey({ key: pkcs8.encoding, format: 'der', type: 'pkcs8' });
  } catch {
    // OpenSSL's own message might quote the key, so it is not kept as the cause.
    if (!KNOWN_KEY_TYPES.has(oid)) return unsupported('a private key of the type', oid);
    throw malformed('the private key cannot be read');
  }
}

/** A key of one of these types that cannot be read is broken, not unknown. */
const KNOWN_KEY_TYPES: ReadonlySet<string> = new Set([
  OID.rsaEncryption,
  OID.rsassaPss,
  OID.dsa,
  OID.ecPublicKey,
  OID.x25519,
  OID.x448,
  OID.ed25519,
  OID.ed448,
]);
