import type { XPayAuthErrorCode } from '../../core/errors.js';

/** What a handler does by itself: `login` by `XPaySessionService`, `call` by `XPayHttpService`; or one code it throws. */
export type OwnFailure = 'login' | 'call' | XPayAuthErrorCode;

const OWN_FAILURES = Symbol('xpay:own-failures');

/**
 * Documents what a handler may fail with by its own doing, beside what its guards answer: a login route, which is public and
 * answers 401 all the same, or a call to the upstream that finds it down.
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

export function ownFailuresOf(handler: object): readonly OwnFailure[] {
  return (Reflect.getMetadata(OWN_FAILURES, handler) as readonly OwnFailure[] | undefined) ?? [];
}
