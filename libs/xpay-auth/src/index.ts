// The public exports of the package, listed by hand.
/**
 * The module, its services, strategy, guards and decorators; the dialects; the errors; the types for extensions.
 * @module nestjs-xpay-auth
 */

// module
export { XPayAuthModule } from './nest/module/xpay-auth.module.js';
export type {
  AccountsOptions,
  AttemptsOptions,
  DialectName,
  HttpOptions,
  SessionOptions,
  TokenOptions,
  VerificationOptions,
  XPayAuthAsyncOptions,
  XPayAuthFactoryOptions,
  XPayAuthInstanceOptions,
  XPayAuthOptions,
  XPayAuthOptionsFactory,
} from './nest/options/xpay-auth-options.js';
export { InjectXPay, getXPayInjectionToken } from './nest/instance/injection.js';

// outbound: the app token
export { XPayTokenService } from './nest/services/token.service.js';
export type { GetTokenOptions, XPayAccountTokens } from './nest/services/account-tokens.js';
export { XPayHttpService } from './nest/services/http.service.js';
export type {
  XPayAnswer,
  XPayApiCalls,
  XPayCallOptions,
  XPayPagesOptions,
  XPayRequest,
} from './nest/services/api-calls.js';
export { attachXPayBearer, type XPayBearerOptions } from './nest/services/axios-bearer.js';
export { AccessToken, type AccessTokenFacts, type Credentials, Secret } from './core/credentials.js';
export type { TokenChange, TokenEvent, TokenStatus } from './core/token-events.js';

// inbound: authentication and authorization of callers
export { XPayStrategy } from './nest/strategy/xpay.strategy.js';
export { ScopesGuard, XPayAuthGuard } from './nest/guards/xpay-auth.guard.js';
export { AnyScope, Authenticated, OptionalAuth, Public, Scopes, UseXPay } from './nest/decorators/scopes.decorators.js';
export type { MarkDecorator } from './nest/decorators/route-decorator.js';
export { CurrentUser } from './nest/decorators/current-user.decorator.js';
export { XPayHandshake } from './nest/guards/handshake.service.js';
export { XPayAuthFilter } from './nest/filters/xpay-auth.filter.js';
export { XPaySessionService, type LoginContext } from './nest/services/session.service.js';
export { XPayAuditService } from './nest/services/audit.service.js';
export type { Attempted, AuditEvent } from './core/audit-events.js';
export type { Session } from './sessions/sessions.js';
export { Principal, type PrincipalFacts, type Scope, type ScopeHierarchy, type XPayScopes } from './core/principal.js';
export type { HttpTransport } from './http/transport.js';
export type { Limit } from './rate-limit/attempt-counter.js';
export type { Range } from './async/backoff.js';

// dialects
export { xPay, type XPayDialectOptions } from './dialects/xpay/xpay.dialect.js';
export type { XPayError } from './dialects/xpay/xpay.wire.js';
export { giftStream, type GiftStreamDialectOptions } from './dialects/gift-stream/gift-stream.dialect.js';
export type { GiftStreamCaller } from './dialects/gift-stream/gift-stream.scopes.js';
export { passwordLogin } from './dialects/password-login/password-login.dialect.js';
export type { PasswordLoginDialectOptions } from './dialects/password-login/password-login.options.js';

// helpers for a dialect of your own: moved to nestjs-xpay-auth/dialect
export {
  /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */
  FORM_HEADERS /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */,
  claimsOf /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */,
  encodeForm /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */,
  isToken /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */,
  jsonObject /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */,
  msFromSeconds /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */,
  refuseEmpty /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */,
  refusesRenewal /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */,
  unreadable /** @deprecated Import it from nestjs-xpay-auth/dialect. Removed in 0.3. */,
  upstreamWords,
} from './dialect.js';

// failures
export {
  XPayAuthError,
  type Trouble,
  type UpstreamReference,
  type XPayAuthErrorCode,
  type XPayAuthErrorDetails,
} from './core/errors.js';
export type { FailureBody } from './core/failures.js';
export { failureHeaders } from './nest/contexts/failure-headers.js';
export type { FailureMessage } from './nest/exceptions/http-exception.js';

// extending
export type {
  Count,
  Entry,
  EntryKind,
  EntryName,
  Held,
  Lease,
  LogPage,
  LogRecord,
  NewEntry,
  Store,
  StoreNotice,
  StoreStatus,
} from './core/store.js';
export { systemClock } from './async/system-clock.js';
export type { CancelTimer, Clock } from './core/clock.js';
export type {
  ApiCall,
  ApiData,
  ApiLanguage,
  ApiOutcome,
  ApiPage,
  ApiPageAnswer,
  ApiPaging,
  Dialect,
  Grant,
  Purpose,
  Upstream,
  UpstreamAnswer,
  UpstreamRequest,
} from './core/ports.js';
export type { ChallengeScheme } from './core/challenge.js';
export type {
  CredentialsExtractor,
  ExtractedCredentials,
  Handshake,
  IncomingRequest,
  RpcMessage,
} from './core/incoming-request.js';
export type { UpgradeRequest } from './nest/contexts/handshakes.js';
