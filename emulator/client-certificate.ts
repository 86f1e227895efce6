/**
 * How the service judges a .pfx. Written for the emulator alone and shared with nothing in src/, so that a mistake there
 * is not repeated here: OpenSSL, by way of node:tls, opens the file, and its own structure says how it is encrypted.
 *
 * Documented: only TripleDES-SHA1 is accepted, an AES file is refused as if its password were wrong, and the codes.
 * Assumed: that other algorithms (RC2, no encryption, a SHA-2 MAC) are refused in the same way; that more rounds and more
 * certificates than .NET's loader accepts, by its source, are refused as badly formatted. Windows' importer is seen to lose
 * the key, or to refuse, if a second certificate has the same key.
 * Stricter than the service is known to be, so that a test notices what the action should not send: a second key, a
 * certificate twice, and one that is no issuer of the leaf.
 */
import { Constructed, fromBER, Integer, ObjectIdentifier, OctetString, Primitive, type BaseBlock } from 'asn1js';
import { createDecipheriv, hash, X509Certificate } from 'node:crypto';
import { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';

const TRIPLE_DES_SHA1 = '1.2.840.113549.1.12.1.3';
const SHA1 = '1.3.14.3.2.26';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3';

/** Of .NET's loader: certificates in a file, rounds of one derivation, and rounds in all. */
const LIMITS = { certificates: 200, rounds: 300_000, allRounds: 1_000_000 } as const;

/** How the MAC or a part of the file is protected. */
interface Protection {
  /** 'none' if it is not. */
  readonly algorithm: string;
  readonly rounds: number;
}

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
  const protections = protectionsOf(file);
  if (protections.some(({ algorithm }) => algorithm !== TRIPLE_DES_SHA1 && algorithm !== SHA1)) {
    throw passwordIncorrect();
  }
  const rounds = protections.map((protection) => protection.rounds);
  if (Math.max(...rounds) > LIMITS.rounds || rounds.reduce((sum, count) => sum + count, 0) > LIMITS.allRounds) {
    throw badlyFormatted();
  }
  const certificate = open(file, password);
  const contents = contentsOf(file, password);
  if (contents.keys !== 1 || !isLeafWithIssuers(certificate, contents.certificates)) throw badlyFormatted();
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
 * Of the MAC and of each bag.
 * @see RFC 7292, section 4 and appendix A: the numbers are positions in its sequences
 */
function protectionsOf(file: Uint8Array): Protection[] {
  const none = { algorithm: 'none', rounds: 0 };
  const pbe = (node: BaseBlock): Protection => ({ algorithm: oid(at(node, 0)), rounds: roundsIn(at(node, 1)) });
  try {
    const pfx = decode(file);
    const safe = decode(octets(at(pfx, 1, 1, 0)));
    return [
      children(pfx).length > 2 ? { algorithm: oid(at(pfx, 2, 0, 0, 0)), rounds: roundsIn(at(pfx, 2)) } : none,
      ...children(safe).flatMap((content) => {
        if (oid(at(content, 0)) === ENCRYPTED_DATA) return pbe(at(content, 1, 0, 1, 1));
        const bags = children(decode(octets(at(content, 1, 0))));
        return bags.map((bag) => (oid(at(bag, 0)) === SHROUDED_KEY_BAG ? pbe(at(bag, 1, 0, 0)) : none));
      }),
    ];
  } catch {
    throw badlyFormatted();
  }
}

/** The count that ends the parameters of a derivation; 1 if there is none. Other algorithms have it elsewhere. */
function roundsIn(node: BaseBlock): number {
  const last = node instanceof Constructed ? children(node).at(-1) : undefined;
  return last instanceof Integer ? Number(last.toBigInt()) : 1;
}

/** All certificates in the file, in any part, and how many keys. Its password has been found right. */
function contentsOf(file: Uint8Array, password: string): { certificates: X509Certificate[]; keys: number } {
  try {
    const bags = children(decode(octets(at(decode(file), 1, 1, 0)))).flatMap((content) =>
      oid(at(content, 0)) === ENCRYPTED_DATA
        ? children(decrypt(at(content, 1, 0, 1), password))
        : children(decode(octets(at(content, 1, 0)))),
    );
    const ofType = (type: string): BaseBlock[] => bags.filter((bag) => oid(at(bag, 0)) === type);
    const ders = ofType(CERTIFICATE_BAG).map((bag) => octets(at(bag, 1, 0, 1, 0)));
    return {
      certificates: ders.map((der) => new X509Certificate(Buffer.from(new Uint8Array(der)))),
      keys: ofType(SHROUDED_KEY_BAG).length,
    };
  } catch {
    throw badlyFormatted();
  }
}

/** What an EncryptedContentInfo holds, with the only algorithm that is accepted. */
function decrypt(encrypted: BaseBlock, password: string): BaseBlock {
  const ciphertext = at(encrypted, 2);
  const bytes =
    ciphertext instanceof Primitive ? ciphertext.valueBlock.valueHexView : new Uint8Array(octets(at(ciphertext, 0)));
  const parameters = at(encrypted, 1, 1);
  const [salt, rounds] = [Buffer.from(octets(at(parameters, 0))), roundsIn(parameters)];
  const [key, iv] = [derive(password, salt, rounds, 1, 24), derive(password, salt, rounds, 2, 8)];
  const decipher = createDecipheriv('des-ede3-cbc', key, iv);
  return decode(Buffer.concat([decipher.update(bytes), decipher.final()]));
}

/** RFC 7292, appendix B.2, with SHA-1. `id` is 1 for a key and 2 for an IV; `length` in bytes. */
function derive(password: string, salt: Buffer, rounds: number, id: number, length: number): Buffer {
  const wholeBlocks = (bytes: Buffer): Buffer => Buffer.alloc(Math.ceil(bytes.length / 64) * 64, bytes);
  const numberIn = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);
  const input = Buffer.concat([wholeBlocks(salt), wholeBlocks(Buffer.from(`${password}\0`, 'utf16le').swap16())]);
  const digests: Buffer[] = [];
  while (digests.length * 20 < length) {
    let digest = hash('sha1', Buffer.concat([Buffer.alloc(64, id), input]), 'buffer');
    for (let round = 1; round < rounds; round++) digest = hash('sha1', digest, 'buffer');
    digests.push(digest);
    const step = numberIn(Buffer.alloc(64, digest)) + 1n;
    for (let start = 0; start < input.length; start += 64) {
      const sum = BigInt.asUintN(512, numberIn(input.subarray(start, start + 64)) + step);
      input.write(sum.toString(16).padStart(128, '0'), start, 'hex');
    }
  }
  return Buffer.concat(digests).subarray(0, length);
}

/** Whether these are the leaf, once, and nothing but its issuers, each once. */
function isLeafWithIssuers(leaf: X509Certificate, certificates: readonly X509Certificate[]): boolean {
  if (certificates.length > LIMITS.certificates) return false;
  const issued = [leaf];
  let rest = certificates.filter(({ fingerprint256 }) => fingerprint256 !== leaf.fingerprint256);
  if (rest.length !== certificates.length - 1) return false;
  if (new Set(rest.map(({ fingerprint256 }) => fingerprint256)).size < rest.length) return false;
  for (const certificate of issued) {
    const isIssuer = (other: X509Certificate): boolean =>
      certificate.checkIssued(other) && certificate.verify(other.publicKey) && !other.publicKey.equals(leaf.publicKey);
    issued.push(...rest.filter(isIssuer));
    rest = rest.filter((other) => !issued.includes(other));
  }
  return rest.length === 0;
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
