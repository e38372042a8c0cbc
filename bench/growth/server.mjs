// A guarded route whose callers are many: `server.mjs <platform> <maxEntries> <periodMs>`.
import { Authenticated, XPayAuthModule } from 'nestjs-xpay-auth';
import { createApp } from '../inbound/app.mjs';
import { answer } from '../machine/child.mjs';

const [platform, maxEntries, periodMs] = process.argv.slice(2);
// Room for every connection of the load to be a stranger, and for renewals beside them.
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
