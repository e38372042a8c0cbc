import fc from 'fast-check';

/** The system that commands act on. */
export interface World {
  /** Number of commands executed. */
  steps: number;
  /** Throws if an invariant is violated. */
  check(): void;
  /** Ends all faults. Then every caller must have got a response, and new ones must be served. */
  finale(): Promise<void>;
  close(): void;
}

export type Outcome<T> = { readonly value: T } | { readonly failure: unknown };

/** The outcome of a promise. */
export function outcomeOf<T>(promise: Promise<T>): Promise<Outcome<T>> {
  return promise.then(
    (value) => ({ value }),
    (failure: unknown) => ({ failure }),
  );
}

type Command<W> = fc.AsyncCommand<object, W>;

/** An event: its description and its execution. */
export function happening<W extends World>(words: string, deed: (world: W) => unknown): Command<W> {
  return {
    check: () => true,
    toString: () => words,
    run: async (_, world) => {
      world.steps++;
      await deed(world);
      world.check();
    },
  };
}

/** `MODEL_TIMES` multiplies the requested number of steps. */
export const TIMES = Number(process.env['MODEL_TIMES'] ?? 1);
/** Fewer in a short form, because 50 histories have about 5,000 steps. */
const RUNS_AT_ONCE = Math.ceil(50 * Math.min(1, TIMES));
const MOST_COMMANDS = 200;

/**
 * Runs commands in random order until at least this many steps are taken. A failure prints its seed and the shortest
 * history that causes it.
 */
export async function runModel<W extends World, Setting>(
  setting: fc.Arbitrary<Setting>,
  commands: fc.Arbitrary<Command<W>>[],
  open: (setting: Setting) => W,
  atLeast: number,
): Promise<number> {
  const taken = { steps: 0 };
  const inOrder = fc.commands(commands, { maxCommands: MOST_COMMANDS, size: 'max' });
  const property = fc.asyncProperty(setting, inOrder, async (given, happenings) => {
    const world = open(given);
    try {
      await fc.asyncModelRun(() => ({ model: {}, real: world }), happenings);
      await world.finale();
    } finally {
      taken.steps += world.steps;
      world.close();
    }
  });
  const { seed = 1 } = fc.readConfigureGlobal();
  for (let round = 0; taken.steps < atLeast * TIMES; round++) {
    await fc.assert(property, { numRuns: RUNS_AT_ONCE, seed: seed + round });
  }
  return taken.steps;
}
