// An xPay emulator that accepts every caller and counts requests: `upstream.mjs`. It keeps no data about callers.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { answer } from '../machine/child.mjs';

const YEAR_MS = 365 * 86_400_000;
let calls = 0;

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    calls++;
    const { username } = JSON.parse(Buffer.concat(chunks).toString());
    const user = { username, scopes: ['tme_user'], isAPI: true };
    const data = { user, access_token: randomUUID(), expiresAt: Date.now() + YEAR_MS };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ success: { data } }));
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

answer({ url: `http://127.0.0.1:${server.address().port}` }, { calls: () => calls });
