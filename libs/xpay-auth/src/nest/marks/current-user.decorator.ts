import { type ExecutionContext, createParamDecorator } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { Principal } from '../../core/principal.js';
import type { IncomingRequest } from '../incoming-request.js';
import { requirementOf } from './requirement.js';

/**
 * Who is calling, as a `Principal`; `undefined` for nobody under `@OptionalAuth()`. On a route that no guard of this library
 * protects it throws `configuration`, rather than hand out whatever stands on the request.
 */
export const CurrentUser: () => ParameterDecorator = createParamDecorator((_: undefined, context: ExecutionContext) => {
  const { user } = context.switchToHttp().getRequest<IncomingRequest>();
  if (Principal.isPrincipal(user)) return user;
  if (requirementOf(context.getClass(), context.getHandler()).access === 'optional') return undefined;
  const place = `${context.getClass().name}.${context.getHandler().name}`;
  throw new XPayAuthError(
    'configuration',
    `@CurrentUser() in ${place}: no guard ran. Mark the route, e.g. @Authenticated().`,
  );
});
