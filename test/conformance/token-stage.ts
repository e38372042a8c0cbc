import assert from 'node:assert/strict';
import { type AccessToken, XPayAuthError } from 'nestjs-xpay-auth';
import { type Outbound, startOutbound } from '../outbound/outbound.js';
import type { TokenCase, TokenOutcome, TokenStep } from './schema.js';
import { type Set, type Stage, changeUpstream, checkTally, takeCommonStep } from './stage.js';

/** So that no result is random. */
const NOT_RANDOM = { refreshAt: [0.7, 0.7], backoffMs: { min: 1_000, max: 1_000 } } as const;

/** Callers of `XPayTokenService`, with an emulated upstream. */
export async function openTokenStage({ given }: TokenCase): Promise<Stage<TokenStep>> {
  const { equalTokensWithinASecond = false } = given ?? {};
  const app = await startOutbound({ token: { ...NOT_RANDOM, ...given?.token } }, { equalTokensWithinASecond });
  changeUpstream(app.xpay, given?.upstream ?? {});
  return new TokenStage(app);
}

class TokenStage implements Stage<TokenStep> {
  readonly #labels = new Map<string, string>();
  readonly #set: Set;

  constructor(private readonly app: Outbound) {
    const { clock, xpay, events } = app;
    const words = (): string[] =>
      events.map((event) => (event.type === 'refresh-failed' ? `${event.type} ${event.code}` : event.type));
    this.#set = { clock, xpay, events: words };
  }

  check = (expected: TokenCase['expect']): Promise<void> => checkTally(this.#set, expected);

  async take(step: TokenStep): Promise<void> {
    const { tokens } = this.app;
    if (step.do === 'peek') return this.#check(tokens.peek(), step.expect);
    if (step.do === 'invalidate') return tokens.invalidate(tokens.peek() ?? '');
    if (step.do !== 'ask') return takeCommonStep(this.#set, step);
    const rounds = step.inTurn === true ? step.callers : 1;
    for (let round = 0; round < rounds; round++) {
      const callers = Array.from({ length: step.callers / rounds }, () => tokens.getToken());
      for (const outcome of await Promise.allSettled(callers)) {
        if (outcome.status === 'fulfilled') this.#check(outcome.value, step.expect);
        else checkFailure(outcome.reason, step.expect);
      }
    }
  }

  /** The first token of a label defines the label. */
  #check(token: AccessToken | undefined, expected: TokenOutcome): void {
    if (!('token' in expected))
      return assert.deepEqual(token === undefined ? { none: true } : { token: '?' }, expected);
    assert.ok(token !== undefined, `no token where ${expected.token} is expected`);
    const known = this.#labels.get(token.value);
    const isFirst = known === undefined && ![...this.#labels.values()].includes(expected.token);
    if (isFirst) this.#labels.set(token.value, expected.token);
    else assert.equal(known ?? 'a new token', expected.token, 'the token of a caller');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.app[Symbol.asyncDispose]() as Promise<void>;
  }
}

function checkFailure(failure: unknown, expected: TokenOutcome): void {
  assert.ok(failure instanceof XPayAuthError, `not an XPayAuthError: ${String(failure)}`);
  assert.deepEqual({ error: failure.code }, expected, 'the failure of a caller');
}
