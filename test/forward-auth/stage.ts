import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { startCaddy } from '../support/caddy.js';
import { type EchoSite, startEchoSite } from '../support/echo-site.js';
import { startNginx } from '../support/nginx.js';
import type { RunningProxy } from '../support/proxy-program.js';
import { startReferenceApp } from '../support/reference-app.js';
import { type Asked, type Answered, request } from '../support/request.js';
import { type Platform, type RunningApp, platforms } from '../support/start-app.js';

/** Starts each proxy that this machine can install, with its example. */
export const startProxy = { nginx: startNginx, caddy: startCaddy };
export type Proxy = keyof typeof startProxy;

/** Each proxy in front of the app on each platform. */
export const stages: readonly (readonly [Proxy, Platform])[] = platforms.flatMap((platform) => [
  ['nginx', platform],
  ['caddy', platform],
]);

export const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user'] };
export const ADMIN = { username: 'admin@example.test', secretKey: 'key-of-admin-1', scopes: ['tme_admin'] };
export const PLAIN = { username: 'plain@example.test', secretKey: 'key-of-plain-1', scopes: [] };
export const ODD = {
  username: 'odd@example.test',
  secretKey: 'key-of-odd-1',
  displayName: 'Zoë €, "odd" & co\u2028',
  scopes: ['tme_user', 'two words\r\nX-Auth-User: root@example.test'],
};
/** The longest username that credentials may have, in letters that take the most space when encoded. */
export const LONG = { username: 'ä'.repeat(2_048), secretKey: 'k', scopes: ['tme_user'] };

export interface Stage extends AsyncDisposable {
  readonly xpay: XPayEmulator;
  readonly app: RunningApp;
  /** The site behind `/app/`. */
  readonly site: EchoSite;
  readonly proxy: RunningProxy;
  /** A request to the proxy. */
  ask(path: string, asked?: Omit<Asked, 'url'>): Promise<Answered>;
}

/** An upstream, the reference app, a protected site, and a proxy in front of it. */
export async function startStage(
  platform: Platform,
  start: (urls: { appUrl: string; siteUrl: string }) => Promise<RunningProxy>,
  { trustsProxy = true } = {},
): Promise<Stage> {
  const xpay = await startXPayEmulator({ accounts: [USER, ADMIN, PLAIN, ODD, LONG] });
  const app = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url }, trustsProxy ? 'loopback' : undefined);
  const site = await startEchoSite();
  const stopServers = async (): Promise<void> => {
    await site[Symbol.asyncDispose]();
    await app.stop();
    await xpay.stop();
  };
  try {
    const proxy = await start({ appUrl: app.url, siteUrl: site.url });
    return {
      xpay,
      app,
      site,
      proxy,
      ask: (path, asked) => request({ url: proxy.url + path, ...asked }),
      async [Symbol.asyncDispose]() {
        await proxy[Symbol.asyncDispose]();
        await stopServers();
      },
    };
  } catch (failure) {
    await stopServers();
    throw failure;
  }
}
