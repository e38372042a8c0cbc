import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { AccessControl } from '../contexts/access-control.js';
import { authenticate } from '../contexts/access-steps.js';

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
