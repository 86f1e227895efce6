/**
 * How the service judges a .pfx. Written for the emulator alone and shared with nothing in src/, so that a mistake there
 * is not repeated here: OpenSSL, by way of node:tls, opens the file, and its own structure says how it is encrypted.
 *
 * Documented: only TripleDES-SHA1 is accepted, an AES file is refused as if its password were wrong, and the codes.
 * Assumed: that other algorithms (RC2, no encryption, a SHA-2 MAC) are refused in the same way.
 */
import { Constructed, fromBER, ObjectIdentifier, OctetString, type BaseBlock } from 'asn1js';
import type { X509Certificate } from 'node:crypto';
import { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';

const TRIPLE_DES_SHA1 = '1.2.840.113549.1.12.1.3';
const SHA1 = '1.3.14.3.2.26';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';

/** What Graph shows of a certificate, and the order in which it came. Dates in seconds since 1970. */
export interface CertificateEntry {
  /** SHA-1 in upper-case hex. */
  readonly thumbprint: string;
  /** SHA-256 in upper-case hex; an entry that a test makes up has none. */
  readonly sha256?: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

export class CertificateRefused extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The certificate in the file, if the service would take it.
 * @throws CertificateRefused AADB2C90213, AADB2C90214 or AADB2C90215
 */
export function acceptPfx(base64: string, password: string, now: Date): CertificateEntry {
  const file = Buffer.from(base64, 'base64');
  if (file.length === 0 || file.toString('base64') !== base64) throw badlyFormatted();
  if (algorithmsOf(file).some((oid) => oid !== TRIPLE_DES_SHA1 && oid !== SHA1)) throw passwordIncorrect();
  const certificate = open(file, password);
  const [notBefore, notAfter] = [certificate.validFromDate, certificate.validToDate].map((date) =>
    Math.floor(date.getTime() / 1000),
  ) as [number, number];
  if (notAfter * 1000 <= now.getTime()) {
    throw new CertificateRefused('AADB2C90214', 'The certificate provided in the request has expired.');
  }
  return {
    thumbprint: certificate.fingerprint.replaceAll(':', ''),
    sha256: certificate.fingerprint256.replaceAll(':', ''),
    notBefore,
    notAfter,
  };
}

/**
 * The algorithms of the MAC and of each bag; 'none' for what is not protected.
 * @see RFC 7292, section 4 and appendix A: the numbers are positions in its sequences
 */
function algorithmsOf(file: Uint8Array): string[] {
  try {
    const pfx = decode(file);
    const safe = decode(octets(at(pfx, 1, 1, 0)));
    return [
      children(pfx).length > 2 ? oid(at(pfx, 2, 0, 0, 0)) : 'none',
      ...children(safe).flatMap((content) => {
        if (oid(at(content, 0)) === ENCRYPTED_DATA) return oid(at(content, 1, 0, 1, 1, 0));
        const bags = children(decode(octets(at(content, 1, 0))));
        return bags.map((bag) => (oid(at(bag, 0)) === SHROUDED_KEY_BAG ? oid(at(bag, 1, 0, 0, 0)) : 'none'));
      }),
    ];
  } catch {
    throw badlyFormatted();
  }
}

function decode(der: ArrayBuffer | Uint8Array): BaseBlock {
  const { offset, result } = fromBER(der);
  if (offset === -1) throw new TypeError(result.error);
  return result;
}

function at(node: BaseBlock, ...path: readonly number[]): BaseBlock {
  return path.reduce((parent, index) => {
    const child = children(parent)[index];
    if (!child) throw new TypeError('A part of the file is missing.');
    return child;
  }, node);
}

function children(node: BaseBlock): readonly BaseBlock[] {
  if (!(node instanceof Constructed)) throw new TypeError('Not a sequence.');
  return node.valueBlock.value;
}

function octets(node: BaseBlock): ArrayBuffer {
  if (!(node instanceof OctetString)) throw new TypeError('Not an octet string.');
  return node.getValue();
}

function oid(node: BaseBlock): string {
  if (!(node instanceof ObjectIdentifier)) throw new TypeError('Not an object identifier.');
  return node.getValue();
}

function open(file: Buffer, password: string): X509Certificate {
  try {
    // Small keys and SHA-1 are not documented to be refused; OpenSSL's own level would.
    const secureContext = createSecureContext({ pfx: file, passphrase: password, ciphers: 'DEFAULT@SECLEVEL=0' });
    // A socket that never connects: it tells which certificate a server with this file would present.
    const socket = new TLSSocket(new Socket(), { isServer: true, secureContext });
    const certificate = socket.getX509Certificate();
    socket.destroy();
    if (certificate) return certificate;
  } catch (error) {
    if (/mac verify failure|bad decrypt/i.test(String(error))) throw passwordIncorrect();
  }
  throw badlyFormatted();
}

function passwordIncorrect(): CertificateRefused {
  return new CertificateRefused('AADB2C90213', 'The certificate password provided in request is incorrect.');
}

function badlyFormatted(): CertificateRefused {
  return new CertificateRefused('AADB2C90215', 'The key provided in the request is badly formatted.');
}
