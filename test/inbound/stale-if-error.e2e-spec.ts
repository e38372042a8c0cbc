import { describe, expect, it } from '@jest/globals';
import { ada, asAda, asRoot, startInbound, wrong } from '../support/inbound-app.js';
import { platforms } from '../support/start-app.js';

describe.each(platforms)('stale-if-error on %s', (platform) => {
  const options = { verification: { staleIfErrorMs: 30_000 } };

  it('I6 · accepts a cached caller while the upstream fails, up to the limit and no longer', async () => {
    await using app = await startInbound(platform, { options });
    await app.status('/me', asAda);
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.clock.advance(60_000);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(app.asked()).toBe(2);
    expect(await app.status('/me', asRoot)).toBe(503);
    await app.clock.advance(29_999);
    expect(await app.status('/me', asAda)).toBe(200);
    await app.clock.advance(1);
    expect(await app.status('/me', asAda)).toBe(503);
  });

  it('I6 · never after a rejection', async () => {
    await using app = await startInbound(platform, { options });
    await app.status('/me', asAda);
    app.xpay.setSecret(ada.username, 'another-secret-key');
    await app.clock.advance(60_000);
    expect(await app.status('/me', asAda)).toBe(401);
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.clock.advance(5_000);
    expect(await app.status('/me', asAda)).toBe(503);
  });

  it('I6 · never instead of a 429: too many failed attempts are no outage', async () => {
    const attempts = { perUserAndAddress: { attempts: 1, windowMs: 3_600_000 } };
    await using app = await startInbound(platform, { options: { ...options, attempts } });
    await app.status('/me', asAda);
    expect(await app.status('/me', wrong())).toBe(401);
    await app.clock.advance(60_000);
    expect(await app.status('/me', asAda)).toBe(429);
  });

  it("I6 · never after a revocation, and never past the expiry of the upstream's grant", async () => {
    await using app = await startInbound(platform, { options });
    await app.status('/me', asAda);
    app.xpay.tokenLifeMs = 70_000;
    await app.status('/me', asRoot);
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.clock.advance(60_000);
    expect(await app.status('/me', asAda)).toBe(200);
    await app.sessions.revokeUser(ada.username);
    expect(await app.status('/me', asAda)).toBe(503);
    expect(await app.status('/me', asRoot)).toBe(200);
    await app.clock.advance(6_500);
    expect(await app.status('/me', asRoot)).toBe(503);
  });
});
