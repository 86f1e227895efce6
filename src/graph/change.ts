/** A change of a connector, and making sure that it took effect: sent again only if it cannot have. */
import { Failure, withSentence } from '../failure.ts';
import type { HttpResponse } from '../http/client.ts';
import { explainTransport } from '../http/refusal.ts';
import { retry } from '../http/retry.ts';
import { TransportError } from '../http/transport-error.ts';
import type { Verdict } from '../http/verdict.ts';
import { SERVICE, type GraphClient } from './client.ts';
import type { Connector } from './connector.ts';

/** A change of a connector, and how to see that it took effect. */
export interface Change {
  readonly connectorId: string;
  readonly send: () => Promise<HttpResponse>;
  readonly readBack: () => Promise<Connector>;
  /** The connector in a response that shows the change, or undefined. */
  readonly confirmed: (response: HttpResponse) => Connector | undefined;
  /** Whether a connector that was read back shows the change. */
  readonly tookEffect: (connector: Connector) => boolean;
  /** Whether a connector that does not show the change means that it did not take effect. */
  readonly isTelling: boolean;
}

/**
 * Makes a change and makes sure of it.
 * @returns the connector that shows it
 * @throws Failure UPLOAD_NOT_CONFIRMED, and what a refusal means; its message says what is known of the change
 */
export async function makeChange(graph: GraphClient, change: Change): Promise<Connector> {
  return await new ConfirmedChange(graph, change).make();
}

class ConfirmedChange {
  readonly #graph: GraphClient;
  readonly #change: Change;
  /** Why the change may have taken effect unseen; undefined while it cannot have. */
  #unconfirmed: Failure | undefined;

  constructor(graph: GraphClient, change: Change) {
    this.#graph = graph;
    this.#change = change;
  }

  async make(): Promise<Connector> {
    const { deadline, log } = this.#graph;
    try {
      return await retry({ deadline, service: SERVICE, log }, async () => await this.#attempt());
    } catch (error) {
      return await this.#afterTheLast(error);
    }
  }

  async #attempt(): Promise<{ readonly done: Connector } | Verdict> {
    const { connectorId, send, confirmed, tookEffect, isTelling } = this.#change;
    if (this.#unconfirmed) {
      const found = await this.#readBack(this.#unconfirmed);
      if (tookEffect(found)) return { done: found };
      if (!isTelling) throw undecided(this.#unconfirmed);
      this.#graph.log('The certificate is not on the connector, so the request had no effect: sending it again.');
      this.#unconfirmed = undefined;
    }
    const response = await this.#sent(send);
    if ('retry' in response) return response;
    const connector = confirmed(response);
    // Under the id that was asked for: what goes to the connector must not go where a response points.
    if (connector) return { done: { ...connector, id: connectorId } };
    if (response.status === 204) return await this.#confirmEmpty();
    const verdict = this.#graph.explain(response, { connectorId });
    if (verdict.retry === 'after-read') this.#unconfirmed = verdict.failure;
    return verdict;
  }

  async #sent(send: Change['send']): Promise<HttpResponse | Verdict> {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      const verdict = explainTransport(error, SERVICE);
      if (error.sent) this.#unconfirmed = verdict.failure;
      this.#graph.deadline.signal.throwIfAborted();
      return error.sent ? { ...verdict, retry: 'after-read' } : verdict;
    }
  }

  async #confirmEmpty(): Promise<{ readonly done: Connector } | Verdict> {
    const failure = new Failure(
      'UPLOAD_NOT_CONFIRMED',
      'Microsoft Graph accepted the change, but does not show it.',
      'Run the job again.',
    );
    this.#unconfirmed = failure;
    const found = await this.#readBack(failure);
    return this.#change.tookEffect(found) ? { done: found } : { failure, retry: 'after-read' };
  }

  /** The last response was lost as well: the connector is read once more, so that the step does not end with a guess. */
  async #afterTheLast(error: unknown): Promise<Connector> {
    const unconfirmed = this.#unconfirmed;
    if (!(error instanceof Failure) || (error.code === 'UPLOAD_NOT_CONFIRMED' && error !== unconfirmed)) throw error;
    if (unconfirmed === undefined) throw withSentence(error, 'Nothing was changed.');
    const { signal } = this.#graph.deadline;
    if (signal.aborted) throw cutShort(error);
    const found = await this.#readBack(unconfirmed).catch((unseen: unknown) => {
      throw signal.aborted && unseen instanceof Failure ? cutShort(unseen) : unseen;
    });
    if (this.#change.tookEffect(found)) return found;
    if (!this.#change.isTelling) throw undecided(unconfirmed);
    throw withSentence(error, 'A look afterwards shows that the certificate is not on the connector.');
  }

  async #readBack(unconfirmed: Failure): Promise<Connector> {
    try {
      return await this.#change.readBack();
    } catch (error) {
      this.#graph.deadline.signal.throwIfAborted();
      throw new Failure(
        'UPLOAD_NOT_CONFIRMED',
        `${unconfirmed.message} Whether the certificate is on the connector could not be found out: ${error instanceof Error ? error.message : String(error)}`,
        'Run the job again: it looks first, and uploads only where the certificate is missing.',
        { cause: unconfirmed },
      );
    }
  }
}

/** The step ends while a change is under way. */
function cutShort(failure: Failure): Failure {
  return withSentence(
    failure,
    'An upload was under way: whether the certificate is on the connector is not known. Run the job again: it looks first.',
  );
}

/** The same certificate was there before the upload, and is there as often now: that tells nothing. */
function undecided(unconfirmed: Failure): Failure {
  return new Failure(
    'UPLOAD_NOT_CONFIRMED',
    `${unconfirmed.message} The certificate was on the connector before and still is; whether this upload took effect cannot be told from that.`,
    'Look at is-active in the outputs, and run the job again if the certificate should be the active one.',
    { cause: unconfirmed },
  );
}
