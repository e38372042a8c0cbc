import { canonicalText } from '../core/cache-key.js';
import type { Credentials } from '../core/credentials.js';
import type { Attempted } from '../core/audit-events.js';

/** Credentials as a request presented them. */
export interface PresentedCredentials {
  /** By which they were presented, in any case of letters: `Basic`, `login`, or an extractor's own. */
  readonly scheme: string;
  readonly credentials: Credentials;
  /** The client's address, for counting attempts by it; `undefined` when they are not counted by address. */
  readonly address: string | undefined;
}

/** Where credentials are checked. */
export interface CheckingPlace {
  readonly instance: string;
  readonly dialect: string;
  readonly baseUrl: string;
}

/** What may be said of a request to an auditor and to the counters: everything but the secret. */
export function attempted({ scheme, credentials, address }: PresentedCredentials): Attempted {
  return { scheme, username: credentials.username, address };
}

/** What makes two checks the same check, as one text; to be digested. */
export function checkText(place: CheckingPlace, { scheme, credentials }: PresentedCredentials): string {
  const { instance, dialect, baseUrl } = place;
  const { username, secretKey } = credentials;
  return canonicalText({ instance, dialect, baseUrl, scheme: scheme.toLowerCase(), username, secretKey });
}
