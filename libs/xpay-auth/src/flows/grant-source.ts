import type { Credentials } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { Grant } from '../core/ports.js';
import type { PausePolicy } from '../core/refresh-policy.js';
import type { Secret } from '../core/secret.js';
import { type Account, OwnAccount } from './own-account.js';
import { HeldBack } from './pause.js';
import { RefusedAccount } from './refused-account.js';

/** How the app's own account becomes a grant. */
export interface GrantSourceParts {
  readonly policy: PausePolicy;
  /** Reads the app's own account; asked anew for every attempt. */
  readonly credentials: () => Promise<Credentials>;
  readonly authenticate: (credentials: Credentials, signal: AbortSignal) => Promise<Grant>;
  readonly refresh: ((refreshToken: Secret, signal: AbortSignal) => Promise<Grant>) | undefined;
}

/** One attempt to get a grant. */
export interface Attempt {
  /** On the monotonic clock. */
  readonly startedAt: number;
  /** Ends it; an attempt past its end goes no further and changes nothing any more. */
  readonly signal: AbortSignal;
  /** What it waits for at this moment. */
  waitsFor: 'credentials' | 'upstream';
}

/** Gets grants for the app's own account: with the refresh token where there is one, else with user name and key. */
export class GrantSource {
  /** Which credentials the upstream refused, and for how long they rest. */
  readonly refused: RefusedAccount;
  readonly #account: OwnAccount;
  /** Version of the credentials tried last, to which the refresh token belongs. */
  #version: string | undefined;
  #refreshToken: Secret | undefined;

  constructor(private readonly parts: GrantSourceParts) {
    this.refused = new RefusedAccount(parts.policy);
    this.#account = new OwnAccount(parts.credentials);
  }

  /** One attempt, at most two requests and a third where the credentials changed meanwhile. */
  async obtain(attempt: Attempt): Promise<Grant> {
    const account = await this.#read(attempt);
    const objection = this.refused.objection(account.version, attempt.startedAt);
    if (objection !== undefined) throw new HeldBack(objection);
    if (account.version !== this.#version) this.#refreshToken = undefined;
    const grant = (await this.#refresh(attempt)) ?? (await this.#authenticate(account, attempt));
    this.#refreshToken = grant.refreshToken ?? this.#refreshToken;
    return grant;
  }

  /** The credentials tried last were refused. Returns the ms for which they are not tried again. */
  rest(error: XPayAuthError, mono: number): number {
    return this.refused.add(this.#version, error, mono);
  }

  async #read(attempt: Attempt): Promise<Account> {
    attempt.waitsFor = 'credentials';
    const account = await this.#account.read();
    attempt.signal.throwIfAborted();
    attempt.waitsFor = 'upstream';
    return account;
  }

  async #refresh({ signal }: Attempt): Promise<Grant | undefined> {
    const [refresh, refreshToken] = [this.parts.refresh, this.#refreshToken];
    if (refresh === undefined || refreshToken === undefined) return undefined;
    const grant = await accepted(() => refresh(refreshToken, signal), signal);
    if (grant instanceof XPayAuthError) this.#refreshToken = undefined;
    return grant instanceof XPayAuthError ? undefined : grant;
  }

  /** With user name and key; when they are refused, once more if they have changed meanwhile. */
  async #authenticate(account: Account, attempt: Attempt): Promise<Grant> {
    const first = await this.#ask(account, attempt);
    if (!(first instanceof XPayAuthError)) return first;
    const now = await this.#read(attempt);
    if (now.version === account.version) throw first;
    const second = await this.#ask(now, attempt);
    if (second instanceof XPayAuthError) throw second;
    return second;
  }

  #ask({ credentials, version }: Account, { signal }: Attempt): Promise<Grant | XPayAuthError> {
    this.#version = version;
    return accepted(() => this.parts.authenticate(credentials, signal), signal);
  }
}

/** The grant, or the refusal. Throws what is neither, and the reason of the signal once that has ended the attempt. */
async function accepted(ask: () => Promise<Grant>, signal: AbortSignal): Promise<Grant | XPayAuthError> {
  signal.throwIfAborted();
  try {
    const grant = await ask();
    signal.throwIfAborted();
    return grant;
  } catch (thrown) {
    signal.throwIfAborted();
    if (isRefusal(thrown)) return thrown;
    throw thrown;
  }
}

function isRefusal(thrown: unknown): thrown is XPayAuthError {
  return thrown instanceof XPayAuthError && (thrown.code === 'invalid_credentials' || thrown.code === 'invalid_token');
}
