/**
 * OpenAPI security from the decorators that the guards read. Needs the peer `@nestjs/swagger`.
 * @module nestjs-xpay-auth/swagger
 */
export { setupXPaySecurity } from './security-schemes.js';
export { withXPaySecurity } from './with-security.js';
export { ApiXPayFailures, type OwnFailure } from './failure-codes.js';
