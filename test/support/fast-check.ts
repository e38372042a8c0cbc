import fc from '../../node_modules/fast-check/lib/fast-check.js';

/**
 * What the tests get as `fast-check`. Every run meets the same inputs, so that a change is judged by what it changes;
 * `SEED=random` looks for new ones. A failure shows a seed and a path: `SEED` and `SEED_PATH` repeat it.
 */
const { SEED = '1', SEED_PATH: path } = process.env;
const seed = SEED === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
fc.configureGlobal({ seed, ...(path !== undefined && { path }) });

export * from '../../node_modules/fast-check/lib/fast-check.js';
export default fc;
