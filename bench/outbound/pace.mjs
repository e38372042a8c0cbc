// Measures the duration of one call with a valid token: `pace.mjs <peer> <endpoint>`. The calls alternate with the floor, which
// is an `await` of a constant. Only the CPU time of the process counts, so other programs on the machine disturb the figures less.
import { answer } from '../machine/child.mjs';
import { median } from '../figures/statistics.mjs';
import { PEERS } from './peers.mjs';

const [peer, endpoint] = process.argv.slice(2);
const { get, peek } = await PEERS[peer].create(endpoint);
const constant = await get();

const turns = { floor: awaitConstant, get: awaitToken, ...(peek && { peek: peekToken }) };
/** Number of calls in one measurement, enough to take a few ms. */
const calls = await enoughCalls(awaitToken);

const floors = [];
const ratios = { get: [], peek: [] };
for (let turn = 0; turn < 240; turn++) {
  const floor = (await turns.floor(20_000)) / 20_000;
  if (turn < 40) continue;
  floors.push(floor);
  for (const name of ['get', 'peek']) {
    const many = name === 'get' ? calls : 20_000;
    if (name in turns) ratios[name].push((await turns[name](many)) / many / floor);
  }
}
const floor = median(floors);
answer({
  floorNs: floor,
  getFloors: median(ratios.get),
  peekFloors: ratios.peek.length > 0 ? median(ratios.peek) : undefined,
});

async function enoughCalls(call) {
  let many = 1;
  // The fastest of three, because a single measurement may contain a compilation.
  const fastest = async () => Math.min(await call(many), await call(many), await call(many));
  while ((await fastest()) < 2_000_000 && many < 20_000) many *= 2;
  for (let i = 0; i < 60; i++) await call(many);
  return many;
}

async function awaitConstant(many) {
  const startedAt = cpuTimeNs();
  for (let i = 0; i < many; i++) await constant;
  return cpuTimeNs() - startedAt;
}

async function awaitToken(many) {
  const startedAt = cpuTimeNs();
  for (let i = 0; i < many; i++) await get();
  return cpuTimeNs() - startedAt;
}

async function peekToken(many) {
  const startedAt = cpuTimeNs();
  let seen = 0;
  for (let i = 0; i < many; i++) if (peek() !== undefined) seen++;
  const took = cpuTimeNs() - startedAt;
  if (seen !== many) throw new Error('peek() returned no token');
  return took;
}

/** Returns the CPU time of this process in ns. Its resolution is 1 µs. */
function cpuTimeNs() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1_000;
}
