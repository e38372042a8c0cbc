import { Controller, Get, Header, Req, Res } from '@nestjs/common';
import { Authenticated, CurrentUser, type Principal, XPayAuthError } from 'nestjs-xpay-auth';
import { type VerifyRequest, hasAmbiguousPath } from './original-path.js';
import { requiredScopes } from './required-scopes.js';
import { DescribeVerify } from '../docs/describe-verify.js';

/**
 * Forward auth: a proxy (nginx `auth_request`, Traefik `forwardAuth`, Envoy `ext_authz`) calls this route to decide about a
 * client's request. Some proxies use the method of the client's request and append its path: see forwarded-request.ts.
 */
@Controller('verify')
@Authenticated()
export class VerifyController {
  /**
   * Returns 200 with the caller's name and scopes in headers, or 400, 401, 403, 429, 503 … A repeated `?scope=` requires all of
   * these scopes. Every rejection emits an audit event.
   */
  @Get()
  @Header('cache-control', 'no-store')
  @DescribeVerify()
  verify(
    @Req() request: VerifyRequest,
    @CurrentUser() caller: Principal,
    @Res({ passthrough: true }) response: HeaderSink,
  ): void {
    if (hasAmbiguousPath(request)) throw new XPayAuthError('invalid_request', 'The original path is ambiguous');
    const scopes = requiredScopes(request.url);
    if (scopes === undefined) {
      throw new XPayAuthError('invalid_request', 'The query is not ?scope=…, repeated for several scopes');
    }
    if (!scopes.every((scope) => caller.scopes.includes(scope))) {
      throw new XPayAuthError('insufficient_scope', 'The caller lacks a scope', { requiredScopes: scopes });
    }
    response.header('x-auth-user', headerText(caller.username));
    response.header('x-auth-scopes', caller.scopes.map(headerText).join(' '));
  }
}

/** Percent-encodes a username or a scope, because a header value cannot contain every character of a username. */
function headerText(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

interface HeaderSink {
  header(name: string, value: string): unknown;
}
