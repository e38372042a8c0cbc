// One variant in a process of its own: `server.mjs <platform> <module> <export>`.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { answer } from '../machine/child.mjs';
import { createApp } from './app.mjs';

const [platform, module, name] = process.argv.slice(2);
const variants = await import(`./variants/${module}.mjs`);
const variant = variants[name]();
const app = await createApp(platform, variant);
await app.listen(0, '127.0.0.1');
const authorization = await variant.authorization(app);
const url = `${await app.getUrl()}/hello`;

const first = await fetch(url, { headers: { authorization } });
if (first.status !== 200) throw new Error(`${name} on ${platform} answers ${first.status}: ${await first.text()}`);
const { ok: isOpen } = await fetch(url);
if (isOpen !== (variant.open ?? false)) throw new Error(`${name} on ${platform} lets in ${isOpen ? 'any' : 'no'}body`);

// In a small process, Node writes `process.nextTick` off as slow only after a full collection has come at an unlucky moment of
// its start (0.09 µs become 0.5 µs each, about ten of them a request). In an app of some size it comes; so all rows have it.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
for (let ticks = 0; ticks < 50; ticks++) await new Promise((resolve) => process.nextTick(resolve));
collectGarbage();
collectGarbage();

answer({ url, authorization }, { usage: () => ({ cpu: process.cpuUsage(), at: performance.now() }) });
