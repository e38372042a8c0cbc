import { describe, expect, it } from '@jest/globals';
import { ForbiddenException } from '@nestjs/common';
import { type Credentials } from 'nestjs-xpay-auth';
import { XPayHealthIndicator, XPayHealthModule } from 'nestjs-xpay-auth/terminus';
import { hasFailed, startObserved } from './observed-app.js';
import { ada, root } from '../support/inbound-app.js';

const known: Record<string, Credentials> = {
  'merchant-1': ada,
  'merchant-2': root,
  'merchant-3': { username: 'merchant-3@example.test', secretKey: 'a-wrong-key' },
};

const credentials = (id: string): Credentials | undefined => {
  if (id === 'suspended') throw new ForbiddenException();
  return Object.hasOwn(known, id) ? known[id] : undefined;
};

const FIND = '/client/wallets/find';

describe('accounts known only at run time, for operators', () => {
  it('M5 · metrics count the renewals of all accounts together, without a label for the account', async () => {
    await using app = await startObserved('express', { options: { accounts: { credentials } } });
    for (const id of [...Object.keys(known), 'nobody', 'suspended'])
      await app.http
        .forAccount(id)
        .post(FIND, {})
        .catch(() => undefined);
    const renewals = (outcome: string) =>
      app.metrics.value('xpay_auth.token.renewals', { 'xpay_auth.outcome': outcome });
    expect([await renewals('obtained'), await renewals('credentials_rejected')]).toEqual([2, 1]);
    const all = await app.metrics.all();
    const labels = [...all.values()].flatMap(({ dataPoints }) => dataPoints.map(({ attributes }) => attributes));
    expect(JSON.stringify(labels)).not.toMatch(/merchant|nobody|suspended/);
    // The gauges describe the token of the app account only.
    expect(['xpay_auth.token.validity', 'xpay_auth.token.failures'].filter((name) => all.has(name))).toEqual([]);
  });

  it('M5 · spans name no account, and an unknown account is no failed span', async () => {
    await using app = await startObserved('express', { options: { accounts: { credentials } } });
    for (const id of ['merchant-1', 'nobody', 'suspended'])
      await app.http
        .forAccount(id)
        .post(FIND, {})
        .catch(() => undefined);
    expect(app.spans.all.filter(hasFailed)).toEqual([]);
    const outcomes = app.spans.all
      .filter(({ name }) => name === 'xpay_auth.api.call')
      .map(({ attributes }) => attributes['xpay_auth.outcome']);
    expect(outcomes).toEqual(['ok', 'unknown_account', 'unknown_account']);
    const shown = app.spans.all.map(({ name, attributes }) => [name, attributes]);
    expect(JSON.stringify(shown)).not.toMatch(/merchant|nobody|suspended/);
  });

  it('M5 · the instance is up while an account is rejected or unknown', async () => {
    await using app = await startObserved('express', {
      options: { accounts: { credentials } },
      imports: [XPayHealthModule],
    });
    for (const id of ['merchant-3', 'nobody'])
      await app.http
        .forAccount(id)
        .post(FIND, {})
        .catch(() => undefined);
    const health = app.app.get(XPayHealthIndicator, { strict: false }).check('xpay');
    expect(health.xpay).toMatchObject({ status: 'up', reasons: [], token: undefined });
  });
});
