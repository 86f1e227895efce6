/** How long the certificate that a connector authenticates with has left, and what the check step makes of it. */
import { Failure } from '../failure.ts';
import { activeCertificate, nameOf, type Connector, type ConnectorCertificate } from '../graph/connector.ts';
import { clean } from '../text/clean.ts';
import { dateFromSeconds, daysUntil, isoSeconds } from '../text/dates.ts';

/** What a connector authenticates with, and for how long. */
export type Expiry = { readonly text: string } & (
  | {
      readonly is: 'active';
      readonly active: ConnectorCertificate;
      /** Whole days; negative if it has expired. */
      readonly daysLeft: number;
    }
  /** Its expiry date cannot be read. */
  | { readonly is: 'unreadable'; readonly active: ConnectorCertificate; readonly failure: Failure }
  /** `inactive`: it is set up for certificates, and none is active. */
  | { readonly is: 'inactive' | 'basic' | 'none' | 'unknown' }
);

const NOT_ACTIVE = {
  certificate: { is: 'inactive', text: 'has no active certificate: its calls are not authenticated with one.' },
  basic: { is: 'basic', text: 'authenticates with a user name and password, not with a certificate.' },
  none: { is: 'none', text: 'does not authenticate with a certificate.' },
  unknown: { is: 'unknown', text: 'authenticates in a way that is not understood.' },
} as const;

/** What the connector authenticates with now; `text` follows its name. */
export function expiryOf(connector: Connector, now: Date): Expiry {
  const active = activeCertificate(connector);
  if (!active) return NOT_ACTIVE[connector.authentication.type];
  const expires = dateFromSeconds(active.notAfter);
  const daysLeft = daysUntil(expires, now);
  const thumbprint = clean(active.thumbprint, 64);
  if (Number.isNaN(daysLeft)) {
    const text = `the expiry date of its active certificate (${thumbprint}) cannot be read.`;
    const failure = new Failure(
      'EXPIRY_UNREADABLE',
      `The API connector ${nameOf(connector.id, connector)}: ${text}`,
      'Look at the certificate in the portal, under API connectors.',
    );
    return { is: 'unreadable', active, text, failure };
  }
  const left = daysLeft < 0 ? 'has expired' : `has ${daysLeft} day${daysLeft === 1 ? '' : 's'} left`;
  const text = `its active certificate ${left} (${thumbprint}, until ${isoSeconds(expires)}).`;
  return { is: 'active', active, daysLeft, text };
}

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
export function judge(connector: Connector, { named, warnDays, failDays }: Judgement, now: Date): Finding {
  const { id } = connector;
  const expiry = expiryOf(connector, now);
  const { text } = expiry;
  switch (expiry.is) {
    case 'active': {
      const { active, daysLeft } = expiry;
      const found = { id, connector, active, daysLeft, text };
      if (daysLeft >= failDays) return { ...found, status: daysLeft < warnDays ? 'warning' : 'ok' };
      return { ...found, status: 'failing', failure: expiresSoon(connector, text) };
    }
    case 'unreadable':
      // What cannot be checked is not fine.
      return { id, connector, active: expiry.active, status: 'failing', text, failure: expiry.failure };
    case 'inactive':
      return { id, connector, status: 'failing', text, failure: noneActive(connector, text) };
    case 'basic':
    case 'none':
      return { id, connector, status: named ? 'warning' : 'ok', text };
    case 'unknown':
      return { id, connector, status: 'warning', text };
  }
}

function expiresSoon(connector: Connector, text: string): Failure {
  return new Failure(
    'CERTIFICATE_EXPIRES_SOON',
    `The API connector ${nameOf(connector.id, connector)}: ${text}`,
    'Upload a newer certificate now: when this one expires, every sign-up that calls the API fails.',
  );
}

function noneActive(connector: Connector, text: string): Failure {
  return new Failure(
    'NO_ACTIVE_CERTIFICATE',
    `The API connector ${nameOf(connector.id, connector)} ${text}`,
    'Upload a certificate that is valid now.',
  );
}

/** The finding about a connector that could not be read. */
export function unread(id: string, failure: Failure): Finding {
  return { id, connector: undefined, status: 'failing', text: `could not be read: ${failure.message}`, failure };
}
