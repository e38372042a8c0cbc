// The entry point `nestjs-xpay-auth/opentelemetry`: asks for the peer `@opentelemetry/api`.

export { XPayTelemetryModule, type XPayTelemetryOptions } from './telemetry.module.js';
