import type { Operation } from '../../core/instrumentation.js';

/** The name of each span but that of an HTTP request, which is named after its method and path; `undefined`: no span. */
export const SPANS = {
  verify: 'xpay_auth.verify',
  login: 'xpay_auth.login',
  'read session': 'xpay_auth.session.read',
  'renew token': 'xpay_auth.token.renew',
  'call api': 'xpay_auth.api.call',
  // The HTTP request has a span of its own, and what asked has one: this one would say nothing new.
  'ask upstream': undefined,
} as const satisfies Record<Exclude<Operation['type'], 'exchange'>, string | undefined>;
