import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Browser } from 'playwright-core';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { findChromium, startBrowser } from '../support/browser.js';
import { startReferenceApp } from '../support/reference-app.js';
import { type RunningApp, platforms } from '../support/start-app.js';
import { contrastOf } from './contrast.js';
import { SwaggerUi } from './swagger-ui.js';
import { openWatchedPage } from './watched-page.js';

const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user'] };
const REFUSED = 'Failed to load resource: the server responded with a status of 401 (Unauthorized)';
/** Screenshots for manual inspection. No test reads them. */
const pictures = resolve(import.meta.dirname, '../../.check');

describe('/docs in a browser', () => {
  let xpay: XPayEmulator;
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
    xpay = await startXPayEmulator({ accounts: [USER] });
  });
  afterAll(async () => {
    await browser?.close();
    await xpay?.stop();
  });

  const startApp = (platform: (typeof platforms)[number] = 'fastify'): Promise<RunningApp> =>
    startReferenceApp(platform, { XPAY_BASE_URL: xpay.url });

  it.each(platforms)(
    'I7, I10 · on %s: authorize, call, log in, call, log out and get 401, without a console error, a login box or a request to another host',
    async (platform) => {
      await using app = await startApp(platform);
      await using opened = await openWatchedPage(browser);
      const docs = new SwaggerUi(opened.page);
      await docs.open(`${app.url}/docs`);

      expect((await docs.execute('/me')).status).toBe(401);
      await docs.authorizeBasic(USER.username, 'not-the-key');
      expect((await docs.execute('/me')).status).toBe(401);
      await docs.forget('basic');
      await docs.authorizeBasic(USER.username, USER.secretKey);
      const me = await docs.execute('/me');
      expect([me.status, JSON.parse(me.body)]).toEqual([200, expect.objectContaining({ username: USER.username })]);
      await docs.forget('basic');

      const login = await docs.execute('/auth/login', { username: USER.username, secretKey: USER.secretKey });
      expect(login.status).toBe(200);
      const { accessToken } = JSON.parse(login.body) as { accessToken: string };
      await docs.authorizeBearer(accessToken);
      expect((await docs.execute('/me')).status).toBe(200);
      expect((await docs.execute('/auth/logout')).status).toBe(204);
      expect((await docs.execute('/me')).status).toBe(401);

      // Chromium writes a line for each 401 provoked above. There must be no other line.
      expect(opened.complaints).toEqual([REFUSED, REFUSED, REFUSED].map((text) => `${text} /me`));
      expect(opened.loginBoxes).toEqual([]);
      const elsewhere = opened.requested.filter((url) => !url.startsWith(`${app.url}/`) && !url.startsWith('data:'));
      expect(elsewhere).toEqual([]);
    },
  );

  it('I7 · the login box is detected: opening /me in the address bar causes one', async () => {
    await using app = await startApp();
    await using opened = await openWatchedPage(browser);
    await opened.page.goto(`${app.url}/me`);
    expect(opened.loginBoxes).toEqual(['/me']);
  });

  it.each(['light', 'dark'] as const)(
    'is readable in %s: scopes, responses and their headers are present and have enough contrast',
    async (colorScheme) => {
      await using app = await startApp();
      await using opened = await openWatchedPage(browser, { colorScheme, viewport: { width: 1280, height: 1400 } });
      const docs = new SwaggerUi(opened.page);
      await docs.open(`${app.url}/docs`);
      const report = await docs.unfold('/admin/report');
      const text = await report.innerText();
      for (const part of ['Scope: tme_admin', '401', '403', '429', '503', 'WWW-Authenticate', 'Retry-After']) {
        expect(text).toContain(part);
      }
      for (const part of ['.opblock-summary-path', '.response-col_status', 'table.headers td', '.header-example']) {
        const contrast = await contrastOf(report.locator(part).first());
        expect({ part, contrast, isEnough: contrast >= 4.5 }).toEqual({ part, contrast, isEnough: true });
      }
      expect(opened.complaints).toEqual([]);
      await mkdir(pictures, { recursive: true });
      await opened.page.screenshot({ path: join(pictures, `docs-${colorScheme}.png`) });
    },
  );
});

describe('the browser of these tests', () => {
  it('is named by CHROMIUM_PATH, or is found on the PATH', () => {
    expect(findChromium({ CHROMIUM_PATH: process.execPath, PATH: '' })).toBe(process.execPath);
    expect(findChromium()).toMatch(/chrom/);
  });

  it('fails with the name of the missing program', () => {
    expect(() => findChromium({ PATH: '/nowhere' })).toThrow(/No browser: install Debian's package chromium/);
    expect(() => findChromium({ CHROMIUM_PATH: '/nowhere' })).toThrow('CHROMIUM_PATH: /nowhere cannot be run');
  });
});
