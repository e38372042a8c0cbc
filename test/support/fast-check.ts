import fc from '../../node_modules/fast-check/lib/fast-check.js';

/**
 * The `fast-check` that the tests import. Every run uses the same inputs, so that its result depends only on the code.
 * `SEED=random` uses new inputs. A failure prints a seed and a path. Set `SEED` and `SEED_PATH` to them to repeat the failure.
 */
const { SEED = '1', SEED_PATH: path } = process.env;
const seed = SEED === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
fc.configureGlobal({ seed, ...(path !== undefined && { path }) });

export * from '../../node_modules/fast-check/lib/fast-check.js';
export default fc;
