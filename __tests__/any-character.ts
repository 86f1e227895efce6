import fc from 'fast-check';

const FIRST_HALF = 0xd800;
const HALVES = 0x800;

/** Any character of Unicode, the units of a text. fast-check's own unit `binary` is the same, but lists the million of them first. */
export const anyCharacter = fc.integer({ min: 0, max: 0x10ffff - HALVES }).map(
  (nth) => String.fromCodePoint(nth < FIRST_HALF ? nth : nth + HALVES),
  (character) => {
    const point = typeof character === 'string' ? (character.codePointAt(0) ?? -1) : -1;
    if (point < 0 || String.fromCodePoint(point) !== character) throw new Error('no character');
    return point < FIRST_HALF ? point : point - HALVES;
  },
);
