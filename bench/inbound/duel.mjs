// Measures two servers alternately, seconds apart, so that other load on the machine affects both.

/**
 * Measures baseline and variant in the order B V V B, with the same headers, both already warm.
 *
 * @returns the sums of the runs of each side
 */
export async function duel({ load, baseline, variant, seconds }) {
  const turn = (server) => loadFor(load, server, variant.ready.authorization, seconds);
  const [b1, v1, v2, b2] = [await turn(baseline), await turn(variant), await turn(variant), await turn(baseline)];
  return { baseline: both(b1, b2), variant: both(v1, v2) };
}

/** Number of answers after which a process has reached its full speed … */
const WARM_AFTER = 8_000;
const SHORTEST_WARM_UP_S = 1;
/** … or the time limit, for slow libraries. */
const LONGEST_WARM_UP_S = 4;
const STEP_S = 0.5;

/** Sends requests at full speed until the server's code is compiled. */
export async function warmUp(load, server, authorization) {
  let answers = 0;
  for (let passed = 0; isCold(answers, passed); passed += STEP_S) {
    answers += (await loadFor(load, server, authorization, STEP_S)).answers;
  }
}

/** Sends requests at full speed for a time, and measures the cost for the server. */
export async function loadFor(load, server, authorization, seconds, more = {}) {
  const before = await server.ask('usage');
  const figures = await load.ask('run', { url: server.ready.url, headers: { authorization }, seconds, ...more });
  const after = await server.ask('usage');
  const cpuMicros = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  // The CPU usage includes the settling part of the load, so its answers are counted here too.
  return { ...figures, cpu: cpuMicros / figures.answers, busy: cpuMicros / 1_000 / (after.at - before.at) };
}

function isCold(answers, passed) {
  return passed < LONGEST_WARM_UP_S && (passed < SHORTEST_WARM_UP_S || answers < WARM_AFTER);
}

function both(one, other) {
  const mean = (key) => (one[key] + other[key]) / 2;
  return Object.fromEntries(['perSecond', 'cpu', 'busy', 'p50', 'p99'].map((key) => [key, mean(key)]));
}
