// Authenticates callers that this process has not seen before: `caller.mjs <variant>`. The bare variants only send the request.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import axios from 'axios';
import { Authenticated, XPayAuthGuard, XPayAuthModule } from 'nestjs-xpay-auth';
import { undiciTransport } from 'nestjs-xpay-auth/undici';
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { Agent as UndiciAgent, request } from 'undici';
import { answer } from '../machine/child.mjs';

/** Callers at the same time. */
const CONCURRENT = 32;
/** Limits of the rows that send the request alone, as the library sets them by default. */
const TIMEOUT_MS = 5_000;
const MOST_BYTES = 1_048_576;

const upstream = process.env.BENCH_UPSTREAM;
const url = `${upstream}/client/authenticate`;
const secretKey = 'a-key-of-24-bytes-length';

const VARIANTS = {
  axios: () => {
    const own = axios.create({ httpAgent: new Agent({ keepAlive: true }) });
    return async (username) => (await own.post(url, { username, secretKey, isAPI: true })).data;
  },
  undici: () => {
    const dispatcher = new UndiciAgent();
    const headers = { 'content-type': 'application/json' };
    return async (username) => {
      const sent = JSON.stringify({ username, secretKey, isAPI: true });
      const { body } = await request(url, { method: 'POST', headers, body: sent, dispatcher });
      return body.json();
    };
  },
  'axios-limits': () => {
    const limits = { timeout: TIMEOUT_MS, maxContentLength: MOST_BYTES, maxRedirects: 0, proxy: false };
    const own = axios.create({ httpAgent: new Agent({ keepAlive: true }), ...limits });
    return (username) =>
      withDeadline(async (signal) => (await own.post(url, { username, secretKey, isAPI: true }, { signal })).data);
  },
  'undici-limits': () => {
    const dispatcher = new UndiciAgent({ maxResponseSize: MOST_BYTES, headersTimeout: TIMEOUT_MS });
    const headers = { 'content-type': 'application/json' };
    return (username) =>
      withDeadline(async (signal) => {
        const sent = JSON.stringify({ username, secretKey, isAPI: true });
        const { body } = await request(url, { method: 'POST', headers, body: sent, dispatcher, signal });
        return body.json();
      });
  },
  'ours-axios': () => guard(),
  'ours-undici': () => guard({ transport: undiciTransport() }),
};

/** Sends a request with a signal that aborts the whole exchange after the timeout. */
async function withDeadline(send) {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), TIMEOUT_MS).unref();
  try {
    return await send(ending.signal);
  } finally {
    clearTimeout(timer);
  }
}

const hello = () => undefined;

/** Calls the guard of a route, without a server before it. */
async function guard(http = {}) {
  class Route {}
  Authenticated()(Route);
  class AppModule {}
  Module({ imports: [XPayAuthModule.forRoot({ baseUrl: upstream, http })], providers: [XPayAuthGuard] })(AppModule);
  const app = await (await NestFactory.create(AppModule, { logger: ['error'] })).init();
  const own = app.get(XPayAuthGuard);
  const response = { setHeader: () => undefined, once: () => undefined, on: () => undefined };
  const socket = { remoteAddress: '127.0.0.1' };
  return (username) => {
    const authorization = `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;
    const headers = { authorization };
    const rawHeaders = ['Authorization', authorization];
    const incoming = { method: 'GET', url: '/hello', headers, rawHeaders, socket, once: () => undefined };
    return own.canActivate(new ExecutionContextHost([incoming, response, () => undefined], Route, hello));
  };
}

const authenticate = await VARIANTS[process.argv[2]]();
let callers = 0;
assert.ok(await authenticate('first@example.test'));

answer(undefined, { slice });

/** Authenticates new callers for so many ms. Returns their number. */
async function slice(ms) {
  const end = performance.now() + ms;
  const before = callers;
  const loop = async () => {
    while (performance.now() < end) await authenticate(`caller-${callers++}@example.test`);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, loop));
  return callers - before;
}
