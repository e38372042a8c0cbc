import { type ExecutionContext, createParamDecorator } from '@nestjs/common';
import { configurationError } from '../../core/errors.js';
import { callerOf } from '../contexts/contexts.js';
import { requirementOf } from '../requirement/requirement.js';

/**
 * The caller, as a `Principal`; `undefined` for an anonymous caller under `@OptionalAuth()`. It is the decision of this
 * library's guard, or of Passport's `AuthGuard('xpay')`, whatever `request.user` holds. Throws `configuration` on a route
 * that none of them protects.
 */
export const CurrentUser: () => ParameterDecorator = createParamDecorator((_: undefined, context: ExecutionContext) => {
  const [controller, handler] = [context.getClass(), context.getHandler()];
  const caller = callerOf(context);
  if (caller !== undefined || requirementOf(controller, handler).access === 'optional') return caller;
  throw configurationError(
    `@CurrentUser() in ${controller.name}.${handler.name}: no guard ran. Decorate the route, e.g. with @Authenticated().`,
  );
});
