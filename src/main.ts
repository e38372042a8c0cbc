import { createApp } from './app.js';
import { startDemo } from './demo.js';
import { readSettings } from './settings.js';

const settings = await readSettings();
const demo = settings.demo ? await startDemo() : undefined;
const app = await createApp(settings);
app.enableShutdownHooks();
await app.listen(settings.port, settings.host);
demo?.introduce(await app.getUrl());
