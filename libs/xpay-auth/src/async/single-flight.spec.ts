import { describe, expect, it } from '@jest/globals';
import { SingleFlight } from './promises.js';

describe('SingleFlight', () => {
  it('O1 · runs once for concurrent callers, and again afterwards', async () => {
    const flights = new SingleFlight<number>();
    let runs = 0;
    const flight = (): Promise<number> => flights.run('a', () => Promise.resolve(++runs));
    expect(await Promise.all([flight(), flight(), flight()])).toEqual([1, 1, 1]);
    expect(await flight()).toBe(2);
  });

  it('keeps keys apart', async () => {
    const flights = new SingleFlight<string>();
    const run = (key: string): Promise<string> => flights.run(key, () => Promise.resolve(key));
    expect(await Promise.all([run('a'), run('b'), run('__proto__')])).toEqual(['a', 'b', '__proto__']);
  });

  it('shares a failure, thrown or rejected, and keeps none', async () => {
    const flights = new SingleFlight<number>();
    const failing = [
      () => Promise.reject(new Error('rejected')),
      () => {
        throw new Error('thrown');
      },
    ];
    for (const fly of failing) {
      const both = await Promise.allSettled([flights.run('a', fly), flights.run('a', () => Promise.resolve(1))]);
      expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(flights.has('a')).toBe(false);
    }
    expect(await flights.run('a', () => Promise.resolve(2))).toBe(2);
  });

  it('is over when its callers receive the result', async () => {
    const flights = new SingleFlight<number>();
    const flight = flights.run('a', () => Promise.resolve(1));
    expect(flights.has('a')).toBe(true);
    await flight.then(() => expect(flights.has('a')).toBe(false));
  });
});
