import { Logger } from '@nestjs/common';
import { AppLogger } from './app-logger.js';
import { createApp } from './app.js';
import { startDemo } from './demo.js';
import { serveMetrics } from './metrics.js';
import { readSettings } from './settings.js';

Logger.overrideLogger(new AppLogger());
const settings = await readSettings();
const demo = settings.demo ? await startDemo(process.env['XPAY_DIALECT'] || 'xpay') : undefined;
if (settings.metrics !== undefined) await serveMetrics(settings.metrics);
const app = await createApp(settings);
app.enableShutdownHooks();
await app.listen(settings.port, settings.host);
const url = await app.getUrl();
const logger = new Logger('ReferenceApp');
logger.log(`Listening on ${url}`);
if (settings.docs) logger.log(`To try it in a browser: ${url}/docs`);
if (settings.metrics !== undefined) {
  logger.log(`Metrics on http://${settings.metrics.host}:${settings.metrics.port}/metrics`);
}
demo?.introduce(url);
