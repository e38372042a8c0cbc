import assert from 'node:assert/strict';
import { type AccessToken, XPayAuthError } from 'nestjs-xpay-auth';
import { APP, FIND, type Outbound, startOutbound } from '../outbound/outbound.js';
import type { TokenCase, TokenOutcome, TokenStep } from './schema.js';
import { type Set, type Stage, checkNumber, checkTally, takeCommonStep } from './stage.js';
import { CALLS, LOGIN, changeUpstream } from './upstream-script.js';

type Asking = Extract<TokenStep, { do: 'ask' | 'begin' }>;

interface Group {
  readonly outcomes: Promise<Outcome[]>;
  readonly leaving: AbortController;
}
type Outcome = { readonly brought: unknown } | { readonly failed: unknown };

/** Unless a case says otherwise: nothing in it depends on chance. */
const WITHOUT_CHANCE = { refreshAt: [0.7, 0.7], backoffMs: { min: 1_000, max: 1_000 } } as const;

/** Callers of `XPayTokenService` and `XPayHttpService`, beside an emulated upstream. */
export async function openTokenStage({ given }: TokenCase): Promise<Stage<TokenStep>> {
  const account = { ...APP };
  const app = await startOutbound({
    credentials: () => ({ ...account }),
    token: { ...WITHOUT_CHANCE, ...(given?.token as object | undefined) },
  });
  await changeUpstream(app.xpay, given?.upstream ?? {});
  return new TokenStage(app, account);
}

class TokenStage implements Stage<TokenStep> {
  readonly #tokens = new Map<string, string>();
  readonly #groups = new Map<string, Group>();
  readonly #set: Set;

  constructor(
    private readonly app: Outbound,
    private readonly account: { secretKey: string },
  ) {
    const { clock, xpay, events } = app;
    const told = (): string[] =>
      events.map((event) => (event.type === 'refresh-failed' ? `${event.type} ${event.code}` : event.type));
    this.#set = { clock, xpay, events: told };
  }

  check = (expected: TokenCase['expect']): Promise<void> => checkTally(this.#set, expected);

  async take(step: TokenStep): Promise<void> {
    const { tokens } = this.app;
    switch (step.do) {
      case 'ask':
        return this.#ask(step);
      case 'begin':
        return this.#begin(step);
      case 'end':
        return this.#checkAll(await this.#group(step.of).outcomes, step.expect);
      case 'leave':
        return this.#group(step.who).leaving.abort(new LeftError());
      case 'peek':
        return this.#check({ brought: tokens.peek() }, step.expect);
      case 'status':
        return this.#checkStatus(step.expect);
      case 'invalidate':
        return tokens.invalidate(this.#tokens.get(step.token) ?? assert.fail(`nobody has seen token ${step.token}`));
      case 'credentials':
        this.account.secretKey = step.secretKey;
        return;
      case 'shutDown':
        return this.app.module.close();
      default:
        return takeCommonStep(this.#set, step);
    }
  }

  async #ask(step: Extract<TokenStep, { do: 'ask' }>): Promise<void> {
    if (step.inTurn !== true) return this.#checkAll(await this.#start(step).outcomes, step.expect);
    for (let caller = 0; caller < step.callers; caller++) {
      this.#checkAll(await this.#start({ ...step, callers: 1 }).outcomes, step.expect);
    }
  }

  async #begin(step: Extract<TokenStep, { do: 'begin' }>): Promise<void> {
    this.#groups.set(step.as, this.#start(step));
    if (step.logins !== undefined) await this.app.xpay.waitForRequests(step.logins, LOGIN);
    if (step.calls !== undefined) await this.app.xpay.waitForRequests(step.calls, CALLS);
    await this.app.clock.advance(0);
  }

  #start({ what, callers, path = FIND }: Asking): Group {
    const { tokens, http } = this.app;
    const leaving = new AbortController();
    const { signal } = leaving;
    const call = (): Promise<unknown> => {
      if (what === 'refresh') return tokens.refresh();
      return what === 'call' ? http.post(path, {}, { signal }).then(() => 'data') : tokens.getToken({ signal });
    };
    return { outcomes: Promise.all(Array.from({ length: callers }, () => outcomeOf(call()))), leaving };
  }

  #group(name: string): Group {
    return this.#groups.get(name) ?? assert.fail(`nobody began as ${name}`);
  }

  #checkAll(outcomes: readonly Outcome[], expected: TokenOutcome): void {
    for (const outcome of outcomes) this.#check(outcome, expected);
  }

  #check(outcome: Outcome, expected: TokenOutcome): void {
    if ('failed' in outcome) return checkFailure(outcome.failed, expected);
    const { brought } = outcome;
    if ('token' in expected) return this.#checkToken(brought as AccessToken | undefined, expected.token);
    const said = brought === undefined ? { none: true } : brought === 'data' ? { data: true } : { token: '?' };
    assert.deepEqual(said, expected, 'what a caller gets');
  }

  /** The first token under a label is that label's from then on, and no other's. */
  #checkToken(token: AccessToken | undefined, label: string): void {
    assert.ok(token !== undefined, `no token where ${label} is expected`);
    const known = [...this.#tokens].find(([, value]) => value === token.value)?.[0];
    if (known === undefined && !this.#tokens.has(label)) this.#tokens.set(label, token.value);
    else assert.equal(known ?? 'a new token', label, 'which token a caller gets');
  }

  #checkStatus({ nextRefreshInMs, lastError, ...expected }: Extract<TokenStep, { do: 'status' }>['expect']): void {
    const { nextRefreshAt, ...status } = this.app.tokens.status();
    for (const [name, value] of Object.entries(expected)) {
      assert.equal(status[name as keyof typeof status], value, `status().${name}`);
    }
    if (lastError !== undefined) assert.equal(status.lastError ?? null, lastError, 'status().lastError');
    if (nextRefreshInMs === undefined) return;
    const inMs = nextRefreshAt === undefined ? null : nextRefreshAt - this.app.clock.now();
    assert.equal(inMs, nextRefreshInMs, 'ms until status().nextRefreshAt');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.app[Symbol.asyncDispose]() as Promise<void>;
  }
}

class LeftError extends Error {}

function outcomeOf(promise: Promise<unknown>): Promise<Outcome> {
  return promise.then(
    (brought) => ({ brought }),
    (failed: unknown) => ({ failed }),
  );
}

function checkFailure(failure: unknown, expected: TokenOutcome): void {
  if (failure instanceof LeftError) return assert.deepEqual(expected, { left: true }, 'what a caller who left gets');
  assert.ok(failure instanceof XPayAuthError, `not an error of ours: ${String(failure)}`);
  const { code, retryAfterMs } = failure;
  assert.deepEqual({ error: code }, { error: 'error' in expected ? expected.error : expected }, 'what a caller gets');
  if ('retryAfterMs' in expected && expected.retryAfterMs !== undefined) {
    checkNumber(retryAfterMs, expected.retryAfterMs, 'retryAfterMs');
  }
}
