import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { Settings } from './settings.js';

/**
 * Serves the metrics in Prometheus format on a separate port, because not every caller of the app should see them. Call
 * `serveMetrics` before the app is created, because the library uses the provider that is registered at that time.
 */
export async function serveMetrics({ host, port }: NonNullable<Settings['metrics']>): Promise<MeterProvider> {
  const exporter = new PrometheusExporter({ host, port, preventServerStart: true });
  await exporter.startServer();
  const provider = new MeterProvider({ readers: [exporter] });
  metrics.setGlobalMeterProvider(provider);
  return provider;
}
