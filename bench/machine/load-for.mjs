/** Sends requests at full speed for a time, and measures the cost for the server. */
export async function loadFor(load, server, authorization, seconds, more = {}) {
  const before = await server.ask('usage');
  const figures = await load.ask('run', { url: server.ready.url, headers: { authorization }, seconds, ...more });
  const after = await server.ask('usage');
  const cpuMicros = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
  // The CPU time includes that of the settling part of the load, so the answers in that part are counted here too.
  return { ...figures, cpu: cpuMicros / figures.answers, busy: cpuMicros / 1_000 / (after.at - before.at) };
}
