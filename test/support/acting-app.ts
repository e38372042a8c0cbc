import { Controller, HttpCode, Post } from '@nestjs/common';
import {
  Authenticated,
  CurrentUser,
  InjectXPay,
  OptionalAuth,
  type Principal,
  UseXPay,
  XPayHttpService,
} from 'nestjs-xpay-auth';
import { type InboundApp, type InboundSetting, RoutesController, ada, startInbound } from './inbound-app.js';
import type { Platform } from './start-app.js';

export const FIND = '/client/wallets/find';
/** A payment, which is not repeated if it may have had an effect. */
export const CONFIRM = '/client/wallets/send/tron/confirm';

/** An account of the app, whose token `asCaller` never uses. */
export const APP = { username: 'app@example.test', secretKey: 'app-secret-27182818' };

/** The principals that `/admit` received, oldest first. A test acts as one of them later, like a handler that takes a while. */
const admitted: Principal[] = [];

/** Routes that call the upstream as the caller. */
@Controller()
export class ActingController {
  constructor(private readonly xpay: XPayHttpService) {}

  @Authenticated()
  @HttpCode(200)
  @Post('wallets')
  wallets(@CurrentUser() caller: Principal): Promise<unknown> {
    return this.xpay.asCaller(caller).post(FIND, { page: 1 });
  }

  @Authenticated()
  @HttpCode(200)
  @Post('pay')
  pay(@CurrentUser() caller: Principal): Promise<unknown> {
    return this.xpay.asCaller(caller).post(CONFIRM, {});
  }

  @Authenticated()
  @HttpCode(200)
  @Post('admit')
  admit(@CurrentUser() caller: Principal): void {
    admitted.push(caller);
  }

  @OptionalAuth()
  @HttpCode(200)
  @Post('optional')
  optional(@CurrentUser() caller: Principal): Promise<unknown> {
    return this.xpay.asCaller(caller).post(FIND, { page: 1 });
  }
}

/** Authenticates callers at the second instance, and passes them to the calls of both. */
@UseXPay('second')
@Controller('second')
export class SecondController {
  constructor(
    private readonly first: XPayHttpService,
    @InjectXPay(XPayHttpService, 'second') private readonly second: XPayHttpService,
  ) {}

  @Authenticated()
  @HttpCode(200)
  @Post('own')
  own(@CurrentUser() caller: Principal): Promise<unknown> {
    return this.second.asCaller(caller).post(FIND, { page: 1 });
  }

  @Authenticated()
  @HttpCode(200)
  @Post('other')
  other(@CurrentUser() caller: Principal): Promise<unknown> {
    return this.first.asCaller(caller).post(FIND, { page: 1 });
  }
}

/** Starts an app that keeps the tokens of its callers, unless the options say otherwise. */
export function startActing(
  platform: Platform,
  { withoutAccount = false, ...setting }: InboundSetting & { readonly withoutAccount?: boolean } = {},
): Promise<InboundApp> {
  const { verification, session, ...options } = setting.options ?? {};
  return startInbound(platform, {
    accounts: [APP, ada],
    controllers: [RoutesController, ActingController],
    ...setting,
    options: {
      ...(!withoutAccount && { credentials: APP }),
      ...options,
      verification: { keepUpstreamToken: true, ...verification },
      session: { keepUpstreamToken: true, ...session },
    },
  });
}

/** Returns the accounts whose tokens were sent to a path of the API, oldest first. */
export function actors({ xpay }: Pick<InboundApp, 'xpay'>, path = FIND): (string | undefined)[] {
  return xpay.ledger.filter((entry) => entry.path === path).map(({ account }) => account);
}

/** Returns the principal that the app creates for a request with these headers. */
export async function admit(app: InboundApp, headers: Record<string, string>): Promise<Principal> {
  const response = await app.fetch('/admit', { method: 'POST', headers });
  const principal = response.status === 200 ? admitted.at(-1) : undefined;
  if (principal === undefined) throw new Error(`/admit answered ${response.status}`);
  return principal;
}
