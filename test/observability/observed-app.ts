import { Controller, Post, type ModuleMetadata } from '@nestjs/common';
import { type Attributes, type Span, SpanStatusCode, context, trace } from '@opentelemetry/api';
import {
  DataPointType,
  type Histogram,
  MeterProvider,
  type MetricData,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { Public, XPayAuthModule, type XPayAuthOptions, XPayHttpService, XPayTokenService } from 'nestjs-xpay-auth';
import { XPayTelemetryModule } from 'nestjs-xpay-auth/opentelemetry';
import { ManualClock, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { RoutesController, ada, root } from '../support/inbound-app.js';
import { type Platform, type RunningApp, startApp } from '../support/start-app.js';
import { ActiveContext } from './active-context.js';

export const APP = { username: 'this-app@example.test', secretKey: 'key-of-this-app-1' };
export const HOUR_MS = 3_600_000;

/** A real metrics SDK whose values are read on demand. */
export class Metrics extends MetricReader {
  readonly provider = new MeterProvider({ readers: [this] });

  /** All current metrics by name. */
  async all(): Promise<Map<string, MetricData>> {
    const { resourceMetrics, errors } = await this.collect();
    if (errors.length > 0) throw new AggregateError(errors, 'metrics could not be collected');
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    return new Map(metrics.map((metric) => [metric.descriptor.name, metric]));
  }

  /** Sum of a metric over all series with these attributes; for a histogram the number of its values. */
  async value(name: string, where: Attributes = {}): Promise<number> {
    const metric = (await this.all()).get(name);
    const found = (metric?.dataPoints ?? []).filter(({ attributes }) =>
      Object.entries(where).every(([key, value]) => attributes[key] === value),
    );
    return found.reduce((sum, { value }) => sum + (typeof value === 'number' ? value : value.count), 0);
  }

  /** Data of a histogram, over all series with these attributes. */
  async histogram(name: string, where: Attributes = {}): Promise<Histogram | undefined> {
    const metric = (await this.all()).get(name);
    if (metric?.dataPointType !== DataPointType.HISTOGRAM) return undefined;
    return metric.dataPoints.find(({ attributes }) =>
      Object.entries(where).every(([key, value]) => attributes[key] === value),
    )?.value;
  }

  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

/** A real tracing SDK that keeps its spans. */
export class Spans {
  readonly #exporter = new InMemorySpanExporter();
  readonly provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#exporter)] });

  constructor() {
    context.disable();
    context.setGlobalContextManager(new ActiveContext());
  }

  /** Ended spans, in the order of their ends. */
  get all(): ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  names(): string[] {
    return this.all.map(({ name }) => name);
  }

  one(name: string): ReadableSpan {
    const found = this.all.filter((span) => span.name === name);
    if (found[0] === undefined || found.length > 1)
      throw new Error(`${found.length} × ${name} in ${this.names().join(', ')}`);
    return found[0];
  }

  /** Returns the names from a span up to the root span. */
  pathOf(span: ReadableSpan): string[] {
    const parent = this.all.find((other) => other.spanContext().spanId === span.parentSpanContext?.spanId);
    return [span.name, ...(parent === undefined ? [] : this.pathOf(parent))];
  }

  reset(): void {
    this.#exporter.reset();
  }

  /** Runs a function in a span of the app. */
  async within<T>(name: string, run: () => Promise<T>): Promise<T> {
    return this.provider.getTracer('the app').startActiveSpan(name, async (span: Span) => {
      try {
        return await run();
      } finally {
        span.end();
      }
    });
  }
}

export const hasFailed = ({ status }: ReadableSpan): boolean => status.code === SpanStatusCode.ERROR;

/** Creates a span for each request, as OpenTelemetry's instrumentation of Node's http does. */
function serverSpans(spans: Spans) {
  return (request: { url: string }, response: { once(event: 'finish', then: () => void): void }, next: () => void) => {
    const span = spans.provider.getTracer('the app').startSpan(`GET ${request.url}`);
    response.once('finish', () => span.end());
    context.with(trace.setSpan(context.active(), span), next);
  };
}

@Public()
@Controller()
class CallsController {
  constructor(private readonly xpay: XPayHttpService) {}

  @Post('find')
  find() {
    return this.xpay.post('/client/wallets/find', { page: 1 });
  }
}

export interface Observed extends RunningApp {
  readonly xpay: XPayEmulator;
  readonly clock: ManualClock;
  readonly metrics: Metrics;
  readonly spans: Spans;
  readonly tokens: XPayTokenService;
  readonly http: XPayHttpService;
  /** Returns the status of a request with these headers. */
  status(path: string, headers?: Record<string, string>, method?: string): Promise<number>;
}

export interface ObservedSetting {
  readonly options?: XPayAuthOptions;
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  readonly controllers?: NonNullable<ModuleMetadata['controllers']>;
  readonly telemetry?: boolean;
}

/** An app with real telemetry SDKs and an emulated upstream. All clocks except those of the spans stand still. */
export async function startObserved(platform: Platform, setting: ObservedSetting = {}): Promise<Observed> {
  const clock = new ManualClock();
  const xpay = await startXPayEmulator({ accounts: [APP, ada, root], clock, tokenLifeMs: HOUR_MS });
  const metrics = new Metrics();
  const spans = new Spans();
  const { options = { credentials: APP }, imports = [], controllers = [], telemetry = true } = setting;
  const providers = { meterProvider: metrics.provider, tracerProvider: spans.provider };
  const running = await startApp(
    platform,
    {
      imports: [
        // Imported before the instances, to show that the order of imports does not matter.
        ...(telemetry ? [XPayTelemetryModule.forRoot(providers)] : []),
        XPayAuthModule.forRoot({ baseUrl: xpay.url, clock, ...options }),
        ...imports,
      ],
      controllers: [RoutesController, CallsController, ...controllers],
    },
    (app) => void (platform === 'express' && app.use(serverSpans(spans))),
  ).catch(async (thrown: unknown) => {
    await xpay.stop();
    throw thrown;
  });
  return {
    ...running,
    xpay,
    clock,
    metrics,
    spans,
    tokens: running.app.get(XPayTokenService),
    http: running.app.get(XPayHttpService),
    status: async (path, headers = {}, method = 'GET') => {
      const response = await running.fetch(path, { headers, method });
      await response.arrayBuffer();
      return response.status;
    },
    async [Symbol.asyncDispose]() {
      await running.stop();
      await xpay.stop();
    },
  };
}
