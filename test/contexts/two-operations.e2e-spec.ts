import { describe, expect, it } from '@jest/globals';
import type { CarrierApp, CarrierKind } from '../support/carrier.js';
import { carrierKinds } from '../support/carriers.js';
import { ada, root } from '../support/inbound-app.js';

/** Ways in which a session ends while the carrier stays open. */
const endings: readonly [string, (app: CarrierApp, token: string) => unknown, errorCode: string][] = [
  ['logout', (app, token) => app.sessions.logout(token), 'invalid_token'],
  ['revokeUser', (app) => app.sessions.revokeUser(ada.username), 'invalid_token'],
  // Moves only the wall clock: no timer fires, so the operation itself has to read the time.
  ['the end of the session', (app) => app.clock.stepWall(3_600_000), 'invalid_token'],
];

/** The contract of every context: two operations over one carrier get two decisions. */
function twoOperations(kind: CarrierKind): void {
  it.each(endings)('D1 · refuses the second operation after %s', async (_, end, errorCode) => {
    await using app = await kind.start({ session: { periodMs: 1_800_000 } });
    const { accessToken: token } = await app.sessions.login(ada);
    await using carrier = await app.open({ token });
    expect(await carrier.run({ token })).toBe(ada.username);
    await end(app, token);
    expect(await carrier.run({ token })).toBe(errorCode);
    expect(await carrier.run({ token })).toBe(errorCode);
  });

  it('D1 · refuses the second operation once the period is over and the key was changed', async () => {
    await using app = await kind.start();
    await using carrier = await app.open(ada);
    expect(await carrier.run(ada)).toBe(ada.username);
    app.xpay.setSecret(ada.username, 'another-secret-key');
    app.clock.stepWall(3_600_000);
    expect(await carrier.run(ada)).toBe('invalid_credentials');
  });

  it('D1 · accepts the second operation when the outage that failed the first is over', async () => {
    await using app = await kind.start();
    await using carrier = await app.open(ada);
    expect(await carrier.run(ada)).toBe(ada.username);
    app.xpay.faults.always({ kind: 'unavailable' });
    app.clock.stepWall(60_000);
    expect(await carrier.run(ada)).toBe('upstream_unavailable');
    app.xpay.faults.clear();
    expect(await carrier.run(ada)).toBe(ada.username);
  });

  if (kind.credentialsIn === 'opening') return;

  it('D1 · judges each operation by the credentials that it presents', async () => {
    await using app = await kind.start();
    await using carrier = await app.open(ada);
    expect(await carrier.run(ada)).toBe(ada.username);
    expect(await carrier.run()).toBe('missing_credentials');
    expect(await carrier.run({ ...ada, secretKey: 'wrong' })).toBe('invalid_credentials');
    expect(await carrier.run(ada)).toBe(ada.username);
    expect(await carrier.run({ token: 'unknown' })).toBe('invalid_token');
    expect([await carrier.run(root), await carrier.run(ada)]).toContain(ada.username);
  });
}

for (const kind of carrierKinds) describe(`two operations over ${kind.name}`, () => twoOperations(kind));
