/**
 * What Microsoft Entra's token endpoint says when it refuses, and what helps.
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */
import { clean } from './clean.ts';
import type { Application } from './entra.ts';
import { Failure } from './failure.ts';
import type { HttpResponse } from './http.ts';
import type { IdToken } from './oidc.ts';

export interface Explained {
  readonly failure: Failure;
  /** Whether trying again may help. */
  readonly again: boolean;
}

const NO_MATCH = ['70021', '700211', '700212', '700213', '7002131', '7002138', '70025'];
const PASSING = ['90033', '90006', '90012', '90024', '90055', '90090', '50166', '501661', '700024'];

/** The failure that an answer without a token means. */
export function explainEntra(response: HttpResponse, application: Application, idToken: IdToken): Explained {
  const { tenantId, clientId } = application;
  const { code, description, trace } = errorIn(response);
  const said = code === '' ? `HTTP ${response.status}` : `AADSTS${code}`;
  const details = `${description === '' ? '' : `: ${description}`} (${[said, trace].filter((part) => part !== '').join(', ')})`;

  if (NO_MATCH.includes(code)) {
    return {
      again: false,
      failure: new Failure(
        'FEDERATED_CREDENTIAL_MISMATCH',
        `No federated credential of the application ${clientId} fits this job${details}.`,
        `GitHub presented
  issuer:   ${idToken.issuer}
  subject:  ${idToken.subject}
  audience: ${idToken.audience}
Register exactly these (upper and lower case count):
az ad app federated-credential create --id ${clientId} --parameters '${JSON.stringify({
          name: 'upload-api-connector-certificate',
          issuer: clean(idToken.issuer),
          subject: clean(idToken.subject),
          audiences: [clean(idToken.audience)],
        })}'`,
      ),
    };
  }
  if (
    PASSING.includes(code) ||
    (code === '' && (response.status === 200 || response.status === 408 || response.status === 429)) ||
    response.status >= 500
  ) {
    return {
      again: true,
      failure: new Failure(
        'SERVICE_UNAVAILABLE',
        `Microsoft Entra did not issue a token${details}.`,
        'Run the job again; see https://status.cloud.microsoft.',
      ),
    };
  }
  return {
    again: false,
    failure: new Failure(
      'SIGN_IN_REFUSED',
      `Microsoft Entra refused to sign in the application ${clientId} in the tenant ${tenantId}${details}.`,
      'Check that client-id is the application (client) ID and tenant-id the directory that owns the connectors, and that cloud is theirs.',
    ),
  };
}

function errorIn(response: HttpResponse): { code: string; description: string; trace: string } {
  try {
    const body = JSON.parse(response.body) as {
      error_description?: unknown;
      error_codes?: unknown;
      trace_id?: unknown;
      timestamp?: unknown;
    };
    // The description ends with the ids, a line each.
    const description = clean(
      typeof body.error_description === 'string' ? body.error_description.split(/ Trace ID:|[\r\n]/)[0] : '',
    );
    const first: unknown = Array.isArray(body.error_codes) ? body.error_codes[0] : undefined;
    const code = typeof first === 'number' ? String(first) : (/^AADSTS(\d+)/.exec(description)?.[1] ?? '');
    const trace = [clean(body.trace_id) && `trace ${clean(body.trace_id)}`, clean(body.timestamp)]
      .filter((part) => part !== '')
      .join(', ');
    return { code, description: description.replace(/^AADSTS\d+: /, ''), trace };
  } catch {
    return { code: '', description: '', trace: '' };
  }
}
