import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { AccessControl } from '../contexts/access-control.js';
import { authenticate, authorize } from '../contexts/operations.js';

/** Authenticates the caller. `@CurrentUser()` returns the `Principal`; on HTTP `request.user` holds it as well. */
@Injectable()
export class XPayAuthGuard implements CanActivate {
  /** @hidden */
  constructor(@Inject(AccessControl) private readonly access: AccessControl) {}

  /** Nest calls it. Throws Nest's own exception for the context, with an `XPayAuthError` as its `cause`. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return this.access.decide(context, authenticate);
  }
}

/**
 * Authorizes the caller. Checks the scopes for every operation, also when the caller is cached, and accepts only a caller
 * that the right instance of this library authenticated for it.
 */
@Injectable()
export class ScopesGuard implements CanActivate {
  /** @hidden */
  constructor(@Inject(AccessControl) private readonly access: AccessControl) {}

  /** Nest calls it. Throws Nest's own exception for the context, with an `XPayAuthError` as its `cause`. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return this.access.decide(context, authorize);
  }
}
