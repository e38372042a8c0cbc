import type { Fault as UpstreamFault } from 'nestjs-xpay-auth/testing';
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
  const { upstream, redis, wire } = stage;
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
        await truth.storeIsEmptied(() => redis.client.flushall());
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
    { name: 'the upstream is unreachable', begin: () => upstream.pause(), end: () => upstream.resume() },
    upstreamFault('the upstream responds after 2 s', { kind: 'delay', ms: 2_000 }),
    upstreamFault('the upstream never responds', { kind: 'hang' }),
    upstreamFault('the upstream responds 503 with Retry-After: 2', { kind: 'unavailable', retryAfter: 2 }),
    upstreamFault('the upstream responds 429 with Retry-After: 1', { kind: 'rateLimited', retryAfter: 1 }),
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
      },
      end: () => stage.restartAll(),
    },
    { name: "the app's tokens are revoked", begin: () => upstream.revokeTokens(APP.username) },
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
