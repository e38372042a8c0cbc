import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AccessToken, type Dialect } from 'nestjs-xpay-auth';
import { ManualClock, MemoryStore, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ADA, APP, type Instance, InstanceFactory } from '../support/cluster.js';
import { holdsInTime } from '../support/property.js';

const SCHEDULES = 1_000;
/** FUZZ_RUNS multiplies their number. */
const SHARE = SCHEDULES / 300;

/** Delays each step of a schedule by turns of the event loop, in an order that a seed determines. */
class Turns {
  #state = 1;

  seed(seed: number): void {
    this.#state = seed * 2 + 1;
  }

  /** Waits for 0 to 7 turns. */
  async some(): Promise<void> {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    for (let left = this.#state >>> 29; left > 0; left--) await nextTurn();
  }
}

/**
 * A store that delays its steps by some turns before and after they take effect, and loses half of the notifications.
 */
class UnevenStore extends MemoryStore {
  constructor(
    clock: ManualClock,
    private readonly turns: Turns,
  ) {
    super(clock);
  }

  override read(...given: Parameters<MemoryStore['read']>): ReturnType<MemoryStore['read']> {
    return this.#unevenly(() => super.read(...given));
  }

  override write(...given: Parameters<MemoryStore['write']>): ReturnType<MemoryStore['write']> {
    return this.#unevenly(() => super.write(...given));
  }

  override discard(...given: Parameters<MemoryStore['discard']>): ReturnType<MemoryStore['discard']> {
    return this.#unevenly(() => super.discard(...given));
  }

  override acquire(...given: Parameters<MemoryStore['acquire']>): ReturnType<MemoryStore['acquire']> {
    return this.#unevenly(() => super.acquire(...given));
  }

  override async publish(...given: Parameters<MemoryStore['publish']>): Promise<void> {
    await this.turns.some();
    if (this.#published++ % 2 === 0) await super.publish(...given);
  }

  #published = 0;

  async #unevenly<T>(step: () => Promise<T>): Promise<T> {
    await this.turns.some();
    const done = await step();
    await this.turns.some();
    return done;
  }
}

interface Step {
  readonly on: number;
  readonly does: 'login' | 'logout' | 'request';
  /** Whether the step waits until the earlier steps are done. */
  readonly waits: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  on: fc.nat(2),
  does: fc.constantFrom('login' as const, 'login' as const, 'logout' as const, 'logout' as const, 'request' as const),
  waits: fc.boolean(),
});

let xpay: XPayEmulator;
let all: Instance[] & AsyncDisposable;
const clock = new ManualClock();
const turns = new Turns();
let token = '';

/** An upstream that grants the same token until the test changes it. */
const repeating: Dialect = {
  name: 'repeating',
  async authenticate({ username }) {
    await turns.some();
    return { accessToken: new AccessToken(token), username, scopes: ['tme_user'], isAPI: true, lifeMs: 3_600_000 };
  },
  api: {
    encode: ({ method, path }) => ({ method, path }),
    decode: () => ({ kind: 'data', data: null }),
  },
};

beforeAll(async () => {
  xpay = await startXPayEmulator({ accounts: [APP, ADA] });
  const store = new UnevenStore(clock, turns);
  const options = { clock, store, dialect: repeating, session: { token: 'upstream' } } as const;
  all = await new InstanceFactory(xpay, '').bootMany(3, options);
});
afterAll(async () => {
  await all[Symbol.asyncDispose]();
  await xpay[Symbol.asyncDispose]();
});

interface Taken {
  readonly does: Step['does'];
  readonly from: number;
  to: number;
}

/** Executes a step. */
function take(does: Step['does'], { sessions, who }: Instance): Promise<unknown> {
  if (does === 'login') return sessions.login(ADA);
  return does === 'logout' ? sessions.logout(token) : who(`Bearer ${token}`);
}

/** Runs the steps. Returns the order in which they began and ended. */
async function play(steps: readonly Step[]): Promise<Taken[]> {
  let moment = 0;
  const pending = new Set<Taken>();
  const done: Taken[] = [];
  // No step waits for a socket, so the clock can advance by 1 ms for every few turns.
  const settle = async (): Promise<void> => {
    while (pending.size > 0) await clock.advance(1);
  };
  for (const { on, does, waits } of steps) {
    await (waits ? settle() : turns.some());
    const instance = all[on];
    if (instance === undefined) throw new Error('no such instance');
    const taken = { does, from: moment++, to: Infinity };
    done.push(taken);
    pending.add(taken);
    const follow = async (): Promise<void> => {
      await take(does, instance);
      taken.to = moment++;
      pending.delete(taken);
    };
    void follow();
  }
  await settle();
  return done;
}

describe('equal upstream tokens, in any order of logins and logouts on three instances', () => {
  it(`D6 · the instances agree within a second, every logout ends the logins before it and none after it, in ${SCHEDULES} schedules`, async () => {
    let schedules = 0;
    const property = fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), fc.nat(), async (steps, seed) => {
      token = `token-${++schedules}`;
      turns.seed(seed);
      const done = await play(steps);
      await clock.advance(1_000);
      const answers = await Promise.all(all.map(({ who }) => who(`Bearer ${token}`)));
      expect(new Set(answers).size).toBe(1);
      const logins = done.filter(({ does }) => does === 'login');
      const logouts = done.filter(({ does }) => does === 'logout');
      const isEnded = logouts.some((logout) => logins.every((login) => login.to < logout.from));
      const isAlive = logins.some((login) => logouts.every((logout) => logout.to < login.from));
      if (isEnded || logins.length === 0) expect(answers[0]).toBe('invalid_token');
      if (isAlive) expect(answers[0]).toBe(ADA.username);
    });
    await holdsInTime(property, SHARE);
  });
});
