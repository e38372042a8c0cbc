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

// In a small process, `process.nextTick` becomes slow only after a full collection at an unfavourable moment of the start (0.5 µs
// instead of 0.09 µs, about ten times per request). It always happens in an app of some size, so all rows have it.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
for (let ticks = 0; ticks < 50; ticks++) await new Promise((resolve) => process.nextTick(resolve));
collectGarbage();
collectGarbage();

answer({ url, authorizations });
