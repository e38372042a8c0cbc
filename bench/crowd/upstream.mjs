// An xPay emulator that accepts every caller after a delay: `upstream.mjs <ms>`.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { answer } from '../machine/child.mjs';

const delayMs = Number(process.argv[2]);
const YEAR_MS = 365 * 86_400_000;
let atOnce = 0;
let most = 0;

const server = createServer((request, response) => void respond(request, response));

async function respond(request, response) {
  most = Math.max(most, ++atOnce);
  const { username } = JSON.parse(await text(request));
  await sleep(delayMs);
  const user = { username, scopes: ['tme_user'], isAPI: true };
  const data = { user, access_token: randomUUID(), expiresAt: Date.now() + YEAR_MS };
  atOnce--;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ success: { data } }));
}
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

answer({ url: `http://127.0.0.1:${server.address().port}` }, { most: () => most });
