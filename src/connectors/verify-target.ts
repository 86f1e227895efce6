/**
 * Asks the API behind a connector whether it takes the new certificate, before the connector presents it to everybody:
 * a TLS connection with the certificate and its chain, and a HEAD. No token ever goes there.
 */
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import { Failure } from '../failure.ts';
import { Http, type HttpResponse, type PemIdentity } from '../http/client.ts';
import type { Deadline } from '../http/deadline.ts';
import { reason, TransportError } from '../http/transport-error.ts';
import { clean, cleanUrl } from '../text/clean.ts';
import { hideUrl } from '../text/secrets.ts';
import { PRODUCT } from '../version.ts';

/** Unauthorized, forbidden, and nginx's own for a certificate that is bad (495) or missing (496). */
const TURNED_AWAY = [401, 403, 495, 496];
/** How a TLS server turns a client's certificate away: by an alert, or by hanging up. */
const TLS_REFUSAL = /\b(ERR_SSL_\w*ALERT\w*|ECONNRESET|UND_ERR_SOCKET|EPIPE|EPROTO)\b|alert|other side closed/i;
/** In TLS 1.2 that comes before the handshake is done, in 1.3 after the request was sent. */
const IN_HANDSHAKE = /alert|before secure TLS connection was established/i;

/** Asks targets with the certificate and without it. Opens its connections when the first is asked; `await using` closes them. */
export class TargetCheck implements AsyncDisposable {
  readonly #deadline: Deadline;
  readonly #certificate: ClientCertificate;
  #http: { readonly presenting: Http; readonly anonymous: Http } | undefined;

  constructor(deadline: Deadline, certificate: ClientCertificate) {
    this.#deadline = deadline;
    this.#certificate = certificate;
  }

  /** As {@link verifyTarget}. */
  async verify(targetUrl: string): Promise<string | undefined> {
    // NODE_DEBUG=undici shows what is asked.
    hideUrl(targetUrl);
    this.#http ??= {
      presenting: this.#open(tlsIdentity(this.#certificate)),
      anonymous: this.#open(undefined),
    };
    return await verifyTarget(this.#http.presenting, this.#http.anonymous, targetUrl);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http?.presenting[Symbol.asyncDispose]();
    await this.#http?.anonymous[Symbol.asyncDispose]();
  }

  #open(clientCertificate: PemIdentity | undefined): Http {
    // Without the run's page: that is for the sign-in log of one's own tenant.
    return new Http({ userAgent: PRODUCT, deadline: this.#deadline, clientCertificate });
  }
}

/** The leaf, its chain and the key as PEM, for a TLS connection. */
function tlsIdentity(certificate: ClientCertificate): PemIdentity {
  return {
    cert: [certificate.leaf, ...certificate.chain].map(String).join(''),
    key: certificate.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/**
 * Presents the certificate to the target.
 * @returns a warning if the target does not seem to look at certificates, else undefined
 * @throws Failure TARGET_REFUSES_CERTIFICATE, TARGET_UNREACHABLE
 */
export async function verifyTarget(
  withCertificate: Http,
  without: Http,
  targetUrl: string,
): Promise<string | undefined> {
  const shown = cleanUrl(targetUrl, 200);
  if (!URL.canParse(targetUrl) || new URL(targetUrl).protocol !== 'https:') {
    throw new Failure(
      'TARGET_UNREACHABLE',
      `The target URL ${shown} is not an https URL, so no certificate can be presented to it.`,
      'Correct the URL of the API connector, or leave verify-target out.',
    );
  }
  const answer = await ask(withCertificate, targetUrl);
  if (answer instanceof TransportError) throw unanswered(answer, shown);
  const why = await whyTurnedAway(withCertificate, targetUrl, answer);
  if (why !== undefined) throw refused(shown, why);

  const anonymous = await ask(without, targetUrl);
  if (anonymous instanceof TransportError || anonymous.status !== answer.status) return undefined;
  return `${shown} answers HTTP ${answer.status} with the new certificate and without any: it does not seem to check client certificates.`;
}

async function ask(http: Http, url: string, method: 'HEAD' | 'GET' = 'HEAD'): Promise<HttpResponse | TransportError> {
  try {
    return await http.send({ method, url, headers: { accept: '*/*' } });
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    http.deadline.signal.throwIfAborted();
    return error;
  }
}

async function whyTurnedAway(http: Http, url: string, answer: HttpResponse): Promise<string | undefined> {
  if (TURNED_AWAY.includes(answer.status)) return `HTTP ${answer.status}`;
  if (answer.status !== 400) return undefined;
  // nginx answers 400 and says only in the body that it is about the certificate; to a HEAD it sends none.
  const page = await ask(http, url, 'GET');
  if (page instanceof TransportError || !/SSL certificate/i.test(page.body)) return undefined;
  return `HTTP 400, ${clean(/<title>(.*?)<\/title>/i.exec(page.body)?.[1] ?? 'about the SSL certificate', 100)}`;
}

function unanswered(error: TransportError, shown: string): Failure {
  const why = clean(reason(error));
  if ((error.sent && TLS_REFUSAL.test(why)) || IN_HANDSHAKE.test(why)) return refused(shown, why);
  return new Failure(
    'TARGET_UNREACHABLE',
    `${shown} could not be asked whether it takes the certificate: ${why}.`,
    'Nothing was uploaded. Check that the runner reaches the API, or leave verify-target out.',
    { cause: error },
  );
}

function refused(shown: string, why: string): Failure {
  return new Failure(
    'TARGET_REFUSES_CERTIFICATE',
    `${shown} turned the new certificate away: ${why}. Nothing was uploaded.`,
    'Let the API trust the new certificate (its issuer, or its thumbprint) beside the old one, then run the job again. Uploading it now would stop every sign-up that calls this API.',
  );
}
