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
import { SPANS } from './spans.js';

/** Starts a span for one act, as a child of the active one; `undefined` for an act without a span. */
export function beginSpan(tracer: Tracer, act: Operation, instance: string, dialect: string): Span | undefined {
  const name = nameOf(act);
  if (name === undefined) return undefined;
  const kind = act.type === 'exchange' ? SpanKind.CLIENT : SpanKind.INTERNAL;
  const parent = context.active();
  const atStart = { ...attributes({ instance }), ...known(act, dialect) };
  const span = tracer.startSpan(name, { kind, attributes: atStart }, parent);
  const inside: Context = trace.setSpan(parent, span);
  return {
    run: (run) => context.with(inside, run),
    end: (ending) => {
      span.setAttributes(learnt(act, ending));
      if (errorOf(ending) !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

function nameOf(act: Operation): string | undefined {
  if (act.type !== 'exchange') return SPANS[act.type];
  return act.template === undefined ? act.method : `${act.method} ${act.template}`;
}

function known(act: Operation, dialect: string): Attributes {
  if (act.type === 'verify') return attributes({ scheme: act.scheme });
  if (act.type !== 'exchange') return {};
  const { method, template } = act;
  const { hostname: address, port, protocol } = new URL(act.url);
  return attributes({
    dialect,
    method,
    address: address.replace(/^\[|\]$/g, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    template,
    // A path with a placeholder is not a path.
    path: template?.includes('{') === true ? undefined : template,
  });
}

/** The attributes at the end: the status of an exchange, the outcome of any other act, and the error. */
function learnt(act: Operation, ending: SpanEnd): Attributes {
  const errorType = errorOf(ending);
  if (act.type === 'exchange') return attributes({ status: ending.status, errorType });
  return attributes({ outcome: ending.outcome, errorType });
}

/** A status from 400 is an error of a client's span. A caller's mistake is not an error of ours. */
function errorOf({ outcome, status }: SpanEnd): string | undefined {
  if (status !== undefined) return status >= 400 ? String(status) : undefined;
  if (outcome === 'ok' || outcome === 'aborted') return undefined;
  if (outcome === 'token_rejected') return outcome;
  return FAILURES[outcome].trouble === 'caller' ? undefined : outcome;
}
