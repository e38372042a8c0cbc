import { type Outcome, type WireAnswer, type WireRequest, formOf, isRecord, jsonOf } from './wire-message.js';

/** One item of `detail` in a 422. In every other FastAPI error `detail` is a string. */
interface FieldError {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  /** The rejected value. For a missing field of a model: the whole submitted object, including the password. */
  readonly input: unknown;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

type More = Pick<WireAnswer, 'headers' | 'account'>;

/** JSON as FastAPI sends it: without a charset in the media type. */
export function json(status: number, value: unknown, outcome: Outcome, more?: More): WireAnswer {
  return { status, payload: { kind: 'json', value, contentType: 'application/json' }, outcome, ...more };
}

/** `{ "detail": "…" }` */
export function error(status: number, detail: string, outcome: Outcome, more?: More): WireAnswer {
  return json(status, { detail }, outcome, more);
}

/** 422 with one item per error. */
export function unprocessable(errors: readonly FieldError[]): WireAnswer {
  return json(422, { detail: errors }, 'bad_request');
}

/** The message of each type of error that has no `ctx`. */
const MESSAGES = {
  missing: 'Field required',
  string_type: 'Input should be a valid string',
  model_attributes_type: 'Input should be a valid dictionary or object to extract fields from',
} as const;

/**
 * An error in a field: a missing field (`missing`), a field of a JSON model that is not a string (`string_type`), or a body
 * that is not an object where a model is expected (`model_attributes_type`). `input` of the last is the body as it was sent,
 * including the password.
 */
export function fieldError(type: keyof typeof MESSAGES, input: unknown, ...loc: readonly string[]): FieldError {
  return { type, loc: ['body', ...loc], msg: MESSAGES[type], input };
}

/** A `grant_type` that does not match the pattern. */
export function wrongGrantType(input: string, pattern: string): FieldError {
  const msg = `String should match pattern '${pattern}'`;
  return { type: 'string_pattern_mismatch', loc: ['body', 'grant_type'], msg, input, ctx: { pattern } };
}

/** A body that is declared as JSON but is not JSON. */
function notJson(): FieldError {
  const ctx = { error: 'Expecting value' };
  return { type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error', input: {}, ctx };
}

/**
 * How the login reads its body. `form`: OAuth2's password form, field by field. `form-model`: the same form as one model,
 * whose 422 shows the whole submitted form. `json`: a JSON model, whose 422 shows the submitted value.
 */
export type LoginBody = 'form' | 'form-model' | 'json';

/** The credentials of a login, or the errors in its body. */
type ReadLogin = { readonly username: string; readonly password: string } | { readonly errors: FieldError[] };

/** The fields of a form, urlencoded or multipart; a body of another media type has none. */
export async function formFields(request: WireRequest): Promise<Record<string, string>> {
  if (request.mediaType !== 'multipart/form-data') return formOf(request);
  const headers = { 'content-type': request.headers['content-type'] ?? '' };
  const form = await new Response(request.body, { headers }).formData().catch(() => new FormData());
  return Object.fromEntries([...form].flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));
}

/** Reads a login as FastAPI would. An empty field of a form counts as missing. */
export async function readLogin(request: WireRequest, body: LoginBody, strictGrantType: boolean): Promise<ReadLogin> {
  if (body === 'json') {
    const isJson = request.mediaType === 'application/json' && request.body.length > 0;
    // The model is `undefined` for malformed JSON, '' without a body, and the raw text for another media type.
    return readModel(isJson ? jsonOf(request) : request.body.toString('utf8'));
  }
  const fields = await formFields(request);
  if (body === 'form-model')
    return readModel(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')));
  const { username, password, grant_type: grantType = '' } = fields;
  const errors: FieldError[] = [];
  if (grantType === '' && strictGrantType) errors.push(fieldError('missing', null, 'grant_type'));
  if (grantType !== '' && grantType !== 'password') errors.push(wrongGrantType(grantType, '^password$'));
  if (!username) errors.push(fieldError('missing', null, 'username'));
  if (!password) errors.push(fieldError('missing', null, 'password'));
  return errors.length > 0 || !username || !password ? { errors } : { username, password };
}

function readModel(value: unknown): ReadLogin {
  if (value === undefined) return { errors: [notJson()] };
  if (value === '') return { errors: [fieldError('missing', null)] };
  if (!isRecord(value)) return { errors: [fieldError('model_attributes_type', value)] };
  const { username, password } = value;
  if (typeof username === 'string' && typeof password === 'string') return { username, password };
  const errors = Object.entries({ username, password }).flatMap(([field, given]): FieldError[] => {
    if (given === undefined) return [fieldError('missing', value, field)];
    return typeof given === 'string' ? [] : [fieldError('string_type', given, field)];
  });
  return { errors };
}
