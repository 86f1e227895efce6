/** The connectors that were named are read in parallel, and one that cannot be read does not stop the others. */
import { expect, test } from '@jest/globals';
import { known, readConnectors } from '../../src/connectors/reading.ts';
import { cancelled, connectorBody, error, online } from '../graph/scripted-graph.ts';
import { answer, type Answer } from '../scripted-http.ts';

test('each in the order in which it was named, with why it could not be read', async () => {
  const { http, connectors } = online();
  http.otherwise = ({ url }) => {
    const id = url.split('/').at(-1) ?? '';
    return id === 'b' ? answer(403, error('Authorization_RequestDenied', 'no')) : answer(200, connectorBody(id));
  };
  const readings = await readConnectors(connectors, ['a', 'b', 'c', 'd', 'e', 'f']);
  expect(readings.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  expect(readings.map((reading) => (reading.connector ? reading.connector.id : reading.failure.code))).toEqual([
    'a',
    'GRAPH_FORBIDDEN',
    'c',
    'd',
    'e',
    'f',
  ]);
});

test('a job that is cancelled meanwhile: that nothing was being changed', async () => {
  const { http, connectors } = online(() => cancelled(http));
  const [reading] = await readConnectors(connectors, ['a']);
  expect(reading).toMatchObject({
    id: 'a',
    failure: { code: 'CANCELLED', message: 'The job was cancelled. No upload was under way.' },
  });
});

const ID = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const MISSING = answer(404);
const LIST = answer(200, { value: [{ id: 'another', displayName: 'Another' }] });

test.each<[string, string, readonly Answer[], boolean]>([
  ['is not in the list either', ID, [MISSING, LIST], true],
  ['is not in the list either', ID.toUpperCase(), [MISSING, LIST], true],
  // May be a display name with a mistake in it, or an ID that was cut.
  ['is no ID', 'Sign-up', [MISSING, LIST], false],
  ['is no ID', ID.slice(1), [MISSING, LIST], false],
  ['may be in the list, which cannot be read', ID, [MISSING, answer(403)], false],
  [
    'is in the list',
    ID,
    Array.from({ length: 5 }, () => [MISSING, answer(200, { value: [{ id: ID, displayName: 'Slow' }] })]).flat(),
    false,
  ],
  ['must not be read', ID, [answer(403, error('Authorization_RequestDenied', 'no'))], false],
])('one that %s (%s): whether it is gone, and uses no certificate', async (_what, id, answers, gone) => {
  const { connectors } = online(...answers);
  expect(known(await readConnectors(connectors, [id]))).toHaveLength(gone ? 0 : 1);
});
