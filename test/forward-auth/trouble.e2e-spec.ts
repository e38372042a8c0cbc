import { describe, expect, it } from '@jest/globals';
import type { Answered } from '../support/request.js';
import { basic } from '../support/start-app.js';
import { ADMIN, type Stage, USER, stages, startProxy, startStage } from './stage.js';

const asUser = basic(USER.username, USER.secretKey);
const asAdmin = basic(ADMIN.username, ADMIN.secretKey);
const HERE = '127.0.0.2';
const ELSEWHERE = '127.0.0.3';

let guesses = 0;

/** Sends a number of guesses at the user's key from an address. */
async function guess(
  stage: Stage,
  from: string,
  times: number,
  forged: Record<string, string> = {},
): Promise<Answered[]> {
  const answers: Answered[] = [];
  for (let i = 0; i < times; i++) {
    const headers = { ...basic(USER.username, `guess-${guesses++}`), ...forged };
    answers.push(await stage.ask('/app/', { from, headers }));
  }
  return answers;
}

const statuses = (answers: readonly Answered[]): number[] => answers.map(({ status }) => status);
const times = (count: number, status: number): number[] => Array.from({ length: count }, () => status);

describe.each(stages)('%s in front of the reference app on %s', (proxy, platform) => {
  it("I5 · attempts are counted by the client's address: 429 with Retry-After for one address, not for another", async () => {
    await using stage = await startStage(platform, startProxy[proxy]);
    const answers = await guess(stage, HERE, 11);
    expect(statuses(answers)).toEqual([...times(10, 401), 429]);
    const refused = answers.at(-1);
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(800);
    expect(refused?.all('www-authenticate')).toEqual([]);
    expect((await stage.ask('/app/', { from: HERE, headers: asUser })).status).toBe(429);
    expect((await stage.ask('/app/', { from: ELSEWHERE, headers: asUser })).status).toBe(200);
    expect((await stage.ask('/app/', { from: HERE, headers: asAdmin })).status).toBe(200);
  });

  it.each(['X-Forwarded-For', 'Forwarded', 'X-Real-IP'])(
    'I5 · a forged %s gives no additional attempts',
    async (name) => {
      await using stage = await startStage(platform, startProxy[proxy]);
      const forged = name === 'Forwarded' ? 'for=192.0.2.1' : '192.0.2.1';
      expect(statuses(await guess(stage, HERE, 6, { [name]: forged }))).toEqual(times(6, 401));
      expect(statuses(await guess(stage, HERE, 5, { [name]: `${forged}2` })).at(-1)).toBe(429);
    },
  );

  it('I5 · a client at the address of the proxy is counted too', async () => {
    await using stage = await startStage(platform, startProxy[proxy]);
    expect(statuses(await guess(stage, '127.0.0.1', 11))).toEqual([...times(10, 401), 429]);
    expect((await stage.ask('/app/', { from: ELSEWHERE, headers: asUser })).status).toBe(200);
  });

  it('I5 · without TRUST_PROXY no caller is counted by the address of the proxy, which all would share', async () => {
    await using stage = await startStage(platform, startProxy[proxy], { trustsProxy: false });
    expect(statuses(await guess(stage, HERE, 11))).toEqual(times(11, 401));
    expect((await stage.ask('/app/', { from: ELSEWHERE, headers: asUser })).status).toBe(200);
  });

  it('I6 · upstream down: 503 with Retry-After and no challenge, while cached callers are accepted', async () => {
    await using stage = await startStage(platform, startProxy[proxy]);
    expect((await stage.ask('/app/', { headers: asUser })).status).toBe(200);
    await stage.xpay.pause();
    const newcomer = await stage.ask('/app/', { headers: asAdmin });
    expect(newcomer.status).toBe(503);
    expect(Number(newcomer.headers['retry-after'])).toBeGreaterThan(0);
    expect(newcomer.all('www-authenticate')).toEqual([]);
    expect((await stage.ask('/app/', { headers: asUser })).status).toBe(200);
    await stage.xpay.resume();
    expect((await stage.ask('/app/', { headers: asAdmin })).status).toBe(200);
  });

  it('I6 · malformed response of the upstream: 502', async () => {
    await using stage = await startStage(platform, startProxy[proxy]);
    stage.xpay.businessError('maintenance');
    expect((await stage.ask('/app/', { headers: asUser })).status).toBe(502);
  });

  it('the app is down: 502, and no caller is accepted', async () => {
    await using stage = await startStage(platform, startProxy[proxy]);
    expect((await stage.ask('/app/', { headers: asUser })).status).toBe(200);
    await stage.app.stop();
    expect((await stage.ask('/app/', { headers: asUser })).status).toBe(502);
    expect((await stage.ask('/', { headers: asUser })).status).toBe(502);
  });
});
