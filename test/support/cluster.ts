import { Test } from '@nestjs/testing';
import {
  type Store,
  type TokenEvent,
  type Principal,
  XPayAuthModule,
  type XPayAuthOptions,
  XPayHttpService,
  XPaySessionService,
  XPayStrategy,
  XPayTokenService,
} from 'nestjs-xpay-auth';
import { type RedisStoreOptions, redisStore } from 'nestjs-xpay-auth/redis';
import type { XPayEmulator } from 'nestjs-xpay-auth/testing';
import { newKey } from './encryption-keys.js';
import { PATIENT } from './redis-clients.js';

export const APP = { username: 'app@example.test', secretKey: 'app-secret-27182818' };
export const ADA = { username: 'ada@example.test', secretKey: 'ada-secret-key', scopes: ['tme_user'] };

/** One instance of an app: a separate module with a separate connection. */
export interface Instance extends AsyncDisposable {
  readonly tokens: XPayTokenService;
  readonly sessions: XPaySessionService;
  readonly store: Store;
  readonly events: TokenEvent[];
  readonly lines: string[];
  /** Returns the caller with this header: a username, or the code of the failure. */
  readonly who: (authorization: string, address?: string) => Promise<string>;
  readonly http: XPayHttpService;
  /** Returns the principal of a request with this header. Rejects with the failure of the check. */
  readonly principalOf: (authorization: string, address?: string) => Promise<Principal>;
  readonly close: () => Promise<void>;
}

/** Boots instances that share a Redis and an upstream. */
export class InstanceFactory {
  readonly encryptionKeys = [{ id: 'k1', key: newKey() }];

  constructor(
    private readonly xpay: XPayEmulator,
    private readonly redisUrl: string,
    private readonly options: XPayAuthOptions = {},
  ) {}

  /**
   * @param timeouts Fifty instances share two cores, so a direct connection has long timeouts. A connection through a proxy has
   *   short ones, because the proxy may stop to respond.
   */
  async boot(
    options: XPayAuthOptions = {},
    redisUrl = this.redisUrl,
    timeouts: Pick<RedisStoreOptions, 'commandTimeoutMs'> = redisUrl === this.redisUrl
      ? PATIENT
      : { commandTimeoutMs: 300 },
  ): Promise<Instance> {
    const { encryptionKeys } = this;
    const store = options.store ?? redisStore({ url: redisUrl, encryptionKeys, ...timeouts });
    const lines: string[] = [];
    const log = (line: unknown): void => void lines.push(String(line));
    const module = await Test.createTestingModule({
      imports: [
        XPayAuthModule.forRoot({ baseUrl: this.xpay.url, credentials: APP, ...this.options, ...options, store }),
      ],
    })
      .setLogger({ log, warn: log, error: log, debug: log })
      .compile();
    await module.init();
    const tokens = module.get(XPayTokenService);
    const events: TokenEvent[] = [];
    tokens.events.subscribe((event) => events.push(event));
    const strategy = module.get(XPayStrategy);
    const principalOf = async (authorization: string, address = '192.0.2.1'): Promise<Principal> => {
      const rawHeaders = ['Authorization', authorization];
      return strategy.validate({
        headers: { authorization },
        rawHeaders,
        ip: address,
        socket: { remoteAddress: address },
      });
    };
    const who = async (authorization: string, address?: string): Promise<string> => {
      try {
        return (await principalOf(authorization, address)).username;
      } catch (failure) {
        return (failure as { code: string }).code;
      }
    };
    const close = (): Promise<void> => module.close();
    const sessions = module.get(XPaySessionService);
    const http = module.get(XPayHttpService);
    return { tokens, sessions, http, store, events, lines, who, principalOf, close, [Symbol.asyncDispose]: close };
  }

  /** Boots this number of instances at the same time. */
  async bootMany(count: number, options: XPayAuthOptions = {}): Promise<Instance[] & AsyncDisposable> {
    const instances = await Promise.all(Array.from({ length: count }, () => this.boot(options)));
    const dispose = async (): Promise<void> => void (await Promise.all(instances.map((one) => one.close())));
    return Object.assign(instances, { [Symbol.asyncDispose]: dispose });
  }
}

/** Returns the number of token requests to the upstream for the app account, or for another account. */
export function logins(xpay: XPayEmulator, account = APP.username): number {
  return xpay.ledger.filter((entry) => entry.path.endsWith('/authenticate') && entry.account === account).length;
}
