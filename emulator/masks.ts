/** Secrets out of what is printed, as the runner takes them out: each with the eleven encoded forms that it knows. */

/** The runner's `ValueEncoders`. HTML with numeric entities, hex and re-wrapped base64 are not among them. */
const ENCODERS: readonly ((secret: string) => string)[] = [
  (secret) => base64(secret, 0),
  // Where other bytes stand in front, as in base64 of user:password.
  (secret) => base64(secret, 1),
  (secret) => base64(secret, 2),
  (secret) => secret.replaceAll('"', '\\"'),
  (secret) => secret.replaceAll("'", "''"),
  (secret) =>
    JSON.stringify(secret)
      .slice(1, -1)
      .replace(/[\u0085\u2028\u2029]/g, jsonEscape),
  (secret) => encodeURIComponent(secret.toWellFormed()).replace(/[!'()*]/g, percentEscape),
  (secret) => secret.replace(/[<>"'&]/g, (character) => XML[character] ?? character),
  (secret) => (/^".{7,}"$/s.test(secret) ? secret.slice(1, -1) : ''),
  (secret) => powerShellParts(secret)[0],
  (secret) => powerShellParts(secret)[1],
];

const XML: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '&': '&amp;' };

export class Masks {
  /** The secrets and their lines, in the order of registration. */
  readonly values: string[] = [];
  readonly #forms = new Set<string>();

  /** The whole text and each line of it. */
  add(secret: string): void {
    const lines = secret.split(/[\r\n]+/).map((line) => line.trim());
    for (const value of new Set([secret, ...lines])) {
      if (value.trim() === '') continue;
      this.values.push(value);
      for (const form of [value, ...ENCODERS.map((encode) => encode(value))]) if (form !== '') this.#forms.add(form);
    }
  }

  /** The text with `***` for each secret; for several that overlap or touch, one. */
  hide(text: string): string {
    const found: (readonly [from: number, to: number])[] = [];
    for (const form of this.#forms) {
      for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1)) found.push([at, at + form.length]);
    }
    let [hidden, end] = ['', -1];
    for (const [from, to] of found.toSorted(([a], [b]) => a - b)) {
      if (from > end) hidden += `${text.slice(Math.max(end, 0), from)}***`;
      end = Math.max(end, to);
    }
    return hidden + text.slice(Math.max(end, 0));
  }
}

/** Without the first bytes, unless there are no more. */
function base64(secret: string, shift: number): string {
  const bytes = Buffer.from(secret);
  return bytes.subarray(bytes.length > shift ? shift : 0).toString('base64');
}

/** PowerShell colours a part of a command that fails, so that a secret with an ampersand is printed in two. */
function powerShellParts(secret: string): [string, string] {
  const coloured = secret.indexOf('&+');
  const [before, after] = coloured === -1 ? [secret.lastIndexOf('&') + 1, 0] : [coloured + 2, 1];
  if (before === 0) return ['', ''];
  const parts = [secret.slice(0, before), secret.slice(before + after)] as const;
  return [parts[0].length < 6 ? '' : parts[0], parts[1].length < 6 ? '' : parts[1]];
}

function jsonEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function percentEscape(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
