import fc from 'fast-check';

/** What commands act on. */
export interface World {
  /** Commands that have been carried out. */
  steps: number;
  /** Throws for what never may be. */
  check(): void;
  /** Everything is well again: everybody must have been answered, and be served. */
  finale(): Promise<void>;
  close(): void;
}

type Command<W> = fc.AsyncCommand<object, W>;

/** Something that may happen, in words and in deed. */
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

/** `MODEL_TIMES`: so many times the steps that are asked for. */
const times = Number(process.env['MODEL_TIMES'] ?? 1);
const RUNS_AT_ONCE = 50;
const MOST_COMMANDS = 120;

/**
 * Lets commands happen in random order until at least so many steps are taken. A failure shows its seed and the shortest way
 * to it; `MODEL_SEED` and `MODEL_PATH` repeat it.
 */
export async function runModel<W extends World, Setting>(
  setting: fc.Arbitrary<Setting>,
  commands: fc.Arbitrary<Command<W>>[],
  open: (setting: Setting) => W,
  atLeast: number,
): Promise<number> {
  const played = { steps: 0 };
  const inOrder = fc.commands(commands, { maxCommands: MOST_COMMANDS, size: 'max' });
  const property = fc.asyncProperty(setting, inOrder, async (given, happenings) => {
    const world = open(given);
    try {
      await fc.asyncModelRun(() => ({ model: {}, real: world }), happenings);
      await world.finale();
    } finally {
      played.steps += world.steps;
      world.close();
    }
  });
  const { MODEL_SEED: seed, MODEL_PATH: path } = process.env;
  const repeated = { ...(seed !== undefined && { seed: Number(seed) }), ...(path !== undefined && { path }) };
  while (played.steps < atLeast * times) await fc.assert(property, { numRuns: RUNS_AT_ONCE, ...repeated });
  return played.steps;
}
