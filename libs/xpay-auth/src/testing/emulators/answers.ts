import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { AnswerEncoding, FaultPlan, RetryAfter } from './fault.js';
import type { Payload, WireAnswer } from './wire-message.js';

const HTML_502 =
  '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n';

/** The answer of a fault; `undefined` for `reset` and `hang`. */
export function answerOfFault(fault: NonNullable<FaultPlan['ending']>): WireAnswer | undefined {
  const outcome = `fault:${fault.kind}` as const;
  switch (fault.kind) {
    case 'status':
      return { status: fault.status, headers: fault.headers, payload: payloadOf(fault.body), outcome };
    case 'html502':
      return { status: 502, payload: text(HTML_502, 'text/html'), outcome };
    case 'rateLimited':
      return { status: 429, headers: retryAfter(fault), payload: text('Too Many Requests'), outcome };
    case 'unavailable':
      return { status: 503, headers: retryAfter(fault), payload: text('Service Unavailable'), outcome };
    case 'empty':
      return { status: 200, outcome };
    case 'notJson':
      return { status: 200, payload: text('{"success": <!-- ', 'application/json'), outcome };
    case 'redirect':
      return { status: fault.status ?? 307, headers: { location: fault.location }, outcome };
    case 'oversized': {
      const { bytes, declareLength = true } = fault;
      return { status: 200, payload: { kind: 'filler', bytes, declareLength }, outcome };
    }
    case 'reset':
    case 'hang':
    default:
      return undefined;
  }
}

/** The answer with its JSON body passed through the transforms, in order. */
export function transformed(answer: WireAnswer, transforms: FaultPlan['transforms']): WireAnswer {
  if (transforms.length === 0) return answer;
  const body = answer.payload?.kind === 'json' ? answer.payload.value : undefined;
  const value = transforms.reduce((each, transform) => transform(each), body);
  return { ...answer, payload: value === undefined ? undefined : { kind: 'json', value } };
}

/** The answer after a transform of the test threw. */
export function emulatorError(error: unknown): WireAnswer {
  const message = error instanceof Error ? error.message : String(error);
  return { status: 500, payload: text(`emulator: ${message}`), outcome: 'emulator_error' };
}

function retryAfter({ retryAfter: value }: { readonly retryAfter?: RetryAfter }): Record<string, string> {
  return value === undefined ? {} : { 'retry-after': String(value) };
}

function payloadOf(body: unknown): Payload | undefined {
  if (body === undefined) return undefined;
  return typeof body === 'string' ? text(body) : { kind: 'json', value: body };
}

function text(value: string, contentType = 'text/plain'): Payload {
  return { kind: 'text', text: value, contentType };
}

const CHUNK = 'x'.repeat(64 * 1024);
const FILLER_HEAD = '{"filler":"';
const FILLER_TAIL = '"}';

/**
 * Writes one answer. `date` is the value of the `Date` header; `undefined` leaves the header out. Without an `encoding` the
 * body is UTF-8.
 */
export async function writeAnswer(
  response: ServerResponse,
  answer: WireAnswer,
  date: string | undefined,
  encoding?: AnswerEncoding,
): Promise<void> {
  response.sendDate = false;
  response.statusCode = answer.status;
  if (date !== undefined) response.setHeader('date', date);
  const { payload } = answer;
  if (payload !== undefined) response.setHeader('content-type', contentTypeOf(payload, encoding));
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);

  if (payload?.kind === 'filler') {
    if (payload.declareLength) response.setHeader('content-length', payload.bytes);
    await pipeline(Readable.from(filler(payload.bytes)), response);
    return;
  }
  const text = payload === undefined ? '' : payload.kind === 'json' ? JSON.stringify(payload.value) : payload.text;
  const bytes = Buffer.from(text, encoding?.encoding);
  response.setHeader('content-length', bytes.length);
  response.end(bytes);
}

function contentTypeOf(payload: Payload, encoding: AnswerEncoding | undefined): string {
  const given = payload.kind === 'filler' ? undefined : payload.contentType;
  const usual = payload.kind === 'text' || given === undefined ? '; charset=utf-8' : '';
  if (encoding === undefined) return (given ?? 'application/json') + usual;
  return (given ?? 'application/json') + (encoding.charset === undefined ? '' : `; charset=${encoding.charset}`);
}

function* filler(bytes: number): Generator<string> {
  yield FILLER_HEAD;
  let left = bytes - FILLER_HEAD.length - FILLER_TAIL.length;
  for (; left > CHUNK.length; left -= CHUNK.length) yield CHUNK;
  yield 'x'.repeat(Math.max(0, left));
  yield FILLER_TAIL;
}
