// One variant in a process of its own: `server.mjs <platform> <module> <export>`.
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

answer({ url, authorization }, { usage: () => ({ cpu: process.cpuUsage(), at: performance.now() }) });
