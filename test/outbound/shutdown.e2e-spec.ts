import { describe, expect, it } from '@jest/globals';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { undiciTransport } from 'nestjs-xpay-auth/undici';
import { figure } from './figures.js';
import { APP, FIND, HOUR_MS, failureOf, startOutbound, until } from './outbound.js';

// Unhandled rejections need no check here, because jest fails a test that leaves one.
describe('the module is destroyed', () => {
  it('O19 · while callers wait: they get shutting_down, and nothing is left', async () => {
    await using app = await startOutbound();
    app.xpay.faults.next({ kind: 'hang' });
    const waiting = [1, 2, 3].map(() => failureOf(app.tokens.getToken()));
    await app.xpay.waitForRequests(1);
    expect(app.clock.pendingTimers).toBeGreaterThan(0);
    await app.module.close();
    for (const failure of await Promise.all(waiting))
      expect(failure).toMatchObject({ code: 'shutting_down', status: 503 });
    await until(() => app.clock.pendingTimers === 0);
    expect(openSocketsTo(app.xpay.url)).toBe(0);
    await app.clock.advance(HOUR_MS);
    expect(app.xpay.requests()).toBe(1);
    const left = [app.clock.pendingTimers, openSocketsTo(app.xpay.url)];
    figure(
      'O19',
      'module destroyed during a renewal: timers and sockets that remain (an unhandled rejection fails the test)',
      left.join(', '),
    );
  });

  it('O19 · during an API call: it ends at once, and no other begins', async () => {
    // Longer than a test may take.
    await using app = await startOutbound({ http: { timeoutMs: 30_000 } });
    await app.tokens.getToken();
    app.xpay.faults.next({ kind: 'hang' }, { path: FIND });
    const controller = new AbortController();
    const calling = failureOf(app.http.post(FIND, {}, { signal: controller.signal }));
    await app.xpay.waitForRequests(2);
    await app.module.close();
    expect(await calling).toMatchObject({ code: 'shutting_down', status: 503 });
    const message = 'The application is shutting down. The call was not sent';
    expect(await failureOf(app.http.post(FIND, {}))).toMatchObject({ code: 'shutting_down', message });
    await until(() => app.clock.pendingTimers === 0);
    expect([app.xpay.requests(), openSocketsTo(app.xpay.url)]).toEqual([2, 0]);
  });

  it.each([
    ['axios', undefined],
    ['undici', undiciTransport()],
  ])('O19 · with an idle connection over %s: it is closed', async (_, transport) => {
    await using app = await startOutbound({ http: { ...(transport && { transport }) } });
    await app.http.post(FIND, {});
    expect(openSocketsTo(app.xpay.url)).toBe(1);
    await app.module.close();
    // Without the module, an idle connection is open for 5 s, which is far more than these turns.
    for (let turn = 0; turn < 100 && openSocketsTo(app.xpay.url) > 0; turn++) await nextTurn();
    expect(openSocketsTo(app.xpay.url)).toBe(0);
  });

  it('O19 · during a background renewal: it emits no event and logs no warning', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    await app.clock.advance(0.8 * HOUR_MS);
    app.xpay.faults.next({ kind: 'hang' });
    await app.tokens.getToken();
    await app.xpay.waitForRequests(2);
    await app.module.close();
    await until(() => app.clock.pendingTimers === 0);
    expect(app.events.map(({ type }) => type)).toEqual(['obtained']);
    expect(app.lines.filter((line) => /^(warn|error)/.test(line))).toEqual([]);
  });

  it('O19 · while the credentials are being read: they are not used', async () => {
    const asked: ((credentials: typeof APP) => void)[] = [];
    await using app = await startOutbound({
      credentials: () => new Promise((resolve) => asked.push(resolve)),
    });
    const waiting = failureOf(app.tokens.getToken());
    await until(() => asked.length === 1);
    await app.module.close();
    expect(await waiting).toMatchObject({ code: 'shutting_down' });
    asked[0]?.(APP);
    await app.clock.advance(0);
    expect(app.xpay.requests()).toBe(0);
    expect(app.clock.pendingTimers).toBe(0);
  });

  it('O19 · afterwards nothing is started, and the events are complete', async () => {
    await using app = await startOutbound();
    const good = await app.tokens.getToken();
    let over = false;
    app.tokens.events.subscribe({ complete: () => (over = true) });
    await app.module.close();
    expect(over).toBe(true);
    // Requests in progress may finish with the cached token.
    expect(await app.tokens.getToken()).toBe(good);
    expect(await failureOf(app.tokens.refresh())).toMatchObject({ code: 'shutting_down' });
    await app.clock.advance(0.8 * HOUR_MS);
    expect(await app.tokens.getToken()).toBe(good);
    await app.clock.advance(HOUR_MS);
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'shutting_down' });
    expect(app.logins()).toBe(1);
    expect(app.clock.pendingTimers).toBe(0);
  });
});

/** Sockets of this process that are connected to the emulator. */
function openSocketsTo(url: string): number {
  const port = Number(new URL(url).port);
  const report = process.report.getReport() as { libuv: { type: string; remoteEndpoint?: { port?: number } }[] };
  return report.libuv.filter(({ type, remoteEndpoint }) => type === 'tcp' && remoteEndpoint?.port === port).length;
}
