/**
 * Waits, one turn of the event loop at a time, for work on the sockets. Rejects if the condition does not hold within
 * 60 s of real time.
 */
export async function settled(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never true: ${condition.toString()}`);
    await new Promise((next) => setImmediate(next));
  }
}
