import { type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common';
import { type MeterProvider, type TracerProvider, metrics, trace } from '@opentelemetry/api';
import { XPayInstances } from '../../nest/instance/xpay-instances.js';
import { InstanceTelemetry } from './instance-telemetry.js';
import { Instruments } from './instruments.js';

/** Where metrics and spans go. */
export interface XPayTelemetryOptions {
  /**
   * Where metrics go. @default the provider that is registered with `@opentelemetry/api` when the app is made
   */
  readonly meterProvider?: MeterProvider;
  /**
   * Where spans go. @default the provider that is registered with `@opentelemetry/api`
   */
  readonly tracerProvider?: TracerProvider;
}

/** Names who measures, to OpenTelemetry. */
const SCOPE = 'nestjs-xpay-auth';
const OPTIONS = Symbol('options of XPayTelemetryModule');

/** Looks on at every instance of the app. */
class Telemetry implements OnApplicationShutdown {
  readonly #watching: InstanceTelemetry[] = [];

  constructor(instances: XPayInstances, options: XPayTelemetryOptions) {
    const tracer = (options.tracerProvider ?? trace).getTracer(SCOPE);
    const instruments = new Instruments((options.meterProvider ?? metrics).getMeter(SCOPE));
    instances.onEach((instance) => this.#watching.push(new InstanceTelemetry(instance, tracer, instruments)));
  }

  onApplicationShutdown(): void {
    for (const telemetry of this.#watching) telemetry.leave();
  }
}

/**
 * Metrics and spans of every `XPayAuthModule` of the app, named instances included: import it once, beside them.
 *
 * ```ts
 * imports: [XPayAuthModule.forRoot(), XPayTelemetryModule.forRoot()]
 * ```
 *
 * It speaks to `@opentelemetry/api` alone: register your SDK before the app is made, or nothing is measured. No attribute
 * holds a secret or a user name. docs/observability.md has what there is.
 */
@Module({})
export class XPayTelemetryModule {
  /** Throws `configuration` at boot when it is imported twice: everything would be counted twice. */
  static forRoot(options: XPayTelemetryOptions = {}): DynamicModule {
    return {
      module: XPayTelemetryModule,
      providers: [
        { provide: OPTIONS, useValue: options },
        {
          provide: Telemetry,
          inject: [XPayInstances, OPTIONS],
          useFactory: (instances: XPayInstances, given: XPayTelemetryOptions) => new Telemetry(instances, given),
        },
      ],
    };
  }
}
