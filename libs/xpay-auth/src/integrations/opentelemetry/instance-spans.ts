import { type Attributes, SpanKind, SpanStatusCode, type Tracer, context, trace } from '@opentelemetry/api';
import type { Operation, SpanEnd, Span } from '../../core/instrumentation.js';
import { FAILURES } from '../../core/errors.js';

// Attributes that OpenTelemetry's semantic conventions (1.23 and later) define have the name in the conventions. All others
// begin with `xpay_auth.`. OpenTelemetry ignores an attribute whose value is `undefined`.

/** The span names, except that of an HTTP request, which is its method and path. `undefined`: no span. */
const SPANS = {
  verify: 'xpay_auth.verify',
  login: 'xpay_auth.login',
  'read session': 'xpay_auth.session.read',
  'renew token': 'xpay_auth.token.renew',
  'call api': 'xpay_auth.api.call',
  // The HTTP request and the calling operation have spans already.
  'ask upstream': undefined,
} as const satisfies Record<Exclude<Operation['type'], 'exchange'>, string | undefined>;

/** Starts the span of an operation, as a child of the active one. Returns `undefined` for an operation without a span. */
export function beginSpan(tracer: Tracer, operation: Operation, instance: string, dialect: string): Span | undefined {
  const name = nameOf(operation);
  if (name === undefined) return undefined;
  const kind = operation.type === 'exchange' ? SpanKind.CLIENT : SpanKind.INTERNAL;
  const parent = context.active();
  const attributes = { 'xpay_auth.instance': instance, ...known(operation, dialect) };
  const span = tracer.startSpan(name, { kind, attributes }, parent);
  const inside = trace.setSpan(parent, span);
  return {
    run: (run) => context.with(inside, run),
    end: (ending) => {
      span.setAttributes(learnt(operation, ending));
      if (errorOf(ending) !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

function nameOf(operation: Operation): string | undefined {
  if (operation.type !== 'exchange') return SPANS[operation.type];
  return operation.template === undefined ? operation.method : `${operation.method} ${operation.template}`;
}

function known(operation: Operation, dialect: string): Attributes {
  if (operation.type === 'verify') return { 'xpay_auth.scheme': operation.scheme };
  if (operation.type !== 'exchange') return {};
  const { method, template } = operation;
  const { hostname, port, protocol } = new URL(operation.url);
  return {
    'xpay_auth.dialect': dialect,
    'http.request.method': method,
    'server.address': hostname.replace(/^\[|\]$/g, ''),
    'server.port': port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    'url.template': template,
    // A template with a placeholder is not a path, so it is not reported as one.
    'url.path': template?.includes('{') === true ? undefined : template,
  };
}

/** The attributes at the end: the error, and the status of an exchange or the outcome of any other operation. */
function learnt(operation: Operation, ending: SpanEnd): Attributes {
  const result =
    operation.type === 'exchange'
      ? { 'http.response.status_code': ending.status }
      : { 'xpay_auth.outcome': ending.outcome };
  return { ...result, 'error.type': errorOf(ending) };
}

/** The error type. A status of 400 or more is an error of a client span. A caller's mistake is not an error. */
function errorOf({ outcome, status }: SpanEnd): string | undefined {
  if (status !== undefined) return status >= 400 ? String(status) : undefined;
  if (outcome === 'ok' || outcome === 'aborted') return undefined;
  if (outcome === 'token_rejected') return outcome;
  return FAILURES[outcome].trouble === 'caller' ? undefined : outcome;
}
