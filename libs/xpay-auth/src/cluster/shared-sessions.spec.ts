import { describe, expect, it } from '@jest/globals';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import { Principal } from '../core/principal.js';
import { RevocationLog } from './revocation-log.js';
import { SharedSessions } from './shared-sessions.js';

const PERIOD_MS = 60_000;
const nothing = (): void => undefined;

/** A store that writes only after the function of {@link hold} was called. */
class GatedStore extends MemoryStore {
  #writing = Promise.resolve();

  hold(): () => void {
    const held = { release: nothing };
    this.#writing = new Promise((resolve) => (held.release = resolve));
    return () => held.release();
  }

  override async write(...args: Parameters<MemoryStore['write']>): ReturnType<MemoryStore['write']> {
    await this.#writing;
    return super.write(...args);
  }
}

describe('SharedSessions', () => {
  it('D6 · a login that was paused during a logout of the same token begins a session after the logout', async () => {
    const clock = new ManualClock();
    const store = new GatedStore(clock);
    const log = new RevocationLog({ store, clock, scope: 'xpay', onUser: nothing, onEverybody: nothing });
    const issuer = Symbol('issuer');
    const sessions = new SharedSessions({
      store,
      log,
      clock,
      scope: ['xpay'],
      issuer,
      periodMs: PERIOD_MS,
      idleMs: undefined,
      maxPerUser: 100,
      bearersMayRepeat: true,
    });
    const facts = { username: 'ada', scopes: [], isAPI: false, expiresAt: undefined, instance: 'xpay' };
    const session = {
      principal: new Principal(facts, issuer),
      mark: await sessions.mark(),
      upstreamToken: undefined,
    };
    const first = await sessions.write('token', session, PERIOD_MS);
    const release = store.hold();
    const paused = sessions.write('token', session, PERIOD_MS);
    // The lease of the paused login expires.
    await clock.advance(2_000);
    let ended = 0;
    const known = { generation: first, username: 'ada' };
    await sessions.end('token', known, (generation) => (ended = generation ?? 0));
    await clock.advance(5_000);
    release();
    expect(await paused).toBeGreaterThan(ended);
    expect(ended).toBeGreaterThan(first);
    await log.stop();
  });
});
