/** A job that is cancelled: the step ends at once, and says what is known of an upload. */
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { clientCertificate } from '../../emulator/certificates.ts';
import { Emulator } from '../../emulator/emulator.ts';
import type { RequestKind } from '../../emulator/service.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import { PASSWORD, runStep } from './step.ts';

let emulator: Emulator;
let pfx: string;

beforeAll(async () => {
  pfx = pfxOf(await clientCertificate(), PASSWORD).toString('base64');
});
beforeEach(async () => {
  emulator = await Emulator.start();
});
afterEach(async () => {
  await emulator.stop();
});

test.each<[RequestKind, RegExp]>([
  ['id-token', /No upload was under way/],
  ['token', /No upload was under way/],
  ['get', /No upload was under way/],
  ['upload', /An upload was under way: whether the certificate is on the connector is not known/],
])('while the %s request is on its way', async (kind, message) => {
  // It would hang for 15 seconds and more.
  emulator.fault({ on: kind, do: { kind: 'hang' } });
  const result = await runStep(emulator, { pfx }, { cancel: emulator.arrival(kind), bundle: true });
  // Ended by itself: SIGTERM, 7.5 seconds later, would have left a signal and no message.
  expect(result.signal).toBeNull();
  expect(result.exitCode).toBe(1);
  expect(result.annotations).toEqual([
    expect.objectContaining({ level: 'error', title: 'CANCELLED', message: expect.stringMatching(message) }),
  ]);
  expect(result.annotations[0]?.message).toContain('SIGINT');
});

test('while it waits to try again', async () => {
  emulator.fault({ on: 'token', do: { kind: 'status', status: 429, headers: { 'retry-after': '60' }, body: {} } });
  const answered = emulator.arrival('token').then(async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
  });
  const result = await runStep(emulator, { pfx }, { cancel: answered, bundle: true });
  expect(result.signal).toBeNull();
  expect(result.annotations.map(({ title }) => title)).toEqual(['CANCELLED']);
});
