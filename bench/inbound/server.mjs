// Runs one variant in a separate process: `server.mjs <platform> <module> <export>`.
import { createHook } from 'node:async_hooks';
import { answer } from '../machine/child.mjs';
import { createApp } from './app.mjs';

// `process.nextTick` becomes slower, by 2 µs per request, if no object of it is in use during a full garbage collection, because V8
// then frees the hidden class of these objects. Without the next lines, this happened by chance, in half of the processes. One
// object is kept, so that all rows have the fast form.
const init = (_id, type, _trigger, tick) => type === 'TickObject' && (globalThis.keptTick = tick);
const hook = createHook({ init }).enable();
process.nextTick(() => undefined);
hook.disable();

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

answer({ url, authorizations });
