/** Whether a private key is whole. Public numbers alone show which certificate it belongs to, not that it works. */
import { createPublicKey, sign, verify, type JsonWebKey, type KeyObject } from 'node:crypto';
import { integer, parseWhole, sequence } from '../pkcs12/asn1/ber.ts';

/**
 * Whether the numbers of the key fit together: a key that was damaged without a MAC that would tell, or copied by hand,
 * may still look like one. OpenSSL does not check that when it reads a key.
 */
export function isSound(privateKey: KeyObject): boolean {
  return privateKey.asymmetricKeyType === 'rsa' ? rsaFits(privateKey.export({ format: 'jwk' })) : signs(privateKey);
}

/** Whether an RSA key has more than two primes (RFC 8017, appendix A.1.2): version 1, which many readers do not know. */
export function isMultiPrime(privateKey: KeyObject): boolean {
  if (privateKey.asymmetricKeyType !== 'rsa') return false;
  const [version] = sequence(parseWhole(privateKey.export({ type: 'pkcs1', format: 'der' })), 'the RSA key');
  return integer(version, 'the version of the RSA key') !== 0;
}

/** RFC 8017, section 3.2, for two primes. */
function rsaFits(jwk: JsonWebKey): boolean {
  const [n, e, d, p, q, dp, dq, qi] = (['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const).map((name) =>
    BigInt(`0x0${Buffer.from(jwk[name] as string, 'base64url').toString('hex')}`),
  ) as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
  return (
    p > 1n &&
    q > 1n &&
    p * q === n &&
    (e * d) % (p - 1n) === 1n &&
    (e * d) % (q - 1n) === 1n &&
    d % (p - 1n) === dp &&
    d % (q - 1n) === dq &&
    (qi * q) % p === 1n
  );
}

function signs(privateKey: KeyObject): boolean {
  const data = Buffer.from('api-connector');
  const hash = ['ec', 'dsa', 'rsa-pss'].includes(privateKey.asymmetricKeyType ?? '') ? 'sha256' : null;
  let signature: Buffer;
  try {
    signature = sign(hash, data, privateKey);
  } catch {
    // A type of key that signs nothing, or not with this hash.
    return true;
  }
  return verify(hash, data, createPublicKey(privateKey), signature);
}
