import { UseGuards, applyDecorators } from '@nestjs/common';
import type { Scope } from '../../core/scopes.js';
import { ScopesGuard } from '../guards/scopes.guard.js';
import { XPayAuthGuard } from '../guards/xpay-auth.guard.js';
import { type MarkDecorator, declareRequirement, declareInstance, scopesOf } from './route-decorator.js';
import type { DeclaredRequirement } from '../requirement/requirement.js';

/**
 * Lets in callers who hold every one of these scopes. Puts the guards on by itself, so a marked route is never open. On a
 * class it holds for every method without a mark of its own. Throws where it is written when it names no scope.
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

/** Lets in callers who hold at least one of these scopes; beside `@Scopes` both must hold. */
export function AnyScope(...scopes: readonly Scope[]): MarkDecorator {
  return guarded({ by: '@AnyScope', access: 'authenticated', any: scopesOf('@AnyScope', scopes) });
}

/** Lets in any valid caller, whatever their scopes. */
export function Authenticated(): MarkDecorator {
  return guarded({ by: '@Authenticated()', access: 'authenticated' });
}

/**
 * Lets in callers without credentials as nobody (`@CurrentUser()` is `undefined`) and valid ones as themselves. Wrong
 * credentials and unknown schemes are still refused with 401, and trouble of the upstream is still 503.
 */
export function OptionalAuth(): MarkDecorator {
  return guarded({ by: '@OptionalAuth()', access: 'optional' });
}

/** Lets in everybody, without a look at their credentials: the exception under `globalGuards` or a marked class. */
export function Public(): MarkDecorator {
  return declareRequirement({ by: '@Public()', access: 'public' });
}

/**
 * Which named instance decides here. The method's beats the class's; without it the unnamed instance does. Puts the guards on
 * as well: without another mark it lets in any valid caller of that instance.
 */
export function UseXPay(name: string): MarkDecorator {
  return applyDecorators(declareInstance(name), UseGuards(XPayAuthGuard, ScopesGuard));
}

function guarded(mark: DeclaredRequirement): MarkDecorator {
  return applyDecorators(declareRequirement(mark), UseGuards(XPayAuthGuard, ScopesGuard));
}
