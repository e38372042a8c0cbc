// Serves a guarded route behind a trusted proxy, with the default options: `server.mjs`.
import { Authenticated, XPayAuthModule } from 'nestjs-xpay-auth';
import { createApp } from '../inbound/app.mjs';
import { answer } from '../machine/child.mjs';

const app = await createApp('express', {
  imports: [XPayAuthModule.forRoot({ baseUrl: process.env.BENCH_UPSTREAM })],
  marks: [Authenticated()],
  setUp: (created) => created.set('trust proxy', true),
});
await app.listen(0, '127.0.0.1');

answer({ url: `${await app.getUrl()}/hello` });
