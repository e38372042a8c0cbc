import { describe, expect, it } from '@jest/globals';
import { XPayAuthError } from './errors.js';
import { type Ending, type Fact, type Onlooker, Watch } from './instrumentation.js';

const act = { type: 'login' } as const;
const fact: Fact = { type: 'joined', flight: 'token' };

/** Writes down what it sees; `trouble` makes one of its parts throw. */
class Witness implements Onlooker {
  readonly seen: unknown[] = [];

  constructor(private readonly trouble?: 'begin' | 'end' | 'note') {}

  begin(): ReturnType<Onlooker['begin']> {
    this.#do('begin');
    return {
      within: (run) => {
        this.seen.push('within');
        return run();
      },
      end: (ending: Ending) => this.#do('end', ending),
    };
  }

  note(seen: Fact): void {
    this.#do('note', seen);
  }

  #do(part: 'begin' | 'end' | 'note', what?: unknown): void {
    this.seen.push(what ?? part);
    if (this.trouble === part) throw new Error('of the onlooker');
  }
}

function watchedBy(witness: Witness): Watch {
  const watch = new Watch();
  watch.attach(witness);
  return watch;
}

describe('Watch', () => {
  it('runs an act once, and returns what it brings, whether or not somebody looks on', async () => {
    for (const watch of [new Watch(), watchedBy(new Witness())]) {
      let runs = 0;
      expect(await watch.over(act, () => Promise.resolve(++runs))).toBe(1);
      expect(runs).toBe(1);
      watch.note(fact);
    }
  });

  it('tells how an act ended: as it is judged, by the code of its failure, or that it failed strangely', async () => {
    const witness = new Witness();
    const watch = watchedBy(witness);
    await watch.over(act, () => Promise.resolve(204), { judge: (status) => ({ outcome: 'ok', status }) });
    const failure = new XPayAuthError('upstream_timeout', 'too late');
    await expect(watch.over(act, () => Promise.reject(failure))).rejects.toBe(failure);
    await expect(watch.over(act, () => Promise.reject(new TypeError('x')))).rejects.toThrow(TypeError);
    expect(witness.seen.filter((one) => typeof one === 'object')).toEqual([
      { outcome: 'ok', status: 204 },
      { outcome: 'upstream_timeout' },
      { outcome: 'upstream_malformed' },
    ]);
  });

  it('an act that was ended from outside ends with the reason for that', async () => {
    const witness = new Witness();
    const watch = watchedBy(witness);
    const givenUp = new XPayAuthError('upstream_timeout', 'given up');
    for (const reason of [new Error('the caller left'), new XPayAuthError('shutting_down', 'bye')]) {
      const signal = AbortSignal.abort(reason);
      await expect(watch.over(act, () => Promise.reject(givenUp), { signal })).rejects.toBe(givenUp);
    }
    expect(witness.seen.filter((one) => typeof one === 'object')).toEqual([
      { outcome: 'aborted' },
      { outcome: 'shutting_down' },
    ]);
  });

  it.each(['begin', 'end', 'note'] as const)('an onlooker whose %s throws troubles nobody', async (trouble) => {
    const watch = watchedBy(new Witness(trouble));
    let runs = 0;
    expect(await watch.over(act, () => Promise.resolve(++runs))).toBe(1);
    const failure = new XPayAuthError('overloaded', 'too much');
    await expect(watch.over(act, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(() => watch.note(fact)).not.toThrow();
    expect(runs).toBe(1);
  });

  it('takes one onlooker, and another one after it has left', async () => {
    const watch = new Watch();
    const first = new Witness();
    const leave = watch.attach(first);
    expect(() => watch.attach(new Witness())).toThrow(/imported twice/);
    leave();
    const second = new Witness();
    watch.attach(second);
    await watch.over(act, () => Promise.resolve());
    expect([first.seen.length, second.seen]).toEqual([0, ['begin', 'within', { outcome: 'ok' }]]);
  });
});
