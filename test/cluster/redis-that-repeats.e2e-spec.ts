import { expect, it } from '@jest/globals';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { createClient } from 'redis';
import { newKey } from '../support/encryption-keys.js';

const PASSWORD = 'password-of-redis-27182';

it.each(['ioredis', 'node-redis'])(
  'B9 · a Redis that echoes the password: the password is in no error, notice or status of %s',
  async (name) => {
    // Redis does this with `rename-command AUTH ""`, as does a proxy that does not know the command.
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => undefined));
      socket.on('data', () => socket.write(`-ERR unknown command 'auth', with args beginning with: '${PASSWORD}'\r\n`));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const url = `redis://:${PASSWORD}@127.0.0.1:${port}`;
    const client = name === 'ioredis' ? { url } : { client: createClient({ url }) };
    const store = redisStore({ ...client, encryptionKeys: [{ id: 'k1', key: newKey() }], connectTimeoutMs: 500 });
    const said: unknown[] = [];
    store.onNotice((notice) => said.push(notice));
    try {
      const failure: unknown = await store.read({ kind: 'token', id: 'x' }).catch((thrown: unknown) => thrown);
      said.push(String(failure), store.status());
      expect(JSON.stringify(said)).not.toContain(PASSWORD);
      expect(store.status()).toMatchObject({ state: 'away', reason: 'ERR' });
    } finally {
      await store.close();
      sockets.forEach((socket) => socket.destroy());
      server.close();
    }
  },
);
