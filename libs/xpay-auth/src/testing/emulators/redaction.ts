import type { IncomingHttpHeaders } from 'node:http';
import { type WireRequest, formOf, isRecord, jsonOf } from './wire-message.js';

/** The text in place of a secret. */
const REDACTED = '[redacted]';

const SECRET_NAME = /pass|secret|token|ticket|otp|credential|authoris|authoriz|cookie|api-?key/i;
const KNOWN_SCHEME = /^(basic|bearer|digest) /i;
const LONGEST_FIELD_NAME = 64;
const MOST_SEARCHED_SECRETS = 100;
const SHORTEST_SEARCHED_SECRET = 6;

/** Whether a text contains a secret of the emulator: an account's key or a token that it has issued. */
export type HoldsSecret = (text: string) => boolean;

/** Whether a text is or contains one of these secrets. A short secret, and one of many, must be the whole text. */
export function containsSecret(text: string, secrets: ReadonlySet<string>): boolean {
  if (secrets.has(text)) return true;
  if (secrets.size > MOST_SEARCHED_SECRETS) return false;
  return [...secrets].some((secret) => secret.length >= SHORTEST_SEARCHED_SECRET && text.includes(secret));
}

/** The headers of a request, with credentials reduced to their scheme. */
export function redactHeaders(headers: IncomingHttpHeaders, holdsSecret: HoldsSecret): Record<string, string> {
  const shown: Record<string, string> = {};
  for (const [name, line] of Object.entries(headers)) {
    const value = Array.isArray(line) ? line.join(', ') : (line ?? '');
    const scheme = KNOWN_SCHEME.exec(value)?.[1];
    if (SECRET_NAME.test(name)) shown[name] = scheme === undefined ? REDACTED : `${scheme} ${REDACTED}`;
    else shown[name] = holdsSecret(value) ? REDACTED : value;
  }
  return shown;
}

/** The parsed body of a request with its secrets replaced; `undefined` without a body. */
export function redactBody(request: WireRequest, holdsSecret: HoldsSecret): unknown {
  if (request.body.length === 0) return undefined;
  if (request.mediaType === 'application/x-www-form-urlencoded') return redactValue(formOf(request), holdsSecret);
  const parsed = jsonOf(request);
  return parsed === undefined ? `[${request.body.length} bytes, not parsed]` : redactValue(parsed, holdsSecret);
}

function redactValue(value: unknown, holdsSecret: HoldsSecret): unknown {
  if (typeof value === 'string') return holdsSecret(value) ? REDACTED : value;
  if (Array.isArray(value)) return value.map((item) => redactValue(item, holdsSecret));
  if (!isRecord(value)) return value;
  // A JSON body that is declared as a form becomes one long field name, with the secret in it.
  const field = (name: string): string => (name.length > LONGEST_FIELD_NAME || holdsSecret(name) ? REDACTED : name);
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      field(name),
      SECRET_NAME.test(name) ? REDACTED : redactValue(item, holdsSecret),
    ]),
  );
}
