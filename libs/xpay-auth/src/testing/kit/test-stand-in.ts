import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { Credentials } from '../../core/credentials.js';
import { type XPayAuthError, configurationError } from '../../core/errors.js';
import type { ApiData, ApiPaging, Dialect } from '../../core/ports.js';
import { type XPayInstance, createInstance } from '../../nest/instance/instance.js';
import { resolveOptions } from '../../nest/options/resolve-options.js';
import type {
  AccountsOptions,
  XPayAuthFactoryOptions,
  XPayAuthInstanceOptions,
} from '../../nest/options/xpay-auth-options.js';
import { UpstreamStandIn } from '../../nest/instance/upstream-stand-in.js';
import { XPayTestUpstream } from './test-upstream.js';

const NO_PAUSE = { min: 0, max: 0 };

/** The user name of the app account. */
const APP_ACCOUNT = 'this-app';
/** Begins the user name of any other account. The id of the account follows. */
const ACCOUNT = 'account ';
const UNUSED_KEY = 'nobody-asks-for-it';

/** The base URL of an instance whose options have none. `.invalid` never resolves (RFC 6761 §6.4). */
const NOWHERE = 'https://upstream.invalid';

/** Creates the instances of an app with {@link XPayTestUpstream} in place of each upstream. */
@Injectable()
export class TestStandIn extends UpstreamStandIn implements OnModuleInit {
  readonly #names = new Set<string>();

  constructor(@Inject(XPayTestUpstream) private readonly upstream: XPayTestUpstream) {
    super();
    // Credentials of asUser() need no account at an upstream, so an app in production must not accept them.
    if (process.env['NODE_ENV'] === 'production') {
      throw misused('it is for tests, and does not start with NODE_ENV=production.');
    }
  }

  /** Validates the options as in production. Does not read the environment, so that a test is the same on every machine. */
  createInstance(given: XPayAuthFactoryOptions, beside: XPayAuthInstanceOptions): XPayInstance {
    const upstream = beside.name === undefined ? this.upstream : this.upstream.of(beside.name);
    const options = resolveOptions(withBaseUrl(given), beside, () => undefined);
    if (this.#names.has(options.name)) {
      throw misused(
        `two instances named "${options.name}". If the app imports XPayAuthModule, import XPayAuthTestingModule beside it, without .forRoot().`,
      );
    }
    this.#names.add(options.name);
    const { verification, token, accounts } = options;
    const standingIn = {
      ...options,
      dialect: testDialect(options.dialect, upstream),
      credentials: () => ({ username: APP_ACCOUNT, secretKey: UNUSED_KEY }),
      ...(accounts && { accounts: { ...accounts, credentials: withoutSecrets(accounts.credentials) } }),
      // Without cache, backoff and rate limit, changes to the test upstream apply immediately.
      attempts: false as const,
      verification: {
        ...verification,
        // `asUser` sends Basic credentials, even to an app that accepts only bearer tokens.
        extractors: [...new Set([...verification.extractors, 'basic' as const])],
        periodMs: 0,
        refusedPeriodMs: 0,
        staleIfErrorMs: 0,
        cooldownMs: NO_PAUSE,
      },
      token: { ...token, backoffMs: NO_PAUSE, rejectedRetryMs: NO_PAUSE },
    };
    return createInstance(standingIn, { standIn: { send: async (request) => upstream.send(request) } });
  }

  /** Called by Nest. */
  onModuleInit(): void {
    if (this.#names.size > 0) return;
    throw misused(
      'no XPayAuthModule is imported. For a part of an app that has none write XPayAuthTestingModule.forRoot().',
    );
  }
}

/**
 * Adds a base URL, because in production the base URL may come from the environment. Options that are no object are returned
 * unchanged, because `resolveOptions` rejects them.
 */
function withBaseUrl(given: XPayAuthFactoryOptions): XPayAuthFactoryOptions {
  const { baseUrl, dialect } = given ?? {};
  const hasDefault = typeof dialect === 'object' ? dialect.defaultBaseUrl !== undefined : dialect !== 'password-login';
  return baseUrl !== undefined || hasDefault ? given : { ...given, baseUrl: NOWHERE };
}

function misused(why: string): XPayAuthError {
  return configurationError(`XPayAuthTestingModule: ${why}`);
}

/**
 * Calls the app's own function, so that unknown ids fail as in production. Replaces the credentials by the id, because the test
 * upstream knows an account by its id. The id is encoded, because a user name must not have control characters.
 */
function withoutSecrets(find: AccountsOptions['credentials']): AccountsOptions['credentials'] {
  return async (id) => {
    const found = await find(id);
    return found && { username: ACCOUNT + encodeURIComponent(id), secretKey: UNUSED_KEY };
  };
}

/** Returns the id of the account; `undefined` for the app account. */
function accountOf({ username }: Credentials): string | undefined {
  return username === APP_ACCOUNT ? undefined : decodeURIComponent(username.slice(ACCOUNT.length));
}

/** The dialect of an {@link XPayTestUpstream}, in place of the app's own. */
function testDialect(spoken: Dialect, upstream: XPayTestUpstream): Dialect {
  const { name, accessTokenIsLongLivedSecret } = spoken;
  return {
    name,
    ...(accessTokenIsLongLivedSecret !== undefined && { accessTokenIsLongLivedSecret }),
    authenticate: async (credentials, _, purpose) =>
      purpose === 'own token' ? upstream.grantOwnToken(accountOf(credentials)) : upstream.grantTo(credentials),
    api: {
      encode(call, token) {
        const { method, path, body, encodedBody } = call;
        // Throws for a call that production rejects.
        spoken.api.encode(call, token);
        const headers = { authorization: token.value };
        return { method, path, headers, ...(body !== undefined && { body: encodedBody ?? recorded(body) }) };
      },
      decode: ({ status, text }) =>
        status === 401
          ? { kind: 'token rejected', untouched: true }
          : { kind: 'data', ...(JSON.parse(text) as Omit<ApiData, 'kind'>) },
      ...(spoken.api.paging && { paging: testPaging(spoken.api.paging) }),
    },
  };
}

/** The paging of the app's own dialect. An answer without fields in `meta` is the only page. */
function testPaging(paging: ApiPaging): ApiPaging {
  return {
    first: (body) => paging.first(body),
    read(answer, body) {
      const { items, next } = paging.read(answer, body);
      return { items, ...(Object.keys(answer.meta).length > 0 && { next }) };
    },
  };
}

/** The body of a call in JSON, as {@link XPayTestUpstream} records it. The production dialect may use another encoding. */
function recorded(body: unknown): string {
  const fields: unknown = body instanceof URLSearchParams ? Object.fromEntries(body) : body;
  return JSON.stringify(fields, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}
