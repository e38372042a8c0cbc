import { type FieldError, missingField, notAString, notAnObject, notJson, wrongGrantType } from './fastapi-answers.js';
import { type WireRequest, formOf, isRecord, jsonOf } from './wire-message.js';

/**
 * How the login reads its body. `form`: OAuth2's password form, field by field. `form-model`: the same form as one model,
 * whose 422 shows the whole submitted form. `json`: a JSON model, whose 422 shows the submitted value.
 */
export type LoginBody = 'form' | 'form-model' | 'json';

/** The credentials of a login, or the errors in its body. */
export type ReadLogin = { readonly username: string; readonly password: string } | { readonly errors: FieldError[] };

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
    // `undefined` for malformed JSON, '' without a body, the raw text for another media type.
    return readModel(isJson ? jsonOf(request) : request.body.toString('utf8'));
  }
  const fields = await formFields(request);
  if (body === 'form-model')
    return readModel(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')));
  const { username, password, grant_type: grantType = '' } = fields;
  const errors: FieldError[] = [];
  if (grantType === '' && strictGrantType) errors.push(missingField(null, 'grant_type'));
  if (grantType !== '' && grantType !== 'password') errors.push(wrongGrantType(grantType, '^password$'));
  if (!username) errors.push(missingField(null, 'username'));
  if (!password) errors.push(missingField(null, 'password'));
  return errors.length > 0 || !username || !password ? { errors } : { username, password };
}

function readModel(value: unknown): ReadLogin {
  if (value === undefined) return { errors: [notJson()] };
  if (value === '') return { errors: [missingField(null)] };
  if (!isRecord(value)) return { errors: [notAnObject(value)] };
  const { username, password } = value;
  if (typeof username === 'string' && typeof password === 'string') return { username, password };
  const errors = Object.entries({ username, password }).flatMap(([field, given]): FieldError[] => {
    if (given === undefined) return [missingField(value, field)];
    return typeof given === 'string' ? [] : [notAString(given, field)];
  });
  return { errors };
}
