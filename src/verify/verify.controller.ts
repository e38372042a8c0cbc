import { BadRequestException, Controller, Get, Header, Req, Res } from '@nestjs/common';
import { Authenticated, CurrentUser, type Principal, XPayAuthError } from 'nestjs-xpay-auth';
import { requiredScopes } from './required-scopes.js';
import { DescribeVerify } from '../docs/describe-verify.js';

/** The part of a request and of an answer that both platforms have. */
interface Request {
  readonly url: string;
}

/**
 * Forward auth: a proxy (nginx `auth_request`, Traefik `forwardAuth`, Envoy `ext_authz`) asks here whether a request may
 * pass. Some ask with the method of that request and with its path below this one: see forwarded-request.ts.
 */
@Controller('verify')
@Authenticated()
export class VerifyController {
  /** 200 with the caller's name and scopes in headers, or 401, 403, 503 … `?scope=` may be repeated: all are asked for. */
  @Get()
  @Header('cache-control', 'no-store')
  @DescribeVerify()
  verify(
    @Req() request: Request,
    @CurrentUser() caller: Principal,
    @Res({ passthrough: true }) response: HeaderSink,
  ): void {
    const scopes = requiredScopes(request.url);
    if (scopes === undefined)
      throw new BadRequestException('Only ?scope=… is known here; repeat it for several scopes');
    if (!scopes.every((scope) => caller.scopes.includes(scope))) {
      throw new XPayAuthError('insufficient_scope', 'The caller lacks a scope', { requiredScopes: scopes });
    }
    response.header('x-auth-user', headerText(caller.username));
    response.header('x-auth-scopes', caller.scopes.map(headerText).join(' '));
  }
}

/** Names may hold anything; a header may not. */
function headerText(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

interface HeaderSink {
  header(name: string, value: string): unknown;
}
