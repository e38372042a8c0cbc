// Type tests of the test kit. Checked by `npm run typecheck`, and against the packed tarball without a test runner and
// its types.
import type { DynamicModule } from '@nestjs/common';
import { expectTypeOf } from 'expect-type';
import type { Clock, Credentials, Scope, XPayAuthErrorCode } from 'nestjs-xpay-auth';
import {
  type ContractCase,
  type Fault,
  ManualClock,
  type TestUser,
  type UpstreamTrouble,
  type XPayAccount,
  XPayAuthTestingModule,
  type XPayEmulator,
  type XPayTestCall,
  type XPayTestUpstream,
  asUser,
  dialectContract,
  startXPayEmulator,
  testCredentials,
} from 'nestjs-xpay-auth/testing';

declare const upstream: XPayTestUpstream;
declare const stage: Parameters<typeof dialectContract>[1];

/** Never called: only its types are tested. */
export async function kit(): Promise<void> {
  expectTypeOf(asUser({ username: 'ada' })).toEqualTypeOf<{ readonly authorization: string }>();
  expectTypeOf(testCredentials({ username: 'ada', scopes: ['tme_user'] })).toEqualTypeOf<Credentials>();
  expectTypeOf<NonNullable<TestUser['scopes']>>().toEqualTypeOf<readonly Scope[]>();
  // The types that supertest's `.set`, light-my-request's `headers` and fetch accept.
  expectTypeOf(asUser({ username: 'ada' })).toExtend<object>();
  expectTypeOf(asUser({ username: 'ada' })).toExtend<NodeJS.Dict<number | string | string[]>>();
  expectTypeOf(asUser({ username: 'ada' })).toExtend<Record<string, string>>();
  // @ts-expect-error -- a caller needs a username
  asUser({ scopes: [] });

  expectTypeOf(XPayAuthTestingModule.forRoot()).toEqualTypeOf<DynamicModule>();
  XPayAuthTestingModule.forRoot({ name: 'gift', dialect: 'gift-stream', globalGuards: true });
  // @ts-expect-error -- no such option
  XPayAuthTestingModule.forRoot({ baseURL: '' });

  expectTypeOf(upstream.of('gift')).toEqualTypeOf<XPayTestUpstream>();
  upstream.answer('/path', [], { message: 'Done', meta: { nextPage: false } });
  upstream.answerPages('/path', [[1], ['a']]);
  // @ts-expect-error -- a page is a list
  upstream.answerPages('/path', [1]);
  expectTypeOf(upstream.calls).toEqualTypeOf<readonly XPayTestCall[]>();
  expectTypeOf<UpstreamTrouble>().toExtend<XPayAuthErrorCode>();
  expectTypeOf<'upstream_timeout'>().toExtend<UpstreamTrouble>();
  // @ts-expect-error -- this failure is the caller's fault: use refuse(username)
  upstream.fail('invalid_credentials');

  expectTypeOf(new ManualClock()).toExtend<Clock>();
  expectTypeOf(startXPayEmulator({ accounts: [] })).resolves.toEqualTypeOf<XPayEmulator>();
  expectTypeOf<Parameters<XPayEmulator['addAccount']>[0]>().toEqualTypeOf<XPayAccount>();
  expectTypeOf<Parameters<XPayEmulator['faults']['next']>[0]>().toEqualTypeOf<Fault>();

  const cases = dialectContract('mine', stage);
  expectTypeOf(cases).toEqualTypeOf<readonly ContractCase[]>();
  for (const { run } of cases) await run();
}
