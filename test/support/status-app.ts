import { metrics } from '@opentelemetry/api';
import type { XPayEmulator } from 'nestjs-xpay-auth/testing';
import { request } from 'node:http';
import { serveMetrics } from '../../src/metrics.js';
import type { Frame } from '../../src/status/status-recorder.js';
import { StatusMeter } from '../../src/status/status-meter.js';
import { startReferenceApp } from './reference-app.js';
import type { Platform, RunningApp } from './start-app.js';

export const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user'] };
export const ADMIN = { username: 'admin@example.test', secretKey: 'key-of-admin-1', scopes: ['tme_admin'] };
export const APP = { username: 'this-app@example.test', secretKey: 'key-of-app-1', scopes: ['tme_user'] };

/** One open stream of frames. */
export interface Frames {
  /** All that was received. */
  text(): string;
  /** The complete frames. */
  all(): readonly Frame[];
  /** Resolves when the app ends the stream. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** The reference app with its status page. */
export interface StatusApp extends RunningApp {
  /** Opens a stream. Resolves with the first frame, rejects if the app opens none. */
  frames(headers: Record<string, string>): Promise<Frames>;
  /** Returns the status of a GET with exactly these headers. `fetch` would set `Host` itself. */
  answerOf(path: string, headers: Record<string, string>): Promise<number>;
}

/** Starts the reference app with an app account and its status page. `demo`: as in demo mode, without its traffic. */
export async function startStatusApp(
  platform: Platform,
  xpay: XPayEmulator,
  variables: Readonly<Record<string, string>> = {},
  demo = false,
  port = 0,
): Promise<StatusApp> {
  const meter = new StatusMeter();
  const provider = await serveMetrics(undefined, [meter]);
  const account = { XPAY_BASE_URL: xpay.url, XPAY_USERNAME: APP.username, XPAY_SECRET_KEY: APP.secretKey };
  const status = { meter, demo, traffic: undefined };
  const environment = { ...account, ...variables };
  const app = await startReferenceApp(platform, environment, undefined, true, status, port).finally(() =>
    // The next app of this process registers its own provider.
    metrics.disable(),
  );
  let isStopped = false;
  const stop = async (): Promise<void> => {
    if (isStopped) return;
    isStopped = true;
    await app.stop();
    await provider.shutdown();
  };
  return {
    ...app,
    frames: (headers) => openFrames(app.url, headers),
    answerOf: (path, headers) => answerOf(app.url + path, headers),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function openFrames(url: string, headers: Record<string, string>): Promise<Frames> {
  const stopped = new AbortController();
  const response = await fetch(`${url}/status/frames`, { headers, signal: stopped.signal });
  if (!response.ok || response.body === null) throw new Error(`The app answered ${response.status}`);
  const chunks = response.body.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = (await chunks.next()).value ?? '';
  const ended = (async () => {
    for (;;) {
      const { value, done } = await chunks.next();
      if (done === true) return;
      text += value;
    }
  })();
  const stop = async (): Promise<void> => {
    stopped.abort();
    await ended.catch(() => undefined);
  };
  const all = (): Frame[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Frame);
  return { text: () => text, all, ended, stop };
}

function answerOf(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { headers }, (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    outgoing.on('error', reject).end();
  });
}
