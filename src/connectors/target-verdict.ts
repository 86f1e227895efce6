/** What it means for the certificate how a target answers, or that it does not. */
import { Failure } from '../failure.ts';
import type { HttpResponse } from '../http/client.ts';
import { adviseExtraCa } from '../http/extra-ca.ts';
import { explainTransport } from '../http/refusal.ts';
import { reason, TransportError } from '../http/transport-error.ts';
import type { Verdict } from '../http/verdict.ts';
import { clean } from '../text/clean.ts';

/** It answered, and it is not known whether it looked at the certificate. That alone does not stop an upload. */
export interface Unclear {
  readonly warning: string;
  /** What stops the upload after all, if the target was waited for; absent if that stays a warning. */
  readonly afterWaiting?: Failure;
}

/** Undefined if the certificate is accepted, why it is rejected or not reached, or what remains unclear. */
export type TargetAnswer = Verdict | Unclear | undefined;

/**
 * The TLS alerts that are about the client's certificate: bad, unsupported, revoked, expired and unknown certificate, unknown
 * CA, access denied, decrypt error (its signature), certificate required.
 * @see RFC 5246, section 7.2.2, and RFC 8446, section 6.2
 */
const CERTIFICATE_ALERTS = [42, 43, 44, 45, 46, 48, 49, 51, 116];
/** Handshake failure: also what many servers of TLS 1.2 send for a certificate, and each for a missing cipher suite. */
const HANDSHAKE_FAILURE = 40;
/** Of versions, security, extensions and protocols that the two do not share. */
const NOT_SHARED_ALERTS = [70, 71, 86, 109, 110, 120];
const HANG_UP = /\b(ECONNRESET|UND_ERR_SOCKET|EPIPE)\b|other side closed|before secure TLS connection was established/i;

/**
 * What passes when the API is up again, or has fewer requests: request timeout, too early, too many requests, a gateway without
 * the server behind it. 520 to 530 are Cloudflare's. None shows anything about the certificate.
 */
const NOT_UP = [408, 425, 429, 502, 503, 504, ...Array.from({ length: 11 }, (_, n) => 520 + n)];

const TRUST =
  'Let the API trust the new certificate (its issuer, or its thumbprint) next to the old one, then run the job again. If you have just done that, set verify-wait to the minutes that it takes to arrive. Uploading it now would stop every sign-up that calls this API.';

/** The API's response is about this certificate. */
export function rejected(shown: string, why: string): Verdict {
  return refuses(`${shown} rejected the new certificate: ${why}. Nothing was uploaded.`, TRUST);
}

/** Rejected, but the certificate was never presented: the handshake did not ask for it. */
export function notAskedFor(shown: string, why: string): Verdict {
  return refuses(
    `${shown} answers ${why}, and did not ask for a certificate in the TLS handshake: the same answer comes without a certificate. Nothing was uploaded.`,
    'Let the API ask each client for a certificate in the handshake. An API that asks only after it, or that is behind a proxy which inspects TLS, cannot be tested this way: leave verify-target out.',
  );
}

/** The API did not look at the certificate, as far as can be seen. */
export function checksNothing(shown: string, answers: string): Unclear {
  return { warning: `${shown} answers HTTP ${answers}: it does not seem to check client certificates.` };
}

/** Something rejects calls without a certificate, but with one the call gets lost before anything that is known to check it. */
export function notFound(shown: string, status: number, anonymous: number): Unclear {
  return {
    warning: `${shown} answers HTTP ${status} with the new certificate and ${anonymous} without any: what is in front of the API may only ask for a certificate, and the code that compares it may not have run. Let the API answer HEAD, and check the certificate for it as for POST.`,
  };
}

/** A fault of the API, before or after it looked at the certificate. */
export function failedItself(shown: string, status: number): Unclear {
  const warning = `${shown} answers HTTP ${status} with the new certificate: it failed for a reason of its own, so whether it accepts the certificate is not known.`;
  return {
    warning,
    afterWaiting: new Failure(
      'TARGET_UNREACHABLE',
      `${warning} Nothing was uploaded.`,
      'Look into the log of the API: it has to answer HEAD too. If it was still starting, set verify-wait to more minutes. If it cannot answer HEAD, leave verify-target out.',
    ),
  };
}

/** The API is not up, or has too many requests; undefined if the status says something else. */
export function notUp(shown: string, status: number): Verdict | undefined {
  if (!NOT_UP.includes(status)) return undefined;
  const [what, until] =
    status === 429 ? ['it has too many requests', 'it has fewer'] : ['the API is not up', 'the API is up'];
  return unreachable(
    `${shown} answers HTTP ${status}: ${what}, so whether it accepts the certificate is not known. Nothing was uploaded.`,
    `Run the job again when ${until}, or set verify-wait to the minutes that it needs${status === 429 ? '' : ' to start again'}.`,
    'yes',
  );
}

/** Whether this may be how the server rejects the certificate; what comes without one says more. */
export function mayBeRejection(error: TransportError): boolean {
  const why = reason(error);
  const alert = alertOf(why);
  return alert === undefined ? HANG_UP.test(why) : alert.number === HANDSHAKE_FAILURE;
}

/** No response. `anonymous` is what came without a certificate, if it was asked for. */
export function unanswered(
  error: TransportError,
  shown: string,
  requested: boolean | undefined,
  anonymous: HttpResponse | TransportError | undefined,
): Verdict {
  const why = clean(reason(error));
  const alert = alertOf(why);
  if (alert && CERTIFICATE_ALERTS.includes(alert.number)) return rejected(shown, alert.text);
  if (mayBeRejection(error)) return perhapsRejected(error, shown, requested, anonymous);
  if (alert !== undefined) return endedHandshake(error, shown, alert);
  const { retry, failure } = explainTransport(error, shown);
  if (failure.code === 'PROXY_AUTHENTICATION_REQUIRED') return { failure, retry: 'no' };
  if (retry !== 'no') return notAsked(error, shown, why);
  return unreachable(`${failure.message} Nothing was uploaded.`, remedyFor(failure), 'no', error);
}

/** A hang-up, or an alert that has several meanings. */
function perhapsRejected(
  error: TransportError,
  shown: string,
  requested: boolean | undefined,
  anonymous: HttpResponse | TransportError | undefined,
): Verdict {
  const why = clean(reason(error));
  const alert = alertOf(why);
  const without = describe(anonymous, error);
  // Without an alert, a hang-up counts only if the certificate was asked for, or if it makes a difference.
  if (alert === undefined && requested !== true && (requested === false || without === undefined)) {
    return notAsked(error, shown, why);
  }
  const also = alert === undefined ? '' : ' It can also be that no TLS version or cipher suite fits both sides.';
  return refuses(
    `${shown} may have rejected the new certificate: ${alert?.text ?? why}. ${without ?? `The same comes without a certificate.${also}`} Nothing was uploaded.`,
    TRUST,
  );
}

/** What came without a certificate, in a sentence, if that is something else that a server said; undefined if not. */
function describe(anonymous: HttpResponse | TransportError | undefined, error: TransportError): string | undefined {
  if (anonymous === undefined) return undefined;
  if (!(anonymous instanceof TransportError)) return `It answers HTTP ${anonymous.status} without a certificate.`;
  const alert = alertOf(reason(anonymous));
  if (alert === undefined || alert.number === alertOf(reason(error))?.number) return undefined;
  return `Without a certificate it ends the connection with: ${alert.text}.`;
}

/** An alert that is not about the certificate. */
function endedHandshake(cause: TransportError, shown: string, alert: Alert): Verdict {
  const shared = NOT_SHARED_ALERTS.includes(alert.number);
  return unreachable(
    `${shared ? `No TLS connection with ${shown} can be agreed upon` : `${shown} ended the TLS connection`}: ${alert.text}. That is not about the certificate. Nothing was uploaded.`,
    alert.number === 120
      ? 'Let the API speak HTTP/1.1 too, or leave verify-target out.'
      : shared
        ? 'Let the API speak TLS 1.2 or 1.3 with a cipher suite that is in use today, or leave verify-target out.'
        : 'Check the host name in the target URL and the TLS settings of the API, or leave verify-target out.',
    shared ? 'no' : 'yes',
    cause,
  );
}

function notAsked(cause: TransportError, shown: string, why: string): Verdict {
  return unreachable(
    `${shown} could not be asked whether it accepts the certificate: ${why}.`,
    'Nothing was uploaded. Check that the runner reaches the API, or leave verify-target out.',
    'yes',
    cause,
  );
}

function remedyFor({ code, message }: Failure): string {
  if (code === 'PROXY_REFUSED') {
    return 'Let the proxy pass CONNECT to the host and port of the target URL, name the host in NO_PROXY, or leave verify-target out.';
  }
  if (code !== 'TLS_NOT_TRUSTED') return 'Correct what the API sends, or leave verify-target out.';
  const trust = message.includes('is not trusted') ? ` ${adviseExtraCa(process.env)}` : '';
  return `Correct the TLS certificate or the TLS settings of the API, or leave verify-target out.${trust}`;
}

interface Alert {
  readonly number: number;
  /** OpenSSL's words, cleaned, and the number. */
  readonly text: string;
}

/** The alert in an error of OpenSSL: `…:tlsv1 alert unknown ca:FILE:LINE:SSL alert number 48`. */
function alertOf(why: string): Alert | undefined {
  const [, words = '', number] = /(?:([^:]*):[^:]*:\d+:)?SSL alert number (\d{1,3})/.exec(why) ?? [];
  if (number === undefined) return undefined;
  return {
    number: Number(number),
    text: clean(words === '' ? `TLS alert ${number}` : `${words} (TLS alert ${number})`),
  };
}

function refuses(message: string, remedy: string): Verdict {
  return { failure: new Failure('TARGET_REFUSES_CERTIFICATE', message, remedy), retry: 'yes' };
}

function unreachable(message: string, remedy: string, retry: 'yes' | 'no', cause?: TransportError): Verdict {
  const options = cause === undefined ? {} : { cause };
  return { failure: new Failure('TARGET_UNREACHABLE', message, remedy, options), retry };
}
