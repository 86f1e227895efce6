/** What the check step finds out about a connector: how long its active certificate has left. */
import { Failure } from '../failure.ts';
import { activeCertificate, nameOf, type Connector, type ConnectorCertificate } from '../graph/connector.ts';
import { clean } from '../text/clean.ts';
import { dateFromSeconds, daysUntil, isoSeconds } from '../text/dates.ts';

/** Fewer days left than these are reported. */
export interface Thresholds {
  readonly warnDays: number;
  readonly failDays: number;
}

/** By what a connector is judged. */
export interface Judgement extends Thresholds {
  /** It was named, so a certificate is expected on it: one without is a warning, and not a note. */
  readonly named: boolean;
}

interface Common {
  readonly id: string;
  /** Undefined if it could not be read. */
  readonly connector: Connector | undefined;
  readonly text: string;
  readonly active?: ConnectorCertificate;
  /** Whole days that the active certificate has left; absent if there is none. */
  readonly daysLeft?: number;
}

export type Finding = Common &
  ({ readonly status: 'ok' | 'warning' } | { readonly status: 'failing'; readonly failure: Failure });

/** Judges a connector by its active certificate. */
export function judge(connector: Connector, { named, ...thresholds }: Judgement, now: Date): Finding {
  const { id } = connector;
  const active = activeCertificate(connector);
  if (active) return judgeActive(connector, active, thresholds, now);
  switch (connector.authentication.type) {
    case 'basic':
      return {
        id,
        connector,
        status: named ? 'warning' : 'ok',
        text: 'authenticates with a user name and password, not with a certificate.',
      };
    case 'certificate': {
      const text = 'has no active certificate: its calls are not authenticated with one.';
      const failure = new Failure(
        'NO_ACTIVE_CERTIFICATE',
        `The API connector ${nameOf(id, connector)} ${text}`,
        'Upload a certificate that is valid now.',
      );
      return { id, connector, status: 'failing', text, failure };
    }
    case 'none':
      return { id, connector, status: named ? 'warning' : 'ok', text: 'does not authenticate with a certificate.' };
    case 'unknown':
      return { id, connector, status: 'warning', text: 'authenticates in a way that is not understood.' };
  }
}

function judgeActive(
  connector: Connector,
  active: ConnectorCertificate,
  { warnDays, failDays }: Thresholds,
  now: Date,
): Finding {
  const ends = dateFromSeconds(active.notAfter);
  const daysLeft = daysUntil(ends, now);
  if (Number.isNaN(daysLeft)) return unreadableExpiry(connector, active);
  const text = `${daysLeft < 0 ? 'its active certificate has expired' : `its active certificate has ${daysLeft} day${daysLeft === 1 ? '' : 's'} left`} (${clean(active.thumbprint, 64)}, until ${isoSeconds(ends)}).`;
  const found = { id: connector.id, connector, active, daysLeft, text };
  if (daysLeft >= failDays) return { ...found, status: daysLeft < warnDays ? 'warning' : 'ok' };
  const failure = new Failure(
    'CERTIFICATE_ENDS_SOON',
    `The API connector ${nameOf(connector.id, connector)}: ${text}`,
    'Upload a newer certificate now: when this one expires, every sign-up that calls the API fails.',
  );
  return { ...found, status: 'failing', failure };
}

/** What cannot be checked is not fine. */
function unreadableExpiry(connector: Connector, active: ConnectorCertificate): Finding {
  const { id } = connector;
  const text = `the expiry date of its active certificate (${clean(active.thumbprint, 64)}) cannot be read.`;
  const failure = new Failure(
    'EXPIRY_UNREADABLE',
    `The API connector ${nameOf(id, connector)}: ${text}`,
    'Look at the certificate in the portal, under API connectors.',
  );
  return { id, connector, active, status: 'failing', text, failure };
}

/** The finding about a connector that could not be read. */
export function unread(id: string, failure: Failure): Finding {
  return { id, connector: undefined, status: 'failing', text: `could not be read: ${failure.message}`, failure };
}
