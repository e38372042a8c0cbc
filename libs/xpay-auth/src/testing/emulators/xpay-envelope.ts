import { randomUUID } from 'node:crypto';
import type { Outcome, WireAnswer } from './wire-message.js';

/** The place of `uuid` in a success; the vendor's samples show both. In an error `uuid` is always at the top. */
export type UuidPlacement = 'top' | 'inside';

/** One request and the settings that shape its answer. */
export interface XPayCall {
  readonly uuid: string;
  readonly uuidPlacement: UuidPlacement;
  /** Adds `error: null` beside `success`, and `success: null` beside `error`. */
  readonly nullFields: boolean;
  readonly account?: string | undefined;
}

/** `{ success: { message, data }, uuid }` with status 200. The fields of `more` are siblings of `data`. */
export function xpaySuccess(
  { uuid, uuidPlacement, nullFields, account }: XPayCall,
  message: string,
  data: unknown,
  outcome: Outcome = 'ok',
  more: Readonly<Record<string, unknown>> = {},
): WireAnswer {
  const success = { message, data, ...more };
  const value = {
    ...(uuidPlacement === 'inside' ? { success: { ...success, uuid } } : { success, uuid }),
    ...(nullFields && { error: null }),
  };
  return { status: 200, payload: { kind: 'json', value }, outcome, uuid, account };
}

/** `{ error: { message, data, tag }, uuid }`. Business errors have status 200 too (https://docs.xpay.stream/prerequisites). */
export function xpayError(
  { uuid, nullFields, account }: XPayCall,
  message: string,
  data: unknown,
  outcome: Outcome = 'business_error',
  status = 200,
): WireAnswer {
  const value = { ...(nullFields && { success: null }), error: { message, data, tag: randomUUID() }, uuid };
  return { status, payload: { kind: 'json', value }, outcome, uuid, account };
}
