/** The search for secrets in everything that a run leaves behind where somebody could read it. */
import { X509Certificate } from 'node:crypto';
import { expect } from '@jest/globals';
import type { RunResult } from '../../emulator/runner.ts';

/** So many characters of a secret in a row are a leak, too. */
const PIECE = 12;
/** In three alignments of base64 what every certificate and key begins its algorithms with, 1.2.840.113549.1: no secret. */
const PUBLIC = /hkiG9w0B|SIb3DQE|KoZIhvcNAQ/;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' };

/**
 * Fails where any of the secrets shows, or a piece of one: raw, as a browser, a JSON parser or a shell would read it, in
 * base64 or hex, and with other blanks or none.
 */
export function expectNoLeak(result: RunResult, secrets: readonly string[]): void {
  // Each piece of a line is a piece of its file.
  const isPart = (secret: string): boolean =>
    secrets.some((other) => other.length > secret.length && other.includes(secret));
  const wanted = [...new Set(secrets)].filter((secret) => secret.length < 2 * PIECE || !isPart(secret)).map(tracesOf);
  const whole = [...new Set(wanted.flatMap(({ short }) => short))];
  const pieces = wanted.map((traces) => traces.pieces);
  const seen = new Map<string, boolean>();
  const shows = (reading: string): boolean => {
    const before = seen.get(reading);
    if (before !== undefined) return before;
    const found = whole.some((form) => reading.includes(form)) || hasPiece(reading, pieces);
    seen.set(reading, found);
    return found;
  };
  const shown = Object.entries(visible(result)).filter(([, text]) => readings(text).some(shows));
  // Where it shows and not what, so that a red test does not print it either.
  expect(shown.map(([where]) => where)).toEqual([]);
}

/** As the step wrote it, before the runner hides anything; without the commands that ask for that. */
function visible(result: RunResult): Readonly<Record<string, string>> {
  const list = (record: Readonly<Record<string, string>>): string => Object.entries(record).flat().join('\n');
  return {
    log: result.log,
    stdout: result.rawStdout.replace(/^::add-mask::.*$/gm, ''),
    stderr: result.stderr,
    summary: result.rawSummary,
    outputs: list(Object.fromEntries(Object.entries(result.outputs).filter((output) => !isPublic(output)))),
    state: list(result.state),
    env: list(result.env),
    annotations: result.annotations.flatMap(({ title, message }) => [title, message]).join('\n'),
    filesLeft: result.filesLeft.join('\n'),
  };
}

/** Certificates, which have the public half of the key in them, in the one output that is for them. */
function isPublic([name, value]: readonly [string, string]): boolean {
  const blocks = value.match(/-----BEGIN CERTIFICATE-----\n[^-]*-----END CERTIFICATE-----\n/g) ?? [];
  return (
    name === 'certificate' &&
    blocks.join('') === value &&
    blocks.every((pem) => new X509Certificate(pem).toString() === pem)
  );
}

function readings(text: string): readonly string[] {
  const read = decoded(text);
  return [...new Set([text, read, withoutBlanks(text), withoutBlanks(read)])];
}

/** HTML entities, Markdown's backslashes, JSON's and the runner's escapes, and percent-encoding, undone in one go. */
function decoded(text: string): string {
  return text.replace(
    /&#(\d{1,7});|&#x([0-9a-f]{1,6});|&(amp|lt|gt|quot|apos|nbsp);|\\u([0-9a-f]{4})|\\([!-/:-@[-`{-~])|(?:%[0-9a-f]{2})+/gi,
    (found, decimal?: string, hex?: string, name?: string, unicode?: string, escaped?: string) => {
      const code = decimal === undefined ? Number.parseInt(hex ?? unicode ?? '', 16) : Number(decimal);
      if (!Number.isNaN(code)) return code <= 0x10ffff ? String.fromCodePoint(code) : found;
      if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? found;
      return escaped ?? Buffer.from(found.replaceAll('%', ''), 'hex').toString();
    },
  );
}

function withoutBlanks(text: string): string {
  return text.replace(/[\s\u200b\u2060\ufeff]+/g, '');
}

/** What a secret looks like in the readings of a text. */
function forms(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  // Two alignments more, for where other bytes stand in front; the last digits depend on what follows.
  const base64 = [0, 1, 2].map((skipped) => bytes.subarray(skipped).toString('base64').replace(/.?=+$/, ''));
  return [
    secret,
    withoutBlanks(secret),
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret.toWellFormed()),
    bytes.toString('hex'),
    ...(bytes.length < 6 ? [bytes.toString('base64').replace(/=+$/, '')] : base64),
  ];
}

interface Traces {
  /** The forms that are too short to be looked for in pieces. */
  readonly short: readonly string[];
  readonly pieces: ReadonlySet<string>;
}

/** The same .pfx is searched for in run after run. */
const known = new Map<string, Traces>();

function tracesOf(secret: string): Traces {
  const before = known.get(secret);
  if (before) return before;
  const all = forms(secret).filter((form) => form !== '');
  const pieces = new Set<string>();
  for (const form of all) for (let at = 0; at + PIECE <= form.length; at++) pieces.add(form.slice(at, at + PIECE));
  for (const piece of pieces) if (PUBLIC.test(piece)) pieces.delete(piece);
  const traces = { short: all.filter((form) => form.length < PIECE), pieces };
  known.set(secret, traces);
  return traces;
}

function hasPiece(text: string, pieces: readonly ReadonlySet<string>[]): boolean {
  for (let at = 0; at + PIECE <= text.length; at++) {
    const piece = text.slice(at, at + PIECE);
    if (pieces.some((of) => of.has(piece))) return true;
  }
  return false;
}
