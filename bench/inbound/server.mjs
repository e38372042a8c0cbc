// Runs one variant in a separate process: `server.mjs <platform> <module> <export>`.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { answer } from '../machine/child.mjs';
import { createApp } from './app.mjs';

const [platform, module, name] = process.argv.slice(2);
const variants = await import(`./variants/${module}.mjs`);
const variant = variants[name]();
const app = await createApp(platform, variant);
await app.listen(0, '127.0.0.1');
// Connections stay open while other servers are measured.
app.getHttpServer().keepAliveTimeout = 60_000;
const authorizations = [await variant.authorization(app)].flat();
const url = `${await app.getUrl()}/hello`;

for (const authorization of authorizations) {
  const first = await fetch(url, { headers: { authorization } });
  if (first.status !== 200) throw new Error(`${name} on ${platform} answers ${first.status}: ${await first.text()}`);
  await first.arrayBuffer();
}
const { ok: isOpen } = await fetch(url);
if (isOpen !== (variant.open ?? false))
  throw new Error(`${name} on ${platform} ${isOpen ? 'accepts' : 'rejects'} an anonymous caller`);

// After a full garbage collection during the start, `process.nextTick` is slower: 0.5 µs instead of 0.09 µs, about ten times per
// request. In a small process the collection happens only by chance, but in an app of some size it always happens. Therefore
// every row is measured after a collection.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
for (let ticks = 0; ticks < 50; ticks++) await new Promise((resolve) => process.nextTick(resolve));
collectGarbage();
collectGarbage();

answer({ url, authorizations });
