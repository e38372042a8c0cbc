import { type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common';
import { type MeterProvider, type TracerProvider, metrics, trace } from '@opentelemetry/api';
import { XPayInstances } from '../../nest/instance/xpay-instances.js';
import { InstanceTelemetry } from './instance-telemetry.js';
import { createInstruments } from './metrics.js';

/** Options of {@link XPayTelemetryModule}. */
export interface XPayTelemetryOptions {
  /**
   * The provider for metrics. @default the one that is registered with `@opentelemetry/api` when the app is created
   */
  readonly meterProvider?: MeterProvider;
  /**
   * The provider for spans. @default the one that is registered with `@opentelemetry/api`
   */
  readonly tracerProvider?: TracerProvider;
}

/** The name of the instrumentation scope. */
const SCOPE = 'nestjs-xpay-auth';

/** Observes every instance of the app. */
class Telemetry implements OnApplicationShutdown {
  readonly #observers: InstanceTelemetry[] = [];

  constructor(instances: XPayInstances, options: XPayTelemetryOptions) {
    const tracer = (options.tracerProvider ?? trace).getTracer(SCOPE);
    const instruments = createInstruments((options.meterProvider ?? metrics).getMeter(SCOPE));
    instances.onEach((instance) => this.#observers.push(new InstanceTelemetry(instance, tracer, instruments)));
  }

  onApplicationShutdown(): void {
    for (const telemetry of this.#observers) telemetry.leave();
  }
}

/**
 * Metrics and spans of every `XPayAuthModule` of the app, including named instances. Import this module once, beside them.
 *
 * ```ts
 * imports: [XPayAuthModule.forRoot(), XPayTelemetryModule.forRoot()]
 * ```
 *
 * Uses only `@opentelemetry/api`. Register your SDK before the app is created; otherwise nothing is measured. No attribute
 * holds a secret or a user name. docs/observability.md lists all metrics and spans.
 */
@Module({})
export class XPayTelemetryModule {
  /**
   * The module with its options. Boot fails with `configuration` if the module is imported twice, because it would count
   * twice.
   */
  static forRoot(options: XPayTelemetryOptions = {}): DynamicModule {
    return {
      module: XPayTelemetryModule,
      providers: [
        {
          provide: Telemetry,
          inject: [XPayInstances],
          useFactory: (instances: XPayInstances) => new Telemetry(instances, options),
        },
      ],
    };
  }
}
