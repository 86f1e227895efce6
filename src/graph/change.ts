/**
 * A change of a connector, and making sure that it took effect. It is sent again only if it cannot have taken effect, or if
 * the connector, read for a while, never showed it: reads may lag behind writes.
 * @see https://learn.microsoft.com/graph/best-practices-concept
 */
import { Failure, withSentence } from '../failure.ts';
import type { HttpResponse } from '../http/client.ts';
import { explainTransport } from '../http/refusal.ts';
import { tryingAgain, waitAfter } from '../http/retry.ts';
import { reason, TransportError } from '../http/transport-error.ts';
import { retryForStatus, type Verdict } from '../http/verdict.ts';
import { clean } from '../text/clean.ts';
import { SERVICE, type GraphClient } from './client.ts';
import { byAge, certificatesOf, type Connector } from './connector.ts';

/** How long a connector is read for a change that was not confirmed. Milliseconds. */
export const READ_BACK = {
  /** Before the change is sent again. */
  unconfirmed: 15_000,
  /** After the service accepted the change: it is never sent again, so there is more time. */
  accepted: 30_000,
  firstPause: 500,
  longestPause: 4_000,
} as const;

/** A change of a connector, and how to see that it took effect. */
export interface Change {
  readonly connectorId: string;
  /** Sends the request; `goesOut` is called when it does, after any wait before it. */
  readonly send: (goesOut: () => void) => Promise<HttpResponse>;
  readonly readBack: () => Promise<Connector>;
  /** The connector in a response that shows the change, or undefined. */
  readonly confirmed: (response: HttpResponse) => Connector | undefined;
  /** Whether a connector that was read back shows the change. */
  readonly tookEffect: (connector: Connector) => boolean;
  /** Whether a connector that was read back has the certificate, whether the change took effect or not. */
  readonly isThere: (connector: Connector) => boolean;
  /** Whether a connector that does not show the change tells that it did not take effect. */
  readonly isTelling: boolean;
}

/** What one request led to, unless it is confirmed. */
interface Sent extends Verdict {
  /** `unsent` and `rejected`: it cannot have taken effect. `accepted`: it has, and the connector does not show it yet. */
  readonly state: 'unsent' | 'rejected' | Unseen['state'];
}

/** A request that may have taken effect: the connector is read for it. */
interface Unseen extends Verdict {
  readonly state: 'unconfirmed' | 'accepted';
}

/**
 * Makes a change and makes sure of it.
 * @returns the connector that shows it
 * @throws Failure UPLOAD_NOT_CONFIRMED, and what a refusal means; its message says what is known of the change
 */
export async function makeChange(graph: GraphClient, change: Change): Promise<Connector> {
  return await new Attempts(graph, change).run();
}

/** The requests for one change, and what is known of them. */
class Attempts {
  readonly #graph: GraphClient;
  readonly #change: Change;
  /** A request went out and is under way, or one that may have taken effect was not seen yet. */
  #inDoubt = false;
  /** What could not be seen, in a sentence; '' while every request is known to have had no effect. */
  #unseen = '';

  constructor(graph: GraphClient, change: Change) {
    this.#graph = graph;
    this.#change = change;
  }

  async run(): Promise<Connector> {
    try {
      return await this.#untilSeen();
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      throw withSentence(error, this.#inDoubt ? CUT_SHORT : this.#unseen || 'Nothing was changed.');
    }
  }

  async #untilSeen(): Promise<Connector> {
    const { deadline, log } = this.#graph;
    const started = deadline.now();
    for (let n = 1; ; n++) {
      const sent = await this.#send();
      if ('done' in sent) return sent.done;
      const { state, failure } = sent;
      const seen = isUnseen(sent) ? await this.#look(sent) : undefined;
      if (seen) return seen;
      let wait: number;
      try {
        wait = waitAfter(n, sent, started, deadline);
      } catch (error) {
        const found = state === 'rejected' && this.#unseen !== '' ? await this.#lastRead() : undefined;
        if (found) return found;
        throw error;
      }
      log(tryingAgain(n, failure, wait));
      await deadline.sleep(wait);
      // A service that rejected the request did not act; one read makes sure of it.
      const found = state === 'rejected' ? await this.#change.readBack() : undefined;
      if (found && this.#change.tookEffect(found)) return found;
    }
  }

  async #send(): Promise<{ readonly done: Connector } | Sent> {
    const { connectorId, send, confirmed } = this.#change;
    let response: HttpResponse;
    try {
      response = await send(() => {
        this.#inDoubt = true;
      });
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#inDoubt = error.sent;
      this.#graph.deadline.signal.throwIfAborted();
      const verdict = explainTransport(error, SERVICE);
      return error.sent ? { ...verdict, retry: 'after-read', state: 'unconfirmed' } : { ...verdict, state: 'unsent' };
    }
    const connector = confirmed(response);
    // Under the id that was asked for: what goes to the connector must not go where a response points.
    if (connector) return { done: { ...connector, id: connectorId } };
    const verdict = this.#graph.explain(response, { connectorId, wasRead: true });
    const isSuccess = response.status >= 200 && response.status < 300;
    // A web page in the place of the response: who sent it may have kept the request to itself, or not.
    const isIntercepted = verdict.failure.code === 'INTERCEPTED';
    if (isSuccess && !isIntercepted) return { ...accepted(response), state: 'accepted' };
    const isThere = verdict.failure.code === 'UPLOAD_ALREADY_THERE' && this.#change.isTelling;
    // What the service has already is the certificate of the attempt that was not seen.
    if (isThere && this.#unseen !== '') return { ...verdict, state: 'accepted' };
    // With such a status, the service may have acted whatever the body says.
    const mayHaveActed = verdict.retry === 'after-read' || retryForStatus(response.status) === 'after-read';
    this.#inDoubt = mayHaveActed || isSuccess || isThere;
    return { ...verdict, state: this.#inDoubt ? 'unconfirmed' : 'rejected' };
  }

  /**
   * Reads the connector until it shows the change, with growing pauses, at least once and for as long as {@link READ_BACK} has.
   * @throws Failure UPLOAD_NOT_CONFIRMED if it never does and nothing follows from that
   */
  async #look(sent: Unseen): Promise<Connector | undefined> {
    const { deadline, log } = this.#graph;
    const time = READ_BACK[sent.state];
    const end = deadline.now() + time;
    log(`${sent.failure.message} Reading the connector for up to ${time / 1000} s, until it shows the certificate.`);
    for (let pause: number = READ_BACK.firstPause; ; pause = Math.min(2 * pause, READ_BACK.longestPause)) {
      // Before the read, which may take long: the last one has to begin when nothing is left.
      const left = Math.max(0, end - deadline.now());
      const connector = await this.#readBack(sent.failure);
      if (this.#change.tookEffect(connector)) return connector;
      const rest = Math.min(pause, left);
      if (rest === 0 || rest >= deadline.remaining()) {
        this.#notSeen(sent, connector, { read: time - left, left });
        return undefined;
      }
      await deadline.sleep(rest);
    }
  }

  /** The connector, if it shows by now an attempt that was not seen before; a refusal of this read is not what counts. */
  async #lastRead(): Promise<Connector | undefined> {
    try {
      const connector = await this.#change.readBack();
      return this.#change.tookEffect(connector) ? connector : undefined;
    } catch (error) {
      this.#graph.deadline.signal.throwIfAborted();
      if (error instanceof Failure) return undefined;
      throw error;
    }
  }

  /**
   * What is known when the time for reading is over, be it {@link READ_BACK}'s or the step's.
   * @param time for how long it was read, and how much of {@link READ_BACK} was left then; milliseconds
   * @throws Failure UPLOAD_NOT_CONFIRMED unless the change may be sent again, or was refused for good
   */
  #notSeen(
    { state, failure, retry }: Unseen,
    connector: Connector,
    { read, left }: { readonly read: number; readonly left: number },
  ): void {
    const { isTelling, isThere } = this.#change;
    this.#inDoubt = false;
    this.#unseen = whatIsMissing(connector, isThere(connector), isTelling, Math.floor(read / 1000));
    const isRefused = state === 'unconfirmed' && retry === 'no';
    const isAbsent = state === 'unconfirmed' && isTelling && left === 0;
    if (!isRefused && !isAbsent) throw notConfirmed(failure);
  }

  async #readBack(failure: Failure): Promise<Connector> {
    try {
      return await this.#change.readBack();
    } catch (error) {
      this.#graph.deadline.signal.throwIfAborted();
      this.#inDoubt = false;
      this.#unseen = `Whether the certificate is on the connector could not be found out: ${error instanceof Failure ? error.message : clean(reason(error))}`;
      // What keeps the connector from being read is the same, and has its own fix.
      throw failure.code === 'INTERCEPTED' ? failure : notConfirmed(failure);
    }
  }
}

function isUnseen(sent: Sent): sent is Unseen {
  return sent.state === 'unconfirmed' || sent.state === 'accepted';
}

/** What a connector that was read for so many seconds does not show, and what it has. */
function whatIsMissing(connector: Connector, isThere: boolean, isTelling: boolean, seconds: number): string {
  const has = `The connector has now: ${listed(connector)}.`;
  if (!isThere) return `The certificate was not seen on the connector within ${seconds} s. ${has}`;
  return isTelling
    ? `The certificate is on the connector, and so are others, still after ${seconds} s. ${has}`
    : `The certificate was not seen on the connector once more within ${seconds} s. ${has} It was on the connector before, so that does not tell whether this upload took effect.`;
}

const RUN_AGAIN = 'Run the job again: it reads the connector first, and uploads only if the certificate is missing.';
/** The step ends while a change is under way. */
const CUT_SHORT = `An upload was under way: whether the certificate is on the connector is not known. ${RUN_AGAIN}`;

/** What it was that could not be confirmed; what is known of it is said behind it. */
function notConfirmed(failure: Failure): Failure {
  return new Failure('UPLOAD_NOT_CONFIRMED', failure.message, RUN_AGAIN, { cause: failure });
}

/** A success that does not show the change: it is never sent again. */
function accepted({ status }: HttpResponse): Verdict {
  return {
    failure: new Failure(
      'UPLOAD_NOT_CONFIRMED',
      `${SERVICE} accepted the change (HTTP ${status}), but its response does not show the certificate.`,
      RUN_AGAIN,
    ),
    retry: 'no',
  };
}

/** Thumbprints on the connector, the newest last. */
function listed(connector: Connector): string {
  const { type } = connector.authentication;
  if (type !== 'certificate')
    return { basic: 'a user name and password', none: 'nothing', unknown: 'something unknown' }[type];
  const shown = byAge(certificatesOf(connector))
    .slice(-5)
    .map(({ thumbprint }) => thumbprint || '(no thumbprint)');
  const more = certificatesOf(connector).length - shown.length;
  return `${shown.join(', ') || 'no certificate'}${more > 0 ? ` and ${more} more` : ''}`;
}
