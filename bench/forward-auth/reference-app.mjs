// Starts the built reference app on a free port.
import { createApp } from '../../dist/app.js';
import { answer } from '../machine/child.mjs';

const app = await createApp({ platform: process.env.PLATFORM, trustProxy: 'loopback' });
app.useLogger(['error']);
await app.listen(0, '127.0.0.1');

answer({ url: await app.getUrl() });
