import { beforeAll, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureBuilt } from '../support/built-app.js';
import { type Fault, faultsOf } from './faults.js';
import { Journal } from './journal.js';
import { Load } from './load.js';
import { ResettingClient } from './resetting-client.js';
import { APP, Stage, USERS } from './stage.js';
import { Truth } from './truth.js';

/** `npm run chaos` sets the duration, and the file for the results. */
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 60);
const REPORT = process.env['CHAOS_REPORT'];

beforeAll(ensureBuilt, 180_000);

it(
  `three instances, a Redis, an upstream and an nginx with faults for ${SECONDS} s: no wrong response`,
  async () => {
    const truth = new Truth(USERS);
    const journal = new Journal();
    await using stage = await Stage.start();
    const load = new Load(stage.url, truth, journal);
    const resetting = new ResettingClient(stage.allPorts, (username) => truth.keyOf(username));
    const running = Promise.all([load.run(8), resetting.run()]);
    const faults = shuffled(faultsOf(stage, truth));
    const endsAt = performance.now() + SECONDS * 1_000;
    // The short run injects every fault at least once. In the long run faults last long enough to affect every caller.
    const spanMs = Math.max(1_000, Math.min(6_000, (SECONDS * 1_000) / faults.length / 2));
    for (let at = 0; performance.now() < endsAt || at < faults.length; at++) {
      await suffer(faults[at % faults.length] as Fault, journal, spanMs);
    }
    load.stop();
    resetting.stop();
    await running;

    if (REPORT !== undefined) writeFileSync(REPORT, JSON.stringify(reportOf(stage, journal), undefined, 2));
    expect(journal.wrong).toEqual([]);
    expect(resetting.resets).toBeGreaterThan(0);
    for (const [scenario, { right }] of journal.byScenario()) expect([scenario, right]).not.toEqual([scenario, 0]);
    expect(journal.faults()).toHaveLength(faults.length);
  },
  SECONDS * 1_000 + 240_000,
);

async function suffer(fault: Fault, journal: Journal, spanMs: number): Promise<void> {
  const spell = journal.begin(fault.name);
  await fault.begin();
  if (fault.end !== undefined) {
    await sleep(spanMs);
    await fault.end();
  }
  spell.endedAt = performance.now();
  await sleep(spanMs);
}

function reportOf({ upstream }: Stage, journal: Journal): object {
  const calls = (isOurs: boolean): number =>
    upstream.ledger.filter(
      ({ path, account }) => path === '/client/authenticate' && (account === APP.username) === isOurs,
    ).length;
  return {
    seconds: SECONDS,
    requests: journal.answers.length,
    wrong: journal.wrong.length,
    scenarios: [...journal.byScenario()].map(([scenario, counts]) => ({ scenario, ...counts })),
    causes: Object.fromEntries(journal.causes()),
    faults: journal.faults(),
    upstream: { ownToken: calls(true), callers: calls(false), api: upstream.requests('/client/wallets/*') },
  };
}

function shuffled<T>(of: readonly T[]): readonly T[] {
  return of
    .map((item) => [Math.random(), item] as const)
    .toSorted(([one], [other]) => one - other)
    .map(([, item]) => item);
}
