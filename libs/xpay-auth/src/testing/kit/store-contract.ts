import assert from 'node:assert/strict';
import type { Held, Lease, Store } from '../../core/store.js';
import { type ContractCase, casesOf, until } from './contract-case.js';

/** A store, and how to open it from several instances. */
export interface StoreStage {
  /** Opens one more instance on the same store. Instances read each other's writes. */
  open(): Store | Promise<Store>;
  /** Stops the store, after the instances have been closed. */
  stop(): unknown;
}

/** One case: two instances on an empty store, and a function that opens more. */
type Play = (one: Store, other: Store, open: () => Promise<Store>) => Promise<void>;

const namesOf = (id: string) => [{ kind: 'session', id } as const, { kind: 'seen', id } as const];

const token = { kind: 'token', id: 'an account' } as const;

const plays: Readonly<Record<string, Play>> = {
  'reads an entry of another instance, with its remaining lifetime': async (one, other) => {
    assert.equal(await one.write(token, { value: 'välue "1"', generation: 5, lifeMs: 60_000 }), true);
    const entry = await other.read(token);
    assert.equal(entry?.value, 'välue "1"');
    assert.equal(entry.generation, 5);
    assert.ok(entry.remainingMs > 55_000 && entry.remainingMs <= 60_000, `${entry.remainingMs} ms are left`);
  },
  'distinguishes entries by name and kind': async (store) => {
    await store.write(token, { value: 'a', generation: 1, lifeMs: 60_000 });
    assert.equal(await store.read({ kind: 'session', id: token.id }), undefined);
    assert.equal(await store.read({ kind: 'token', id: 'another account' }), undefined);
  },
  'deletes an entry at the end of its lifetime': async (store) => {
    await store.write(token, { value: 'a', generation: 1, lifeMs: 40 });
    await until(async () => (await store.read(token)) === undefined, 'the entry is deleted');
  },
  'rejects a generation that is not newer': async (one, other) => {
    await one.write(token, { value: 'new', generation: 7, lifeMs: 60_000 });
    assert.equal(await other.write(token, { value: 'late', generation: 6, lifeMs: 60_000 }), false);
    assert.equal(await other.write(token, { value: 'same', generation: 7, lifeMs: 60_000 }), false);
    assert.equal((await one.read(token))?.value, 'new');
    assert.equal(await other.write(token, { value: 'newer', generation: 8, lifeMs: 60_000 }), true);
    assert.equal((await one.read(token))?.value, 'newer');
  },
  'neither returns nor accepts a discarded generation': async (one, other) => {
    await one.write(token, { value: 'rejected', generation: 3, lifeMs: 60_000 });
    await other.discard(token, 3, 60_000);
    assert.equal(await one.read(token), undefined);
    assert.equal(await one.write(token, { value: 'rejected', generation: 3, lifeMs: 60_000 }), false);
    assert.equal(await one.write(token, { value: 'new', generation: 4, lifeMs: 60_000 }), true);
    await other.discard(token, 3, 60_000);
    assert.equal((await one.read(token))?.value, 'new');
  },
  'grants a lease to one of several instances, and to the next one after its release': async (_one, _other, open) => {
    const stores = await Promise.all(Array.from({ length: 5 }, open));
    const answers = await Promise.all(stores.map((store) => store.acquire(token, 10_000)));
    const acquired = answers.filter(isLease);
    assert.equal(acquired.length, 1);
    assert.ok(answers.every((answer) => isLease(answer) || answer.remainingMs > 9_000));
    await acquired[0]?.release();
    const next = await stores[0]?.acquire(token, 10_000);
    assert.ok(next !== undefined && isLease(next));
    assert.ok(
      next.generation > (acquired[0]?.generation ?? Infinity),
      'a generation must be greater than all earlier generations',
    );
  },
  'grants an expired lease to another instance, whose lease the first one cannot release': async (one, other) => {
    const lost = await one.acquire(token, 40);
    assert.ok(isLease(lost));
    const taken: (Lease | Held)[] = [];
    await until(async () => {
      taken.push(await other.acquire(token, 10_000));
      return taken.some(isLease);
    }, 'another instance acquires the lease');
    await lost.release();
    assert.equal((await one.acquire(token, 10_000)).kind, 'held', 'an expired lease must not release another one');
    assert.ok((taken.find(isLease)?.generation ?? 0) > lost.generation);
  },
  'grants a lease with a generation newer than the entry': async (store) => {
    const far = 9_000_000_000_000;
    await store.write(token, { value: 'a', generation: far, lifeMs: 60_000 });
    const lease = await store.acquire(token, 1_000);
    assert.ok(isLease(lease) && lease.generation > far);
  },
  'shares counts between instances, and takes a count back only within its window': async (one, other) => {
    const first = await one.count('guesses', 60_000);
    const second = await other.count('guesses', 60_000);
    assert.deepEqual([first.count, second.count], [1, 2]);
    assert.equal(first.window, second.window);
    assert.ok(second.remainingMs > 55_000 && second.remainingMs <= 60_000);
    await other.uncount('guesses', second.window);
    await other.uncount('guesses', 'another window');
    assert.equal((await one.count('guesses', 60_000)).count, 2);
    assert.equal((await one.count('other guesses', 60_000)).count, 1);
  },
  'opens a new window after the end of the old one': async (store) => {
    const old = await store.count('guesses', 40);
    await until(async () => (await store.count('guesses', 40)).window !== old.window, 'a new window opens');
    await store.uncount('guesses', old.window);
    assert.notEqual((await store.count('guesses', 60_000)).count, 0);
  },
  'returns the records of a log in order': async (one, other) => {
    const empty = await other.readLog('log', 0);
    assert.deepEqual([empty.newest, empty.records.length], [0, 0]);
    await one.append('log', { index: one.indexOf('ada'), value: 'ada@example.test' });
    const page = await one.append('log', { index: one.indexOf('bob'), value: 'bob@example.test' });
    assert.equal(page.newest, 2);
    const whole = await other.readLog('log', 0);
    const seen = whole.records.map(({ position, index, value }) => [position, index, value]);
    assert.deepEqual(seen, [
      [1, other.indexOf('ada'), 'ada@example.test'],
      [2, other.indexOf('bob'), 'bob@example.test'],
    ]);
    const rest = await other.readLog('log', 1);
    assert.deepEqual(
      rest.records.map(({ position }) => position),
      [2],
    );
    assert.equal(rest.epoch, empty.epoch);
    assert.equal((await other.readLog('another log', 0)).newest, 0);
  },
  'keeps every record of concurrent appends, each at its own position': async (one, other) => {
    const names = Array.from({ length: 20 }, (_, i) => `user ${i}`);
    await Promise.all(names.map((value, i) => (i % 2 === 0 ? one : other).append('log', { index: value, value })));
    const { newest, records } = await other.readLog('log', 0);
    assert.equal(newest, 20);
    assert.deepEqual(
      records.map(({ position }) => position),
      names.map((_, i) => i + 1),
    );
    assert.deepEqual(new Set(records.map(({ value }) => value)), new Set(names));
  },
  'deletes the entries of the oldest items of a list beyond its limit': async (one, other) => {
    const list = { kind: 'sessions', id: 'ada' } as const;
    const add = async (store: Store, id: string): Promise<void> => {
      for (const name of namesOf(id)) await store.write(name, { value: id, generation: 1, lifeMs: 60_000 });
      await store.enlist(list, namesOf(id), 3, 60_000);
    };
    const kept = async (): Promise<string> => {
      const found: string[] = [];
      for (const id of ['a', 'b', 'c', 'd', 'e']) {
        const values = await Promise.all(namesOf(id).map((name) => one.read(name)));
        assert.equal(values[0] === undefined, values[1] === undefined);
        if (values[0] !== undefined) found.push(id);
      }
      return found.join();
    };
    for (const id of ['a', 'b', 'c']) await add(id === 'b' ? other : one, id);
    assert.equal(await kept(), 'a,b,c');
    await add(one, 'a');
    await add(other, 'd');
    assert.equal(await kept(), 'a,c,d', 'an item that is added again is the newest one');
    await one.delist(list, namesOf('c'));
    await add(one, 'e');
    assert.equal(await kept(), 'a,c,d,e', 'an item that was removed does not count, and its entries stay');
  },
  'begins a new epoch of a log once for concurrent requests': async (one, other) => {
    await one.append('log', { index: 'a', value: 'a' });
    const { epoch } = await one.readLog('log', 0);
    await Promise.all([one.renewEpoch('log', epoch), other.renewEpoch('log', epoch)]);
    const renewed = await one.readLog('log', 0);
    assert.notEqual(renewed.epoch, epoch);
    assert.equal(renewed.newest, 0);
    await other.renewEpoch('log', epoch);
    assert.equal((await one.readLog('log', 0)).epoch, renewed.epoch);
  },
  'delivers a published message to the other instances': async (one, other) => {
    const received: string[] = [];
    const stop = other.subscribe('topic', (message) => received.push(message));
    other.subscribe('other topic', () => received.push('wrong topic'));
    await until(async () => {
      await one.publish('topic', 'hello');
      return received.includes('hello');
    }, 'the message is received');
    stop();
    const before = received.length;
    await one.publish('topic', 'after the end of the subscription');
    await one.read(token);
    assert.equal(received.length, before);
    assert.ok(!received.includes('wrong topic'));
  },
  'reports that it is ready': async (store) => {
    await store.read(token);
    assert.equal(store.status().state, 'ready');
  },
};

/**
 * The contract of a store, as cases for any test runner. `setup` is called for each case and must return an empty store.
 *
 * ```ts
 * describe('my store', () => {
 *   for (const { title, run } of storeContract('mine', setup)) it(title, run);
 * });
 * ```
 */
export function storeContract(name: string, setup: () => StoreStage | Promise<StoreStage>): readonly ContractCase[] {
  return casesOf(name, plays, async (play) => {
    const stage = await setup();
    const opened: Store[] = [];
    const open = async (): Promise<Store> => {
      const store = await stage.open();
      opened.push(store);
      return store;
    };
    try {
      await play(await open(), await open(), open);
    } finally {
      await Promise.all(opened.map((store) => store.close()));
      await stage.stop();
    }
  });
}

function isLease(answer: Lease | Held): answer is Lease {
  return answer.kind === 'acquired';
}
