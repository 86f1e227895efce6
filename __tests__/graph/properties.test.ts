/** What holds for any text and any answer, however a server makes it up. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { clean, markdown } from '../../src/text/clean.ts';
import { cloudByName } from '../../src/sign-in/application.ts';
import { explainEntra } from '../../src/sign-in/entra-refusal.ts';
import { FAILURE_CODES, Failure } from '../../src/failure.ts';
import { explainGraph } from '../../src/graph/refusal.ts';
import { ApiConnectors } from '../../src/graph/api-connectors.ts';
import { GraphClient } from '../../src/graph/client.ts';
import { certificatesOf, parseConnector, type Connector } from '../../src/graph/connector.ts';
import type { HttpRequest, HttpResponse } from '../../src/http/client.ts';
import { TransportError } from '../../src/http/transport-error.ts';
import { anyCharacter } from '../any-character.ts';
import { answer, ScriptedHttp } from '../scripted-http.ts';

/** Control and format characters, half characters, line and paragraph separators. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;
const application = {
  tenantId: '11111111-2222-4333-8444-555555555555',
  clientId: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
  cloud: cloudByName('global'),
  audience: 'api://AzureADTokenExchange',
};

/** Any UTF-16, and much of what something acts on. */
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: anyCharacter, maxLength: 20 }),
      fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
      fc.constantFrom('\u001b[31m', '\u001b', '[', '#', '##[', '\n::error::', '\u202e', ' ', '|', '<img>', '`', 'www.'),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(''));

/** JSON as a server may answer it, now and then of the right shape, and seldom JSON at all. */
function body(shape: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  return fc.oneof(
    {
      weight: 6,
      arbitrary: shape.map((value) => JSON.stringify(value) as string | undefined).map((json) => json ?? ''),
    },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: text },
  );
}
const value = fc.oneof(text, fc.jsonValue({ maxDepth: 2 }), fc.constant({ toString: null }), fc.constant([['x']]));
const record = (...names: readonly string[]): fc.Arbitrary<object> =>
  fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });

function response(of: fc.Arbitrary<string>): fc.Arbitrary<HttpResponse> {
  const headers = fc.record({ date: text, 'request-id': text, 'retry-after': text }, { requiredKeys: [] });
  const status = fc.oneof(
    fc.constantFrom(200, 302, 400, 401, 403, 404, 408, 429, 503),
    fc.integer({ min: 100, max: 599 }),
  );
  return fc.record({ status, headers: headers, body: of });
}

function expectPresentable(failure: Failure): void {
  expect(FAILURE_CODES).toContain(failure.code);
  expect(failure.message).not.toMatch(UNPRINTABLE);
  expect(failure.message).not.toContain('##[');
  expect(failure.message).not.toMatch(/undefined|\[object/);
  expect(failure.remedy.replaceAll('\n', '')).not.toMatch(UNPRINTABLE);
  expect(failure.remedy).not.toContain('##[');
  expect(failure.remedy).not.toMatch(/\n::/);
  expect(failure.remedy).not.toBe('');
}

test('clean text is one printable line of bounded length', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 400 }), (foreign, longest) => {
      const line = clean(foreign, longest);
      expect(line).not.toMatch(UNPRINTABLE);
      expect(line).not.toContain('##[');
      expect(line.length).toBeLessThanOrEqual(longest + 1);
      expect(line).toBe(line.trim());
      expect(clean(line, longest + 1)).toBe(line);
    }),
    { numRuns: 1000 },
  );
});

test('plain text is left as it is', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9äöü中]([A-Za-z0-9äöü中 .:/@|<>-]{0,100}[A-Za-z0-9äöü中])?$/), (plain) => {
      expect(clean(plain)).toBe(plain.replace(/ +/g, ' '));
    }),
  );
});

test('what is no text is no text', () => {
  fc.assert(
    fc.property(fc.anything(), (anything) => {
      if (typeof anything !== 'string') expect(clean(anything)).toBe('');
    }),
  );
});

test('Markdown has no markup', () => {
  fc.assert(
    fc.property(text, (foreign) => {
      // A place where a line may break: it keeps the renderer from making links and mentions.
      const cell = markdown(foreign).replaceAll('<wbr>', '');
      expect(cell).not.toMatch(/[<>|`[\]@*_~\\!(){}:/$]/);
      expect(cell).not.toMatch(/www\./i);
      // The only ampersands, hashes and semicolons of its own are those of references to characters.
      expect(cell.replace(/&#\d+;/g, '')).not.toMatch(/[&#]/);
      expect(cell).not.toMatch(UNPRINTABLE);
    }),
    { numRuns: 1000 },
  );
});

test('a connector is well-typed, or none', () => {
  const certificateList = fc.oneof(
    fc.array(fc.oneof(record('thumbprint', 'notBefore', 'notAfter', 'isActive'), value)),
    value,
  );
  const authenticationConfiguration = fc.oneof(fc.record({ '@odata.type': value, certificateList }), value);
  const connector = fc.record({
    id: fc.oneof(text, value),
    displayName: value,
    targetUrl: value,
    authenticationConfiguration,
  });
  fc.assert(
    fc.property(body(fc.oneof(connector, value)), (json) => {
      const parsed = parseConnector(json);
      if (parsed === undefined) return;
      const { id, displayName, targetUrl, authentication } = parsed;
      expect([typeof id, typeof displayName, typeof targetUrl]).toEqual(['string', 'string', 'string']);
      expect(['basic', 'certificate', 'none', 'unknown']).toContain(authentication.type);
      for (const { thumbprint, notBefore, notAfter, isActive } of certificatesOf(parsed)) {
        expect(thumbprint).not.toMatch(UNPRINTABLE);
        expect([typeof notBefore, typeof notAfter, typeof isActive]).toEqual(['number', 'number', 'boolean']);
      }
    }),
    { numRuns: 500 },
  );
});

test('whatever Entra answers is explained', () => {
  const codes = fc.array(fc.oneof(fc.constantFrom(70021, 7002138, 90033, 53003, 999), value), { maxLength: 2 });
  const said = fc
    .tuple(record('error', 'error_description', 'trace_id', 'timestamp', 'error_codes'), codes)
    .map(([error, error_codes]) => ({ ...error, error_codes }));
  const idToken = fc.record({ jwt: fc.constant('jwt'), issuer: text, subject: text, audience: text });
  fc.assert(
    fc.property(response(body(said)), idToken, (answer, presented) => {
      const { failure, retry } = explainEntra(answer, application, presented);
      expectPresentable(failure);
      expect(['no', 'yes']).toContain(retry);
    }),
    { numRuns: 500 },
  );
});

test('whatever Graph answers is explained', () => {
  const code = fc.oneof(fc.constantFrom('AADB2C90213', 'constructor', '__proto__', 'toString', 'valueOf'), value);
  const innerError = fc.oneof(record('request-id', 'date'), value);
  const said = fc.record({ error: fc.oneof(fc.record({ code, message: value, innerError }), value) });
  fc.assert(
    fc.property(response(body(said)), text, fc.array(text, { maxLength: 3 }), (answer, connectorId, roles) => {
      const { failure, retry } = explainGraph(answer, {
        connectorId,
        roles,
        application,
        permission: 'APIConnectors.ReadWrite.All',
      });
      expectPresentable(failure);
      expect(['no', 'yes', 'after-read']).toContain(retry);
    }),
    { numRuns: 500 },
  );
});

const THUMBPRINT = '0EB255CC895477798BA418B378255204304897AD';

const OTHER = 'D'.repeat(40);
const certificate = {
  thumbprint: THUMBPRINT,
  sha256: 'C'.repeat(64),
  notBefore: new Date(1_000),
  notAfter: new Date(2_000),
};

/** What happens to one request. */
interface Fate {
  /** How often the service carries out a change that it may carry out: something on the way may repeat it. */
  readonly acts: number;
  readonly response:
    | 'shows it'
    | 'shows the old list'
    | 'shows another'
    | 'is empty'
    | 'is a web page'
    | 'is lost'
    | 'is not sent'
    | number;
  readonly noise: string;
}

/** Rejected before anything is done; for all other statuses the service may have acted. */
const REJECTIONS = [400, 403, 404, 409, 423, 429];

/** A connector behind a network that loses and repeats requests, at a service whose reads lag. */
class LossyService {
  readonly #fates: Fate[];
  readonly #lag: number;
  readonly #now: () => number;
  /** When the certificate was added, each time; a PATCH leaves one entry. */
  readonly #added: number[] = [];
  /** Changes that were carried out. */
  carriedOut = 0;
  /** Whether it said of any that it was. */
  saidSo = false;

  constructor(fates: readonly Fate[], lag: number, now: () => number) {
    this.#fates = [...fates];
    this.#lag = lag;
    this.#now = now;
  }

  answer({ method, url }: HttpRequest): HttpResponse | TransportError {
    const { acts, response, noise } = this.#fates.shift() ?? { acts: 1, response: 'shows it', noise: '' };
    if (response === 'is not sent') return new TransportError('connect ECONNREFUSED', false);
    if (method !== 'GET') return this.#change(method === 'PATCH', acts, response, noise);
    const visible = this.#added.filter((time) => time + this.#lag <= this.#now()).length;
    if (response === 'is lost') return new TransportError('socket hang up', true);
    if (response === 'is a web page') return answer(200, PAGE);
    if (typeof response === 'number') return answer(response, noise);
    return answer(200, url.endsWith('/id') ? connectorOf(visible) : { value: [connectorOf(visible)] });
  }

  #change(isPatch: boolean, acts: number, response: Fate['response'], noise: string): HttpResponse | TransportError {
    const before = this.#added.length;
    const mayNot = response === 'is lost' || response === 'is a web page' || typeof response === 'number';
    const times = typeof response === 'number' && REJECTIONS.includes(response) ? 0 : mayNot ? acts : 1;
    if (times > 0) this.carriedOut++;
    for (let n = 0; n < times; n++) if (!isPatch || before + n === 0) this.#added.push(this.#now());
    this.saidSo ||= !mayNot;
    switch (response) {
      case 'shows it':
        return answer(200, connectorOf(isPatch ? 1 : before + 1));
      case 'shows the old list':
        return answer(200, connectorOf(before));
      case 'shows another':
        return answer(200, connectorOf(before, OTHER));
      case 'is empty':
        return answer(204);
      case 'is a web page':
        return answer(200, PAGE);
      case 'is lost':
      case 'is not sent':
        return new TransportError('socket hang up', true);
      default:
        return answer(response, noise);
    }
  }
}

const PAGE = '<!DOCTYPE html><html><title>Blocked</title></html>';

function connectorOf(entries: number, other?: string): object {
  const entry = (thumbprint: string, notAfter: number): object => ({
    thumbprint,
    notBefore: 1,
    notAfter,
    isActive: true,
  });
  const certificateList = Array.from({ length: entries }, () => entry(THUMBPRINT, 2));
  const type = '#microsoft.graph.clientCertificateAuthentication';
  return {
    id: 'id',
    authenticationConfiguration: {
      '@odata.type': type,
      certificateList: other === undefined ? certificateList : [...certificateList, entry(other, 3)],
    },
  };
}

test('whatever lags or gets lost, a certificate is uploaded at most once, and what is said of it is true', async () => {
  const codes = ['AADB2C90214', 'AADB2C90229', 'AADB2C95049', 'AADB2C95053', 'Directory_ConcurrencyViolation'];
  const said = fc.constantFrom(...codes).map((code) => JSON.stringify({ error: { code, message: 'x' } }));
  const fate = fc.record<Fate>({
    acts: fc.nat(2),
    response: fc.oneof(
      fc.constantFrom<Fate['response']>('shows it', 'shows it', 'shows the old list', 'shows another', 'is empty'),
      fc.constantFrom<Fate['response']>('is lost', 'is lost', 'is not sent', 'is a web page'),
      fc.constantFrom(400, 403, 404, 408, 409, 423, 429, 500, 502, 503, 504),
    ),
    noise: fc.oneof(body(value), text, said),
  });
  const lags = fc.integer({ min: 0, max: 12_000 });
  /** What is left of the step. */
  const left = fc.constantFrom(600_000, 60_000, 20_000, 10_000, 1_000);
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 12 }), lags, left, fc.boolean(), async (fates, lag, time, replace) => {
      const http = new ScriptedHttp();
      http.scripted.left = time;
      const service = new LossyService(fates, lag, () => http.scripted.now());
      http.otherwise = (request) => service.answer(request);
      const access = { token: 'throw-away', roles: [] };
      const permission = 'APIConnectors.ReadWrite.All';
      const log = (): void => undefined;
      const connectors = new ApiConnectors(new GraphClient({ http, application, access, permission, log }));
      const before: Connector = { id: 'id', displayName: '', targetUrl: '', authentication: { type: 'none' } };
      const upload = { pkcs12Value: 'throw-away', password: '' };
      let failure: unknown;
      try {
        await (replace
          ? connectors.replaceAuthentication(before, upload, certificate)
          : connectors.uploadClientCertificate(before, upload, certificate));
      } catch (error) {
        failure = error;
      }
      // A PATCH that is carried out twice changes nothing.
      if (!replace) expect(service.carriedOut).toBeLessThanOrEqual(1);
      if (failure === undefined) {
        expect(service.carriedOut).toBeGreaterThan(0);
        return;
      }
      if (!(failure instanceof Failure)) throw new Error('not explained', { cause: failure });
      expectPresentable(failure);
      // That nothing was changed is said only if it is so; otherwise what was seen, or that it could not be found out.
      if (service.carriedOut > 0)
        expect(failure.message).toMatch(/could not be found out|was not seen on the connector/);
      else expect(failure.message).toMatch(/could not be found out|was not seen on the connector|Nothing was changed/);
      if (failure.message.includes('accepted the change')) expect(service.saidSo).toBe(true);
      expect(failure.message).not.toContain('no such API connector');
    }),
    // A gateway's page for a request that was carried out.
    { numRuns: 1000, examples: [[[{ acts: 1, response: 408, noise: '<html>' }], 0, 600_000, false]] },
  );
});
