/** The file in which a new certificate goes to the next step. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { planHandOver, removeHandOver, writeHandOver } from '../../src/certificate/hand-over.ts';
import { certificateIn, failureOf, openFixture } from '../pkcs12/fixtures.ts';

const certificate = openFixture('openssl-default.pfx');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hand-over-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('the plan', () => {
  test('is a file of its own in the temporary folder of the runner, with a password of its own; nothing is written', () => {
    const plans = [planHandOver({ RUNNER_TEMP: folder }), planHandOver({ RUNNER_TEMP: folder })];
    expect(plans.map(({ path }) => dirname(path))).toEqual([folder, folder]);
    expect(new Set(plans.flatMap(({ path, password }) => [path, password])).size).toBe(4);
    expect(plans[0]?.password).toMatch(/^[\w-]{32}$/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([{}, { RUNNER_TEMP: '' }])("without a runner, in the system's temporary folder: %j", (environment) => {
    expect(dirname(planHandOver(environment).path)).toBe(tmpdir());
  });
});

describe('the file', () => {
  test('has the certificate and its key, for its owner alone, until it is removed', () => {
    const plan = planHandOver({ RUNNER_TEMP: folder });
    writeHandOver(plan, certificate);
    expect(statSync(plan.path).mode & 0o777).toBe(0o600);
    const read = certificateIn(readFileSync(plan.path), plan.password);
    expect(read.thumbprint).toBe(certificate.thumbprint);
    expect(read.privateKey.equals(certificate.privateKey)).toBe(true);
    removeHandOver(plan.path);
    expect(existsSync(plan.path)).toBe(false);
    removeHandOver(plan.path);
  });

  test('is not written over another one', () => {
    const plan = planHandOver({ RUNNER_TEMP: folder });
    writeFileSync(plan.path, 'mine');
    const failure = failureOf(() => {
      writeHandOver(plan, certificate);
    });
    expect(failure.code).toBe('HAND_OVER_FAILED');
    expect(failure.message).toMatch(/could not be written.*EEXIST.*Nothing was changed/);
    expect(failure.remedy).toBe(
      'Free disk space on the runner, or check that RUNNER_TEMP names a folder that the job may write to; then run the job again.',
    );
    expect(failure.cause).toMatchObject({ code: 'EEXIST' });
    expect(failure.message + failure.remedy).not.toContain(plan.password);
    expect(readFileSync(plan.path, 'utf8')).toBe('mine');
  });

  test('cannot be written to a folder that is not there', () => {
    const plan = planHandOver({ RUNNER_TEMP: join(folder, 'none') });
    expect(
      failureOf(() => {
        writeHandOver(plan, certificate);
      }).message,
    ).toMatch(/ENOENT/);
  });

  test('that cannot be removed is a failure that says so', () => {
    const path = join(folder, 'a folder');
    mkdirSync(path);
    const failure = failureOf(() => {
      removeHandOver(path);
    });
    expect(failure.code).toBe('HAND_OVER_NOT_REMOVED');
    expect(failure.message).toMatch(
      /^The file with the new certificate and its private key could not be removed: .+\.$/,
    );
    expect(failure.remedy).toMatch(/by hand/);
    expect(failure.cause).toMatchObject({ code: 'ERR_FS_EISDIR' });
  });
});
