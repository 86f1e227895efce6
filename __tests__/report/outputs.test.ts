/** The outputs of the steps, as the next step of a job reads them. */
import { describe, expect, test } from '@jest/globals';
import { judge, unread } from '../../src/connectors/expiry.ts';
import type { Outcome } from '../../src/connectors/outcome.ts';
import { Failure } from '../../src/failure.ts';
import type { Connector } from '../../src/graph/connector.ts';
import {
  setCertificateOutputs,
  setCheckOutputs,
  setConnectorOutputs,
  setDueOutputs,
  setHandOverOutputs,
  setTrustOutput,
  setUncheckedOutputs,
  tryToWriteOutputs,
  writeOutputs,
} from '../../src/report/outputs.ts';
import { connectorWith, held, heldNew, newCertificate, NOW, OLD, OTHER } from '../connectors/samples.ts';
import { inStep } from '../in-step.ts';
import { failureOf, openFixture } from '../pkcs12/fixtures.ts';

/** The outputs that `action` sets; lists and objects parsed. */
function outputsOf(action: () => void): Record<string, unknown> {
  const { lines } = inStep({}, { GITHUB_OUTPUT: '' }, action);
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = '', value = ''] = /^::set-output name=([\w-]+)::(.*)$/.exec(line) ?? [];
      const text = value.replaceAll('%0A', '\n').replaceAll('%0D', '\r').replaceAll('%25', '%');
      return [name, /^[[{]/.test(text) ? (JSON.parse(text) as unknown) : text];
    }),
  );
}

const certificate = newCertificate();
const old = held(OLD, '2026-06-01T00:00:00Z');
const failure = new Failure('THROTTLED', 'It was so.', 'Do this.');

test('the certificate: with its issuers, and without its key', () => {
  const chained = openFixture('openssl-chain.pfx');
  expect(chained.chain.length).toBeGreaterThan(0);
  expect(
    outputsOf(() => {
      setCertificateOutputs({ ...chained, notBefore: new Date('2026-02-01'), notAfter: new Date('2027-02-01') });
    }),
  ).toEqual({
    thumbprint: chained.thumbprint,
    'not-before': '2026-02-01T00:00:00Z',
    'not-after': '2027-02-01T00:00:00Z',
    certificate: [chained.leaf, ...chained.chain].map(String).join(''),
  });
});

test.each([
  ['of all that were read', { missing: [], unread: 0 }, { 'trusted-thumbprints': `${OLD},${OTHER}` }],
  ['not if one could not be read', { missing: [], unread: 1 }, {}],
  ['not if one in use has no known thumbprint', { missing: ['A uses another one.'], unread: 0 }, {}],
])('trusted-thumbprints: %s', (_, gaps, outputs) => {
  const certificates = [OLD, OTHER].map((thumbprint) => ({ thumbprint, notAfter: NOW, usedBy: [], usedLaterBy: [] }));
  expect(
    outputsOf(() => {
      setTrustOutput({ certificates, ...gaps });
    }),
  ).toEqual(outputs);
});

describe('what is more than GitHub accepts as an output', () => {
  const many = Array.from({ length: 12_001 }, (_, n) => ({
    thumbprint: n.toString(16).toUpperCase().padStart(40, '0'),
    notAfter: NOW,
    usedBy: [],
    usedLaterBy: [],
  }));

  test.each([
    [12_000, 12_000 * 41 - 1],
    [12_001, undefined],
  ])('of %d thumbprints, none is left out: the set is whole, or not set', (count, length) => {
    const outputs = outputsOf(() => {
      setTrustOutput({ certificates: many.slice(0, count), missing: [], unread: 0 });
    });
    expect((outputs['trusted-thumbprints'] as string | undefined)?.length).toBe(length);
  });

  const findings = (connectors: number, certificates: number) =>
    Array.from({ length: connectors }, (_, n) =>
      judge(
        connectorWith(
          Array.from({ length: certificates }, () => old),
          { id: `c-${n}`, targetUrl: `https://api.example/${'x'.repeat(2000)}` },
        ),
        { warnDays: 30, failDays: 7, named: true },
        NOW,
      ),
    );
  const outputAndLog = (action: () => void): { connectors: object[]; log: string; length: number } => {
    const { lines } = inStep({}, { GITHUB_OUTPUT: '' }, action);
    const output = lines.find((line) => line.startsWith('::set-output name=connectors::')) ?? '';
    const json = output.slice('::set-output name=connectors::'.length).replaceAll('%25', '%');
    return {
      connectors: JSON.parse(json) as object[],
      length: json.length,
      log: lines.filter((line) => !line.startsWith('::')).join('\n'),
    };
  };

  test('a list that fits is whole, and nothing is said', () => {
    const { connectors, log } = outputAndLog(() => {
      setCheckOutputs(findings(50, 50));
    });
    expect(connectors).toHaveLength(50);
    expect(connectors.at(-1)).toMatchObject({ id: 'c-49', certificates: Array.from({ length: 25 }, () => old) });
    expect(log).toBe('');
  });

  test('first the certificates are left out', () => {
    const { connectors, length, log } = outputAndLog(() => {
      setCheckOutputs(findings(180, 50));
    });
    expect(connectors).toHaveLength(180);
    expect(connectors.some((connector) => 'certificates' in connector)).toBe(false);
    expect(length).toBeLessThanOrEqual(500_000);
    expect(log).toBe('The output connectors lacks "certificates" of each, because GitHub limits its length.');
  });

  test('then the last connectors', () => {
    const { connectors, length, log } = outputAndLog(() => {
      setCheckOutputs(findings(1000, 1));
    });
    expect(length).toBeLessThanOrEqual(500_000);
    expect(length).toBeGreaterThan(490_000);
    expect(connectors.at(-1)).toMatchObject({ id: `c-${connectors.length - 1}` });
    expect(log).toBe(
      `The output connectors lacks "certificates" of each, and ${1000 - connectors.length} connectors, because GitHub limits its length.`,
    );
  });

  test('of the certificate, the last of its issuers', () => {
    const chained = openFixture('openssl-chain.pfx');
    const chain = Array.from({ length: 1000 }, () => chained.leaf);
    const { lines } = inStep({}, { GITHUB_OUTPUT: '' }, () => {
      setCertificateOutputs({ ...chained, chain });
    });
    expect(lines.find((line) => line.includes('name=certificate::'))).toMatch(/-----END CERTIFICATE-----%0A$/);
    expect(lines.at(-1)).toMatch(/^The output certificate lacks \d+ certificates, because GitHub limits its length\.$/);
  });
});

test.each<[string[], object]>([
  [[], { needed: 'false', 'due-connectors': '' }],
  [['b'], { needed: 'true', 'due-connectors': 'b' }],
  [['b', 'a'], { needed: 'true', 'due-connectors': 'b\na' }],
])('the create step: which connectors are due, as connector-id has them: %j', (ids, outputs) => {
  expect(
    outputsOf(() => {
      setDueOutputs(ids);
    }),
  ).toEqual(outputs);
});

test('the create step: where the file is', () => {
  expect(
    outputsOf(() => {
      setHandOverOutputs({ path: '/tmp/a.pfx', password: 'throw-away' });
    }),
  ).toEqual({ 'pfx-file': '/tmp/a.pfx', password: 'throw-away' });
});

describe('the upload step', () => {
  const before = connectorWith([old], { targetUrl: 'https://user:throw-away@api.example/x?code=throw-away' });
  const after: Connector = { ...before, authentication: connectorWith([heldNew(certificate), old]).authentication };
  const done = (connector = after): Outcome => ({
    id: 'c-1',
    before,
    connector,
    warnings: [],
    result: 'changed',
    text: '',
  });
  const failed: Outcome = {
    id: 'c-2',
    before: undefined,
    connector: undefined,
    warnings: [],
    result: 'failed',
    failure,
  };
  const left: Outcome = { ...done(), result: 'unchanged', text: '' };
  const outputs = (...outcomes: Outcome[]): Record<string, unknown> =>
    outputsOf(() => {
      setConnectorOutputs(outcomes, certificate);
    });

  test('every connector with its certificates, from the oldest to the newest', () => {
    const own = {
      thumbprint: certificate.thumbprint,
      notBefore: Date.parse('2026-02-01') / 1000,
      notAfter: Date.parse('2027-02-01') / 1000,
    };
    expect(outputs(done(), failed)).toEqual({
      'is-active': 'false',
      uploaded: 'true',
      connectors: [
        {
          id: 'c-1',
          displayName: 'Sign-up',
          targetUrl: 'https://api.example/x?…',
          uploaded: true,
          isActive: true,
          ...own,
          certificates: [old, { ...own, isActive: true }],
        },
        {
          id: 'c-2',
          displayName: '',
          targetUrl: '',
          uploaded: false,
          isActive: false,
          ...own,
          certificates: [],
          failure: 'THROTTLED',
        },
      ],
    });
  });

  test.each([
    ['all changed', [done(), done()], 'true', 'true'],
    ['one changed, one left', [done(), left], 'true', 'true'],
    ['all left', [left], 'true', 'false'],
    ['not in use', [done(before)], 'false', 'true'],
    ['one failed', [left, failed], 'false', 'false'],
    ['one failed because it is not used', [{ ...failed, uploaded: true } as const], 'false', 'true'],
  ])('is-active of all, uploaded to any: %s', (_, outcomes, isActive, uploaded) => {
    expect(outputs(...outcomes)).toMatchObject({ 'is-active': isActive, uploaded });
  });
});

describe('the check step', () => {
  const found = (...connectors: Connector[]): Record<string, unknown> =>
    outputsOf(() => {
      const thresholds = { warnDays: 30, failDays: 7, named: false };
      setCheckOutputs(connectors.map((connector) => judge(connector, thresholds, NOW)));
    });
  const until = (notAfter: string, thumbprint = OLD): Connector => connectorWith([held(thumbprint, notAfter)]);
  const [fine, soon, late] = [until('2026-12-01'), until('2026-03-20', OTHER), until('2026-03-02', 'C'.repeat(40))];
  const unreadable = until('soon', 'D'.repeat(40));
  const NOTHING = { 'days-left': '', 'not-after': '', thumbprint: '' };

  test.each<[string, Connector[], object]>([
    ['one is fine', [fine], { status: 'ok', 'days-left': '274', 'not-after': '2026-12-01T00:00:00Z', thumbprint: OLD }],
    ['one of them expires soon', [fine, soon], { status: 'warning', 'days-left': '18', thumbprint: OTHER }],
    ['one of them fails', [fine, late, soon], { status: 'failing', 'days-left': '0', thumbprint: 'C'.repeat(40) }],
    ['none has a certificate', [connectorWith('basic')], { status: 'ok', ...NOTHING }],
    ['there are none', [], { status: 'ok', ...NOTHING, connectors: [] }],
    ['a date cannot be read', [unreadable], { status: 'failing', ...NOTHING }],
    [
      'a date between two others cannot be read',
      [fine, unreadable, soon],
      { status: 'failing', 'days-left': '18', 'not-after': '2026-03-20T00:00:00Z', thumbprint: OTHER },
    ],
  ])('the worst status, and the certificate that expires first: %s', (_, connectors, outputs) => {
    expect(found(...connectors)).toMatchObject(outputs);
  });

  test('what is known of each connector', () => {
    const { connectors } = found(fine, connectorWith('unknown', { id: 'c-2', displayName: 'a\nb' }), unreadable);
    const common = { displayName: 'Sign-up', targetUrl: 'https://api.example/sign-up' };
    const certificates = (connector: Connector) =>
      'certificates' in connector.authentication && connector.authentication.certificates;
    expect(connectors).toEqual([
      {
        ...common,
        id: 'c-1',
        authentication: 'certificate',
        status: 'ok',
        daysLeft: 274,
        thumbprint: OLD,
        notAfter: Date.parse('2026-12-01') / 1000,
        certificates: certificates(fine),
      },
      {
        ...common,
        id: 'c-2',
        displayName: 'a b',
        authentication: 'unknown',
        status: 'warning',
        daysLeft: null,
        thumbprint: null,
        notAfter: null,
        certificates: [],
      },
      expect.objectContaining({ status: 'failing', daysLeft: null, notAfter: null, failure: 'EXPIRY_UNREADABLE' }),
    ]);
  });

  test('a connector that could not be read', () => {
    const { status, connectors } = outputsOf(() => {
      setCheckOutputs([unread('c-2', failure)]);
    });
    expect([status, connectors]).toEqual([
      'failing',
      [
        {
          id: 'c-2',
          displayName: '',
          targetUrl: '',
          authentication: null,
          status: 'failing',
          daysLeft: null,
          thumbprint: null,
          notAfter: null,
          certificates: [],
          failure: 'THROTTLED',
        },
      ],
    ]);
  });

  test('an id that the service sent has nothing in it that a terminal obeys', () => {
    const { connectors } = found(connectorWith('none', { id: 'c\u001b[31m\u202e-1' }));
    expect(connectors).toMatchObject([{ id: 'c -1' }]);
  });

  test('nothing could be read', () => {
    expect(outputsOf(setUncheckedOutputs)).toEqual({ status: 'failing' });
  });
});

describe('outputs that cannot be written', () => {
  const full = (): never => {
    throw new Error('ENOSPC: no space left on device\n::error::x');
  };

  test('what was done is said first', () => {
    expect(
      failureOf(() => {
        writeOutputs('1 connector updated.', full);
      }),
    ).toMatchObject({
      code: 'OUTPUTS_NOT_WRITTEN',
      message:
        '1 connector updated. The outputs of the step could not be written: ENOSPC: no space left on device ::error::x.',
      remedy:
        'Free disk space on the runner. Running the job again is safe: what is done is recognised and left alone.',
      cause: expect.objectContaining({ message: expect.stringContaining('ENOSPC') }),
    });
  });

  test('an error that is none is shown as it is', () => {
    const { message } = failureOf(() => {
      writeOutputs('Nothing was changed', () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw 'odd';
      });
    });
    expect(message).toBe('Nothing was changed. The outputs of the step could not be written: odd.');
  });

  test('of a step that failed already: a line in the log', () => {
    const { lines } = inStep({}, {}, () => {
      tryToWriteOutputs(full);
    });
    expect(lines).toEqual([
      'The outputs of the step could not be written: ENOSPC: no space left on device ::error::x.',
    ]);
  });
});
