import type { Outcome, WireAnswer } from './wire-message.js';

/** One item of `detail` in a 422. In every other FastAPI error `detail` is a string. */
export interface FieldError {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  /** The rejected value. For a missing field of a model: the whole submitted object, password included. */
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

type More = Pick<WireAnswer, 'headers' | 'account'>;

/** JSON as FastAPI sends it: without a charset in the media type. */
export function fastApiJson(status: number, value: unknown, outcome: Outcome, more?: More): WireAnswer {
  return { status, payload: { kind: 'json', value, contentType: 'application/json' }, outcome, ...more };
}

/** `{ "detail": "…" }` */
export function fastApiError(status: number, detail: string, outcome: Outcome, more?: More): WireAnswer {
  return fastApiJson(status, { detail }, outcome, more);
}

/** 422 with one item per error. */
export function unprocessable(errors: readonly FieldError[]): WireAnswer {
  return fastApiJson(422, { detail: errors }, 'bad_request');
}

/** A missing field. */
export function missingField(input: unknown, ...loc: readonly string[]): FieldError {
  return { type: 'missing', loc: ['body', ...loc], msg: 'Field required', input };
}

/** A `grant_type` that does not match the pattern. */
export function wrongGrantType(input: string, pattern: string): FieldError {
  const msg = `String should match pattern '${pattern}'`;
  return { type: 'string_pattern_mismatch', loc: ['body', 'grant_type'], msg, input, ctx: { pattern } };
}

/** A field of a JSON model that is not a string. */
export function notAString(input: unknown, field: string): FieldError {
  return { type: 'string_type', loc: ['body', field], msg: 'Input should be a valid string', input };
}

/** A body that is not an object where a model is expected. A form is returned as it was sent, password included. */
export function notAnObject(input: unknown): FieldError {
  const msg = 'Input should be a valid dictionary or object to extract fields from';
  return { type: 'model_attributes_type', loc: ['body'], msg, input };
}

/** A body that declares JSON and is not. */
export function notJson(): FieldError {
  const ctx = { error: 'Expecting value' };
  return { type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error', input: {}, ctx };
}
