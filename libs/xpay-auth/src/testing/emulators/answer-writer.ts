import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { AnswerEncoding } from './fault.js';
import type { Payload, WireAnswer } from './wire-message.js';

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
