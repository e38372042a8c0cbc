import type { FaultPlan } from './fault.js';
import type { Payload, WireAnswer } from './wire-message.js';

const HTML_502 =
  '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n';

/** The answer of a fault that has one; `undefined` for `reset` and `hang`. */
export function answerOfFault(fault: NonNullable<FaultPlan['ending']>): WireAnswer | undefined {
  const outcome = `fault:${fault.kind}` as const;
  switch (fault.kind) {
    case 'status':
      return {
        status: fault.status,
        ...(fault.headers && { headers: fault.headers }),
        ...(fault.body !== undefined && {
          payload:
            typeof fault.body === 'string' ? text(fault.body, 'text/plain') : { kind: 'json', value: fault.body },
        }),
        outcome,
      };
    case 'html502':
      return { status: 502, payload: text(HTML_502, 'text/html'), outcome };
    case 'rateLimited':
      return {
        status: 429,
        headers: retryAfter(fault.retryAfter),
        payload: text('Too Many Requests', 'text/plain'),
        outcome,
      };
    case 'unavailable':
      return {
        status: 503,
        headers: retryAfter(fault.retryAfter),
        payload: text('Service Unavailable', 'text/plain'),
        outcome,
      };
    case 'empty':
      return { status: 200, outcome };
    case 'notJson':
      return { status: 200, payload: text('{"success": <!-- ', 'application/json'), outcome };
    case 'redirect':
      return { status: fault.status ?? 307, headers: { location: fault.location }, outcome };
    case 'oversized':
      return {
        status: 200,
        payload: { kind: 'filler', bytes: fault.bytes, declareLength: fault.declareLength ?? true },
        outcome,
      };
    case 'reset':
    case 'hang':
    default:
      return undefined;
  }
}

/** The answer with another JSON body: what the transforms, one after the other, make of it. */
export function transformed(answer: WireAnswer, transforms: FaultPlan['transforms']): WireAnswer {
  if (transforms.length === 0) return answer;
  const { payload, ...rest } = answer;
  const body = transforms.reduce<unknown>(
    (value, transform) => transform(value),
    payload?.kind === 'json' ? payload.value : undefined,
  );
  return { ...rest, ...(body !== undefined && { payload: { kind: 'json', value: body } as const }) };
}

/** What a test sees when its own script threw. */
export function emulatorError(error: unknown): WireAnswer {
  const message = error instanceof Error ? error.message : String(error);
  return { status: 500, payload: text(`emulator: ${message}`, 'text/plain'), outcome: 'emulator_error' };
}

function retryAfter(value: string | number | undefined): Record<string, string> {
  return value === undefined ? {} : { 'retry-after': String(value) };
}

function text(value: string, contentType: string): Payload {
  return { kind: 'text', text: value, contentType };
}
