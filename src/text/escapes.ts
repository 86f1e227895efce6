/** PEM and base64 as they were before something wrote them as text. */

/**
 * Without the escapes of JSON, properties files, URLs and HTML that occur in base64 and PEM, those escaped twice too, and
 * without what nobody sees: characters of zero width, byte order marks, the zeros of UTF-16 that was read as something else.
 */
export function unescaped(text: string): string {
  return text
    .replace(/[\0\u200b-\u200d\u2060\ufeff]/g, '')
    .replace(/(?:\\{1,4}u00|%)(2[02bdf]|3d|0[ad])/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
    .replace(/&#(43|47|61|10|13);/g, (_, decimal: string) => String.fromCharCode(Number(decimal)))
    .replace(/\\{1,4}[rn]/g, '\n')
    .replace(/\\{1,4}([/=+"])/g, '$1');
}
