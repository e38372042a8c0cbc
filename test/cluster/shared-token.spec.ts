import { describe, expect, it } from '@jest/globals';
import { AccessToken, XPayAuthError } from 'nestjs-xpay-auth';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import type { EntryName } from '../../libs/xpay-auth/src/core/store.js';
import type { CachedToken } from '../../libs/xpay-auth/src/token/cached-token.js';
import { testTokenSource } from '../support/token-source.js';

const LIFE_MS = 60_000;
const MARGIN_MS = 3_000;

/** Two instances with a store between them, and an upstream with scripted answers. test/model found each of these cases. */
class Stage {
  readonly clock = new ManualClock();
  readonly store = new PoorStore(this.clock);
  /** The key that the app reads, and the key that the upstream accepts. */
  key = 'key-1';
  rightKey = 'key-1';
  /** Keys of the logins, in order. */
  readonly asked: string[] = [];
  nextToken: string | undefined;
  /** The upstream delays its answers until then. */
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

  /** Delays the upstream's answers until the returned function is called. */
  hold(): () => void {
    const held = { release: (): void => undefined };
    this.answers = new Promise((resolve) => (held.release = resolve));
    return () => {
      held.release();
      this.answers = Promise.resolve();
    };
  }
}

/** A store that is slow, or whose notifications get lost. */
class PoorStore extends MemoryStore {
  delayMs = 0;
  isSilent = false;

  constructor(private readonly world: ManualClock) {
    super(world);
  }

  override async read(name: EntryName): ReturnType<MemoryStore['read']> {
    const entry = await super.read(name);
    await this.#delay();
    return entry;
  }

  override async write(...args: Parameters<MemoryStore['write']>): ReturnType<MemoryStore['write']> {
    const isWritten = await super.write(...args);
    await this.#delay();
    return isWritten;
  }

  override publish(topic: string, message: string): Promise<void> {
    return this.isSilent ? Promise.resolve() : super.publish(topic, message);
  }

  async #delay(): Promise<void> {
    if (this.delayMs > 0) await new Promise<void>((resolve) => this.world.setTimer(resolve, this.delayMs));
  }
}

const codeOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => 'a token',
    (failure: XPayAuthError) => failure.code,
  );

describe('SharedToken', () => {
  it('C1 O5 · does not hand out a token past its margin when the store was slow to return it', async () => {
    const stage = new Stage();
    const [one, other] = [stage.boot(), stage.boot()];
    await one.get();
    stage.store.delayMs = 5_000;
    const adopted = other.get();
    await stage.clock.advance(5_000);
    await adopted;
    expect(other.status().usableForMs).toBe(LIFE_MS - 5_000 - MARGIN_MS);
  });

  it('O3 · drops a rejected token on all instances, also after the credentials have changed', async () => {
    const stage = new Stage();
    const [one, other] = [stage.boot(), stage.boot()];
    expect((await one.get()).value).toBe((await other.get()).value);
    stage.key = 'key-2';
    expect(await codeOf(one.refresh())).toBe('credentials_rejected');
    one.invalidate(one.peek() ?? '');
    await stage.clock.advance(0);
    expect([one.peek(), other.peek()]).toEqual([undefined, undefined]);
  });

  it('O3 · keeps a token that was obtained without the store when an older, shared one is rejected', async () => {
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

  it('O14 O2 · makes one login with credentials that change while the old ones are rejected', async () => {
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

  it('O14 B6 · does not store the token of new credentials under the name of the rejected ones', async () => {
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

  it('O3 · does not treat the account as rejected when another instance is issued a token that was rejected here', async () => {
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

  it('C2 · uses the newer token of the store after a late write, also if the store was flushed and the wall clock stepped back', async () => {
    const stage = new Stage();
    const [one, other] = [stage.boot(), stage.boot()];
    await one.get();
    stage.store.flush();
    stage.clock.stepWall(-10_000);
    const release = stage.hold();
    const late = one.refresh();
    await stage.clock.advance(0);
    stage.store.flush();
    stage.answers = Promise.resolve();
    await stage.clock.advance(1);
    const stored = await other.get();
    stage.nextToken = 'the late token';
    stage.store.delayMs = 1;
    release();
    expect((await late).value).toBe('the late token');
    await stage.clock.advance(2);
    expect(one.peek()?.value).toBe(stored.value);
  });
});
