// Type tests of the public surface. Checked by `npm run typecheck`, and against the packed tarball.
import type { HttpException } from '@nestjs/common';
import { expectTypeOf } from 'expect-type';
import type { IncomingMessage } from 'node:http';
import type { Observable } from 'rxjs';
import {
  AccessToken,
  CurrentUser,
  type FailureBody,
  InjectXPay,
  Principal,
  type Scope,
  Scopes,
  type Session,
  type TokenEvent,
  type TokenStatus,
  XPayAuthError,
  type XPayAuthErrorCode,
  XPayAuthModule,
  type XPayAuthOptions,
  type XPayHandshake,
  type XPayAccountTokens,
  type XPayApiCalls,
  type XPayHttpService,
  type XPaySessionService,
  XPayTokenService,
  failureHeaders,
} from 'nestjs-xpay-auth';
import { undiciTransport } from 'nestjs-xpay-auth/undici';

declare module 'nestjs-xpay-auth' {
  interface XPayScopes {
    'reports:read': true;
  }
}

declare const tokens: XPayTokenService;
declare const http: XPayHttpService;
declare const sessions: XPaySessionService;
declare const session: Session;

/** Never called: only its types are tested. */
export async function surface(): Promise<void> {
  expectTypeOf(tokens.getToken()).resolves.toEqualTypeOf<AccessToken>();
  expectTypeOf(tokens.peek()).toEqualTypeOf<AccessToken | undefined>();
  expectTypeOf(tokens.authorizationHeader()).resolves.toEqualTypeOf<string>();
  expectTypeOf<Parameters<XPayTokenService['invalidate']>[0]>().toEqualTypeOf<AccessToken | string>();
  expectTypeOf(tokens.status()).toEqualTypeOf<TokenStatus>();
  expectTypeOf(tokens.status().state).toEqualTypeOf<'none' | 'fresh' | 'stale' | 'expired'>();
  expectTypeOf(tokens.events).toEqualTypeOf<Observable<TokenEvent>>();
  expectTypeOf<TokenEvent['account']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<Extract<TokenEvent, { type: 'refresh-failed' }>['code']>().toEqualTypeOf<XPayAuthErrorCode>();

  expectTypeOf(tokens.forAccount('id')).toEqualTypeOf<XPayAccountTokens>();
  expectTypeOf(tokens).toExtend<XPayAccountTokens>();
  expectTypeOf(http.forAccount('id')).toEqualTypeOf<XPayApiCalls>();
  expectTypeOf(http).toExtend<XPayApiCalls>();
  expectTypeOf(await http.forAccount('id').post<string[]>('/path')).toEqualTypeOf<string[]>();

  expectTypeOf(await http.post('/path')).toEqualTypeOf<unknown>();
  expectTypeOf(await http.post<string[]>('/path')).toEqualTypeOf<string[]>();
  expectTypeOf(await http.request<null>({ path: '/path' })).toEqualTypeOf<{
    data: null;
    uuid: string;
    message?: string;
    meta: Record<string, unknown>;
  }>();
  const { meta } = await http.request<null, { nextPage?: boolean }>({ path: '/path' });
  expectTypeOf(meta.nextPage).toEqualTypeOf<boolean | undefined>();
  expectTypeOf(http.asCaller(session.principal).post<string[]>('/path')).resolves.toEqualTypeOf<string[]>();
  expectTypeOf<Parameters<XPayHttpService['asCaller']>>().toEqualTypeOf<[principal: Principal]>();
  expectTypeOf(http.pages('/path')).toEqualTypeOf<AsyncIterable<unknown>>();
  expectTypeOf(http.pages<string>('/path', { page: 2 }, { maxPages: 5 })).toEqualTypeOf<AsyncIterable<string>>();
  // @ts-expect-error -- every page has a new uuid
  http.pages('/path', {}, { uuid: '' });

  expectTypeOf(await sessions.login({ username: '', secretKey: '' })).toEqualTypeOf<Session>();
  expectTypeOf<Session>().toHaveProperty('accessToken').toEqualTypeOf<string>();
  expectTypeOf<Session>().toHaveProperty('tokenType').toEqualTypeOf<'Bearer'>();

  expectTypeOf<XPayHandshake['accept']>().returns.resolves.toEqualTypeOf<Principal | undefined>();
  expectTypeOf<IncomingMessage>().toExtend<NonNullable<Parameters<XPayHandshake['accept']>[2]>>();

  expectTypeOf<'tme_user'>().toExtend<Scope>();
  expectTypeOf<'anything:else'>().toExtend<Scope>();
  expectTypeOf<Extract<Scope, 'reports:read'>>().toEqualTypeOf<'reports:read'>();
  expectTypeOf<Extract<Scope, 'tme_admin'>>().toEqualTypeOf<'tme_admin'>();

  expectTypeOf<XPayAuthError['code']>().toEqualTypeOf<XPayAuthErrorCode>();
  expectTypeOf<XPayAuthError>().toExtend<HttpException>();
  expectTypeOf<ReturnType<XPayAuthError['getStatus']>>().toEqualTypeOf<number>();
  expectTypeOf<ReturnType<XPayAuthError['getResponse']>>().toEqualTypeOf<FailureBody>();
  expectTypeOf<'status'>().not.toExtend<keyof XPayAuthError>();
  expectTypeOf(failureHeaders).returns.toEqualTypeOf<Record<string, string>>();
  expectTypeOf<'insufficient_scope'>().toExtend<XPayAuthErrorCode>();
  expectTypeOf<'made_up'>().not.toExtend<XPayAuthErrorCode>();

  expectTypeOf<Principal>().toHaveProperty('scopes').toEqualTypeOf<readonly string[]>();
  // An object literal is not a principal, because only this library creates them.
  expectTypeOf<{
    username: string;
    scopes: string[];
    isAPI: true;
    expiresAt: undefined;
    instance: string;
  }>().not.toExtend<Principal>();
  expectTypeOf<{ value: string; expiresAt: undefined; scopes: string[] }>().not.toExtend<AccessToken>();

  XPayAuthModule.forRoot();
  XPayAuthModule.forRoot({ credentials: async () => ({ username: '', secretKey: '' }), attempts: false });
  XPayAuthModule.forRootAsync({ name: 'a', useFactory: () => ({ baseUrl: '' }) });
  XPayAuthModule.forRoot({ http: { transport: undiciTransport({ tls: { ca: '' } }) } });
  // @ts-expect-error -- no such option
  XPayAuthModule.forRoot({ baseURL: '' });
  // @ts-expect-error -- the name belongs beside the factory
  XPayAuthModule.forRoot({ verification: { name: 'a' } });
  // @ts-expect-error -- Basic and Bearer are the built-in extractors
  const wrong: XPayAuthOptions = { verification: { extractors: ['digest'] } };
  void wrong;
}

class Decorated {
  constructor(@InjectXPay(XPayTokenService, 'other') readonly other: XPayTokenService) {}

  @Scopes('tme_admin', 'reports:read', 'anything:else')
  route(@CurrentUser() caller: Principal): string {
    return caller.username;
  }
}
void Decorated;
