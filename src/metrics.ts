import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { Settings } from './settings.js';

/**
 * Serves what the app measures in Prometheus' words, on a port of its own: who may call the app need not be who may look
 * into it. Before the app is made: the library takes the provider that is registered then.
 */
export async function serveMetrics({ host, port }: NonNullable<Settings['metrics']>): Promise<MeterProvider> {
  const exporter = new PrometheusExporter({ host, port, preventServerStart: true });
  await exporter.startServer();
  const provider = new MeterProvider({ readers: [exporter] });
  metrics.setGlobalMeterProvider(provider);
  return provider;
}
