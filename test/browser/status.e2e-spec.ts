import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import axe from 'axe-core';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { startBrowser } from '../support/browser.js';
import { ensureBuilt, spawnBuiltApp } from '../support/built-app.js';
import { basic, bearer, platforms } from '../support/start-app.js';
import { ADMIN, APP, USER, startStatusApp } from '../support/status-app.js';
import { openWatchedPage } from './watched-page.js';

/** Screenshots for manual inspection. No test reads them. */
const pictures = resolve(import.meta.dirname, '../../.check');
const asUser = { headers: basic(USER.username, USER.secretKey) };
/** A call of `POST /app/wallets/find`, which needs the token of the app account. */
const callWallets = { method: 'POST', headers: basic(ADMIN.username, ADMIN.secretKey) };

/** Globals of the page. This project does not include the types of a browser. */
declare const document: { readonly documentElement: { readonly scrollWidth: number; readonly clientWidth: number } };
declare const window: { readonly axe: typeof axe };

/** Logs in by the form of the page. */
async function logIn(page: Page, { username, secretKey }: typeof ADMIN): Promise<void> {
  await page.locator('#login').getByLabel('User name').fill(username);
  await page.getByLabel('Secret key').fill(secretKey);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** Returns the serious findings of axe, one line each. */
async function findingsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

describe('/status in a browser', () => {
  let browser: Browser;
  let xpay: XPayEmulator;
  beforeAll(async () => {
    browser = await startBrowser();
    xpay = await startXPayEmulator({ accounts: [USER, ADMIN, APP] });
    await mkdir(pictures, { recursive: true });
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await xpay?.stop();
  });

  it.each(platforms)(
    'on %s: shows the token, the callers, an outage and its end, without a console error or a request to another host',
    async (platform) => {
      await using app = await startStatusApp(platform, xpay, {}, true);
      await using opened = await openWatchedPage(browser);
      const { page } = opened;
      await page.goto(`${app.url}/status`);
      await page.getByText('There is no token yet.').waitFor();
      await page.getByText('Live', { exact: true }).waitFor();
      expect(await page.locator('#sessions').innerText()).toBe('0');

      await app.fetch('/app/wallets/find', callWallets);
      for (const each of [asUser, asUser]) await app.fetch('/me', each);
      await page.getByText(/^The token is fresh/).waitFor();
      const total = page.getByRole('row', { name: 'Authenticated from cache' }).locator('td').last();
      await expectText(total, /^[1-9]/);
      await page.locator('#token-events').getByText('obtained').waitFor();
      await page.locator('#audit').getByText(USER.username).first().waitFor();
      expect(await page.locator('.now').evaluate((marker: { style: { left: string } }) => marker.style.left)).toMatch(
        /%$/,
      );

      xpay.faults.always({ kind: 'unavailable' });
      await app.fetch('/me', { headers: basic('new@example.test', 'key-of-new-1') });
      await page.getByText(/^The upstream fails: 1 of \d+ requests/).waitFor();
      await page.getByText('callers cannot be verified: upstream_unavailable').waitFor();
      await page.locator('#audit').getByText('undecided').waitFor();
      xpay.faults.clear();
      await page.getByRole('button', { name: 'Refresh token…' }).click();
      await page.getByRole('button', { name: 'Refresh', exact: true }).click();
      await page.locator('#token-events').getByText('refreshed').waitFor();
      await page.getByRole('dialog').waitFor({ state: 'hidden' });

      expect(opened.complaints).toEqual([]);
      expect(opened.requested.filter((url) => !url.startsWith(`${app.url}/`))).toEqual([]);
      expect(opened.requested.length).toBeGreaterThan(5);
    },
    90_000,
  );

  it('needs tme_admin: no login box, another account is refused, and the token is in memory only', async () => {
    await using app = await startStatusApp('fastify', xpay);
    await using opened = await openWatchedPage(browser);
    const { page } = opened;
    await page.goto(`${app.url}/status`);
    await logIn(page, { ...USER, secretKey: 'a-wrong-key-1' });
    await page.getByRole('alert').getByText('Invalid credentials').waitFor();
    await logIn(page, USER);
    await page.getByRole('alert').getByText('Insufficient scope').waitFor();
    await logIn(page, ADMIN);
    await page.getByRole('heading', { name: 'App token' }).waitFor();
    expect(opened.loginBoxes).toEqual([]);
    expect(await page.context().storageState()).toEqual({ cookies: [], origins: [] });
    expect(page.url()).toBe(`${app.url}/status`);
    expect(await page.content()).not.toContain(ADMIN.secretKey);

    await page.reload();
    await page.locator('#login').getByLabel('User name').waitFor();
    expect(await page.getByRole('heading', { name: 'App token' }).isVisible()).toBe(false);
  }, 60_000);

  it('a revocation ends the sessions of the user, and also the session with which the page was opened', async () => {
    await using app = await startStatusApp('fastify', xpay);
    await using opened = await openWatchedPage(browser);
    const { page } = opened;
    const body = JSON.stringify({ username: USER.username, secretKey: USER.secretKey });
    const login = await app.fetch('/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const headers = bearer(((await login.json()) as { accessToken: string }).accessToken);
    await page.goto(`${app.url}/status`);
    await logIn(page, ADMIN);
    await expectText(page.locator('#sessions'), /^2$/);

    const revoke = async (username: string): Promise<void> => {
      await page.getByRole('button', { name: 'Revoke a user…' }).click();
      await page.getByRole('dialog').getByLabel('User name').fill(username);
      await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    };
    expect((await app.fetch('/me', { headers })).status).toBe(200);
    // The page shows a part of a long name. The button revokes only complete names, so the part is not offered.
    await app.fetch('/me', { headers: basic('u'.repeat(300), 'a-wrong-key-2') });
    await page.locator('#audit').getByText('uuu…').waitFor();
    await revoke(USER.username);
    const offered = await page
      .locator('#users option')
      .evaluateAll((all: { value: string }[]) => all.map((one) => one.value));
    expect(offered).toContain(USER.username);
    expect(offered.filter((name) => name.includes('…'))).toEqual([]);
    await page.locator('#audit').getByText('revoked').waitFor();
    expect((await app.fetch('/me', { headers })).status).toBe(401);
    await expectText(page.locator('#sessions'), /^1$/);
    await revoke(ADMIN.username);
    await page.getByText('The session has ended. Log in again.').waitFor();
    expect(await page.getByRole('heading', { name: 'App token' }).isVisible()).toBe(false);
  }, 60_000);

  it('connects again after a restart of the app, and shows meanwhile that the connection is lost', async () => {
    const first = await startStatusApp('fastify', xpay, {}, true);
    await using opened = await openWatchedPage(browser);
    const { page } = opened;
    await page.goto(`${first.url}/status`);
    await first.fetch('/app/wallets/find', callWallets);
    await page.getByText(/^The token is fresh/).waitFor();
    await first.stop();
    await page.getByText('Connection lost. Connecting again…').first().waitFor();
    await using second = await startStatusApp('fastify', xpay, {}, true, Number(new URL(first.url).port));
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('There is no token yet.').waitFor();
    expect(second.url).toBe(first.url);
  }, 60_000);

  it('the button "Pause" stops the changes, and shows the latest state afterwards', async () => {
    await using app = await startStatusApp('fastify', xpay, {}, true);
    await using opened = await openWatchedPage(browser);
    const { page } = opened;
    await page.goto(`${app.url}/status`);
    await page.getByText('There is no token yet.').waitFor();
    const pause = page.getByRole('button', { name: 'Pause' });
    await pause.click();
    expect(await pause.getAttribute('aria-pressed')).toBe('true');
    await app.fetch('/app/wallets/find', callWallets);
    await page.getByRole('status').getByText('The token: fresh.').waitFor({ state: 'attached' });
    expect(await page.getByText('There is no token yet.').isVisible()).toBe(true);
    await pause.click();
    await page.getByText(/^The token is fresh/).waitFor();
  }, 60_000);

  it('a newcomer opens the printed link, starts the demo traffic, and sees a lockout, an outage and a renewal', async () => {
    await ensureBuilt();
    await using app = await spawnBuiltApp();
    const [, link = ''] = await app.printed(/Watch the token and the callers: (http:\S+)/);
    const [, userKey = ''] = await app.printed(/^user@example\.test:(\S+) {2}tme_user$/m);
    await using opened = await openWatchedPage(browser);
    const { page } = opened;
    await page.goto(link);
    await page.getByText('No callers yet. Start the demo traffic').waitFor();
    await page.getByRole('button', { name: 'Start demo traffic' }).click();
    await page.getByRole('button', { name: 'Stop demo traffic' }).waitFor();
    const patient = { timeout: 90_000 };
    await page.locator('#audit').getByText('locked-out').first().waitFor(patient);
    await page.getByText(/^The upstream fails/).waitFor(patient);
    await page.getByText(/Renewals fail: upstream_unavailable/).waitFor(patient);
    await page.locator('#token-events').getByText('refreshed').first().waitFor(patient);
    await page.getByText(/^The token is fresh/).waitFor(patient);
    // The reader's own requests still work: the traffic locks out neither the address nor the user.
    const me = new URL('/me', link);
    expect((await fetch(me, { headers: basic(USER.username, userKey) })).status).toBe(200);
    await page.getByRole('button', { name: 'Stop demo traffic' }).click();
    await page.getByRole('button', { name: 'Start demo traffic' }).waitFor();
    expect(opened.complaints).toEqual([]);
  }, 240_000);

  it.each([
    ['light', 1_240],
    ['dark', 1_240],
    ['light', 360],
  ] as const)(
    'in %s at %i px: axe has no serious finding, nothing overflows, and every control is reachable by keyboard',
    async (colorScheme, width) => {
      await using app = await startStatusApp('fastify', xpay);
      await using opened = await openWatchedPage(browser, { colorScheme, viewport: { width, height: 900 } });
      const { page } = opened;
      await page.goto(`${app.url}/status`);
      await page.locator('#login').getByLabel('User name').waitFor();
      expect(await findingsOf(page)).toEqual([]);
      await logIn(page, ADMIN);
      await app.fetch('/app/wallets/find', callWallets);
      await app.fetch('/me', { headers: basic('x'.repeat(300), 'a-wrong-key-2') });
      await page.getByText(/^The token is fresh/).waitFor();
      await page.locator('#audit').getByText('xxx').first().waitFor();
      expect(await findingsOf(page)).toEqual([]);
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(overflow).toBeLessThanOrEqual(0);
      await page.screenshot({ path: join(pictures, `status-test-${colorScheme}-${width}.png`), fullPage: true });

      await page.getByRole('button', { name: 'Pause' }).focus();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
      expect(await focused(page)).toBe('Refresh token…');
      await page.keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      expect(await findingsOf(page)).toEqual([]);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'hidden' });
      expect(await focused(page)).toBe('Refresh token…');
    },
    90_000,
  );
});

/** Returns the text of the focused element. */
function focused(page: Page): Promise<string> {
  return page.locator(':focus').innerText();
}

/** Waits until the text of an element matches. */
async function expectText(element: ReturnType<Page['locator']>, pattern: RegExp): Promise<void> {
  await element.filter({ hasText: pattern }).waitFor();
}
