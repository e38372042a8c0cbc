import type { CannedAnswer, DialectStage } from 'nestjs-xpay-auth/testing';
import { harbour } from './harbour.dialect.js';
import { startStandIn } from './stand-in.js';

/** What the contract tries the dialect against, made anew for each of its cases. */
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

/** A login that is accepted, with this life. */
function granting(seconds: unknown): CannedAnswer {
  return { status: 201, body: { session: { key: 'k', seconds, piers: '' } } };
}
