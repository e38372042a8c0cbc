import { type ExecutionContext, createParamDecorator } from '@nestjs/common';
import { configurationError } from '../../core/errors.js';
import { callerOf } from '../contexts/contexts.js';
import { requirementOf } from '../requirement/requirement.js';

/**
 * Injects the caller as a `Principal`, or `undefined` for an anonymous caller under `@OptionalAuth()`. The caller is the one that
 * this library's guard or Passport's `AuthGuard('xpay')` accepted. The value of `request.user` makes no difference. Throws
 * `configuration` on a route without such a guard.
 */
export const CurrentUser: () => ParameterDecorator = createParamDecorator((_: undefined, context: ExecutionContext) => {
  const [controller, handler] = [context.getClass(), context.getHandler()];
  const caller = callerOf(context);
  if (caller !== undefined || requirementOf(controller, handler).access === 'optional') return caller;
  throw configurationError(
    `@CurrentUser() in ${controller.name}.${handler.name}: no guard of this library ran. Decorate the handler, e.g. with @Authenticated().`,
  );
});
