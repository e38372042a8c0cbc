import { describe, expect, it } from '@jest/globals';
import { SingleFlight } from '../async/promises.js';
import type { AuditEvent } from '../core/audit-events.js';
import { XPayAuthError } from '../core/errors.js';
import { ManualClock } from '../testing/emulators/manual-clock.js';
import { FairQueue } from './fair-queue.js';
import { type PresentedCredentials, ReservationsOpen, type Verified, rejection } from './presented-credentials.js';

interface Setting {
  readonly maxConcurrent?: number;
  readonly maxQueued?: number;
  /** Answers at once, by username, in place of a check that the test ends. */
  readonly answer?: (username: string) => Promise<Verified> | undefined;
}

const verified = {} as Verified;

/** A queue of four places, three of them for newcomers, before a link whose checks the test ends. */
function queueOf({ maxConcurrent = 4, maxQueued = 100, answer }: Setting = {}) {
  const clock = new ManualClock();
  const events: AuditEvent[] = [];
  const lockedOut = new Set<string>();
  /** Usernames in the order in which their checks began. */
  const began: string[] = [];
  const underWay = new Map<string, (outcome?: XPayAuthError) => void>();
  const queue = new FairQueue({
    clock,
    policy: { maxConcurrent, maxQueued, queueTimeoutMs: 5_000 },
    attempts: {
      refuseLockedOut: ({ username }) => {
        if (lockedOut.has(username)) throw new XPayAuthError('too_many_attempts', 'locked out');
      },
    },
    audit: (event) => void events.push(event),
    next: {
      authenticate: ({ by: { username } }) => {
        began.push(username);
        const answered = answer?.(username);
        if (answered !== undefined) return answered;
        return new Promise((resolve, reject) => {
          underWay.set(username, (failure) => {
            underWay.delete(username);
            if (failure === undefined) resolve(verified);
            else reject(failure);
          });
        });
      },
    },
  });
  /** Resolves with `ok` or the code of the failure. */
  const come = async (
    username: string,
    address?: string,
    more: Partial<PresentedCredentials> = {},
  ): Promise<string> => {
    try {
      await queue.authenticate({ ...presented(username, address), ...more });
      return 'ok';
    } catch (failure) {
      return (failure as XPayAuthError).code;
    }
  };
  const end = async (username: string, failure?: XPayAuthError): Promise<void> => {
    underWay.get(username)?.(failure);
    await clock.advance(0);
  };
  return { clock, queue, events, lockedOut, began, underWay, come, end };
}

function presented(username: string, address: string | undefined): PresentedCredentials {
  return {
    by: { scheme: 'Basic', username, address },
    credentials: { username, secretKey: 'k' },
    purpose: 'verification',
    key: username,
    checkKey: username,
    isEmpty: false,
    isRenewal: false,
  };
}

const [hog, other, third] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'] as const;

describe('the fair queue', () => {
  it('D4 · gives the next place to the network that holds the fewest, the least recently served first', async () => {
    const { come, end, began, underWay, clock } = queueOf();
    const all = ['h1', 'h2', 'h3', 'h4', 'h5'].map((name) => come(name, hog));
    all.push(come('o1', other), come('o2', other), come('t1', third));
    await clock.advance(0);
    expect(began).toEqual(['h1', 'h2', 'h3']);
    for (let i = 0; i < 8; i++) await end(began[i] ?? '');
    expect(began).toEqual(['h1', 'h2', 'h3', 'o1', 't1', 'h4', 'o2', 'h5']);
    expect(new Set(await Promise.all(all))).toEqual(new Set(['ok']));
    expect(underWay.size).toBe(0);
  });

  it('D4 · with one place, a network with many callers is served in turn with the others', async () => {
    const { come, end, began, clock } = queueOf({ maxConcurrent: 1 });
    for (const name of ['h1', 'h2', 'h3', 'h4']) void come(name, hog);
    void come('o1', other);
    void come('t1', third);
    await clock.advance(0);
    for (let i = 0; i < 6; i++) await end(began[i] ?? '');
    expect(began).toEqual(['h1', 'o1', 't1', 'h2', 'h3', 'h4']);
  });

  it('D4 · one network holds at most three quarters of the places, until as many checks in a row were quick', async () => {
    const { come, end, began, underWay, clock } = queueOf({ maxConcurrent: 16 });
    for (let i = 0; i < 60; i++) void come(`h${i}`, hog);
    await clock.advance(0);
    expect(underWay.size).toBe(9);
    void come('o1', other);
    await clock.advance(0);
    expect(underWay.has('o1')).toBe(true);
    for (let i = 0; i < 10; i++) await end(began[i] ?? '');
    expect(underWay.size).toBe(12);
    await clock.advance(501);
    for (const name of [...underWay.keys()].slice(0, 4)) await end(name);
    expect(underWay.size).toBe(9);
  });

  it('D4 · callers whose addresses are not known may hold all places', async () => {
    const { come, underWay, clock } = queueOf({ maxConcurrent: 16 });
    for (let i = 0; i < 60; i++) void come(`u${i}`);
    await clock.advance(0);
    expect(underWay.size).toBe(12);
  });

  it('D5 · beyond maxQueued the newest of the network with the most waiters is refused', async () => {
    const { come, queue, events } = queueOf({ maxQueued: 4 });
    for (const name of ['h1', 'h2', 'h3', 'h4', 'h5', 'h6']) void come(name, hog);
    const newest = come('h7', hog);
    expect(queue.waiting).toBe(4);
    expect(await come('h8', hog)).toBe('overloaded');
    void come('o1', other);
    expect(await newest).toBe('overloaded');
    void come('o2', other);
    // As many as the hog has.
    expect(await come('o3', other)).toBe('overloaded');
    expect(queue.waiting).toBe(4);
    expect(events.filter((event) => 'reason' in event && event.reason === 'overloaded')).toHaveLength(4);
  });

  it('D5 · a caller who has waited for queueTimeoutMs is refused, but not one whose line moves, up to four times that', async () => {
    const { come, clock, began, end } = queueOf();
    for (let i = 0; i < 3; i++) void come(`h${i}`, hog);
    const waiting = Array.from({ length: 12 }, (_, i) => come(`w${i}`, hog));
    await clock.advance(4_000);
    for (const name of ['h0', 'h1', 'h2']) await end(name);
    await clock.advance(1_000);
    // Three of the line were served, of the twelve up to w11 a quarter, of the eleven up to w10 more.
    expect(began).toEqual(['h0', 'h1', 'h2', 'w0', 'w1', 'w2']);
    expect(await waiting[11]).toBe('overloaded');
    await clock.advance(14_999);
    for (let i = 0; i < 7; i++) await end(`w${i}`);
    await clock.advance(1);
    expect(await waiting[10]).toBe('overloaded');
    for (let i = 7; i < 10; i++) await end(`w${i}`);
    expect(await Promise.all(waiting.slice(0, 10))).toEqual(Array(10).fill('ok'));
    expect(clock.pendingTimers).toBe(0);
  });

  it('D5 · a caller is refused when none of those before it is served after queueTimeoutMs', async () => {
    const { come, clock } = queueOf();
    for (let i = 0; i < 3; i++) void come(`h${i}`, hog);
    const outcome = come('w', other);
    await clock.advance(4_999);
    const late = come('late', other);
    await clock.advance(1);
    expect(await outcome).toBe('overloaded');
    await clock.advance(4_999);
    expect(await late).toBe('overloaded');
    expect(clock.pendingTimers).toBe(0);
  });

  it('D5 · a check that no one waits for any more leaves the queue, one that another client waits for stays', async () => {
    const { queue, come, began, end } = queueOf();
    for (let i = 0; i < 3; i++) void come(`h${i}`, hog);
    const flights = new SingleFlight<Verified>();
    const clients = Array.from({ length: 3 }, () => ({ leave: (): unknown => undefined }));
    const [first, second, third] = clients.map((client) =>
      flights
        .run(
          'w',
          (callers) => queue.authenticate({ ...presented('w', other), callers }),
          (leave) => {
            client.leave = leave;
            return () => undefined;
          },
        )
        .then(
          () => 'ok',
          (failure: XPayAuthError) => failure.code,
        ),
    );
    await Promise.resolve();
    expect(queue.waiting).toBe(1);
    clients[0]?.leave();
    clients[1]?.leave();
    expect(queue.waiting).toBe(1);
    clients[2]?.leave();
    expect(queue.waiting).toBe(0);
    // The next caller starts another check.
    const next = flights.run('w', () => queue.authenticate(presented('w', other)));
    expect(await Promise.all([first, second, third])).toEqual(['overloaded', 'overloaded', 'overloaded']);
    await end('h0');
    expect(began.at(-1)).toBe('w');
    await end('w');
    expect(await next).toBe(verified);
  });

  it('D5 · stop() refuses everyone who waits, and everyone who would', async () => {
    const { queue, come, clock, end } = queueOf({
      answer: (username) => (username === 'limited' ? Promise.reject(new ReservationsOpen()) : undefined),
    });
    const limited = come('limited', third);
    await clock.advance(0);
    for (let i = 0; i < 3; i++) void come(`h${i}`, hog);
    const waiting = [come('w', other), limited];
    queue.stop();
    expect(await Promise.all(waiting)).toEqual(['shutting_down', 'shutting_down']);
    expect(await come('late', other)).toBe('shutting_down');
    expect(clock.pendingTimers).toBe(0);
    await end('h0');
    expect(queue.waiting).toBe(0);
  });

  it('D5 · refuses a locked out caller before it waits', async () => {
    const { come, lockedOut, queue } = queueOf();
    for (let i = 0; i < 3; i++) void come(`h${i}`, hog);
    lockedOut.add('h9');
    expect(await come('h9', hog)).toBe('too_many_attempts');
    expect(queue.waiting).toBe(0);
  });
});

describe('renewals in the fair queue', () => {
  const isRenewal = true;

  it('I2 · a quarter of the places is theirs alone', async () => {
    const { come, underWay, queue, clock } = queueOf({ maxConcurrent: 8 });
    for (let i = 0; i < 20; i++) void come(`u${i}`);
    await clock.advance(0);
    expect(underWay.size).toBe(6);
    expect(queue.hasRoomForRenewal(false)).toBe(true);
    void come('r1', hog, { isRenewal });
    void come('r2', hog, { isRenewal });
    await clock.advance(0);
    expect([...underWay.keys()].slice(-2)).toEqual(['r1', 'r2']);
    expect(queue.hasRoomForRenewal(false)).toBe(false);
  });

  it('I2 · beyond that, one whose period is about to end waits, and comes before newcomers', async () => {
    const { come, end, began, queue, clock } = queueOf();
    for (let i = 0; i < 5; i++) void come(`u${i}`);
    void come('r1', hog, { isRenewal });
    expect(queue.hasRoomForRenewal(false)).toBe(false);
    expect(queue.hasRoomForRenewal(true)).toBe(true);
    void come('r2', hog, { isRenewal });
    await clock.advance(0);
    expect(began).toEqual(['u0', 'u1', 'u2', 'r1']);
    await end('u0');
    await end('u1');
    expect(began.slice(4)).toEqual(['r2', 'u3']);
  });

  it('I2 · while one runs, newcomers without a known address do not get the reserved places', async () => {
    const { come, underWay, queue, clock } = queueOf({ maxConcurrent: 8 });
    void come('r1', hog, { isRenewal });
    await clock.advance(0);
    for (let i = 0; i < 20; i++) void come(`u${i}`);
    await clock.advance(0);
    expect([underWay.size, queue.waiting]).toEqual([7, 14]);
  });

  it('I2 · any other runs only when no newcomer waits', async () => {
    const { come, end, queue, clock } = queueOf({ maxConcurrent: 8 });
    for (const name of ['r1', 'r2', 'r3']) void come(name, hog, { isRenewal });
    for (let i = 0; i < 6; i++) void come(`u${i}`);
    await clock.advance(0);
    expect(queue.hasRoomForRenewal(false)).toBe(false);
    await end('u0');
    expect(queue.hasRoomForRenewal(false)).toBe(false);
    await end('u1');
    expect(queue.hasRoomForRenewal(false)).toBe(true);
  });
});

describe('open reservations', () => {
  it('D5 · make a caller wait without a place until one of its address is settled, then it goes first', async () => {
    let isOpen = true;
    const { come, end, began, clock } = queueOf({
      answer: (username) => (username === 'limited' && isOpen ? Promise.reject(new ReservationsOpen()) : undefined),
    });
    void come('o1', other);
    const limited = come('limited', other);
    await clock.advance(0);
    for (const name of ['o2', 'o3', 'o4']) void come(name, other);
    await clock.advance(0);
    expect(began).toEqual(['o1', 'limited', 'o2', 'o3']);
    isOpen = false;
    await end('o1');
    expect(began.slice(4)).toEqual(['limited']);
    await end('limited');
    expect(await limited).toBe('ok');
  });

  it('D5 · of other instances are tried again after 100 ms', async () => {
    let isOpen = true;
    const { come, began, clock, end } = queueOf({
      answer: () => (isOpen ? Promise.reject(new ReservationsOpen()) : undefined),
    });
    const outcome = come('limited', other);
    await clock.advance(199);
    expect(began).toHaveLength(2);
    isOpen = false;
    await clock.advance(1);
    expect(began).toHaveLength(3);
    await end('limited');
    expect(await outcome).toBe('ok');
    await clock.advance(100);
    expect(clock.pendingTimers).toBe(0);
  });

  it('D5 · that stay open end in overloaded after queueTimeoutMs, never in a rejection', async () => {
    const { come, began, clock } = queueOf({ answer: () => Promise.reject(new ReservationsOpen()) });
    const outcomes = Array.from({ length: 20 }, () => come('limited', other));
    await clock.advance(5_000);
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['overloaded']));
    // One at a time tries again, not all of them.
    expect(began.length).toBeLessThan(80);
    await clock.advance(100);
    expect(clock.pendingTimers).toBe(0);
  });

  it('D5 · that turn out to be failures refuse those who wait with 429, without a place', async () => {
    const { come, lockedOut, end, began, clock } = queueOf({
      answer: (username) => (username === 'limited' ? Promise.reject(new ReservationsOpen()) : undefined),
    });
    void come('o1', other);
    const outcomes = Array.from({ length: 20 }, () => come('limited', other));
    await clock.advance(0);
    const tries = began.length;
    lockedOut.add('limited');
    await end(
      'o1',
      rejection(() => undefined, presented('o1', other), 'wrong'),
    );
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(['too_many_attempts']));
    expect(began).toHaveLength(tries);
  });
});
