import { setTimeout as wait } from 'node:timers/promises';

/** Returns all JavaScript memory of this process, on the heap and outside the heap. Needs --expose-gc. */
export async function held() {
  for (let i = 0; i < 5; i++) {
    await wait(20);
    globalThis.gc();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
