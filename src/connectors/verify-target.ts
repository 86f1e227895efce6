/**
 * Asks the API behind a connector whether it accepts the new certificate, before the connector presents it to everybody:
 * a TLS connection with the certificate and its chain, and a HEAD. No token ever goes there.
 */
import { createSecureContext } from 'node:tls';
import type { ClientCertificate } from '../certificate/client-certificate.ts';
import { Failure, withSentence } from '../failure.ts';
import { Http, type HttpResponse, type PemIdentity } from '../http/client.ts';
import type { Deadline } from '../http/deadline.ts';
import { pageTitle } from '../http/intercepted.ts';
import { reason, TransportError } from '../http/transport-error.ts';
import type { Verdict } from '../http/verdict.ts';
import { clean, cleanUrl } from '../text/clean.ts';
import { hideUrl } from '../text/secrets.ts';
import { PRODUCT } from '../version.ts';
import { CertificateRequests } from './certificate-requests.ts';
import {
  checksNothing,
  failedItself,
  mayBeRejection,
  notAskedFor,
  notFound,
  notUp,
  rejected,
  type TargetAnswer,
  type Unclear,
  unanswered,
} from './target-verdict.ts';

/** Unauthorized, forbidden, and nginx's own for a certificate that is bad (495) or missing (496). */
const REJECTED = [401, 403, 495, 496];

/**
 * Not found, method not allowed, not implemented: a route that is there for POST only, or an API that is starting. Without
 * a certificate, 400 is nginx's rejection (`ssl_verify_client on`), which compares the certificate itself before any route.
 */
const MISSED = [404, 405, 501];

/** How a target that does not accept the certificate is asked again. Milliseconds. */
const ASK_AGAIN = { pause: 10_000, progress: 60_000 } as const;

/** What asking targets needs. */
export interface TargetCheckOptions {
  readonly deadline: Deadline;
  readonly certificate: ClientCertificate;
  /** For how long targets that do not accept the certificate are asked again: milliseconds, in all. */
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
   * As {@link verifyTarget}, which is repeated until the target accepts the certificate or the time is over. So an answer that
   * shows nothing about the certificate gives a change of trust the whole time to arrive.
   * @returns a warning if it is not known whether the target looks at the certificate, else undefined
   * @throws Failure TARGET_REFUSES_CERTIFICATE, TARGET_UNREACHABLE, PROXY_INVALID, PROXY_AUTHENTICATION_REQUIRED; the reason
   * of the deadline's signal as soon as the step has to end
   */
  async verify(targetUrl: string): Promise<string | undefined> {
    // NODE_DEBUG=undici shows what is asked.
    hideUrl(targetUrl);
    refuseOtherSchemes(targetUrl);
    const identity = tlsIdentity(this.#options.certificate);
    const { deadline, wait } = this.#options;
    const started = deadline.now();
    this.#until ??= started + wait;
    let [logged, loggedAt] = ['', started];
    for (let n = 1; ; n++) {
      const answer = await this.#ask(targetUrl, identity);
      if (answer === undefined) return undefined;
      const rest = this.#until - deadline.now();
      if (rest <= 0 || isFinal(answer)) return this.#conclude(answer, n > 1 ? deadline.now() - started : 0);
      const said = 'warning' in answer ? answer.warning : answer.failure.message;
      if (said !== logged || deadline.now() - loggedAt >= ASK_AGAIN.progress) {
        [logged, loggedAt] = [said, deadline.now()];
        this.#options.log(`${said} It is asked again for up to ${Math.ceil(rest / 1000)} s.`);
      }
      await deadline.sleep(Math.min(ASK_AGAIN.pause, rest));
    }
  }

  /** What the last answer comes to: a warning, or the failure that it throws. `waited` is 0 if it was asked once. */
  #conclude(answer: Verdict | Unclear, waited: number): string {
    const seconds = Math.round(waited / 1000);
    const addition = `It was asked again for ${seconds} s.`;
    const fail = (failure: Failure): never => {
      throw waited === 0 ? failure : withSentence(failure, addition);
    };
    if ('failure' in answer) return fail(answer.failure);
    if (answer.afterWaiting && this.#options.wait > 0) return fail(answer.afterWaiting);
    return waited === 0 ? answer.warning : `${answer.warning} ${addition}`;
  }

  /** Over new connections: on one that is open, or resumed, a server keeps to what it trusted before. */
  async #ask(targetUrl: string, identity: PemIdentity): Promise<TargetAnswer> {
    using requests = new CertificateRequests(targetUrl);
    await using presenting = this.#open(identity);
    await using anonymous = this.#open(undefined);
    return await verifyTarget(presenting, anonymous, targetUrl, () => requests.came);
  }

  #open(clientCertificate: PemIdentity | undefined): Http {
    // Without the run's page: that is for the sign-in log of one's own tenant.
    return new Http({ userAgent: PRODUCT, deadline: this.#options.deadline, clientCertificate });
  }
}

/** Whether no waiting changes it. */
function isFinal(answer: Verdict | Unclear): boolean {
  return 'retry' in answer && answer.retry === 'no';
}

/**
 * The leaf, its chain and the key as PEM, for a TLS connection.
 * @throws Failure TARGET_UNREACHABLE if OpenSSL presents no such certificate: waiting does not change that
 */
function tlsIdentity(certificate: ClientCertificate): PemIdentity {
  const identity = {
    cert: [certificate.leaf, ...certificate.chain].map(String).join(''),
    key: certificate.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
  try {
    createSecureContext(identity);
  } catch (cause) {
    throw new Failure(
      'TARGET_UNREACHABLE',
      `The TLS library of this step does not present this certificate to any server: ${clean(reason(cause))}. So whether the API accepts it is not known. Nothing was uploaded.`,
      'Use an RSA key of 2048 bits and a certificate that is signed with SHA-256, as its issuers are, or leave verify-target out.',
      { cause },
    );
  }
  return identity;
}

/**
 * Presents the certificate to the target. `certificateRequested` is whether the target asked for one in the TLS handshake,
 * once that is over; undefined if it failed.
 * @returns a warning if it is not known whether the target looks at certificates; the failure if it rejects this one, or if
 * it could not be asked; undefined if it accepts it
 */
export async function verifyTarget(
  withCertificate: Http,
  without: Http,
  targetUrl: string,
  certificateRequested: () => boolean | undefined,
): Promise<TargetAnswer> {
  const shown = cleanUrl(targetUrl, 200);
  const answer = await ask(withCertificate, targetUrl);
  const requested = certificateRequested();
  if (answer instanceof TransportError) {
    const unclear = mayBeRejection(answer) && requested !== false;
    return unanswered(answer, shown, requested, unclear ? await ask(without, targetUrl) : undefined);
  }
  const { status } = answer;
  const why = await whyRejected(withCertificate, targetUrl, answer);
  if (why !== undefined) return requested === false ? notAskedFor(shown, why) : rejected(shown, why);
  const down = notUp(shown, status);
  if (down !== undefined) return down;
  if (status >= 500 && !MISSED.includes(status)) return failedItself(shown, status);
  if (requested === false) {
    return checksNothing(shown, `${status} and does not ask for a certificate in the TLS handshake`);
  }

  const anonymous = await ask(without, targetUrl);
  if (anonymous instanceof TransportError) return undefined;
  if (anonymous.status === status) return checksNothing(shown, `${status} with the new certificate and without any`);
  return MISSED.includes(status) && anonymous.status !== 400 ? notFound(shown, status, anonymous.status) : undefined;
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

/** The part of the response that rejects the certificate; undefined if none does. */
async function whyRejected(http: Http, url: string, { status }: HttpResponse): Promise<string | undefined> {
  if (REJECTED.includes(status)) return `HTTP ${status}`;
  if (status !== 400) return undefined;
  // nginx answers 400 and says only in the body that it is about the certificate; to a HEAD it sends none.
  const page = await ask(http, url, 'GET');
  if (page instanceof TransportError || !/SSL certificate/i.test(page.body)) return undefined;
  return `HTTP 400, ${pageTitle(page.body) || 'about the SSL certificate'}`;
}
