import { Test, type TestingModule } from '@nestjs/testing';
import {
  type AccountsOptions,
  type Credentials,
  type TokenEvent,
  XPayAuthModule,
  type XPayAuthOptions,
  XPayHttpService,
  XPayTokenService,
} from 'nestjs-xpay-auth';
import { ManualClock, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { AUTHENTICATE, HOUR_MS, collector } from '../outbound/outbound.js';

/** The account of a merchant at the upstream. */
export const merchant = (id: string): Credentials => ({
  username: `${id}@example.test`,
  secretKey: `key-of-${id}-271`,
});

/** An app whose merchants are known only at run time, with an emulated upstream. Both use the same clock. */
export interface Shop extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly xpay: XPayEmulator;
  readonly tokens: XPayTokenService;
  readonly http: XPayHttpService;
  readonly events: TokenEvent[];
  readonly lines: string[];
  readonly module: TestingModule;
  /** The credentials by id, as the app reads them. */
  readonly known: Map<string, Credentials>;
  /** The ids that the app was asked for, in order. */
  readonly reads: string[];
  /** Number of logins of one merchant, or of all. */
  logins(id?: string): number;
}

/** @param accounts replaces the function that reads `known`, or sets `maxEntries` */
export async function startShop(
  ids: readonly string[],
  accounts: Partial<AccountsOptions> = {},
  options: XPayAuthOptions = {},
): Promise<Shop> {
  const clock = new ManualClock();
  const known = new Map(ids.map((id) => [id, merchant(id)]));
  const xpay = await startXPayEmulator({ accounts: [...known.values()], clock, tokenLifeMs: HOUR_MS });
  const reads: string[] = [];
  const credentials = (id: string): Credentials | undefined => {
    reads.push(id);
    return known.get(id);
  };
  const lines: string[] = [];
  const module = await Test.createTestingModule({
    imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, accounts: { credentials, ...accounts }, ...options })],
  })
    .setLogger(collector(lines))
    .compile();
  const tokens = module.get(XPayTokenService);
  const events: TokenEvent[] = [];
  tokens.events.subscribe((event) => events.push(event));
  await module.init();
  return {
    clock,
    xpay,
    tokens,
    http: module.get(XPayHttpService),
    events,
    lines,
    module,
    known,
    reads,
    logins: (id) =>
      xpay.ledger.filter(
        ({ path, account }) => path === AUTHENTICATE && (id === undefined || account === merchant(id).username),
      ).length,
    [Symbol.asyncDispose]: async () => {
      await module.close();
      await xpay.stop();
    },
  };
}
