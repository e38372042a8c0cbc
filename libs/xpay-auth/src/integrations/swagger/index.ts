/**
 * OpenAPI from the marks that the guards read. Asks for the peer `@nestjs/swagger`.
 * @module nestjs-xpay-auth/swagger
 */
export { setupXPaySecurity } from './setup-security.js';
export { withXPaySecurity } from './with-security.js';
export { ApiXPayFailures, type OwnFailure } from './own-failures.js';
