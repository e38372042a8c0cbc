/**
 * Helpers for a dialect of your own: read an answer, encode a body, name a failure. The dialects of this library use them too.
 * @module nestjs-xpay-auth/dialect
 */

export { claimsOf, isToken, jsonObject, msFromSeconds } from './core/decoders.js';
export { FORM_HEADERS, encodeForm, encodeJson } from './http/encode.js';
export { refuseEmpty, refusesRenewal, unreadable, upstreamWords } from './http/failure.js';
