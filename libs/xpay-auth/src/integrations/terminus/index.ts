/**
 * A health indicator. Needs the peer `@nestjs/terminus`.
 * @module nestjs-xpay-auth/terminus
 */
export { XPayHealthIndicator, XPayHealthModule, type XPayHealth, type XPayHealthOptions } from './health-indicator.js';
