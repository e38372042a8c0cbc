import { describe, expect, it } from '@jest/globals';
import { XPayAuthError } from './errors.js';
import { type SpanEnd, type InstrumentationEvent, type Observer, Instrumentation } from './instrumentation.js';

const act = { type: 'login' } as const;
const fact: InstrumentationEvent = { type: 'joined', flight: 'token' };

/** Records its calls. `trouble` makes one of its methods throw. */
class Witness implements Observer {
  readonly seen: unknown[] = [];

  constructor(private readonly trouble?: 'begin' | 'end' | 'note') {}

  start(): ReturnType<Observer['start']> {
    this.#do('begin');
    return {
      run: (run) => {
        this.seen.push('within');
        return run();
      },
      end: (ending: SpanEnd) => this.#do('end', ending),
    };
  }

  record(seen: InstrumentationEvent): void {
    this.#do('note', seen);
  }

  #do(part: 'begin' | 'end' | 'note', what?: unknown): void {
    this.seen.push(what ?? part);
    if (this.trouble === part) throw new Error('of the observer');
  }
}

function watchedBy(witness: Witness): Instrumentation {
  const instrumentation = new Instrumentation();
  instrumentation.attach(witness);
  return instrumentation;
}

describe('Instrumentation', () => {
  it('runs an operation once and returns its result, with or without an observer', async () => {
    for (const instrumentation of [new Instrumentation(), watchedBy(new Witness())]) {
      let runs = 0;
      expect(await instrumentation.observe(act, () => Promise.resolve(++runs))).toBe(1);
      expect(runs).toBe(1);
      instrumentation.record(fact);
    }
  });

  it('reports the outcome of an operation: that of its result, its failure code, or upstream_malformed for a foreign error', async () => {
    const witness = new Witness();
    const instrumentation = watchedBy(witness);
    await instrumentation.observe(act, () => Promise.resolve(204), { judge: (status) => ({ outcome: 'ok', status }) });
    const failure = new XPayAuthError('upstream_timeout', 'too late');
    await expect(instrumentation.observe(act, () => Promise.reject(failure))).rejects.toBe(failure);
    await expect(instrumentation.observe(act, () => Promise.reject(new TypeError('x')))).rejects.toThrow(TypeError);
    expect(witness.seen.filter((one) => typeof one === 'object')).toEqual([
      { outcome: 'ok', status: 204 },
      { outcome: 'upstream_timeout' },
      { outcome: 'upstream_malformed' },
    ]);
  });

  it('an aborted operation has the outcome of the abort reason', async () => {
    const witness = new Witness();
    const instrumentation = watchedBy(witness);
    const givenUp = new XPayAuthError('upstream_timeout', 'given up');
    for (const reason of [new Error('the caller left'), new XPayAuthError('shutting_down', 'bye')]) {
      const signal = AbortSignal.abort(reason);
      await expect(instrumentation.observe(act, () => Promise.reject(givenUp), { signal })).rejects.toBe(givenUp);
    }
    expect(witness.seen.filter((one) => typeof one === 'object')).toEqual([
      { outcome: 'aborted' },
      { outcome: 'shutting_down' },
    ]);
  });

  it.each(['begin', 'end', 'note'] as const)('swallows an error that %s of an observer throws', async (trouble) => {
    const instrumentation = watchedBy(new Witness(trouble));
    let runs = 0;
    expect(await instrumentation.observe(act, () => Promise.resolve(++runs))).toBe(1);
    const failure = new XPayAuthError('overloaded', 'too much');
    await expect(instrumentation.observe(act, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(() => instrumentation.record(fact)).not.toThrow();
    expect(runs).toBe(1);
  });

  it('accepts one observer, and another one after the first is detached', async () => {
    const instrumentation = new Instrumentation();
    const first = new Witness();
    const leave = instrumentation.attach(first);
    expect(() => instrumentation.attach(new Witness())).toThrow(/imported twice/);
    leave();
    const second = new Witness();
    instrumentation.attach(second);
    await instrumentation.observe(act, () => Promise.resolve());
    expect([first.seen.length, second.seen]).toEqual([0, ['begin', 'within', { outcome: 'ok' }]]);
  });
});
