import { FAILURES, type XPayAuthErrorCode } from '../../core/errors.js';
import type { XPayInstance } from '../../nest/instance/instance.js';
import type { Requirement } from '../../nest/requirement/requirement.js';

type Codes = readonly XPayAuthErrorCode[];

/** A failure of a handler: of `XPaySessionService` (`login`), of `XPayHttpService` (`call`), or one code that it throws. */
export type OwnFailure = 'login' | 'call' | XPayAuthErrorCode;

const OWN_FAILURES = Symbol('xpay:own-failures');

/** The failures of every call to the upstream. */
const UPSTREAM_TROUBLE = (Object.keys(FAILURES) as Codes).filter(
  (code) => code.startsWith('upstream_') || code === 'shutting_down',
);

/**
 * Documents the failures of a handler itself, in addition to those of its guards. Examples are a login route, which is public
 * and can return 401, and a call to the upstream, which can fail.
 *
 * ```ts
 * @Public()
 * @ApiXPayFailures('login')
 * @Post('login')
 * login(@Body() body: LoginBody) {}
 * ```
 */
export function ApiXPayFailures(...failures: readonly OwnFailure[]): MethodDecorator {
  return (_target, _key, descriptor) => {
    Reflect.defineMetadata(OWN_FAILURES, failures, descriptor.value as object);
  };
}

/** The codes that the guards of a route can return, except `configuration`, because a bug is not part of an API. */
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

/** The codes in {@link ApiXPayFailures} of a handler. */
export function ownFailures(handler: object, instance: XPayInstance | undefined): Codes {
  const own = (Reflect.getMetadata(OWN_FAILURES, handler) ?? []) as readonly OwnFailure[];
  return own.flatMap((failure): Codes => {
    if (failure === 'call') return ['credentials_rejected', ...accountFailures(instance), ...UPSTREAM_TROUBLE];
    if (failure === 'login') {
      return ['invalid_request', 'invalid_credentials', ...storeFailures(instance), ...checkFailures(instance)];
    }
    return [failure];
  });
}

/** The failures of `forAccount`. */
function accountFailures(instance: XPayInstance | undefined): Codes {
  return instance?.options.accounts === undefined ? [] : ['unknown_account'];
}

/** The failures of sessions in a shared store. */
function storeFailures(instance: XPayInstance | undefined): Codes {
  return instance?.options.store === undefined ? [] : ['store_unavailable'];
}

/** The failures of a check of credentials at the upstream. Only the store may know whether an address is trusted. */
function checkFailures(instance: XPayInstance | undefined): Codes {
  const isLimited = instance?.options.attempts !== false;
  const limits = isLimited ? (['too_many_attempts', ...storeFailures(instance)] as const) : [];
  return [...limits, 'overloaded', ...UPSTREAM_TROUBLE];
}
