/** The connectors that were named are read in parallel, and one that cannot be read does not stop the others. */
import { expect, test } from '@jest/globals';
import { known, readConnectors } from '../../src/connectors/reading.ts';
import { Failure, type FailureCode } from '../../src/failure.ts';
import { cancelled, connectorBody, error, online } from '../graph/scripted-graph.ts';
import { answer } from '../scripted-http.ts';

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

test.each<[string, FailureCode, boolean]>([
  ['3f2504e0-4f89-41d3-9a0c-0305e82c3301', 'CONNECTOR_NOT_FOUND', true],
  ['3F2504E0-4F89-41D3-9A0C-0305E82C3301', 'CONNECTOR_NOT_FOUND', true],
  // May be the display name of one, or an ID that was cut.
  ['Sign-up', 'CONNECTOR_NOT_FOUND', false],
  ['3f2504e0-4f89-41d3-9a0c-0305e82c330', 'CONNECTOR_NOT_FOUND', false],
  ['3f2504e0-4f89-41d3-9a0c-0305e82c3301', 'GRAPH_FORBIDDEN', false],
])('%s, %s: gone, so that it uses no certificate: %s', (id, code, gone) => {
  const failure = new Failure(code, 'No.', 'Do this.');
  expect(known([{ id, failure }])).toEqual(gone ? [] : [undefined]);
});
