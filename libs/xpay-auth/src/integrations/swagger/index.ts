// The table of contents of `nestjs-xpay-auth/swagger`. Needs @nestjs/swagger, an optional peer.

export { setupXPaySecurity } from './setup-security.js';
export { withXPaySecurity } from './with-security.js';
export { ApiXPayFailures, type OwnFailure } from './own-failures.js';
