/** The job summaries of the upload step and the check step, as Markdown. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { judge, unread, type Finding } from '../../src/connectors/expiry.ts';
import type { Outcome } from '../../src/connectors/outcome.ts';
import type { Trust } from '../../src/connectors/trust.ts';
import { Failure } from '../../src/failure.ts';
import type { Connector } from '../../src/graph/connector.ts';
import { appendSummary, checkSummary, uploadResult, uploadSummary } from '../../src/report/summary.ts';
import { connectorWith, held, heldNew, newCertificate, NOW, OLD, OTHER } from '../connectors/samples.ts';
import { inStep } from '../in-step.ts';

const certificate = newCertificate();
const old = held(OLD, '2026-06-01T00:00:00Z');
const failure = new Failure('THROTTLED', 'It was so.', 'Do this.');
const context = { tenantId: 'the-tenant', now: NOW };

const trust: Trust = {
  certificates: [{ thumbprint: OLD, notAfter: new Date('2026-06-01'), usedBy: [], usedLaterBy: [] }],
  missing: [],
  unread: 0,
};

const before = connectorWith([old]);
const after = connectorWith([{ ...old, isActive: false }, heldNew(certificate)]);
const common = { id: 'c-1', before, connector: after, warnings: [] };
const changed: Outcome = { ...common, result: 'changed', text: 'uploaded.' };
const unchanged: Outcome = { ...common, before: after, result: 'unchanged', text: 'nothing to do.' };
const wouldChange: Outcome = { ...common, connector: before, result: 'would-change', text: 'dry run.' };
const failed: Outcome = { ...common, id: 'c-2', connector: before, result: 'failed', failure };

const lines = (outcomes: readonly Outcome[], own = certificate): readonly string[] =>
  uploadSummary(outcomes, own, { ...context, trust }).split('\n');
/** From the line that begins so up to the next empty line, and that of lists and tables after a heading. */
const below = (all: readonly string[], start: string): readonly string[] => {
  const from = all.findIndex((line) => line.startsWith(start)) + 2;
  return from === 1 ? [] : all.slice(from, all.indexOf('', from));
};
const rows = (all: readonly string[]): readonly string[] => {
  const from = all.findIndex((line) => line.startsWith('| connector |'));
  return from === -1 ? [] : all.slice(from + 2, all.indexOf('', from));
};

describe('the upload step', () => {
  test('all of it: what failed first, then what was done, what to trust, what is next, and the details', () => {
    expect(lines([changed, failed])).toEqual([
      '## API connector certificate',
      '',
      '❌ 1 connector failed, 1 connector updated. Tenant the-tenant.',
      '',
      'The certificate is valid from 2026-02-01 to 2027-02-01 (336 days left): <code>DF22BA56B68D6DDD13AF04EE4ED542B23695A213</code>',
      '',
      '**THROTTLED** – Sign-up <code>c-2</code>',
      '',
      'It was so.',
      '',
      'Do this.',
      '',
      '| connector | before → now | result |',
      '| --- | --- | --- |',
      '| Sign-up | certificate until 2026-06-01 → certificate until 2027-02-01 | uploaded. |',
      '',
      '**What the API has to accept from now on** (set these, with those of other connectors that call it, and take all others away)',
      '',
      '| thumbprint (SHA-1) | expires |  |',
      '| --- | --- | --- |',
      `| <code>${OLD}</code> | 2026-06-01T00:00:00Z |  |`,
      '',
      '**Next**',
      '',
      '- Fix what failed, as above, and run the job again&#58;<wbr> connectors that are done are left alone.',
      '- Let the API accept the old certificate for a while, then remove it there.',
      '',
      '```mermaid',
      'gantt',
      '  dateFormat YYYY-MM-DD',
      '  axisFormat %Y-%m',
      '  section Sign-up',
      '  AAAAAAAA :done, 2025-06-01, 2026-06-01',
      '  DF22BA56 active :2026-02-01, 2027-02-01',
      '  section Sign-up',
      '  AAAAAAAA active :2025-06-01, 2026-06-01',
      '```',
      '',
      '<details><summary>IDs and certificates</summary>',
      '',
      '**Sign-up**<br><code>c-1</code> api.example',
      '',
      '| thumbprint | valid from | to |  |',
      '| --- | --- | --- | --- |',
      `| <code>${OLD}</code> | 2025-06-01T00:00:00Z | 2026-06-01T00:00:00Z | 91 days left |`,
      '| **<code>DF22BA56B68D6DDD13AF04EE4ED542B23695A213</code>** | **2026-02-01T00:00:00Z** | **2027-02-01T00:00:00Z** | **336 days left, active** |',
      '',
      '**Sign-up**<br><code>c-2</code> api.example',
      '',
      '| thumbprint | valid from | to |  |',
      '| --- | --- | --- | --- |',
      `| **<code>${OLD}</code>** | **2025-06-01T00:00:00Z** | **2026-06-01T00:00:00Z** | **91 days left, active** |`,
      '',
      '</details>',
      '',
    ]);
  });

  test.each<[string, Outcome[]]>([
    ['✅ 1 connector updated.', [changed]],
    ['✅ 2 connectors updated, 1 connector left unchanged.', [changed, unchanged, changed]],
    ['✅ 1 connector would be updated (dry run), 2 connectors left unchanged.', [unchanged, wouldChange, unchanged]],
    ['✅ 2 connectors would be updated (dry run).', [wouldChange, wouldChange]],
    ['❌ 2 connectors failed.', [failed, failed]],
  ])('%s', (result, outcomes) => {
    expect(uploadResult(outcomes)).toBe(result);
    expect(lines(outcomes)[2]).toBe(`${result} Tenant the-tenant.`);
  });

  test('where the certificate was read, escaped, and the tenant', () => {
    const summary = uploadSummary([changed], certificate, { ...context, trust, tenantId: '<b>', origin: '[a](b)' });
    expect(summary).toContain(`${certificate.thumbprint}</code><br>Read from &#91;a&#93;&#40;b&#41;\n`);
    expect(summary).toContain(' Tenant &#60;b&#62;.\n');
  });

  test('one row for those that say the same; one that was left, or would be changed, as it is', () => {
    const hostile = { ...unchanged, text: '|<b>|' };
    expect(rows(lines([changed, wouldChange, failed, changed, hostile]))).toEqual([
      '| 2 connectors:<br>Sign-up<br>Sign-up | certificate until 2026-06-01 → certificate until 2027-02-01 | uploaded. |',
      '| Sign-up | certificate until 2026-06-01 | dry run. |',
      '| Sign-up | certificate until 2027-02-01 | &#124;&#60;b&#62;&#124; |',
    ]);
    expect(rows(lines([failed]))).toEqual([]);
  });

  test('a dry run has the new certificate in the chart', () => {
    expect(lines([wouldChange])).toContain('  DF22BA56 new :active, 2026-02-01, 2027-02-01');
    expect(lines([unchanged])).not.toContain('  DF22BA56 new :active, 2026-02-01, 2027-02-01');
  });

  describe('what is next', () => {
    const FIX = '- Fix what failed, as above, and run the job again&#58;<wbr> connectors that are done are left alone.';
    const KEEP = '- Let the API accept the old certificate for a while, then remove it there.';
    const EARLY = '- Let the API accept the new certificate before 2026-04-01, when the service switches to it.';
    const PASSWORD = 'a user name and password&#58;<wbr> take them away from the API.';
    const basic: Outcome = { ...changed, before: connectorWith('basic') };
    const again: Outcome = { ...changed, before: after };
    const warned: Outcome = { ...unchanged, warnings: ['One |.', 'Two.'] };

    test.each<[string, Outcome[], string[]]>([
      ['nothing', [unchanged], []],
      ['nothing on a dry run', [wouldChange], []],
      ['nothing after the same certificate', [again], []],
      ['nothing after none', [{ ...changed, before: connectorWith('none') }], []],
      ['the old certificate', [unchanged, changed], [KEEP]],
      ['a failure', [failed], [FIX]],
      ['a password', [basic], [`- The connector no longer sends ${PASSWORD}`]],
      ['two passwords', [basic, basic], [`- 2 connectors no longer send ${PASSWORD}`]],
      ['a password that is still sent', [{ ...failed, before: connectorWith('basic') }], [FIX]],
      ['warnings', [warned], ['- &#9888;&#65039; One &#124;.', '- &#9888;&#65039; Two.']],
    ])('%s', (_, outcomes, steps) => {
      expect(below(lines(outcomes), '**Next**')).toEqual(steps);
    });

    test('a certificate that is not valid yet', () => {
      expect(below(lines([changed], newCertificate('2026-04-01')), '**Next**')).toEqual([EARLY]);
    });
  });

  test.each([
    [20, 0, ''],
    [21, 1, '**1 more that failed**'],
    [230, 210, '**210 more that failed**'],
  ])('of %s failures, twenty are explained and two hundred named', (n, rest, title) => {
    const all = lines(Array.from({ length: n }, (_, i) => ({ ...failed, id: `c-${i}` })));
    expect(all.filter((line) => line.startsWith('**THROTTLED**'))).toHaveLength(20);
    expect(all.filter((line) => line === '- Sign-up: THROTTLED')).toHaveLength(Math.min(rest, 200));
    if (title !== '') expect(all).toContain(title);
    expect(all.includes('- … and 10 more')).toBe(rest === 210);
  });
});

describe('the check step', () => {
  const on = (displayName: string, connector: Connector): Finding =>
    judge({ ...connector, id: `id-${displayName}`, displayName }, { warnDays: 30, failDays: 7, named: true }, NOW);
  const until = (displayName: string, notAfter: string): Finding =>
    on(displayName, connectorWith([held(OTHER, notAfter)]));
  const summary = (...findings: Finding[]): readonly string[] =>
    checkSummary(findings, { ...context, all: false }).split('\n');
  const fine = until('Fine', '2026-12-01');
  const soon = until('Soon', '2026-03-20');

  test('all of it: what fails first, then a table, the chart and the details', () => {
    expect(summary(fine, until('Late', '2026-03-03'))).toEqual([
      '## API connector certificates',
      '',
      '❌ 1 connector of 2 failing, 0 with a warning. Tenant the-tenant.',
      '',
      '**CERTIFICATE_EXPIRES_SOON** – Late <code>id-Late</code>',
      '',
      `The API connector Late&#58;<wbr> its active certificate has 1 day left &#40;${OTHER}, until 2026-03-03T00&#58;<wbr>00&#58;<wbr>00Z&#41;.`,
      '',
      'Upload a newer certificate now&#58;<wbr> when this one expires, every sign-up that calls the API fails.',
      '',
      '| connector | authenticates with | days left | finding |',
      '| --- | --- | --- | --- |',
      '| Late | certificate until 2026-03-03 | 1 | ❌ expires soon |',
      '| Fine | certificate until 2026-12-01 | 274 | ✅ fine |',
      '',
      '```mermaid',
      'gantt',
      '  dateFormat YYYY-MM-DD',
      '  axisFormat %Y-%m',
      '  section Late',
      '  BBBBBBBB active :2025-06-01, 2026-03-03',
      '  section Fine',
      '  BBBBBBBB active :2025-06-01, 2026-12-01',
      '```',
      '',
      '<details><summary>IDs and certificates</summary>',
      '',
      '**Late**<br><code>id-Late</code> api.example',
      '',
      '| thumbprint | valid from | to |  |',
      '| --- | --- | --- | --- |',
      `| **<code>${OTHER}</code>** | **2025-06-01T00:00:00Z** | **2026-03-03T00:00:00Z** | **1 day left, active** |`,
      '',
      '**Fine**<br><code>id-Fine</code> api.example',
      '',
      '| thumbprint | valid from | to |  |',
      '| --- | --- | --- | --- |',
      `| **<code>${OTHER}</code>** | **2025-06-01T00:00:00Z** | **2026-12-01T00:00:00Z** | **274 days left, active** |`,
      '',
      '</details>',
      '',
    ]);
  });

  test.each<[string, Finding[]]>([
    ['✅ 0 connectors fine.', []],
    ['✅ 1 connector fine.', [fine]],
    ['✅ 2 connectors fine.', [fine, fine]],
    ['⚠️ 1 connector of 2 with a warning.', [fine, soon]],
    ['⚠️ 2 connectors of 2 with a warning.', [soon, soon]],
    ['❌ 1 connector of 3 failing, 1 with a warning.', [soon, unread('c-1', failure), fine]],
  ])('%s', (result, findings) => {
    expect(summary(...findings)[2]).toBe(`${result} Tenant the-tenant.`);
  });

  test('in the table: what fails, what warns, what is fine, each by the days that are left', () => {
    const findings = [
      until('Later', '2027-01-01'),
      on('Basic', connectorWith('basic')),
      fine,
      until('Sooner', '2026-03-10'),
      soon,
      unread('id-<b>', failure),
      until('Odd', 'soon'),
      until('Gone', '2026-02-01'),
      until('Today', '2026-03-02'),
    ];
    expect(rows(summary(...findings))).toEqual([
      '| Gone | certificate until 2026-02-01 | -29 | ❌ has expired |',
      '| Today | certificate until 2026-03-02 | 0 | ❌ expires soon |',
      '| id-&#60;b&#62; | not known |  | ❌ could not be read&#58;<wbr> It was so. |',
      `| Odd | certificate until unknown |  | ❌ the expiry date of its active certificate &#40;${OTHER}&#41; cannot be read. |`,
      '| Sooner | certificate until 2026-03-10 | 8 | ⚠️ expires soon |',
      '| Soon | certificate until 2026-03-20 | 18 | ⚠️ expires soon |',
      '| Basic | user name and password |  | ⚠️ authenticates with a user name and password, not with a certificate. |',
      '| Fine | certificate until 2026-12-01 | 274 | ✅ fine |',
      '| Later | certificate until 2027-01-01 | 305 | ✅ fine |',
    ]);
  });
});

describe('the IDs, where every connector was asked for', () => {
  const ids = (...connectors: readonly Partial<Connector>[]): readonly string[] => {
    const findings = connectors.map((more) =>
      judge({ ...after, ...more }, { warnDays: 30, failDays: 7, named: false }, NOW),
    );
    const all = checkSummary(findings, { ...context, all: true }).split('\n');
    const from = all.indexOf('**For the input connector-id**');
    return from < 0 ? [] : all.slice(from + 2, all.indexOf('<details><summary>IDs and certificates</summary>'));
  };

  test('stand in one block, each below a comment with its name', () => {
    expect(ids({ id: 'id-1', displayName: 'Sign-up' }, { id: 'id-2', displayName: '' })).toEqual([
      ...['```text', '# Sign-up', 'id-1', 'id-2', '```', ''],
    ]);
  });

  test('whatever a name is, it is a comment of one line in the block', () => {
    const names = ['a\nid-x', '``` \u001b[1m', '<b>x</b> `', '#[group]', '\u200b'];
    expect(ids(...names.map((displayName, n) => ({ id: `id-${n}`, displayName })))).toEqual([
      ...['````text', '# a id-x', 'id-0', '# ```', 'id-1', '# <b>x</b> `', 'id-2', '# #[group]', 'id-3', 'id-4'],
      ...['````', ''],
    ]);
  });

  test('as many as the input accepts', () => {
    const many = (n: number) => ids(...Array.from({ length: n }, (_, i) => ({ id: `id-${i}` })));
    expect(many(500).filter((line) => line.startsWith('id-'))).toHaveLength(500);
    expect(many(500).at(-2)).toBe('```');
    expect(many(502).slice(-5)).toEqual(['id-499', '```', '', '… and 2 more connectors: the log has their IDs.', '']);
  });

  test('none without connectors', () => {
    expect(ids()).toEqual([]);
  });
});

describe('the file of the summary', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'summary-'));
    file = join(folder, 'summary.md');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const append = (text: string, path = file): readonly string[] =>
    inStep({}, { GITHUB_STEP_SUMMARY: path }, () => {
      appendSummary(text);
    }).lines;

  test('what is there stays', () => {
    writeFileSync(file, 'before\n');
    expect(append('after')).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe('before\nafter\n');
  });

  test('if there is none, nothing is written and nothing said', () => {
    expect(append('text', '')).toEqual([]);
  });

  test('if it cannot be written, the log says so and the step goes on', () => {
    expect(append('text', folder)).toEqual([expect.stringMatching(/^The job summary could not be written: EISDIR/)]);
  });

  test('GitHub shows no more than 1 MiB: what is longer is cut after a whole line', () => {
    const line = `| ${'ü'.repeat(100)} |`;
    append(Array(10_000).fill(line).join('\n'));
    const written = readFileSync(file);
    expect(written.length).toBeLessThanOrEqual(1024 * 1024);
    expect(written.length).toBeGreaterThan(1_000_000);
    const all = written.toString().split('\n');
    expect(all.slice(-5)).toEqual([line, '', '… The rest is left out: GitHub shows no more than 1 MiB.', '', '']);
    expect(new Set(all.slice(0, -4))).toEqual(new Set([line]));
  });

  test('a summary that just fits is whole', () => {
    const text = 'x'.repeat(1_000_000);
    append(text);
    expect(readFileSync(file, 'utf8')).toBe(`${text}\n`);
  });
});
