import { UseGuards, applyDecorators } from '@nestjs/common';
import type { Scope } from '../../core/principal.js';
import { ScopesGuard, XPayAuthGuard } from '../guards/xpay-auth.guard.js';
import { type MarkDecorator, declareRequirement, declareInstance, scopesOf } from './route-decorator.js';
import type { DeclaredRequirement } from '../requirement/requirement.js';

/**
 * Accepts callers who hold all of these scopes. Adds the guards too, so a decorated route is never open. On a class the
 * decorator applies to every method without an access decorator. Throws when the class is defined if there is no scope.
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

/** Accepts callers who hold at least one of these scopes. Together with `@Scopes`, callers must meet both decorators. */
export function AnyScope(...scopes: readonly Scope[]): MarkDecorator {
  return guarded({ by: '@AnyScope', access: 'authenticated', any: scopesOf('@AnyScope', scopes) });
}

/** Accepts any valid caller, whatever their scopes. */
export function Authenticated(): MarkDecorator {
  return guarded({ by: '@Authenticated()', access: 'authenticated' });
}

/**
 * Accepts anonymous callers (`@CurrentUser()` is `undefined`) as well as authenticated ones. Wrong credentials and unknown
 * schemes still get 401, and an outage of the upstream still causes 503.
 */
export function OptionalAuth(): MarkDecorator {
  return guarded({ by: '@OptionalAuth()', access: 'optional' });
}

/** Accepts every caller and does not read credentials. Use it for exceptions under `globalGuards` or on a decorated class. */
export function Public(): MarkDecorator {
  return declareRequirement({ by: '@Public()', access: 'public' });
}

/**
 * Names the instance that authenticates callers. A name on a method takes precedence over one on its class. Without a name,
 * the unnamed instance authenticates them. Adds the guards too, so without another access decorator any authenticated caller
 * of that instance is accepted.
 */
export function UseXPay(name: string): MarkDecorator {
  return applyDecorators(declareInstance(name), UseGuards(XPayAuthGuard, ScopesGuard));
}

function guarded(declared: DeclaredRequirement): MarkDecorator {
  return applyDecorators(declareRequirement(declared), UseGuards(XPayAuthGuard, ScopesGuard));
}
