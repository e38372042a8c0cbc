// Several processes act as one client of the upstream. One obtains the token for all. A login on one is valid on all.
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { appWith, serve } from './app.js';

const store = redisStore({
  url: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
  encryptionKeys: process.env['ENCRYPTION_KEYS'] ?? '', // the same for all processes
});

await serve(appWith([XPayAuthModule.forRoot({ store })]));
