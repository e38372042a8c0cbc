import type { Stage } from './stage.js';
import type { Tally } from './schema.js';

/** A case of either kind. */
export interface Case<Step> {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly expect: Tally;
}

/** Runs the steps of a case, then compares the result. Rejects with the step that failed. */
export async function runCase<Step>({ steps, expect }: Case<Step>, open: () => Promise<Stage<Step>>): Promise<void> {
  await using stage = await open();
  for (const [at, step] of steps.entries()) {
    await located(`step ${at + 1}, ${JSON.stringify(step)}`, () => stage.take(step));
  }
  await located('at the end', () => stage.check(expect));
}

async function located(where: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (thrown) {
    throw new Error(`${where}: ${thrown instanceof Error ? thrown.message : String(thrown)}`, { cause: thrown });
  }
}
