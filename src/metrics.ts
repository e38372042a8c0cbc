import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { Settings } from './settings.js';

/**
 * Serves the metrics in Prometheus format on a separate port, because callers of the app should not always see its
 * metrics. Call it before the app is created: the library uses the provider that is registered then.
 */
export async function serveMetrics({ host, port }: NonNullable<Settings['metrics']>): Promise<MeterProvider> {
  const exporter = new PrometheusExporter({ host, port, preventServerStart: true });
  await exporter.startServer();
  const provider = new MeterProvider({ readers: [exporter] });
  metrics.setGlobalMeterProvider(provider);
  return provider;
}
