import type { XPayAuthErrorCode } from '../../core/errors.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import type { Requirement } from '../../nest/requirement/requirement.js';
import type { OwnFailure } from './own-failures.js';

type Codes = readonly XPayAuthErrorCode[];

/** What may come between us and the upstream, whatever it is asked. */
const UPSTREAM_TROUBLE: Codes = [
  'upstream_malformed',
  'upstream_business_error',
  'upstream_unavailable',
  'upstream_rate_limited',
  'shutting_down',
  'upstream_timeout',
];

/** The codes that the guards may answer a route with. `configuration` is left out: a bug is no part of an API. */
export function guardFailures({ access, all, any }: Requirement, instance: XPayInstance): Codes {
  const { extractors } = instance.options.verification;
  const takesBearer = extractors.some((extractor) => extractor !== 'basic');
  const takesCredentials = extractors.some((extractor) => extractor !== 'bearer');
  const asksScopes = access === 'authenticated' && all.length + any.length > 0;
  return [
    'invalid_request',
    ...(access === 'optional' ? [] : (['missing_credentials'] as const)),
    'invalid_credentials',
    ...(takesBearer ? ['invalid_token' as const, ...storeFailures(instance)] : []),
    ...(asksScopes ? (['insufficient_scope'] as const) : []),
    ...(takesCredentials ? checkFailures(instance) : []),
  ];
}

/** The codes of what a handler does by itself. */
export function ownFailures(own: readonly OwnFailure[], instance: XPayInstance | undefined): Codes {
  return own.flatMap((failure): Codes => {
    if (failure === 'call') return ['credentials_rejected', ...UPSTREAM_TROUBLE];
    if (failure === 'login') {
      return ['invalid_request', 'invalid_credentials', ...storeFailures(instance), ...checkFailures(instance)];
    }
    return [failure];
  });
}

/** Of sessions that several instances share. */
function storeFailures(instance: XPayInstance | undefined): Codes {
  return instance?.options.store === undefined ? [] : ['store_unavailable'];
}

/** Of a check of somebody's credentials at the upstream. */
function checkFailures(instance: XPayInstance | undefined): Codes {
  const isLimited = instance?.options.attempts !== false;
  return [...(isLimited ? (['too_many_attempts'] as const) : []), 'overloaded', ...UPSTREAM_TROUBLE];
}
