import { UseGuards, applyDecorators } from '@nestjs/common';
import type { Scope } from '../../core/principal.js';
import { XPayAuthGuard } from '../guards/xpay-auth.guard.js';
import { type MarkDecorator, declareRequirement, declareInstance, scopesOf } from './route-decorator.js';
import type { DeclaredRequirement } from '../requirement/requirement.js';

/**
 * Accepts callers who hold all of these scopes. Also adds the guard, so a decorated route is never open. On a class, it applies
 * to every method that has no access decorator. Throws `configuration` when it is evaluated without a scope.
 *
 * ```ts
 * @Scopes('tme_admin')
 * @Get('report')
 * report(@CurrentUser() caller: Principal) {}
 * ```
 */
export function Scopes(...scopes: readonly Scope[]): MarkDecorator {
  return guarded({ by: '@Scopes', access: 'authenticated', all: scopesOf('@Scopes', scopes) });
}

/** Accepts callers who hold at least one of these scopes. With `@Scopes` on the same route, both requirements apply. */
export function AnyScope(...scopes: readonly Scope[]): MarkDecorator {
  return guarded({ by: '@AnyScope', access: 'authenticated', any: scopesOf('@AnyScope', scopes) });
}

/** Accepts any valid caller with any scopes. */
export function Authenticated(): MarkDecorator {
  return guarded({ by: '@Authenticated()', access: 'authenticated' });
}

/**
 * Accepts anonymous callers (`@CurrentUser()` is `undefined`) as well as valid ones. The response is still 401 for wrong
 * credentials and unknown schemes, and 503 during an outage of the upstream.
 */
export function OptionalAuth(): MarkDecorator {
  return guarded({ by: '@OptionalAuth()', access: 'optional' });
}

/** Accepts every caller without reading credentials. Exempts a route from `globalGuards` or from the decorator of its class. */
export function Public(): MarkDecorator {
  return declareRequirement({ by: '@Public()', access: 'public' });
}

/**
 * Names the instance that decides about callers of this class or method. On a method, it replaces that of the class. Without
 * `@UseXPay`, the unnamed instance decides. Also adds the guard: without another decorator, every valid caller of the named
 * instance is accepted.
 */
export function UseXPay(name: string): MarkDecorator {
  return applyDecorators(declareInstance(name), UseGuards(XPayAuthGuard));
}

function guarded(declared: DeclaredRequirement): MarkDecorator {
  return applyDecorators(declareRequirement(declared), UseGuards(XPayAuthGuard));
}
