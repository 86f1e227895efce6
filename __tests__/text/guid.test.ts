/** IDs as Microsoft writes them. */
import { expect, test } from '@jest/globals';
import { GUID, GUID_WITHIN } from '../../src/text/guid.ts';

const ID = '0a1b2c3d-4e5f-6789-abcd-ef0123456789';

test.each([
  [ID, true, true],
  [ID.toUpperCase(), true, true],
  [`{${ID}}`, false, true],
  [`of ${ID}, the application`, false, true],
  [`${ID}\n`, false, true],
  [`1${ID}`, false, false],
  [`${ID}a`, false, false],
  [`z${ID}z`, false, true],
  [ID.slice(1), false, false],
  [ID.slice(0, -1), false, false],
  [ID.replace('4e5f', '4e5'), false, false],
  [ID.replace('4e5f', '4e5g'), false, false],
  [ID.replace('0a1b', '0a1g'), false, false],
  [ID.replace('ef01', 'eg01'), false, false],
  [ID.replace('-4e5f', ''), false, false],
  [ID.replaceAll('-', ''), false, false],
  ['', false, false],
])('%j is one: %s, has one: %s', (text, whole, within) => {
  expect([GUID.test(text), GUID_WITHIN.test(text)]).toEqual([whole, within]);
});
