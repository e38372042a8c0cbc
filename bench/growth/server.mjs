// Serves a guarded route with many callers: `server.mjs <platform> <maxEntries> <periodMs>`.
import { Authenticated, XPayAuthModule } from 'nestjs-xpay-auth';
import { createApp } from '../inbound/app.mjs';
import { answer } from '../machine/child.mjs';

const [platform, maxEntries, periodMs] = process.argv.slice(2);
// `maxConcurrent` allows for an uncached caller on every connection of the load, and for renewals in addition.
const verification = { maxEntries: Number(maxEntries), periodMs: Number(periodMs), maxConcurrent: 256 };
const app = await createApp(platform, {
  imports: [XPayAuthModule.forRoot({ baseUrl: process.env.BENCH_UPSTREAM, verification })],
  marks: [Authenticated()],
});
await app.listen(0, '127.0.0.1');

answer(
  { url: `${await app.getUrl()}/hello` },
  {
    usage: () => ({ cpu: process.cpuUsage(), at: performance.now() }),
    memory() {
      globalThis.gc?.();
      return process.memoryUsage();
    },
    handles: () => process.getActiveResourcesInfo().length,
  },
);
