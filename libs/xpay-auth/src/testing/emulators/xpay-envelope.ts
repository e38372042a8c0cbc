import { randomUUID } from 'node:crypto';
import type { Outcome, WireAnswer } from './wire-message.js';

/** The place of `uuid` in a success; the vendor's samples show both. In an error `uuid` is always at the top. */
export type UuidPlacement = 'top' | 'inside';

/**
 * The place of `nextPage` in the answer of a `…/find`: a field of `success` beside `data`, a field of `success.data` beside the list
 * `items`, or nowhere. The vendor describes the flag, but shows it in no sample.
 */
export type NextPagePlacement = 'success' | 'data' | 'none';

/** The settings of an emulator for what the vendor does not document. `XPayEmulator` describes them. */
export interface XPaySettings {
  readonly uuidPlacement: UuidPlacement;
  readonly nullFields: boolean;
  readonly nextPagePlacement: NextPagePlacement;
  readonly pageTotals: boolean;
  readonly sharedBillReferences: boolean;
  readonly cancelsInactiveBills: boolean;
  readonly closesExpiredBills: boolean;
}

/** One request and the settings that shape its answer. */
export interface XPayCall {
  readonly uuid: string;
  readonly settings: XPaySettings;
  readonly account?: string | undefined;
}

/** A request with a valid token. */
export interface XPayKnownCall extends XPayCall {
  readonly account: string;
}

/** `{ success: { message, data }, uuid }` with status 200. The fields of `more` are siblings of `data`. */
export function xpaySuccess(
  { uuid, settings: { uuidPlacement, nullFields }, account }: XPayCall,
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
  { uuid, settings: { nullFields }, account }: XPayCall,
  message: string,
  data: unknown,
  outcome: Outcome = 'business_error',
  status = 200,
): WireAnswer {
  const value = { ...(nullFields && { success: null }), error: { message, data, tag: randomUUID() }, uuid };
  return { status, payload: { kind: 'json', value }, outcome, uuid, account };
}
