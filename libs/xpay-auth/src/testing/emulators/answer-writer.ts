import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { WireAnswer } from './wire-message.js';

const CHUNK = 'x'.repeat(64 * 1024);
const FILLER_HEAD = '{"filler":"';
const FILLER_TAIL = '"}';

/** Writes one answer. `date` is the value of the `Date` header; `undefined` leaves the header out. */
export async function writeAnswer(
  response: ServerResponse,
  answer: WireAnswer,
  date: string | undefined,
): Promise<void> {
  response.sendDate = false;
  response.statusCode = answer.status;
  if (date !== undefined) response.setHeader('date', date);
  const { payload } = answer;
  if (payload?.kind === 'json')
    response.setHeader('content-type', payload.contentType ?? 'application/json; charset=utf-8');
  if (payload?.kind === 'text') response.setHeader('content-type', `${payload.contentType}; charset=utf-8`);
  if (payload?.kind === 'filler') response.setHeader('content-type', 'application/json; charset=utf-8');
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);

  if (payload?.kind === 'filler') {
    if (payload.declareLength) response.setHeader('content-length', payload.bytes);
    await pipeline(Readable.from(filler(payload.bytes)), response);
    return;
  }
  const text = payload === undefined ? '' : payload.kind === 'json' ? JSON.stringify(payload.value) : payload.text;
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

function* filler(bytes: number): Generator<string> {
  yield FILLER_HEAD;
  let left = bytes - FILLER_HEAD.length - FILLER_TAIL.length;
  for (; left > CHUNK.length; left -= CHUNK.length) yield CHUNK;
  yield 'x'.repeat(Math.max(0, left));
  yield FILLER_TAIL;
}
