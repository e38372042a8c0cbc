import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AccountsWorld, IDS } from './accounts-world.js';
import { commonCommands } from './common-commands.js';
import { TIMES, happening, runModel } from './model-run.js';

const AT_LEAST = 20_000;
const TIMEOUT_MS = 120_000 * Math.max(1, TIMES);

const slot = fc.nat(2);
const id = fc.constantFrom(...IDS);
const lapse = fc.constantFrom(1, 100, 499, 1_000, 5_000, 10_000, 13_001, 20_000, 60_000);

const does = (words: string, deed: (world: AccountsWorld) => unknown) => happening<AccountsWorld>(words, deed);
const common = commonCommands<AccountsWorld>(slot);

const often = [
  fc
    .tuple(slot, id, fc.integer({ min: 1, max: 3 }), fc.boolean())
    .map(([at, account, callers, leaves]) =>
      does(
        `${callers} callers request a token of ${account} from instance ${at}${leaves ? ', one aborts' : ''}`,
        (world) => world.get(at, account, callers, leaves),
      ),
    ),
  fc
    .tuple(slot, id)
    .map(([at, account]) =>
      does(`one caller requests a token of ${account} from instance ${at}`, (world) =>
        world.get(at, account, 1, false),
      ),
    ),
  lapse.map((ms) => does(`${ms} ms pass`, ({ clock }) => clock.advance(ms))),
];

const commands = [
  ...often,
  ...often,
  common.mood('grants', 'down', 'malformed', 'busy', 'held', 'deaf', 'grants', 'held'),
  common.answered,
  common.answeredLate,
  fc
    .tuple(slot, id, fc.boolean())
    .map(([at, account, late]) =>
      does(`the API rejects the token of ${account} at instance ${at}${late ? ', reported late' : ''}`, (world) =>
        world.reject(at, account, late),
      ),
    ),
  fc
    .tuple(slot, id)
    .map(([at, account]) =>
      does(`a refresh of ${account} is forced on instance ${at}`, (world) => world.refresh(at, account)),
    ),
  fc
    .tuple(id, fc.constantFrom('both', 'upstream', 'app'))
    .map(([account, where]) => does(`another key of ${account}: ${where}`, (world) => world.rotate(account, where))),
  id.map((account) => does(`the app removes ${account}`, (world) => world.remove(account))),
  id.map((account) => does(`the app adds ${account}`, (world) => world.rotate(account, 'both'))),
  common.restart,
  common.weather,
  fc.constant(does('the store is flushed', ({ store }) => store.flush())),
];

describe.each([
  { kind: 'one instance', instances: 1, shared: false },
  { kind: 'three instances with a store', instances: 3, shared: true },
])('accounts known only at run time, $kind', ({ instances, shared }) => {
  it.each([1, 2, 10])(
    'M1 M3 · keeps every invariant for any order of events, with %i tokens in memory',
    async (maxEntries) => {
      const setting = fc
        .record({ equalTokens: fc.boolean(), lifeMs: fc.constantFrom(60_000, 3_600_000) })
        .map((given) => ({ ...given, clockSkewMs: 0, renewable: false, instances, shared, maxEntries }));
      const steps = await runModel(setting, commands, (given) => new AccountsWorld(given), AT_LEAST / 6);
      expect(steps).toBeGreaterThanOrEqual((AT_LEAST / 6) * TIMES);
    },
    TIMEOUT_MS,
  );
});
