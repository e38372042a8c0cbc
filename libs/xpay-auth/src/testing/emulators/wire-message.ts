import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** The outcome of a request. A scripted fault shows as `fault:` and its kind. */
export type Outcome =
  | 'pending'
  | 'granted'
  | 'refused'
  | 'ok'
  | 'bad_bearer'
  | 'bad_request'
  | 'business_error'
  | 'not_found'
  | 'method_not_allowed'
  | 'redirected'
  | 'emulator_error'
  | `fault:${string}`;

/** One request, read to its end. */
export interface WireRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The media type in lower case, without its parameters; '' when none was sent. */
  readonly mediaType: string;
  readonly body: Buffer;
}

/** The body of an answer. */
export type Payload =
  | { readonly kind: 'json'; readonly value: unknown; readonly contentType?: string }
  | { readonly kind: 'text'; readonly text: string; readonly contentType: string }
  | { readonly kind: 'filler'; readonly bytes: number; readonly declareLength: boolean };

/** One answer, before it is written to the socket. */
export interface WireAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly payload?: Payload | undefined;
  readonly outcome: Outcome;
  /** The user name behind the request, if the emulator knows it. */
  readonly account?: string | undefined;
  readonly uuid?: string | undefined;
}

/** Maximum size of a request. */
const MOST_REQUEST_BYTES = 1024 * 1024;

/** Reads a request to its end; `undefined` if it is larger than {@link MOST_REQUEST_BYTES}. */
export async function readWireRequest(message: IncomingMessage): Promise<WireRequest | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_REQUEST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return {
    method: message.method ?? 'GET',
    path: message.url?.split('?', 1)[0] ?? '/',
    headers: message.headers,
    mediaType: (message.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '',
    body: Buffer.concat(chunks),
  };
}

/** The token of an `Authorization: Bearer …` line (scheme in any case), or `undefined`. */
export function bearerOf({ headers }: WireRequest, header = 'authorization'): string | undefined {
  const [line = ''] = [headers[header]].flat();
  return /^bearer +(\S+) *$/i.exec(line)?.[1];
}

/** Whether a value is a JSON object, neither `null` nor an array. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of a JSON body; `undefined` for malformed JSON and for another media type. */
export function jsonOf({ mediaType, body }: WireRequest): unknown {
  try {
    return mediaType === 'application/json' ? (JSON.parse(body.toString('utf8')) as unknown) : undefined;
  } catch {
    return undefined;
  }
}

/** The fields of a urlencoded body; none for another media type. */
export function formOf({ mediaType, body }: WireRequest): Record<string, string> {
  const isForm = mediaType === 'application/x-www-form-urlencoded';
  return Object.fromEntries(new URLSearchParams(isForm ? body.toString('utf8') : ''));
}

/** The user name in the body of a login: `username` or `email`, in JSON or urlencoded; `undefined` without one. */
export function submittedUsername(request: WireRequest): string | undefined {
  const json = jsonOf(request);
  const fields: Readonly<Record<string, unknown>> = isRecord(json) ? json : formOf(request);
  const username = fields['username'] ?? fields['email'];
  return typeof username === 'string' ? username : undefined;
}
