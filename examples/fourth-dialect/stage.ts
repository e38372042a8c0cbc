import type { CannedAnswer, DialectStage } from 'nestjs-xpay-auth/testing';
import { harbour } from './harbour.dialect.js';
import { startStandIn } from './stand-in.js';

/** The dialect and a test upstream for the contract, created for each case. */
export async function stage(): Promise<DialectStage> {
  const good = { username: 'mo', secretKey: 'ahøy+ & "100%" ashore' };
  const standIn = await startStandIn([{ ...good, piers: 'north,south' }]);
  return {
    dialect: harbour(),
    baseUrl: standIn.url,
    good,
    scopes: ['north', 'south'],
    nonsense: {
      'over already': granting(0),
      'no number': granting('a while'),
      'an instant for a period': granting(1_800_000_000_000),
      'nothing said': granting(undefined),
    },
    call: { method: 'GET', path: '/berths' },
    failingCall: { method: 'POST', path: '/berths', body: { berth: 1 } },
    revokeTokens: () => standIn.revokeTokens(),
    stop: () => standIn.stop(),
  };
}

/** An accepted login with this lifetime. */
function granting(seconds: unknown): CannedAnswer {
  return { status: 201, body: { session: { key: 'k', seconds, piers: '' } } };
}
