/** IDs to be copied into the input connector-id. */
import { expect, test } from '@jest/globals';
import { connectorIds, logConnectorIds } from '../../src/report/connector-ids.ts';
import type { Shown } from '../../src/report/markdown-parts.ts';
import { connectorWith } from '../connectors/samples.ts';
import { keepPrinted } from '../printed.ts';

const printed = keepPrinted();
const named = (id: string, displayName: string): Shown => ({
  id,
  connector: connectorWith('none', { id, displayName }),
});
const many = (count: number): Shown[] => Array.from({ length: count }, (_, n) => named(`c-${n}`, `Name ${n}`));

test('each below a comment with its name, in the log and in the summary', () => {
  const items = [named('a', 'Sign-up'), { id: 'unread', connector: undefined }, named('b', '')];
  expect(connectorIds(items)).toEqual([
    '**For the input connector-id**',
    '',
    '```text',
    '# Sign-up',
    'a',
    'b',
    '```',
    '',
  ]);
  logConnectorIds(items);
  expect(printed()).toBe('For the input connector-id:\n# Sign-up\na\nb\n');
});

test('nothing of those that could not be read', () => {
  const items = [{ id: 'unread', connector: undefined }];
  expect(connectorIds(items)).toEqual([]);
  logConnectorIds(items);
  expect(printed()).toBe('');
});

test('what a tenant calls them is one line, and no command', () => {
  logConnectorIds([named('::error::x', 'a\nb')]);
  expect(printed()).toBe('For the input connector-id:\n# a b\n: :error::x\n');
});

test('the summary has five hundred, and says how many more there are; the log has all', () => {
  expect(connectorIds(many(500)).slice(-3)).toEqual(['c-499', '```', '']);
  expect(connectorIds(many(502)).slice(-5)).toEqual([
    'c-499',
    '```',
    '',
    '… and 2 more connectors: the log has their IDs.',
    '',
  ]);
  logConnectorIds(many(502));
  expect(printed()).toContain('\n# Name 501\nc-501\n');
});
