/** Waits, turn by turn of the event loop, for what sockets bring. Rejects when it does not come within 10 s of real time. */
export async function settled(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never true: ${condition.toString()}`);
    await new Promise((next) => setImmediate(next));
  }
}
