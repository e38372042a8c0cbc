import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, HttpException, Inject } from '@nestjs/common';
import {
  XPayAuthError,
  XPayAuthModule,
  type XPayAuthOptions,
  XPayHttpService,
  XPayTokenService,
  attachXPayBearer,
} from 'nestjs-xpay-auth';
import { type Fault, ManualClock, type XPayEmulator, startXPayEmulator, xpayMalformed } from 'nestjs-xpay-auth/testing';
import { inspect } from 'node:util';
import axios from 'axios';
import { type RunningApp, startApp } from '../support/start-app.js';
import { figure } from './figures.js';
import { APP, AUTHENTICATE, CONFIRM, FIND, collector } from './outbound.js';

/** Everything a value could show in a log, a debugger or an error tracker, including its causes. */
function shownOf(value: unknown): string {
  const all = { showHidden: true, depth: Infinity, maxArrayLength: null, maxStringLength: null };
  const shown = [
    inspect(value, all),
    inspect(value, { ...all, getters: true }),
    inspect(value, { ...all, customInspect: false }),
    String(value),
    json(value),
    ...(value instanceof HttpException ? [json(value.getResponse())] : []),
  ];
  if (value instanceof Error)
    shown.push(value.stack ?? '', value.message, shownOf(Object.fromEntries(Object.entries(value))));
  if (value instanceof Error && value.cause !== undefined) shown.push(shownOf(value.cause));
  return shown.join('\n');
}

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch (failure) {
    return String(failure);
  }
}

/** The secret in its encodings, and its end. The start of a token is the same for all, and not secret. */
function tracesOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  return [
    secret,
    encodeURIComponent(secret),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('hex'),
    secret.slice(-12),
  ];
}

function echo(status: number, body: unknown): Fault {
  return { kind: 'status', status, body };
}

/** All failures of the upstream, including echoes of the request, as some frameworks send in their 422. */
function faultsThatRepeat(sent: string): Record<string, Fault> {
  const body = { detail: [{ input: sent }], error: { message: sent, tag: sent, data: { sent } }, uuid: sent };
  return {
    reset: { kind: 'reset' },
    html502: { kind: 'html502' },
    rateLimited: { kind: 'rateLimited', retryAfter: 7 },
    unavailable: { kind: 'unavailable' },
    empty: { kind: 'empty' },
    notJson: { kind: 'notJson' },
    redirect: { kind: 'redirect', location: `http://127.0.0.1:9/?key=${sent}` },
    oversized: { kind: 'oversized', bytes: 2_000_000 },
    'an echo in a 200': echo(200, body),
    'an echo in a 200, among other words': echo(200, { error: { message: `no such key: "${sent}"!`, data: sent } }),
    'an echo in a 400': echo(400, JSON.stringify(body)),
    'an echo in a 401': echo(401, body),
    'an echo in a 422': echo(422, body),
    'an echo in a 500': echo(500, JSON.stringify(body)),
    'an echo in a header': { kind: 'status', status: 500, headers: { 'x-debug': sent, 'retry-after': '1' } },
  };
}

@Controller()
class Careless {
  constructor(
    @Inject(XPayTokenService) private readonly tokens: XPayTokenService,
    @Inject(XPayHttpService) private readonly http: XPayHttpService,
  ) {}

  @Get('token')
  async token(): Promise<string> {
    await this.tokens.getToken();
    return 'ok';
  }

  @Get('call')
  call(): Promise<unknown> {
    return this.http.post(CONFIRM, { amount: '1' });
  }

  @Get('wrapped')
  async wrapped(): Promise<void> {
    await this.tokens.getToken().catch((failure: unknown) => {
      throw Object.assign(new Error('report failed', { cause: failure }), { tokens: this.tokens, http: this.http });
    });
  }
}

function thrown(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'no failure',
    (failure: unknown) => failure,
  );
}

describe('secrets', () => {
  let clock: ManualClock;
  let xpay: XPayEmulator;
  let app: RunningApp;
  let lines: string[];
  /** Every token the upstream has issued. */
  let issued: string[];

  beforeEach(async () => {
    clock = new ManualClock();
    xpay = await startXPayEmulator({ accounts: [APP], clock });
    lines = [];
    issued = [];
  });
  afterEach(async () => {
    await app.stop();
    await xpay.stop();
  });

  async function start(options: XPayAuthOptions = {}): Promise<{ tokens: XPayTokenService; http: XPayHttpService }> {
    const forRoot = XPayAuthModule.forRoot({ baseUrl: xpay.url, credentials: APP, clock, ...options });
    app = await startApp('express', { imports: [forRoot], controllers: [Careless] }, (nest) =>
      nest.useLogger(collector(lines)),
    );
    return { tokens: app.app.get(XPayTokenService), http: app.app.get(XPayHttpService) };
  }

  /** Fails if any secret is in any of these. */
  function expectNothingOf(...values: unknown[]): void {
    const shown = values.map((value) => (typeof value === 'string' ? value : shownOf(value))).join('\n');
    for (const secret of [APP.secretKey, ...issued]) {
      for (const trace of tracesOf(secret)) expect(shown.includes(trace) ? `shows ${trace}` : 'clean').toBe('clean');
    }
  }

  async function everyDoor(services: { tokens: XPayTokenService; http: XPayHttpService }): Promise<unknown[]> {
    const answers = ['/token', '/call', '/wrapped'].map(async (path) => {
      const response = await app.fetch(path);
      return [await response.text(), ...response.headers.entries()].join('\n');
    });
    const failures = await Promise.all([
      thrown(services.tokens.getToken()),
      thrown(services.tokens.refresh()),
      thrown(services.tokens.authorizationHeader()),
      thrown(services.http.post(FIND, {})),
      ...answers,
    ]);
    return [...failures, services.tokens.status()];
  }

  let paths = 0;

  const broken = { ...faultsThatRepeat(APP.secretKey), ...xpayMalformed };
  it.each(Object.entries(broken))('O17 · no secret is visible when authentication gets: %s', async (name, fault) => {
    const services = await start();
    const events: unknown[] = [];
    services.tokens.events.subscribe((event) => events.push(event));
    xpay.faults.always(fault, { path: AUTHENTICATE });
    const shown = await everyDoor(services);
    expect(shown.filter((failure) => failure instanceof XPayAuthError).length).toBeGreaterThanOrEqual(
      name === 'noExpiry' ? 0 : 4,
    );
    expectNothingOf(...shown, events, services.tokens, services.http, lines.join('\n'));
    paths++;
  });

  it.each(Object.keys(faultsThatRepeat('')))('O17 · no secret is visible when an API call gets: %s', async (name) => {
    const services = await start();
    const { value } = await services.tokens.getToken();
    issued.push(value);
    xpay.faults.always(faultsThatRepeat(value)[name] ?? { kind: 'reset' }, { path: '/client/wallets/*' });
    const shown = await everyDoor(services);
    const last = services.tokens.peek();
    if (last !== undefined) issued.push(last.value);
    expectNothingOf(...shown, services.tokens, services.http, last, lines.join('\n'));
    paths++;
  });

  it.each(['200-error', '401-json', '401-empty'] as const)(
    'O17 · no secret is visible when tokens are rejected: %s',
    async (badBearerAnswer) => {
      const services = await start();
      xpay.badBearerAnswer = badBearerAnswer;
      issued.push((await services.tokens.getToken()).value);
      xpay.revokeTokens();
      const shown = await everyDoor(services);
      const last = services.tokens.peek();
      if (last !== undefined) issued.push(last.value);
      expectNothingOf(...shown, services.tokens, services.http, last, lines.join('\n'));
      paths++;
    },
  );

  it('O17 · no secret is visible when the account is rejected, or the upstream is slow or unreachable', async () => {
    const services = await start({ credentials: { ...APP, secretKey: (issued[0] = 'a-wrong-secret-key-1') } });
    const refused = await everyDoor(services);
    xpay.faults.always({ kind: 'hang' });
    await clock.advance(60_000);
    const hanging = thrown(services.tokens.getToken());
    await xpay.waitForRequests(2);
    await clock.advance(10_000);
    const hung = await hanging;
    await xpay.pause();
    await clock.advance(60_000);
    const away = await everyDoor(services);
    expectNothingOf(...refused, hung, ...away, services.tokens, services.http, lines.join('\n'));
    paths += 3;
  });

  class Chatty extends Error {
    readonly response = { config: { data: JSON.stringify(APP), headers: { authorization: APP.secretKey } } };
    readonly code = APP.secretKey;
    override readonly name = `Vault ${APP.secretKey}`;
  }
  const vaults: Record<string, () => never> = {
    'an error that quotes it': () => {
      throw new Error(`cannot use ${APP.secretKey}`);
    },
    'an error with the secret in every property': () => {
      throw new Chatty(APP.secretKey, { cause: new Error(APP.secretKey) });
    },
    'a parser that quotes it': () => JSON.parse(`${APP.secretKey} `) as never,
    'one of our own errors': () => {
      throw new XPayAuthError('upstream_unavailable', APP.secretKey, { cause: APP });
    },
  };
  it.each(Object.entries(vaults))('O17 · no secret is visible when `credentials` throws %s', async (_, credentials) => {
    const services = await start({ credentials });
    const shown = await everyDoor(services);
    expect(shown[0]).toMatchObject({ code: 'configuration' });
    expectNothingOf(...shown, services.tokens, services.http, lines.join('\n'));
    paths++;
  });

  it('O17 · no secret is visible when the boot fails', async () => {
    const failure = await thrown(
      start({ token: { warmUp: true }, credentials: { ...APP, secretKey: (issued[0] = 'a-wrong-secret-key-2') } }),
    );
    await start();
    expect(failure).toBeInstanceOf(XPayAuthError);
    expectNothingOf(failure, lines.join('\n'));
    paths++;
  });

  it('O17 D11 · a failure keeps its cause and the text for the operator, and its JSON contains neither', async () => {
    const cause = new Error('the cause');
    const failure = new XPayAuthError('upstream_unavailable', 'for the operator', { cause });
    await start();
    expect([failure.cause, failure.message, String(failure)]).toEqual([
      cause,
      'for the operator',
      'XPayAuthError: for the operator',
    ]);
    expect(failure.stack).toMatch(/^XPayAuthError: for the operator\n/);
    expect(inspect(failure)).toContain('[cause]: Error: the cause');
    // As a filter or an error tracker serializes a caught error, and the exception of a guard.
    const wrapped = new HttpException(failure.getResponse(), failure.getStatus(), { cause: failure });
    const serialized = [failure, Object.entries(failure), wrapped, Object.entries(wrapped)].map(json).join('\n');
    expect(serialized).toContain('upstream_unavailable');
    expect(serialized).not.toMatch(/for the operator|the cause/);
    expect('cause' in JSON.parse(JSON.stringify(failure))).toBe(false);
    expect(inspect(new XPayAuthError('overloaded', 'without a cause'))).not.toContain('cause]');
  });

  it('O17 · no secret is visible in a token, a service or an event without failures', async () => {
    const services = await start();
    const events: unknown[] = [];
    services.tokens.events.subscribe((event) => events.push(event));
    const token = await services.tokens.getToken();
    issued.push(token.value);
    await services.http.post(FIND, {});
    expectNothingOf(
      token,
      [token],
      { token },
      String(token),
      services.tokens,
      services.http,
      services.tokens.status(),
      events,
      lines.join('\n'),
    );
    expect([String(token), JSON.stringify({ token }), inspect(token)]).toEqual([
      '[access token]',
      '{"token":"[access token]"}',
      '[access token]',
    ]);
    paths++;
  });

  it('O17 · no token is visible in the errors of an axios instance of the app', async () => {
    const services = await start();
    const client = axios.create({ baseURL: xpay.url });
    attachXPayBearer(client, services.tokens);
    issued.push((await services.tokens.getToken()).value);
    const faults: Fault[] = [
      { kind: 'reset' },
      { kind: 'html502' },
      { kind: 'status', status: 401 },
      { kind: 'redirect', location: 'http://127.0.0.1:9/' },
    ];
    for (const fault of faults) {
      xpay.faults.clear();
      xpay.faults.always(fault, { path: FIND });
      const failure = await thrown(client.post(FIND, {}));
      const last = services.tokens.peek();
      if (last !== undefined) issued.push(last.value);
      expect(failure).toBeInstanceOf(Error);
      expectNothingOf(failure);
      paths++;
    }
    figure('O17', 'error paths, searched in 8 ways for 5 spellings of every secret', `${paths} paths, 0 leaks`);
  });
});
