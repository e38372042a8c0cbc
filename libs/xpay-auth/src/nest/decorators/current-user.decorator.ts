import { type ExecutionContext, createParamDecorator } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { Principal } from '../../core/principal.js';
import { contextOf } from '../contexts/contexts.js';
import { decided } from '../contexts/decisions.js';
import { DEFAULT_INSTANCE } from '../options/resolve-options.js';
import type { IncomingRequest } from '../request/incoming-request.js';
import { type Requirement, requirementOf } from '../requirement/requirement.js';

/**
 * Who is calling, as a `Principal`; `undefined` for nobody under `@OptionalAuth()`. On a route that no guard of this library
 * protects it throws `configuration`, rather than hand out whatever stands on the request.
 */
export const CurrentUser: () => ParameterDecorator = createParamDecorator((_: undefined, context: ExecutionContext) => {
  const requirement = requirementOf(context.getClass(), context.getHandler());
  const user = userOf(context, requirement);
  if (Principal.isPrincipal(user)) return user;
  if (requirement.access === 'optional') return undefined;
  const place = `${context.getClass().name}.${context.getHandler().name}`;
  throw new XPayAuthError(
    'configuration',
    `@CurrentUser() in ${place}: no guard ran. Mark the route, e.g. @Authenticated().`,
  );
});

function userOf(context: ExecutionContext, requirement: Requirement): unknown {
  if (context.getType() === 'http') return context.switchToHttp().getRequest<IncomingRequest>().user;
  // A public field has no caller, also where another field of its operation has one.
  if (requirement.access === 'public') return undefined;
  return decided(contextOf(context).operationOf(context), requirement.instance ?? DEFAULT_INSTANCE);
}
