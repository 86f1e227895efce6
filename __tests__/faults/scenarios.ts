/** Every fault on the way, for each of the four requests, and the rules that hold whatever happens. */
import { clientCertificate } from '../../emulator/certificates.ts';
import { Emulator, GLOBAL } from '../../emulator/emulator.ts';
import type { Fault, FaultAction } from '../../emulator/faults.ts';
import { pfxOf } from '../../emulator/pfx.ts';
import { runAction, type RunResult } from '../../emulator/runner.ts';

export const REQUESTS = ['id-token', 'token', 'get', 'upload'] as const;
export type Request = (typeof REQUESTS)[number];

const html = (status: number): FaultAction => ({
  kind: 'status',
  status,
  headers: { 'content-type': 'text/html' },
  body: '<html><body>Bad gateway</body></html>',
});
const status = (code: number, body: string | object = {}, headers: Record<string, string> = {}): FaultAction => ({
  kind: 'status',
  status: code,
  headers,
  body,
});

/** By name, as docs/reliability.md has them; `act`: the service acts on the request before its answer is lost. */
export const FAULTS: Readonly<Record<string, { readonly do: FaultAction; readonly act?: boolean }>> = {
  'reset before': { do: { kind: 'reset' } },
  'reset after it was acted on': { do: { kind: 'reset' }, act: true },
  hang: { do: { kind: 'hang' } },
  '408': { do: status(408) },
  '429 with Retry-After': { do: status(429, {}, { 'retry-after': '1' }) },
  '429 without': { do: status(429) },
  '500': { do: status(500, { error: { code: 'InternalServerError', message: 'Oops' } }) },
  '502 HTML': { do: html(502) },
  '503 {}': { do: status(503) },
  '503 empty': { do: status(503, '') },
  '504 after it was acted on': { do: status(504, ''), act: true },
  '200 empty': { do: status(200, '') },
  '200 cut': { do: { kind: 'cut' }, act: true },
  '200 wrong JSON': { do: status(200, { hello: 'world' }) },
  '200 HTML': { do: html(200) },
  '307 elsewhere': { do: status(307, '', { location: 'https://elsewhere.example/' }) },
  'a body of 50 MB': { do: { kind: 'flood', bytes: 50_000_000 } },
};

/** Refused before any TLS: the connection could not be made. */
const HOSTS: Readonly<Record<Request, string>> = {
  'id-token': 'pipelines.actions.githubusercontent.com',
  token: 'login.microsoftonline.com',
  get: 'graph.microsoft.com',
  upload: 'graph.microsoft.com',
};

export const PASSWORD = 'throw-away password';
export const certificate = await clientCertificate();
export const pfx = pfxOf(certificate, PASSWORD).toString('base64');

export interface Observed {
  readonly result: RunResult;
  /** Entries for the certificate on the connector at the end. */
  readonly entries: number;
  readonly sent: Readonly<Record<Request, number>>;
  readonly secrets: readonly string[];
  readonly strayHosts: readonly string[];
}

/** Runs the bundle with these faults, each met once. */
export async function observe(faults: readonly { readonly on: Request; readonly fault: string }[]): Promise<Observed> {
  const emulator = await Emulator.start();
  try {
    for (const { on, fault } of faults) for (const one of faultsOf(on, fault)) emulator.fault(one);
    const result = await runAction({
      with: {
        'tenant-id': GLOBAL.tenantId,
        'client-id': GLOBAL.clientId,
        'connector-id': GLOBAL.connectorId,
        pfx,
        password: PASSWORD,
      },
      emulator,
      timeoutMs: 200_000,
    });
    const sent = Object.fromEntries(
      REQUESTS.map((kind) => [kind, emulator.requests.filter((request) => request.kind === kind).length]),
    ) as Record<Request, number>;
    return {
      result,
      entries: emulator.certificates(GLOBAL.connectorId).filter((one) => one === certificate.thumbprint).length,
      sent,
      secrets: [...emulator.secrets(), pfx, PASSWORD],
      strayHosts: emulator.refusedConnects,
    };
  } finally {
    await emulator.stop();
  }
}

function faultsOf(on: Request, name: string): readonly Fault[] {
  if (name === 'refused') {
    const refused: Fault = { on: 'connect', host: HOSTS[on], do: { kind: 'reset' } };
    if (on === 'id-token') return [refused];
    // The connection that was begun ahead, and then the one of the request itself.
    if (on !== 'upload') return [{ ...refused, times: 2 }];
    // The upload goes over the connection of the GET, unless that is closed; then it needs one of its own, which is refused.
    const close: FaultAction = {
      kind: 'rewrite',
      rewrite: (answer) => ({ ...answer, headers: { ...answer.headers, connection: 'close' } }),
    };
    return [
      { on: 'get', do: close },
      { ...refused, skip: 1 },
    ];
  }
  const fault = FAULTS[name];
  if (!fault) throw new Error(`no such fault: ${name}`);
  return [{ on, do: fault.do, actFirst: fault.act ?? false }];
}
