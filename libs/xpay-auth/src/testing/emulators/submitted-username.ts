import { isRecord, parseJson } from './wire-message.js';
import type { WireRequest } from './wire-message.js';

/** The user name in the body of a login: `username` or `email`, in JSON or urlencoded; `undefined` without one. */
export function submittedUsername({ mediaType, body }: WireRequest): string | undefined {
  const fields = fieldsOf(mediaType, body.toString('utf8'));
  const username = fields['username'] ?? fields['email'];
  return typeof username === 'string' ? username : undefined;
}

function fieldsOf(mediaType: string, text: string): Readonly<Record<string, unknown>> {
  if (mediaType === 'application/x-www-form-urlencoded') return Object.fromEntries(new URLSearchParams(text));
  const value = mediaType === 'application/json' ? parseJson(text) : undefined;
  return isRecord(value) ? value : {};
}
