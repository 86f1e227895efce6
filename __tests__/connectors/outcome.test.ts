/** What became of a connector, and what somebody who cancels a job is told. */
import { describe, expect, test } from '@jest/globals';
import { beforeChange, failureOf, isActive, isUploaded } from '../../src/connectors/outcome.ts';
import { Failure, type FailureCode } from '../../src/failure.ts';
import { connectorWith, held, heldNew, newCertificate, OLD } from './samples.ts';

const certificate = newCertificate();
const old = held(OLD, '2026-06-01T00:00:00Z');

describe('the connector authenticates with the new certificate', () => {
  test.each([
    ['it is active', [heldNew(certificate)], true],
    ['it is there, and another one is active', [old, heldNew(certificate, { isActive: false })], false],
    ['it is not there', [old], false],
    [
      'a new entry has its dates, and a thumbprint that nobody can read',
      [old, heldNew(certificate, { thumbprint: '?' })],
      true,
    ],
  ])('%s: %s', (_, certificates, expected) => {
    const [before, connector] = [connectorWith([old]), connectorWith(certificates)];
    expect(isActive({ before, connector }, certificate)).toBe(expected);
  });

  test('not if it could not be read', () => {
    expect(isActive({ before: undefined, connector: undefined }, certificate)).toBe(false);
  });
});

describe('what ends a step before anything is changed', () => {
  test.each<[FailureCode, string]>([
    ['CANCELLED', 'It was so. No upload was under way.'],
    ['STEP_TIMEOUT', 'It was so. No upload was under way.'],
    ['GRAPH_FORBIDDEN', 'It was so.'],
  ])('%s: %s', (code, message) => {
    expect(beforeChange(new Failure(code, 'It was so.', 'Do this.'))).toMatchObject({
      code,
      message,
      remedy: 'Do this.',
    });
  });

  test('an error that is no failure stays as it is', () => {
    const error = new TypeError('odd');
    expect(beforeChange(error)).toBe(error);
  });
});

const common = { id: 'c-1', before: undefined, connector: undefined, warnings: [] };
const failure = new Failure('THROTTLED', 'It was so.', 'Do this.');

test('only a failed outcome has a failure', () => {
  expect(failureOf({ ...common, result: 'failed', failure })).toBe(failure);
  expect(failureOf({ ...common, result: 'changed', text: 'uploaded' })).toBeUndefined();
});

describe('the certificate was put on the connector', () => {
  test.each(['changed', 'unchanged', 'would-change'] as const)('%s', (result) => {
    expect(isUploaded({ ...common, result, text: 'so' })).toBe(result === 'changed');
  });

  test('not by an upload that failed, unless it is there all the same', () => {
    expect(isUploaded({ ...common, result: 'failed', failure })).toBe(false);
    expect(isUploaded({ ...common, result: 'failed', failure, uploaded: true })).toBe(true);
  });
});
