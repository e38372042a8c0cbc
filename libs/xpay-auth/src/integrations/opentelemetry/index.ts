/**
 * Metrics and spans. Needs the peer `@opentelemetry/api`.
 * @module nestjs-xpay-auth/opentelemetry
 */
export { XPayTelemetryModule, type XPayTelemetryOptions } from './telemetry.module.js';
