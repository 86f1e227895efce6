/** What became of one connector. */
import { withSentence, Failure } from '../failure.ts';
import { entriesAfter, type CertificateIdentity, type Connector } from '../graph/connector.ts';

interface Common {
  readonly id: string;
  /** As it was found; undefined if it could not be read. */
  readonly before: Connector | undefined;
  /** As last seen; undefined if it never was. */
  readonly connector: Connector | undefined;
  readonly warnings: readonly string[];
}

export type Outcome = Common &
  (
    | {
        readonly result: 'changed' | 'unchanged' | 'would-change';
        /** What was done, or why nothing was. */
        readonly text: string;
      }
    | {
        readonly result: 'failed';
        readonly failure: Failure;
        /** The certificate is on the connector all the same. */
        readonly uploaded?: true;
      }
  );

/** The failure of an outcome, if it has one. */
export function failureOf(outcome: Outcome): Failure | undefined {
  return outcome.result === 'failed' ? outcome.failure : undefined;
}

/** Whether the certificate was put on the connector, as far as is known. */
export function isUploaded(outcome: Outcome): boolean {
  return outcome.result === 'changed' || (outcome.result === 'failed' && outcome.uploaded === true);
}

/** Whether the connector authenticates with this certificate now. */
export function isActive(
  { before, connector }: Pick<Outcome, 'before' | 'connector'>,
  certificate: CertificateIdentity,
): boolean {
  return entriesAfter(before, connector, certificate).some((entry) => entry.isActive);
}

/** Whoever cancels a job wants to know whether something was under way. */
export function beforeChange(error: unknown): unknown {
  const ended = error instanceof Failure && (error.code === 'CANCELLED' || error.code === 'STEP_TIMEOUT');
  return ended ? withSentence(error, 'No upload was under way.') : error;
}
