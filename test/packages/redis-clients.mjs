// Runs the contract of a store with the installed clients of Redis: node redis-clients.mjs. Needs redis-server.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { storeContract } from 'nestjs-xpay-auth/testing';
import { createClient } from 'redis';

const port = await new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '']);
await new Promise((resolve, reject) => {
  server.once('error', reject);
  server.stdout.on('data', (chunk) => String(chunk).includes('Ready to accept') && resolve());
});

const url = `redis://127.0.0.1:${port}`;
const ioredis = new Redis(url);
const encryptionKeys = () => [{ id: 'k1', key: randomBytes(32) }];
let passed = 0;
try {
  for (const options of [{ url }, { client: ioredis }, { client: createClient({ url }) }]) {
    const setup = async () => {
      await ioredis.flushall();
      const keys = encryptionKeys();
      return { open: () => redisStore({ ...options, encryptionKeys: keys }), stop: () => undefined };
    };
    for (const { run } of storeContract('in Redis', setup)) {
      await run();
      passed++;
    }
  }
} finally {
  ioredis.disconnect();
  server.kill();
}
console.log(`The store works with these clients: ${passed} cases passed.`);
