import { FAILURES, XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import { isText, parseObject } from '../core/json-object.js';
import { MAX_BACKOFF_WITHOUT_TOKEN_MS, MAX_RETRY_AFTER_WITHOUT_TOKEN_MS } from '../async/backoff.js';
import type { Store } from '../core/store.js';

/** Why all instances leave the upstream alone for a while. */
export interface SharedPause {
  readonly code: XPayAuthErrorCode;
  readonly message: string;
  /** Ms that it lasts in all. */
  readonly pauseMs: number;
  /** Ms that are left of it. */
  readonly leftMs: number;
  /** How often in a row the account was refused; 0: it was something else. */
  readonly refusals: number;
  /** The upstream named the time itself. */
  readonly asked: boolean;
}

/** A pause is remembered for this long after its end, so that the next refusal of an account knows of the last one. */
const REMEMBERED_MS = 120_000;

/** Trouble of one instance is not the others': a missing setting, say. */
const NOT_SHARED: readonly XPayAuthErrorCode[] = ['configuration', 'store_unavailable', 'shutting_down', 'overloaded'];

/** The pause of this account, over or not. */
export async function readPause(store: Store, id: string): Promise<SharedPause | undefined> {
  const entry = await store.read({ kind: 'pause', id });
  if (entry === undefined) return undefined;
  const { code, message, pauseMs, refusals, asked } = parseObject(entry.value) ?? {};
  // Of a version of this library that nobody knows: what cannot be understood is no pause.
  if (!isCode(code) || !isText(message) || !isCount(pauseMs) || !isCount(refusals)) return undefined;
  return { code, message, pauseMs, refusals, asked: asked === true, leftMs: entry.remainingMs - REMEMBERED_MS };
}

/** `false` when there is nothing to share. */
export async function writePause(
  store: Store,
  id: string,
  generation: number,
  { error, pauseMs }: { readonly error: XPayAuthError; readonly pauseMs: number },
  refusals: number,
): Promise<boolean> {
  const { code, message, retryAfterMs } = error;
  if (NOT_SHARED.includes(code) || pauseMs <= 0) return false;
  const counted = code === 'credentials_rejected' ? refusals : 0;
  const value = JSON.stringify({ code, message, pauseMs, refusals: counted, asked: retryAfterMs !== undefined });
  return store.write({ kind: 'pause', id }, { value, generation, lifeMs: pauseMs + REMEMBERED_MS });
}

/**
 * Why the upstream is not asked now, with the time that is left; `undefined`: it may be. Whoever has no usable token is held
 * back no longer by others' trouble than by its own.
 */
export function pauseLeft(pause: SharedPause, usableForMs: number): XPayAuthError | undefined {
  const { code, message, pauseMs, leftMs, refusals, asked } = pause;
  const longestMs = asked ? MAX_RETRY_AFTER_WITHOUT_TOKEN_MS : MAX_BACKOFF_WITHOUT_TOKEN_MS;
  const capMs = refusals > 0 || usableForMs > 0 ? Infinity : longestMs - (pauseMs - leftMs);
  const retryAfterMs = Math.min(leftMs, capMs);
  return retryAfterMs > 0 ? new XPayAuthError(code, message, { retryAfterMs }) : undefined;
}

function isCode(value: unknown): value is XPayAuthErrorCode {
  return isText(value) && Object.hasOwn(FAILURES, value);
}

function isCount(value: unknown): value is number {
  return Number.isFinite(value) && Number(value) >= 0;
}
