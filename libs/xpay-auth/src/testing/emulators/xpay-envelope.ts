import { randomUUID } from 'node:crypto';
import type { Outcome, WireAnswer } from './wire-message.js';

/** Where the reference stands in a success: both are in the vendor's samples. Errors always carry it on top. */
export type UuidPlacement = 'top' | 'inside';

/** Who asked, and under which reference. */
export interface XPayCall {
  readonly uuid: string;
  readonly uuidPlacement: UuidPlacement;
  /** `error: null` goes beside `success`, and `success: null` beside `error`. */
  readonly nullFields: boolean;
  readonly account?: string;
}

/** `{ success: { message, data }, uuid }` with status 200; `more` goes beside `data`. */
export function xpaySuccess(
  call: XPayCall,
  message: string,
  data: unknown,
  outcome: Outcome = 'ok',
  more: Readonly<Record<string, unknown>> = {},
): WireAnswer {
  const success = { message, data, ...more };
  const value = {
    ...(call.uuidPlacement === 'inside' ? { success: { ...success, uuid: call.uuid } } : { success, uuid: call.uuid }),
    ...(call.nullFields && { error: null }),
  };
  return { ...about(call), status: 200, payload: { kind: 'json', value }, outcome };
}

/** `{ error: { message, data, tag }, uuid }`; business errors have status 200 too (https://docs.xpay.stream/prerequisites). */
export function xpayError(
  call: XPayCall,
  message: string,
  data: unknown,
  outcome: Outcome = 'business_error',
  status = 200,
): WireAnswer {
  const value = {
    ...(call.nullFields && { success: null }),
    error: { message, data, tag: randomUUID() },
    uuid: call.uuid,
  };
  return { ...about(call), status, payload: { kind: 'json', value }, outcome };
}

function about(call: XPayCall): Pick<WireAnswer, 'uuid' | 'account'> {
  return { uuid: call.uuid, ...(call.account !== undefined && { account: call.account }) };
}
