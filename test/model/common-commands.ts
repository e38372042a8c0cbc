import fc from 'fast-check';
import type { ModelClock } from './model-clock.js';
import { type World, happening } from './model-run.js';
import type { ModelStore } from './model-store.js';
import type { ModelUpstream } from './model-upstream.js';

/** Both models have an upstream, optionally a store, and instances that come and go. */
interface CommonWorld extends World {
  readonly clock: ModelClock;
  readonly store: ModelStore;
  readonly upstream: ModelUpstream;
  restart(at: number, dies: boolean): unknown;
}

/** Changes of the environment in both models. `slot` is the index of an instance. */
export function commonCommands<W extends CommonWorld>(slot: fc.Arbitrary<number>) {
  const does = (words: string, deed: (world: W) => unknown) => happening<W>(words, deed);
  return {
    mood: (...moods: ModelUpstream['mood'][]) =>
      fc
        .constantFrom(...moods)
        .map((mood) => does(`the upstream: ${mood}`, ({ upstream }) => void (upstream.mood = mood))),
    answered: fc.nat(3).map((nth) =>
      does(`call ${nth} is answered`, async ({ upstream, clock }) => {
        upstream.release(nth);
        await clock.advance(0);
      }),
    ),
    answeredLate: fc.constant(
      does('delayed responses arrive', async ({ upstream, clock }) => {
        upstream.answerLate();
        await clock.advance(0);
      }),
    ),
    restart: fc
      .tuple(slot, fc.boolean())
      .map(([at, dies]) => does(`instance ${at} ${dies ? 'dies' : 'restarts'}`, (world) => world.restart(at, dies))),
    weather: fc
      .constantFrom('well', 'well', 'slow', 'late', 'lossy', 'away')
      .map((weather) => does(`the store: ${weather}`, ({ store }) => store.turn(weather))),
  };
}
