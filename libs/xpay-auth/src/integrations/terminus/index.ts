// The entry point `nestjs-xpay-auth/terminus`: asks for the peer `@nestjs/terminus`.

export { XPayHealthModule } from './health.module.js';
export { XPayHealthIndicator, type XPayHealth, type XPayHealthOptions } from './health-indicator.js';
