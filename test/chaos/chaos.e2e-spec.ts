import { beforeAll, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureBuilt } from '../support/built-app.js';
import { Client } from './client.js';
import { type Fault, faultsOf } from './faults.js';
import { Journal } from './journal.js';
import { Load } from './load.js';
import { MERCHANTS, MISTAKEN } from './merchants.js';
import { ResettingClient } from './resetting-client.js';
import { APP, Stage, USERS } from './stage.js';
import { Truth } from './truth.js';

/** `npm run chaos` sets the duration, and the file for the results. */
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 60);
const REPORT = process.env['CHAOS_REPORT'];

/** Duration of a fault in ms, if there is time. */
const FAULT_MS = 3_000;
/** Faults begin at most this often, in s. Real faults are rarer. */
const SHORTEST_ROUND_S = 15;

beforeAll(ensureBuilt, 180_000);

it(
  `three instances, a Redis, an upstream and an nginx with faults for ${SECONDS} s: no wrong response`,
  async () => {
    const truth = new Truth(USERS);
    const journal = new Journal();
    await using stage = await Stage.start();
    const client = new Client(stage.url, truth, journal);
    const load = new Load(client, truth);
    const resetting = new ResettingClient(stage.allPorts, (username) => truth.keyOf(username));
    const running = Promise.all([load.run(10), resetting.run()]);
    const faults = shuffled(faultsOf(stage, truth));
    const endsAt = performance.now() + SECONDS * 1_000;
    // Every fault is injected at least once.
    const rounds = Math.max(1, Math.floor(SECONDS / faults.length / SHORTEST_ROUND_S));
    const roundMs = (SECONDS * 1_000) / faults.length / rounds;
    for (let at = 0; performance.now() < endsAt || at < faults.length; at++) {
      const fault = faults[at % faults.length] as Fault;
      await Promise.all([suffer(fault, journal, Math.min(FAULT_MS, roundMs / 3)), sleep(roundMs)]);
    }
    load.stop();
    resetting.stop();
    await running;
    client.close();

    if (REPORT !== undefined) writeFileSync(REPORT, JSON.stringify(reportOf(stage, journal), undefined, 2));
    expect(journal.wrong).toEqual([]);
    expect(resetting.resets).toBeGreaterThan(0);
    for (const [scenario, { right }] of journal.byScenario()) expect([scenario, right]).not.toEqual([scenario, 0]);
    expect(journal.faults()).toHaveLength(faults.length);
    // An evicted account costs a login at most.
    const { right = 0, unavailable = 0 } = journal.byScenario().get('an account known at run time') ?? {};
    expect(loginsOf(stage, MERCHANTS)).toBeLessThanOrEqual(right + unavailable);
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

/** Number of logins of these accounts at the upstream. A check of a caller is a login, too. */
function loginsOf({ upstream }: Stage, accounts: readonly { readonly username: string }[]): number {
  const usernames = new Set(accounts.map(({ username }) => username));
  return upstream.ledger.filter(({ path, body }) => path === '/client/authenticate' && usernames.has(usernameIn(body)))
    .length;
}

function usernameIn(body: unknown): string {
  return String((body as { readonly username?: unknown } | undefined)?.username);
}

function reportOf(stage: Stage, journal: Journal): object {
  return {
    seconds: SECONDS,
    requests: journal.answers.length,
    wrong: journal.wrong.length,
    scenarios: [...journal.byScenario()].map(([scenario, counts]) => ({ scenario, ...counts })),
    causes: [...journal.causes()].map(([cause, counts]) => ({ cause, faults: Object.fromEntries(counts) })),
    faults: journal.faults(),
    upstream: {
      ownToken: loginsOf(stage, [APP]),
      accounts: loginsOf(stage, MERCHANTS),
      mistaken: loginsOf(stage, [MISTAKEN]),
      callers: loginsOf(stage, USERS),
      api: stage.upstream.requests('/client/wallets/*'),
    },
  };
}

function shuffled<T>(of: readonly T[]): readonly T[] {
  return of
    .map((item) => [Math.random(), item] as const)
    .toSorted(([one], [other]) => one - other)
    .map(([, item]) => item);
}
