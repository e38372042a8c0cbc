import fc from '../../node_modules/fast-check/lib/fast-check.js';

/**
 * The `fast-check` that the tests import. Every run uses the same inputs, so that its result depends only on the code.
 * `SEED=random` uses new ones. A failure shows a seed and a path; `SEED` and `SEED_PATH` repeat it.
 */
const { SEED = '1', SEED_PATH: path } = process.env;
const seed = SEED === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
fc.configureGlobal({ seed, ...(path !== undefined && { path }) });

export * from '../../node_modules/fast-check/lib/fast-check.js';
export default fc;
