/**
 * A faster transport for requests to the upstream. Needs the optional peer `undici`.
 * @module nestjs-xpay-auth/undici
 */
export { undiciTransport, type UndiciTransportOptions } from './http/undici-transport.js';
