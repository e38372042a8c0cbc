import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** What an emulator made of a request; a scripted fault shows as `fault:` and its kind. */
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
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The media type in lower case, without its parameters; '' when none was sent. */
  readonly mediaType: string;
  readonly body: Buffer;
}

/** What goes out as the body. */
export type Payload =
  | { readonly kind: 'json'; readonly value: unknown; readonly contentType?: string }
  | { readonly kind: 'text'; readonly text: string; readonly contentType: string }
  | { readonly kind: 'filler'; readonly bytes: number; readonly declareLength: boolean };

/** One answer, before it is written to the socket. */
export interface WireAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly payload?: Payload;
  readonly outcome: Outcome;
  /** Whose request it was, as far as the emulator knows. */
  readonly account?: string;
  readonly uuid?: string;
}

/** Longest request an emulator reads. */
const MOST_REQUEST_BYTES = 1024 * 1024;

/** The request is longer than an emulator reads. */
export class RequestTooLarge extends Error {}

/** Reads a request to its end. */
export async function readWireRequest(message: IncomingMessage): Promise<WireRequest> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_REQUEST_BYTES) throw new RequestTooLarge();
    chunks.push(chunk);
  }
  const target = message.url ?? '/';
  const mark = target.indexOf('?');
  return {
    method: message.method ?? 'GET',
    path: mark < 0 ? target : target.slice(0, mark),
    query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
    headers: message.headers,
    mediaType: (message.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '',
    body: Buffer.concat(chunks),
  };
}

/** The token of an `Authorization: Bearer …` line (scheme in any case), or `undefined`. */
export function bearerOf(
  request: WireRequest,
  header: 'authorization' | 'authorisation' = 'authorization',
): string | undefined {
  const line = request.headers[header];
  const value = Array.isArray(line) ? line[0] : line;
  return value === undefined ? undefined : /^bearer +(\S+) *$/i.exec(value)?.[1];
}

/** Is it a JSON object (neither `null` nor an array)? */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses JSON; `undefined` when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
