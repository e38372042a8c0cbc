import type { Outcome, WireAnswer } from './wire-message.js';

/** One line of a 422: `detail` is an array of these, while every other FastAPI error has a text there. */
export interface FieldError {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  /** The rejected value; for a missing field of a model the whole submitted object, password included. */
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

/** JSON as FastAPI sends it: no charset beside the media type. */
export function fastApiJson(
  status: number,
  value: unknown,
  outcome: Outcome,
  more: Pick<WireAnswer, 'headers' | 'account'> = {},
): WireAnswer {
  return { status, payload: { kind: 'json', value, contentType: 'application/json' }, outcome, ...more };
}

/** `{ "detail": "…" }` */
export function fastApiError(
  status: number,
  detail: string,
  outcome: Outcome,
  more?: Pick<WireAnswer, 'headers' | 'account'>,
): WireAnswer {
  return fastApiJson(status, { detail }, outcome, more);
}

/** 422 with one line per fault. */
export function unprocessable(errors: readonly FieldError[]): WireAnswer {
  return fastApiJson(422, { detail: errors }, 'bad_request');
}

/** A field that is not there. */
export function missingField(input: unknown, ...loc: readonly string[]): FieldError {
  return { type: 'missing', loc: ['body', ...loc], msg: 'Field required', input };
}

/** A `grant_type` that is not the pattern's. */
export function wrongGrantType(input: string, pattern: string): FieldError {
  const msg = `String should match pattern '${pattern}'`;
  return { type: 'string_pattern_mismatch', loc: ['body', 'grant_type'], msg, input, ctx: { pattern } };
}

/** A field of a JSON model that is no text. */
export function notAString(input: unknown, field: string): FieldError {
  return { type: 'string_type', loc: ['body', field], msg: 'Input should be a valid string', input };
}

/** A body that is no object where a model is expected; a form comes back as it was sent, password included. */
export function notAnObject(input: unknown): FieldError {
  const msg = 'Input should be a valid dictionary or object to extract fields from';
  return { type: 'model_attributes_type', loc: ['body'], msg, input };
}

/** A body that calls itself JSON and is not. */
export function notJson(): FieldError {
  return {
    type: 'json_invalid',
    loc: ['body', 0],
    msg: 'JSON decode error',
    input: {},
    ctx: { error: 'Expecting value' },
  };
}
