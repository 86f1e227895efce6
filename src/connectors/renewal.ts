/** Whether a connector is due for a new certificate. */
import type { Failure } from '../failure.ts';
import type { Connector } from '../graph/connector.ts';
import { judge, type Finding } from './expiry.ts';
import type { Reading } from './reading.ts';

interface Common {
  readonly id: string;
  /** Undefined if it could not be read. */
  readonly connector: Connector | undefined;
  readonly text: string;
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
 * Judges a connector as the check step does: due if its active certificate has fewer than `renewDays` left, or if it has
 * none. A connector on basic authentication, or on something that is not understood, is skipped: only a person decides to
 * overwrite that.
 */
export function renewalOf(reading: Reading, renewDays: number, now: Date): Renewal {
  const { id, connector } = reading;
  if (connector === undefined) {
    const { failure } = reading;
    return { id, connector, status: 'failing', text: `could not be read: ${failure.message}`, failure };
  }
  const finding = judge(connector, { warnDays: renewDays, failDays: -Infinity, named: true }, now);
  const { text } = finding;
  if (isDue(finding, connector)) return { id, connector, status: 'due', text };
  if (finding.status === 'failing') return { id, connector, status: 'failing', text, failure: finding.failure };
  if (finding.status === 'ok') return { id, connector, status: 'fine', text };
  return { id, connector, status: 'skipped', text: `${text} It is left out: ${SWITCH}` };
}

const SWITCH = 'to switch it to a certificate, upload one to it once with replace: true.';

function isDue(finding: Finding, { authentication }: Connector): boolean {
  if (finding.status === 'failing') return finding.failure.code === 'NO_ACTIVE_CERTIFICATE';
  if (authentication.type === 'none') return true;
  return finding.daysLeft !== undefined && finding.status === 'warning';
}
