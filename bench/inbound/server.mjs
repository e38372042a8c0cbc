// Runs one variant in a separate process: `server.mjs <platform> <module> <export>`.
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

answer({ url, authorizations });
