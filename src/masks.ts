/** Every secret that comes in from outside is masked here, before anything else can show it. */
import { warning } from '@actions/core';
import { PROXY_VARIABLES, withScheme } from './http/proxy.ts';
import { isArmour, unescaped } from './text/escapes.ts';
import { hide, percentDecoded, SHORTEST_MASKED_LINE, SHORTEST_SECRET } from './text/secrets.ts';

const CERTIFICATE_BLOCK =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]*)-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/** What stands around a block of PEM: public, and in every message about PEM. */
const ARMOUR = /-----(?:BEGIN|END) [^-\r\n]{1,64}-----/;
/** The same, cut; as a line of its own. */
const CUT_ARMOUR = /^-----(?:BEGIN|END)[A-Z\d ]*-{0,5}$/;
/**
 * What OpenSSL and people write above a block, up to the end of the line: names and the thumbprint, which the log and the
 * outputs show. Never further than to armour or base64, which may be that of a key whose line breaks and armour were lost.
 */
const ATTRIBUTES =
  /(?:(?:Bag|Key) Attributes|friendlyName:|localKeyID:|(?:subject|issuer)[=:]|(?:thumb|finger)print)(?:(?!-----|\\[rn]|[A-Za-z0-9+/]{41})[^\r\n])*/gi;

/**
 * A certificate with its key, line by line, as it could be printed, and each piece of its base64 in whatever it was pasted.
 * Certificates in PEM are public: an output holds them, and the runner passes no output on that a mask occurs in. A line of
 * the key can be one of the certificate too, since both hold the public key.
 */
export function maskText(text: string): void {
  const given = apart(text.replace(ATTRIBUTES, ''));
  const plain = apart(unescaped(text).replace(ATTRIBUTES, ''));
  const certificates = linesOf(`${given.certificates}\n${plain.certificates}`);
  const known = new Set([...certificates, ...certificates.flatMap(digitsIn)]);
  const rest = linesOf(plain.rest);
  const pieces = new Set([...linesOf(given.rest), ...rest, ...rest.flatMap(digitsIn)]);
  hide([...pieces].filter((piece) => !known.has(piece)).join('\n'), SHORTEST_MASKED_LINE);
}

/** Each line of a password; one that is too short is not masked, which the log warns of. */
export function maskPassword(password: string): void {
  if (password === '') return;
  hide(password);
  if (password.split(/\r\n|\r|\n/).some((line) => line.length >= SHORTEST_SECRET)) return;
  warning(
    `The password has fewer than ${SHORTEST_SECRET} characters, so it is not masked in the log: every place where these letters occur would read ***. This action never prints it. Choose a longer one.`,
    { title: 'Short password' },
  );
}

/** A proxy's user name and password stand in its URL; undici sends them, percent-decoded, in base64. */
export function maskProxyCredentials(environment: NodeJS.ProcessEnv): void {
  for (const name of PROXY_VARIABLES) {
    const value = withScheme(environment[name] ?? '');
    for (const [username, password] of [asWritten(value), asParsed(value)]) {
      if (username === '' && password === '') continue;
      const [user, secret] = [percentDecoded(username), percentDecoded(password)];
      const basic = Buffer.from(`${user}:${secret}`).toString('base64');
      // A name alone is what a token looks like; next to a password it is none.
      const secrets = password === '' ? [username, user] : [`${username}:${password}`, password, secret];
      for (const form of [...secrets, basic]) hide(form);
    }
  }
}

type Credentials = readonly [username: string, password: string];

function asParsed(url: string): Credentials {
  if (!URL.canParse(url)) return ['', ''];
  const { username, password } = new URL(url);
  return [username, password];
}

/** Also in a URL that cannot be parsed, or only as something else, since # or / in its password is not encoded. */
function asWritten(url: string): Credentials {
  const [, information = ''] = /^[a-z][a-z0-9+.-]*:\/\/(.*)@/is.exec(url) ?? [];
  const colon = information.indexOf(':');
  return colon < 0 ? [information, ''] : [information.slice(0, colon), information.slice(colon + 1)];
}

/**
 * The certificates in a text, which are blocks of PEM, and everything else. What is in such a block but no certificate is
 * of the rest: `certutil -encode` puts this armour around any file, a PKCS#12 file as well.
 */
function apart(text: string): { readonly certificates: string; readonly rest: string } {
  const certificates: string[] = [];
  const rest = text.replace(CERTIFICATE_BLOCK, (block: string, body: string) => {
    if (!isCertificate(body)) return block;
    certificates.push(body);
    return '';
  });
  return { certificates: certificates.join('\n'), rest };
}

/** The lines of a text; armour is none, and ends one. Damaged, it is a part of the armour in the output `certificate`. */
function linesOf(text: string): string[] {
  return text
    .split(ARMOUR)
    .flatMap((part) => part.split(/[\r\n]+/))
    .map((line) => line.trim())
    .filter((line) => !CUT_ARMOUR.test(line) && !isArmour(line));
}

/** Base64 among other things is as long as a line of PEM: what is shorter may be any word. */
const LINE_OF_PEM = 64;

/**
 * The runs of base64 in a line: between blanks, which may have been line breaks, in quotation marks, behind a name. Hex is
 * left out, since it is a thumbprint.
 */
function digitsIn(line: string): string[] {
  const shortest = /^[\w+/=\s-]*$/.test(line) ? SHORTEST_MASKED_LINE : LINE_OF_PEM;
  const runs = line.match(/[\w+/-]+={0,2}/g) ?? [];
  return runs.filter((run) => run.length >= shortest && !/^[\da-f]*$/i.test(run));
}

/** A SEQUENCE that begins with another one (RFC 5280); a PKCS#12 file begins with its version (RFC 7292). */
function isCertificate(base64: string): boolean {
  const [sequence, length = 0, ...rest] = Buffer.from(base64.trim().slice(0, 24), 'base64');
  const lengthOctets = length > 0x80 ? length & 0x7f : 0;
  return sequence === 0x30 && rest[lengthOctets] === 0x30;
}
