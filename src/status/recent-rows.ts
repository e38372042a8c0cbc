import type { AuditEvent, TokenEvent } from 'nestjs-xpay-auth';

/** One line of a list on the status page. */
export interface Row {
  /** Ms since the epoch. */
  readonly at: number;
  /** The `type` of the event. */
  readonly type: string;
  readonly username?: string;
  readonly address?: string;
  readonly detail: string;
}

/** Maximum length in characters of a text from outside. A presented username may have any length. */
const LONGEST_TEXT = 120;

/** The latest rows, oldest first. */
export class RecentRows {
  #rows: Row[] = [];
  #new = 0;

  /** @param most number of rows to keep */
  constructor(private readonly most: number) {}

  add(row: Row): void {
    this.#rows.push(row);
    this.#new += 1;
    // Removes many rows at a time, because removing the first one of an array for each event costs more.
    if (this.#rows.length >= this.most * 2) this.#rows = this.#rows.slice(-this.most);
  }

  /** Returns the rows that {@link takeNew} has returned before, so that no row is both in a snapshot and in the next update. */
  taken(): readonly Row[] {
    return this.#rows.slice(0, Math.max(0, this.#rows.length - this.#new)).slice(-this.most);
  }

  /** Returns the rows that were added since the last call, at most as many as are kept. */
  takeNew(): readonly Row[] {
    const rows = this.#new === 0 ? [] : this.#rows.slice(-Math.min(this.#new, this.most));
    this.#new = 0;
    return rows;
  }
}

/** Returns the row of a token event. */
export function tokenRow(event: TokenEvent): Row {
  const row = { at: Date.now(), type: event.type };
  switch (event.type) {
    case 'refresh-failed':
      return { ...row, detail: `${event.code}, ${event.failures} in a row` };
    case 'rejected':
      return { ...row, detail: 'by the upstream, before it expired' };
    case 'expired':
      return {
        ...row,
        detail: event.failures > 0 ? `after ${event.failures} failed renewals` : 'while it was not in use',
      };
    default:
      return { ...row, detail: `valid for ${duration(event.lifeMs)}` };
  }
}

/** Returns the row of an audit event. */
export function auditRow(event: AuditEvent): Row {
  const { type, username, address } = { address: undefined, ...event };
  return {
    at: Date.now(),
    type,
    ...(username !== undefined && { username: printable(username) }),
    ...(address !== undefined && { address: printable(address) }),
    detail: printable(detailOf(event)),
  };
}

function detailOf(event: AuditEvent): string {
  switch (event.type) {
    case 'verified':
      return `${event.scheme}, at the upstream`;
    case 'refused':
    case 'undecided':
      return `${event.scheme}: ${event.reason}`;
    case 'locked-out':
      return `limit ${event.limit}`;
    case 'denied':
      return `needs ${event.requiredScopes.join(', ')}`;
    case 'revoked':
      return event.username === '*' ? 'all users' : 'sessions and cached credentials ended';
    case 'login':
      return 'session began';
    case 'logout':
    default:
      return 'session ended';
  }
}

/** Shortens a text from outside, and replaces control characters, which could reorder or hide the text around them. */
function printable(text: string): string {
  const short = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
  return short.toWellFormed().replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\u{fffd}');
}

function duration(ms: number): string {
  const [days, hours] = [ms / 86_400_000, ms / 3_600_000];
  if (days >= 2) return `${Math.round(days)} days`;
  if (hours >= 2) return `${Math.round(hours)} h`;
  return ms >= 120_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 1_000)} s`;
}
