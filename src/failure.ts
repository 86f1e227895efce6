/**
 * What can go wrong, as the person reading the log meets it: a stable code that
 * docs/troubleshooting.md has a heading for, what happened, and what to do.
 */
import { clean } from './text/clean.ts';
import { VERSION } from './version.ts';

/** Every code that a failed step can carry as the title of its annotation. */
export const FAILURE_CODES = [
  'INPUT_MISSING',
  'INPUT_INVALID',
  'CLOUD_UNKNOWN',
  'CLOUD_UNSUPPORTED',

  'PFX_EMPTY',
  'PFX_NOT_BASE64',
  'PFX_IS_PEM',
  'PFX_IS_CERTIFICATE',
  'PFX_IS_PKCS7',
  'PFX_IS_JKS',
  'PFX_IS_SSH_KEY',
  'PFX_IS_PGP_KEY',
  'PFX_NOT_PKCS12',
  'PFX_TRUNCATED',
  'PFX_TRAILING_DATA',
  'PFX_INVALID',
  'PFX_WRONG_PASSWORD',
  'PFX_PASSWORD_ENCODING',
  'PFX_DAMAGED',
  'PFX_NO_PRIVATE_KEY',
  'PFX_NO_CERTIFICATE',
  'PFX_KEY_MISMATCH',
  'PFX_SEVERAL_KEYS',
  'PFX_KEY_PASSWORD_DIFFERS',
  'PFX_UNSUPPORTED',
  'PFX_TOO_MANY_ITERATIONS',
  'PFX_FILE_UNREADABLE',
  'PFX_TOO_LARGE',
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_EXPIRES_TOO_SOON',
  'CERTIFICATE_NOT_YET_VALID',

  'ID_TOKEN_UNAVAILABLE',
  'ID_TOKEN_REFUSED',

  'FEDERATED_CREDENTIAL_MISMATCH',
  'FEDERATED_CREDENTIAL_LETTER_CASE',
  'FEDERATED_CREDENTIAL_EXPRESSION',
  'FEDERATED_CREDENTIAL_MISSING',
  'APPLICATION_NOT_FOUND',
  'APPLICATION_DISABLED',
  'TENANT_NOT_FOUND',
  'RESOURCE_NOT_FOUND',
  'ID_TOKEN_OUT_OF_TIME',
  'CONDITIONAL_ACCESS',
  'ENTERPRISE_POLICY',
  'ISSUER_UNREACHABLE',
  'SIGN_IN_REFUSED',

  'KEY_VAULT_NOT_FOUND',
  'KEY_VAULT_CERTIFICATE_NOT_FOUND',
  'KEY_VAULT_CERTIFICATE_DISABLED',
  'KEY_VAULT_ROLE_MISSING',
  'KEY_VAULT_ACCESS_POLICY_MISSING',
  'KEY_VAULT_FIREWALL',
  'KEY_VAULT_PUBLIC_ACCESS_OFF',
  'KEY_VAULT_OF_ANOTHER_TENANT',
  'KEY_VAULT_NOT_A_CERTIFICATE',
  'KEY_VAULT_KEY_NOT_EXPORTABLE',
  'KEY_VAULT_REFUSED',

  'CONNECTOR_NOT_FOUND',
  'CONNECTOR_OF_ANOTHER_TENANT',
  'TENANT_KIND_UNSUPPORTED',
  'CONNECTOR_AUTHENTICATION_UNKNOWN',
  'CONNECTOR_USES_BASIC_AUTHENTICATION',
  'GRAPH_UNAUTHORIZED',
  'GRAPH_FORBIDDEN',
  'GRAPH_REFUSED',
  'LIST_TOO_LONG',
  'UPLOAD_PASSWORD_REFUSED',
  'UPLOAD_EXPIRED_REFUSED',
  'UPLOAD_FILE_REFUSED',
  'UPLOAD_DATES_REFUSED',
  'UPLOAD_ALREADY_THERE',
  'UPLOAD_NOT_CONFIRMED',

  'TARGET_REFUSES_CERTIFICATE',
  'TARGET_UNREACHABLE',

  'CERTIFICATE_EXPIRES_SOON',
  'NO_ACTIVE_CERTIFICATE',
  'EXPIRY_UNREADABLE',

  'SERVICE_UNAVAILABLE',
  'RESPONSE_TOO_LARGE',
  'INTERCEPTED',
  'REDIRECTED',
  'THROTTLED',
  'NETWORK_UNREACHABLE',
  'PROXY_INVALID',
  'PROXY_AUTHENTICATION_REQUIRED',
  'PROXY_REFUSED',
  'TLS_NOT_TRUSTED',
  'STEP_TIMEOUT',
  'CANCELLED',
  'MORE_FAILURES',
  'OUTPUTS_NOT_WRITTEN',
  'HAND_OVER_FAILED',
  'HAND_OVER_NOT_REMOVED',
  'INTERNAL_ERROR',
] as const;

export type FailureCode = (typeof FAILURE_CODES)[number];

/** A failure that is explained: {@link code} for docs and tests, `message` for what happened, {@link remedy} for what to do. */
export class Failure extends Error {
  readonly code: FailureCode;
  /** What to do about it: sentences and commands, ready to be pasted. Never a secret. */
  readonly remedy: string;

  constructor(code: FailureCode, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Failure';
    this.code = code;
    this.remedy = remedy;
  }
}

/** The same failure with one more sentence. */
export function withSentence(failure: Failure, sentence: string): Failure {
  return new Failure(failure.code, `${failure.message} ${sentence}`, failure.remedy, { cause: failure });
}

/** Anything that was thrown, explained as far as it can be. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure(
    'INTERNAL_ERROR',
    `Something went wrong that this action (version ${VERSION}) does not know: ${clean(error instanceof Error ? `${error.name}: ${error.message}` : String(error))}`,
    'Please report it, with this message.',
    { cause: error },
  );
}
