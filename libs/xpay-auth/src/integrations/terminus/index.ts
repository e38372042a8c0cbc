/**
 * A health indicator. Asks for the peer `@nestjs/terminus`.
 * @module nestjs-xpay-auth/terminus
 */
export { XPayHealthModule } from './health.module.js';
export { XPayHealthIndicator, type XPayHealth, type XPayHealthOptions } from './health-indicator.js';
