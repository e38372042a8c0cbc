import { type Fault, type XPayEmulator, xpayMalformed } from 'nestjs-xpay-auth/testing';
import type { Answer, UpstreamChanges } from './schema.js';

export const LOGIN = '/client/authenticate';
export const CALLS = '/client/wallets/*';
const TOO_LONG = 2 * 1_048_576;

type Answers = Exclude<Answer, string>;

/** Makes the emulated upstream as a case wants it from now on. */
export async function changeUpstream(xpay: XPayEmulator, changes: UpstreamChanges): Promise<void> {
  const { lifeMs, clockSkewMs, dateHeader, equalTokensWithinASecond, oneTokenPerAccount, badBearer } = changes;
  if (lifeMs !== undefined) xpay.tokenLifeMs = lifeMs;
  if (clockSkewMs !== undefined) xpay.clockSkewMs = clockSkewMs;
  if (dateHeader !== undefined) xpay.dateHeader = dateHeader;
  if (equalTokensWithinASecond !== undefined) xpay.equalTokensWithinASecond = equalTokensWithinASecond;
  if (oneTokenPerAccount !== undefined) xpay.oneTokenPerAccount = oneTokenPerAccount;
  if (badBearer !== undefined) xpay.badBearerAnswer = badBearer;
  for (const [username, account] of Object.entries(changes.accounts ?? {})) {
    if (account === null) xpay.removeAccount(username);
    else xpay.addAccount({ username, secretKey: account.secretKey, scopes: account.scopes ?? ['tme_user'] });
  }
  if (changes.revokesTokens === true) xpay.revokeTokens();
  if (changes.clear === true) xpay.faults.clear();
  for (const answer of changes.next ?? []) xpay.faults.next(faultOf(answer, xpay), { path: LOGIN });
  if (changes.always !== undefined) xpay.faults.always(faultOf(changes.always, xpay), { path: LOGIN });
  for (const answer of changes.nextCalls ?? []) xpay.faults.next(faultOf(answer, xpay), { path: CALLS });
  if (changes.down !== undefined) await (changes.down ? xpay.pause() : xpay.resume());
}

function faultOf(answer: Answer, xpay: XPayEmulator): Fault {
  const said: Answers = typeof answer === 'string' ? { answer } : answer;
  const fault = bare(said, xpay);
  // The upstream has made up its mind at once; its answer is under way for so long.
  return said.afterMs === undefined ? fault : { kind: 'delay', ms: said.afterMs, processed: true, followedBy: fault };
}

function bare(said: Answers, xpay: XPayEmulator): Fault {
  const retryAfter = said.retryAfter === undefined ? {} : { retryAfter: said.retryAfter };
  switch (said.answer) {
    case 'grants':
      return granted(said, xpay);
    case 'refuses':
      return {
        kind: 'status',
        status: 200,
        body: { error: { message: 'invalid credentials', data: { invalid: true } } },
      };
    case 'businessError':
      return { kind: 'status', status: 200, body: { error: { message: 'maintenance', data: null } } };
    case 'unavailable':
      return { kind: 'unavailable', ...retryAfter };
    case 'rateLimited':
      return { kind: 'rateLimited', ...retryAfter };
    case 'badGateway':
      return { kind: 'html502' };
    case 'hangs':
      return { kind: 'hang' };
    case 'tooLong':
      return { kind: 'oversized', bytes: TOO_LONG };
    case 'redirects':
      return { kind: 'redirect', location: xpay.url + LOGIN };
    case 'noToken':
      return xpayMalformed.noToken;
    case 'unauthorized':
      return { kind: 'status', status: 401 };
    case 'reset':
    case 'empty':
    case 'notJson':
    default:
      return { kind: said.answer };
  }
}

function granted({ expiresInMs, expiresAt, omit }: Answers, xpay: XPayEmulator): Fault {
  if (omit === 'expiresAt') return xpayMalformed.noExpiry;
  const change = (data: Record<string, unknown>): Record<string, unknown> => ({
    ...data,
    ...(omit === 'scopes' && { user: { ...(data['user'] as object), scopes: undefined } }),
    ...(expiresInMs !== undefined && { expiresAt: xpay.now() + expiresInMs }),
    ...(expiresAt !== undefined && { expiresAt }),
  });
  return { kind: 'transform', transform: (body) => inData(body, change) };
}

/** Changes `success.data`; what is no success stays as it is. */
function inData(body: unknown, change: (data: Record<string, unknown>) => unknown): unknown {
  const { success } = body as { success?: { data: Record<string, unknown> } };
  return success === undefined ? body : { ...(body as object), success: { ...success, data: change(success.data) } };
}
