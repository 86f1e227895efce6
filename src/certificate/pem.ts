/** Certificate, chain and private key as PEM (RFC 7468), in any order, with anything between the blocks. */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { Failure } from '../failure.ts';
import { expectTag, parse, parseWhole, sequence, TAG, type Element } from '../pkcs12/asn1/ber.ts';
import { nothing, octets, oid, sequenceOf, unsigned } from '../pkcs12/asn1/der.ts';
import { OID } from '../pkcs12/asn1/oids.ts';
import { MOST_OF_A_KIND } from '../pkcs12/open.ts';
import { WorkBudget } from '../pkcs12/crypto/kdf.ts';
import { openEncryptedKey, readPrivateKey } from '../pkcs12/private-key.ts';
import { wrongPassword } from '../pkcs12/password-failures.ts';
import { clean } from '../text/clean.ts';
import type { Given } from './choose.ts';
import { decryptKey, type DekInfo } from './dek-info.ts';
import { PKCS7_LABELS, unusableArmour } from './other-formats.ts';

/**
 * What is in PEM text: certificates and private keys; requests, parameters, public keys and unknown blocks are passed
 * over. The time is linear in the length of the text.
 * @param password of an encrypted private key; a key in the clear needs none
 * @throws Failure PFX_IS_PEM and its kin if nothing can be used, PFX_TRUNCATED, PFX_INVALID, PFX_WRONG_PASSWORD,
 *   PFX_DAMAGED, PFX_UNSUPPORTED, PFX_TOO_LARGE
 */
export function openPem(text: string, password: string): Given {
  const blocks = blocksOf(text);
  const certificates = blocks.filter(isCertificate);
  const keys = blocks.filter(isPrivateKey);
  if (keys.length === 0) refuseUnusable(blocks, certificates.filter(({ label }) => !PKCS7_LABELS.has(label)).length);
  const ders = certificates.flatMap((block) => certificatesIn(block).map((der) => ({ der, block })));
  if (Math.max(ders.length, keys.length) > MOST_OF_A_KIND) throw tooMany(keys.length, ders.length);
  const read = ders.map(({ der, block }) => ({ certificate: certificateOf(der), localKeyId: block.localKeyId }));
  const budget = new WorkBudget();
  return {
    container: 'PEM text',
    privateKeys: keys.map((block) => ({ key: keyOf(block, password, blocks, budget), localKeyId: block.localKeyId })),
    certificates: read.flatMap(({ certificate, localKeyId }) => (certificate ? [{ certificate, localKeyId }] : [])),
    unreadableCertificates: read.flatMap(({ certificate }, i) => (certificate ? [] : [i + 1])),
  };
}

/** The lines of base64 in the blocks of private keys: what is secret in PEM text. */
export function privateKeyLines(text: string): readonly string[] {
  const bodies = blocksOf(text).flatMap(({ label, body }) => (label.includes('PRIVATE KEY') ? [body] : []));
  return bodies.flatMap((body) => body.split(/[\r\n]+/)).map((line) => line.trim());
}

interface Block {
  /** `CERTIFICATE`, `RSA PRIVATE KEY`, … @foreign */
  readonly label: string;
  /** What stands between BEGIN and END. @foreign */
  readonly body: string;
  /** In hex, from the Bag Attributes that OpenSSL writes above a block. */
  readonly localKeyId: string | undefined;
}

const CERTIFICATES: ReadonlySet<string> = new Set([
  'CERTIFICATE',
  'X509 CERTIFICATE',
  'TRUSTED CERTIFICATE',
  ...PKCS7_LABELS,
]);
const PRIVATE_KEYS: ReadonlySet<string> = new Set([
  'PRIVATE KEY',
  'ENCRYPTED PRIVATE KEY',
  'RSA PRIVATE KEY',
  'EC PRIVATE KEY',
  'DSA PRIVATE KEY',
]);
const BEGIN = '-----BEGIN ';
const DASHES = '-----';

/**
 * The blocks, in order. A beginning without its end is passed over if it is only spoken of, as in a comment, or is of no
 * kind that is used here. If it is a block, the text is cut off: another certificate in it must not take its place. The same
 * goes for an end without its beginning. Both of them with words in between are passed over if all that is needed is there.
 */
function blocksOf(text: string): readonly Block[] {
  const blocks: Block[] = [];
  let [position, begin] = [0, text.indexOf(BEGIN)];
  let [between, passedOver] = ['', undefined as string | undefined];
  while (begin >= 0) {
    const label = text.slice(begin + BEGIN.length, begin + BEGIN.length + 64).split(DASHES)[0] ?? '';
    const start = begin + BEGIN.length + label.length + DASHES.length;
    const next = text.indexOf(BEGIN, begin + BEGIN.length);
    const inside = text.slice(start, next < 0 ? text.length : next);
    const length = inside.indexOf(`${DASHES}END ${label}${DASHES}`);
    if (length >= 0) {
      const before = text.slice(position, begin);
      blocks.push({ label, body: inside.slice(0, length), localKeyId: localKeyIdIn(before) });
      between += before;
      position = start + length + DASHES.length;
    } else if (isUsed(label) && BODY.test(inside)) throw cutOff(label);
    else passedOver ??= label;
    begin = next;
  }
  const real = blocks.filter(({ label, body }) => !isUsed(label) || BLOCK.test(body));
  const isComplete = real.some(isCertificate) && real.some(isPrivateKey);
  if (passedOver !== undefined && !isComplete) throw cutOff(passedOver);
  if (endsInBegin(text)) throw cutOff(undefined);
  if (hasLonelyEnd(between + text.slice(position))) throw damagedArmour();
  return isComplete ? real : blocks;
}

/** How a block goes on: with base64, the head of an encrypted key, or nothing at all. */
const BODY = /^\s*(?:(?:M[A-Za-z0-9+/]{0,14})?$|Proc-Type:|[A-Za-z0-9+/]{16})/;
/** The same of a whole block, in which anything may be damaged. Words between BEGIN and END are spoken of. */
const BLOCK = new RegExp(`${BODY.source}|^\\s*M[A-Za-z0-9+/=\\s]*$|[A-Za-z0-9+/]{16}`);

/** Whether an end stands behind base64, without its beginning. */
function hasLonelyEnd(text: string): boolean {
  const lines = `\n${text}`;
  for (const { 1: label = '', index } of lines.matchAll(/-----END ([A-Z0-9 ]{1,40})-----/g)) {
    // Two lines and their indentation.
    if (isUsed(label) && LAST_LINES.test(lines.slice(Math.max(0, index - 160), index))) return true;
  }
  return false;
}

/** The last line of base64, or the last two; in a text without line breaks, pieces that are as long as lines. A path is none. */
const LAST_LINES =
  /(?:[\r\n][ \t]*[A-Za-z0-9+/]{16,}={0,2}(?:\s*[\r\n]\s*[A-Za-z0-9+/]{1,63}={0,2})?|[A-Za-z0-9+/]{60}={0,2}(?:\s+[A-Za-z0-9+/]{1,63}={0,2})?)\s*$/;

/** Whether the text ends in the first line of a block that is used here: `-----BEGIN CERT`. */
function endsInBegin(text: string): boolean {
  const last = text.slice(-64).trimEnd();
  const line = last.slice(last.lastIndexOf(BEGIN.slice(0, 6)));
  return (
    line.startsWith(DASHES) &&
    [...CERTIFICATES, ...PRIVATE_KEYS].some((label) => `${BEGIN}${label}${DASHES}`.startsWith(line))
  );
}

function isUsed(label: string): boolean {
  return CERTIFICATES.has(label) || PRIVATE_KEYS.has(label);
}

function isCertificate({ label }: Block): boolean {
  return CERTIFICATES.has(label);
}

function isPrivateKey({ label }: Block): boolean {
  return PRIVATE_KEYS.has(label);
}

function localKeyIdIn(between: string): string | undefined {
  const [, digits] = /localKeyID: ((?:[0-9A-F]{2} ?){1,64})/i.exec(between.slice(-10_000)) ?? [];
  return digits?.replaceAll(' ', '').toLowerCase();
}

function refuseUnusable(blocks: readonly Block[], certificates: number): void {
  const labels = blocks.map(({ label }) => label);
  if (labels.includes('TSS2 PRIVATE KEY')) {
    throw new Failure(
      'PFX_UNSUPPORTED',
      'The private key in the PEM text is held by a TPM, and cannot leave it.',
      'An API connector needs the private key itself. Issue a certificate for a key that can be exported.',
    );
  }
  const other = unusableArmour(labels);
  if (certificates === 0 || other.code !== 'PFX_IS_PEM') throw other;
}

/** What is to be read as certificates in a block: it, or those in a message of PKCS#7, whatever the label says. */
function certificatesIn({ label, body }: Block): readonly Buffer[] {
  const der = base64Of(body, label);
  try {
    // OpenSSL's TRUSTED CERTIFICATE has what it is trusted for after the certificate.
    const first = parse(der);
    const [type, content] = sequence(first, 'the block');
    if (type?.tag === TAG.oid) return ofSignedData(content?.children()[0]);
    return [label === 'TRUSTED CERTIFICATE' ? first.encoding : der];
  } catch {
    return [der];
  }
}

/** SignedData ::= SEQUENCE { version, digestAlgorithms, encapContentInfo, certificates [0] IMPLICIT OPTIONAL, … }. */
function ofSignedData(signedData: Element | undefined): readonly Buffer[] {
  const certificates = sequence(signedData, 'PKCS#7').find(({ tag }) => tag === TAG.context0);
  return (certificates?.children() ?? []).map(({ encoding }) => encoding);
}

function certificateOf(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** By what is in the block: OpenSSL opens a key under the label of another form, too. */
function keyOf({ label, body }: Block, password: string, blocks: readonly Block[], budget: WorkBudget): KeyObject {
  const dekInfo = dekInfoOf(body);
  const der = base64Of(dekInfo?.rest ?? body, label);
  try {
    const key = parseWhole(dekInfo ? decrypted(dekInfo, der, password) : der);
    const [first, second] = sequence(key, 'the private key');
    if (first?.tag === TAG.sequence) return openEncryptedKey(key.encoding, password, budget);
    return readPrivateKey(second?.tag === TAG.sequence ? key : parseWhole(pkcs8Of(key, blocks)));
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // No password may be the empty one, so that was tried.
    throw password === '' && error.code === 'PFX_WRONG_PASSWORD' ? passwordMissing() : ofPem(error);
  }
}

function decrypted(dekInfo: DekInfo, ciphertext: Buffer, password: string): Buffer {
  const result = decryptKey(dekInfo, ciphertext, password);
  if (result === 'unsupported') {
    throw new Failure(
      'PFX_UNSUPPORTED',
      `The private key in the PEM text is encrypted with ${clean(dekInfo.cipher, 40)}, which is not supported.`,
      CONVERT_KEY,
    );
  }
  if (result === 'wrong password')
    throw wrongPassword(password, (other) => decryptKey(dekInfo, ciphertext, other) !== 'wrong password');
  if (result === 'damaged') throw damaged();
  return result.der;
}

/** The older forms of keys as PKCS#8 (RFC 5958): EC (RFC 5915), OpenSSL's own of DSA, and RSA (RFC 8017). */
function pkcs8Of(key: Element, blocks: readonly Block[]): Buffer {
  const pkcs8 = (type: string, parameters: Uint8Array, octetsOfKey: Uint8Array): Buffer =>
    sequenceOf(unsigned(0), sequenceOf(oid(type), parameters), octets(octetsOfKey));
  const fields = key.children();
  if (fields[1]?.tag === TAG.octetString) return pkcs8(OID.ecPublicKey, curveOf(fields, blocks), key.encoding);
  if (fields.length !== 6) return pkcs8(OID.rsaEncryption, nothing(), key.encoding);
  const [, p, q, g, , x] = fields.map((field) => expectTag(field, TAG.integer, 'a number of the DSA key').encoding);
  if (!p || !q || !g || !x) throw damaged();
  return pkcs8(OID.dsa, sequenceOf(p, q, g), x);
}

/** The parameters of an EC key: in it, or in the block that OpenSSL writes beside it. */
function curveOf(fields: readonly Element[], blocks: readonly Block[]): Buffer {
  const [inside] = fields.find(({ tag }) => tag === TAG.context0)?.children() ?? [];
  if (inside) return inside.encoding;
  const parameters = blocks.find(({ label }) => label === 'EC PARAMETERS');
  if (!parameters) throw noCurve();
  return base64Of(parameters.body, parameters.label);
}

/** `Proc-Type: 4,ENCRYPTED` and `DEK-Info: AES-256-CBC,0123…`, on lines of their own or folded into one. */
function dekInfoOf(body: string): (DekInfo & { readonly rest: string }) | undefined {
  const head = body.slice(0, 1024);
  const match = /^\s*Proc-Type:\s*4\s*,\s*ENCRYPTED\s+DEK-Info:\s*([A-Za-z0-9-]+)\s*,\s*([0-9A-Fa-f]+)\s/.exec(head);
  const [all, cipher, iv] = match ?? [];
  if (all === undefined || cipher === undefined || iv === undefined) return undefined;
  return { cipher: cipher.toUpperCase(), iv: Buffer.from(iv, 'hex'), rest: body.slice(all.length) };
}

/** The bytes in base64 with blanks and line breaks, or undefined if it is none. */
function bytesIn(base64: string): Buffer | undefined {
  const digits = base64.replace(/\s/g, '');
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(digits) && digits.replace(/=/g, '').length % 4 !== 1;
  return isBase64 ? Buffer.from(digits, 'base64') : undefined;
}

function base64Of(body: string, label: string): Buffer {
  const bytes = bytesIn(body);
  if (bytes) return bytes;
  // A comment has other characters, too.
  const hint = /^[\w+/=\s]*$/.test(body) && /\S \S/.test(body) ? '; blanks in it may have been plus signs (+)' : '';
  throw new Failure(
    'PFX_INVALID',
    `The PEM text is malformed: what stands between BEGIN ${clean(label, 64)} and its END is not base64${hint}.`,
    COPY_AGAIN,
  );
}

/** The text with plus signs for the blanks in a block, if what is in it is whole DER with them and not without. */
export function withLostPlusSigns(text: string): string {
  return text.replace(/(?<=-----BEGIN [A-Z0-9 ]{1,40}-----)[A-Za-z0-9+/=\s]+(?=-----END )/g, (body) => {
    if (!/\S \S/.test(body) || isWhole(bytesIn(body))) return body;
    const repaired = withoutLineBreaks(body).replaceAll(' ', '+');
    return isWhole(bytesIn(repaired)) ? repaired : body;
  });
}

/** Without line breaks and indentation, or without the blanks that took the place of line breaks: each after 64 characters. */
function withoutLineBreaks(body: string): string {
  if (!/[\r\n]/.test(body)) return body.slice(1, -1).replace(/([^]{64}) /g, '$1');
  // The line with END begins with the same blanks.
  const indentation = body.slice(body.lastIndexOf('\n') + 1);
  return body.replaceAll(`\n${indentation}`, '').replaceAll('\r', '');
}

function isWhole(der: Buffer | undefined): boolean {
  try {
    return der !== undefined && parseWhole(der).tag === TAG.sequence;
  } catch {
    return false;
  }
}

const COPY_AGAIN = 'Copy it again, whole: from the line -----BEGIN … to the line -----END … of each block.';
const CONVERT_KEY = 'Convert the key: openssl pkcs8 -topk8 -in key.pem -out new.pem';
const CHECK_KEY = 'Check it on your machine, where the password is asked for: openssl pkey -in key.pem -noout';

/** @param label undefined if the text ends before it does */
function cutOff(label: string | undefined): Failure {
  const what =
    label === undefined
      ? 'it ends in a line -----BEGIN'
      : `-----BEGIN ${clean(label, 64)}----- has no -----END ${clean(label, 64)}----- after it`;
  return new Failure('PFX_TRUNCATED', `The PEM text is cut off: ${what}.`, COPY_AGAIN);
}

/** A line of armour that cannot be repaired. */
export function damagedArmour(): Failure {
  return new Failure(
    'PFX_INVALID',
    'The PEM text is malformed: one of its lines -----BEGIN …----- and -----END …----- is damaged or missing.',
    COPY_AGAIN,
  );
}

function noCurve(): Failure {
  return new Failure(
    'PFX_INVALID',
    'The PEM text is malformed: the private key does not name its curve, and there is no block EC PARAMETERS that does.',
    'Put the block -----BEGIN EC PARAMETERS----- into the text, too: OpenSSL writes it above the key.',
  );
}

function damaged(): Failure {
  return new Failure('PFX_DAMAGED', 'The private key in the PEM text is damaged.', COPY_AGAIN);
}

function passwordMissing(): Failure {
  return new Failure(
    'PFX_WRONG_PASSWORD',
    'The private key in the PEM text is encrypted, and the input "password" is empty.',
    'Set password to the one that the key was encrypted with, such as ${{ secrets.CONNECTOR_PFX_PASSWORD }}.',
  );
}

function tooMany(keys: number, certificates: number): Failure {
  return new Failure(
    'PFX_TOO_LARGE',
    `The PEM text has ${keys} private keys and ${certificates} certificates in it; at most ${MOST_OF_A_KIND} of each are accepted.`,
    'Is this the right file? Leave the one certificate that is meant, its issuers and its key.',
  );
}

/** The same failure, said of the key in PEM instead of a .pfx; what was said of PEM already stays as it is. */
function ofPem(failure: Failure): Failure {
  const { code, message, remedy } = failure;
  if (!message.includes('.pfx')) return failure;
  if (code === 'PFX_DAMAGED') return damaged();
  if (code === 'PFX_WRONG_PASSWORD') {
    const aboutKey = message.replace('the .pfx', 'the private key in the PEM text');
    // A slip in the password has a remedy of its own.
    return new Failure(code, aboutKey, message.includes(':') ? remedy : CHECK_KEY);
  }
  const convertible = code === 'PFX_UNSUPPORTED' || code === 'PFX_TOO_MANY_ITERATIONS';
  return new Failure(
    code,
    message.replace('The .pfx', 'The private key in the PEM text'),
    convertible ? CONVERT_KEY : COPY_AGAIN,
  );
}
