/** Whether a connector is due for a new certificate. */
import type { Failure } from '../failure.ts';
import type { Connector } from '../graph/connector.ts';
import { expiryOf } from './expiry.ts';
import type { Reading } from './reading.ts';

interface Common {
  readonly id: string;
  /** Undefined if it could not be read. */
  readonly connector: Connector | undefined;
  readonly text: string;
  /** Whole days that the active certificate has left; absent if there is none. */
  readonly daysLeft?: number;
}

export type Renewal = Common &
  (
    | {
        /** `due`: it needs a new certificate. `skipped`: an upload would not work, or would overwrite what is there. */
        readonly status: 'due' | 'fine' | 'skipped';
      }
    | { readonly status: 'failing'; readonly failure: Failure }
  );

/**
 * Whether a connector is due: its active certificate has fewer than `renewDays` left, or it has none. A connector on basic authentication, or on something that is not understood, is skipped: only a person decides to
 * overwrite that.
 */
export function renewalOf(reading: Reading, renewDays: number, now: Date): Renewal {
  const { id, connector } = reading;
  if (connector === undefined) {
    const { failure } = reading;
    return { id, connector, status: 'failing', text: `could not be read: ${failure.message}`, failure };
  }
  const expiry = expiryOf(connector, now);
  const { text } = expiry;
  switch (expiry.is) {
    case 'active': {
      const { daysLeft } = expiry;
      return { id, connector, status: daysLeft < renewDays ? 'due' : 'fine', text, daysLeft };
    }
    case 'inactive':
    case 'none':
      return { id, connector, status: 'due', text };
    case 'unreadable':
      return { id, connector, status: 'failing', text, failure: expiry.failure };
    case 'basic':
    case 'unknown':
      return { id, connector, status: 'skipped', text: `${text} It is left out: ${SWITCH}` };
  }
}

const SWITCH = 'to switch it to a certificate, upload one to it once with replace: true.';
