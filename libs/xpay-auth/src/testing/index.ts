/**
 * A testing module, emulators of the upstreams, a manual clock, and contracts for a dialect or a store of your own. Works with
 * any test runner.
 * @module nestjs-xpay-auth/testing
 */
export { ManualClock } from './emulators/manual-clock.js';
export type { Fault, FaultTiming, RetryAfter } from './emulators/fault.js';
export type { Script, ScriptScope } from './emulators/script.js';
export type { LedgerEntry } from './emulators/ledger.js';
export type { Outcome } from './emulators/wire-message.js';
export type { EmulatorClock } from './emulators/emulator-clock.js';
export type { EmulatedAccount, Emulator, EmulatorOptions } from './emulators/emulator.js';
export {
  type BadBearerAnswer,
  type MintedToken,
  type XPayAccount,
  type XPayEmulator,
  type XPayEmulatorOptions,
  startXPayEmulator,
} from './emulators/xpay.emulator.js';
export type { NextPagePlacement, UuidPlacement } from './emulators/xpay-envelope.js';
export type { XPayPayment } from './emulators/xpay-business.js';
export { xpayMalformed } from './emulators/xpay-malformed.js';
export {
  type GiftStreamAccount,
  type GiftStreamEmulator,
  type GiftStreamEmulatorOptions,
  type RefreshMode,
  startGiftStreamEmulator,
} from './emulators/gift-stream.emulator.js';
export type { GiftStreamTransaction } from './emulators/gift-stream-shop.js';
export {
  type LoginFailure,
  type PasswordLoginAccount,
  type PasswordLoginEmulator,
  type PasswordLoginEmulatorOptions,
  startPasswordLoginEmulator,
} from './emulators/password-login.emulator.js';
export type { LoginBody } from './emulators/fastapi.js';
export { demoAccounts } from './emulators/demo-accounts.js';

// an app without its upstream
export { XPayAuthTestingModule } from './kit/xpay-auth-testing.module.js';
export { asUser, testCredentials, type TestUser, type TestUserHeaders } from './kit/test-user.js';
export {
  XPayTestUpstream,
  type UpstreamTrouble,
  type XPayTestCall,
  type XPayTestEnvelope,
} from './kit/test-upstream.js';

// contracts for adapters of your own
export type { ContractCase } from './kit/contract-case.js';
export { dialectContract } from './kit/dialect-contract.js';
export type { CannedAnswer, DialectStage, StagedCall } from './kit/dialect-contract-stage.js';
export { storeContract, type StoreStage } from './kit/store-contract.js';
export { MemoryStore } from './kit/memory-store.js';
