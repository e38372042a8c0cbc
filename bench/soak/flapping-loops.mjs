// Loops that call a token function of one library without end: `flapping-loops.mjs <peer> <endpoint>`.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { answer } from '../machine/child.mjs';
import { LIFE_S } from './flapping-upstream.mjs';

const [peer, endpoint] = process.argv.slice(2);
const require = createRequire(import.meta.url);

const PEERS = {
  async ours() {
    await import('reflect-metadata');
    const { Module } = await import('@nestjs/common');
    const { NestFactory } = await import('@nestjs/core');
    const { XPayAuthModule, XPayTokenService, passwordLogin } = await import('nestjs-xpay-auth');
    const dialect = passwordLogin({ path: '/token' });
    const credentials = { username: 'bench@example.test', secretKey: 'bench-secret' };
    class AppModule {}
    Module({ imports: [XPayAuthModule.forRoot({ dialect, baseUrl: endpoint, credentials })] })(AppModule);
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
    const tokens = app.get(XPayTokenService);
    return async () => (await tokens.getToken()).value;
  },
  /** By default it has settings for tokens of an hour. These are the settings of this library for tokens of 2 s. */
  async azure() {
    const index = require.resolve('@azure/core-rest-pipeline');
    const { createTokenCycler } = await import(pathToFileURL(index.replace(/index\.js$/, 'util/tokenCycler.js')));
    const windows = { forcedRefreshWindowInMs: 200, refreshWindowInMs: 600, retryIntervalInMs: 100 };
    const cycle = createTokenCycler({ getToken: fetchToken }, windows);
    return async () => (await cycle(['scope'], {})).token;
  },
  async badgateway() {
    const { OAuth2Client, OAuth2Fetch } = await import('@badgateway/oauth2-client');
    const client = new OAuth2Client({
      server: endpoint,
      clientId: 'bench',
      clientSecret: 'bench-secret',
      tokenEndpoint: '/token',
    });
    const getNewToken = () => client.clientCredentials();
    const wrapper = new OAuth2Fetch({ client, scheduleRefresh: false, getNewToken });
    return async () => (await wrapper.getToken()).accessToken;
  },
};

const get = await PEERS[peer]();
process.on('unhandledRejection', () => counts.unhandled++);
const counts = { calls: 0, failed: 0, dead: 0, unhandled: 0, slowestMs: 0 };

async function loop(until, pauseMs) {
  while (Date.now() < until) {
    const calledAt = Date.now();
    counts.calls++;
    try {
      const token = await get();
      if (Date.now() >= Number(token.split('.')[1])) counts.dead++;
    } catch {
      counts.failed++;
    }
    counts.slowestMs = Math.max(counts.slowestMs, Date.now() - calledAt);
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

answer(LIFE_S, {
  async run({ loops, seconds, pauseMs }) {
    const until = Date.now() + seconds * 1_000;
    await Promise.all(Array.from({ length: loops }, () => loop(until, pauseMs)));
    return counts;
  },
});

async function fetchToken() {
  const response = await fetch(`${endpoint}/token`, { method: 'POST', body: 'grant_type=client_credentials' });
  if (!response.ok) return null;
  const { access_token: token, expires_in: life } = await response.json();
  return { token, expiresOnTimestamp: Date.now() + life * 1_000 };
}
