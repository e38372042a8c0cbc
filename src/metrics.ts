import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { Settings } from './settings.js';

/**
 * Serves the metrics in Prometheus format on a separate port, because not every caller of the app should see them. Call
 * `serveMetrics` before the app is created, because the library uses the provider that is registered at that time. The metric
 * `target_info` has `OTEL_SERVICE_NAME` as its `service_name`, by default `xpay-auth`.
 */
export async function serveMetrics({ host, port }: NonNullable<Settings['metrics']>): Promise<MeterProvider> {
  const exporter = new PrometheusExporter({ host, port, preventServerStart: true });
  await exporter.startServer();
  const name = process.env['OTEL_SERVICE_NAME'] || 'xpay-auth';
  const resource = defaultResource().merge(resourceFromAttributes({ 'service.name': name }));
  const provider = new MeterProvider({ readers: [exporter], resource });
  metrics.setGlobalMeterProvider(provider);
  return provider;
}
