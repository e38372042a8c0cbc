import type { FaultPlan, RetryAfter } from './fault.js';
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
