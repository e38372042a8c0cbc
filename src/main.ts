import { Logger } from '@nestjs/common';
import { AppLogger } from './app-logger.js';
import { XPayTokenService } from 'nestjs-xpay-auth';
import { createApp } from './app.js';
import { startDemo } from './demo.js';
import { serveMetrics } from './metrics.js';
import { readSettings } from './settings.js';
import { StatusMeter } from './status/status-meter.js';

Logger.overrideLogger(new AppLogger());
const settings = await readSettings();
const demo = settings.demo ? await startDemo(process.env['XPAY_DIALECT'] || 'xpay') : undefined;
const meter = settings.status ? new StatusMeter() : undefined;
if (settings.metrics !== undefined || meter !== undefined) {
  await serveMetrics(settings.metrics, meter === undefined ? [] : [meter]);
}
const status = meter && { meter, demo: settings.demo, traffic: demo?.traffic };
const app = await createApp(settings, status);
app.enableShutdownHooks();
await app.listen(settings.port, settings.host);
const url = await app.getUrl();
const logger = new Logger('ReferenceApp');
logger.log(`Listening on ${url}`);
if (settings.docs) logger.log(`To try it in a browser: ${url}/docs`);
if (settings.status) logger.log(`To watch it live: ${url}/status`);
if (settings.metrics !== undefined) {
  const { host, port } = settings.metrics;
  logger.log(`Metrics on http://${host.includes(':') ? `[${host}]` : host}:${port}/metrics`);
}
demo?.introduce(url, settings.status ? `${url}/status` : undefined);
const tokens = app.get(XPayTokenService);
demo?.traffic.aimAt({ url, refreshToken: () => tokens.refresh(), useToken: () => tokens.getToken() });
if (settings.traffic) demo?.traffic.start();
