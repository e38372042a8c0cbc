import {
  type Attributes,
  type Context,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  context,
  trace,
} from '@opentelemetry/api';
import type { Operation, SpanEnd, Span } from '../../core/instrumentation.js';
import { FAILURES } from '../../core/errors.js';
import { attributes } from './attributes.js';

/** The span names, except that of an HTTP request, which is its method and path. `undefined`: no span. */
const SPANS = {
  verify: 'xpay_auth.verify',
  login: 'xpay_auth.login',
  'read session': 'xpay_auth.session.read',
  'renew token': 'xpay_auth.token.renew',
  'call api': 'xpay_auth.api.call',
  // Its HTTP request and its caller have spans. A third one would add nothing.
  'ask upstream': undefined,
} as const satisfies Record<Exclude<Operation['type'], 'exchange'>, string | undefined>;

/** Starts the span of an operation, as a child of the active one. Returns `undefined` for an operation without a span. */
export function beginSpan(tracer: Tracer, operation: Operation, instance: string, dialect: string): Span | undefined {
  const name = nameOf(operation);
  if (name === undefined) return undefined;
  const kind = operation.type === 'exchange' ? SpanKind.CLIENT : SpanKind.INTERNAL;
  const parent = context.active();
  const atStart = { ...attributes({ instance }), ...known(operation, dialect) };
  const span = tracer.startSpan(name, { kind, attributes: atStart }, parent);
  const inside: Context = trace.setSpan(parent, span);
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
  if (operation.type === 'verify') return attributes({ scheme: operation.scheme });
  if (operation.type !== 'exchange') return {};
  const { method, template } = operation;
  const { hostname: address, port, protocol } = new URL(operation.url);
  return attributes({
    dialect,
    method,
    address: address.replace(/^\[|\]$/g, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    template,
    // A template with a placeholder is not a path.
    path: template?.includes('{') === true ? undefined : template,
  });
}

/** The attributes at the end: the error, and the status of an exchange or the outcome of any other operation. */
function learnt(operation: Operation, ending: SpanEnd): Attributes {
  const errorType = errorOf(ending);
  if (operation.type === 'exchange') return attributes({ status: ending.status, errorType });
  return attributes({ outcome: ending.outcome, errorType });
}

/** The error type. A status of 400 or more is an error of a client span. A caller's mistake is not an error. */
function errorOf({ outcome, status }: SpanEnd): string | undefined {
  if (status !== undefined) return status >= 400 ? String(status) : undefined;
  if (outcome === 'ok' || outcome === 'aborted') return undefined;
  if (outcome === 'token_rejected') return outcome;
  return FAILURES[outcome].trouble === 'caller' ? undefined : outcome;
}
