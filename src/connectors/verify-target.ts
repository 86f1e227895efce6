/**
 * Asks the API behind a connector whether it accepts the new certificate, before the connector presents it to everybody:
 * a TLS connection with the certificate and its chain, and a HEAD. No token ever goes there.
 */
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import { Failure, withSentence, type FailureCode } from '../failure.ts';
import { Http, type HttpResponse, type PemIdentity } from '../http/client.ts';
import type { Deadline } from '../http/deadline.ts';
import { pageTitle } from '../http/intercepted.ts';
import { reason, TransportError } from '../http/transport-error.ts';
import { clean, cleanUrl } from '../text/clean.ts';
import { hideUrl } from '../text/secrets.ts';
import { PRODUCT } from '../version.ts';

/** Unauthorized, forbidden, and nginx's own for a certificate that is bad (495) or missing (496). */
const REJECTED = [401, 403, 495, 496];
/** How a TLS server rejects a client's certificate: by an alert, or by hanging up. */
const TLS_REFUSAL = /\b(ECONNRESET|UND_ERR_SOCKET|EPIPE|EPROTO)\b|alert|other side closed/i;
/** In TLS 1.2 that comes before the handshake is done, in 1.3 after the request was sent. */
const IN_HANDSHAKE = /alert|before secure TLS connection was established/i;

/** The API is not up: a gateway's answer shows nothing about the certificate. */
const NOT_UP = [502, 503, 504];

/** How a target that rejects the certificate is asked again. Milliseconds. */
const ASK_AGAIN = { pause: 10_000, progress: 60_000 } as const;

/** What asking targets needs. */
export interface TargetCheckOptions {
  readonly deadline: Deadline;
  readonly certificate: ClientCertificate;
  /** For how long targets that reject the certificate, or cannot be reached, are asked again: milliseconds, in all. */
  readonly wait: number;
  readonly log: (text: string) => void;
}

/** Asks the targets of connectors. They share the time that there is for waiting; it starts with the first of them. */
export class TargetCheck {
  readonly #options: TargetCheckOptions;
  #until: number | undefined;

  constructor(options: TargetCheckOptions) {
    this.#options = options;
  }

  /**
   * As {@link verifyTarget}, which is repeated until the target accepts the certificate or the time is over.
   * @throws Failure as {@link verifyTarget}; the reason of the deadline's signal as soon as the step has to end
   */
  async verify(targetUrl: string): Promise<string | undefined> {
    // NODE_DEBUG=undici shows what is asked.
    hideUrl(targetUrl);
    refuseOtherSchemes(targetUrl);
    const { deadline, wait } = this.#options;
    const started = deadline.now();
    this.#until ??= started + wait;
    let [logged, loggedAt] = ['', started];
    for (;;) {
      try {
        return await this.#ask(targetUrl);
      } catch (error) {
        if (!(error instanceof Failure) || !WORTH_WAITING.includes(error.code)) throw error;
        const rest = this.#until - deadline.now();
        const waited = Math.round((deadline.now() - started) / 1000);
        if (rest <= 0) throw waited === 0 ? error : withSentence(error, `It was asked again for ${waited} s.`);
        if (error.message !== logged || deadline.now() - loggedAt >= ASK_AGAIN.progress) {
          [logged, loggedAt] = [error.message, deadline.now()];
          this.#options.log(`${error.message} It is asked again for up to ${Math.ceil(rest / 1000)} s.`);
        }
        await deadline.sleep(Math.min(ASK_AGAIN.pause, rest));
      }
    }
  }

  /** Over new connections: on one that is open, or resumed, a server keeps to what it trusted before. */
  async #ask(targetUrl: string): Promise<string | undefined> {
    await using presenting = this.#open(tlsIdentity(this.#options.certificate));
    await using anonymous = this.#open(undefined);
    return await verifyTarget(presenting, anonymous, targetUrl);
  }

  #open(clientCertificate: PemIdentity | undefined): Http {
    // Without the run's page: that is for the sign-in log of one's own tenant.
    return new Http({ userAgent: PRODUCT, deadline: this.#options.deadline, clientCertificate });
  }
}

/** What passes once the API trusts the certificate, or is up again with its new settings. */
const WORTH_WAITING: readonly FailureCode[] = ['TARGET_REFUSES_CERTIFICATE', 'TARGET_UNREACHABLE'];

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
  const answer = await ask(withCertificate, targetUrl);
  if (answer instanceof TransportError) throw unanswered(answer, shown);
  const why = await whyRejected(withCertificate, targetUrl, answer);
  if (why !== undefined) throw refused(shown, why);
  if (NOT_UP.includes(answer.status)) throw notUp(shown, answer.status);

  const anonymous = await ask(without, targetUrl);
  if (anonymous instanceof TransportError || anonymous.status !== answer.status) return undefined;
  return `${shown} answers HTTP ${answer.status} with the new certificate and without any: it does not seem to check client certificates.`;
}

/** @throws Failure TARGET_UNREACHABLE */
function refuseOtherSchemes(targetUrl: string): void {
  if (URL.canParse(targetUrl) && new URL(targetUrl).protocol === 'https:') return;
  throw new Failure(
    'TARGET_UNREACHABLE',
    `The target URL ${cleanUrl(targetUrl, 200)} is not an https URL, so no certificate can be presented to it.`,
    'Correct the URL of the API connector, or leave verify-target out.',
  );
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

async function whyRejected(http: Http, url: string, answer: HttpResponse): Promise<string | undefined> {
  if (REJECTED.includes(answer.status)) return `HTTP ${answer.status}`;
  if (answer.status !== 400) return undefined;
  // nginx answers 400 and says only in the body that it is about the certificate; to a HEAD it sends none.
  const page = await ask(http, url, 'GET');
  if (page instanceof TransportError || !/SSL certificate/i.test(page.body)) return undefined;
  return `HTTP 400, ${pageTitle(page.body) || 'about the SSL certificate'}`;
}

function unanswered(error: TransportError, shown: string): Failure {
  const why = clean(reason(error));
  if ((error.sent && TLS_REFUSAL.test(why)) || IN_HANDSHAKE.test(why)) return refused(shown, why);
  return new Failure(
    'TARGET_UNREACHABLE',
    `${shown} could not be asked whether it accepts the certificate: ${why}.`,
    'Nothing was uploaded. Check that the runner reaches the API, or leave verify-target out.',
    { cause: error },
  );
}

function notUp(shown: string, status: number): Failure {
  return new Failure(
    'TARGET_UNREACHABLE',
    `${shown} answers HTTP ${status}: the API is not up, so whether it accepts the certificate is not known. Nothing was uploaded.`,
    'Run the job again when the API is up, or set verify-wait to the minutes that it needs to start again.',
  );
}

function refused(shown: string, why: string): Failure {
  return new Failure(
    'TARGET_REFUSES_CERTIFICATE',
    `${shown} rejected the new certificate: ${why}. Nothing was uploaded.`,
    'Let the API trust the new certificate (its issuer, or its thumbprint) next to the old one, then run the job again. If you have just done that, set verify-wait to the minutes that it takes to arrive. Uploading it now would stop every sign-up that calls this API.',
  );
}
