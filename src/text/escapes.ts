/** PEM and base64 as they were before something wrote them as text. */

/**
 * Without the escapes of JSON, properties files, URLs, HTML and quoted-printable that occur in base64 and PEM, those escaped
 * twice too, without what nobody sees (characters of zero width, soft hyphens, byte order marks, the zeros of UTF-16 that was
 * read as something else), and with its {@link repairedArmour armour} whole.
 */
export function unescaped(text: string): string {
  return repairedArmour(
    text
      .replace(/[\0\u00ad\u200b-\u200d\u2060\ufeff]/g, '')
      // A soft line break of quoted-printable, whose lines have up to 76 characters.
      .replace(/(?<=^[^=\r\n]{60,75})=\r?\n(?=[A-Za-z0-9+/])/gm, '')
      .replaceAll('=3D', '=')
      .replace(/(?:\\{1,4}(?:u00|x)|%(?:25){0,2}|%u00)(2[02bdf]|3d|0[ad])/gi, (_, hex: string) =>
        String.fromCharCode(parseInt(hex, 16)),
      )
      .replace(ENTITY, (_, decimal?: string, hex?: string, name?: string) =>
        name === undefined
          ? String.fromCharCode(decimal === undefined ? parseInt(hex ?? '', 16) : Number(decimal))
          : (NAMED[name.toLowerCase()] ?? ''),
      )
      .replace(/\\{1,4}(?:[rn]|\r?\n)/g, '\n')
      .replace(/\\{1,4}([/=+"])/g, '$1'),
  );
}

/** An entity of HTML for a character of ASCII: in decimal, in hexadecimal, or by name. */
const ENTITY = /&(?:amp;){0,3}(?:#0{0,4}(\d{1,2})|#x0{0,4}([0-7]?[\da-f])|(plus|sol|equals|newline));/gi;
const NAMED: Readonly<Record<string, string>> = { plus: '+', sol: '/', equals: '=', newline: '\n' };

const DASH = '[-\u2010-\u2015\u2212]';
const BLANKS = '[\\s+]{0,3}';
const LABEL = `(?:(X509|TRUSTED|ENCRYPTED|RSA|EC|DSA)${BLANKS})?(CERTIFICATE|PRIVATE${BLANKS}KEY|PKCS7)`;
/** The base64 of a SEQUENCE, or the head of an encrypted key. */
const BODY = '\\s{0,40}(?:M[A-Za-z0-9+/]{7}|Proc-Type:)';
/** Behind END five dashes are its own: without a line break, those of the next BEGIN follow. */
const ARMOUR = new RegExp(
  `${DASH}{1,8}${BLANKS}(BEGIN|END)${BLANKS}${LABEL}${BLANKS}(?:${DASH}{1,8}(?=(${BODY}))|${DASH}{1,5})`,
  'gi',
);

/**
 * PEM whose lines `-----BEGIN …-----` and `-----END …-----` are as they should be, after dashes were lost or became longer
 * ones, blanks were lost or added, or letters became small ones. That this was right shows in what is between them. A BEGIN
 * without base64 behind it is only spoken of, as in a comment.
 */
export function repairedArmour(text: string): string {
  return text.replace(ARMOUR, (line: string, word: string, kind: string | undefined, what: string, body?: string) => {
    if (word.toUpperCase() === 'BEGIN' && body === undefined) return line;
    const label = what.toUpperCase().startsWith('PRIVATE') ? 'PRIVATE KEY' : what;
    return `-----${word} ${kind === undefined ? '' : `${kind} `}${label}-----`.toUpperCase();
  });
}

const LINE_OF_ARMOUR = new RegExp(`^${DASH}{0,8}${BLANKS}(?:BEGIN|END)${BLANKS}${LABEL}${BLANKS}${DASH}{0,8}$`, 'i');

/** Whether a line is `-----BEGIN …-----` or `-----END …-----` and nothing else, in whatever way it was damaged. */
export function isArmour(line: string): boolean {
  return LINE_OF_ARMOUR.test(line);
}
