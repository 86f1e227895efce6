/** A connector as Microsoft Graph describes it. */
import { describe, expect, jest, test } from '@jest/globals';
import { Failure } from '../../src/failure.ts';
import {
  activeCertificate,
  byAge,
  certificatesOf,
  entriesAfter,
  entriesOf,
  twinsOf,
  nameOf,
  parseConnector,
  parsePage,
  type Connector,
  type ConnectorCertificate,
} from '../../src/graph/connector.ts';
import { NEW, OLD, connector, entry, connectorBody } from './scripted-graph.ts';

/** The response on https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate, as printed there. */
const EXAMPLE = {
  '@odata.context': 'https://graph.microsoft.com/v1.0/$metadata#identity/apiConnectors/$entity',
  id: '45715bb8-13f9-4bf6-927f-ef96c102d394',
  displayName: 'My API connector',
  targetUrl: 'https://api.contoso.com/endpoint',
  authenticationConfiguration: {
    '@odata.type': '#microsoft.graph.clientCertificateAuthentication',
    certificateList: [
      {
        thumbprint: '0EB255CC895477798BA418B378255204304897AD',
        notAfter: 1666350522,
        notBefore: 1508670522,
        isActive: true,
      },
    ],
  },
};

describe('reading a connector', () => {
  test("the API page's own example", () => {
    const connector = parseConnector(JSON.stringify(EXAMPLE));
    expect(connector).toEqual({
      id: '45715bb8-13f9-4bf6-927f-ef96c102d394',
      displayName: 'My API connector',
      targetUrl: 'https://api.contoso.com/endpoint',
      authentication: {
        type: 'certificate',
        certificates: [
          {
            thumbprint: '0EB255CC895477798BA418B378255204304897AD',
            notAfter: 1666350522,
            notBefore: 1508670522,
            isActive: true,
          },
        ],
      },
    });
    const [certificate] = certificatesOf(connector);
    expect(new Date((certificate?.notBefore ?? 0) * 1000).toISOString()).toBe('2017-10-22T11:08:42.000Z');
    expect(new Date((certificate?.notAfter ?? 0) * 1000).toISOString()).toBe('2022-10-21T11:08:42.000Z');
  });

  test('Int64 as strings, a thumbprint in lower case', () => {
    const entry = {
      thumbprint: '0eb255cc895477798ba418b378255204304897ad',
      notAfter: '1666350522',
      notBefore: '1508670522',
      isActive: false,
    };
    const connector = parseConnector(
      JSON.stringify({
        ...EXAMPLE,
        authenticationConfiguration: { ...EXAMPLE.authenticationConfiguration, certificateList: [entry] },
      }),
    );
    expect(certificatesOf(connector)).toEqual([
      {
        thumbprint: '0EB255CC895477798BA418B378255204304897AD',
        notAfter: 1666350522,
        notBefore: 1508670522,
        isActive: false,
      },
    ]);
  });

  test.each([
    ['basic', { '@odata.type': '#microsoft.graph.basicAuthentication', username: 'u', password: '******' }],
    ['none', null],
    ['unknown', { '@odata.type': '#microsoft.graph.somethingNew' }],
  ])('authentication: %s', (type, authenticationConfiguration) => {
    const connector = parseConnector(JSON.stringify({ ...EXAMPLE, authenticationConfiguration }));
    expect(connector?.authentication).toEqual({ type });
    expect(certificatesOf(connector)).toEqual([]);
  });

  test.each(['', '<html>', '[]', 'null', '{"id":5}', JSON.stringify(EXAMPLE).slice(0, 200)])(
    '%j is no connector',
    (body) => {
      expect(parseConnector(body)).toBeUndefined();
    },
  );
});

describe('reading a connector of an unforeseen shape', () => {
  test('names that are missing or no text are empty', () => {
    expect(parseConnector('{"id":"c1","displayName":7,"targetUrl":null,"authenticationConfiguration":null}')).toEqual({
      id: 'c1',
      displayName: '',
      targetUrl: '',
      authentication: { type: 'none' },
    });
  });

  test.each(['a text', 7, true, ['a list'], {}])(
    'a configuration that is %j is of an unknown kind',
    (configuration) => {
      const connector = parseConnector(JSON.stringify({ id: 'c1', authenticationConfiguration: configuration }));
      expect(connector?.authentication).toEqual({ type: 'unknown' });
    },
  );

  test('a list of certificates that is no list holds none', () => {
    expect(parseConnector(connectorBody('c1', { length: 1 }))?.authentication).toEqual({
      type: 'certificate',
      certificates: [],
    });
  });

  test('what is no object in the list of certificates is passed over', () => {
    const connector = parseConnector(connectorBody('c1', [null, 'text', [], entry(NEW)]));
    expect(certificatesOf(connector).map(({ thumbprint }) => thumbprint)).toEqual([NEW]);
  });

  test.each([null, true, {}, undefined])('a date that is %j is no number', (date) => {
    const connector = parseConnector(connectorBody('c1', [{ thumbprint: NEW, notBefore: date, notAfter: date }]));
    expect(certificatesOf(connector)).toEqual([
      { thumbprint: NEW, notBefore: Number.NaN, notAfter: Number.NaN, isActive: false },
    ]);
  });

  test('only true means active', () => {
    const connector = parseConnector(connectorBody('c1', [{ ...entry(NEW), isActive: 'true' }]));
    expect(certificatesOf(connector)).toMatchObject([{ isActive: false }]);
  });

  test('a thumbprint is cleaned, and cut after 64 characters', () => {
    const connector = parseConnector(connectorBody('c1', [entry(`\u001b[31m${'a'.repeat(70)}`)]));
    expect(certificatesOf(connector)).toMatchObject([{ thumbprint: `${'a'.repeat(64)}…` }]);
  });
});

describe('what a connector authenticates with, in any spelling', () => {
  const typeOf = (authenticationConfiguration: unknown): unknown =>
    parseConnector(JSON.stringify({ id: 'c1', authenticationConfiguration }))?.authentication.type;

  test.each([
    ['basic', { '@odata.type': '#microsoft.graph.basicAuthentication', username: 'u', password: '******' }],
    ['basic', { '@odata.type': 'microsoft.graph.basicAuthentication', username: 'u' }],
    ['basic', { '@odata.type': '#Microsoft.Graph.BasicAuthentication' }],
    ['basic', { username: 'u', password: '******' }],
    ['certificate', { '@odata.type': '#microsoft.graph.clientCertificateAuthentication', certificateList: [] }],
    ['certificate', { '@odata.type': 'microsoft.graph.clientCertificateAuthentication', certificateList: null }],
    ['certificate', { certificateList: [] }],
    ['none', null],
    ['unknown', undefined],
    ['unknown', {}],
    ['unknown', 'text'],
    ['unknown', { '@odata.type': '#microsoft.graph.apiAuthenticationConfigurationBase' }],
    ['unknown', { '@odata.type': '#microsoft.graph.pkcs12Certificate', pkcs12Value: null, password: '******' }],
    ['unknown', { '@odata.type': '#microsoft.graph.managedIdentityAuthentication' }],
    ['unknown', { '@odata.type': '#microsoft.graph.somethingNew', username: 'u' }],
    ['unknown', { '@odata.type': '#microsoft.graph.somethingNew', certificateList: [] }],
    ['unknown', { '@odata.type': 'basic#microsoft.graph.authentication' }],
  ])('%s: %j', (type, configuration) => {
    expect(typeOf(configuration)).toBe(type);
  });
});

describe('a certificate is recognised', () => {
  const SHA1 = '0EB255CC895477798BA418B378255204304897AD';
  const OTHER = 'A'.repeat(40);
  const SHA256 = 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855';
  const own = {
    thumbprint: SHA1,
    sha256: SHA256,
    notBefore: new Date(1508670522_000),
    notAfter: new Date(1666350522_000),
  };
  const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
  const pairs = (hex: string, separator: string): string => hex.match(/../g)?.join(separator) ?? '';
  const withEntries = (...entries: object[]): Connector | undefined => parseConnector(connectorBody('c1', entries));

  test.each([
    SHA1,
    SHA1.toLowerCase(),
    pairs(SHA1, ':'),
    pairs(SHA1.toLowerCase(), ' '),
    pairs(SHA1, '-'),
    `\u200e${SHA1}`,
    ` ${SHA1}\n`,
    bytes(SHA1).toString('base64'),
    bytes(SHA1).toString('base64url'),
    SHA256,
    pairs(SHA256.toLowerCase(), ':'),
    bytes(SHA256).toString('base64'),
  ])('by the thumbprint %j', (thumbprint) => {
    const connector = withEntries({ ...entry(thumbprint), notBefore: 5, notAfter: 6 });
    expect(entriesOf(connector, own)).toHaveLength(1);
  });

  test.each([[null], ['in some new form'], ['']])('by its two dates, if the thumbprint is %j', (thumbprint) => {
    expect(entriesOf(withEntries({ ...entry(''), thumbprint }), own)).toHaveLength(1);
    for (const date of ['notBefore', 'notAfter'])
      expect(entriesOf(withEntries({ ...entry(''), thumbprint, [date]: 1 }), own)).toEqual([]);
  });

  test('not by its dates alone, if the thumbprint is of another certificate', () => {
    expect(entriesOf(withEntries(entry('A'.repeat(40))), own)).toEqual([]);
  });

  test('after a change by the dates of a new entry, whatever its thumbprint', () => {
    const before = withEntries(entry('A'.repeat(40)));
    const after = withEntries(entry('A'.repeat(40)), entry('F'.repeat(40)));
    expect(entriesAfter(before, after, own)).toMatchObject([{ thumbprint: 'F'.repeat(40) }]);
    expect(entriesAfter(before, before, own)).toEqual([]);
  });

  test('after a change by one entry more with its dates, though it has the thumbprint of an older one', () => {
    const [once, twice] = [withEntries(entry(OTHER)), withEntries(entry(OTHER), entry(OTHER))];
    expect(entriesAfter(once, twice, own)).toHaveLength(1);
    expect(entriesAfter(twice, twice, own)).toEqual([]);
    expect(entriesAfter(twice, once, own)).toEqual([]);
    expect(entriesAfter(undefined, twice, own)).toHaveLength(2);
  });

  test('what may be it, under a thumbprint that nobody knows: entries with its two dates', () => {
    const twin = entry(OTHER);
    const connector = withEntries(entry(SHA1), twin, { ...entry('D'.repeat(40)), notAfter: 5 }, entry(''));
    expect(twinsOf(connector, own)).toEqual([twin]);
    expect(twinsOf(undefined, own)).toEqual([]);
  });

  test.each([
    [1666350522, 1666350522],
    ['1666350522', 1666350522],
    [' 1666350522 ', 1666350522],
    ['-1', -1],
    ['2022-10-21T11:08:42Z', 1666350522],
    ['2022-10-21', 1666310400],
    [1e13, Number.NaN],
    // Milliseconds, as a number and as a text.
    [1666350522000, Number.NaN],
    ['1666350522000', Number.NaN],
    [253402300799, 253402300799],
    [253402300800, Number.NaN],
    [-62135596800, -62135596800],
    [-62135596801, Number.NaN],
    [1666350522.9, 1666350522],
    ['2027-02-31', Number.NaN],
    ['2027-02-29T00:00:00Z', Number.NaN],
    ['2028-02-29T23:59:59-01:00', 1835485199],
    ['2027-13-01', Number.NaN],
    [null, Number.NaN],
    ['', Number.NaN],
    ['soon', Number.NaN],
    ['soon 5', Number.NaN],
    ['2.5', Number.NaN],
    ['2022-10-21T11:08:42.1234567Z', 1666350522],
    ['2022-10-21T13:08:42+02:00', 1666350522],
    ['2022-10-21T11:08:42', 1666350522],
  ])('the date %j is read as %j', (notAfter, seconds) => {
    expect(certificatesOf(withEntries({ ...entry(SHA1), notAfter }))[0]?.notAfter).toBe(seconds);
  });
});

describe('what is shown of a connector', () => {
  const NAMED: Connector = { ...connector('c1', OLD), displayName: 'n'.repeat(90) };

  test.each<[string, Connector | undefined, string]>([
    ['its name', connector('c1'), 'Sign-up'],
    ['a long name, cut', NAMED, `${'n'.repeat(80)}…`],
    ['its id, if it has no name', { ...NAMED, displayName: ' ' }, `c${'1'.repeat(79)}…`],
    ['its id, if it was not read', undefined, `c${'1'.repeat(79)}…`],
  ])('%s', (_what, shown, name) => {
    expect(nameOf(`c${'1'.repeat(90)}`, shown)).toBe(name);
  });

  test('the certificate that is active', () => {
    const [active] = certificatesOf(NAMED);
    const list = [{ ...entry(NEW), isActive: false }, entry(OLD)];
    expect(activeCertificate(parseConnector(connectorBody('c1', list)))).toEqual(active);
    expect(activeCertificate(parseConnector(connectorBody('c1', [list[0]])))).toBeUndefined();
    expect(activeCertificate(undefined)).toBeUndefined();
  });

  /** Certificates that begin on these days. */
  const since = (days: readonly number[], isActive = false): ConnectorCertificate[] =>
    days.map((day) => ({ thumbprint: `${isActive} ${day}`, notBefore: day, notAfter: day + 9, isActive }));
  const days = (from: number, count: number): number[] => Array.from({ length: count }, (_, n) => from + n);

  test('certificates oldest first, by when they begin and then by when they expire', () => {
    const [one, two, three] = since([1, 2, 3]) as [ConnectorCertificate, ConnectorCertificate, ConnectorCertificate];
    const longer = { ...two, notAfter: 99 };
    const active = { ...two, notAfter: 50, isActive: true };
    expect(byAge([three, longer, active, two, one])).toEqual([one, two, active, longer, three]);
    expect(byAge([])).toEqual([]);
  });

  test.each([
    ['the active one and the newest', since([5], true), days(100, 60), [5, ...days(111, 49)]],
    ['the newest', [], days(100, 60).reverse(), days(110, 50)],
    ['half of them active', since(days(1, 30), true), days(100, 30), [...days(1, 25), ...days(105, 25)]],
  ])('of very many certificates 50: %s', (_what, active, others, shown) => {
    expect(byAge([...since(others), ...active]).map(({ notBefore }) => notBefore)).toEqual(shown);
  });
});

describe('a connector with more certificates than anybody has', () => {
  const many = (count: number): object[] => Array.from({ length: count }, () => ({ thumbprint: '\u0001?' }));
  const thrownBy = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      return error;
    }
  };

  test('1,000 are read', () => {
    expect(certificatesOf(parseConnector(connectorBody('c1', many(1000))))).toHaveLength(1000);
  });

  test('of more none is read, however many there are: a part of them would be taken for all', () => {
    const body = connectorBody('c1', many(150_000));
    const cleaned = jest.spyOn(String.prototype, 'replace');
    const failure = thrownBy(() => parseConnector(body));
    expect(cleaned.mock.calls.length).toBeLessThan(1000);
    cleaned.mockRestore();
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({
      code: 'LIST_TOO_LONG',
      message: 'Microsoft Graph sent 150000 certificates for the API connector Sign-up (c1); at most 1000 are read.',
    });
  });

  test('a page with 10,000 in all is read, and one with more is not', () => {
    const page = (connectors: number, each: number): string =>
      `{"value":[${Array.from({ length: connectors }, (_, n) => connectorBody(`c${n}`, many(each))).join(',')}]}`;
    expect(parsePage(page(20, 500))?.items).toHaveLength(20);
    expect(thrownBy(() => parsePage(page(101, 100)))).toMatchObject({
      code: 'LIST_TOO_LONG',
      message: 'Microsoft Graph sent 10100 certificates on one page of its list; at most 10000 are read.',
    });
  });
});
