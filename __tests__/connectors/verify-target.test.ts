/** A target that does not accept the certificate yet is asked again, for as long as verify-wait says. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { beforeAll, beforeEach, expect, test } from '@jest/globals';
import { TargetCheck } from '../../src/connectors/verify-target.ts';
import { Failure } from '../../src/failure.ts';
import { openFixture } from '../pkcs12/fixtures.ts';
import { ScriptedDeadline } from '../scripted-http.ts';

const certificate = openFixture('openssl-default.pfx');
const MINUTE = 60_000;

/** Nobody listens there. */
let target: string;
let deadline: ScriptedDeadline;
let logged: string[];

beforeAll(async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  target = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  deadline = new ScriptedDeadline();
  logged = [];
});

const check = (wait: number): TargetCheck =>
  new TargetCheck({ deadline, certificate, wait, log: (text) => logged.push(text) });

const failure = async (work: Promise<unknown>): Promise<Failure> => {
  const reason = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(reason).toBeInstanceOf(Failure);
  return reason as Failure;
};

test('without verify-wait it is asked once', async () => {
  expect(await failure(check(0).verify(target))).toMatchObject({ code: 'TARGET_UNREACHABLE' });
  expect([deadline.sleeps, logged]).toEqual([[], []]);
});

test('every ten seconds, with a line a minute, until the minutes are over', async () => {
  const { code, message } = await failure(check(2 * MINUTE + 5_000).verify(target));
  expect(code).toBe('TARGET_UNREACHABLE');
  expect(message).toContain('It was asked again for 125 s.');
  expect(deadline.sleeps).toEqual([...Array<number>(12).fill(10_000), 5_000]);
  expect(logged.map((line) => /up to \d+ s/.exec(line)?.[0])).toEqual(['up to 125 s', 'up to 65 s', 'up to 5 s']);
});

test('the targets of all connectors share these minutes', async () => {
  const both = check(MINUTE);
  await failure(both.verify(target));
  deadline.sleeps.length = 0;
  await failure(both.verify(target));
  expect(deadline.sleeps).toEqual([]);
});

test('a cancelled job ends at once', async () => {
  const cancelled = new Failure('CANCELLED', 'cancelled', '');
  deadline.sleep = async () => {
    deadline.end(cancelled);
    await Promise.reject(cancelled);
  };
  expect(await failure(check(30 * MINUTE).verify(target))).toBe(cancelled);
});

test('a URL that no certificate can be presented to is not waited for', async () => {
  expect((await failure(check(MINUTE).verify('http://api.contoso.com/'))).message).toContain('is not an https URL');
  expect(deadline.sleeps).toEqual([]);
});
