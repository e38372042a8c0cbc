import { describe, expect, it } from '@jest/globals';
import { AccessToken, XPayAuthError } from 'nestjs-xpay-auth';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import type { EntryName } from '../../libs/xpay-auth/src/core/store.js';
import type { CachedToken } from '../../libs/xpay-auth/src/token/cached-token.js';
import { testTokenSource } from '../support/token-source.js';

const LIFE_MS = 60_000;
const MARGIN_MS = 3_000;

/** Two instances with a store between them, and an upstream that is told what to answer. Found by test/model, each of these. */
class Stage {
  readonly clock = new ManualClock();
  readonly store = new PoorStore(this.clock);
  /** What the app reads, and what the upstream takes. */
  key = 'key-1';
  rightKey = 'key-1';
  /** Keys that the upstream was asked with. */
  readonly asked: string[] = [];
  nextToken: string | undefined;
  /** The upstream keeps its answers until then. */
  answers = Promise.resolve();

  boot(): CachedToken {
    const { clock, store } = this;
    return testTokenSource({
      clock,
      store,
      policy: { backoffMs: { min: 1_000, max: 1_000 } },
      credentials: () => Promise.resolve({ username: 'app', secretKey: this.key }),
      authenticate: async ({ secretKey }) => {
        this.asked.push(secretKey);
        const isRight = secretKey === this.rightKey;
        await this.answers;
        if (!isRight) throw new XPayAuthError('invalid_credentials', 'refused');
        const value = this.nextToken ?? `token-${this.asked.length}`;
        const accessToken = new AccessToken(value, { expiresAt: clock.now() + LIFE_MS });
        return { accessToken, username: 'app', scopes: [], isAPI: true };
      },
    });
  }

  /** From now on the upstream's answers wait for what is returned. */
  hold(): () => void {
    const held = { release: (): void => undefined };
    this.answers = new Promise((resolve) => (held.release = resolve));
    return () => {
      held.release();
      this.answers = Promise.resolve();
    };
  }
}

/** A store that is slow, or whose news get lost. */
class PoorStore extends MemoryStore {
  delayMs = 0;
  isSilent = false;

  constructor(private readonly world: ManualClock) {
    super(world);
  }

  override async read(name: EntryName): ReturnType<MemoryStore['read']> {
    const entry = await super.read(name);
    if (this.delayMs > 0) await new Promise<void>((resolve) => this.world.setTimer(resolve, this.delayMs));
    return entry;
  }

  override publish(topic: string, message: string): Promise<void> {
    return this.isSilent ? Promise.resolve() : super.publish(topic, message);
  }
}

const codeOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => 'a token',
    (failure: XPayAuthError) => failure.code,
  );

describe('grants that instances share', () => {
  it('C1 O5 · a token whose life a slow store told is not handed out past its margin', async () => {
    const stage = new Stage();
    const [one, other] = [stage.boot(), stage.boot()];
    await one.get();
    stage.store.delayMs = 5_000;
    const adopted = other.get();
    await stage.clock.advance(5_000);
    await adopted;
    expect(other.status().usableForMs).toBe(LIFE_MS - 5_000 - MARGIN_MS);
  });

  it('O3 · a token of credentials that have changed since is dropped by all when the API rejects it', async () => {
    const stage = new Stage();
    const [one, other] = [stage.boot(), stage.boot()];
    expect((await one.get()).value).toBe((await other.get()).value);
    stage.key = 'key-2';
    expect(await codeOf(one.refresh())).toBe('credentials_rejected');
    one.invalidate(one.peek() ?? '');
    await stage.clock.advance(0);
    expect([one.peek(), other.peek()]).toEqual([undefined, undefined]);
  });

  it('O3 · a token that was got alone goes on when an older one, that others share, is rejected', async () => {
    const stage = new Stage();
    const [one, other] = [stage.boot(), stage.boot()];
    await one.get();
    await other.get();
    stage.store.goAway();
    const alone = await other.refresh();
    stage.store.comeBack();
    one.invalidate(one.peek() ?? '');
    await stage.clock.advance(0);
    expect(other.peek()).toBe(alone);
  });

  it('O14 O2 · credentials that change while they are refused are tried in their own turn: one request with them', async () => {
    const stage = new Stage();
    const [one, other] = [stage.boot(), stage.boot()];
    stage.rightKey = 'key-2';
    const release = stage.hold();
    const first = one.get();
    await stage.clock.advance(0);
    stage.key = 'key-2';
    const second = other.get();
    await stage.clock.advance(0);
    release();
    await stage.clock.advance(1_000);
    expect((await first).value).toBe((await second).value);
    expect(stage.asked).toEqual(['key-1', 'key-2']);
  });

  it('O14 B6 · a token of other credentials is not found under the name of those that were refused', async () => {
    const stage = new Stage();
    stage.rightKey = 'key-2';
    const one = stage.boot();
    const release = stage.hold();
    const asked = one.get();
    await stage.clock.advance(0);
    stage.key = 'key-2';
    release();
    await asked;
    stage.key = 'key-1';
    expect(await codeOf(stage.boot().get())).toBe('credentials_rejected');
  });

  it('O3 · a token that was rejected here, and that another instance was issued again, is not taken for our account refused', async () => {
    const stage = new Stage();
    const [one, other] = [stage.boot(), stage.boot()];
    stage.nextToken = 'the same token';
    stage.store.isSilent = true;
    one.invalidate(await one.get());
    await stage.clock.advance(0);
    await other.get();
    stage.nextToken = undefined;
    await stage.clock.advance(10_000);
    expect((await one.get()).value).not.toBe('the same token');
  });
});
