/** GitHub's ID token service and Microsoft Entra behind a script, and a job that may ask them. */
import { afterEach, beforeEach, jest } from '@jest/globals';
import { answer, type Answer } from '../scripted-http.ts';

const SERVICE = 'https://run.actions.githubusercontent.com/x?api-version=2.0';

function jwt(payload: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(payload)}.c2lnbmF0dXJl`;
}

/** The nth ID token: each is another one. */
export const idToken = (n = 1): Answer => answer(200, { value: jwt({ iss: 'i', sub: 's', aud: 'a', jti: n }) });
export const ACCESS = jwt({ roles: ['APIConnectors.ReadWrite.All'] });
/** Entra gives the access token {@link ACCESS}. */
export const issued = answer(200, { token_type: 'Bearer', expires_in: 3599, access_token: ACCESS });
/** Entra refuses with this AADSTS code. */
export const refused = (code: number): Answer =>
  answer(401, { error: 'invalid_client', error_description: `AADSTS${code}: No.`, error_codes: [code] });

/** Each test of a file is a job of its own, which may ask for ID tokens; `written` is what it prints. */
export function inJob(): { readonly written: string } {
  const before = process.env;
  const job = { written: '' };
  beforeEach(() => {
    process.env = {
      ...before,
      ACTIONS_ID_TOKEN_REQUEST_URL: SERVICE,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'throw-away-request-token',
    };
    job.written = '';
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      job.written += String(text);
      return true;
    });
  });
  afterEach(() => {
    process.env = before;
    jest.restoreAllMocks();
  });
  return job;
}
