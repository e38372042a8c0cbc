import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { commonCommands } from './common-commands.js';
import { TIMES, happening, runModel } from './model-run.js';
import { OutboundWorld } from './outbound-world.js';

const AT_LEAST = 50_000;
const TIMEOUT_MS = 120_000 * Math.max(1, TIMES);

const slot = fc.nat(2);
const lapse = fc.constantFrom(1, 100, 499, 1_000, 5_000, 10_000, 13_001, 20_000, 60_000, 70_000);
const pieceOfLife = fc.constantFrom(0.1, 0.3, 0.69, 0.71, 0.95, 1);

const does = (words: string, deed: (world: OutboundWorld) => unknown) => happening<OutboundWorld>(words, deed);
const common = commonCommands<OutboundWorld>(slot);

const commands = (lifeMs: number, steady: boolean) => {
  const often = [
    fc
      .tuple(slot, fc.integer({ min: 1, max: 4 }), fc.boolean())
      .map(([at, callers, leaves]) =>
        does(`${callers} callers request a token from instance ${at}${leaves ? ', one aborts' : ''}`, (world) =>
          world.get(at, callers, leaves),
        ),
      ),
    lapse.map((ms) => does(`${ms} ms pass`, ({ clock }) => clock.advance(ms))),
    pieceOfLife.map((share) => does(`${share} of a lifetime passes`, ({ clock }) => clock.advance(share * lifeMs))),
  ];
  return [
    ...often,
    ...often,
    common.mood('grants', 'down', 'malformed', 'busy', 'business', 'held', 'deaf', 'grants', 'held'),
    common.answered,
    common.answeredLate,
    slot.map((at) => does(`the API rejects the token of instance ${at}`, (world) => world.reject(at))),
    slot.map((at) => does(`a refresh is forced on instance ${at}`, (world) => world.refresh(at))),
    fc
      .constantFrom('both', 'upstream', 'app')
      .map((where) => does(`another key: ${where}`, (world) => world.rotate(where))),
    common.restart,
    common.weather,
    fc.constant(does('the store is flushed', ({ store }) => store.flush())),
    ...(steady
      ? []
      : [
          fc
            .constantFrom(-7_200_000, 7_200_000, -10_000, 10_000)
            .map((ms) => does(`the wall clock steps ${ms} ms`, (world) => world.stepWall(ms))),
        ]),
  ];
};

const upstream = { equalTokens: fc.boolean(), renewable: fc.boolean() };
const worlds = [
  // A Date of whole seconds is too coarse for lifetimes of seconds, which are only used with clocks that agree.
  { what: 'lives of 2 s', lifeMs: 2_000, steady: true },
  { what: 'lifetimes of a minute', lifeMs: 60_000, steady: true },
  { what: 'lifetimes of a minute, and clocks that jump', lifeMs: 60_000, steady: false },
  { what: 'lifetimes of an hour, and clocks that jump', lifeMs: 3_600_000, steady: false },
];

describe.each([
  { kind: 'one instance', instances: 1, shared: false },
  { kind: 'three instances with a store', instances: 3, shared: true },
])('the app token, $kind', ({ instances, shared }) => {
  it.each(worlds)(
    'O1 O3 O5 O7 O10 O19 C1 C2 C3 · keeps every invariant for any order of events: $what',
    async ({ lifeMs, steady }) => {
      const clockSkewMs = steady ? fc.constant(0) : fc.constantFrom(0, 40_000, -40_000, 7_200_000);
      const setting = fc.record({ ...upstream, clockSkewMs }).map((given) => ({ ...given, lifeMs, instances, shared }));
      const steps = await runModel(
        setting,
        commands(lifeMs, steady),
        (given) => new OutboundWorld(given),
        AT_LEAST / 8,
      );
      expect(steps).toBeGreaterThanOrEqual((AT_LEAST / 8) * TIMES);
    },
    TIMEOUT_MS,
  );
});
