import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { commonCommands } from './common-commands.js';
import type { InboundWorld as World } from './inbound-world.js';
import { TIMES, happening, runModel } from './model-run.js';
import { withSmallTables } from './small-tables.js';

withSmallTables();
const { InboundWorld, USERS } = await import('./inbound-world.js');

const AT_LEAST = 50_000;
const TIMEOUT_MS = 120_000 * Math.max(1, TIMES);

// Mostly the same instance, user and key: one long history finds more than the beginnings of many.
const slot = fc.constantFrom(0, 0, 0, 1, 2);
const user = fc.constantFrom(...USERS, USERS[0], USERS[0]);
const key = fc.constantFrom(0, 0, 0, 1, 2);
const lapse = fc.constantFrom(1, 100, 500, 999, 1_000, 5_000, 14_999, 15_000, 30_000, 45_000, 59_999, 60_000);

const does = (words: string, deed: (world: World) => unknown) => happening<World>(words, deed);
const common = commonCommands<World>(slot);

const commands = [
  ...[0, 1, 2].map(() =>
    fc
      .tuple(slot, user, key, fc.integer({ min: 1, max: 3 }))
      .map(([at, name, nth, callers]) =>
        does(`${callers} callers present ${name} with key ${nth} to ${at}`, (world) =>
          world.present(at, name, nth, callers),
        ),
      ),
  ),
  ...[0, 1].map(() => lapse.map((ms) => does(`${ms} ms pass`, ({ clock }) => clock.advance(ms)))),
  fc
    .tuple(slot, user, key)
    .map(([at, name, nth]) => does(`${name} logs in to ${at} with key ${nth}`, (world) => world.login(at, name, nth))),
  ...[0, 1].map(() =>
    fc
      .tuple(slot, fc.nat(5))
      .map(([at, nth]) => does(`session ${nth} is used at ${at}`, (world) => world.use(at, nth))),
  ),
  fc
    .tuple(slot, fc.nat(5))
    .map(([at, nth]) => does(`session ${nth} is ended at ${at}`, (world) => world.logout(at, nth))),
  fc
    .tuple(slot, fc.constantFrom(...USERS, '*'))
    .map(([at, name]) => does(`${name} is revoked at ${at}`, (world) => world.revoke(at, name))),
  fc
    .tuple(user, key, fc.constantFrom([], ['tme_user'], ['tme_admin']))
    .map(([name, nth, scopes]) =>
      does(`${name} has key ${nth} and may [${scopes.join()}]`, (world) => world.change(name, nth, scopes)),
    ),
  common.mood('grants', 'down', 'malformed', 'busy', 'business', 'held', 'deaf', 'grants', 'grants', 'held'),
  common.answered,
  common.answered,
  common.answeredLate,
  common.restart,
  fc
    .constantFrom(-10_000, 1_000, 10_000)
    .map((ms) => does(`the wall clock steps ${ms} ms`, (world) => world.stepWall(ms))),
];
const withStore = [
  common.weather,
  fc.constant(does('the store is flushed', (world) => world.flush())),
  ...[0, 1, 2].map(() =>
    fc.constantFrom(30_000, 1_000).map((ms) =>
      does(`${ms} ms pass without faults`, async ({ store, clock }) => {
        store.turn('well');
        await clock.advance(ms);
      }),
    ),
  ),
];

const fixed = { equalTokens: false, renewable: false, clockSkewMs: 0 };

describe.each([
  { kind: 'one instance', instances: 1, shared: false, share: false },
  { kind: 'three instances with a store', instances: 3, shared: true, share: false },
  { kind: 'three instances that share verified callers', instances: 3, shared: true, share: true },
])('callers, $kind', ({ instances, shared, share }) => {
  const given = { instances, shared, share };
  it.each([40_000, 600_000])(
    'I1 I2 I3 I4 I6 I10 C3 C5 · keeps every invariant for any order of events: grants of %d ms',
    async (lifeMs) => {
      const all = given.shared ? [...commands, ...withStore] : commands;
      const open = (setting: typeof given) => new InboundWorld({ ...fixed, ...setting, lifeMs });
      const steps = await runModel(fc.constant(given), all, open, AT_LEAST / 6);
      expect(steps).toBeGreaterThanOrEqual((AT_LEAST / 6) * TIMES);
    },
    TIMEOUT_MS,
  );
});
