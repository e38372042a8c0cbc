import type { Fault as UpstreamFault } from 'nestjs-xpay-auth/testing';
import { MERCHANTS } from './merchants.js';
import { APP, type Stage, USERS } from './stage.js';
import type { Truth } from './truth.js';

/** A fault: starts, lasts for a time, ends. */
export interface Fault {
  readonly name: string;
  begin(): unknown;
  /** Runs after the duration of the fault. Absent if the fault is over at once. */
  end?(): unknown;
}

/** All faults, and the effect of each on the expected state. */
export function faultsOf(stage: Stage, truth: Truth): readonly Fault[] {
  const { upstream, redis } = stage;
  const { wire } = redis;
  const storeFault = (name: string, begin: () => unknown, end: () => unknown): Fault => ({
    name,
    begin: () => (truth.storeGoes(), begin()),
    end: async () => {
      await end();
      truth.storeIsBack();
    },
  });
  const upstreamFault = (name: string, fault: UpstreamFault): Fault => ({
    name,
    begin: () => upstream.faults.always(fault),
    end: () => upstream.faults.clear(),
  });
  const rateLimit = (name: string, username: () => string): Fault => ({
    name,
    begin: () => {
      const limited = username();
      truth.rateLimit(limited);
      upstream.faults.always({ kind: 'rateLimited', retryAfter: 1 }, limited === '*' ? {} : { username: limited });
    },
    end: () => {
      upstream.faults.clear();
      truth.rateLimitEnds();
    },
  });
  let turn = 0;
  return [
    {
      name: 'an instance is killed and restarted',
      begin: async () => {
        stage.apps[++turn % 3]?.kill('SIGKILL');
        await stage.apps[turn % 3]?.ended();
      },
      end: () => stage.boot(turn % 3),
    },
    {
      name: 'an instance is suspended and resumed',
      begin: () => stage.apps[++turn % 3]?.kill('SIGSTOP'),
      end: () => stage.apps[turn % 3]?.kill('SIGCONT'),
    },
    storeFault(
      'Redis is killed and restarted empty',
      () => redis.kill(),
      () => truth.storeIsEmptied(() => redis.resume()),
    ),
    storeFault(
      'Redis is suspended and resumed',
      () => redis.freeze(),
      () => redis.thaw(),
    ),
    {
      name: 'Redis is flushed',
      begin: async () => {
        await truth.storeIsEmptied(() => redis.flush());
        truth.storeIsBack();
      },
    },
    storeFault(
      'Redis delays each response by 300 ms',
      () => (wire.delayMs = 300),
      () => (wire.delayMs = 0),
    ),
    storeFault(
      'the connections to Redis are cut',
      () => wire.cut(),
      () => wire.heal(),
    ),
    storeFault(
      'the network to Redis drops everything',
      () => wire.blackHole(),
      () => wire.heal(),
    ),
    storeFault(
      'Redis fails over to its replica',
      () => redis.failover(),
      () => undefined,
    ),
    { name: 'the upstream is unreachable', begin: () => upstream.pause(), end: () => upstream.resume() },
    upstreamFault('the upstream responds after 2 s', { kind: 'delay', ms: 2_000 }),
    upstreamFault('the upstream never responds', { kind: 'hang' }),
    upstreamFault('the upstream responds 503 with Retry-After: 2', { kind: 'unavailable', retryAfter: 2 }),
    rateLimit('the upstream responds 429 with Retry-After: 1', () => '*'),
    rateLimit('the upstream responds 429 for one user', () => pick(USERS).username),
    rateLimit('the upstream responds 429 for one account known at run time', () => pick(MERCHANTS).username),
    upstreamFault('the upstream responds with an HTML page', { kind: 'html502' }),
    upstreamFault('the upstream responds with text that is not JSON', { kind: 'notJson' }),
    {
      name: "users' keys are changed",
      begin: () => {
        for (const { username } of USERS.slice(0, 3)) {
          const secretKey = `a new secret ${Math.random()}`;
          upstream.setSecret(username, secretKey);
          truth.changeKey(username, secretKey);
        }
      },
    },
    {
      name: 'the key of the app account is changed, and deployed to one instance after the other',
      begin: () => {
        stage.appSecret = `a new app secret ${Math.random()}`;
        upstream.setSecret(APP.username, stage.appSecret);
        truth.accountChanged(APP.username);
      },
      end: async () => {
        const deploying = setInterval(() => truth.accountChanged(APP.username), 1_000);
        await stage.restartAll();
        clearInterval(deploying);
      },
    },
    {
      name: 'keys of accounts known at run time are rotated',
      begin: () => {
        for (const merchant of MERCHANTS.slice(0, 6)) {
          merchant.secretKey = `a new key ${Math.random()}`;
          upstream.setSecret(merchant.username, merchant.secretKey);
          truth.accountChanged(merchant.username);
        }
      },
    },
    {
      name: "the app's tokens are revoked",
      begin: () => {
        truth.accountChanged(APP.username);
        upstream.revokeTokens(APP.username);
      },
    },
    {
      name: 'the tokens of all accounts are revoked',
      begin: () => {
        truth.tokensMayBeLost();
        upstream.revokeTokens();
        truth.tokensAreSafe();
      },
    },
    {
      name: 'the upstream keeps one token per account',
      begin: () => {
        truth.tokensMayBeLost();
        upstream.oneTokenPerAccount = true;
      },
      end: () => {
        upstream.oneTokenPerAccount = false;
        truth.tokensAreSafe();
      },
    },
    {
      name: 'encryption keys are rotated in two steps, each deployed to one instance after the other',
      begin: () => {
        stage.teachKey();
        return stage.restartAll();
      },
      end: () => {
        stage.promoteKey();
        return stage.restartAll();
      },
    },
  ];
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T;
}
