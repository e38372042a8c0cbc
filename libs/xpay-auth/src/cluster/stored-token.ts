import { AccessToken } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { FAILURES, XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import { isNumber, isOptionalNumber, isText, isTexts, parseObject } from '../core/decoders.js';
import { readInstant, remainingInStore } from '../core/lifetime.js';
import type { Grant } from '../core/ports.js';
import type { Store } from '../core/store.js';
import { MAX_BACKOFF_WITHOUT_TOKEN_MS, MAX_RETRY_AFTER_WITHOUT_TOKEN_MS } from '../async/backoff.js';
import type { LiveGrant, RecordedFailure, StoredName } from '../token/grant-provider.js';

/** Returns the stored token of this account, even if the token is no longer usable. Throws `store_unavailable`. */
export async function readToken(
  store: Store,
  clock: Clock,
  id: string,
): Promise<(LiveGrant & { readonly stored: StoredName; readonly ageMs: number }) | undefined> {
  const askedAt = clock.monotonic();
  const entry = await store.read({ kind: 'token', id });
  const grant = entry && decodeToken(entry.value);
  if (entry === undefined || grant === undefined) return undefined;
  const receivedAt = readInstant(clock);
  // The store may have read the entry as early as the start of the call, so the whole duration counts as elapsed.
  const storeMs = entry.remainingMs - (receivedAt.mono - askedAt);
  const remainingMs = remainingInStore(storeMs, grant.accessToken.expiresAt, receivedAt.wall);
  const ageMs = Math.max(0, grant.lifeMs - remainingMs);
  return { ...grant, receivedAt, ageMs, clockSkewMs: 0, stored: { id, generation: entry.generation } };
}

/** Returns `false` if the store has a newer token. Throws `store_unavailable`. */
export function writeToken(store: Store, { id, generation }: StoredName, grant: LiveGrant): Promise<boolean> {
  const { accessToken, username, scopes, isAPI, lifeMs } = grant;
  const { value, expiresAt } = accessToken;
  const stored = { value, expiresAt, tokenScopes: accessToken.scopes, username, scopes, isAPI, lifeMs };
  return store.write({ kind: 'token', id }, { value: JSON.stringify(stored), generation, lifeMs });
}

/**
 * Returns the token, or `undefined` if the text cannot be read. The encryption of the store proves that an instance wrote the
 * text, but the instance may run another version of this library.
 */
export function decodeToken(text: string): (Grant & { readonly lifeMs: number }) | undefined {
  const { value, expiresAt, tokenScopes, username, scopes, isAPI, lifeMs } = parseObject(text) ?? {};
  if (!isText(value) || value === '' || !isOptionalNumber(expiresAt) || !isTexts(tokenScopes)) return undefined;
  if (!isText(username) || !isTexts(scopes) || !isNumber(lifeMs) || !(lifeMs > 0)) return undefined;
  const accessToken = new AccessToken(value, { expiresAt: expiresAt ?? undefined, scopes: tokenScopes });
  return { accessToken, username, scopes, isAPI: isAPI === true, lifeMs };
}

/** A backoff that all instances observe. */
export interface SharedBackoff {
  /** The failure, whose `retryAfterMs` is the remaining time of the backoff. */
  readonly failure: XPayAuthError;
  /** Number of consecutive rejections of the account. 0 if the backoff has another cause. */
  readonly rejections: number;
  /** Number of consecutive failed attempts of the instance that wrote the backoff. */
  readonly failures: number;
  /** Generation of the lease under which the backoff was written. */
  readonly generation: number;
}

/** Ms for which a backoff is kept after its end, so that consecutive rejections of an account are counted. */
const KEPT_MS = 120_000;

/** Failures that concern one instance only, such as a missing option. */
const NOT_SHARED: readonly XPayAuthErrorCode[] = ['configuration', 'store_unavailable', 'shutting_down', 'overloaded'];

/**
 * Returns the backoff of this account, or `undefined` if there is no backoff or the backoff is over. The returned backoff is
 * limited to the backoff that this instance would choose without a usable token. Throws `store_unavailable`.
 */
export async function readBackoff(store: Store, id: string, usableForMs: number): Promise<SharedBackoff | undefined> {
  const entry = await store.read({ kind: 'pause', id });
  if (entry === undefined) return undefined;
  const { code, message, pauseMs, refusals, asked, failures } = parseObject(entry.value) ?? {};
  if (!isCode(code) || !isText(message) || !isCount(pauseMs) || !isCount(refusals)) return undefined;
  const remainingMs = entry.remainingMs - KEPT_MS;
  const longestMs = asked === true ? MAX_RETRY_AFTER_WITHOUT_TOKEN_MS : MAX_BACKOFF_WITHOUT_TOKEN_MS;
  const capMs = refusals > 0 || usableForMs > 0 ? Infinity : longestMs - (pauseMs - remainingMs);
  const retryAfterMs = Math.min(remainingMs, capMs);
  if (retryAfterMs <= 0) return undefined;
  return {
    failure: new XPayAuthError(code, message, { retryAfterMs }),
    rejections: refusals,
    failures: isCount(failures) ? failures : 0,
    generation: entry.generation,
  };
}

/**
 * Writes a backoff. Returns `false` if the failure is not shared, or if the store has a newer backoff. Throws
 * `store_unavailable`.
 */
export async function writeBackoff(
  store: Store,
  { id, generation }: StoredName,
  { error, backoffMs, rejections, failures }: RecordedFailure,
): Promise<boolean> {
  const { code, message, retryAfterMs } = error;
  if (NOT_SHARED.includes(code) || backoffMs <= 0) return false;
  const stored = {
    code,
    message,
    pauseMs: backoffMs,
    refusals: rejections,
    asked: retryAfterMs !== undefined,
    failures,
  };
  return store.write({ kind: 'pause', id }, { value: JSON.stringify(stored), generation, lifeMs: backoffMs + KEPT_MS });
}

function isCode(value: unknown): value is XPayAuthErrorCode {
  return isText(value) && Object.hasOwn(FAILURES, value);
}

function isCount(value: unknown): value is number {
  return Number.isFinite(value) && Number(value) >= 0;
}
