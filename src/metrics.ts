import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { type IMetricReader, MeterProvider } from '@opentelemetry/sdk-metrics';
import type { Settings } from './settings.js';

/**
 * Serves the metrics in Prometheus format on a separate port, because not every caller of the app should see them. Serves nothing
 * without an address. `readers` read the same metrics in this process. Call `serveMetrics` before the app is created, because the
 * library uses the provider that is registered at that time. The metric `target_info` has `OTEL_SERVICE_NAME` as its
 * `service_name`, by default `xpay-auth`.
 */
export async function serveMetrics(
  at: Settings['metrics'],
  readers: readonly IMetricReader[] = [],
): Promise<MeterProvider> {
  const exporters = at === undefined ? [] : [new PrometheusExporter({ ...at, preventServerStart: true })];
  for (const exporter of exporters) await exporter.startServer();
  const name = process.env['OTEL_SERVICE_NAME'] || 'xpay-auth';
  const resource = defaultResource().merge(resourceFromAttributes({ 'service.name': name }));
  const provider = new MeterProvider({ readers: [...exporters, ...readers], resource });
  metrics.setGlobalMeterProvider(provider);
  return provider;
}
